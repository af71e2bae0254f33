"""Draws of a law from the covariance of its fit alone, where no refits were asked for."""

from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from scaling_cli.fit.fits import Fit, values_at
from scaling_cli.fit.problems import TARGET
from scaling_cli.fit.slopes import Cost
from scaling_cli.fit.solve import Search, descend
from scaling_cli.fit.uncertainty import LEVEL, analytic, freedom

Array = Any
COUNT = 1000
KIND = "normal draws"
ENOUGH_RUNS = 1 << 8  # to tell the law of a draw; of more, so many are taken evenly
SEARCH = Search(exact=False, steps=30, damping=0.0, enough=1e-6)  # from the fit to a draw, whose predictions are given
VANISHED = (
    "{} ended at zero, and without refits nothing says how far from zero it may be: no interval of it, nor of "
    "exponents and optima, and that of a new run takes it for zero; --draws 1000 refits"
)
SINGULAR = "without refits no interval of what follows from the law: the covariance is not finite; --draws 1000 refits"


def with_normal_draws(fit: Fit) -> Fit:
    """Return a fit without refits with normal draws in their place, or with a note that says why there are none."""
    if fit.point.vanished.any():
        gone = [name for name, is_gone in zip(fit.problem.names, fit.point.vanished, strict=True) if is_gone]
        return fit._replace(notes=(*fit.notes, VANISHED.format(", ".join(gone))))
    covariance = analytic(fit.problem, fit.objective, fit.point, fit.sample.weights, fit.sample.groups)
    if not np.isfinite(covariance).all():
        return fit._replace(notes=(*fit.notes, SINGULAR))
    return fit._replace(draws=_draws(fit, covariance), kind=KIND)


def covariance_of(fit: Fit) -> dict[str, list[Any]]:
    """Return the covariance of the free coefficients as a preset states it: names, and a row for each."""
    matrix = fit.spread.covariance
    return {"names": list(fit.problem.names), "rows": (0.5 * (matrix + matrix.T)).tolist()}


def _draws(fit: Fit, covariance: Array) -> Array:
    """Return coefficients, (draws, names), whose predictions are normal around the fit's; the same each time.

    Normal steps of the coefficients themselves would leave the narrow valley of the objective where it bends, and
    predict losses that are too wide and to one side. So each step says how predictions differ, by their derivatives,
    and least squares find the coefficients for these, a refit without its noise. Steps are as long as Student's
    intervals ask for.
    """
    errors = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    scale = np.where(errors > 0.0, errors, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    axes = scale[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    k, share = len(axes), 0.5 + LEVEL / 2.0
    factor = float(stdtrit(freedom(fit.sample.size, k, fit.sample.group_count), share) / ndtri(share))
    steps = factor * np.random.default_rng(0).standard_normal((COUNT, k)) @ axes.T
    rows = values_at(fit.form, fit.problem, _followed(fit, steps))
    return rows[np.isfinite(rows).all(axis=1)]


def _followed(fit: Fit, steps: Array) -> Array:
    """Return inner values, (m, k), whose predictions differ from the fit's as steps (m, k) say by its derivatives."""
    every = slice(None, None, -(-fit.sample.size // ENOUGH_RUNS))
    runs, weights = fit.problem.part_of_runs(every), fit.sample.weights[every]
    if not fit.objective.is_smooth:
        weights = weights * fit.objective.smoothed(fit.residuals[every])[1]
    residuals, slopes = (part[0] for part in runs.jacobian(fit.point.inner[None]))
    moved = runs.with_targets(runs.data[TARGET] + residuals + steps @ slopes)
    squares = Cost(fit.objective._replace(delta=np.inf, above=1.0, below=1.0), weights, np.inf)
    with np.errstate(all="ignore"):
        return descend(moved, squares, np.repeat(fit.point.inner[None], len(steps), axis=0), SEARCH).inner
