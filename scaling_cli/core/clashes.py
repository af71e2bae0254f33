"""What to say where limits exclude each other: which ones, as the user wrote them."""

import math
from collections.abc import Callable
from typing import NoReturn

from scaling_cli.core.allowed import least
from scaling_cli.core.demands import Demands
from scaling_cli.core.duals import Value
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.regions import Region
from scaling_cli.errors import InputError, NoAnswer

KEPT = 1e-9  # relative: by so much a given compute may miss a limit through rounding
NEARLY = 1e-6  # of a limit: how near it counts as met
PLACES = 64  # where to look for the run that is least amiss


def check_spent(flops: Value | None, demands: Demands) -> None:
    """Raise InputError where a given compute takes more or less than a limit on it allows, naming both."""
    if not isinstance(flops, float):
        return
    for limit in demands.limits:
        if limit.kind == "compute" and isinstance(limit.value, float):
            takes = flops * demands.factor(limit.name)
            if takes > limit.value * (1.0 + KEPT) if limit.is_max else takes < limit.value * (1.0 - KEPT):
                amount = f"{format_quantity(takes, 'figure')} {limit.name}"
                raise InputError(
                    f"{format_quantity(flops, 'flops')} FLOPs take {amount}, and {limit.text} does not allow that",
                    f"leave out --flops to spend up to {limit.text}, or change one of the two",
                )


def refuse_broken(region: Region, run: tuple[float, float]) -> NoReturn:
    """Raise NoAnswer for a given run, naming the limits that it breaks."""
    params, tokens = (format_quantity(size, "params") for size in run)
    broken = " and ".join(region.broken(*run, by=-KEPT))
    raise NoAnswer(f"a run of {params} params on {tokens} tokens breaks {broken}", "change the run or the limit")


def refuse_empty(
    region: Region, run: Callable[[Value], tuple[Value, Value]], ends: tuple[float, float], goal: str = ""
) -> NoReturn:
    """Raise NoAnswer naming the limits that exclude each other: those broken or met by the run that is least amiss.

    Args:
        region: of the limits.
        run: the params and tokens to try, by the logarithm of params.
        ends: between which logarithms.
        goal: what is asked beside the limits.
    """
    met = _least_amiss(region, run, ends)
    asked = [goal] if goal else []
    asked += [] if region.flops is None else [f"flops={format_quantity(region.flops, 'flops')}"]
    clash = " and ".join(dict.fromkeys((*asked, *met))) or "these limits"
    raise NoAnswer(f"{region.surface.law.id}: no run keeps {clash}", "drop or move one of them")


def _least_amiss(region: Region, run: Callable[[Value], tuple[Value, Value]], ends: tuple[float, float]) -> list[str]:
    low, high = ends
    if not low <= high:
        return [bound.limit.text for bound in region.bounds if bound.kind in ("params", "tokens", "ratio")]
    places = [low + (high - low) * i / PLACES for i in range(PLACES + 1)]
    best = max(places, key=lambda x: _slack(region, run, x))
    top = least(lambda x: -region.slack(*run(x)), low, high, best)
    params, tokens = run(max(best, top, key=lambda x: _slack(region, run, x)))
    return region.broken(params, tokens, by=NEARLY)


def _slack(region: Region, run: Callable[[Value], tuple[Value, Value]], x: float) -> float:
    try:
        slack = float(region.slack(*run(x)))
    except (NoAnswer, ArithmeticError, ValueError):
        return -math.inf
    return -math.inf if math.isnan(slack) else slack
