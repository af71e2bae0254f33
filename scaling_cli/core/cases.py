"""One run of a budget, planned: its numbers by quantity, and what it came from, for questions of what if."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_cli.core.answers import Plan
from scaling_cli.core.costs import ACTIVE
from scaling_cli.core.demands import Demands
from scaling_cli.core.machines import BYTES, COSTS
from scaling_cli.core.notes import experimented, point
from scaling_cli.core.plans import Planner
from scaling_cli.core.sheets import Spec
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer

SERVED_IN = "bf16"  # what the weights take where no precision of serving is given
Numbers = Mapping[str, float | None]


class Basis(NamedTuple):
    """What a plan came from.

    Fields:
        planner: its law.
        surface: the loss surface of its data.
        demands: its machine, data and life.
        spec: the run as it was given.
        again: plans a run in the same way.
        compared: the laws whose disagreement counts.
        stored: all the params that a config says, a count; None where there is none.
    """

    planner: Planner
    surface: Surface
    demands: Demands
    spec: Spec
    again: "Callable[[Spec], Case]"
    compared: tuple[Planner, ...] = ()
    stored: float | None = None

    @property
    def weighed(self) -> str:
        """What the params that memory counts are: total where a config says them, else what the law counts."""
        return self.planner.law.params_kind if self.stored is None else "total"


class Case(NamedTuple):
    """One run with its numbers by the names of QUANTITIES.

    Fields:
        name: of the run.
        numbers: None where the run or its law does not say.
        line: where the run stands in its file; 0 where there is none.
        notes: what to read the numbers with.
        basis: None where the numbers were read from a saved answer.
    """

    name: str
    numbers: Numbers
    line: int = 0
    notes: tuple[str, ...] = ()
    basis: Basis | None = None


def numbers_of(plan: Plan, basis: Basis) -> dict[str, float | None]:
    """Return the numbers of a priced plan by the names of QUANTITIES."""
    loss, least, waste = _trade_off(plan, basis)
    found = {name: getattr(plan, name) for name in ("flops", *COSTS, "loss", "params", "tokens", "tokens_per_param")}
    return {
        **found,
        "excess_loss": None if loss is None or least is None else loss - least,
        "waste": waste,
        "epochs": _epochs(plan, basis),
        "memory_bytes": _memory(plan, basis),
        "lifetime_flops": plan.lifetime_flops,
        "lifetime_dollars": plan.lifetime_dollars,
        "extrapolation": extrapolation(plan, basis.planner),
        "disagreement": None if plan.flops is None else disagreement(basis.compared, plan.flops),
    }


def _trade_off(plan: Plan, basis: Basis) -> tuple[float | None, float | None, float | None]:
    """Return the loss, the least at the same compute, and the share of compute wasted, all on the loss surface."""
    planner = basis.planner
    if plan.optimal_loss is not None:
        return plan.loss, plan.optimal_loss, plan.waste
    if plan.params is None or plan.tokens is None or not planner.surface.has_loss:
        return None, None, None
    at = planner.against_optimum(plan._replace(loss=basis.surface.loss_of(plan.params, plan.tokens)))
    return at.loss, at.optimal_loss, at.waste


def _memory(plan: Plan, basis: Basis) -> float | None:
    """Return the bytes of the weights: of all that a config says, else of N; None where N leaves out experts."""
    params = basis.stored or (None if basis.weighed == ACTIVE else plan.params)
    return None if params is None else params * BYTES[basis.demands.serving.precision or SERVED_IN]


def _epochs(plan: Plan, basis: Basis) -> float | None:
    unique = _unique_tokens(basis)
    if plan.tokens is None or (unique is not None and unique <= 0.0):
        return None
    return 1.0 if unique is None else float(plan.tokens / unique)


def _unique_tokens(basis: Basis) -> float | None:
    """Return U as demands or the law's own settings say it; None where it is D."""
    own = basis.planner.law.variables.get("U")
    if own is None or basis.demands.unique_tokens is not None:
        return basis.demands.unique_tokens
    said = basis.planner.settings.get("U", own.default)
    return float(said) if isinstance(said, float | int) else None


def extrapolation(plan: Plan, planner: Planner) -> float | None:
    """Return the largest factor by which a run lies beyond the experimented range; 1 inside, None without a range."""
    ranges = experimented(planner.law, planner.relations_used())
    where = point(plan.flops, plan.params, plan.tokens, None)
    beyond = [1.0]
    known = False
    for letter, value in where.items():
        low, high = ranges.get(letter, (0.0, math.inf))
        known = known or letter in ranges
        beyond += [value / high if high > 0.0 else math.inf, low / value]
    return max(beyond) if known else None


def disagreement(planners: tuple[Planner, ...], flops: float) -> float | None:
    """Return the largest over the least optimal params of laws at a compute; None for fewer than two.

    Raises: NoAnswer where one of them has no optimum.
    """
    if len(planners) < 2:
        return None
    sizes = [float(planner.frontier.split(flops)[0]) for planner in planners]
    return max(sizes) / min(sizes)


def optimum_of(case: Case, quantity: str) -> float | None:
    """Return params, tokens, tokens_per_param or loss of the law's optimum at a run's compute; None without one."""
    flops = case.numbers["flops"]
    if case.basis is None or flops is None:
        return None
    planner = case.basis.planner
    try:
        if quantity == "loss":
            best = planner.surface.optimal_params(flops) if planner.surface.has_loss else None
            return (
                None if best is None else float(planner.surface.loss_of(best, planner.surface.tokens_for(flops, best)))
            )
        params, tokens = planner.frontier.split(flops)
    except NoAnswer:
        return None
    return float({"params": params, "tokens": tokens, "tokens_per_param": tokens / params}[quantity])
