"""Refits on resampled runs, all at once: what the coefficients would have been with other draws of the same noise."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from scaling_cli.errors import InputError
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit
from scaling_cli.fit.problems import TARGET, Problem
from scaling_cli.fit.solve import descend

Array = Any
METHODS = ("pairs", "wild")
BLOCK = 64  # refits at a time: their arrays stay in the processor's cache
STEPS = 40


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
    curvature = problem.curvature(fit.inner[None])[0]
    member = np.arange(problem.size) if groups is None else groups
    clusters = int(member.max()) + 1
    blocks = range(0, draws, BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(len(blocks))

    def refit(block: int) -> Array:
        rng = np.random.default_rng(seeds[block])
        count = min(BLOCK, draws - block * BLOCK)
        mine, counts = problem, weights
        if method == "pairs":
            counts = weights * rng.multinomial(clusters, np.full(clusters, 1.0 / clusters), size=count)[:, member]
        else:
            mine = _with_noise(problem, fit, rng.choice([-1.0, 1.0], size=(count, clusters))[:, member])
        start = np.repeat(fit.inner[None], count, axis=0)
        delta = objective.thresholds(float(np.median(np.abs(fit.residuals))))[-1]
        with np.errstate(all="ignore"):
            found = descend(
                mine, objective, start, np.asarray(counts, dtype=float), delta=delta, exact=curvature, steps=STEPS
            )
        if progress:
            progress(count)
        return found.inner

    with ThreadPoolExecutor(max_workers=2) as pool:
        return np.vstack(list(pool.map(refit, range(len(blocks)))))


def _with_noise(problem: Problem, fit: PointFit, signs: Array) -> Problem:
    """Return the problem with its target moved to the prediction plus residuals of other signs, (batch, n)."""
    predicted = problem.data[TARGET] + fit.residuals
    return problem.with_targets(predicted - signs * fit.residuals)
