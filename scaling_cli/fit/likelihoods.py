"""How likely runs are under a fit: the density that belongs to each objective, and Akaike's criterion.

Minimising an objective is maximising a likelihood: the normal one for squares, Laplace's for absolute values, its
lopsided relative for a quantile, and exp(-rho(r) / scale), normalised, for Huber's. The scale is set to its best.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.search import find_root
from scaling_cli.fit.objectives import Objective

Array = Any
DENSITIES = {"ls": "normal", "lad": "Laplace", "huber": "Huber", "quantile": "asymmetric Laplace"}


class Criterion(NamedTuple):
    """Akaike's information criterion, and with the correction for few runs; None where it does not exist."""

    aic: float | None
    aicc: float | None


def density_of(objective: Objective) -> str:
    """Return the name of the density that belongs to an objective."""
    return DENSITIES[objective.name.split("-")[0]]


def criterion(objective: Objective, value: float, target: Array, *, weights: Array, coefficients: int) -> Criterion:
    """Return AIC and AICc of a fit; the scale counts as a coefficient.

    Args:
        objective: what was minimised.
        value: its minimum.
        target: (n,), what was predicted; for logarithms its density is counted, so that all objectives compare.
        weights: (n,), how often each run counts.
        coefficients: how many were free.

    Source: Akaike 1974, doi:10.1109/TAC.1974.1100705; Hurvich and Tsai 1989, doi:10.1093/biomet/76.2.297.
    """
    count, k = float(weights.sum()), coefficients + 1
    if not value > 0.0:
        return Criterion(None, None)
    deviance = 2.0 * _negative_log_likelihood(objective, value, count)
    deviance += 2.0 * float(weights @ np.log(target)) if objective.log else 0.0
    aic = deviance + 2.0 * k
    freedom = count - k - 1.0
    return Criterion(aic, aic + 2.0 * k * (k + 1.0) / freedom if freedom > 0.0 else None)


def _negative_log_likelihood(objective: Objective, value: float, count: float) -> float:
    """Return the negative log likelihood of the residuals at the best scale."""
    mean = value / count
    if objective.is_smooth:
        return 0.5 * count * (math.log(2.0 * math.pi * mean) + 1.0)
    if objective.delta == 0.0:
        return count * (math.log(mean * (1.0 / objective.above + 1.0 / objective.below)) + 1.0)
    unit = mean / objective.delta**2  # residuals in units of delta
    x = math.exp(find_root(lambda y: _mean_rho(math.exp(y)) - unit, math.log(0.5 * unit), math.log(4.0 * unit + 4.0)))
    return count * (math.log(objective.delta * _normaliser(x)) + unit / x)


def _normaliser(x: float) -> float:
    """Return the integral of exp(-h(u) / x), where h is Huber's rho with a threshold of one."""
    return math.sqrt(2.0 * math.pi * x) * math.erf(1.0 / math.sqrt(2.0 * x)) + 2.0 * x * math.exp(-0.5 / x)


def _mean_rho(x: float) -> float:
    """Return the mean of h under that density, x**2 d(log normaliser)/dx; it grows with x."""
    middle = 0.5 * math.sqrt(2.0 * math.pi * x) * math.erf(1.0 / math.sqrt(2.0 * x))
    return x * (middle + 2.0 * x * math.exp(-0.5 / x)) / _normaliser(x)
