"""From a problem to its exact optimum, with a certificate that it is one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.formulas import Node
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.polish import least_slope, polish_absolute, polish_squares
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.slopes import Cost, Slopes, slopes
from scaling_cli.fit.solve import CONVERGED, Search, descend, zero_gradient
from scaling_cli.fit.starts import starting_points

Array = Any
STARTS = 16
FINALISTS = 6
CALM = 0.7  # e-folds in one step: a coefficient that vanishes takes one, as slowly as the others can follow
NARROWING = Search(exact=True, steps=30, damping=0.0, enough=1e-6, longest=CALM)  # at thresholds on the way
LAST = Search(exact=True, steps=200, damping=0.0, longest=CALM)
LARGE = LAST._replace(enough=1e-13)  # of more than MANY_RUNS, whose sums are rounded to that
FARTHEST = LAST._replace(steps=1000)  # down a valley so narrow and bent that the best end is still on its way
ENOUGH_RUNS = 2000  # to come near an optimum, which all runs then decide
MANY_RUNS = 1 << 16  # to come to where Newton's steps on all runs are few
WIDE = 0.1  # of the spread of residuals: a threshold within which that many runs place the optimum
ROUGH = 40  # steps of least squares from afar
NEAR = 1e-6  # relative gradient at which they are near enough
MET = 1e-3  # relative difference, or difference of logarithms, of ends that are one
HOPEFUL = 1.1  # times the least objective: an end that is worth the last digits
HOPELESS = 100.0  # times the least sum of squares: an end not worth following
IN_SIGHT = 1e-2  # of the spread of residuals: the threshold from which on absolute values show their vertex
KEPT = (1 << 22) - 4096  # doubles: 32 MB, the most up to which glibc learns to keep freed memory (malloc/malloc.c)
LEVEL = 1e-11  # relative difference of two objectives that rounding may set apart
SAME = 1e-9  # relative difference of two objectives that are the same
LARGEST_CONDITION = 1e13
EXACT = 1e-12  # residual, relative to the target, of a fit without noise
VANISHED = 1e-6  # effect of an e-fold, relative to the target: below it a coefficient has none
BARELY = 4.0  # e-folds below its start, from where a coefficient that has vanished sets out again
FALLEN = 10.0  # e-folds below its start, and below one, of a coefficient that has gone to zero
MUCH_NEARER = 0.99  # of a distance: below it two equal ends are two points


class Certificate(NamedTuple):
    """Why to believe an optimum.

    Fields:
        converged: whether the gradient is zero, to rounding.
        gradient_norm: the largest derivative by an inner value, relative to the sum of its terms' sizes.
        starts: how many there were.
        starts_agreeing: how many of them ended at this optimum.
        condition_number: of the normal matrix with its columns scaled to one.
    """

    converged: bool
    gradient_norm: float
    starts: int
    starts_agreeing: int
    condition_number: float


class PointFit(NamedTuple):
    """The optimum: inner values (k,), coefficients (k,), objective, residuals (n,), Slopes there, certificate.

    `vanished` (k,) marks positive coefficients that ended at zero: the optimum lies at that boundary. `idle` (k,) marks
    those whose part of the prediction is gone by way of others.
    """

    inner: Array
    values: Array
    objective: float
    residuals: Array
    at: Slopes
    certificate: Certificate
    vanished: Array
    idle: Array


class Ends(NamedTuple):
    """Where starts led: distinct inner values (m, k), and how many starts led to each, (m,)."""

    inner: Array
    counts: Array


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
    np.empty(
        KEPT
    )  # freed at once, so that freed arrays stay with the process: getting pages anew takes most of the time
    with np.errstate(all="ignore"):
        chosen = _some(weights, seed, ENOUGH_RUNS)
        few = problem.part_of_runs(chosen)
        points = starting_points(few, tree, starts, seed)
        ends = _lifted(few, _finalists(few, objective, points, weights[chosen]), points)
        spread = float(np.median(np.abs(problem.residuals(ends.inner[:1])))) or 1e-12
        path = [Cost(objective, weights, delta) for delta in objective.thresholds(spread)]
        ends = _narrowed(problem, path, ends, _some(weights, seed, MANY_RUNS))
        return _certified(problem, path[-1], ends, starts)


def _some(weights: Array, seed: int, most: int) -> Array:
    """Return the numbers of at most so many runs that count, or of all."""
    counting = np.flatnonzero(weights)
    if len(counting) <= most:
        return np.arange(len(weights))
    return np.sort(np.random.default_rng(seed).choice(counting, most, replace=False))


def _finalists(problem: Problem, objective: Objective, points: Array, weights: Array) -> Ends:
    """Return the distinct ends of least squares from the starts, best first."""
    squares = objective._replace(delta=np.inf, above=1.0, below=1.0)
    points = points[np.isfinite(points).all(axis=1)]
    rough = descend(problem, Cost(squares, weights, np.inf), points, Search(exact=False, steps=ROUGH, enough=NEAR))
    order = np.argsort(rough.value, kind="stable")
    order = order[rough.value[order] <= HOPELESS * _least(rough.value)]
    return _distinct(rough.inner[order])


def _least(values: Array) -> float:
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise NoAnswer("no start leads to a finite objective", "give --start NAME=VALUE near the answer")
    return float(finite.min())


def _distinct(points: Array) -> Ends:
    """Return the first points without those that repeat an earlier one."""
    first: dict[int, int] = {}
    for i, point in enumerate(points):
        same = (j for j in first if (np.abs(point - points[j]) <= MET * np.maximum(np.abs(point), 1.0)).all())
        j = next(same, i)
        first[j] = first.get(j, 0) + 1
    return Ends(points[list(first)][:FINALISTS], np.array(list(first.values()), dtype=int)[:FINALISTS])


def _lifted(problem: Problem, ends: Ends, points: Array) -> Ends:
    """Return ends, and those where a coefficient has vanished once more with it at its usual start.

    What is best at zero by squares need not be by another objective, and nothing leads away from zero: the slope by a
    logarithm vanishes with the coefficient.
    """
    gone = _without_effect(problem, ends.inner)
    if not gone.any():
        return ends
    some = gone.any(axis=1)
    again = np.where(gone, np.median(points, axis=0), ends.inner)[some]
    return Ends(np.vstack([ends.inner, again]), np.concatenate([ends.counts, ends.counts[some]]))


def _raised(problem: Problem, inner: Array) -> Array:
    """Return inner values, (m, k), with coefficients that have vanished where they still have an effect.

    One that vanishes before the others are at rest holds them up: a break without width has a corner at every run.
    """
    gone = _without_effect(problem, inner)
    return np.where(gone, np.maximum(inner, problem.starts - BARELY), inner)


def _without_effect(problem: Problem, inner: Array) -> Array:
    """Return which positive coefficients change no prediction that matters when they grow by a factor e, (m, k)."""
    some = _evenly(problem)
    sizes = np.linalg.norm(some.jacobian(inner)[1], axis=2)
    unit = some.size**0.5 if problem.log else float(np.linalg.norm(some.target))
    gone: Array = problem.positive & ~(sizes > VANISHED * unit)
    return gone


def _evenly(problem: Problem) -> Problem:
    """Return the problem of at most MANY_RUNS of its runs."""
    return problem.part_of_runs(slice(None, None, -(-problem.size // MANY_RUNS)))


def _narrowed(problem: Problem, path: Sequence[Cost], ends: Ends, many: Array) -> Ends:
    """Return the optima at the last threshold, reached by way of the others; ends that stay high are left out.

    Of the others, wide ones are passed on many runs, by their numbers, and all narrow ones and the last on every run.
    """
    inner, last = ends.inner, path[-1]
    absolute = last.objective.delta == 0.0
    part = problem.part_of_runs(many)
    for cost in path:
        seen = absolute and cost.delta <= IN_SIGHT * path[0].delta
        wide = cost.delta >= WIDE * path[0].delta
        runs, counted = (part, cost.part_of_runs(many)) if wide else (problem, cost)
        inner = descend(runs, counted, _raised(problem, inner), LAST if seen else NARROWING).inner
        if seen:
            vertices = np.vstack([polish_absolute(problem, last, end[None]) for end in inner])
            if all(least_slope(problem, last, vertex[None]) <= CONVERGED for vertex in vertices):
                return Ends(vertices, ends.counts)
    inner, counts = np.vstack([inner, problem.starts]), np.append(ends.counts, 0)  # the given start may be the optimum
    counted = last.part_of_runs(many)
    value = last.objective.value(part.residuals(inner), counted.weights)
    hopeful = value <= max(HOPEFUL * _least(value), _exact(part, counted))
    found = descend(problem, last, _raised(problem, inner[hopeful]), LAST if problem.size <= MANY_RUNS else LARGE)
    if not found.gradient[found.value <= _least(found.value)].min() <= CONVERGED:
        found = descend(problem, last, found.inner, FARTHEST)
    inner = found.inner
    if last.objective.is_smooth:
        inner = np.vstack([polish_squares(problem, end[None], last.weights) for end in inner])
    return Ends(inner, counts[hopeful])


def _best(values: Array, inner: Array, start: Array) -> int:
    """Return the lowest end; of equal ones, such as two terms exchanged, the one clearly nearer to the given start."""
    least = int(values.argmin())
    equal = np.flatnonzero(values <= values[least] + SAME * max(abs(values[least]), 1e-300))
    with np.errstate(over="ignore"):  # an end may have run away from a start at zero
        far = (np.abs(inner - start) / np.maximum(np.abs(start), 1e-300)).sum(axis=1)
    nearest = int(equal[far[equal].argmin()])
    return nearest if far[nearest] < MUCH_NEARER * far[least] else least


def _flattest(problem: Problem, cost: Cost, inner: Array, values: Array, best: int) -> int:
    """Return the best end, or where its slope is not yet nothing one as low, to rounding, whose slope is."""
    equal = np.flatnonzero(np.abs(values - values[best]) <= LEVEL * values[best])
    for i in (best, *equal):
        if float(slopes(problem, cost, inner[i : i + 1], exact=False).relative[0]) <= CONVERGED:
            return int(i)
    return best


def _exact(problem: Problem, cost: Cost) -> float:
    """Return the objective of a fit without noise."""
    smallest = np.full(problem.size, EXACT * max(1.0, float(np.abs(problem.target).max())))
    return float(cost.objective.value(smallest, cost.weights))


def _certified(problem: Problem, cost: Cost, ends: Ends, starts: int) -> PointFit:
    values = cost.objective.value(problem.residuals(ends.inner), cost.weights)
    best = _best(np.where(np.isfinite(values), values, np.inf), ends.inner, problem.starts)
    best = _flattest(problem, cost, ends.inner, values, best)
    point, value, exact = ends.inner[best : best + 1], float(values[best]), _exact(problem, cost)
    spread = float(np.median(np.abs(problem.residuals(point)))) or 1e-300
    agreeing = min(int(ends.counts[np.abs(values - value) <= max(SAME * value, exact)].sum()), starts)
    gone = _without_effect(problem, point)[0]
    vanished = gone & (point[0] < np.minimum(problem.starts, 0.0) - FALLEN)
    if vanished.any():
        point = settled(problem, cost, point, ~vanished)
        value = float(cost.objective.value(problem.residuals(point), cost.weights)[0])
    at = slopes(problem, cost, point, exact=False)
    norm = _relative(problem, cost, point)[~vanished].max() if vanished.any() else float(at.relative[0])
    if cost.objective.delta == 0.0:
        norm = min(norm, least_slope(problem, cost, point))
    zero = zero_gradient(_rounding(problem, point), cost.delta, spread)
    converged = bool(norm <= zero or value <= exact or _is_at_rest(problem, cost, point, ~vanished))
    condition = condition_number(at.hessian[0][np.ix_(~vanished, ~vanished)])
    certificate = Certificate(converged, float(norm), starts, max(agreeing, 1), condition)
    residuals = problem.residuals(point)[0]
    return PointFit(point[0], problem.outer(point)[0], value, residuals, at, certificate, vanished, gone & ~vanished)


def _rounding(problem: Problem, point: Array) -> float:
    """Return how far residuals may be off: by their own rounding, and by that of inner values they depend on."""
    effects = np.abs(point[0]) @ np.abs(_evenly(problem).jacobian(point)[1][0])
    return max(problem.rounding, float(np.finfo(float).eps * effects.max()))


def settled(problem: Problem, cost: Cost, point: Array, wanted: Array) -> Array:
    """Return the point, (1, k), with the wanted coefficients at rest while the others stay where they are."""
    axes = np.diag(1.0 / slopes(problem, cost, point, exact=False).scale[0])[:, wanted]
    return descend(problem, cost, point, FARTHEST._replace(axes=axes)).inner


def _is_at_rest(problem: Problem, cost: Cost, point: Array, wanted: Array) -> bool:
    """Return whether slopes are zero but for the last digits of the inner values, which a sharp corner magnifies."""
    at = slopes(problem, cost, point, exact=True)
    digits = np.finfo(float).eps * np.maximum(np.abs(point[0]), 1.0)
    return bool((np.abs(at.gradient[0]) <= np.abs(at.hessian[0]) @ digits)[wanted].all())


def _relative(problem: Problem, cost: Cost, point: Array) -> Array:
    """Return the derivative by each inner value relative to the sum of its terms' sizes, (k,)."""
    residuals, jacobian = problem.jacobian(point)
    terms = jacobian[0] * (cost.weights * cost.objective.rho(residuals[0], cost.delta).first)
    return np.abs(terms.sum(axis=1)) / np.maximum(np.abs(terms).sum(axis=1), 1e-300)


def condition_number(matrix: Array) -> float:
    """Return the condition number of a normal matrix with its columns scaled to one: 1 is ideal, 1e13 hopeless."""
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    values = np.linalg.eigvalsh(matrix / scale[:, None] / scale[None, :])
    return float(values[-1] / max(values[0], 1e-300))
