"""How sure a fit is: covariance from its own curvature, intervals from refits."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit
from scaling_cli.fit.problems import Problem

Array = Any
LEVEL = 0.9
FEWEST_TRIED = 4  # runs a coefficient in the simulations behind `calibrated`


class Spread(NamedTuple):
    """Standard errors and interval ends of the coefficients, each (k,), and where they come from."""

    errors: Array
    low: Array
    high: Array
    covariance: Array
    source: str


def analytic(
    problem: Problem, objective: Objective, fit: PointFit, weights: Array, groups: Array | None = None
) -> Array:
    """Return the covariance of the inner values, (k, k).

    For squares with equal variance, s^2 (J'J)^-1; otherwise the sandwich H^-1 G H^-1, which asks nothing of the noise,
    or of the noise within groups where there are groups.

    Args:
        problem: residuals of the runs.
        objective: what was minimised.
        fit: its optimum.
        weights: (n,) of the runs.
        groups: (n,) of group numbers from 0, or None.

    Source: White 1980, doi:10.2307/1912934, with the factor n / (n - k) of MacKinnon and White 1985 (HC1); Liang and
    Zeger 1986, doi:10.1093/biomet/73.1.13 (groups), with G / (G - 1) besides.
    """
    _, jacobian = problem.jacobian(fit.inner[None])
    if not fit.vanished.any():
        return _covariance(jacobian[0], objective, fit.residuals, weights, groups)
    rest = ~fit.vanished  # zero is where those are, by their sign
    covariance = np.zeros((rest.size, rest.size))
    covariance[np.ix_(rest, rest)] = _covariance(jacobian[0][rest], objective, fit.residuals, weights, groups)
    return covariance


def _covariance(jacobian: Array, objective: Objective, residuals: Array, weights: Array, groups: Array | None) -> Array:
    """Return the covariance of coefficients from derivatives of residuals (n,) by them, (k, n), which it changes."""
    if groups is not None:
        return _of_groups(jacobian, objective, residuals, weights, groups)
    k, n = jacobian.shape
    if objective.is_smooth:
        variance = float((weights * residuals**2).sum()) / max(n - k, 1)
        jacobian *= np.sqrt(weights)  # in place: of many runs each array of this size counts
        return variance * _inverse_of_product(jacobian)
    first, second = objective.smoothed(residuals)
    bread = np.linalg.pinv((jacobian * (weights * second)) @ jacobian.T, rcond=1e-15, hermitian=True)
    meat = (jacobian * (weights * first) ** 2) @ jacobian.T
    return n / max(n - k, 1) * bread @ meat @ bread


def _of_groups(jacobian: Array, objective: Objective, residuals: Array, weights: Array, groups: Array) -> Array:
    """Return the sandwich of the sums of each group's scores."""
    k, n = jacobian.shape
    count = np.unique(groups).size
    first, second = (2.0 * residuals, np.array(2.0)) if objective.is_smooth else objective.smoothed(residuals)
    bread = np.linalg.pinv((jacobian * (weights * second)) @ jacobian.T, rcond=1e-15, hermitian=True)
    scores = np.stack([np.bincount(groups, row) for row in jacobian * (weights * first)])
    return n / max(n - k, 1) * count / max(count - 1, 1) * bread @ (scores @ scores.T) @ bread


def _inverse_of_product(rows: Array) -> Array:
    """Return (J J')^-1 for J (k, n) by its singular values, which keeps twice the digits of inverting the product."""
    scale = np.linalg.norm(rows, axis=1)
    _, singular, right = np.linalg.svd((rows / scale[:, None]).T, full_matrices=False)
    half = right.T / singular / scale[:, None]
    return half @ half.T


def spread_from_covariance(
    problem: Problem, fit: PointFit, covariance: Array, *,
    alone: Collection[str] = (), groups: int | None = None, level: float = LEVEL,
) -> Spread:  # fmt: skip
    """Return standard errors by the delta method, and Student intervals; NaN of a coefficient that ended at zero.

    Intervals of positive coefficients are on the log scale, but on their own, down to zero, of those that stand
    `alone`, predictions being linear in them. Ours, by simulation: where standard errors are as large as the values,
    90 % intervals of E held the truth in 88 to 98 % of fits so and in 66 to 84 % by logarithms, but of A and B in 83 %
    by their own scale and in 90 % by logarithms.
    """
    inner = np.where(fit.vanished, np.nan, np.sqrt(np.maximum(np.diagonal(covariance), 0.0)))
    factor = stdtrit(freedom(problem.size, len(inner), groups), 0.5 + level / 2.0)
    positive = problem.positive
    scale = np.where(positive, fit.values, 1.0)
    low, high = (problem.outer((fit.inner + sign * factor * inner)[None])[0] for sign in (-1.0, 1.0))
    half = factor * scale * inner
    own = positive & np.isin(problem.names, list(alone))
    low, high = np.where(own, np.maximum(fit.values - half, 0.0), low), np.where(own, fit.values + half, high)
    return Spread(scale * inner, low, high, covariance * np.outer(scale, scale), "analytic")


def spread_from_draws(draws: Array, *, level: float = LEVEL) -> Spread:
    """Return standard deviations and percentiles of refits, (draws, k) values.

    A standard deviation wider than the interval, three times what a normal's is, speaks of a few wild refits: NaN.
    """
    values = draws[np.isfinite(draws).all(axis=1)]
    low, high = np.quantile(values, [0.5 - level / 2.0, 0.5 + level / 2.0], axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # a refit may have run away
        covariance = np.atleast_2d(np.cov((values - values[0]).T))  # what is fixed has none, to the last digit
    errors = np.sqrt(np.diagonal(covariance))
    return Spread(np.where(errors > high - low, np.nan, errors), low, high, covariance, "bootstrap")


def widened(fit: PointFit, draws: Array, size: int, *, groups: int | None = None, level: float = LEVEL) -> Array:
    """Return refits spread out around the estimate for the few runs behind it.

    Refits of n runs with k coefficients vary by too little by sqrt(1 - k/n), and percentiles stand for the normal's
    where Student's are due, of as many degrees of freedom as runs less k, or groups less one where those are fewer;
    both matter below some 50 runs.
    """
    k = len(fit.inner)
    factor = np.sqrt(size / max(size - k, 1)) * _student_over_normal(freedom(size, k, groups), level)
    return _stretched(fit, draws, float(factor))


def calibrated(
    fit: PointFit, draws: Array, size: int, objective: Objective, *, groups: int | None = None, level: float = LEVEL
) -> Array:
    """Return refits on resampled runs, or groups of them, so far from the estimate that intervals hold what they say.

    Resampling n runs moves their places too, which makes up for what k coefficients take off the residuals: squares
    want Student's quantile alone. By absolute values refits jump from run to run and vary by too much, and are drawn in
    by sqrt(1 - sqrt(k/n)). Between the two, residuals outside Huber's threshold count as absolute values. Ours, from
    simulations such as benchmarks/calibration.py with 4 to 48 runs a coefficient; no theorem.

    Args:
        fit: the optimum.
        draws: (m, k) inner values of refits.
        size: n, the number of runs.
        objective: what was minimised.
        groups: how many groups were resampled; None where runs were.
        level: of the intervals.
    """
    k = len(fit.inner)
    outside = float((np.abs(fit.residuals) >= objective.delta).mean())
    squares = _student_over_normal(freedom(size, k, groups), level) ** 2
    absolute = 1.0 - np.sqrt(min(k / size, 1.0 / FEWEST_TRIED))
    factor = np.sqrt((1.0 - outside) * squares + outside * absolute)
    return _stretched(fit, draws, float(factor))


def _stretched(fit: PointFit, draws: Array, factor: float) -> Array:
    """Return refits as many times as far from the estimate, or as they are where that has a coefficient at zero.

    No distance from zero can be told in logarithms, and the other coefficients of a refit go with it.
    """
    return draws if fit.vanished.any() else fit.inner + factor * (draws - fit.inner)


def freedom(size: int, k: int, groups: int | None) -> int:
    """Return the degrees of freedom of the noise, at least 1."""
    return max(min(size - k, size if groups is None else groups - 1), 1)


def _student_over_normal(degrees: int, level: float) -> float:
    return float(stdtrit(degrees, 0.5 + level / 2.0) / stdtrit(1e9, 0.5 + level / 2.0))
