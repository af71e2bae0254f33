"""One question put to several laws: plans, losses, ladders of budgets, and where the laws disagree."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from scaling_cli.core.answers import Plan
from scaling_cli.core.duals import Value
from scaling_cli.core.figures import unreproduced
from scaling_cli.core.knowns import check_knowns
from scaling_cli.core.laws import Law
from scaling_cli.core.losses import Loss, predict_loss
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import Settings
from scaling_cli.errors import InputError, NoAnswer, ScalingError

Answer = TypeVar("Answer", Plan, Loss)
TEN = 10.0
MOST_DECADES = 30


class Rung(NamedTuple):
    """One budget of one law, and what ten times as much buys: factors of params and tokens, and loss."""

    plan: Plan
    params_growth: float | None
    tokens_growth: float | None
    loss_gain: float | None


class Spread(NamedTuple):
    """How far the laws of one domain and one kind of params disagree about a budget."""

    flops: float
    params_kind: str
    domain: str
    laws: int
    params_min: float
    params_median: float
    params_max: float


def plan_law(law: Law, known: Mapping[str, Value], settings: Settings) -> Plan:
    """Return one law's plan, with its interval where it carries draws, and what marks it."""
    plan = Planner(law, settings).plan(known)
    if law.draws:
        from scaling_cli.core.intervals import plan_interval  # most laws carry no draws

        plan = plan_interval(plan, law, known, settings)
    return plan._replace(notes=(*plan.notes, *mark(law, plan)))


def loss_by_law(law: Law, params: Value | None, tokens: Value | None, settings: Settings) -> Loss:
    """Return one law's loss of params on tokens, with its interval where it carries draws, and what marks it."""
    loss = predict_loss(law, params, tokens, settings)
    if law.draws:
        from scaling_cli.core.intervals import loss_interval

        loss = loss_interval(loss, law, settings)
    return loss._replace(notes=(*loss.notes, *mark(law, loss)))


def plan_laws(laws: Sequence[Law], known: Mapping[str, float], settings: Settings) -> list[Plan]:
    """Return each law's plan; a law that cannot answer says why in its notes.

    Raises: what the first law raised, when no law can answer.
    """
    shown: dict[str, Any] = dict(check_knowns(known))
    return ask_each(
        laws,
        settings,
        lambda law, mine: plan_law(law, known, mine),
        lambda law: Plan(law.id, **shown),
    )


def predict_losses(laws: Sequence[Law], params: float | None, tokens: float | None, settings: Settings) -> list[Loss]:
    """Return each law's loss of params on tokens; a law that cannot answer says why in its notes."""
    return ask_each(
        laws,
        settings,
        lambda law, mine: loss_by_law(law, params, tokens, mine),
        lambda law: Loss(law.id, params, tokens),
    )


def climb(laws: Sequence[Law], flops: float, decades: int, settings: Settings) -> list[Rung]:
    """Return each law's plans at flops, 10 flops, ... 10**decades flops, with what the next x10 buys."""
    if not laws:
        raise InputError("no law is given to compare", "name one, or all")
    if not (isinstance(decades, int) and 0 <= decades <= MOST_DECADES):
        raise InputError(f"decades is {decades}", f"expected a whole number from 0 to {MOST_DECADES}")
    flops = check_knowns({"flops": flops})["flops"]
    rungs: list[Rung] = []
    errors: list[ScalingError] = []
    for law, mine in zip(laws, _settings_by_law(laws, settings), strict=True):
        planned = [
            _one(law, _planning(law, mine, flops * TEN**i), Plan(law.id, flops * TEN**i)) for i in range(decades + 2)
        ]
        errors.extend(error for _, error in planned[:1] if error)
        rungs.extend(_rung(a, b) for (a, _), (b, _) in pairwise(planned))
    if len(errors) == len(laws):
        raise errors[0]
    return rungs


def _planning(law: Law, settings: Settings, flops: float) -> Callable[[], Plan]:
    return lambda: plan_law(law, {"flops": flops}, settings)


def spreads(laws: Sequence[Law], plans: Iterable[Plan]) -> list[Spread]:
    """Return, for each budget and each group of like laws, the least, median and largest optimal params."""
    kinds = {law.id: (law.params_kind, law.domain) for law in laws}
    groups: dict[tuple[float, str, str], list[float]] = {}
    for plan in plans:
        if plan.flops is not None and plan.params is not None:
            groups.setdefault((plan.flops, *kinds[plan.law]), []).append(plan.params)
    return [
        Spread(flops, kind, domain, len(params), min(params), _median(params), max(params))
        for (flops, kind, domain), params in sorted(groups.items())
    ]


def _median(values: list[float]) -> float:
    # not statistics.median: its import costs more than a look-up
    ordered = sorted(values)
    return 0.5 * (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2])


def _rung(plan: Plan, bigger: Plan) -> Rung:
    def both(key: str) -> tuple[Any, Any] | None:
        a, b = getattr(plan, key), getattr(bigger, key)
        return None if a is None or b is None else (a, b)

    params, tokens, loss = both("params"), both("tokens"), both("loss")
    return Rung(
        plan,
        params[1] / params[0] if params else None,
        tokens[1] / tokens[0] if tokens else None,
        loss[0] - loss[1] if loss else None,
    )


def ask_each(
    laws: Sequence[Law], settings: Settings, question: Callable[[Law, Settings], Answer], empty: Callable[[Law], Answer]
) -> list[Answer]:
    """Return each law's answer; one that has none gets an empty answer with the reason in its notes.

    Raises: what the first law raised, when no law can answer.
    """
    asked = [
        _one(law, partial(question, law, mine), empty(law))
        for law, mine in zip(laws, _settings_by_law(laws, settings), strict=True)
    ]
    errors = [error for _, error in asked if error]
    if errors and len(errors) == len(asked):
        raise errors[0]
    return [answer for answer, _ in asked]


def _one(law: Law, question: Callable[[], Answer], empty: Answer) -> tuple[Answer, ScalingError | None]:
    try:
        return question(), None
    except (InputError, NoAnswer) as error:
        return empty._replace(notes=(error.message,), answered=False), error


def mark(law: Law, answer: Plan | Loss) -> tuple[str, ...]:
    """Say which relations behind an answer no published figure reproduces."""
    used = [*law.frontier.values(), *(["loss"] if answer.loss is not None else [])]
    names = unreproduced(law, dict.fromkeys(used))
    return (f"{law.id}: {', '.join(names)} transcribed, not reproduced by any published figure",) if names else ()


def _settings_by_law(laws: Sequence[Law], settings: Settings) -> list[dict[str, float]]:
    for name in settings:
        if not any(name in law.variables for law in laws):
            known = sorted({variable for law in laws for variable in law.variables})
            raise InputError(f"no chosen law has a variable {name}", f"their variables: {', '.join(known) or 'none'}")
    return [{name: value for name, value in settings.items() if name in law.variables} for law in laws]
