"""What a fit minimises: residuals on the target or on its logarithm, and how much a large one counts.

Which to use: `huber-log`, the objective of Hoffmann et al. 2022 (section D.2), for losses with a few bad runs;
`ls-log` for clean ones; `ls` for NIST's problems and anything with additive noise; `lad-log` and `lad` when a third of
the runs may be wrong; a quantile for an envelope.
"""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.errors import InputError

Array = Any
NAMES = ("huber-log", "ls-log", "ls", "lad-log", "lad")
TINY = 1e-300
DELTA = 1e-3  # Hoffmann et al. 2022, section D.2


class Rho(NamedTuple):
    """What residuals count, its first and second derivative by them, and first / residual (even at zero)."""

    value: Array
    first: Array
    second: Array
    secant: Array


class Objective(NamedTuple):
    """A sum over runs of weight * rho(residual).

    `delta` is where Huber's rho turns from a square into a line; 0 stands for absolute values, inf for squares.
    `above` and `below` weigh residuals of either sign (prediction above or below the run). People are told a sum in
    units of `unit`; everything that searches or infers takes it as it is minimised.
    """

    name: str
    log: bool
    delta: float
    above: float = 1.0
    below: float = 1.0
    unit: float = 1.0

    @property
    def is_smooth(self) -> bool:
        """Whether it is a sum of squares."""
        return self.delta == np.inf

    def value(self, residuals: Array, weights: Array) -> Array:
        """Return the objective: (..., n) and weights that broadcast to (...,).

        Squares count as r**2, Huber's as r**2 / 2 inside delta, absolute values as |r|.
        """
        return (self._side(residuals) * self._size(residuals) * weights).sum(axis=-1)

    def told(self, value: float) -> float:
        """Return a value of the objective as its literature counts it: half of what is minimised, for a quantile.

        A quantile is minimised so that the middle one is absolute values; its pinball loss is the sum of
        max(q r, (q - 1) r), r the run less the prediction.

        Source: Koenker and Bassett 1978, doi:10.2307/1913643.
        """
        return value / self.unit

    def rho(self, residuals: Array, delta: float) -> Rho:
        """Return rho and its slopes, with a threshold that may be wider than the objective's."""
        side = self._side(residuals)
        if delta == np.inf:
            secant = 2.0 * side * np.ones_like(residuals)
            return Rho(side * residuals**2, secant * residuals, secant, secant)
        size = np.abs(residuals)
        if delta == 0.0:
            return Rho(side * size, side * np.sign(residuals), np.zeros_like(size), side / np.maximum(size, TINY))
        scale = side if self.delta > 0.0 else side / delta  # absolute values are approached as Huber / delta
        inner = np.minimum(size, delta)
        secant = scale * delta / np.maximum(size, delta)
        return Rho(scale * inner * (size - 0.5 * inner), secant * residuals, scale * (size <= delta), secant)

    def smoothed(self, residuals: Array) -> tuple[Array, Array]:
        """Return rho's slope at residuals (n,), and its second derivative as the middle half of the runs sees it.

        The few runs inside delta say too little of the curvature; where all are inside it is that of squares.
        """
        spread = float(np.median(np.abs(residuals))) or TINY
        last, wide = self.thresholds(spread)[-1], max(self.delta, spread)
        down, up = self.rho(np.array([-wide, wide]), last).first
        return self.rho(residuals, last).first, (np.abs(residuals) <= wide) * (up - down) / (2.0 * wide)

    def _side(self, residuals: Array) -> Array | float:
        """Return the weight of each residual's side."""
        return self.above if self.above == self.below else self.below + (self.above - self.below) * (residuals > 0.0)

    def _size(self, residuals: Array) -> Array:
        if self.is_smooth:
            return residuals**2
        size = np.abs(residuals)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner) if self.delta > 0.0 else size

    def thresholds(self, spread: float) -> list[float]:
        """Return the thresholds through which to come down to the objective's own, from residuals of a given spread."""
        if self.is_smooth:
            return [np.inf]
        last = self.delta if self.delta > 0.0 else 1e-7 * spread
        steps = [spread]
        while steps[-1] > 3.0 * last:
            steps.append(steps[-1] / 3.0)
        return [*(step for step in steps if step > last), last]


def objective(name: str, delta: float = DELTA, quantile: float | None = None) -> Objective:
    """Return the objective of a name.

    Args:
        name: one of NAMES.
        delta: Huber's threshold, in units of the residual.
        quantile: the share of runs that should lie below the curve, instead of the middle: 0.1 is a lower envelope.

    Raises: InputError for an unknown name, a threshold that is not positive or a quantile outside 0 to 1.
    """
    if name not in NAMES:
        raise InputError(f"no objective named {name[:40]!r}", f"expected one of {', '.join(NAMES)}")
    if not delta > 0.0:
        raise InputError(f"--delta is {delta:g}", "expected a threshold greater than zero, such as 1e-3")
    kind, log = name.removesuffix("-log"), name.endswith("-log")
    if quantile is not None:
        if not 0.0 < quantile < 1.0:
            raise InputError(f"--quantile is {quantile:g}", "expected a share between 0 and 1, such as 0.1")
        # a prediction above the run costs 1 - q, one below costs q: then a share q of the runs lies below
        name = f"quantile-{quantile:g}{'-log' if log else ''}"
        return Objective(name, log, 0.0, above=2.0 * (1.0 - quantile), below=2.0 * quantile, unit=2.0)
    return Objective(name, log, {"huber": delta, "ls": np.inf, "lad": 0.0}[kind])
