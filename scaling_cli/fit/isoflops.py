"""A minimum per budget: runs of equal compute, a valley of the loss over ln N, and how far noise moves its floor.

Hoffmann et al. 2022 (arXiv:2203.15556, section 3.2, approach 2) put a parabola through the runs of each budget. Only
the runs near the lowest one enter here: far from it a valley is no parabola. Where six sizes or more do, a cubic takes
the place of the parabola if the valley is asymmetric beyond its noise.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.core.quantities import format_quantity
from scaling_cli.fit.minima import Left, Minima, Minimum, ends, flops_per_token, tokens_at
from scaling_cli.fit.power_laws import Measured
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.valley_noise import ValleyNoise

Array = Any
TOLERANCE = 1.1  # factor from the middle within which budgets are one
FEWEST_SIZES = 3  # that a valley needs
NEAR = 1.0  # in ln N: runs within a factor e of the lowest one are near it (ours)
NEAREST = 5  # and the nearest five sizes always are (ours)
FEWEST_FOR_CUBIC = 6
ASYMMETRIC = 0.975  # quantile of Student's t that the cubic term must exceed
UNTESTED = (
    "where fewer than 6 runs lie near a minimum, its valley is taken for a parabola: intervals hold the noise of the "
    "runs, not what a valley of another shape would move"
)
SAME_BUDGET = 1e-3  # relative spread of flops that moves no loss by more than rounding
PRIOR = 4.0  # degrees of freedom that all budgets together lend to the noise of one (ours)


class Valley(NamedTuple):
    """The runs near the minimum of one budget and the polynomial through them.

    Fields:
        flops: the budget, their geometric mean.
        members: the numbers of its runs in the sample.
        near: the numbers of those near the minimum, (n,).
        middle: the ln N that powers are counted from.
        sides: the least and largest ln N near the minimum, from the middle.
        coefficients: (k,), constant first.
        gain: (k, n), what they gain from losses times the roots of their weights.
        residuals: (n,), relative to the loss, times these roots, each with its leverage taken out.
        freedom: degrees of freedom left, in the end those of all valleys: their noise is known together.
        noise: of one run, relative to the loss.
        reason: why there is no minimum; empty where there is.
    """

    flops: float
    members: Array
    near: Array
    middle: float = 0.0
    sides: tuple[float, float] = (0.0, 0.0)
    coefficients: Array = None
    gain: Array = None
    residuals: Array = None
    freedom: int = 0
    noise: float = 0.0
    reason: str = ""

    @property
    def level(self) -> float:
        """The loss around the minimum."""
        return float(self.coefficients[0])

    def minimum(self, coefficients: Array) -> tuple[Array, Array]:
        """Return where polynomials (draws, k) are least, from the middle, and their values there, (draws,) each.

        One without a minimum near the runs is least at their end.
        """
        slope, bend, twist = (
            coefficients[:, i] if i < coefficients.shape[1] else np.zeros(len(coefficients)) for i in (1, 2, 3)
        )
        low, high = self.sides
        powers = np.arange(coefficients.shape[1])
        at_ends = [(coefficients * end**powers).sum(axis=1) for end in self.sides]
        lower_end = np.where(at_ends[0] <= at_ends[1], low, high)
        with np.errstate(all="ignore"):
            at = -slope / (bend + np.sqrt(bend**2 - 3.0 * slope * twist))  # of the cubic; -slope / 2 bend without twist
            is_least = bend + 3.0 * twist * at > 0.0  # false for NaN, where the cubic has no minimum
        at = np.where(is_least, np.clip(at, low, high), lower_end)
        return at, (coefficients * at[:, None] ** powers).sum(axis=1)


def isoflop_minima(sample: Sample, *, draws: int, seed: int) -> Minima:
    """Return the minimum of each budget.

    Args:
        sample: runs with N, D and C, and the loss as target.
        draws: how many refits.
        seed: of their noise.
    """
    groups = [group[sample.weights[group] > 0.0] for group in budgets(sample.data["C"])]
    enough = [np.unique(sample.data["N"][group]).size >= FEWEST_SIZES for group in groups]
    used = [group for group, fits in zip(groups, enough, strict=True) if fits]
    alone = [int(run) for group, fits in zip(groups, enough, strict=True) if not fits for run in group]
    left = (Left(f"no budget within 10 % has {FEWEST_SIZES} model sizes", tuple(alone)),) if alone else ()
    valleys, notes = _valleys(sample, used)
    rule = flops_per_token(sample.part(np.concatenate(used))) if used else (6.0, 1.0)
    found = [valley for valley in valleys if not valley.reason]
    log_params, losses = _measured(found, sample, draws, seed)
    held = iter([_row(valley, log_params, losses, i, rule) for i, valley in enumerate(found)])
    rows = [Minimum(v.flops, len(v.members), reason=v.reason) if v.reason else next(held) for v in valleys]
    log_flops = np.log([valley.flops for valley in found])
    exact = Measured(log_flops, np.zeros(len(found)), np.broadcast_to(log_flops, log_params.draws.shape))
    residuals = [valley.noise * valley.residuals for valley in found]
    if any(valley.near.size < FEWEST_FOR_CUBIC for valley in found):
        notes += (UNTESTED,)
    return Minima(
        tuple(rows), exact, log_params, losses, True, rule,
        np.concatenate(residuals) if residuals else np.empty(0), left, notes,
    )  # fmt: skip


def budgets(flops: Array) -> list[Array]:
    """Return the numbers of the runs of each budget, budgets ascending: each run within 10 % of its middle.

    The densest window is the first budget, the densest of what is left the next: a stray run splits none.
    """
    order = np.argsort(flops, kind="stable")
    logs = np.log(flops[order])
    beyond = np.searchsorted(logs, logs + 2.0 * np.log(TOLERANCE) * (1.0 + 1e-12), side="right")
    count = beyond - np.arange(logs.size)  # of the runs that are left, in the window that each begins
    found, left = [], [(0, logs.size)] if logs.size else []
    while left:  # what lies on either side of a budget is two problems
        start, stop = left.pop()
        first = start + int(np.argmax(count[start:stop]))
        end = first + int(count[first])
        found.append((first, end))
        cut = start + int(np.searchsorted(beyond[start:first], first, side="right"))
        count[cut:first] = np.arange(first - cut, 0, -1)
        left += [side for side in ((start, first), (end, stop)) if side[0] < side[1]]
    return [order[first:end] for first, end in sorted(found)]


def _valleys(sample: Sample, groups: list[Array]) -> tuple[list[Valley], tuple[str, ...]]:
    """Return the valleys, with losses moved to the middle of their budget where its runs differ in compute."""
    flops = sample.data["C"]
    valleys = [_valley(sample, group, 0.0) for group in groups]
    spread = max((float(np.ptp(np.log(flops[group]))) for group in groups), default=0.0)
    found = [valley for valley in valleys if not valley.reason]
    notes: tuple[str, ...] = ()
    if spread > SAME_BUDGET and len(found) > 1:
        slope = np.polyfit(np.log([v.flops for v in found]), np.log([v.level for v in found]), 1)[0]
        valleys = [_valley(sample, group, float(slope)) for group in groups]
        notes = (
            f"budgets are taken as one within {100.0 * (TOLERANCE - 1.0):.0f} % of their middle; losses are moved "
            f"there along loss ~ flops**{slope:.3g}, as the minima fall",
        )
    return _with_noise(valleys), notes


def _valley(sample: Sample, members: Array, slope: float) -> Valley:
    """Return the valley of one budget."""
    logs = np.log(sample.data["C"][members])
    size = np.log(sample.data["N"][members])
    loss = sample.target[members] * np.exp(-slope * (logs - logs.mean()))
    weights = sample.weights[members]
    flops = float(np.exp(logs.mean()) if np.ptp(logs) else sample.data["C"][members[0]])
    sizes, number = np.unique(np.round(size, 9), return_inverse=True)
    means = np.bincount(number, weights * loss) / np.maximum(np.bincount(number, weights), 1e-300)
    lowest = int(np.argmin(means))
    blank = Valley(flops, members, members)
    if lowest in (0, sizes.size - 1):
        side, more = ("smallest", "smaller") if lowest == 0 else ("largest", "larger")
        shown = format_quantity(float(np.exp(sizes[lowest])), "params")
        return blank._replace(reason=f"the {side} model, {shown}, has the lowest loss: run {more} ones at this budget")
    distance = np.abs(sizes - sizes[lowest])
    reach = max(NEAR, float(np.sort(distance)[min(NEAREST, sizes.size) - 1]))
    near = np.flatnonzero(distance[number] <= reach)
    valley = _through(blank._replace(near=members[near]), size[near], loss[near], weights[near])
    at = valley.minimum(valley.coefficients[None])[0][0]
    if not valley.sides[0] < at < valley.sides[1]:
        return valley._replace(reason="the loss does not rise on both sides of a minimum: noise hides the valley")
    return valley


def _through(valley: Valley, size: Array, loss: Array, weights: Array) -> Valley:
    """Return the valley with a parabola through its runs, or a cubic where that is called for."""
    middle = float(size.mean())
    x = size - middle
    valley = valley._replace(middle=middle, sides=(float(x.min()), float(x.max())))
    parabola = _polynomial(valley, x, loss, weights, 2)
    if np.unique(x).size < FEWEST_FOR_CUBIC:
        return parabola
    cubic = _polynomial(valley, x, loss, weights, 3)
    error = cubic.noise * cubic.level * float(np.linalg.norm(cubic.gain[3]))
    at = cubic.minimum(cubic.coefficients[None])[0][0]
    clear = abs(cubic.coefficients[3]) > float(stdtrit(cubic.freedom, ASYMMETRIC)) * error
    return cubic if clear and cubic.sides[0] < at < cubic.sides[1] else parabola


def _polynomial(valley: Valley, x: Array, loss: Array, weights: Array, degree: int) -> Valley:
    """Return the valley with a polynomial of a degree through its runs, and the noise that its residuals show."""
    powers = np.vander(x, degree + 1, increasing=True)
    root = np.sqrt(weights / weights.mean())
    gain = np.linalg.pinv(powers * root[:, None])
    best = gain @ (root * loss)
    residuals = root * (loss - powers @ best) / best[0]
    freedom = x.size - degree - 1
    noise = float(np.sqrt(residuals @ residuals / freedom)) if freedom else 0.0
    room = np.sqrt(np.maximum(1.0 - np.einsum("nk,kn->n", powers * root[:, None], gain), 1.0 / x.size))
    return valley._replace(coefficients=best, gain=gain, residuals=residuals / room, freedom=freedom, noise=noise)


def _with_noise(valleys: list[Valley]) -> list[Valley]:
    """Return the valleys with noise that leans on that of all: one budget has too few runs to know its own."""
    found = [valley for valley in valleys if not valley.reason]
    total = sum(valley.freedom for valley in found)
    if not total:
        return valleys
    common = sum(valley.freedom * valley.noise**2 for valley in found) / total
    prior = min(PRIOR, total)
    shared = []
    for valley in valleys:
        noise = float(np.sqrt((prior * common + valley.freedom * valley.noise**2) / (prior + valley.freedom)))
        scaled = valley.residuals if valley.reason else valley.residuals / max(noise, 1e-300)
        shared.append(valley._replace(noise=noise, freedom=total, residuals=scaled))
    return shared


def _measured(valleys: list[Valley], sample: Sample, draws: int, seed: int) -> tuple[Measured, Measured]:
    """Return ln N and the loss at the minima, with what noise makes of them."""
    rng = np.random.default_rng(seed)
    noise = ValleyNoise([valley.residuals for valley in valleys], sample.groups, draws, rng)
    freedom = valleys[0].freedom if valleys else 0  # of all valleys together
    wide = np.sqrt(freedom / rng.chisquare(max(freedom, 1), size=(draws, 1)))  # Student's t
    columns = []
    for valley in valleys:
        gained = noise.gained(valley.gain, valley.residuals, valley.near)
        moved = valley.coefficients + valley.noise * valley.level * wide * gained
        at, loss = valley.minimum(np.vstack([valley.coefficients, moved]))
        columns.append((valley.middle + at, loss, _errors(valley, float(at[0]))))
    if not columns:
        nothing = Measured(np.empty(0), np.empty(0), np.empty((draws, 0)))
        return nothing, nothing
    size, loss = (np.column_stack([column[i] for column in columns]) for i in (0, 1))
    errors = np.array([column[2] for column in columns])
    return Measured(size[0], errors[:, 0], size[1:]), Measured(loss[0], errors[:, 1], loss[1:])


def _errors(valley: Valley, at: float) -> tuple[float, float]:
    """Return the standard errors of ln N and of the loss at a minimum, by the delta method."""
    k = valley.coefficients.size
    powers = at ** np.arange(k)
    slopes = np.append(0.0, np.arange(1, k) * powers[:-1])  # of the powers
    bend = 2.0 * valley.coefficients[2] + (6.0 * at * valley.coefficients[3] if k > 3 else 0.0)
    size, loss = (float(np.linalg.norm(row @ valley.gain)) for row in (slopes / bend, powers))
    return valley.noise * valley.level * size, valley.noise * valley.level * loss


def _row(valley: Valley, log_params: Measured, losses: Measured, i: int, rule: tuple[float, float]) -> Minimum:
    """Return the minimum of one budget with its intervals."""
    params = float(np.exp(log_params.values[i]))
    low, high = (valley.middle + side for side in valley.sides)
    if not valley.freedom:  # no run more than the parabola needs, in any budget: nothing tells the noise
        return Minimum(
            valley.flops, valley.near.size, params, None, None, tokens_at(valley.flops, params, rule),
            float(losses.values[i]), bracketed=True, reason="no run to spare: nothing tells the noise",
        )  # fmt: skip
    under, over = ends(np.exp(log_params.draws[:, i]), float(np.exp(low)), float(np.exp(high)))
    is_open = bool(losses.draws.size) and None in (under, over)
    return Minimum(
        valley.flops, valley.near.size, params, under, over, tokens_at(valley.flops, params, rule),
        float(losses.values[i]), *ends(losses.draws[:, i], -np.inf, np.inf), True,
        "the runs do not hold both ends of its interval" if is_open else "",
    )  # fmt: skip
