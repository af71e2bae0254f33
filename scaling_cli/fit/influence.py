"""How much each run holds the answer: leverage, and the answer without the run.

An answer without a run is that of a refit from the optimum. One Newton step on the exact Hessian less the run is not
enough: along the valley of A and alpha the objective is too curved for one step, and for Huber's rho the Hessian rests
on the few runs inside its threshold (on simulated isoFLOP runs such steps went wrong by factors, refits by 1e-12). Of
many runs, only those with the largest first steps are refitted.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, Options, optimum, started_at
from scaling_cli.fit.optima import LAST
from scaling_cli.fit.questions import Question
from scaling_cli.fit.slopes import Cost
from scaling_cli.fit.solve import Optimum, Search, descend

Array = Any
WORK = 250_000  # runs times refits: about as long as the bootstrap takes
FEWEST_REFITS = 4  # however many runs there are
BLOCK = 64  # refits at a time
ABOVE = 3000  # runs times refits from above zero, in a block; ours
STEPS = 60
ARRIVED = 1e-6  # relative gradient at which a refit is done
PATIENT = Search(exact=False, steps=100, damping=0.1)
FROM_ABOVE = LAST._replace(steps=40, enough=1e-9)  # enough to tell which come to rest above zero; ours
CONFIRMED = 4  # refits that move the answer most, which are fitted anew from several starts
MOST_RUNS = 2000  # of more runs none is
STARTS = 4  # beside the optimum of the whole
NUDGE = 1e-5  # of an inner value, for the slope of the answer
NEARLY_ALL = 1e-3  # least part of a run that others determine too: a full leverage would make its step infinite


class Influence(NamedTuple):
    """For each run, (n,): leverage (its hat value), the relative move of the answer without it, whether refitted."""

    leverage: Array
    moves: Array
    refitted: Array


def influence(fit: Fit, question: Question) -> Influence:
    """Return the leverage of each run, and how far the answer moves when it is left out.

    Args:
        fit: a fit.
        question: the answer.
    """
    before = float(question.answers(fit.point.inner[None])[0])
    with np.errstate(all="ignore"):
        moves = np.expm1(_first_steps(fit) @ _slope(fit, question))
        chosen = _chosen(fit, moves)
        blocks = [chosen[i : i + BLOCK] for i in range(0, chosen.size, BLOCK)]
        inner = np.vstack([refits_without(fit, block) for block in blocks])
        moves[chosen] = question.answers(inner) / before - 1.0
        for i in _largest(moves[chosen], CONFIRMED if fit.sample.size <= MOST_RUNS else 0):
            moves[chosen[i]] = question.answers(_lower(fit, int(chosen[i]), inner[i])[None])[0] / before - 1.0
    refitted = np.zeros(moves.size, dtype=bool)
    refitted[chosen] = True
    return Influence(hat_values(fit), moves, refitted)


def hat_values(fit: Fit) -> Array:
    """Return the leverage of each run, (n,): how much of its own prediction it determines; they sum to k.

    Of the weighted least squares problem that has the same Gauss-Newton step: a run beyond Huber's threshold counts by
    the secant of rho. Source: Hoaglin and Welsch 1978, doi:10.1080/00031305.1978.10479237.
    """
    residuals = fit.residuals
    secant = fit.objective.rho(residuals, _threshold(fit)).secant
    return _squares(_rows(fit, fit.sample.weights * secant))


def places(fit: Fit) -> Array:
    """Return the leverage of each run, (n,), by its place alone, as of least squares; 1 where no other tells of it."""
    return _squares(_rows(fit, fit.sample.weights))


def refits_without(fit: Fit, runs: Array) -> Array:
    """Return inner values of refits that leave out one run each, (m, k), from their numbers (m,).

    They go by the fit's own second derivatives; those that these leave on the way, far from the fit, go on without.
    Where a coefficient ended at zero, it may be the run left out that put it there, and nothing leads away from zero:
    those without the runs that pull most start anew from above it.
    """
    weights = np.repeat(fit.sample.weights[None], runs.size, axis=0)
    weights[np.arange(runs.size), runs] = 0.0
    path = [Cost(fit.objective, weights, delta) for delta in _thresholds(fit)]
    curvature = fit.problem.curvature(fit.point.inner[None])[0]
    found = _down(fit, path, fit.point.inner, Search(exact=curvature, steps=STEPS, damping=0.0))
    if fit.point.vanished.any():
        some = _pulling(fit, runs)
        above = np.where(fit.point.vanished, fit.problem.starts, fit.point.inner)
        _keep_lower(found, _down(fit, [cost.part(some) for cost in path], above, FROM_ABOVE), some)
    late = np.flatnonzero(~(found.gradient <= ARRIVED))
    if fit.objective.delta > 0.0 and late.size:
        _keep_lower(found, descend(fit.problem, path[-1].part(late), found.inner[late], PATIENT), late)
    return found.inner


def _lower(fit: Fit, run: int, inner: Array) -> Array:
    """Return the lower of a refit without a run, inner values (k,), and the optimum from several starts."""
    others = fit.sample.part(np.arange(fit.sample.size) != run)
    try:
        problem, point = optimum(started_at(fit.form, fit.point), others, Options(fit.objective), starts=STARTS)
    except (InputError, NoAnswer):
        return inner
    value = float(fit.objective.value(problem.residuals(inner[None]), others.weights)[0])
    return point.inner if point.objective < value else inner


def _pulling(fit: Fit, runs: Array) -> Array:
    """Return which of some runs, by their places among these, the fit follows most: a few of many.

    Source: Cook 1977, Technometrics 19, 15-18: his distance, up to a factor.
    """
    leverage = places(fit)[runs]
    distances = fit.residuals[runs] ** 2 * leverage / np.maximum(1.0 - leverage, NEARLY_ALL) ** 2
    return np.argsort(-distances, kind="stable")[: max(FEWEST_REFITS, ABOVE // fit.sample.size)]


def _down(fit: Fit, path: Sequence[Cost], start: Array, search: Search) -> Optimum:
    """Return where a batch of refits comes by way of thresholds from inner values (k,)."""
    inner = np.repeat(start[None], len(path[0].weights), axis=0)
    for cost in path:
        found = descend(fit.problem, cost, inner, search)
        inner = found.inner
    return found


def _keep_lower(found: Optimum, again: Optimum, runs: Array) -> None:
    """Put refits, by their numbers (m,), where another search has found them lower."""
    lower = again.value < found.value[runs]
    for mine, other in zip(found, again, strict=True):
        mine[runs[lower]] = other[lower]


def _first_steps(fit: Fit) -> Array:
    """Return the first step of the coefficients when a run is left out, (n, k).

    With curvature from the middle half of the runs, as `uncertainty.analytic` has it.
    """
    residuals, weights = fit.residuals, fit.sample.weights
    _, first, second, _ = fit.objective.rho(residuals, _threshold(fit))
    if not fit.objective.is_smooth:
        first, second = fit.objective.smoothed(residuals)
    rows = _rows(fit, weights * second)
    _, triangle = np.linalg.qr(rows)
    _, jacobian = fit.problem.jacobian(fit.point.inner[None])
    inverse = np.linalg.pinv(triangle, rcond=1e-14)
    steps = (inverse @ (inverse.T @ jacobian[0])).T * (weights * first)[:, None]
    return steps / np.maximum(1.0 - _squares(rows), NEARLY_ALL)[:, None]


def _rows(fit: Fit, weights: Array) -> Array:
    """Return the Jacobian with each run times the root of its weight, (n, k)."""
    _, jacobian = fit.problem.jacobian(fit.point.inner[None])
    return (jacobian[0] * np.sqrt(weights)).T


def _squares(rows: Array) -> Array:
    """Return the diagonal of the projection on the columns of rows (n, k), those of zeros left out."""
    scale = np.linalg.norm(rows, axis=0)
    basis, _ = np.linalg.qr(rows[:, scale > 0.0] / scale[scale > 0.0])
    return (basis**2).sum(axis=1)


def _slope(fit: Fit, question: Question) -> Array:
    """Return the derivative of the answer's logarithm by each inner value, (k,)."""
    inner = fit.point.inner
    nudges = np.diag(NUDGE * np.maximum(np.abs(inner), 1.0))
    up, down = (np.log(question.answers(inner + sign * nudges)) for sign in (1.0, -1.0))
    return (up - down) / (2.0 * np.diagonal(nudges))


def _chosen(fit: Fit, moves: Array) -> Array:
    """Return the numbers of the runs to refit without: all of a few, else those with the largest first steps."""
    return np.sort(_largest(moves, max(FEWEST_REFITS, WORK // (moves.size * len(_thresholds(fit))))))


def _largest(moves: Array, count: int) -> Array:
    """Return the places of the largest moves, what is not finite among them."""
    size = np.where(np.isfinite(moves), np.abs(moves), np.inf)
    return np.argsort(-size, kind="stable")[:count]


def _thresholds(fit: Fit) -> list[float]:
    """Return the thresholds through which a refit comes down: absolute values need them, Huber's rho its own alone."""
    steps = fit.objective.thresholds(float(np.median(np.abs(fit.residuals))) or 1e-300)
    return steps if fit.objective.delta == 0.0 else steps[-1:]


def _threshold(fit: Fit) -> float:
    return _thresholds(fit)[-1]
