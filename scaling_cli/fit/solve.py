"""Damped Newton steps for a whole batch of fits at once, on exact derivatives. Knows nothing of laws or files."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.slopes import Cost, Residuals, Slopes, bend_slope, slopes

Array = Any
CONVERGED = 1e-9  # largest gradient, relative to the sum of its terms' sizes
LAST_DIGIT = 1e-15  # gradient below which steps are rounding
LARGEST_DAMPING = 1e12
LEAST_DAMPING = 1e-11  # below which a step is Newton's
MOST_BEND = 0.375  # of a step, beyond which its bend is not followed; Transtrum and Sethna 2012, 2 |a| / |v| <= 0.75
IDLE = 3  # full steps without progress after which a fit has reached its last digit
ROUNDING = 1e-13  # relative difference of two sums over runs that means nothing: residuals are differences themselves
ELEMENTS = 5 << 16  # of a batch of Jacobians, 2.6 MB: long enough for threads, not too long for caches


class Search(NamedTuple):
    """How to descend.

    Fields:
        exact: True for exact second derivatives at every step, False for none (from afar), or fixed ones, (k, k, n).
        steps: at most so many.
        damping: of the first step, relative to the curvature along each axis.
        careful: the least damping after a step that failed.
        enough: the relative gradient at which to stop.
        close: the share of the way from start to optimum, in standard errors, that may be left.
        longest: how many e-folds a positive coefficient may move in one step.
        axes: (k, k), columns along which the objective is about equally curved; None for the coefficients themselves,
            each in units of its own effect.
    """

    exact: Array | bool
    steps: int = 60
    damping: float = 1e-3
    careful: float = 1e-4
    enough: float = LAST_DIGIT
    close: float = 0.0
    longest: float = np.inf
    axes: Array | None = None


class Optimum(NamedTuple):
    """Where a batch of fits ended: inner values (batch, k), objective (batch,), relative gradient (batch,)."""

    inner: Array
    value: Array
    gradient: Array


def zero_gradient(rounding: float, delta: float, spread: float) -> float:
    """Return the relative gradient that counts as zero: that of residuals which are off by their rounding.

    Args:
        rounding: how far residuals may be off.
        delta: the threshold in force.
        spread: of the residuals.
    """
    return max(CONVERGED, rounding / min(delta, spread))


def _times(matrices: Array, vectors: Array) -> Array:
    return (matrices @ vectors[..., None])[..., 0]


def descend(problem: Residuals, cost: Cost, inner: Array, search: Search) -> Optimum:
    """Return the minima reached from inner values (batch, k) at one threshold.

    Args:
        problem: residuals and their derivatives.
        cost: how residuals count.
        inner: where to start.
        search: how to step, and when to stop.
    """
    rows = max(1, ELEMENTS // (problem.size * inner.shape[1]))
    if len(inner) <= rows:
        return _Descent(problem, cost, inner, search).run()
    numbers = [np.arange(i, min(i + rows, len(inner))) for i in range(0, len(inner), rows)]
    parts = [_Descent(problem.part(few), cost.part(few), inner[few], search).run() for few in numbers]
    return Optimum(*(np.concatenate(found) for found in zip(*parts, strict=True)))


class _Descent:
    """A batch of fits on their way down, those that have arrived left out."""

    def __init__(self, problem: Residuals, cost: Cost, inner: Array, search: Search) -> None:
        self.problem, self.cost, self.search = problem, cost, search
        self.inner = inner.copy()
        self.damping = np.full(len(inner), search.damping)
        self.idle = np.zeros(len(inner), dtype=int)
        self.far: Array | None = None
        self.rounding = problem.rounding
        self.active = np.arange(len(inner))
        self.found = self.at(inner)
        self.value, self.relative = self.found.value.copy(), self.found.relative.copy()

    def run(self) -> Optimum:
        for _ in range(self.search.steps):
            self.leave(self.found.relative > self.search.enough)
            if not self.active.size:
                break
            self.step()
            self.leave((self.damping[self.active] < LARGEST_DAMPING) & (self.idle[self.active] < IDLE))
        return Optimum(self.inner, self.value, self.relative)

    def at(self, inner: Array) -> Slopes:
        return slopes(self.problem.part(self.active), self.cost.part(self.active), inner, exact=self.search.exact)

    def step(self) -> None:
        """Take a step where it leads down; be more careful where it does not."""
        active, found, damping = self.active, self.found, self.damping[self.active]
        solver = _Solver(found, self.search.axes)
        if self.far is None:
            self.far = np.zeros(len(self.inner))
            self.far[active] = solver.expected_decrease(found.gradient)
        with np.errstate(all="ignore"):
            trial = self.inner[active] + self.move(solver, damping)
            after = self.at(trial)
        rounding = np.maximum(ROUNDING, self.rounding / np.sqrt(found.value / self.problem.size))
        progress = _progress(found, after, 0.5, rounding)
        finite = np.isfinite(after.value) & np.isfinite(after.relative)
        better = finite & (_progress(found, after, 1.0, rounding) | (after.value <= found.value))
        moved = active[better]
        self.inner[moved] = trial[better]
        self.value[moved], self.relative[moved] = after.value[better], after.relative[better]
        less = np.where(
            after.relative < 0.3 * found.relative, 0.01, 0.3
        )  # close to the optimum steps are Newton's soon
        self.damping[active] = np.where(better, damping * less, np.maximum(damping * 3.0, self.search.careful))
        full = self.damping[active] < 1e-8
        self.idle[active] = np.where(progress, 0, self.idle[active] + ((better & full) | (found.relative <= CONVERGED)))
        if self.search.close:
            near = solver.expected_decrease(found.gradient) <= self.search.close**2 * self.far[active]
            self.idle[active[near & better]] = IDLE
        self.found = after if better.all() else Slopes(*map(_chosen(better), after, found))

    def move(self, solver: "_Solver", damping: Array) -> Array:
        """Return the step of each active fit; from afar it follows the bend of the valley.

        Source: Transtrum and Sethna 2012, arXiv:1201.5885, geodesic acceleration.
        """
        ahead = solver.step(self.found.gradient, damping)
        if self.search.exact is not False:
            farthest = np.abs(ahead[:, self.problem.positive]).max(axis=1, initial=1e-300)
            return ahead * np.minimum(1.0, self.search.longest / farthest)[:, None]
        problem, cost, inner = self.problem.part(self.active), self.cost.part(self.active), self.inner[self.active]
        aside = 0.5 * solver.step(bend_slope(problem, cost, inner, ahead), damping)
        sizes = [np.linalg.norm(part * self.found.scale, axis=1) for part in (aside, ahead)]
        return ahead + np.where((sizes[0] <= MOST_BEND * sizes[1])[:, None], aside, 0.0)

    def leave(self, going: Array) -> None:
        if not going.all():
            self.active, self.found = self.active[going], self.found.part(going)


def _chosen(mask: Array) -> Any:
    return lambda a, b: np.where(mask.reshape(-1, *([1] * (a.ndim - 1))), a, b)


def _progress(before: Slopes, after: Slopes, share: float, rounding: Array) -> Array:
    """Return which fits a step has brought lower by more than rounding, or as low with a share of the slope left."""
    with np.errstate(all="ignore"):
        flatter = (after.relative < share * before.relative) & (after.value <= before.value * (1.0 + rounding))
        return (after.value < before.value * (1.0 - rounding)) | flatter


class _Solver:
    """Gradients to steps of each fit: Newton's, turned towards the gradient where it fails."""

    def __init__(self, found: Slopes, axes: Array | None) -> None:
        axes = np.eye(found.scale.shape[1]) / found.scale[:, None, :] if axes is None else axes
        matrix = np.swapaxes(axes, -1, -2) @ found.hessian @ axes
        values, vectors = np.linalg.eigh(np.where(np.isfinite(matrix), matrix, 0.0))
        self.axes = axes @ vectors
        self.stiffness = np.maximum(np.abs(values), 1e-14)

    def step(self, gradient: Array, damping: Array) -> Array:
        """Return the damped step, (batch, k)."""
        stiffness = self.stiffness + damping[:, None] * (damping[:, None] > LEAST_DAMPING)
        return _times(self.axes, -self.along(gradient) / stiffness)

    def along(self, gradient: Array) -> Array:
        """Return the gradient along the axes of the Hessian, (batch, k)."""
        return _times(np.swapaxes(self.axes, 1, 2), gradient)

    def expected_decrease(self, gradient: Array) -> Array:
        """Return twice what Newton's step would win, (batch,): the squared distance from the optimum in its metric."""
        return (self.along(gradient) ** 2 / self.stiffness).sum(axis=1)
