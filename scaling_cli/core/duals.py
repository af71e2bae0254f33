"""Numbers that carry a derivative, and the functions a formula may call, for floats, arrays and duals alike.

Forward differentiation: a formula evaluated at `Dual(x, 1.0)` gives its value and its exact slope.
Arrays are whatever library made them: their functions are found through their own module, never imported here.
"""

import math
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

Value = Any  # float, an array, or a Dual of either


class Dual:
    """A value and its slope along one direction (or several: an array that broadcasts against the value)."""

    __slots__ = ("slope", "value")
    __array_ufunc__ = None  # lets `array + dual` reach Dual.__radd__

    def __init__(self, value: Value, slope: Value) -> None:
        self.value = value
        self.slope = slope

    def __add__(self, other: Value) -> "Dual":
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    __radd__ = __add__

    def __neg__(self) -> "Dual":
        return Dual(-self.value, -self.slope)

    def __sub__(self, other: Value) -> "Dual":
        if isinstance(other, Dual):
            return Dual(self.value - other.value, self.slope - other.slope)
        return Dual(self.value - other, self.slope)

    def __rsub__(self, other: Value) -> "Dual":
        return Dual(other - self.value, -self.slope)

    def __mul__(self, other: Value) -> "Dual":
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return Dual(self.value * other, self.slope * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Value) -> "Dual":
        if isinstance(other, Dual):
            quotient = self.value / other.value
            return Dual(quotient, (self.slope - quotient * other.slope) / other.value)
        return Dual(self.value / other, self.slope / other)

    def __rtruediv__(self, other: Value) -> "Dual":
        quotient = other / self.value
        return Dual(quotient, -quotient / self.value * self.slope)


def library_of(array: Value) -> Any:
    """Return the library that made an array (numpy, in practice), which its caller has already imported."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def power(base: Value, exponent: Value) -> Value:
    """Return base**exponent; a float result that is not real raises ValueError."""
    if isinstance(base, Dual):
        if isinstance(exponent, Dual):
            return exp(exponent * log(base))
        x = base.value
        if isinstance(x, float) and x > 0.0 and isinstance(exponent, float):  # as below, and most are such
            return Dual(math.pow(x, exponent), exponent * math.pow(x, exponent - 1.0) * base.slope)
        result = power(x, exponent)
        if isinstance(exponent, float) and 0.0 < exponent < 1.0:  # infinite at zero: 0 * inf must stay 0
            return Dual(result, _product(lambda: exponent * power(base.value, exponent - 1.0), base.slope))
        return Dual(result, exponent * power(base.value, exponent - 1.0) * base.slope)
    if isinstance(exponent, Dual):
        result = power(base, exponent.value)
        return Dual(result, result * log(base) * exponent.slope)
    if isinstance(base, float) and isinstance(exponent, float):
        if base == 0.0 and exponent < 0.0:
            raise ZeroDivisionError
        return math.pow(base, exponent)
    return base**exponent


def _lifted(
    name: str, on_float: Callable[[float], float], slope: Callable[[Value, Value], Value]
) -> Callable[[Value], Value]:
    """Return a function of floats, arrays and duals; `slope(x, f(x))` is its derivative."""

    def function(x: Value) -> Value:
        if isinstance(x, float):
            return on_float(x)
        if isinstance(x, Dual):
            result = function(x.value)
            return Dual(result, slope(x.value, result) * x.slope)
        return getattr(library_of(x), name)(x)

    return function


LN10 = math.log(10.0)
exp = _lifted("exp", math.exp, lambda x, f: f)
log = _lifted("log", math.log, lambda x, f: 1.0 / x)
log10 = _lifted("log10", math.log10, lambda x, f: 1.0 / (x * LN10))
sin: Callable[[Value], Value] = _lifted("sin", math.sin, lambda x, f: cos(x))
cos: Callable[[Value], Value] = _lifted("cos", math.cos, lambda x, f: -sin(x))
atan = _lifted("arctan", math.atan, lambda x, f: 1.0 / (1.0 + x * x))


def sqrt(x: Value) -> Value:
    """Return the square root."""
    if isinstance(x, Dual):
        root = sqrt(x.value)
        return Dual(root, _product(lambda: 0.5 / root, x.slope))
    return math.sqrt(x) if isinstance(x, float) else library_of(x).sqrt(x)


def softplus(x: Value) -> Value:
    """Return log(1 + exp(x)), where exp(x) may overflow."""
    if isinstance(x, float):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
    if isinstance(x, Dual):
        result = softplus(x.value)
        return Dual(result, exp(x.value - result) * x.slope)
    library = library_of(x)
    return library.maximum(x, 0.0) + library.log(1.0 + library.exp(-abs(x)))  # logaddexp takes five times as long


def power_above_one(base: Value, exponent: Value, outer: Value) -> Value:
    """Return (1 + base**exponent)**outer, which a smooth break is, where base**exponent may overflow."""
    x = value_of(base)
    if not (x > 0.0 if isinstance(x, float) else (x > 0.0).all()):
        return power(1.0 + power(base, exponent), outer)
    return exp(outer * softplus(exponent * log(base)))


def _product(derivative: Callable[[], Value], slope: Value) -> Value:
    """Return derivative() * slope where the derivative may be infinite and the slope zero."""
    if isinstance(slope, float):
        if slope == 0.0:
            return 0.0
        try:
            return derivative() * slope
        except ZeroDivisionError:
            return math.copysign(math.inf, slope)
    return library_of(slope).where(slope == 0.0, 0.0, derivative() * slope)


def value_of(x: Value) -> Value:
    """Return the value of a dual, or the number itself."""
    return x.value if isinstance(x, Dual) else x


def slope_of(x: Value) -> Value:
    """Return the slope of a dual; zero for what carries none."""
    return x.slope if isinstance(x, Dual) else 0.0


def only_where(condition: Value, value: Value) -> Value:
    """Return the value where the condition holds, NaN elsewhere; for floats and arrays."""
    if isinstance(condition, bool):
        return value if condition else math.nan
    return library_of(condition).where(condition, value, math.nan)


def _smaller(a: Value, b: Value) -> Value:
    if isinstance(a, float) and isinstance(b, float):
        return a if a <= b or math.isnan(a) else b
    if not isinstance(a, Dual) and not isinstance(b, Dual):
        return library_of(b if isinstance(a, float) else a).minimum(a, b)
    u, v = value_of(a), value_of(b)
    return _either(a, b, (u <= v) | (u != u))  # NaN wins, as everywhere


def _larger(a: Value, b: Value) -> Value:
    if isinstance(a, float) and isinstance(b, float):
        return a if a >= b or math.isnan(a) else b
    if not isinstance(a, Dual) and not isinstance(b, Dual):
        return library_of(b if isinstance(a, float) else a).maximum(a, b)
    u, v = value_of(a), value_of(b)
    return _either(a, b, (u >= v) | (u != u))


def _either(a: Value, b: Value, first: Value) -> Dual:
    if isinstance(first, bool):
        chosen = a if first else b
        return chosen if isinstance(chosen, Dual) else Dual(chosen, 0.0)
    where = library_of(first).where
    return Dual(where(first, value_of(a), value_of(b)), where(first, slope_of(a), slope_of(b)))


def minimum(*values: Value) -> Value:
    """Return the smallest value, with the slope of the branch that is taken."""
    return reduce(_smaller, values)


def maximum(*values: Value) -> Value:
    """Return the largest value, with the slope of the branch that is taken."""
    return reduce(_larger, values)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "exp": exp, "log": log, "log10": log10, "sqrt": sqrt, "min": minimum, "max": maximum,
    "sin": sin, "cos": cos, "atan": atan,
}  # fmt: skip
