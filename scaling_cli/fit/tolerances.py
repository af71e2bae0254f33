"""How far two workings-out of one fit may lie apart, and whether two machines work to the same last digit."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.frontiers import FrontierFit
from scaling_cli.fit.optima import EXACT

Array = Any
# The objective is flat at its optimum, so that only the rounding of a sum over runs moves it: 2e-16 for each of them.
OBJECTIVE = 1e-9
# Of a standard error: where a relative gradient of 1e-9 counts as zero, a coefficient is within 1e-9 sqrt(n) of them.
COEFFICIENT = 1e-6
ROUNDING = 1e-9  # relative, of a coefficient that runs without noise determine to the last digits
SIGMAS = 4.0  # Monte Carlo standard errors between two quantiles that count as one: 6e-5 by chance


def objective_tolerance(fit: Fit | FrontierFit) -> float:
    """Return by how much, relative to it, the objective may differ; all of it where there is no noise but rounding."""
    if isinstance(fit, FrontierFit):
        return OBJECTIVE
    smallest = np.full(fit.sample.size, EXACT * max(1.0, float(np.abs(fit.sample.target).max())))
    exact = float(fit.objective.value(smallest, fit.sample.weights))
    return max(OBJECTIVE, exact / max(fit.point.objective, 1e-300))


def coefficient_tolerances(fit: Fit | FrontierFit) -> list[float]:
    """Return by how much, relative to them, the coefficients may differ, (k,)."""
    size = np.maximum(np.abs(fit.values), 1e-300)
    found: list[float] = np.fmax(COEFFICIENT * fit.spread.errors / size, ROUNDING).tolist()
    return found


def quantile_errors(rows: Sequence[Sequence[float]], share: float) -> tuple[Array, Array]:
    """Return a quantile of refits (m, k), and how far that of m others may lie from it, (k,) each.

    The error is the spread of the order statistics that the quantile of another sample falls between.
    """
    values = np.asarray(rows, dtype=float)
    step = SIGMAS * np.sqrt(2.0 * share * (1.0 - share) / len(values))
    below, middle, above = np.quantile(values, np.clip([share - step, share, share + step], 0.0, 1.0), axis=0)
    return middle, np.maximum(above - middle, middle - below)


def arithmetic() -> str:
    """Return a checksum of the last digits of the functions that fits use: machines that share it agree in all bits.

    numpy takes its logarithms and exponentials by whatever instructions a processor has.
    """
    x = np.geomspace(1e-3, 1e3, 512)
    matrix = np.sin(np.outer(np.arange(1.0, 6.0), x))
    product = matrix @ matrix.T
    parts = np.exp(-x), np.log(x), x**0.34, product, *np.linalg.eigh(product)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:12]
