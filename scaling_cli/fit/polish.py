"""The last digits of an optimum: of sums of squares by singular values, of absolute values at the runs on the curve.

A sum of absolute values of k coefficients is least where k residuals are zero. From near by, such a vertex is found by
the simplex method on linearised residuals, each vertex made exact by Newton's steps; it is the optimum where every one
of the k runs pulls by no more than its weight.
Source: Barrodale and Roberts 1973, doi:10.1137/0710069.
"""

from typing import Any

import numpy as np

from scaling_cli.fit.problems import TARGET, Problem
from scaling_cli.fit.slopes import PROBE, Cost
from scaling_cli.fit.solve import MOST_BEND

Array = Any
PIVOTS = 100
ZERO = 1e-13  # residual, relative to the target, of a run on the curve
FEASIBLE = 1e-9  # of a weight: pull beyond it that is rounding


def polish_squares(problem: Problem, inner: Array, weights: Array, *, steps: int = 60) -> Array:
    """Return the minimum of a sum of squares nearer to the last digit, (1, k) from (1, k).

    Gauss and Newton's steps by singular values of the Jacobian, since the normal equations would square its condition,
    bent as the valley bends.
    """
    best, damping, root = inner, 0.0, np.sqrt(weights)
    residuals, matrix = _rows(problem, best, root)
    value = float(((root * residuals) ** 2).sum())
    for _ in range(steps if np.isfinite(matrix).all() else 0):
        trial = best + _bent_step(problem, best, residuals, matrix, root=root, damping=damping)
        after = _rows(problem, trial, root)
        changed = float(((root * after[0]) ** 2).sum())
        if not (changed <= value and np.isfinite(after[1]).all()):
            damping = max(10.0 * damping, 1e-16)
            if damping > 1.0:
                break
            continue
        small = bool(np.all(np.abs(trial - best) <= 1e-15 * np.abs(best)))
        best, value, damping = trial, changed, 0.1 * damping if damping > 1e-15 else 0.0
        residuals, matrix = after
        if small:
            break
    return best


def _rows(problem: Problem, at: Array, root: Array) -> tuple[Array, Array]:
    """Return residuals, (n,), and the Jacobian with each run times the root of its weight, (n, k)."""
    residuals, jacobian = problem.jacobian(at)
    jacobian *= root  # in place: of many runs each array of this size counts
    return residuals[0], jacobian[0].T


def _bent_step(problem: Problem, at: Array, residuals: Array, matrix: Array, *, root: Array, damping: float) -> Array:
    """Return the damped step, (k,), with its second-order correction where that is the smaller part.

    Source: Transtrum and Sethna 2012, arXiv:1201.5885, geodesic acceleration.
    """
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    left, singular, right = np.linalg.svd(matrix / scale, full_matrices=False)

    def towards(wanted: Array) -> Array:
        return -(right.T @ (singular / (singular**2 + damping) * (left.T @ (root * wanted)))) / scale

    ahead = towards(residuals)
    shifted = problem.residuals(at + PROBE * ahead)[0]
    bend = 2.0 / PROBE * ((shifted - residuals) / PROBE - matrix @ ahead / np.where(root > 0.0, root, 1.0))
    aside = 0.5 * towards(bend)
    is_smaller = np.linalg.norm(aside * scale) <= MOST_BEND * np.linalg.norm(ahead * scale)
    return ahead + aside if is_smaller else ahead


def polish_absolute(problem: Problem, cost: Cost, inner: Array) -> Array:
    """Return the vertex of a sum of absolute values below a point near it, (1, k) from (1, k); the point if none is."""
    runs = _nearest_runs(problem, cost, inner)
    best, least = inner, np.inf
    for _ in range(PIVOTS):
        point = _through(problem, best, runs)
        value = float(cost.objective.value(problem.residuals(point), cost.weights)[0])
        if not value < least:
            break
        best, least = point, value
        try:
            leaving = _pivot(problem, cost, point, runs)
        except np.linalg.LinAlgError:  # runs that tell the same, or a coefficient without effect: no vertex to leave
            break
        if leaving is None:
            break
        runs[leaving[0]] = leaving[1]
    before = float(cost.objective.value(problem.residuals(inner), cost.weights)[0])
    return best if least <= before else inner


def _pivot(problem: Problem, cost: Cost, point: Array, runs: Array) -> tuple[int, int] | None:
    """Return which of k runs on the curve leaves it, by its place, and which comes in; None at an optimum.

    Raises: LinAlgError where the k runs do not determine the coefficients.
    """
    residuals, jacobian = (part[0] for part in problem.jacobian(point))
    pulls, low, high = _pulls(cost, residuals, jacobian, runs)
    excess = np.maximum(pulls - high, low - pulls)
    leaving = int(excess.argmax())
    if excess[leaving] <= FEASIBLE * cost.weights.max():
        return None
    way = np.zeros(len(runs))
    way[leaving] = 1.0 if pulls[leaving] > high[leaving] else -1.0
    rates = np.linalg.solve(jacobian[:, runs].T, way) @ jacobian
    rates[runs] = 0.0
    return leaving, _entering(cost, residuals, rates, float(excess[leaving]))


def least_slope(problem: Problem, cost: Cost, inner: Array) -> float:
    """Return the least subgradient of a sum of absolute values, relative to the sizes of its terms, at (1, k).

    Infinite where fewer than k residuals are zero: that is no vertex.
    """
    runs = _nearest_runs(problem, cost, inner)
    residuals, jacobian = (part[0] for part in problem.jacobian(inner))
    if np.abs(residuals[runs]).max() > ZERO * max(1.0, float(np.abs(problem.data[TARGET]).max())):
        return np.inf
    try:
        pulls, low, high = _pulls(cost, residuals, jacobian, runs)
    except np.linalg.LinAlgError:
        return np.inf
    sizes = np.maximum(np.abs(jacobian) @ cost.weights, 1e-300)
    return float(np.max(np.abs(jacobian[:, runs] @ (pulls - np.clip(pulls, low, high))) / sizes))


def _nearest_runs(problem: Problem, cost: Cost, inner: Array) -> Array:
    """Return the numbers of the k runs that count and lie nearest to the curve."""
    distance = np.where(cost.weights > 0.0, np.abs(problem.residuals(inner)[0]), np.inf)
    return np.argsort(distance, kind="stable")[: inner.shape[1]]


def _through(problem: Problem, inner: Array, runs: Array) -> Array:
    """Return the curve through k runs nearest to a point, (1, k); NaN where there is none."""
    few = problem.part_of_runs(runs)
    for _ in range(20):
        residuals, jacobian = few.jacobian(inner)
        try:
            step = np.linalg.solve(jacobian[0].T, residuals[0])
        except np.linalg.LinAlgError:
            return np.full_like(inner, np.nan)
        inner = inner - step
        if np.all(np.abs(step) <= 1e-15 * np.maximum(np.abs(inner), 1.0)):
            break
    return inner


def _pulls(cost: Cost, residuals: Array, jacobian: Array, runs: Array) -> tuple[Array, Array, Array]:
    """Return by how much k runs must pull to hold the rest in balance, and the least and most they may, (k,) each."""
    rest = cost.weights * cost.objective.rho(residuals, 0.0).first
    rest[runs] = 0.0
    pulls = np.linalg.lstsq(jacobian[:, runs], -(jacobian @ rest), rcond=None)[0]
    return pulls, -cost.objective.below * cost.weights[runs], cost.objective.above * cost.weights[runs]


def _entering(cost: Cost, residuals: Array, rates: Array, excess: float) -> int:
    """Return the run at which the sum stops falling, from residuals and their rates along the way, (n,)."""
    with np.errstate(all="ignore"):
        when = np.where(residuals * rates < 0.0, -residuals / rates, np.inf)
    order = np.argsort(when, kind="stable")
    gains = (cost.objective.above + cost.objective.below) * cost.weights * np.abs(rates)
    return int(order[np.searchsorted(np.cumsum(gains[order]), excess)])
