"""What is left in the residuals of a fit: their spread, their skew, and whether they follow compute."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.cuts import scales

Array = Any
CLEAR = 2.0  # standard errors of a mean beyond which its sign is no accident
FEWEST = 3  # runs, for a mean to have a standard error worth the name


class Pattern(NamedTuple):
    """The residuals of a fit, prediction less run; None where runs are too few or their sizes unknown.

    `sd` is their standard deviation with n - k degrees of freedom, `skew` their third standardised moment, `trend`
    their slope per decade of size and `trend_t` that slope in standard errors, `correlation` that of neighbours in
    size, and `largest` says whether the fit lies above or below the runs of the largest scale.
    """

    sd: float
    skew: float | None = None
    trend: float | None = None
    trend_t: float | None = None
    correlation: float | None = None
    largest: str | None = None


def pattern(residuals: Array, sizes: Array, *, coefficients: int) -> Pattern:
    """Return what is left in residuals.

    Args:
        residuals: (n,).
        sizes: of the runs, (n,), > 0; (0,) where unknown.
        coefficients: how many were fitted.
    """
    sd = float(np.sqrt((residuals**2).sum() / max(residuals.size - coefficients, 1)))
    centred = residuals - residuals.mean()
    square = float((centred**2).mean())
    if residuals.size < FEWEST or square == 0.0:
        return Pattern(sd)
    skew = float((centred**3).mean()) / square**1.5
    if not sizes.size or np.ptp(sizes) == 0.0:
        return Pattern(sd, skew)
    ordered = centred[np.argsort(sizes, kind="stable")]
    correlation = float(ordered[1:] @ ordered[:-1] / (ordered @ ordered))
    return Pattern(sd, skew, *_trend(centred, np.log10(sizes)), correlation, _side(residuals, sizes, sd))


def _trend(residuals: Array, decades: Array) -> tuple[float, float | None]:
    """Return the slope of a straight line through residuals whose mean is zero, and its t-statistic."""
    x = decades - decades.mean()
    slope = float(x @ residuals / (x @ x))
    rest = residuals - slope * x
    error = float(np.sqrt(rest @ rest / max(residuals.size - 2, 1) / (x @ x)))
    return slope, slope / error if error > 0.0 else None


def _side(residuals: Array, sizes: Array, sd: float) -> str | None:
    """Return the side of the largest runs on which the fit clearly lies."""
    top = residuals[sizes >= scales(sizes)[0]]
    mean = float(top.mean())
    if top.size < FEWEST or abs(mean) * top.size**0.5 <= CLEAR * sd:
        return None
    return "above" if mean > 0.0 else "below"
