"""Refits on resampled runs, all at once: what the coefficients would have been with other draws of the same noise."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from scaling_cli.errors import InputError
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit, settled
from scaling_cli.fit.problems import TARGET, Problem
from scaling_cli.fit.slopes import Cost
from scaling_cli.fit.solve import ELEMENTS, Optimum, Search, descend

Array = Any
METHODS = ("pairs", "wild")
BLOCK = 64  # refits of one seed at most
SEEDED = 1 << 15  # refits times runs of one seed at most
THREADS = 2
TINY = 1e-12  # spread of the residuals of a fit without noise
STEPS = 30
SMALL = 1e-3  # of the spread of residuals: below it absolute values count as squares in refits
ENOUGH = 1e-8  # relative gradient at which a refit is done
ARRIVED = 1e-6  # and above which it is followed further
ABOVE_ZERO = 1.0  # e-folds below its start, from where a coefficient that ended at zero is tried in refits
PATIENT = 150  # steps at most on the way there
WORK = 3e8  # numbers in all Jacobians of these steps together, of all refits, which bounds their time
DAMPING = 0.1  # of the first step, and at least after a step that failed; 1 is the curvature of squares
FLATTEST = 1e-7  # of the steepest axis: flatter ones are not stretched further
CLOSE = 1e-3  # of the way from the fit to a refit that may be left


def bootstrap(
    problem: Problem,
    objective: Objective,
    fit: PointFit,
    weights: Array,
    *,
    draws: int,
    seed: int,
    method: str = "pairs",
    groups: Array | None = None,
    progress: Callable[[int], None] | None = None,
) -> Array:
    """Return inner values of refits, (draws, k); the same for the same seed, whatever the machine.

    Args:
        problem: the fit's residuals.
        objective: what it minimised.
        fit: its optimum, where every refit starts.
        weights: (n,), how often each run counts.
        draws: how many refits.
        seed: of the resampling.
        method: `pairs` resamples runs (whole groups where groups are given); `wild` keeps the runs and flips the signs
            of their residuals (a group's together).
        groups: (n,) of group numbers from 0, or None.
        progress: told how many refits are done.

    Source: Efron 1979, doi:10.1214/aos/1176344552 (pairs); Wu 1986, doi:10.1214/aos/1176350142 (wild).
    """
    if method not in METHODS:
        raise InputError(f"no bootstrap named {method[:40]!r}", f"expected one of {', '.join(METHODS)}")
    search = _search(problem, objective, fit, weights)
    spread = float(np.median(np.abs(fit.residuals))) or TINY
    thresholds = _thresholds(objective, spread)
    member = np.arange(problem.size) if groups is None else groups
    clusters = int(member.max()) + 1
    width = max(1, min(BLOCK, SEEDED // problem.size))
    counts = [min(width, draws - first) for first in range(0, draws, width)]
    seeds = np.random.SeedSequence(seed).spawn(len(counts))
    room = ELEMENTS // (width * problem.size * len(fit.inner))
    together = max(1, min(room, -(-len(counts) // THREADS)))

    def refit(first: int) -> Array:
        pairs = zip(seeds[first : first + together], counts[first : first + together], strict=True)
        drawn = [_drawn(np.random.default_rng(seed), count, clusters, method=method) for seed, count in pairs]
        found = few(np.vstack(drawn)[:, member])
        if progress:
            progress(len(found))
        return found

    steps = int(np.clip(WORK / (draws * problem.size * len(fit.inner)), STEPS, PATIENT))
    patient = search._replace(exact=False, steps=steps, axes=None if fit.vanished.any() else search.axes)
    other = _from_zero(problem, Cost(objective, weights, thresholds[-1]), fit) if fit.vanished.any() else None

    def few(drawn: Array) -> Array:
        mine, counts = (problem, weights * drawn) if method == "pairs" else (_with_noise(problem, fit, drawn), weights)
        inner = np.repeat(fit.inner[None], len(drawn), axis=0)
        with np.errstate(all="ignore"):
            for delta in thresholds:
                cost = Cost(objective, counts, delta)
                found = descend(mine, cost, inner, search)
                inner = found.inner
            return _followed(found, mine, cost, patient, other)

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return np.vstack(list(pool.map(refit, range(0, len(counts), together))))


def _drawn(rng: np.random.Generator, count: int, clusters: int, *, method: str) -> Array:
    """Return how often each run or group is drawn, or the sign of its residuals, (count, clusters)."""
    if method == "pairs":
        return rng.multinomial(clusters, np.full(clusters, 1.0 / clusters), size=count)
    return rng.choice([-1.0, 1.0], size=(count, clusters))


def _from_zero(problem: Problem, cost: Cost, fit: PointFit) -> Array:
    """Return inner values, (k,), with coefficients that ended at zero well above it, and the others best for that.

    Nothing leads away from zero, and from close to it a valley may be long.
    """
    above = np.where(fit.vanished, problem.starts - ABOVE_ZERO, fit.inner)
    with np.errstate(all="ignore"):
        point: Array = settled(problem, cost, above[None], ~fit.vanished)[0]
    return point


def _followed(found: Optimum, problem: Problem, cost: Cost, search: Search, other: Array | None) -> Array:
    """Return refits, (batch, k), with those that have not arrived brought down further.

    Refits that stop on the way stay near the fit, and intervals come out too narrow. Two things hold them up: the fit's
    second derivatives mislead far from it, and where the noise is wider than the threshold, the objective has an edge
    at every run. Steps that measure the bend of the valley as they go, and count large residuals by the secant, pass
    both, at up to four times the price.

    Args:
        found: where they have come.
        problem: the residuals of each.
        cost: how these count.
        search: how to go on.
        other: (k,), another start for all of them, or None.
    """
    wanted = ~(found.gradient <= ARRIVED) if other is None else np.ones(len(found.inner), dtype=bool)
    if not wanted.any():
        return found.inner
    start = found.inner[wanted] if other is None else np.repeat(other[None], len(found.inner), axis=0)
    again = descend(problem.part(wanted), cost.part(wanted), start, search)
    lower = again.value < found.value[wanted]
    found.inner[np.flatnonzero(wanted)[lower]] = again.inner[lower]
    return found.inner


def _with_noise(problem: Problem, fit: PointFit, signs: Array) -> Problem:
    """Return the problem with its target moved to the prediction plus residuals of other signs, (batch, n)."""
    predicted = problem.data[TARGET] + fit.residuals
    return problem.with_targets(predicted - signs * fit.residuals)


def _thresholds(objective: Objective, spread: float) -> list[float]:
    """Return the thresholds of a refit: its own alone, since it starts near; absolute values down to a small one."""
    own = objective.thresholds(spread)
    return own[-1:] if objective.delta > 0.0 else [step for step in own if step > SMALL * spread]


def _search(problem: Problem, objective: Objective, fit: PointFit, weights: Array) -> Search:
    """Return how refits descend: along the axes of the normal matrix at the fit, with the second derivatives there."""
    search = Search(exact=False, steps=STEPS, damping=0.0, enough=ENOUGH, close=CLOSE)
    if objective.is_smooth:
        return search
    spread = float(np.median(np.abs(fit.residuals))) or TINY  # the middle half of the runs tells the curvature
    rows = problem.jacobian(fit.inner[None])[1][0] * np.sqrt(weights * objective.rho(fit.residuals, spread).second)
    free = np.eye(len(fit.inner))[:, ~fit.vanished]
    scale = np.maximum(np.linalg.norm(rows[~fit.vanished], axis=1), TINY)
    _, singular, right = np.linalg.svd((rows[~fit.vanished] / scale[:, None]).T, full_matrices=False)
    axes = free @ (right.T / np.maximum(singular, FLATTEST * singular[0]) / scale[:, None])
    curvature = problem.curvature(fit.inner[None])[0]
    return search._replace(exact=curvature, axes=axes, damping=DAMPING, careful=DAMPING)
