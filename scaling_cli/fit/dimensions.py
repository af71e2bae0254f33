"""The intrinsic dimension of data that an exponent implies, where a law is a power of params or of tokens alone."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
FOUR = 4.0  # d = 4 / exponent
PLENTY = 1e250  # as good as infinite, and the product of six of it and a count is still a double
POINTS = np.array([1e3, 1e5, 1e7])  # where the exponent is taken; a power has one exponent everywhere
SAME = 1e-6  # relative difference of two exponents that are one
MANY = 20  # draws, for an interval
SOURCES = {
    "params": "4 / exponent in params where data are plentiful: Sharma and Kaplan 2020, arXiv:2004.10802, abstract",
    "tokens": "4 / exponent in tokens where params are plentiful, the resolution-limited regime of Bahri et al. 2021, "
    "arXiv:2102.06701; that the constant is 4 there too is unverified, and the theory counts samples, not tokens",
}
VARIANCE_LIMITED = "an exponent of 1 or more is the variance-limited regime of Bahri et al. 2021, which knows no d"


class Dimension(NamedTuple):
    """The dimension that a power of one variable implies, with its interval by the refits; None and a note if none."""

    variable: str
    exponent: float | None = None
    exponent_low: float | None = None
    exponent_high: float | None = None
    dimension: float | None = None
    dimension_low: float | None = None
    dimension_high: float | None = None
    source: str = ""
    notes: tuple[str, ...] = ()


def dimensions(fit: Fit, *, level: float = LEVEL) -> list[Dimension]:
    """Return what the exponents of a fitted loss imply, for params and for tokens.

    Args:
        fit: a fit.
        level: of the intervals.
    """
    return [_dimension(fit, letter, word, level=level) for letter, word in (("N", "params"), ("D", "tokens"))]


def _dimension(fit: Fit, letter: str, word: str, *, level: float) -> Dimension:
    data = fit.sample.data.keys()
    if letter not in data or not data <= {"N", "D"}:
        return Dimension(word, notes=(f"the form is no loss in {word}, or has other variables beside",))
    exponent = float(_exponents(fit, fit.point.inner[None], letter)[0])
    if not exponent > 0.0:
        return Dimension(word, notes=(f"where the rest is plentiful, the loss is no power of {word} above a floor",))
    ends: list[float | None] = [None, None]
    if len(fit.draws):
        with np.errstate(divide="ignore"):  # a refit may have a coefficient at zero
            refits = fit.problem.inner(fit.draws[:, : len(fit.point.inner)])
        drawn = _exponents(fit, refits, letter)
        drawn = drawn[drawn > 0.0]
        if drawn.size >= max(MANY, 0.95 * len(fit.draws)):
            ends = np.quantile(drawn, [0.5 - level / 2.0, 0.5 + level / 2.0]).tolist()
    low, high = ends
    notes = (VARIANCE_LIMITED,) if exponent >= 1.0 else ()
    return Dimension(
        word, exponent, low, high, FOUR / exponent, FOUR / high if high else None, FOUR / low if low else None,
        SOURCES[word], notes,
    )  # fmt: skip


def _exponents(fit: Fit, inner: Array, letter: str) -> Array:
    """Return the exponent of the loss above its floor in one variable, (m,) of (m, k); NaN where it is no power."""
    points = np.append(POINTS, PLENTY)
    data = {name: points if name == letter else np.full(points.size, PLENTY) for name in fit.sample.data}
    with np.errstate(all="ignore"):
        losses = fit.problem.predictions(inner, data)
        above = np.log(losses[:, :-1] - losses[:, -1:])
        slopes = -np.diff(above, axis=1) / np.diff(np.log(POINTS))
        return np.where(np.ptp(slopes, axis=1) <= SAME * np.abs(slopes[:, 0]), slopes.mean(axis=1), np.nan)
