"""The least of a convex function of one variable where a concave one is not negative; floats and arrays alike.

Written once for both: an array is solved in step, element by element, by the same moves as a float. Kinks are met by
the tangents at the two ends of a bracket, which cross in them.
"""

import math
from collections.abc import Callable

from scaling_cli.core.duals import Dual, Value, library_of, maximum, minimum, slope_of, value_of
from scaling_cli.core.search import HALF_ULP, SMALLEST
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import NoAnswer

Function = Callable[[Value], Value]
Point = tuple[Value, Value, Value]  # x, and there the height of a function and what is sought a zero of
At = Callable[[Value], Point]

TOUCHING = 1e-12  # slack below zero through rounding alone
KEPT = 1e-9  # by so much a limit may be missed where the last digit of x moves slack by more than that
PRECISE = 1e-12  # width of a bracket, relative where beyond one
FIRST_STEP = 0.25
TURNS = 6  # steps of a search after which the bracket is halved
BEYOND = 1.01
MOST_STEPS = 100


def choose(condition: Value, a: Value, b: Value) -> Value:
    """Return a where a condition holds, else b; for floats and arrays."""
    if isinstance(condition, bool):
        return a if condition else b
    return library_of(condition).where(condition, a, b)


def no(condition: Value) -> Value:
    """Return where a condition does not hold; `~` of a bool is not its opposite."""
    return not condition if isinstance(condition, bool) else ~condition


def every(condition: Value) -> bool:
    """Whether a condition holds, or holds for every element."""
    return condition if isinstance(condition, bool) else bool(condition.all())


def least_allowed(objective: Function, slack: Function, ends: tuple[Value, Value], start: Value) -> Value:
    """Return the x between two ends with slack(x) >= 0 at which objective is least; NaN where none is allowed.

    Args:
        objective: convex but for rounding; takes duals. The smallest of equal minima counts.
        slack: concave; takes duals.
        ends: the smallest and the largest x.
        start: where to start.
    """
    low, high = ends
    top = maximum(low, high)
    x = least(objective, low, top, minimum(maximum(start, low), top))
    return choose(low <= high, nearest_allowed(slack, x, low, top), math.nan)


def least(objective: Function, low: Value, high: Value, start: Value) -> Value:
    """Return the smallest x of [low, high] beyond which a convex objective gains nothing, going downhill from start."""
    at: At = lambda x: _rising(objective, x)  # noqa: E731
    far = near = at(start)
    sign = choose(near[2] > 0.0, -1.0, 1.0)
    end = choose(sign > 0.0, high, low)
    ended = near[0] == end
    found = ended | (near[0] != near[0])
    step = FIRST_STEP
    for _ in range(MOST_STEPS):
        if every(found):
            break
        beyond = at(minimum(maximum(near[0] + sign * step, low), high))
        crossed = (beyond[2] > 0.0) == (sign > 0.0)
        far = _choose_point(found, far, beyond)
        near = _choose_point(found | crossed, near, beyond)
        ended = ended | (no(found | crossed) & (near[0] == end))
        found = found | crossed | ended
        step *= 2.0
    left, right = _choose_point(sign > 0.0, near, far), _choose_point(sign > 0.0, far, near)
    return choose(ended, end, _between(at, left, right))


def root(function: Function, low: Value, high: Value) -> Value:
    """Return where a function rises through zero between low and high; the nearer end where it does not."""
    at: At = lambda x: (x, math.nan * x, _value(function, x))  # noqa: E731
    left, right = at(low), at(high)
    return choose(left[2] >= 0.0, low, choose(right[2] <= 0.0, high, _between(at, left, right)))


def nearest_allowed(slack: Function, x: Value, low: Value, high: Value) -> Value:
    """Return the point of [low, high] nearest to x at which a concave slack is not negative; NaN where there is none.

    Newton's method from outside: a concave function lies below its tangents, so no step passes the edge.
    """
    first: Value = 0.0
    for i in range(MOST_STEPS):
        value, slope = _value_and_slope(slack, x)
        first = first if i else slope
        moved = minimum(maximum(x - value / choose(slope == 0.0, math.nan, slope), low), high)
        still = abs(moved - x) <= PRECISE * maximum(1.0, abs(x))
        kept = (value >= -TOUCHING) | (still & (value >= -KEPT)) | (x != x)
        if every(kept):
            break
        lost = still | no(slope * first > 0.0)  # at an end, or past the top
        x = choose(kept, x, choose(lost, math.nan, moved))
    return x


def _between(at: At, left: Point, right: Point) -> Value:
    """Return the zero between two points by Chandrupatla's method, where he halves by the crossing of the tangents.

    Elements whose ends have one sign are left as they are. Source: Chandrupatla 1997, Advances in Engineering Software
    28, 145.
    """
    a, b = right, left
    c = a
    t = 0.5 + 0.0 * a[0]
    for i in range(2 * MOST_STEPS):
        x = at(a[0] + t * (b[0] - a[0]))
        same = (x[2] > 0.0) == (a[2] > 0.0)
        c, b = _choose_point(same, a, b), _choose_point(same, b, a)
        a = x
        width = abs(b[0] - a[0])
        smallest = PRECISE * maximum(1.0, abs(a[0]))
        if every(no(width > smallest) | (a[2] == 0.0)):
            break
        least_t = minimum(_ratio(smallest, 2.0 * width), 0.5)
        t = minimum(maximum(_share(a, b, c, turn=i % TURNS), least_t), 1.0 - least_t)
        t = choose((width > smallest) & (a[2] != 0.0), t, 0.0)
    return choose(abs(a[2]) < abs(b[2]), a[0], b[0])


def _share(a: Point, b: Point, c: Point, *, turn: int) -> Value:
    """Return how far from a to b to go next; c lies on the side of a."""
    (xa, fa, sa), (xb, fb, sb), (xc, _, sc) = a, b, c
    if turn == TURNS - 1:
        return 0.5 + 0.0 * xa
    if turn == TURNS // 2:  # where the curvature jumps, the line through both points of one side, and a little beyond
        line = BEYOND * _ratio(sa * (xa - xc), (sc - sa) * (xb - xa))
        return choose((line > 0.0) & (line < 1.0), line, 0.5)
    crossing = _ratio(fb - fa + sb * (xa - xb), (sa - sb) * (xb - xa))
    half = choose((crossing > 0.0) & (crossing < 1.0), crossing, 0.5)
    xi, phi = _ratio(xa - xb, xc - xb), _ratio(sa - sb, sc - sb)
    smooth = (phi * phi < xi) & ((1.0 - phi) * (1.0 - phi) < 1.0 - xi) & (sa != sb) & (sb != sc) & (sa != sc)
    first = _ratio(sa, sb - sa) * _ratio(sc, sb - sc)
    second = _ratio(xc - xa, xb - xa) * _ratio(sa, sc - sa) * _ratio(sb, sc - sb)
    return choose(smooth, first + second, half)


def _ratio(a: Value, b: Value) -> Value:
    """Return a / b, and something finite where b is zero."""
    return a / (b + choose(b == 0.0, 1.0, 0.0))


def _rising(objective: Function, x: Value) -> Point:
    """Return x, the objective and its slope, a little raised: above zero from where another e-fold gains nothing."""
    value, slope = _value_and_slope(objective, x)
    raised = slope + HALF_ULP * abs(value)
    raised = choose(raised == 0.0, SMALLEST, raised)  # level counts as rising
    return x, value, choose(raised == raised, raised, 1.0)  # as does what lies outside the domain


def _value_and_slope(function: Function, x: Value) -> tuple[Value, Value]:
    if is_array(x):
        result = function(Dual(x, library_of(x).ones_like(x)))
        return value_of(result) + 0.0 * x, slope_of(result) + 0.0 * x
    try:
        result = function(Dual(x, 1.0))
    except (NoAnswer, ArithmeticError, ValueError):
        return math.nan, math.nan
    return float(value_of(result)), float(slope_of(result))


def _value(function: Function, x: Value) -> Value:
    try:
        return function(x)
    except (NoAnswer, ArithmeticError, ValueError):
        return math.nan


def _choose_point(condition: Value, a: Point, b: Point) -> Point:
    return choose(condition, a[0], b[0]), choose(condition, a[1], b[1]), choose(condition, a[2], b[2])
