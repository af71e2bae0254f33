"""Training curves, smoothed: local parabolas of ln loss over ln flops, and what noise makes of them.

Noise is taken to differ from point to point. Where neighbouring points miss together it passes for a bend, which is
smoothed over less, and what it does to a minimum is taken for less than it is.
"""

import operator
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.ordering import canonical_order
from scaling_cli.fit.samples import Sample

Array = Any
WIDTH = 0.25  # in ln flops: points within a factor 1.28 smooth each other (ours)
WIDTHS = (WIDTH, 0.5, 1.0, 2.0, 4.0)  # noisier curves are smoothed over more (ours)
EACH = 8  # of the budgets of a grid one in so many tells what a width misses
CLOSE = WIDTH / 20.0  # in ln flops: points within it are one
NEAREST = 6  # and those at the nearest six budgets always do (ours)
EDGE = 1.1  # by which the kernel reaches beyond the last of them, which would weigh nothing at its end
PIECE = 16  # budgets at a time: few points of a curve lie near them
HANKEL = np.arange(3)[:, None] + np.arange(3)  # the moments behind the normal equations of a parabola


class Thinned(NamedTuple):
    """The points of a curve by compute: ln flops, ln loss and weights, (n,) each."""

    logs: Array
    target: Array
    weights: Array


class Curve(NamedTuple):
    """A smoothed training curve.

    Fields:
        params: of its model.
        members: the numbers of its points in the sample.
        points: the same by compute, thinned.
        covers: the budgets between its first and last point.
        places: how many points it is smoothed from: the wider, the fewer.
        pieces: what ln loss at some of these budgets gains from noise of the points near them: the numbers of both, and
            (points, budgets).
        log_loss: (covered,).
        residuals: (n,), ln loss less its smooth, scaled to the noise of one point.
    """

    params: float
    members: Array
    points: Thinned
    covers: slice
    places: int
    pieces: list[tuple[slice, slice, Array]]
    log_loss: Array
    residuals: Array


def curves_of(sample: Sample) -> list[Array]:
    """Return the numbers of each curve's points in the order of compute; curves by size. A curve has one size."""
    counts = np.flatnonzero(sample.weights > 0.0)
    curve = [sample.data["N"][counts], *([] if sample.groups is None else [sample.groups[counts]])]
    order = canonical_order([*curve, sample.data["C"][counts], sample.target[counts]])
    order = np.arange(counts.size) if order is None else order
    begins = np.flatnonzero(np.any([np.diff(key[order]) != 0 for key in curve], axis=0)) + 1
    return np.split(counts[order], begins)


def thin(sample: Sample, members: list[Array]) -> list[Thinned]:
    """Return the points of each curve, with those that lie close together taken as their mean."""
    points = np.concatenate(members)
    logs, losses, weights = np.log(sample.data["C"][points]), np.log(sample.target[points]), sample.weights[points]
    curve = np.repeat(np.arange(len(members)), [len(part) for part in members])
    is_new = (np.diff(curve, prepend=-1) != 0) | (np.diff(np.floor(logs / CLOSE), prepend=np.nan) != 0.0)
    number = np.cumsum(is_new) - 1
    total = np.bincount(number, weights)
    found = (np.bincount(number, weights * logs) / total, np.bincount(number, weights * losses) / total, total)
    begins = np.searchsorted(curve[is_new], np.arange(1, len(members)))
    return [Thinned(*parts) for parts in zip(*(np.split(column, begins) for column in found), strict=True)]


def smooth_curve(params: float, members: Array, points: Thinned, grid: Array) -> Curve:
    """Return a curve smoothed at the budgets of a grid, (grid,), ascending ln flops."""
    logs, target, weights = points
    own = _smoother(logs, weights, logs)
    residuals = np.sqrt(weights) * (target - (own[1] * target[own[0]]).sum(axis=1))
    trace = own[1][own[0] == np.arange(logs.size)[:, None]].sum()
    freedom = logs.size - 2.0 * trace + (own[1] ** 2).sum()  # of a linear smoother: trace of (I - S)'(I - S)
    residuals = (residuals - residuals.mean()) * np.sqrt(logs.size / max(freedom, 1.0))
    first, last = np.searchsorted(grid, logs[0] - 1e-12), np.searchsorted(grid, logs[-1] + 1e-12, side="right")
    blank = Curve(params, members, points, slice(int(first), int(last)), 0, [], np.empty(0), residuals)
    return smoothed(blank, grid, WIDTH)


def smoothed(curve: Curve, grid: Array, width: float) -> Curve:
    """Return a curve smoothed over another width in ln flops; its residuals stay those of the narrowest.

    Args:
        curve: to be smoothed.
        grid: (grid,), ascending ln flops.
        width: one of WIDTHS.
    """
    logs, target, weights = _closed_up(curve.points, CLOSE * width / WIDTH) if width > WIDTH else curve.points
    near, gain = _smoother(logs, weights, grid[curve.covers], width)
    pieces = _pieces(near, gain / np.sqrt(weights)[near])
    return curve._replace(places=logs.size, pieces=pieces, log_loss=(gain * target[near]).sum(axis=1))


def best_width(curves: list[Curve], grid: Array) -> float:
    """Return the one of WIDTHS with which the smooth curves are expected to be the nearest to the true ones.

    Args:
        curves: smoothed over any width.
        grid: (grid,), ascending ln flops.
    """
    places = [grid[curve.covers][::EACH] for curve in curves]
    risks = [_risks(curve, at) for curve, at in zip(curves, places, strict=True) if at.size]
    return WIDTHS[int(np.mean(risks, axis=0).argmin())] if risks else WIDTH


def _risks(curve: Curve, at: Array) -> Array:
    """Return the expected mean square of what a curve smoothed over each of WIDTHS misses, (widths,).

    The difference from the narrowest shows the bias, less what noise makes of it: Mallows 1973,
    doi:10.1080/00401706.1973.10489103.
    """
    logs, target, weights = curve.points
    variance = np.mean(curve.residuals**2) / weights
    gains = np.zeros((len(WIDTHS), at.size, logs.size))
    for whole, width in zip(gains, WIDTHS, strict=True):
        near, gain = _smoother(logs, weights, at, width)
        np.put_along_axis(whole, near, gain, axis=1)
    apart = gains - gains[0]
    return np.mean((apart @ target) ** 2 + (gains**2 - apart**2) @ variance, axis=1)


def _closed_up(points: Thinned, close: float) -> Thinned:
    """Return points with those that lie within `close` in ln flops taken as their mean."""
    logs, target, weights = points
    number = np.cumsum(np.diff(np.floor((logs - logs[0]) / close), prepend=np.nan) != 0.0) - 1
    total = np.bincount(number, weights)
    return Thinned(np.bincount(number, weights * logs) / total, np.bincount(number, weights * target) / total, total)


def with_noise(curve: Curve, rng: np.random.Generator, count: int) -> Array:
    """Return a smooth curve with other noise, (count, covered)."""
    noise = rng.choice(curve.residuals, size=(count, curve.places))
    moved = np.empty((count, curve.log_loss.size))
    for budgets, points, piece in curve.pieces:
        moved[:, budgets] = noise[:, points] @ piece
    return curve.log_loss + moved


def _smoother(logs: Array, weights: Array, at: Array, width: float = WIDTH) -> tuple[Array, Array]:
    """Return local parabolas at (m,): the numbers of the points near each, and what it gains from them, (m, w) both.

    Source: Cleveland 1979, doi:10.1080/01621459.1979.10481038, with parabolas: nearest points, tricube weights.
    """
    reach = np.maximum(_nearest(np.unique(logs), at) * EDGE, width)
    begin, end = np.searchsorted(logs, at - reach), np.searchsorted(logs, at + reach, side="right")
    count = int((end - begin).max(initial=1))
    near = np.minimum(begin, logs.size - count)[:, None] + np.arange(count)
    x = (logs[near] - at[:, None]) / reach[:, None]
    inside = 1.0 - np.minimum(np.abs(x) * x * x, 1.0)  # zero for points out of reach
    share = weights[near] * inside * inside * inside
    terms = list(accumulate([share, x, x, x, x], operator.mul))
    moments = np.stack([term.sum(axis=1) for term in terms], axis=1)
    level = np.linalg.solve(moments[:, HANKEL], np.array([[1.0], [0.0], [0.0]]))  # (m, 3, 1)
    return near, sum(part * term for part, term in zip(level.transpose(1, 0, 2), terms[:3], strict=True))


def _nearest(budgets: Array, at: Array) -> Array:
    """Return how far the NEAREST budgets reach from each place, (m,), or all where there are fewer."""
    count = min(NEAREST, budgets.size)
    place: Array = np.searchsorted(budgets, at)
    begin = (place[:, None] + np.arange(-count, 1)).clip(0, budgets.size - count)
    ends = (np.abs(at[:, None] - budgets[i]) for i in (begin, begin + count - 1))
    reach: Array = np.maximum(*ends).min(axis=1)
    return reach


def _pieces(near: Array, gain: Array) -> list[tuple[slice, slice, Array]]:
    """Return (m, w) of a smoother as matrices (points, budgets): some budgets, and all points that are near one."""
    pieces = []
    for start in range(0, len(near), PIECE):
        budgets = slice(start, min(start + PIECE, len(near)))
        points = slice(int(near[budgets].min()), int(near[budgets].max()) + 1)
        piece = np.zeros((points.stop - points.start, budgets.stop - start))
        piece[near[budgets] - points.start, np.arange(budgets.stop - start)[:, None]] = gain[budgets]
        pieces.append((budgets, points, piece))
    return pieces
