"""The least of a function of one variable where another function allows it, for floats and for whole arrays."""

import math
from collections.abc import Callable

from scaling_cli.core.duals import Dual, Value, library_of, slope_of, value_of
from scaling_cli.core.search import find_minimum, find_root
from scaling_cli.core.sweeps import Array, bisect, is_array, least_at
from scaling_cli.errors import NoAnswer

Function = Callable[[Value], Value]

POINTS = 48
TOUCHING = 1e-12  # a limit kept but for rounding
FORBIDDEN = -1e3  # slack where the function does not exist
INSIDE = 1.0 - 1e-13


def least_allowed(objective: Function, slack: Function, low: Value, high: Value) -> Value | None:
    """Return the x in [low, high] with slack(x) >= 0 at which objective is least; the smallest of equal ones.

    Args:
        objective: smooth but for kinks; takes duals.
        slack: concave where limits are products of powers; where it is least negative the allowed interval is sought.
        low: the smallest x.
        high: the largest.

    Returns: x; None where nothing is allowed (NaN for elements of arrays).
    """
    if is_array(low) or is_array(high):
        return _of_arrays(objective, slack, low, high)
    kept = allowed(slack, low, high)
    if kept is None:
        return None
    left, right = kept
    inner = find_minimum(objective, left, right) if right > left else None
    ends = [left, right] if inner is None else [left, inner, right]
    return min(ends, key=lambda x: (_value(objective, x, math.inf), x))


def allowed(slack: Function, low: float, high: float) -> tuple[float, float] | None:
    """Return the interval around the best point in which slack is not negative; None where it is everywhere."""
    step = (high - low) / POINTS
    points = [low + step * i for i in range(POINTS)] + [high]
    values = [_value(slack, x, FORBIDDEN) for x in points]
    best = max(range(len(points)), key=lambda i: values[i])
    if values[best] < -TOUCHING:
        top = most_allowed(slack, low, high)
        if _value(slack, top, FORBIDDEN) < -TOUCHING:
            return None
        return _edge(slack, top, points[max(best - 1, 0)]), _edge(slack, top, points[min(best + 1, POINTS)])
    left = right = best
    while left > 0 and values[left - 1] >= -TOUCHING:
        left -= 1
    while right < POINTS and values[right + 1] >= -TOUCHING:
        right += 1
    ends = points[max(left - 1, 0)], points[min(right + 1, POINTS)]
    return _edge(slack, points[left], ends[0]), _edge(slack, points[right], ends[1])


def most_allowed(slack: Function, low: float, high: float) -> float:
    """Return where a concave slack is largest."""
    step = (high - low) / POINTS
    points = [low + step * i for i in range(POINTS)] + [high]
    best = max(range(len(points)), key=lambda i: _value(slack, points[i], FORBIDDEN))
    left, right = points[max(best - 1, 0)], points[min(best + 1, POINTS)]

    def falling(x: float) -> float:
        try:
            return 1.0 if slope_of(slack(Dual(x, 1.0))) <= 0.0 else -1.0
        except (NoAnswer, ArithmeticError, ValueError):
            return 1.0 if x > points[best] else -1.0

    if (falling(left) > 0.0) == (falling(right) > 0.0):
        return points[best]
    return find_root(falling, left, right)


def _edge(slack: Function, inside: float, outside: float) -> float:
    """Return the last point from inside towards outside at which slack is not negative."""
    distance: Callable[[float], float] = lambda x: _value(slack, x, FORBIDDEN) + TOUCHING  # noqa: E731
    if inside == outside or distance(outside) >= 0.0:
        return outside
    edge = find_root(distance, *sorted((inside, outside)))
    return edge if distance(edge) >= 0.0 else inside + INSIDE * (edge - inside)


def _value(function: Function, x: float, otherwise: float) -> float:
    try:
        value = float(value_of(function(x)))
    except (NoAnswer, ArithmeticError, ValueError):
        return otherwise
    return otherwise if math.isnan(value) else value


def _of_arrays(objective: Function, slack: Function, low: Array, high: Array) -> Array:
    xp = library_of(low if is_array(low) else high)
    with xp.errstate(all="ignore"):
        low, high = xp.broadcast_arrays(low, high)
        steps = xp.arange(POINTS + 1, dtype=float)[:, None] / POINTS
        points = low + (high - low) * steps
        values = xp.nan_to_num(xp.broadcast_to(slack(points), points.shape), nan=FORBIDDEN)
        best = values.argmax(axis=0)
        columns = xp.arange(low.size)
        keeps = values >= -TOUCHING
        place = xp.arange(POINTS + 1)[:, None]
        broken_left = xp.where(~keeps & (place < best), place, -1).max(axis=0)
        broken_right = xp.where(~keeps & (place > best), place, POINTS + 1).min(axis=0)
        left = _array_edge(slack, points, broken_left, 1, columns)
        right = _array_edge(slack, points, broken_right, -1, columns)
        inner = least_at(lambda x, _: objective(x), left, right, left)
        ends = xp.stack([left, xp.where(xp.isnan(inner), left, inner), right])
        losses = xp.stack([xp.nan_to_num(objective(end), nan=xp.inf) for end in ends])
        chosen = ends[losses.argmin(axis=0), columns]
        return xp.where(keeps[best, columns], chosen, xp.nan)


def _array_edge(slack: Function, points: Array, broken: Array, inward: int, columns: Array) -> Array:
    """Return the edge next to the broken points, or the end of the points where none is broken on that side."""
    xp = library_of(points)
    end = points[0 if inward > 0 else -1]
    whole = (broken < 0) | (broken >= len(points))
    outside = points[xp.clip(broken, 0, len(points) - 1), columns]
    inside = points[xp.clip(broken + inward, 0, len(points) - 1), columns]
    distance: Function = lambda x: xp.nan_to_num(slack(x), nan=FORBIDDEN) + TOUCHING  # noqa: E731
    edge = bisect(distance, outside, inside) if not whole.all() else end
    return xp.where(whole, end, xp.where(xp.isnan(edge), inside, edge))
