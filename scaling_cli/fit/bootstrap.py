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
EDGY, EDGY_STEPS = 3, 12  # with fewer runs inside the threshold per coefficient, more steps lead nowhere
SMALL = 1e-3  # of the spread of residuals: below it absolute values count as squares in refits
ENOUGH = 1e-8  # relative gradient at which a refit is done
ARRIVED = 1e-4  # and above which it is followed further
NEARLY = 1e-6  # and at which it need not be
ABOVE_ZERO = 1.0  # e-folds below its start, from where a coefficient that ended at zero is tried in refits
PATIENT = 300  # steps at most on the way there
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
) -> Optimum:
    """Return where refits ended, a batch of draws; the same for the same seed, whatever the machine.

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
    member = np.arange(problem.size) if groups is None else groups
    refits = _Refits(problem, objective, fit, weights, _Draws(draws, seed, method, member))

    def first(numbers: Array) -> Optimum:
        found = refits.first(numbers)
        if progress:
            progress(int((~refits.is_wanted(found)).sum()))
        return found

    def follow(numbers: Array) -> None:
        refits.follow(numbers, found)
        if progress:
            progress(len(numbers))

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        parts = list(pool.map(first, refits.parts(np.arange(draws))))
        found = Optimum(*map(np.concatenate, zip(*parts, strict=True)))
        list(pool.map(follow, refits.parts(np.flatnonzero(refits.is_wanted(found)))))
    return found


class _Draws:
    """What is resampled for each refit, by its number; the same for the same seed.

    Args:
        count: how many refits.
        seed: of all.
        method: `pairs` or `wild`.
        member: (n,), the number from 0 of what each run is drawn with.
    """

    def __init__(self, count: int, seed: int, method: str, member: Array) -> None:
        self.count, self.method, self.member = count, method, member
        self.clusters = int(member.max()) + 1
        self.width = max(1, min(BLOCK, SEEDED // len(member)))
        self.seeds = np.random.SeedSequence(seed).spawn(-(-count // self.width))

    def of(self, numbers: Array) -> Array:
        """Return how often each run is drawn, or the sign of its residual, for refits by ascending number, (m, n)."""
        blocks = numbers // self.width
        rows = [self._block(int(i))[numbers[blocks == i] - i * self.width] for i in np.unique(blocks)]
        return np.vstack(rows)[:, self.member]

    def _block(self, number: int) -> Array:
        rng = np.random.default_rng(self.seeds[number])
        size = min(self.width, self.count - number * self.width)
        if self.method == "pairs":
            return rng.multinomial(self.clusters, np.full(self.clusters, 1.0 / self.clusters), size=size)
        return rng.choice([-1.0, 1.0], size=(size, self.clusters))


class _Refits:
    """Refits of one fit: all go as the fit's own curvature leads, and those that this leaves on the way go on.

    Refits that stop on the way stay near the fit, and intervals come out too narrow. Two things hold them up: the fit's
    second derivatives mislead far from it, and where the noise is wider than the threshold, the objective has an edge
    at every run. Steps that measure the bend of the valley as they go, and count large residuals by the secant, pass
    both, at up to four times the price. Those from a coefficient at zero all go on, from well above it.
    """

    def __init__(self, problem: Problem, objective: Objective, fit: PointFit, weights: Array, draws: _Draws) -> None:
        self.problem, self.objective, self.fit, self.weights, self.draws = problem, objective, fit, weights, draws
        self.search = _search(problem, objective, fit, weights)
        self.thresholds = _thresholds(objective, float(np.median(np.abs(fit.residuals))) or TINY)
        if objective.delta > 0.0 and (np.abs(fit.residuals) <= self.thresholds[-1]).sum() < EDGY * len(fit.inner):
            self.search = self.search._replace(steps=EDGY_STEPS)
        each = problem.size * len(fit.inner)
        steps = int(np.clip(WORK / (draws.count * each), STEPS, PATIENT))
        self.patient = self.search._replace(exact=False, steps=steps, enough=NEARLY)
        self.start: Array | None = None
        if fit.vanished.any():
            self.start = _from_zero(problem, Cost(objective, weights, self.thresholds[-1]), fit)
            self.patient = self.patient._replace(axes=None)
        self.together = max(draws.width, ELEMENTS // each)

    def parts(self, numbers: Array) -> list[Array]:
        """Return refits by number in parts for one thread each."""
        size = max(1, min(self.together, -(-len(numbers) // THREADS)))
        return [numbers[i : i + size] for i in range(0, len(numbers), size)]

    def is_wanted(self, found: Optimum) -> Array:
        """Return which refits are to go on, (batch,)."""
        return ~(found.gradient <= ARRIVED) | (self.start is not None)

    def first(self, numbers: Array) -> Optimum:
        """Return where refits come by the fit's curvature."""
        mine, counts = self._sampled(numbers)
        inner = np.repeat(self.fit.inner[None], len(numbers), axis=0)
        with np.errstate(all="ignore"):
            for delta in self.thresholds:
                found = descend(mine, Cost(self.objective, counts, delta), inner, self.search)
                inner = found.inner
        return found

    def follow(self, numbers: Array, found: Optimum) -> None:
        """Bring refits further down, from where they have come, or from above zero; they stay where that is lower."""
        mine, counts = self._sampled(numbers)
        if self.draws.method == "pairs":
            mine, counts = _without_unused(mine, counts)
        inner = found.inner[numbers] if self.start is None else np.repeat(self.start[None], len(numbers), axis=0)
        with np.errstate(all="ignore"):
            again = descend(mine, Cost(self.objective, counts, self.thresholds[-1]), inner, self.patient)
        lower = again.value < found.value[numbers]
        for mine_found, mine_again in zip(found, again, strict=True):
            mine_found[numbers[lower]] = mine_again[lower]

    def _sampled(self, numbers: Array) -> tuple[Problem, Array]:
        """Return the problem of refits, and how often runs count."""
        drawn = self.draws.of(numbers)
        if self.draws.method == "pairs":
            return self.problem, self.weights * drawn
        return _with_noise(self.problem, self.fit, drawn), self.weights


def _without_unused(problem: Problem, counts: Array) -> tuple[Problem, Array]:
    """Return each refit's own runs and how often they count, without most of the third that was not drawn."""
    most = int((counts > 0.0).sum(axis=1).max())
    runs = np.argsort(counts <= 0.0, axis=1, kind="stable")[:, :most]
    return problem.part_of_runs(runs), np.take_along_axis(counts, runs, axis=1)


def _from_zero(problem: Problem, cost: Cost, fit: PointFit) -> Array:
    """Return inner values, (k,), with coefficients that ended at zero well above it, and the others best for that.

    Nothing leads away from zero, and from close to it a valley may be long.
    """
    above = np.where(fit.vanished, problem.starts - ABOVE_ZERO, fit.inner)
    with np.errstate(all="ignore"):
        point: Array = settled(problem, cost, above[None], ~fit.vanished)[0]
    return point


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
