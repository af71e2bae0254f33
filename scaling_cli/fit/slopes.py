"""The objective of a batch of fits with its slopes, summed over runs a block at a time. Knows nothing of laws or files.

Of many runs no array of runs by coefficients is ever whole: a block's stay in the processor's cache.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from scaling_cli.fit.objectives import Objective

Array = Any
BLOCK = 1 << 13  # runs at a time: with second derivatives by five coefficients, a few arrays of 300 kB
ONE_THREAD = 1 << 18  # multiplications up to which OpenBLAS runs in the calling thread (interface/gemm.c)
PROBE = 0.1  # of a step, over which the bend of the residuals is measured; Transtrum and Sethna 2012, section 4


class Residuals(Protocol):
    """What steps need to know of a problem; see Problem."""

    size: int
    positive: Array  # (k,), which inner values are logarithms

    @property
    def rounding(self) -> float:
        """How far residuals may be off for being differences of rounded numbers."""

    def residuals(self, inner: Array) -> Array:
        """Return residuals, (batch, n)."""

    def jacobian(self, inner: Array) -> tuple[Array, Array]:
        """Return residuals (batch, n) and their derivatives (batch, k, n)."""

    def curvature(self, inner: Array) -> Array:
        """Return second derivatives, (batch, k, k, n)."""

    def part(self, fits: Array) -> Self:
        """Return the problem of some fits of a batch."""

    def part_of_runs(self, runs: Array | slice) -> Self:
        """Return the problem of some of the runs."""


class Cost(NamedTuple):
    """How residuals count: the objective, how often each run does, (n,) or (batch, n), and the threshold in force."""

    objective: Objective
    weights: Array
    delta: float

    def part(self, fits: Array) -> "Cost":
        """Return the cost of some fits of a batch, by their numbers."""
        return self if self.weights.ndim == 1 else self._replace(weights=self.weights[fits])

    def part_of_runs(self, runs: Array | slice) -> "Cost":
        """Return the cost of some of the runs."""
        return self._replace(weights=self.weights[..., runs])


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


class _Sums(NamedTuple):
    """Sums over runs: Slopes' own, of the sizes of the gradient's terms, and of the Jacobian's squares, (batch, k)."""

    value: Array
    gradient: Array
    hessian: Array
    sizes: Array
    squares: Array


def slopes(problem: Residuals, cost: Cost, inner: Array, *, exact: Array | bool) -> Slopes:
    """Return value, gradient and Hessian of the objective.

    Args:
        problem: residuals and their derivatives.
        cost: how residuals count.
        inner: (batch, k).
        exact: True for the residuals' second derivatives, or fixed ones, (k, k, n); False leaves them out, and large
            residuals then count by the secant of rho, so that the Hessian is positive definite.
    """
    found = [_sums(*block, inner) for block in _blocks(problem, cost, exact)]
    value, gradient, hessian, sizes, squares = (sum(parts[1:], parts[0]) for parts in zip(*found, strict=True))
    relative = np.max(np.abs(gradient) / np.maximum(sizes, 1e-300), axis=-1)
    return Slopes(value, gradient, hessian, relative, np.sqrt(np.maximum(squares, 1e-300)))


def bend_slope(problem: Residuals, cost: Cost, inner: Array, ahead: Array) -> Array:
    """Return the gradient, (batch, k), that the bend of the residuals along a step would have as residuals.

    The bend is their second derivative along the step, from one more evaluation.

    Args:
        problem: residuals and their derivatives.
        cost: how residuals count.
        inner: (batch, k).
        ahead: the step, (batch, k).
    """
    return sum(_bend_sum(few, counted, inner, ahead) for few, counted, _ in _blocks(problem, cost, exact=False))


def _blocks(problem: Residuals, cost: Cost, exact: Array | bool) -> Iterator[tuple[Residuals, Cost, Array | bool]]:
    """Yield problem, cost and second derivatives of each block of runs."""
    if problem.size <= BLOCK:
        yield problem, cost, exact
        return
    for start in range(0, problem.size, BLOCK):
        runs = slice(start, start + BLOCK)
        fixed = exact if isinstance(exact, bool) else exact[..., runs]
        yield problem.part_of_runs(runs), cost.part_of_runs(runs), fixed


def _sums(problem: Residuals, cost: Cost, exact: Array | bool, inner: Array) -> _Sums:
    residuals, jacobian = problem.jacobian(inner)
    rho = cost.objective.rho(residuals, cost.delta)
    pull, secant = cost.weights * rho.first, cost.weights * rho.secant
    if exact is False:
        hessian = _between(jacobian * secant[:, None, :], jacobian)
        squares = np.diagonal(hessian, axis1=1, axis2=2)
    else:
        bend = _bend(problem.curvature(inner) if exact is True else exact, pull)
        hessian = _between(jacobian * (cost.weights * rho.second)[:, None, :], jacobian) + bend
        squares = np.einsum("bkn,bkn,bn->bk", jacobian, jacobian, secant)
    sizes = _with_runs(np.abs(jacobian), np.abs(pull))
    return _Sums((cost.weights * rho.value).sum(axis=-1), _with_runs(jacobian, pull), hessian, sizes, squares)


def _bend(curvature: Array, pull: Array) -> Array:
    """Return what the curvature of the residuals adds to the Hessian, (batch, k, k)."""
    if curvature.ndim == 4:
        return np.einsum("bkln,bn->bkl", curvature, pull)
    bend = np.empty((len(pull), *curvature.shape[:2]))
    for i, rows in enumerate(curvature):  # fit by fit: of one product of all, last digits depend on the others
        bend[:, i, i:] = bend[:, i:, i] = (rows[i:] @ pull[..., None])[..., 0]
    return bend


def _bend_sum(problem: Residuals, cost: Cost, inner: Array, ahead: Array) -> Array:
    residuals, jacobian = problem.jacobian(inner)
    shifted = problem.residuals(inner + PROBE * ahead)
    bend = 2.0 / PROBE * ((shifted - residuals) / PROBE - np.einsum("bkn,bk->bn", jacobian, ahead))
    secant = cost.weights * cost.objective.rho(residuals, cost.delta).secant
    return _with_runs(jacobian, secant * bend)


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
