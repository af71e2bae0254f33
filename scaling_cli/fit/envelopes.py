"""The lower envelope of training curves: for each budget the model that reaches the lowest loss with it.

Hoffmann et al. 2022 (arXiv:2203.15556, section 3.1, approach 1) smooth each curve, ask every curve for its loss at
budgets on a logarithmic grid, and take the lowest. A size holds the envelope over a stretch of budgets, and is the best
size at the middle of that stretch: to fit all grid points instead would count one size many times. A stretch counts
only where it begins and ends by one curve passing another, with curves of smaller and of larger models beside it.

Smoothing is by local parabolas of ln loss over ln flops. Unlike a moving average these leave a bent curve where it is,
so no size is lifted more than another; and the lowest of smooth curves is not the lowest noise.
"""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.minima import Left, Minima, Minimum, ends, flops_per_token, tokens_at
from scaling_cli.fit.power_laws import Measured
from scaling_cli.fit.samples import Sample

Array = Any
GRID = 400  # budgets
FEWEST_POINTS = 5  # of a curve: a parabola, and two to spare
WIDTH = 0.25  # in ln flops: points within a factor 1.28 smooth each other (ours)
CLOSE = WIDTH / 20.0  # in ln flops: points within it are one
NEAREST = 6  # and those at the nearest six budgets always do (ours)
EDGE = 1.1  # by which the kernel reaches beyond the last of them, which would weigh nothing at its end
REFITS = 200  # behind the standard errors that weigh the stretches, whatever --draws is
BLOCK = 50  # refits at a time: their curves fill memory
UNFINISHED = (
    "a point of a curve whose learning rate has not come down lies above what a run that ends there reaches: "
    "the envelope of such points is none of finished runs"
)


class Curve(NamedTuple):
    """A smoothed training curve.

    Fields:
        params: of its model.
        members: the numbers of its points in the sample.
        covers: (grid,) whether a budget lies between its first and last point.
        smoother: (grid, n), what ln loss on the grid gains from noise of the points; zero where it does not cover.
        log_loss: (grid,), infinite where it does not cover.
        residuals: (n,), ln loss less its smooth, scaled to the noise of one point.
    """

    params: float
    members: Array
    covers: Array
    smoother: Array
    log_loss: Array
    residuals: Array


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

    def by_size(self, losses: Array) -> Array:
        """Return the lowest curve of each size, (draws, s, grid) from (draws, curves, grid)."""
        return np.stack([losses[:, self.number == k].min(axis=1) for k in range(self.sizes.size)], axis=1)


def envelope_minima(sample: Sample, *, draws: int, seed: int) -> Minima:
    """Return the middle of each size's stretch of the lower envelope.

    Args:
        sample: points of training curves with N, D and C, and the loss as target; the points of one size, and where
            there are groups of one group, are a curve.
        draws: how many refits.
        seed: of their noise.
    """
    members = _members(sample)
    is_long = [_thinned(sample, points)[0].size >= FEWEST_POINTS for points in members]
    short = [int(run) for points, fits in zip(members, is_long, strict=True) if not fits for run in points]
    left = (Left(f"its curve has points at fewer than {FEWEST_POINTS} budgets", tuple(short)),) if short else ()
    long = [points for points, fits in zip(members, is_long, strict=True) if fits]
    if not long:
        nothing = Measured(np.empty(0), np.empty(0), np.empty((draws, 0)))
        return Minima((), nothing, nothing, nothing, False, (6.0, 1.0), np.empty(0), left)
    envelope = _envelope(sample, long)
    rule = flops_per_token(sample.part(np.concatenate(long)))
    log_flops, loss = _measured(envelope, draws=draws, seed=seed)
    exact = np.log(envelope.sizes[envelope.found])
    log_params = Measured(exact, np.zeros(exact.size), np.broadcast_to(exact, log_flops.draws.shape))
    residuals = np.concatenate([curve.residuals for curve in envelope.curves])
    rows = tuple(_rows(envelope, log_flops, loss, rule))
    return Minima(rows, log_flops, log_params, loss, False, rule, residuals, left, (UNFINISHED,))


def _envelope(sample: Sample, members: list[Array]) -> Envelope:
    logs = np.log(sample.data["C"][np.concatenate(members)])
    grid = np.linspace(float(logs.min()), float(logs.max()), GRID)
    curves = [_curve(sample, points, grid) for points in members]
    sizes, number = np.unique([curve.params for curve in curves], return_inverse=True)
    blank = Envelope(curves, sizes, number, grid, np.empty(0), [])
    middle, reasons = stretches(blank.by_size(np.stack([curve.log_loss for curve in curves])[None]), grid)
    return blank._replace(middle=middle[0], reasons=reasons)


def stretches(losses: Array, grid: Array) -> tuple[Array, list[str]]:
    """Return the middle in ln flops of each size's stretch of the envelope, (draws, s); NaN where it has none.

    Args:
        losses: (draws, s, grid), sizes ascending, infinite where no curve reaches.
        grid: (grid,), ln flops.

    Returns also: why each size of the first draw has none.
    """
    best = losses.argmin(axis=1)
    covers = np.isfinite(losses[0])
    rows = np.arange(len(losses))
    middles, reasons = [], []
    for i in range(losses.shape[1]):
        mine = best == i
        count = mine.sum(axis=1)
        first, last = mine.argmax(axis=1), grid.size - 1 - mine[:, ::-1].argmax(axis=1)
        before, after = np.maximum(first - 1, 0), np.minimum(last + 1, grid.size - 1)
        begins = (first > 0) & covers[best[rows, before], first] & covers[i, before]
        finishes = (last < grid.size - 1) & covers[best[rows, after], last] & covers[i, after]
        beside = covers[:i].any(axis=0)[first] & covers[i + 1 :].any(axis=0)[last]
        holds = (count > 0) & begins & finishes & beside
        middles.append(np.where(holds, (mine * grid).sum(axis=1) / np.maximum(count, 1), np.nan))
        end = (i > 0) - (i < losses.shape[1] - 1)  # 1 for the largest size, -1 for the smallest
        reasons.append(_reason(int(end), has=bool(count[0]), begins=bool(begins[0]), finishes=bool(finishes[0])))
    return np.stack(middles, axis=1), reasons


def _reason(end: int, *, has: bool, begins: bool, finishes: bool) -> str:
    """Return why a size's stretch is no minimum, if it is none."""
    if not has:
        return "never the lowest"
    if end:
        return f"the {'largest' if end > 0 else 'smallest'} model: what lies beyond it is not known"
    if not begins:
        return "the lowest from its first point on, or because a smaller model's curve ends: train that one longer"
    if not finishes:
        return "still the lowest at its end, or until a larger model's curve begins: train it longer"
    return "no smaller model where its stretch begins, or no larger one where it ends"


def _members(sample: Sample) -> list[Array]:
    """Return the numbers of each curve's points in the order of compute; curves by size. A curve has one size."""
    sizes = sample.data["N"]
    groups = np.zeros(sizes.size, dtype=int) if sample.groups is None else sample.groups
    order = np.lexsort((sample.target, sample.data["C"], groups, sizes))
    order = order[sample.weights[order] > 0.0]
    begins = np.flatnonzero((np.diff(sizes[order]) != 0.0) | (np.diff(groups[order]) != 0)) + 1
    return np.split(order, begins)


def _thinned(sample: Sample, members: Array) -> tuple[Array, Array, Array]:
    """Return ln flops, ln loss and weight of a curve, with points that lie close together taken as their mean."""
    logs, losses, weights = np.log(sample.data["C"][members]), np.log(sample.target[members]), sample.weights[members]
    number = np.unique(np.floor(logs / CLOSE), return_inverse=True)[1]
    total = np.bincount(number, weights)
    return np.bincount(number, weights * logs) / total, np.bincount(number, weights * losses) / total, total


def _curve(sample: Sample, members: Array, grid: Array) -> Curve:
    logs, target, weights = _thinned(sample, members)
    covers = (grid >= logs[0] - 1e-12) & (grid <= logs[-1] + 1e-12)
    smoother = np.zeros((grid.size, logs.size))
    smoother[covers] = _smoother(logs, weights, grid[covers])
    own = _smoother(logs, weights, logs)
    residuals = np.sqrt(weights) * (target - own @ target)
    freedom = logs.size - 2.0 * np.trace(own) + (own**2).sum()  # of a linear smoother: trace of (I - S)'(I - S)
    residuals = (residuals - residuals.mean()) * np.sqrt(logs.size / max(freedom, 1.0))
    log_loss = np.where(covers, smoother @ target, np.inf)
    return Curve(float(sample.data["N"][members[0]]), members, covers, smoother / np.sqrt(weights), log_loss, residuals)


def _smoother(logs: Array, weights: Array, at: Array) -> Array:
    """Return the matrix of local parabolas, (m, n): smooth values at (m,) from values at (n,).

    Source: Cleveland 1979, doi:10.1080/01621459.1979.10481038, with parabolas: nearest points, tricube weights.
    """
    apart = np.sort(np.abs(at[:, None] - np.unique(logs)), axis=1)  # budgets, however many points lie at each
    reach = np.maximum(apart[:, min(NEAREST, apart.shape[1]) - 1] * EDGE, WIDTH)[:, None]
    x = (logs - at[:, None]) / reach
    share = weights * (1.0 - np.minimum(np.abs(x), 1.0) ** 3) ** 3
    powers = np.stack([np.ones_like(x), x, x**2], axis=1)
    weighted = powers * share[:, None, :]
    rows: Array = np.linalg.solve(weighted @ np.swapaxes(powers, 1, 2), weighted)[:, 0]
    return rows


def _measured(envelope: Envelope, *, draws: int, seed: int) -> tuple[Measured, Measured]:
    """Return ln flops and loss at the middles of the stretches, with what noise makes of them."""
    values = envelope.middle[envelope.found]
    places = np.searchsorted(envelope.grid, values).clip(1, envelope.grid.size - 1)
    smooth = envelope.by_size(np.stack([curve.log_loss for curve in envelope.curves])[None])[0][envelope.found]
    loss = np.exp([np.interp(at, envelope.grid, row) for at, row in zip(values, smooth, strict=True)])
    level = smooth[np.arange(values.size), places]
    (fixed, drawn) = (_refits(envelope, places, count, start) for count, start in ((REFITS, 0), (draws, seed)))
    flops = Measured(values, fixed[0].std(axis=0), drawn[0])
    return flops, Measured(loss, fixed[1].std(axis=0) * loss, loss * np.exp(drawn[1] - level))


def _refits(envelope: Envelope, places: Array, count: int, seed: int) -> tuple[Array, Array]:
    """Return middles, and ln loss at places of the grid, (count, m) each, of curves with other noise; each its own.

    A size that loses its stretch to noise keeps the middle that it has.
    """
    rng = np.random.default_rng(seed)
    found = envelope.found
    middles, levels = [np.empty((0, found.size))], [np.empty((0, found.size))]
    for start in range(0, count, BLOCK):
        width = min(BLOCK, count - start)
        moved = np.stack([_with_noise(curve, rng, width) for curve in envelope.curves], axis=1)
        lowest = envelope.by_size(moved)
        at = stretches(lowest, envelope.grid)[0][:, found]
        middles.append(np.where(np.isfinite(at), at, envelope.middle[found]))
        levels.append(lowest[:, found, places])
    return np.vstack(middles), np.vstack(levels)


def _with_noise(curve: Curve, rng: np.random.Generator, count: int) -> Array:
    """Return smooth curves with other noise, (count, grid)."""
    return curve.log_loss + rng.choice(curve.residuals, size=(count, curve.residuals.size)) @ curve.smoother.T


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
