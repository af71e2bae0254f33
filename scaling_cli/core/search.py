"""Roots and minima of one variable, by brackets on exact derivatives. Knows nothing of laws."""

import math
from collections.abc import Callable
from functools import cache

from scaling_cli.core.duals import Dual, Value, slope_of, value_of

HALF_ULP = 2.0**-53
TOLERANCE = 1e-14
SMALLEST = 1e-300
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
SCAN_POINTS = 24
EDGE_HALVINGS = 50
FIRST_STEP, FARTHEST_STEP = 0.125, 8.0
LEVEL = 1e-15  # relative: between values that rounding alone may set apart

Curve = Callable[[float], float]
Place = tuple[float, float]  # x and the function's value there


def find_root(function: Curve, low: float, high: float, *, tolerance: float = TOLERANCE) -> float:
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


def find_bracket(function: Curve, start: float, *, lowest: float, highest: float) -> tuple[float, float] | None:
    """Return two points around a sign change of a monotone function, stepping out from start; None if there is none.

    The function is NaN where it does not exist; both points lie where it does.
    """
    step, ends = 1.0, [lowest, highest]
    at = min(max(start, lowest), highest)
    reached = [(at, function(at))] * 2
    while reached[0][0] > ends[0] or reached[1][0] < ends[1]:
        for side, outwards in enumerate((-step, step)):
            x = min(max(reached[side][0] + outwards, ends[0]), ends[1])
            near, far = _existing(function, reached[side], (x, function(x)))
            if _crosses(near[1], far[1]):
                return min(near[0], far[0]), max(near[0], far[0])
            if far[0] != x:
                ends[side] = far[0]  # there is nothing beyond
            if near[0] != reached[side][0]:
                ends[1 - side] = reached[1 - side][0]  # it begins here: nor is there on the other side
            reached[side] = far
        step *= 2.0
    return None


def _existing(function: Curve, near: Place, far: Place) -> tuple[Place, Place]:
    """Return two places; where the function exists at one alone, the other moves to where it ends."""
    if math.isnan(near[1]) == math.isnan(far[1]):
        return near, far
    return (near, _edge(function, near, far[0])) if math.isnan(far[1]) else (_edge(function, far, near[0]), far)


def _edge(function: Curve, inside: Place, outside: float) -> Place:
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
    scan = _Scan(function, low, high)
    best = scan.values.index(min(scan.values))
    found = scan.minimum_by(best)
    if found is None:
        return None
    beside_ends = [scan.minimum_by(i) for i in scan.falling_to_ends() if i != best]
    return min([found, *(x for x in beside_ends if x is not None)], key=lambda x: _or_infinity(function, x))


class _Scan:
    """A function at evenly spaced points; infinite where it has no value."""

    def __init__(self, function: Callable[[Value], Value], low: float, high: float) -> None:
        step = (high - low) / SCAN_POINTS
        self.function = function
        self.points = [low + step * i for i in range(SCAN_POINTS + 1)]
        self.values = [_or_infinity(function, x) for x in self.points]
        self.rising = cache(_rising(function))

    def minimum_by(self, i: int) -> float | None:
        """Return the minimum downhill from a point that is lower than those beside it; None where that is an end."""
        points, values, rising = self.points, self.values, self.rising
        if values[i] == math.inf:
            return None
        level = values[i] + LEVEL * abs(values[i])
        while i > 0 and rising(points[i]) >= 0.0 and (rising(points[i - 1]) < 0.0 or values[i - 1] <= level):
            i -= 1
        falls = rising(points[i]) < 0.0
        if i == (SCAN_POINTS if falls else 0):
            return None
        if falls and rising(points[i + 1]) >= 0.0:
            return find_root(rising, points[i], points[i + 1])
        near = find_minimum_near(self.function, points[i], tolerance=TOLERANCE)
        if near is not None:
            return near
        return _golden_section(self.function, points[max(i - 1, 0)], points[min(i + 1, SCAN_POINTS)])

    def falling_to_ends(self) -> list[int]:
        """Return the points next to where the function ends within the scan, if it falls towards there."""
        finite = [i for i, value in enumerate(self.values) if value < math.inf]
        first, last = finite[0], finite[-1]
        found = [first] if first > 0 and self.rising(self.points[first]) >= 0.0 else []
        return [*found, last] if last < SCAN_POINTS and self.rising(self.points[last]) < 0.0 else found


def find_minimum_near(function: Callable[[Value], Value], start: float, *, tolerance: float) -> float | None:
    """Return the minimum next to start, downhill within a few e-folds, by the rule of `find_minimum`; else None."""
    rising = cache(_rising(function))
    step, near = FIRST_STEP, start
    down = -1.0 if rising(start) >= 0.0 else 1.0
    while step < FARTHEST_STEP:
        far = near + down * step
        if (rising(far) >= 0.0) == (down > 0.0):
            return find_root(rising, min(near, far), max(near, far), tolerance=tolerance)
        near, step = far, 2.0 * step
    return None


def _rising(function: Callable[[Value], Value]) -> Curve:
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
