"""A plan under demands, complete: the run, what it takes on its machine and over its life, what each demand costs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scaling_cli.core.answers import UNCERTAIN, Plan
from scaling_cli.core.comparisons import ask_each, mark, plan_laws
from scaling_cli.core.constrained import KEPT, Constrained, Run
from scaling_cli.core.costs import BY_UTILISATION, is_bound_by_machine
from scaling_cli.core.costs import priced as priced
from scaling_cli.core.demand_notes import data_notes
from scaling_cli.core.demands import Demands
from scaling_cli.core.duals import Value, maximum, minimum
from scaling_cli.core.knowns import check_knowns
from scaling_cli.core.laws import Law
from scaling_cli.core.machines import MFU_RANGE
from scaling_cli.core.mixtures import check_countable
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import Settings
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.shadow_prices import prices
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError, NoAnswer

Known = Mapping[str, Value]


def plan_within(law: Law, known: Mapping[str, Value], settings: Settings, demands: Demands, decay: Decay) -> Plan:
    """Return the plan of a law that keeps every demand.

    Args:
        law: a law with a loss.
        known: at most two of flops, params, tokens and loss.
        settings: values of the law's variables.
        demands: limits, unique tokens, inference tokens, machine.
        decay: how repeats lose their worth, for laws that do not say.

    Raises: InputError where nothing bounds the compute or demands contradict each other; NoAnswer where no run keeps
        them all.
    """
    planner = planner_of_surface(law, settings, demands)
    values = check_knowns(known) if known else {}
    asked = Constrained(planner.surface, limited_surface(planner.surface, demands, decay))
    solve = lambda other: solved(planner, asked, values, other)  # noqa: E731
    bare = _finisher(planner, demands).finished(answered(planner, asked, values, demands))
    plan = priced(bare, demands, law.params_kind, flops_given=gives_flops(values))
    plan = plan._replace(
        notes=(*plan.notes, *data_notes(plan, values, demands, asked)),
        prices=tuple(prices(asked, values, demands, plan, solve)),
    )  # fmt: skip
    return check_followed(with_flops_range(plan, asked, values, demands), demands)


def gives_flops(values: Mapping[str, Value]) -> bool:
    """Whether the compute follows from what is known, rather than from what limits leave."""
    return "flops" in values or len(values) > 1


def planner_of_surface(law: Law, settings: Settings, demands: Demands) -> Planner:
    """Return the planner of a law for demands.

    Raises: NoAnswer where it has no loss surface, or can not count what a demand needs.
    """
    planner = Planner(law, settings)
    if not planner.surface.has_loss:
        problem = f"{law.id} has no loss surface, and limits, limited data and inference are answered on one"
        raise NoAnswer(problem, "leave them out, or name another law: `scaling laws` lists all")
    check_countable(law, demands)
    return planner


def answered(planner: Planner, asked: Constrained, values: Mapping[str, Value], demands: Demands) -> Plan:
    """Return the plan of the best run beside the optimum at its compute."""
    run = solved(planner, asked, values, demands)
    flops = asked.surface(demands).flops(*run)
    plan = Plan(planner.law.id, flops, *run, run.tokens / run.params, asked.loss(run, demands))
    if not is_array(flops) or planner.surface.power_split is not None:
        return planner.against_optimum(plan)
    return _beside_optimum(plan, asked)


def _beside_optimum(plan: Plan, asked: Constrained) -> Plan:
    """Return a plan of arrays compared with the minimum of the loss surface, as Planner.against_optimum does it."""
    free = Demands()
    best = asked.best(plan.flops, free)
    least = asked.loss(best, free)
    same = asked.cheapest(maximum(plan.loss, least), free, start=best.params)
    flops = minimum(asked.plain.flops(*same), plan.flops)
    return plan._replace(
        optimal_params=best.params, optimal_loss=minimum(least, plan.loss), flops_same_loss=flops,
        waste=1.0 - flops / plan.flops,
    )  # fmt: skip


def solved(planner: Planner, asked: Constrained, values: Mapping[str, Value], demands: Demands) -> Run:
    """Return the best run under demands; two knowns leave no choice, and are only checked."""
    if len(values) < 2:
        return asked.solve(values, demands)
    plan = _GivenPlanner(planner, asked.surface(demands)).answer(values)
    return asked.checked(Run(plan.params, plan.tokens), demands)


def _finisher(planner: Planner, demands: Demands) -> Planner:
    """Return the planner that says what else follows: one that knows of the unique tokens where its law does."""
    if demands.unique_tokens is None or "U" not in planner.law.variables:
        return planner
    return Planner(planner.law, {**planner.settings, "U": demands.unique_tokens})


class _GivenPlanner(Planner):
    """The planner of a run that two knowns determine, on another surface than the law's own."""

    def __init__(self, planner: Planner, surface: Surface) -> None:
        super().__init__(planner.law, planner.settings)
        self.surface = surface

    def off_optimum(self, flops: Value, params: Value, tokens: Value) -> Plan:
        """Return the run alone: what it costs is worked out later."""
        return Plan(self.law.id, flops, params, tokens)


def check_followed(plan: Plan, demands: Demands) -> Plan:
    """Return a plan if it keeps the limits on numbers that follow from it.

    Raises: NoAnswer naming the first that it breaks.
    """
    for limit in demands.limits:
        if limit.kind == "checked":
            value = getattr(plan, limit.name)
            if value is None:
                raise NoAnswer(f"{plan.law}: {limit.text} can not be checked: nothing is known of {limit.name}")
            if value > limit.value * (1.0 + KEPT) if limit.is_max else value < limit.value * (1.0 - KEPT):
                problem = f"{plan.law}: the best plan has {limit.name} {value:.6g}, which breaks {limit.text}"
                raise NoAnswer(problem, "this limit is only checked: change it, or what the plan starts from")
    return plan


def plan_laws_within(
    laws: Sequence[Law], known: Mapping[str, float], settings: Settings, demands: Demands, decay: Decay
) -> list[Plan]:
    """Return each law's plan under demands; a law that cannot answer says why in its notes.

    Raises: what the first law raised, when no law can answer.
    """
    if not demands.is_constrained:
        kinds = {law.id: law.params_kind for law in laws}
        return [priced(plan, demands, kinds[plan.law]) for plan in plan_laws(laws, known, settings)]

    def answer(law: Law, mine: Settings) -> Plan:
        ask = lambda draw, values: _run_alone(draw, values, mine, demands, decay)  # noqa: E731
        plan = _with_interval(plan_within(law, known, mine, demands, decay), law, known, ask)
        return plan._replace(notes=(*plan.notes, *mark(law, plan)))

    shown: Any = check_knowns(known) if known else {}
    return ask_each(laws, settings, answer, lambda law: Plan(law.id, **shown))


def _with_interval(plan: Plan, law: Law, known: Mapping[str, Value], ask: Callable[[Law, Known], Plan]) -> Plan:
    """Return a plan with its interval where the law carries draws: each is asked for its own best run."""
    if not law.draws:
        return plan
    from scaling_cli.core.intervals import interval, without_interval  # most laws carry no draws

    names = [name for name in UNCERTAIN if getattr(plan, name) is not None]
    low, high, notes = interval(law, ask, check_knowns(known) if known else {}, names)
    assumed = (f"{law.id}: {BY_UTILISATION}",) if "flops" in plan.ranged else ()
    notes = (*plan.notes, *without_interval(plan, law), *notes, *assumed)
    return plan._replace(low={**low, **plan.low}, high={**high, **plan.high}, notes=notes)


def _run_alone(law: Law, values: Known, settings: Settings, demands: Demands, decay: Decay) -> Plan:
    planner = planner_of_surface(law, settings, demands)
    asked = Constrained(planner.surface, limited_surface(planner.surface, demands, decay))
    run = solved(planner, asked, values, demands)
    return Plan(
        law.id, asked.surface(demands).flops(*run), *run, run.tokens / run.params, asked.loss(run, demands)
    )  # fmt: skip


def limited_surface(plain: Surface, demands: Demands, decay: Decay) -> Surface:
    """Return the surface with the demanded unique tokens: the law's own where it has them, else Muennighoff's way."""
    unique = demands.unique_tokens
    if unique is None:
        return plain
    if "U" in plain.law.variables:
        if "U" in plain.settings:
            raise InputError("--unique-tokens and --set U are both given", "give one of them")
        return Surface(plain.law, {**plain.settings, "U": unique})
    return RepeatedSurface(plain.law, plain.settings, unique_tokens=unique, decay=decay)


def with_flops_range(plan: Plan, asked: Constrained, known: Mapping[str, Value], demands: Demands) -> Plan:
    """Return a plan with its compute at the ends of the usual utilisation, where machine limits bound it."""
    machine = demands.machine
    if machine is None or machine.mfu_given or known or not is_bound_by_machine(demands):
        return plan
    ends = []
    for mfu in MFU_RANGE:
        at = demands._replace(machine=machine.at(mfu))
        try:
            ends.append(asked.surface(at).flops(*asked.solve(known, at)))
        except (InputError, NoAnswer):
            return plan
    low, high = ({**side, "flops": end} for side, end in zip((plan.low, plan.high), ends, strict=True))
    return plan._replace(low=low, high=high, ranged=(*plan.ranged, "flops"))
