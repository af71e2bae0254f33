"""Where fits start: exponents around their expected values, breaks among the data, and the best linear coefficients."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from scaling_cli.core.formulas import Node, compile_tree, names_in
from scaling_cli.fit.gradients import Tape
from scaling_cli.fit.problems import Problem

Array = Any
DEFAULT_START = 1.0  # of a coefficient of which nobody said how large it is
SPREAD = 0.5  # standard deviation of the logarithm of a positive coefficient around its start
DECADES = (0.0, -1.0, 0.0, -2.0, 0.0, 1.0, -4.0, 0.0)  # by which random starts of free coefficients are moved together
SHAPES = 0.05, 2.0  # ours: between which exponents of scaling laws, and the sharpness of their breaks, are drawn
SMALLEST_SHARE = 1e-3  # of the target: what a positive linear coefficient contributes at least


def starting_points(problem: Problem, tree: Node, count: int, seed: int) -> Array:
    """Return inner values to start from, (count, k); the first are the given starts themselves.

    Args:
        problem: the fit.
        tree: its prediction.
        count: how many.
        seed: of the random ones.
    """
    rng = np.random.default_rng(seed)
    given = problem.starts
    noise = rng.standard_normal((count, given.size))
    noise[0] = 0.0
    positive = problem.positive
    units = 10.0 ** np.resize(DECADES, count)[:, None]  # a wrong unit of the data moves all of them alike
    points = np.where(positive, given + SPREAD * noise, given * (1.0 + SPREAD * noise) * units)
    points[1:] = _with_breaks(problem, tree, points[1:], np.random.default_rng([seed, 1]))
    smooth = _summed(tree, set(problem.names))
    tape = problem.linear_tape if smooth == tree else Tape(smooth, problem.names)
    linear = linear_names(smooth, problem.names)
    if linear:
        solved = [_with_linear(problem, tape, point, linear) for point in points]
        points = np.vstack([given, *solved])[:count]
    return points


def _with_breaks(problem: Problem, tree: Node, points: Array, rng: np.random.Generator) -> Array:
    """Return the points with what data are divided by, where nobody said how large it is, somewhere among the data.

    The shape beside such a break, exponents and how sharp it is, is drawn anew too: from 1 it is seldom found.
    """
    unknown = {c.name: i for i, c in enumerate(problem.coefficients) if c.start == DEFAULT_START}
    linear = linear_names(tree, problem.names)
    breaks = {
        name: np.abs(compile_tree(base)(problem.data))
        for name, base in _breaks(tree, set(problem.names))
        if name in unknown and name not in linear
    }
    if not breaks or not all((sizes > 0.0).any() for sizes in breaks.values()):
        return points
    outer = problem.outer(points)
    for name, i in unknown.items():
        share = rng.uniform(size=len(points))
        if name in breaks:
            outer[:, i] = np.quantile(breaks[name][breaks[name] > 0.0], share)
        else:
            outer[:, i] = SHAPES[0] ** (1.0 - share) * SHAPES[1] ** share
    return problem.inner(outer)


def _breaks(tree: Node, names: set[str]) -> Iterator[tuple[str, Node]]:
    """Yield each coefficient that data are divided by, or that is divided by data, with these data."""
    if tree[0] in ("num", "name"):
        return
    if tree[0] == "/":
        for this, other in (tree[1:], tree[:0:-1]):
            inside = set(names_in(other))
            if this[0] == "name" and this[1] in names and inside and not inside & names:
                yield this[1], other
    for branch in tree[1:]:
        yield from _breaks(branch, names)


def _summed(tree: Node, names: set[str]) -> Node:
    """Return the tree with a sum for the least or the largest of several terms with coefficients: all take part."""
    if tree[0] in ("num", "name"):
        return tree
    branches = [_summed(branch, names) for branch in tree[1:]]
    if tree[0] in ("min", "max") and all(names & set(names_in(branch)) for branch in branches):
        return reduce(lambda left, right: ("+", left, right), branches)
    return (tree[0], *branches)


def linear_names(tree: Node, names: tuple[str, ...]) -> list[str]:
    """Return coefficients in which the formula is jointly affine."""
    found: list[str] = []
    for name in names:
        if _affine(tree, {*found, name}):
            found.append(name)
    return found


def _affine(tree: Node, names: set[str]) -> bool:
    if not names & set(names_in(tree)):
        return True
    kind = tree[0]
    if kind == "name":
        return True
    if kind in ("+", "-", "neg"):
        return all(_affine(branch, names) for branch in tree[1:])
    if kind == "*":
        free = [not names & set(names_in(branch)) for branch in tree[1:]]
        return any(free) and all(_affine(branch, names) for branch in tree[1:])
    if kind == "/":
        return not names & set(names_in(tree[2])) and _affine(tree[1], names)
    return False


def _with_linear(problem: Problem, tape: Tape, point: Array, linear: list[str]) -> Array:
    """Return the point with its linear coefficients at their least squares on relative residuals."""
    outer = problem.outer(point[None])[0]
    chosen = [problem.names.index(name) for name in linear]
    given: dict[str, Any] = {**problem.data, **dict(zip(problem.names, outer[:, None, None], strict=True))}
    for i in chosen:
        given[problem.names[i]] = np.zeros((1, 1))
    with np.errstate(all="ignore"):
        offset, partials = tape.gradient(given)
    shape = (problem.size,)
    weights = 1.0 / problem.target if problem.log else np.ones(shape)
    columns = np.stack([np.broadcast_to(partials[i], (1, problem.size))[0] for i in chosen], axis=1) * weights[:, None]
    wanted = (problem.target - np.broadcast_to(offset, (1, problem.size))[0]) * weights
    if not (np.isfinite(columns).all() and np.isfinite(wanted).all()):
        return point
    sizes = np.maximum(np.abs(columns).mean(axis=0), 1e-300)
    signs = np.array([problem.coefficients[i].positive for i in chosen])
    floor = SMALLEST_SHARE * np.abs(wanted).mean()
    solution = np.where(signs, floor, 0.0)
    free = np.ones(len(chosen), dtype=bool)
    while free.any():  # those that would turn negative stay at the floor
        solution[free] = np.linalg.lstsq(columns[:, free] / sizes[free], wanted, rcond=None)[0]
        low = free & signs & (solution < floor)
        solution[low] = floor
        if not low.any():
            break
        free &= ~low
    solution /= sizes
    outer[chosen] = solution
    result = problem.inner(outer[None])[0]
    return result if np.isfinite(result).all() else point
