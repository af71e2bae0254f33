"""What both methods without a formula find: the best run of each of several budgets, and how sure it is."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.compute import FLOPS_PER_PARAM_AND_TOKEN, training_flops
from scaling_cli.fit.power_laws import Measured
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
CLOSES = 0.02  # relative distance from 6ND below which FLOPs are 6ND, rounded
OPEN = 0.5 - LEVEL / 2.0  # share of refits at the end of the runs beyond which an interval has no end there


class Minimum(NamedTuple):
    """The least loss of one budget, or why there is none.

    `runs` counts those it is read from. An end of an interval is None where the runs do not hold it.
    """

    flops: float | None
    runs: int
    params: float | None = None
    params_low: float | None = None
    params_high: float | None = None
    tokens: float | None = None
    loss: float | None = None
    loss_low: float | None = None
    loss_high: float | None = None
    bracketed: bool = False
    reason: str = ""


class Left(NamedTuple):
    """Runs left out for one reason: their numbers in the sample."""

    reason: str
    runs: tuple[int, ...]


class Minima(NamedTuple):
    """The minima of a set of runs.

    Fields:
        rows: every budget, or every curve, bracketed or not.
        log_flops, log_params, loss: of the bracketed ones, (m,) each.
        flops_are_exact: whether noise moves the params of a budget (isoflop) or the budget of a size (envelope).
        flops_per_token: factor F and power p of FLOPs = F * N**p * D.
        residuals: (n,) of runs around their valley or curve, relative to the loss.
        left: runs not used.
        notes: what else to know.
    """

    rows: tuple[Minimum, ...]
    log_flops: Measured
    log_params: Measured
    loss: Measured
    flops_are_exact: bool
    flops_per_token: tuple[float, float]
    residuals: Array
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()

    def part(self, keep: Array) -> "Minima":
        """Return some of the bracketed minima, by a mask (m,), and none of the others."""
        bracketed = [row for row in self.rows if row.bracketed]
        rows = tuple(row for row, kept in zip(bracketed, keep, strict=True) if kept)
        flops, params, loss = (quantity.part(keep) for quantity in (self.log_flops, self.log_params, self.loss))
        return Minima(rows, flops, params, loss, self.flops_are_exact, self.flops_per_token, self.residuals)


def flops_per_token(sample: Sample) -> tuple[float, float]:
    """Return factor F and power p of FLOPs = F * N**p * D; 6 and 1 where the FLOPs are 6ND within 2 %."""
    params, tokens, flops = (sample.data[name] for name in "NDC")
    if (np.abs(np.log(flops / training_flops(params, tokens))) < CLOSES).all():
        return FLOPS_PER_PARAM_AND_TOKEN, 1.0
    size = np.log(params)
    middle = size.mean()
    power, level = np.polyfit(size - middle, np.log(flops / tokens), 1, w=np.sqrt(sample.weights))
    return float(np.exp(level - power * middle)), float(power)


def tokens_at(flops: float, params: float, rule: tuple[float, float]) -> float:
    """Return the tokens that a budget leaves for params."""
    factor, power = rule
    tokens: float = flops / (factor * params**power)
    return tokens


def ends(draws: Array, low: float, high: float) -> tuple[float | None, float | None]:
    """Return the ends of the interval of refits, (draws,); None where more than a twentieth stop at an end of the runs.

    Args:
        draws: of a quantity that cannot leave the runs.
        low: its least value there.
        high: its largest.
    """
    if not draws.size:
        return None, None
    under, over = (float(end) for end in np.quantile(draws, [OPEN, 1.0 - OPEN]))
    return (under if under > low else None), (over if over < high else None)
