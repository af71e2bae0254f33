"""Where fits start: exponents around their expected values, and for each the best coefficients that enter linearly."""

from typing import Any

import numpy as np

from scaling_cli.core.formulas import Node, names_in
from scaling_cli.fit.problems import Problem

Array = Any
SPREAD = 0.5  # standard deviation of the logarithm of a positive coefficient around its start
DECADES = (0.0, -1.0, 0.0, -2.0, 0.0, 1.0, -4.0, 0.0)  # by which random starts of free coefficients are moved together
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
    positive = np.array([coefficient.positive for coefficient in problem.coefficients])
    units = 10.0 ** np.resize(DECADES, count)[:, None]  # a wrong unit of the data moves all of them alike
    points = np.where(positive, given + SPREAD * noise, given * (1.0 + SPREAD * noise) * units)
    linear = linear_names(tree, problem.names)
    if linear:
        solved = [_with_linear(problem, point, linear) for point in points]
        points = np.vstack([given, *solved])[:count]
    return points


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


def _with_linear(problem: Problem, point: Array, linear: list[str]) -> Array:
    """Return the point with its linear coefficients at their least squares on relative residuals."""
    outer = problem.outer(point[None])[0]
    chosen = [problem.names.index(name) for name in linear]
    given: dict[str, Any] = {**problem.data, **dict(zip(problem.names, outer[:, None, None], strict=True))}
    for i in chosen:
        given[problem.names[i]] = np.zeros((1, 1))
    with np.errstate(all="ignore"):
        offset, partials = problem.linear_tape.gradient(given)
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
