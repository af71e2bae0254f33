"""Minima and roots for whole arrays: bisection in step, and tables of solved knots for long arrays.

Imports no array library: `library_of` finds the one that made the array. Elements without an answer become NaN.
"""

from collections.abc import Callable
from typing import Any

from scaling_cli.core.duals import Dual, Value, library_of, slope_of, value_of
from scaling_cli.core.search import HALF_ULP, SCAN_POINTS, SMALLEST

Array = Any
Solve = Callable[[Array], Array]

KNOTS = 4096
DIRECT = 2 * KNOTS  # arrays up to this long are solved element by element, in step
HALVINGS = 64
WORST = 7e-11  # disagreement at a knot beyond which the table is not trusted around it: 1e-11 between knots


def is_array(value: Value) -> bool:
    """Whether a value is an array rather than a float or a dual."""
    return not isinstance(value, float | Dual)


def quietly(function: Callable[[], Array], array: Array) -> Array:
    """Evaluate on arrays with overflow and division by zero as inf and NaN, in silence."""
    with library_of(array).errstate(all="ignore"):
        return function()


def bisect(function: Solve, low: Array, high: Array) -> Array:
    """Return where an element-wise function changes sign between low and high; NaN where it does not."""
    xp = library_of(low)
    with xp.errstate(all="ignore"):
        rising = function(high) > 0.0
        found = (function(low) > 0.0) != rising
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            beyond = (function(middle) > 0.0) == rising
            low, high = xp.where(beyond, low, middle), xp.where(beyond, middle, high)
        return xp.where(found, 0.5 * (low + high), xp.nan)


def sweep(solve: Solve, points: Array) -> Array:
    """Return solve(points) for any number of points, by a table of solved knots where they are many.

    The table is a cubic through four knots. Where a knot disagrees with the cubic through its neighbours by more
    than 7e-11 (a kink, a steep end), the points around it are solved one by one.

    Args:
        solve: element-wise, smooth but for a few kinks; (n,) to (n,).
        points: (n,); NaN stays NaN.
    """
    xp = library_of(points)
    finite = xp.isfinite(points)
    if not finite.all():
        result = xp.full(points.shape, xp.nan)
        result[finite] = sweep(solve, points[finite])
        return result
    if points.size <= DIRECT:
        return solve(points)
    low, high = float(points.min()), float(points.max())
    spacing = (high - low) / (KNOTS - 1)
    if spacing <= 0.0:
        return xp.full(points.shape, solve(points[:1])[0])
    # three knots on either side let every point lie between the middle two of four
    values = solve(low + spacing * xp.arange(-3, KNOTS + 3, dtype=float))
    place = (points - low) / spacing + 3.0
    cell = xp.clip(place.astype(xp.intp), 3, KNOTS + 1)
    result = _cubic(values, cell, place - cell)
    doubtful = _doubtful_cells(xp, values)[cell]
    if doubtful.any():
        result[doubtful] = _in_parts(solve, points[doubtful])
    return result


def least_at(function: Callable[[Value, Array], Value], low: Array, high: Array, given: Array) -> Array:
    """Return the least x in [low, high] beyond which function(x, given) gains nothing, element-wise.

    The same definition as `search.find_minimum`; NaN where the minimum is at an end.
    """
    xp = library_of(given)
    with xp.errstate(all="ignore"):
        steps = xp.arange(SCAN_POINTS + 1, dtype=float)[:, None]
        points = low + (high - low) / SCAN_POINTS * steps
        result = function(Dual(points, 1.0), given)
        level = xp.broadcast_to(value_of(result), points.shape)
        values = xp.where(xp.isnan(level), xp.inf, level)
        falling = slope_of(result) + HALF_ULP * abs(values) < 0.0
        best = values.argmin(axis=0)
        left = xp.where(falling & (steps <= best), steps, -1.0).max(axis=0).astype(xp.intp)
        inside = (left >= 0) & (left < SCAN_POINTS)
        left = xp.clip(left, 0, SCAN_POINTS - 1)
        columns = xp.arange(left.size)

        def rising(x: Array) -> Array:
            at = function(Dual(x, 1.0), given)
            slope = slope_of(at) + HALF_ULP * abs(value_of(at))
            # level counts as rising, and so does what lies outside the function's domain
            return xp.where(xp.isnan(slope), 1.0, xp.where(slope == 0.0, SMALLEST, slope))

        return xp.where(inside, bisect(rising, points[left, columns], points[left + 1, columns]), xp.nan)


def _in_parts(solve: Solve, points: Array) -> Array:
    xp = library_of(points)
    return xp.concatenate([solve(points[i : i + DIRECT]) for i in range(0, points.size, DIRECT)])


def _cubic(values: Array, cell: Array, t: Array) -> Array:
    """Evaluate the cubic through the four knots around each cell, at t of the way through it (Lagrange's form)."""
    a, b, c, d = values[cell - 1], values[cell], values[cell + 1], values[cell + 2]
    outer, inner = t * (t - 1.0), (t + 1.0) * (t - 2.0)
    return (outer * ((t + 1.0) * d - (t - 2.0) * a) / 3.0 + inner * ((t - 1.0) * b - t * c)) / 2.0


def _doubtful_cells(xp: Any, values: Array) -> Array:
    """Return for each cell whether a knot near it disagrees with the cubic through its four neighbours."""
    from_neighbours = (4.0 * (values[1:-3] + values[3:-1]) - values[:-4] - values[4:]) / 6.0
    wrong = xp.ones(values.size, dtype=bool)
    wrong[2:-2] = ~(abs(from_neighbours - values[2:-2]) <= WORST)
    wide = wrong.copy()
    for shift in (1, 2):
        wide[shift:] |= wrong[:-shift]
        wide[:-shift] |= wrong[shift:]
    wide[:2] = wide[2]
    wide[-2:] = wide[-3]
    return wide
