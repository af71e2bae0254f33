"""The lower envelope of training curves: for each budget the model that reaches the lowest loss with it.

Hoffmann et al. 2022 (arXiv:2203.15556, section 3.1, approach 1) smooth each curve, ask every curve for its loss at
budgets on a logarithmic grid, and take the lowest. A size holds the envelope over a stretch of budgets, and is the best
size in its middle: to fit all grid points instead would count one size many times. A stretch counts only where it
begins and ends by one curve passing another, with curves of smaller and of larger models beside it.

Smoothing is by local parabolas of ln loss over ln flops. Unlike a moving average these leave a bent curve where it is,
so no size is lifted more than another; and the lowest of smooth curves is not the lowest noise. A stretch is what lies
between the borders with the sizes beside it (see handovers), not where its size happens to win.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.curves import Curve, Thinned, best_width, curves_of, smooth_curve, smoothed, thin, with_noise
from scaling_cli.fit.handovers import borders, holders, kept_within, middles
from scaling_cli.fit.minima import Left, Minima, Minimum, ends, flops_per_token, tokens_at
from scaling_cli.fit.power_laws import Measured
from scaling_cli.fit.samples import Sample

Array = Any
GRID = 400  # budgets
FEWEST_POINTS = 5  # of a curve: a parabola, and two to spare
REFITS = 200  # behind the standard errors that weigh the stretches, whatever --draws is
BLOCK = 50  # refits at a time: their curves fill memory
LOST = 0.05  # share of refits: above it a stretch that leaves the runs is none (ours, by simulation)
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
        holders: the numbers of the sizes that hold a stretch, ascending.
        middle: (s,), ln flops at the middle of each size's stretch; NaN where it has none between two others.
        reasons: why a size has none.
    """

    curves: list[Curve]
    sizes: Array
    number: Array
    grid: Array
    holders: Array
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


class Stretch(NamedTuple):
    """What is known of the stretches of sizes, (s,) each, or of one.

    Fields:
        wins: whether it is the lowest at some budget.
        holds: whether that is between the borders with the sizes beside it.
        begins, finishes: whether these borders are among the runs.
        is_whole: whether there are runs in its middle.
    """

    wins: Array
    holds: Array
    begins: Array
    finishes: Array
    is_whole: Array


class Refits(NamedTuple):
    """Curves with other noise, at the sizes with a stretch, (count, m) each.

    Fields:
        middle: ln flops; of a border beyond the runs their end counts.
        level: ln loss at the middle of the fit.
        is_kept: whether both borders lie within the runs.
    """

    middle: Array
    level: Array
    is_kept: Array


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
    whole = _envelope(sample, long, [points for points, fits in zip(thinned, is_long, strict=True) if fits])
    envelope, fixed, notes = _without_lost(whole)
    rule = flops_per_token(sample.part(np.concatenate(long)))
    log_flops, loss = _measured(envelope, fixed, draws=draws, seed=seed)
    exact = np.log(envelope.sizes[envelope.found])
    log_params = Measured(exact, np.zeros(exact.size), np.broadcast_to(exact, log_flops.draws.shape))
    residuals = np.concatenate([curve.residuals for curve in envelope.curves])
    rows = tuple(_rows(envelope, log_flops, loss, rule))
    return Minima(rows, log_flops, log_params, loss, False, rule, residuals, left, (UNFINISHED, *notes))


def _envelope(sample: Sample, members: list[Array], thinned: list[Thinned]) -> Envelope:
    ends = np.log(sample.data["C"][[points[i] for points in members for i in (0, -1)]])
    grid = np.linspace(float(ends.min()), float(ends.max()), GRID)
    curves = [
        smooth_curve(float(sample.data["N"][points[0]]), points, thin, grid)
        for points, thin in zip(members, thinned, strict=True)
    ]
    width = best_width(curves, grid)
    curves = [smoothed(curve, grid, width) for curve in curves]
    sizes, number = np.unique([curve.params for curve in curves], return_inverse=True)
    blank = Envelope(curves, sizes, number, grid, np.empty(0), np.empty(0), [])
    return _with_stretches(blank, blank.by_size((curve.log_loss for curve in curves), 1))


def _with_stretches(blank: Envelope, losses: Array) -> Envelope:
    """Return an envelope with the middles of its sizes' stretches, and why some have none.

    Args:
        blank: without them.
        losses: of its sizes, (1, s, grid).
    """
    grid, covers, numbers = blank.grid, np.isfinite(losses[0]), np.arange(blank.sizes.size)
    found = holders(losses, grid)
    at = borders(losses[:, found], grid)
    middle, begins, ends = np.full((3, numbers.size), np.nan)
    middle[found[1:-1]] = middles(at, blank.sizes[found])[0]
    begins[found[1:]] = ends[found[:-1]] = at[0]
    place = np.searchsorted(grid, np.where(np.isfinite(middle), middle, grid[0]) - 1e-12)  # whatever its last digit
    is_whole = np.all([covers[numbers, place.clip(1, grid.size - 2) + i] for i in (-1, 0, 1)], axis=0)
    wins, holds = np.isin(numbers, losses[0].argmin(axis=0)), np.isin(numbers, found)
    known = Stretch(wins, holds, np.isfinite(begins), np.isfinite(ends), is_whole)
    sides = (numbers > 0).astype(int) - (numbers < numbers[-1])  # 1 for the largest size, -1 for the smallest
    reasons = [_reason(int(sides[i]), Stretch(*(bool(flag[i]) for flag in known))) for i in numbers]
    return blank._replace(holders=found, middle=np.where(np.all(known, axis=0), middle, np.nan), reasons=reasons)


def _reason(end: int, stretch: Stretch) -> str:
    """Return why a size's stretch is no minimum, if it is none.

    Args:
        end: 1 for the largest size, -1 for the smallest.
        stretch: of one size.
    """
    if not stretch.wins:
        return "never the lowest"
    if end:
        return f"the {'largest' if end > 0 else 'smallest'} model: what lies beyond it is not known"
    if not stretch.holds:
        return "the lowest by no more than noise: the sizes beside it pass each other before it passes one"
    if not stretch.begins:
        return "the lowest from its first point on, or because a smaller model's curve ends: train that one longer"
    if not stretch.finishes:
        return "still the lowest at its end, or until a larger model's curve begins: train it longer"
    if not stretch.is_whole:
        return "its curves leave a gap in the middle of its stretch: train one through it"
    return "no smaller model where its stretch begins, or no larger one where it ends"


def _without_lost(envelope: Envelope) -> tuple[Envelope, Refits, tuple[str, ...]]:
    """Return an envelope without the sizes whose stretches noise may put beyond the runs, its refits, and a note.

    Such a stretch is found only if noise keeps it within the runs, and then lies too near to their middle.
    """
    refits = _refits(envelope, REFITS, 0)
    lost = 1.0 - refits.is_kept.mean(axis=0)
    is_lost = lost > LOST
    middle, reasons = envelope.middle.copy(), list(envelope.reasons)
    for i, share in zip(envelope.found[is_lost], lost[is_lost], strict=True):
        middle[i] = np.nan
        reasons[i] = (
            f"other noise of the same size takes its stretch beyond the runs in {100.0 * share:.0f} % of refits"
        )
    noise = np.sqrt(np.mean(np.concatenate([curve.residuals for curve in envelope.curves]) ** 2))
    note = (
        f"with noise of {100.0 * noise:.2g} % of the loss, {np.count_nonzero(is_lost)} of {is_lost.size} stretches may "
        "end beyond the runs, and are left out: train on, or ask --method parametric, which uses every point"
    )
    kept = Refits(*(part[:, ~is_lost] for part in refits))
    return envelope._replace(middle=middle, reasons=reasons), kept, (note,) if is_lost.any() else ()


def _measured(envelope: Envelope, fixed: Refits, *, draws: int, seed: int) -> tuple[Measured, Measured]:
    """Return ln flops and loss at the middles of the stretches, with what noise makes of them."""
    level = _at_middles(envelope.by_size((curve.log_loss for curve in envelope.curves), 1), envelope)[0]
    drawn = _refits(envelope, draws, seed)
    loss, flops = np.exp(level), Measured(envelope.middle[envelope.found], fixed.middle.std(axis=0), drawn.middle)
    return flops, Measured(loss, fixed.level.std(axis=0) * loss, loss * np.exp(drawn.level - level))


def _at_middles(lowest: Array, envelope: Envelope) -> Array:
    """Return ln loss, (draws, m), of the lowest curves (draws, s, grid) at the middle of each size's stretch.

    Between two budgets, as a middle that falls on one may by rounding lie on either side of it.
    """
    grid, found = envelope.grid, envelope.found
    after = np.searchsorted(grid, envelope.middle[found]).clip(1, grid.size - 1)
    share = (envelope.middle[found] - grid[after - 1]) / (grid[after] - grid[after - 1])
    return (1.0 - share) * lowest[:, found, after - 1] + share * lowest[:, found, after]


def _refits(envelope: Envelope, count: int, seed: int) -> Refits:
    """Return what curves with other noise, each its own, say of the sizes with a stretch.

    The sizes that hold the envelope stay: to choose them anew would be to let noise choose twice.
    """
    rng, grid, holders = np.random.default_rng(seed), envelope.grid, envelope.holders
    columns = np.searchsorted(holders, envelope.found) - 1
    nothing = np.empty((0, columns.size))
    parts = [Refits(nothing, nothing, nothing.astype(bool))]
    for start in range(0, count, BLOCK):
        width = min(BLOCK, count - start)
        lowest = envelope.by_size((with_noise(curve, rng, width) for curve in envelope.curves), width)
        held = lowest[:, holders]
        at = borders(held, grid)
        is_seen = np.isfinite(at)
        middle = middles(kept_within(at, held, grid), envelope.sizes[holders])[:, columns]
        is_kept = (is_seen[:, :-1] & is_seen[:, 1:])[:, columns]
        parts.append(Refits(middle, _at_middles(lowest, envelope), is_kept))
    return Refits(*(np.vstack(part) for part in zip(*parts, strict=True)))


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
