"""How far an answer moves with the draws of its law: every draw is asked the same question."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from scaling_cli.core import answers, losses
from scaling_cli.core.answers import Plan
from scaling_cli.core.duals import Value, library_of
from scaling_cli.core.fingerprints import changed_constants
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.knowns import check_counts, check_knowns
from scaling_cli.core.laws import Draws, Law, names_below
from scaling_cli.core.losses import Loss, predict_loss
from scaling_cli.core.notes import listed
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import Settings
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import Array, is_array
from scaling_cli.errors import NoAnswer

Known = Mapping[str, Value]
Answer = Mapping[str, Value]
Ask = Callable[[Law, Known], Plan | Loss]
Ends = tuple[Answer, Answer, tuple[str, ...]]  # low and high by name, and notes

FEWEST = 20  # answers that an interval needs: fewer say nothing of a twentieth
MOST_WITHOUT = 0.05  # share of draws without an answer beyond which what the others say is no interval
PRECISE = 1e-10  # of the logarithms that a search for a draw finds: far finer than draws differ
AT_ONCE = 2_000_000  # answers to hold in memory of one quantity, where arrays are asked


def plan_interval(plan: Plan, law: Law, known: Known, settings: Settings) -> Plan:
    """Return a plan with the interval of each of its quantities, and notes that say what it is and what has none.

    Args:
        plan: the law's answer.
        law: a law with draws.
        known: what it was asked.
        settings: values of the law's declared variables.
    """
    names = [name for name in answers.UNCERTAIN if getattr(plan, name) is not None]
    plan = plan._replace(notes=(*plan.notes, *without_interval(plan, law)))
    if not set(names) - known.keys():  # it says nothing but what was given
        return plan
    ask: Ask = lambda draw, at: _DrawPlanner(draw, settings, plan).answer(at)  # noqa: E731
    low, high, notes = interval(law, ask, check_knowns(known), names)
    return plan._replace(low=low, high=high, notes=(*plan.notes, *notes))


def loss_interval(loss: Loss, law: Law, settings: Settings) -> Loss:
    """Return a loss with the interval of it and of its parts, and a note that says what it is; see `plan_interval`."""
    names = [name for name in losses.UNCERTAIN if getattr(loss, name) is not None]
    ask: Ask = lambda draw, at: predict_loss(draw, at.get("params"), at.get("tokens"), settings)  # noqa: E731
    counts = {name: value for name in ("params", "tokens") if (value := getattr(loss, name)) is not None}
    low, high, notes = interval(law, ask, check_counts(counts), names)
    return loss._replace(low=low, high=high, notes=(*loss.notes, *notes))


def without_interval(plan: Plan, law: Law) -> Iterator[str]:
    """Say which of the further relations of a plan move with the draws: only its own quantities have an interval."""
    draws = law.draws or Draws((), ())
    moved = {draws.relation, *(name for name in draws.names if name in law.coefficients)}
    told = [getattr(plan, name) for name in answers.UNCERTAIN]
    names = [name for name, value in plan.relations.items() if value not in told and names_below(law, [name]) & moved]
    if names:
        source = law.relations[draws.relation].uncertainty.get("draws")
        where = f"; its {draws.origin} are in {source['file']}" if isinstance(source, Mapping) else ""
        yield (
            f"{law.id}: no interval of {listed(names)}: intervals are of flops, params, tokens and loss alone{where}"
        )


class _DrawPlanner(Planner):
    """The planner of a draw: what an interval does not show is left out, and searches start at the law's own answer."""

    def __init__(self, law: Law, settings: Settings, answer: Plan) -> None:
        super().__init__(law, settings)
        self.surface = _DrawSurface(law, self.settings, answer.params)
        self.frontier = Frontier(self.surface)
        self.frontier.tolerance = PRECISE
        if isinstance(answer.flops, float):
            self.frontier.start = (answer.flops, answer.params)

    def off_optimum(self, flops: Value, params: Value, tokens: Value) -> Plan:
        """Return a run with its loss."""
        loss = self.surface.loss_of(params, tokens) if self.surface.has_loss else None
        return Plan(self.law.id, flops, params, tokens, loss=loss)


class _DrawSurface(Surface):
    """A surface that looks for its optimum next to the given params before it looks everywhere."""

    def __init__(self, law: Law, settings: Settings, params: Value | None) -> None:
        super().__init__(law, settings)
        self.start = params if isinstance(params, float) else None
        self.precision = PRECISE

    def optimal_params(self, flops: Value, *, near: float | None = None) -> Value:
        """Return the params that minimise the loss at fixed flops."""
        found = super().optimal_params(flops, near=near or self.start)
        if self.start is not None:
            self._last = (flops, found)  # asked for twice
        return found


def interval(law: Law, ask: Ask, known: Known, names: Sequence[str]) -> Ends:
    """Return the ends of each named quantity over the draws of a law, and notes: what they are, and which have none."""
    draws = law.draws or Draws((), ())
    if any(is_array(value) for value in known.values()):
        return _of_arrays(law, draws, ask, known, names=names)
    asked = [_answer(ask, law.with_draw(i), known, names) for i in range(len(draws.rows))]
    ordered = {name: sorted(answer[name] for answer, _ in asked if _has(answer, name)) for name in names}
    sure = [name for name in names if _is_enough(len(ordered[name]), len(asked))]
    reasons = list(filter(None, (reason for _, reason in asked)))
    why = _why_not(draws, len(asked) - min(map(len, ordered.values())), reasons)
    if not sure:
        return {}, {}, (f"{law.id}: no interval over its {draws.origin}: {why}",)
    low, high = ({name: _quantile(ordered[name], share) for name in sure} for share in _shares(draws))
    without = len(asked) - min(len(ordered[name]) for name in sure)
    missing = f", without {without} that {_have(without)} no answer here" if without else ""
    unsure = [name for name in names if name not in sure]
    none = f"; no interval of {listed(unsure)}: {why}" if unsure else ""
    note = f"{law.id}: low and high are the {_meaning(draws)}{missing}{none}"
    return low, high, (*changed_constants(law), note)


def _answer(ask: Ask, draw: Law, known: Known, names: Sequence[str]) -> tuple[Answer, str]:
    """Return what a draw says of the names, without those that it says nothing of, and why where it says nothing."""
    try:
        answer = ask(draw, known)
    except NoAnswer as error:
        return {}, error.message.removeprefix(f"{draw.id}: ")
    except (ArithmeticError, ValueError):
        return {}, "the answer lies beyond what a double can hold"
    return {name: value for name in names if (value := getattr(answer, name)) is not None}, ""


def _has(answer: Answer, name: str) -> bool:
    return name in answer and math.isfinite(answer[name])


def _is_enough(count: int, asked: int) -> bool:
    return count >= FEWEST and asked - count <= MOST_WITHOUT * asked


def _why_not(draws: Draws, without: int, reasons: Sequence[str]) -> str:
    """Say why draws give no interval: they are few, or too many of them have no answer."""
    if len(draws.rows) < FEWEST:
        return f"{len(draws.rows)} {'is' if len(draws.rows) == 1 else 'are'} too few, expected at least {FEWEST}"
    some = f"{without} of {len(draws.rows)} {draws.origin} {_have(without)}"
    return f"{some} no answer here, such as: {reasons[0]}" if reasons else f"{some} none"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the ordered values lies, on a line between the two nearest."""
    place = share * (len(ordered) - 1)
    i = min(int(place), len(ordered) - 2)
    return ordered[i] + (place - i) * (ordered[i + 1] - ordered[i])


def _shares(draws: Draws) -> tuple[float, float]:
    return 0.5 - 0.5 * draws.level, 0.5 + 0.5 * draws.level


def _meaning(draws: Draws) -> str:
    return f"{100.0 * draws.level:g} % interval over {len(draws.rows)} {draws.origin}"


def _of_arrays(law: Law, draws: Draws, ask: Ask, known: Known, *, names: Sequence[str]) -> Ends:
    """Return the ends element by element; NaN where too few draws have an answer."""
    given = next(iter(known.values()))
    xp = library_of(given)
    width = max(1, AT_ONCE // len(draws.rows))
    parts: list[Array] = []
    for start in range(0, given.size, width):
        part = {name: value.ravel()[start : start + width] for name, value in known.items()}
        answers = [_answer(ask, law.with_draw(i), part, names)[0] for i in range(len(draws.rows))]
        shape = next(iter(part.values())).shape
        table = [[xp.broadcast_to(answer.get(name, xp.nan), shape) for name in names] for answer in answers]
        parts.append(_array_quantiles(xp.array(table), _shares(draws)))
    ends = xp.concatenate(parts, axis=2).reshape(2, len(names), *given.shape)
    low, high = (dict(zip(names, end, strict=True)) for end in ends)
    missing = int(xp.isnan(ends[0]).any(axis=0).sum())
    note = f"; {missing} of {given.size} answers {_have(missing)} none" if missing else ""
    return low, high, (*changed_constants(law), f"{law.id}: low and high are the {_meaning(draws)}{note}")


def _array_quantiles(table: Array, shares: Sequence[float]) -> Array:
    """Return the quantiles, (shares, names, n), of a table (draws, names, n) whose missing answers are NaN."""
    xp = library_of(table)
    ordered = xp.sort(xp.where(xp.isfinite(table), table, xp.nan), axis=0)  # NaN comes last
    answered = xp.isfinite(ordered).sum(axis=0)
    enough = (answered >= FEWEST) & (answered >= (1.0 - MOST_WITHOUT) * len(table))
    found = []
    for share in shares:
        place = share * (answered - 1.0)
        i = xp.clip(place.astype(int), 0, max(len(table) - 2, 0))
        below, above = (xp.take_along_axis(ordered, at[None], axis=0)[0] for at in (i, i + 1))
        found.append(xp.where(enough, below + (place - i) * (above - below), xp.nan))
    return xp.stack(found)
