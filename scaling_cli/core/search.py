"""Roots and minima of one variable, by brackets on exact derivatives. Knows nothing of laws."""

import math
from collections.abc import Callable

from scaling_cli.core.duals import Dual, Value, slope_of, value_of

HALF_ULP = 2.0**-53
TOLERANCE = 1e-14
SMALLEST = 1e-300
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
SCAN_POINTS = 24
EDGE_HALVINGS = 50
FIRST_STEP, FARTHEST_STEP = 0.125, 8.0


def find_root(function: Callable[[float], float], low: float, high: float, *, tolerance: float = TOLERANCE) -> float:
    """Return the point of [low, high] where function changes sign, by Chandrupatla's method.

    The signs at the two ends must differ. Stops on the width of the bracket, relative where beyond one.
    Source: Chandrupatla 1997, Advances in Engineering Software 28, 145.
    """
    a, b = high, low
    fa, fb = function(a), function(b)
    c, fc = a, fa
    t = 0.5
    for _ in range(200):
        x = a + t * (b - a)
        fx = function(x)
        if (fx > 0.0) == (fa > 0.0):
            c, fc = a, fa
        else:
            c, b, fc, fb = b, a, fb, fa
        a, fa = x, fx
        best, width = (a if abs(fa) < abs(fb) else b), abs(b - a)
        smallest = tolerance * max(1.0, abs(best))
        if width <= smallest or fa == 0.0:
            return best
        t = min(max(_inverse_quadratic(a, b, c, fa, fb, fc), smallest / (2.0 * width)), 1.0 - smallest / (2.0 * width))
    return best


def _inverse_quadratic(a: float, b: float, c: float, fa: float, fb: float, fc: float) -> float:
    if fb == fc or fa in (fb, fc) or not math.isfinite(fa + fb + fc):
        return 0.5
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    if not phi * phi < xi or not (1.0 - phi) ** 2 < 1.0 - xi:
        return 0.5
    return fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)


def find_bracket(
    function: Callable[[float], float], start: float, *, lowest: float, highest: float
) -> tuple[float, float] | None:
    """Return two points around a sign change of a monotone function, stepping out from start; None if there is none.

    The function is NaN where it does not exist; both points lie where it does.
    """
    step = 1.0
    left = right = min(max(start, lowest), highest)
    at_left = at_right = function(left)
    while left > lowest or right < highest:
        before, left = left, max(lowest, left - step)
        was, at_left = at_left, function(left)
        if math.isnan(at_left) and not math.isnan(was):
            left, at_left = _edge(function, (before, was), left)
            lowest = left  # there is nothing beyond
        if _crosses(was, at_left):
            return left, before
        before, right = right, min(highest, right + step)
        was, at_right = at_right, function(right)
        if math.isnan(at_right) and not math.isnan(was):
            right, at_right = _edge(function, (before, was), right)
            highest = right
        if _crosses(was, at_right):
            return before, right
        step *= 2.0
    return None


def _edge(function: Callable[[float], float], inside: tuple[float, float], outside: float) -> tuple[float, float]:
    """Return the last (x, function(x)) from inside towards outside, where the function does not exist."""
    (good, value), bad = inside, outside
    for _ in range(EDGE_HALVINGS):
        middle = 0.5 * (good + bad)
        there = function(middle)
        if math.isnan(there):
            bad = middle
        else:
            good, value = middle, there
    return good, value


def _crosses(a: float, b: float) -> bool:
    return not math.isnan(a) and not math.isnan(b) and (a > 0.0) != (b > 0.0)


def find_minimum(function: Callable[[Value], Value], low: float, high: float) -> float | None:
    """Return the least x in [low, high] beyond which function gains nothing; None if the minimum is at an end.

    The answer is the smallest root of f'(x) + f(x)/2**53: the point after which another e-fold would gain less than
    half a unit in the last place. For an ordinary minimum that is the minimum; on a plateau, its left edge.
    """
    step = (high - low) / SCAN_POINTS
    points = [low + step * i for i in range(SCAN_POINTS + 1)]
    values = [_or_infinity(function, x) for x in points]
    i = values.index(min(values))
    rising = _rising(function)
    if values[i] == math.inf:
        return None
    while i > 0 and rising(points[i]) >= 0.0 and values[i - 1] < math.inf:
        i -= 1
    if i == SCAN_POINTS:
        return None
    if rising(points[i]) < 0.0 <= rising(points[i + 1]):
        return find_root(rising, points[i], points[i + 1])
    if i == 0:
        return None
    return _golden_section(function, points[i - 1], points[i + 1])


def find_minimum_near(function: Callable[[Value], Value], start: float, *, tolerance: float) -> float | None:
    """Return the minimum next to start, downhill within a few e-folds, by the rule of `find_minimum`; else None."""
    rising = _rising(function)
    step, near = FIRST_STEP, start
    down = -1.0 if rising(start) >= 0.0 else 1.0
    while step < FARTHEST_STEP:
        far = near + down * step
        if (rising(far) >= 0.0) == (down > 0.0):
            return find_root(rising, min(near, far), max(near, far), tolerance=tolerance)
        near, step = far, 2.0 * step
    return None


def _rising(function: Callable[[Value], Value]) -> Callable[[float], float]:
    """Return what is above zero from where another e-fold gains nothing: the slope, a little raised."""

    def rising(x: float) -> float:
        try:
            result = function(Dual(x, 1.0))
        except (ArithmeticError, ValueError):
            return 1.0  # outside the function's domain
        slope = float(slope_of(result) + HALF_ULP * abs(value_of(result)))
        return 1.0 if math.isnan(slope) else slope or SMALLEST  # level counts as rising

    return rising


def _or_infinity(function: Callable[[Value], Value], x: float) -> float:
    try:
        value = float(function(x))
    except (ArithmeticError, ValueError):
        return math.inf
    return math.inf if math.isnan(value) else value


def _golden_section(function: Callable[[Value], Value], low: float, high: float) -> float:
    a, b = low, high
    c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    fc, fd = _or_infinity(function, c), _or_infinity(function, d)
    while b - a > 1e-9:
        if fc <= fd:
            b, d, fd = d, c, fc
            c = b - GOLDEN * (b - a)
            fc = _or_infinity(function, c)
        else:
            a, c, fc = c, d, fd
            d = a + GOLDEN * (b - a)
            fd = _or_infinity(function, d)
    return 0.5 * (a + b)
