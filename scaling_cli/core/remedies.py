"""The least changes that bring a run within a rule: each changes one input, and was planned anew to see that it holds.

Amounts are rounded away from what the run has now, to what is printed, before they are tried.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from scaling_cli.core.cases import SERVED_IN, Basis, Case, optimum_of
from scaling_cli.core.inputs import HELD, Input, inputs_of, split_of
from scaling_cli.core.machines import BYTES
from scaling_cli.core.nearest import TIMES, Place, Search
from scaling_cli.core.policies import FORMS, Rule, breaks
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.sheets import Spec
from scaling_cli.errors import ScalingError

MOST = 3  # remedies of one finding
OF_DATA = ("loss", "excess_loss", "waste", "epochs")  # what more unique tokens are a remedy for
TURNING = ("excess_loss", "waste", "extrapolation", "disagreement")  # what is least in between
OF_SPLIT = ("excess_loss", "waste")  # what another split of the same compute is the first remedy for
OPTIMUM = "optimum"
NONE = f"no change of one input within a factor of {TIMES:g} reaches it"
OF_SUM = " of the sum"
DECIMALS = 1e4  # of a loss, as messages show it
FAR, SMALLEST = 700.0, 1e-300  # logarithms that stand for all and for next to nothing
Over = Callable[[Spec], float]


class Aim(NamedTuple):
    """What a run is to keep.

    Fields:
        rule: the rule.
        end: what it allows this run, in the unit of the quantity; of no matter where it follows the run's optimum.
        scope: OF_SUM where the rule is one of the sum.
    """

    rule: Rule
    end: float
    scope: str = ""

    @property
    def of_optimum(self) -> bool:
        """Whether the rule is told from the optimum at the run's compute."""
        return FORMS[self.rule.form].relative_to == "optimum"

    @property
    def name(self) -> str:
        """The rule as messages name it."""
        return self.rule.name + self.scope

    def _end_at(self, case: Case) -> float:
        """Return the end at a run's compute; NaN where the law has no optimum there."""
        try:
            best = optimum_of(case, self.rule.quantity)
        except (ArithmeticError, ValueError):
            return math.nan
        return math.nan if best is None else self.rule.end(best)

    def over(self, case: Case) -> float:
        """Return the logarithm of how far a run lies beyond the end: above zero where the rule is broken.

        NaN where a number is not known; infinite, or as good, where one is zero.
        """
        value, end = case.numbers[self.rule.quantity], self.end
        if self.of_optimum:
            end = self._end_at(case)
        if value is None or math.isnan(end):
            return math.nan
        side = 1.0 if self.rule.is_max else -1.0
        beyond = side * math.log(value / end) if value > 0.0 and end > 0.0 else side * math.copysign(FAR, value - end)
        return max(beyond, SMALLEST) if breaks(value, end, self.rule) else min(beyond, 0.0)


class Remedy(NamedTuple):
    """A change of one input that keeps a rule.

    Fields:
        key: the input: a key of FIELDS, "max days" for a limit of the run's own, SPLIT, or OPTIMUM.
        value: what it becomes.
        spec: the run with it.
        words: the change in words.
        breaks: names of the rules that the run keeps now and would break then.
    """

    key: str
    value: float | str
    spec: Spec
    words: str
    breaks: tuple[str, ...] = ()


def find_remedies(case: Case, aim: Aim, kept: Sequence[Aim] = ()) -> tuple[Remedy, ...]:
    """Return changes that take a run to an aim, each alone; none where the run was read from a saved answer.

    Args:
        case: the run.
        aim: what it is to keep.
        kept: what it keeps now: a change that breaks any of these is told only where all do, and says so.
    """
    if case.basis is None:
        return ()
    basis, over = case.basis, _over(case.basis, aim)
    judged = partial(_judged, basis, kept)
    by_split = list(map(judged, _by_split(case, aim, over)))
    is_split = any(not remedy.breaks for remedy in by_split)
    others = () if is_split else (*_by_inputs(case, aim, over), *_by_optimum(case, aim, over))
    found = [*map(judged, _by_precision(basis, aim, over)), *by_split, *map(judged, others)]
    return tuple([remedy for remedy in found if not remedy.breaks] or found)[:MOST]


def _judged(basis: Basis, kept: Sequence[Aim], remedy: Remedy) -> Remedy:
    """Return a remedy that says which of the rules kept now it breaks."""
    if not kept:
        return remedy
    case = basis.again(remedy.spec)  # which answered when the remedy was tried
    broken = tuple(aim.name for aim in kept if not aim.over(case) <= 0.0)
    words = f"{remedy.words}, which breaks {' and '.join(broken)}" if broken else remedy.words
    return remedy._replace(words=words, breaks=broken)


def say_remedies(case: Case, aim: Aim, kept: Sequence[Aim] = ()) -> str:
    """Return the remedies in words; that there are none, where that is so; empty where the run was only read."""
    if case.basis is None:
        return ""
    return ", or ".join(remedy.words for remedy in find_remedies(case, aim, kept)) or f"{NONE}{_floor(case, aim)}"


def _over(basis: Basis, aim: Aim) -> Over:
    """Return how far a run is beyond the aim once it is planned anew; NaN where it can not be."""

    def over(spec: Spec) -> float:
        try:
            case = basis.again(spec)
            least = min(float(case.numbers[name] or math.nan) for name in ("params", "tokens"))
            return aim.over(case) if least >= 1.0 else math.nan
        except (ScalingError, ArithmeticError, ValueError):
            return math.nan

    return over


def _by_precision(basis: Basis, aim: Aim, over: Over) -> Iterator[Remedy]:
    """Yield the widest precision of the weights in which they fit."""
    if aim.rule.quantity != "memory_bytes" or not aim.rule.is_max:
        return
    now = BYTES[basis.demands.serving.precision or SERVED_IN]
    for name, size in sorted(BYTES.items(), key=lambda item: -item[1]):
        spec = basis.spec._replace(budget={**basis.spec.budget, "serve_precision": name})
        if size < now and over(spec) <= 0.0:
            yield Remedy("serve_precision", name, spec, f"weights served in {name}")
            return


def _by_split(case: Case, aim: Aim, over: Over) -> Iterator[Remedy]:
    split = split_of(case) if aim.of_optimum or aim.rule.quantity in OF_SPLIT else None
    if split is not None:
        yield from _remedy(split, _search(split, case, aim, over).nearest(), "")


def _by_inputs(case: Case, aim: Aim, over: Over) -> Iterator[Remedy]:
    """Yield one remedy for each input that moves the number far enough; an odd one where there is no other."""
    searches = [(one, _search(one, case, aim, over)) for one in inputs_of(case) if _may_lead(one, case, aim)]
    moving = {one.key for one, search in searches if search.moves}

    def remedies(*, odd: bool) -> Iterator[Remedy]:
        for one, search in searches:
            if _is_odd(one, search, aim) == odd:
                yield from _remedy(one, search.nearest(), HELD[one.beside] if one.beside in moving else "")

    yield from list(remedies(odd=False)) or list(remedies(odd=True)) or _from_afar(searches, aim)


def _may_lead(one: Input, case: Case, aim: Aim) -> bool:
    """Whether an input can lead to the aim, as far as that is known without trying."""
    if one.key == "gpus" and case.basis is not None and not case.basis.demands.limits:
        return aim.rule.quantity == "days"
    if one.key == "params" and aim.rule.quantity == "memory_bytes" and case.basis is not None:
        return case.basis.stored in (None, one.old)  # of a mixture, other params would not be those that memory holds
    return one.key == "unique_tokens" or not _floor(case, aim)


def _from_afar(searches: list[tuple[Input, Search]], aim: Aim) -> Iterator[Remedy]:
    """Yield remedies beyond where a number is level, or turns: a limit that does not bind yet."""
    if aim.rule.form == "max" and aim.rule.quantity in TURNING:
        return  # these have one valley, and it was searched
    for one, search in searches:
        if search.turns or not search.moves:
            yield from _remedy(one, search.elsewhere(), HELD.get(one.beside, ""))


def _is_odd(one: Input, search: Search, aim: Aim) -> bool:
    """Whether nobody would ask for a change first: less data, or more where data are no matter; more to serve."""
    if one.key == "unique_tokens":
        return search.side < 0.0 or aim.rule.quantity not in OF_DATA
    return one.key == "inference_tokens" and search.side > 0.0


def _search(one: Input, case: Case, aim: Aim, over: Over) -> Search:
    turns = aim.of_optimum or aim.rule.quantity in TURNING
    return Search(lambda amount: over(one.put(amount)), Place(one.old, aim.over(case)), one.rounded, turns=turns)


def _remedy(one: Input, amount: float | None, where: str) -> Iterator[Remedy]:
    if amount is not None:
        yield Remedy(one.key, amount, one.put(amount), f"{one.words(amount)} {where}".rstrip())


def _by_optimum(case: Case, aim: Aim, over: Over) -> Iterator[Remedy]:
    """Yield the law's own split of the run's compute, where the run says another."""
    basis = case.basis
    if basis is None or not (aim.of_optimum or aim.rule.quantity in OF_SPLIT):
        return
    spec = basis.spec
    if len(spec.known) + bool(spec.config) < 2 or "loss" in spec.known:
        return
    flops = spec.known.get("flops", float(f"{case.numbers['flops']:.2e}"))  # as it is shown
    alone = spec._replace(known={"flops": flops}, config="")
    if over(alone) <= 0.0:
        amount = flops if isinstance(flops, str) else f"{format_quantity(flops, 'flops')} FLOPs"
        yield Remedy(OPTIMUM, flops, alone, f"{amount} alone, whose split the law decides")


def _floor(case: Case, aim: Aim) -> str:
    """Return what the loss stays above whatever is changed, in words; empty where nothing is known of that."""
    basis = case.basis
    if basis is None or aim.rule.quantity != "loss" or not aim.rule.is_max or aim.of_optimum:
        return ""
    try:
        floor = _least_loss(case, basis)
    except (ScalingError, ArithmeticError, ValueError):
        return ""
    if floor < aim.end:
        return ""
    unique = basis.demands.unique_tokens
    data = "" if unique is None else f"with {format_quantity(unique, 'tokens')} unique tokens "
    return f": {data}the loss stays above {format_quantity(math.floor(floor * DECIMALS) / DECIMALS, 'loss')}"


def _least_loss(case: Case, basis: Basis) -> float:
    """Return a loss that no change of one input goes below: of more tokens or params alone, else of both.

    Raises: NoAnswer where the law has no loss of infinitely many.
    """
    surface = basis.surface
    if not surface.has_loss:
        return basis.planner.frontier.irreducible
    if set(basis.spec.known) == {"params", "tokens"}:
        params, tokens = (float(case.numbers[name] or math.nan) for name in ("params", "tokens"))
        return float(min(surface.loss_of(params, math.inf), surface.loss_of(math.inf, tokens)))
    if basis.demands.is_constrained:
        return surface.irreducible
    return min(surface.irreducible, basis.planner.frontier.irreducible)  # a law may state the loss of its optimum
