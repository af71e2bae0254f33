"""From a problem to its exact optimum, with a certificate that it is one."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.formulas import Node
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.solve import Optimum, Slopes, descend, polish_squares, slopes, zero_gradient
from scaling_cli.fit.starts import starting_points

Array = Any
STARTS = 16
FINALISTS = 6
STEPS = 200
SAME = 1e-9  # relative difference of two objectives that are the same
LARGEST_CONDITION = 1e13
EXACT = 1e-12  # residual, relative to the target, of a fit without noise
MUCH_NEARER = 0.99  # of a distance: below it two equal ends are two points


class Certificate(NamedTuple):
    """Why to believe an optimum."""

    converged: bool
    gradient_norm: float
    starts: int
    starts_agreeing: int
    condition_number: float


class PointFit(NamedTuple):
    """The optimum: inner values (k,), coefficients (k,), objective, residuals (n,), Slopes there, certificate."""

    inner: Array
    values: Array
    objective: float
    residuals: Array
    at: Slopes
    certificate: Certificate


def fit_point(
    problem: Problem, tree: Node, objective: Objective, weights: Array, *, seed: int, starts: int = STARTS
) -> PointFit:
    """Return the exact optimum of an objective, agreed on by several starts.

    Args:
        problem: residuals as a function of coefficients.
        tree: the prediction, for the starts.
        objective: what is minimised.
        weights: (n,), how often each run counts.
        seed: of the random starts.
        starts: how many.

    Raises: NoAnswer when no start leads to a finite objective or none converges.
    """
    with np.errstate(all="ignore"):
        points = starting_points(problem, tree, starts, seed)
        inner = _finalists(problem, objective, points, weights)
        spread = float(np.median(np.abs(problem.residuals(inner[:1])))) or 1e-12
        optimum = None
        for delta in objective.thresholds(spread):
            optimum = descend(problem, objective, inner, weights, delta=delta, exact=True, steps=STEPS)
            inner = optimum.inner
        if objective.is_smooth and optimum is not None:
            inner = np.vstack([polish_squares(problem, start[None], weights) for start in inner])
            optimum = optimum._replace(inner=inner, value=objective.value(problem.residuals(inner), weights))
    if optimum is None or not np.isfinite(optimum.value).any():
        raise NoAnswer("no start leads to a finite objective", "give --start NAME=VALUE near the answer")
    best = _best(optimum, problem.starts)
    return _certified(problem, objective, optimum.inner, best, weights, delta=delta, starts=starts)


def _finalists(problem: Problem, objective: Objective, points: Array, weights: Array) -> Array:
    """Return the distinct ends of least squares from the starts, best first."""
    squares = objective._replace(delta=np.inf, above=1.0, below=1.0)
    points = points[np.isfinite(points).all(axis=1)]
    rough = descend(problem, squares, points, weights, delta=np.inf, exact=False, steps=100)
    order = np.argsort(np.where(np.isfinite(rough.value), rough.value, np.inf))
    return rough.inner[order[:FINALISTS]]


def _best(optimum: Optimum, start: Array) -> int:
    """Return the lowest end; of equal ones, such as two terms exchanged, the one clearly nearer to the given start."""
    values = np.where(np.isfinite(optimum.value), optimum.value, np.inf)
    least = int(values.argmin())
    equal = np.flatnonzero(values <= values[least] + SAME * max(abs(values[least]), 1e-300))
    far = (np.abs(optimum.inner - start) / np.maximum(np.abs(start), 1e-300)).sum(axis=1)
    nearest = int(equal[far[equal].argmin()])
    return nearest if far[nearest] < MUCH_NEARER * far[least] else least


def _certified(
    problem: Problem, objective: Objective, inner: Array, best: int, weights: Array, *, delta: float, starts: int
) -> PointFit:
    point = inner[best : best + 1]
    residuals = problem.residuals(point)
    value = float(objective.value(residuals, weights)[0])
    values = objective.value(problem.residuals(inner), weights)
    smallest = np.full(problem.size, EXACT * max(1.0, float(np.abs(problem.target).max())))
    exact = float(objective.value(smallest, weights))
    agreeing = int((np.abs(values - value) <= max(SAME * value, exact)).sum())
    at = slopes(problem, objective, point, weights, delta=delta, curvature=problem.curvature(point))
    norm = float(at.relative[0])
    converged = bool(norm <= zero_gradient(problem, delta) or value <= exact)
    certificate = Certificate(converged, norm, starts, agreeing, condition_number(at.gauss_newton[0]))
    return PointFit(point[0], problem.outer(point)[0], value, residuals[0], at, certificate)


def condition_number(matrix: Array) -> float:
    """Return the condition number of a normal matrix with its columns scaled to one: 1 is ideal, 1e13 hopeless."""
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    values = np.linalg.eigvalsh(matrix / scale[:, None] / scale[None, :])
    return float(values[-1] / max(values[0], 1e-300))
