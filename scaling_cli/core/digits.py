"""How far the printed digits of a law's constants let its optimum move."""

from collections.abc import Iterator
from typing import NamedTuple

from scaling_cli.core.laws import Law
from scaling_cli.core.plans import Planner
from scaling_cli.errors import ScalingError

REFERENCE = 1e22  # FLOPs at which the optimum is compared, unless the law was tried on less or more


class DigitEffect(NamedTuple):
    """The optimal params when one constant lies half a unit of its last digit lower and higher."""

    constant: str
    value: str
    flops: float
    low: float
    high: float
    change: float


def half_unit(text: str) -> float:
    """Return half a unit in the last printed digit of a number.

    >>> half_unit("406.4"), half_unit("8.8e13"), half_unit("20")
    (0.05, 500000000000.0, 0.5)
    """
    mantissa, _, exponent = text.lower().lstrip("+-").partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def reference_flops(law: Law) -> float:
    """Return a budget at which to show a law: 1e22, or the nearest end of the range of C that it was tried on."""
    ranges = [relation.valid["C"] for relation in law.relations.values() if "C" in relation.valid]
    if not ranges:
        return REFERENCE
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    return min(max(REFERENCE, low), high)


def digit_effects(law: Law) -> Iterator[DigitEffect]:
    """Yield, for each constant that moves the optimal split, how far its last printed digit moves it."""
    flops = reference_flops(law)
    for relation, name, value in law.constants():
        digits = law.digits if relation is None else law.relations[relation].digits
        if value is None or name not in digits:
            continue
        unit = half_unit(digits[name])
        try:
            middle, low, high = (
                Planner(law.with_constant(relation, name, value + step)).frontier.split(flops)[0]
                for step in (0.0, -unit, unit)
            )
        except (ScalingError, ArithmeticError, ValueError):
            continue
        if low != high:
            yield DigitEffect(name, digits[name], flops, low, high, abs(high - low) / middle)
