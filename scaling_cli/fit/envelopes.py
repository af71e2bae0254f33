"""The lower envelope of training curves: for each budget the model that reaches the lowest loss with it.

Hoffmann et al. 2022 (arXiv:2203.15556, section 3.1, approach 1) smooth each curve, ask every curve for its loss at
budgets on a logarithmic grid, and take the lowest. A size holds the envelope over a stretch of budgets, and is the best
size at the middle of that stretch: to fit all grid points instead would count one size many times. A stretch counts
only where it begins and ends by one curve passing another, with curves of smaller and of larger models beside it.

Smoothing is by local parabolas of ln loss over ln flops. Unlike a moving average these leave a bent curve where it is,
so no size is lifted more than another; and the lowest of smooth curves is not the lowest noise.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.curves import Curve, Thinned, curves_of, smooth_curve, thin, with_noise
from scaling_cli.fit.minima import Left, Minima, Minimum, ends, flops_per_token, tokens_at
from scaling_cli.fit.power_laws import Measured
from scaling_cli.fit.samples import Sample

Array = Any
GRID = 400  # budgets
FEWEST_POINTS = 5  # of a curve: a parabola, and two to spare
REFITS = 200  # behind the standard errors that weigh the stretches, whatever --draws is
BLOCK = 50  # refits at a time: their curves fill memory
UNFINISHED = (
    "a point of a curve whose learning rate has not come down lies above what a run that ends there reaches: "
    "the envelope of such points is none of finished runs"
)


class Envelope(NamedTuple):
    """Smoothed curves on a grid of budgets, and the sizes among them.

    Fields:
        curves: ascending by size.
        sizes: (s,) params, ascending, each once.
        number: (curves,) which size each curve is of.
        grid: (grid,), ln flops.
        middle: (s,), ln flops at the middle of each size's stretch; NaN where it has none.
        reasons: why a size has none.
    """

    curves: list[Curve]
    sizes: Array
    number: Array
    grid: Array
    middle: Array
    reasons: list[str]

    @property
    def found(self) -> Array:
        """The numbers of the sizes with a stretch, (m,)."""
        return np.flatnonzero(np.isfinite(self.middle))

    def by_size(self, smooth: Iterable[Array], draws: int) -> Array:
        """Return the lowest curve of each size, (draws, s, grid), infinite where none reaches.

        Args:
            smooth: the losses of each curve at the budgets it covers, (draws, covered).
            draws: how many.
        """
        lowest = np.full((draws, self.sizes.size, self.grid.size), np.inf)
        for curve, k, losses in zip(self.curves, self.number, smooth, strict=True):
            part = lowest[:, k, curve.covers]
            np.minimum(part, losses, out=part)
        return lowest


def envelope_minima(sample: Sample, *, draws: int, seed: int) -> Minima:
    """Return the middle of each size's stretch of the lower envelope.

    Args:
        sample: points of training curves with N, D and C, and the loss as target; the points of one size, and where
            there are groups of one group, are a curve.
        draws: how many refits.
        seed: of their noise.
    """
    members = curves_of(sample)
    thinned = thin(sample, members)
    is_long = [points[0].size >= FEWEST_POINTS for points in thinned]
    short = [int(run) for points, fits in zip(members, is_long, strict=True) if not fits for run in points]
    left = (Left(f"its curve has points at fewer than {FEWEST_POINTS} budgets", tuple(short)),) if short else ()
    long = [points for points, fits in zip(members, is_long, strict=True) if fits]
    if not long:
        nothing = Measured(np.empty(0), np.empty(0), np.empty((draws, 0)))
        return Minima((), nothing, nothing, nothing, False, (6.0, 1.0), np.empty(0), left)
    envelope = _envelope(sample, long, [points for points, fits in zip(thinned, is_long, strict=True) if fits])
    rule = flops_per_token(sample.part(np.concatenate(long)))
    log_flops, loss = _measured(envelope, draws=draws, seed=seed)
    exact = np.log(envelope.sizes[envelope.found])
    log_params = Measured(exact, np.zeros(exact.size), np.broadcast_to(exact, log_flops.draws.shape))
    residuals = np.concatenate([curve.residuals for curve in envelope.curves])
    rows = tuple(_rows(envelope, log_flops, loss, rule))
    return Minima(rows, log_flops, log_params, loss, False, rule, residuals, left, (UNFINISHED,))


def _envelope(sample: Sample, members: list[Array], thinned: list[Thinned]) -> Envelope:
    ends = np.log(sample.data["C"][[points[i] for points in members for i in (0, -1)]])
    grid = np.linspace(float(ends.min()), float(ends.max()), GRID)
    curves = [
        smooth_curve(float(sample.data["N"][points[0]]), points, thin, grid)
        for points, thin in zip(members, thinned, strict=True)
    ]
    sizes, number = np.unique([curve.params for curve in curves], return_inverse=True)
    blank = Envelope(curves, sizes, number, grid, np.empty(0), [])
    middle, reasons = stretches(blank.by_size((curve.log_loss for curve in curves), 1), grid)
    return blank._replace(middle=middle[0], reasons=reasons)


def stretches(losses: Array, grid: Array) -> tuple[Array, list[str]]:
    """Return the middle in ln flops of each size's stretch of the envelope, (draws, s); NaN where it has none.

    Args:
        losses: (draws, s, grid), sizes ascending, infinite where no curve reaches.
        grid: (grid,), ln flops.

    Returns also: why each size of the first draw has none.
    """
    best, covers = losses.argmin(axis=1), np.isfinite(losses[0])
    sizes, end = np.arange(losses.shape[1]), grid.size - 1
    mine = best[:, None] == sizes[:, None]  # (draws, s, grid); the rest is (draws, s)
    count = np.count_nonzero(mine, axis=2)
    first, last = mine.argmax(axis=2), end - mine[:, :, ::-1].argmax(axis=2)
    rows = np.arange(len(best))[:, None]
    before, after = np.maximum(first - 1, 0), np.minimum(last + 1, end)
    begins = (first > 0) & covers[best[rows, before], first] & covers[sizes, before]
    finishes = (last < end) & covers[best[rows, after], last] & covers[sizes, after]
    smallest, largest = covers.argmax(axis=0), sizes[-1] - covers[::-1].argmax(axis=0)  # with a curve at each budget
    beside = (smallest[first] < sizes) & (largest[last] > sizes)
    sides = (sizes > 0).astype(int) - (sizes < sizes[-1])  # 1 for the largest size, -1 for the smallest
    middle = (mine * grid).sum(axis=2) / np.maximum(count, 1)
    place = np.searchsorted(grid, middle - 1e-12).clip(1, end - 1)  # of a budget itself too, whatever its last digit
    whole = covers[sizes, place - 1] & covers[sizes, place] & covers[sizes, place + 1]
    flags = {"has": count > 0, "begins": begins, "finishes": finishes, "whole": whole}
    reasons = [_reason(int(sides[i]), **{name: bool(flag[0, i]) for name, flag in flags.items()}) for i in sizes]
    return np.where((count > 0) & begins & finishes & whole & beside, middle, np.nan), reasons


def _reason(end: int, *, has: bool, begins: bool, finishes: bool, whole: bool) -> str:
    """Return why a size's stretch is no minimum, if it is none."""
    if not has:
        return "never the lowest"
    if end:
        return f"the {'largest' if end > 0 else 'smallest'} model: what lies beyond it is not known"
    if not begins:
        return "the lowest from its first point on, or because a smaller model's curve ends: train that one longer"
    if not finishes:
        return "still the lowest at its end, or until a larger model's curve begins: train it longer"
    if not whole:
        return "its curves leave a gap in the middle of its stretch: train one through it"
    return "no smaller model where its stretch begins, or no larger one where it ends"


def _measured(envelope: Envelope, *, draws: int, seed: int) -> tuple[Measured, Measured]:
    """Return ln flops and loss at the middles of the stretches, with what noise makes of them."""
    values = envelope.middle[envelope.found]
    level = _at_middles(envelope.by_size((curve.log_loss for curve in envelope.curves), 1), envelope)[0]
    (fixed, drawn) = (_refits(envelope, count, start) for count, start in ((REFITS, 0), (draws, seed)))
    loss, flops = np.exp(level), Measured(values, fixed[0].std(axis=0), drawn[0])
    return flops, Measured(loss, fixed[1].std(axis=0) * loss, loss * np.exp(drawn[1] - level))


def _at_middles(lowest: Array, envelope: Envelope) -> Array:
    """Return ln loss, (draws, m), of the lowest curves (draws, s, grid) at the middle of each size's stretch.

    Between two budgets, as a middle that falls on one may by rounding lie on either side of it.
    """
    grid, found = envelope.grid, envelope.found
    after = np.searchsorted(grid, envelope.middle[found]).clip(1, grid.size - 1)
    share = (envelope.middle[found] - grid[after - 1]) / (grid[after] - grid[after - 1])
    return (1.0 - share) * lowest[:, found, after - 1] + share * lowest[:, found, after]


def _refits(envelope: Envelope, count: int, seed: int) -> tuple[Array, Array]:
    """Return middles, and ln loss at the fit's middles, (count, m) each, of curves with other noise; each its own.

    A size that loses its stretch to noise keeps the middle that it has.
    """
    rng = np.random.default_rng(seed)
    found = envelope.found
    middles, levels = [np.empty((0, found.size))], [np.empty((0, found.size))]
    for start in range(0, count, BLOCK):
        width = min(BLOCK, count - start)
        lowest = envelope.by_size((with_noise(curve, rng, width) for curve in envelope.curves), width)
        at = stretches(lowest, envelope.grid)[0][:, found]
        middles.append(np.where(np.isfinite(at), at, envelope.middle[found]))
        levels.append(_at_middles(lowest, envelope))
    return np.vstack(middles), np.vstack(levels)


def _rows(envelope: Envelope, log_flops: Measured, loss: Measured, rule: tuple[float, float]) -> list[Minimum]:
    """Return a line for each size: where it is the best, or why nowhere.

    The ends of its params lie halfway, in logarithm, to the next sizes: what lies between two sizes nobody has run.
    """
    rows = []
    columns = {int(i): column for column, i in enumerate(envelope.found)}
    for i, size in enumerate(map(float, envelope.sizes)):
        points = sum(c.members.size for c, k in zip(envelope.curves, envelope.number, strict=True) if k == i)
        if i not in columns:
            rows.append(Minimum(None, points, size, reason=envelope.reasons[i]))
            continue
        at = columns[i]
        flops = float(np.exp(log_flops.values[at]))
        low, high = (float(np.sqrt(size * other)) for other in envelope.sizes[[i - 1, i + 1]])
        tokens, least = tokens_at(flops, size, rule), float(loss.values[at])
        rows.append(
            Minimum(flops, points, size, low, high, tokens, least, *ends(loss.draws[:, at], -np.inf, np.inf), True)
        )
    return rows
