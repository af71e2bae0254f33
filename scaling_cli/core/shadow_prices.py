"""What each demand of a plan costs: the loss without it, and the compute that would buy that loss back."""

import math
from collections.abc import Callable, Iterator, Mapping

from scaling_cli.core.answers import Plan, Price
from scaling_cli.core.constrained import SAME, Constrained, Run
from scaling_cli.core.demands import Demands
from scaling_cli.core.duals import Value, minimum
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.regions import Region
from scaling_cli.errors import InputError, NoAnswer

OVER_COMPUTE = ("compute", "lifetime", "dollars")
Solve = Callable[[Demands], Run]


def prices(
    asked: Constrained, known: Mapping[str, Value], demands: Demands, plan: Plan, solve: Solve
) -> Iterator[Price]:
    """Yield the price of each demand.

    Args:
        asked: the law's surface.
        known: of flops, params, tokens and loss.
        demands: all of them.
        plan: the plan that keeps them all.
        solve: returns the best run under other demands.
    """
    mine = float(plan.loss or 0.0)
    for text, fewer in each_dropped(demands):
        region = Region(asked.surface(fewer), fewer)
        if not known and not region.bounds_compute:
            floor = _loss_of_infinite_compute(region)
            yield Price(text, floor, max(mine - floor, 0.0))
            continue
        try:
            run = solve(fewer)
        except (InputError, NoAnswer):
            yield Price(text)
            continue
        loss = asked.loss(run, fewer)
        back = _flops_back(asked, demands, loss, plan)
        yield Price(text, loss, max(mine - loss, 0.0), region.surface.flops(*run), back)


def each_dropped(demands: Demands) -> Iterator[tuple[str, Demands]]:
    """Yield the demands with each of them dropped, and what was."""
    for limit in demands.sought_limits:
        yield limit.text, demands.without(limit)
    if demands.unique_tokens is not None:
        limits = tuple(limit for limit in demands.limits if limit.name != "epochs")
        text = f"--unique-tokens {format_quantity(demands.unique_tokens, 'tokens')}"
        yield text, demands._replace(unique_tokens=None, limits=limits)
    if demands.inference_tokens is not None:
        text = f"--inference-tokens {format_quantity(demands.inference_tokens, 'tokens')}"
        yield text, demands.training_only


def _loss_of_infinite_compute(region: Region) -> float:
    """Return the least loss where nothing bounds the compute, which limits on params or tokens may raise."""
    most = minimum(region.params_range[1], region.most_params)
    tokens = minimum(math.inf, *(bound.value for bound in region.ceilings if bound.kind == "tokens"))
    return float(region.surface.loss_of(most, tokens))


def _flops_back(asked: Constrained, demands: Demands, loss: float, plan: Plan) -> float | None:
    """Return the training FLOPs that reach a loss with every demand but those on compute; None where none do."""
    if plan.loss is not None and plan.loss <= loss * (1.0 + SAME):
        return plan.flops
    free = tuple(limit for limit in demands.limits if limit.kind not in (*OVER_COMPUTE, "loss"))
    try:
        run = asked.cheapest(loss, demands._replace(limits=free), training_only=True, start=plan.params)
    except (InputError, NoAnswer):
        return None
    return float(asked.limited.flops(*run))
