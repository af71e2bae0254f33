"""Damped Newton steps for a whole batch of fits at once, on exact derivatives. Knows nothing of laws or files."""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.problems import TARGET, Problem

Array = Any
CONVERGED = 1e-9  # largest gradient, relative to the sum of its terms' sizes
LAST_DIGIT = 1e-15  # gradient below which steps are rounding
LARGEST_DAMPING = 1e12
LEAST_DAMPING = 1e-11  # below which a step is Newton's
PROBE = 0.1  # of a step, over which the bend of the residuals is measured; Transtrum and Sethna 2012, section 4
MOST_BEND = 0.375  # of a step, beyond which the bend is not followed; their 2 |a| / |v| <= 0.75
ONE_THREAD = 1 << 18  # multiplications up to which OpenBLAS runs in the calling thread (interface/gemm.c)
IDLE = 3  # full steps without progress after which a fit has reached its last digit
ROUNDING = 1e-13  # relative difference of two sums over runs that means nothing: residuals are differences themselves
ELEMENTS = 1 << 15  # fits times runs worked on at a time: their arrays stay in the processor's cache


class Residuals(Protocol):
    """What steps need to know of a problem; see Problem."""

    size: int

    def residuals(self, inner: Array) -> Array:
        """Return residuals, (batch, n)."""

    def jacobian(self, inner: Array) -> tuple[Array, Array]:
        """Return residuals (batch, n) and their derivatives (batch, k, n)."""

    def curvature(self, inner: Array) -> Array:
        """Return second derivatives, (batch, k, k, n)."""

    def part(self, fits: Array) -> Self:
        """Return the problem of some fits of a batch."""


class Cost(NamedTuple):
    """How residuals count: the objective, how often each run does, (n,) or (batch, n), and the threshold in force."""

    objective: Objective
    weights: Array
    delta: float

    def part(self, fits: Array) -> "Cost":
        """Return the cost of some fits of a batch, by their numbers."""
        return self if self.weights.ndim == 1 else self._replace(weights=self.weights[fits])


class Search(NamedTuple):
    """How to descend.

    Fields:
        exact: True for exact second derivatives at every step, False for none (from afar), or fixed ones, (k, k, n).
        steps: at most so many.
        damping: of the first step, relative to the curvature along each axis.
        careful: the least damping after a step that failed.
        enough: the relative gradient at which to stop.
        close: the share of the way from start to optimum, in standard errors, that may be left.
        axes: (k, k), columns along which the objective is about equally curved; None for the coefficients themselves,
            each in units of its own effect.
    """

    exact: Array | bool
    steps: int = 60
    damping: float = 1e-3
    careful: float = 1e-4
    enough: float = LAST_DIGIT
    close: float = 0.0
    axes: Array | None = None


class Optimum(NamedTuple):
    """Where a batch of fits ended: inner values (batch, k), objective (batch,), relative gradient (batch,)."""

    inner: Array
    value: Array
    gradient: Array


class Slopes(NamedTuple):
    """The objective at inner values: value (batch,), gradient (batch, k), Hessian (batch, k, k).

    `relative` is the largest gradient relative to the sum of its terms' sizes, (batch,): it has no units. `scale` are
    the sizes of the columns of the Jacobian as residuals count, (batch, k).
    """

    value: Array
    gradient: Array
    hessian: Array
    relative: Array
    scale: Array

    def part(self, fits: Array) -> "Slopes":
        """Return the slopes of some fits of a batch."""
        return Slopes(*(values[fits] for values in self))


def zero_gradient(problem: Problem, delta: float) -> float:
    """Return the relative gradient that counts as zero: below a narrow threshold, residuals' own rounding sets it."""
    rounding = 4.0 * float(np.finfo(float).eps * np.abs(problem.data[TARGET]).max())
    return max(CONVERGED, rounding / delta)


def slopes(problem: Residuals, cost: Cost, inner: Array, curvature: Array | None) -> Slopes:
    """Return value, gradient and Hessian of the objective.

    Args:
        problem: residuals and their derivatives.
        cost: how residuals count.
        inner: (batch, k).
        curvature: second derivatives of the residuals, (k, k, n) or (batch, k, k, n); None leaves them out, and large
            residuals then count by the secant of rho, so that the Hessian is positive definite.
    """
    residuals, jacobian = problem.jacobian(inner)
    rho = cost.objective.rho(residuals, cost.delta)
    pull, secant = cost.weights * rho.first, cost.weights * rho.secant
    gradient = _with_runs(jacobian, pull)
    if curvature is None:
        hessian = _between(jacobian * secant[:, None, :], jacobian)
        columns = np.diagonal(hessian, axis1=1, axis2=2)
    else:
        hessian = _between(jacobian * (cost.weights * rho.second)[:, None, :], jacobian) + _bend(curvature, pull)
        columns = _with_runs(jacobian * jacobian, secant)
    scale = np.sqrt(np.maximum(columns, 1e-300))
    sizes = np.maximum(_with_runs(np.abs(jacobian), np.abs(pull)), 1e-300)
    relative = np.max(np.abs(gradient) / sizes, axis=-1)
    return Slopes((cost.weights * rho.value).sum(axis=-1), gradient, hessian, relative, scale)


def _bend(curvature: Array, pull: Array) -> Array:
    """Return what the curvature of the residuals adds to the Hessian, (batch, k, k)."""
    k = curvature.shape[-2]
    if curvature.ndim == 3:
        return _between(pull, curvature.reshape(k * k, -1)).reshape(-1, k, k)
    return np.einsum("bkln,bn->bkl", curvature, pull)


def _with_runs(matrices: Array, vectors: Array) -> Array:
    """Return products over runs, (batch, k), of (batch, k, n) and (batch, n)."""
    return np.einsum("bkn,bn->bk", matrices, vectors)


def _between(left: Array, right: Array) -> Array:
    """Return products over runs, (..., p, q), of (..., p, n) and (..., q, n).

    In pieces for which BLAS starts no threads: the refits have them all.
    """
    step = max(1, ONE_THREAD // (left.shape[-2] * right.shape[-2]))
    pieces = [slice(i, i + step) for i in range(0, left.shape[-1], step)]
    return sum(left[..., piece] @ np.swapaxes(right[..., piece], -1, -2) for piece in pieces)


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
    rows = max(1, ELEMENTS // problem.size)
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
        exact = self.search.exact
        if isinstance(exact, bool):
            exact = self.problem.curvature(inner) if exact else None
        return slopes(self.problem.part(self.active), self.cost.part(self.active), inner, exact)

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
        progress = _progress(found, after, 0.5)
        finite = np.isfinite(after.value) & np.isfinite(after.relative)
        better = finite & (_progress(found, after, 1.0) | (after.value <= found.value))
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
            return ahead
        problem, cost, inner = self.problem.part(self.active), self.cost.part(self.active), self.inner[self.active]
        residuals, jacobian = problem.jacobian(inner)
        shifted = problem.residuals(inner + PROBE * ahead)
        bend = 2.0 / PROBE * ((shifted - residuals) / PROBE - np.einsum("bkn,bk->bn", jacobian, ahead))
        secant = cost.weights * cost.objective.rho(residuals, cost.delta).secant
        aside = 0.5 * solver.step(_with_runs(jacobian, secant * bend), damping)
        sizes = [np.linalg.norm(part * self.found.scale, axis=1) for part in (aside, ahead)]
        return ahead + np.where((sizes[0] <= MOST_BEND * sizes[1])[:, None], aside, 0.0)

    def leave(self, going: Array) -> None:
        if not going.all():
            self.active, self.found = self.active[going], self.found.part(going)


def _chosen(mask: Array) -> Any:
    return lambda a, b: np.where(mask.reshape(-1, *([1] * (a.ndim - 1))), a, b)


def _progress(before: Slopes, after: Slopes, share: float) -> Array:
    """Return which fits a step has brought lower by more than rounding, or as low with a share of the slope left."""
    with np.errstate(all="ignore"):
        flatter = (after.relative < share * before.relative) & (after.value <= before.value * (1.0 + ROUNDING))
        return (after.value < before.value * (1.0 - ROUNDING)) | flatter


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
