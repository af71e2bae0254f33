"""Damped Newton steps for a whole batch of fits at once, on exact derivatives. Knows nothing of laws or files."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.problems import TARGET, Problem

Array = Any
CONVERGED = 1e-9  # largest gradient, relative to the sum of its terms' sizes
LARGEST_DAMPING = 1e12
IDLE = 3  # full steps without progress after which a fit has reached its last digit
ROUNDING = 1e-14  # relative difference of two sums over runs that means nothing


class Optimum(NamedTuple):
    """Where a batch of fits ended: inner values (batch, k), objective (batch,), relative gradient (batch,)."""

    inner: Array
    value: Array
    gradient: Array


class Slopes(NamedTuple):
    """The objective at inner values: its value (batch,), gradient (batch, k), Hessian (batch, k, k), and sizes."""

    value: Array
    gradient: Array
    hessian: Array
    relative: Array
    gauss_newton: Array


def zero_gradient(problem: Problem, delta: float) -> float:
    """Return the relative gradient that counts as zero: below a narrow threshold, residuals' own rounding sets it."""
    rounding = 4.0 * float(np.finfo(float).eps * np.abs(problem.data[TARGET]).max())
    return max(CONVERGED, rounding / delta)


def slopes(
    problem: Problem, objective: Objective, inner: Array, weights: Array, *, delta: float, curvature: Array | None
) -> Slopes:
    """Return value, gradient and Hessian of the objective.

    Args:
        problem: residuals and their derivatives.
        objective: how residuals count.
        inner: (batch, k).
        weights: (n,) or (batch, n).
        delta: the threshold in force.
        curvature: second derivatives of the residuals, (k, k, n) or (batch, k, k, n); None leaves them out, and large
            residuals then count by the secant of rho, so that the Hessian is positive definite.
    """
    residuals, jacobian = problem.jacobian(inner)
    rho, first, second = objective.rho(residuals, delta)
    pull = weights * first
    terms = jacobian * np.broadcast_to(pull, residuals.shape)[:, None, :]
    gradient = terms.sum(axis=-1)
    secant = np.where(np.abs(residuals) > 1e-300, first / np.where(residuals == 0.0, 1.0, residuals), second)
    across = np.swapaxes(jacobian, 1, 2)
    gauss_newton = (jacobian * (weights * secant)[:, None, :]) @ across
    hessian = gauss_newton
    if curvature is not None:
        bend = np.broadcast_to(pull, residuals.shape)
        k = inner.shape[1]
        flat = curvature.reshape(*curvature.shape[:-3], k * k, -1)
        bent = bend @ flat.T if flat.ndim == 2 else (flat @ bend[..., None])[..., 0]
        hessian = (jacobian * (weights * second)[:, None, :]) @ across + bent.reshape(-1, k, k)
    size = np.abs(terms).sum(axis=-1)
    relative = np.max(np.abs(gradient) / np.where(size > 0.0, size, 1.0), axis=-1)
    return Slopes((weights * rho).sum(axis=-1), gradient, hessian, relative, gauss_newton)


def descend(
    problem: Problem,
    objective: Objective,
    inner: Array,
    weights: Array,
    *,
    delta: float,
    exact: Array | bool,
    steps: int = 60,
) -> Optimum:
    """Return the minima reached from inner values (batch, k) at one threshold.

    Args:
        problem: residuals and their derivatives.
        objective: how residuals count.
        inner: where to start.
        weights: (n,) or (batch, n).
        delta: the threshold in force.
        exact: True for exact second derivatives at every step, False for none (from afar), or fixed ones (k, k, n).
        steps: at most so many.
    """
    inner = inner.copy()
    damping = np.full(len(inner), 1e-3)
    idle = np.zeros(len(inner), dtype=int)
    zero = zero_gradient(problem, delta)
    active = np.arange(len(inner))
    found = _at(problem, objective, inner, weights, delta, exact)
    value, relative = found.value.copy(), found.relative.copy()
    for _ in range(steps):
        mine = weights if weights.ndim == 1 else weights[active]
        step = _damped_step(found, damping[active])
        trial = inner[active] + step
        with np.errstate(all="ignore"):
            after = _at(problem.part(active), objective, trial, mine, delta, exact)
        progress = _progress(found, after)
        better = np.isfinite(after.value) & np.isfinite(after.relative) & (progress | (after.value <= found.value))
        inner[active[better]] = trial[better]
        value[active[better]], relative[active[better]] = after.value[better], after.relative[better]
        damping[active] = np.where(better, damping[active] * 0.1, damping[active] * 10.0)
        full = damping[active] < 1e-8
        idle[active] = np.where(progress, 0, idle[active] + ((better & full) | (found.relative <= zero)))
        found = Slopes(*(np.where(_like(better, a), a, b) for a, b in zip(after, found, strict=True)))
        going = (found.relative > CONVERGED * 1e-3) & (damping[active] < LARGEST_DAMPING) & (idle[active] < IDLE)
        active = active[going]
        if not active.size:
            break
        found = Slopes(*(part[going] for part in found))
    return Optimum(inner, value, relative)


def _progress(before: Slopes, after: Slopes) -> Array:
    """Return which fits a step has brought lower by more than rounding, or as low with half the gradient."""
    with np.errstate(all="ignore"):
        flatter = (after.relative < 0.5 * before.relative) & (after.value <= before.value * (1.0 + ROUNDING))
        return (after.value < before.value * (1.0 - ROUNDING)) | flatter


def _at(
    problem: Problem, objective: Objective, inner: Array, weights: Array, delta: float, exact: Array | bool
) -> Slopes:
    curvature = (problem.curvature(inner) if exact else None) if isinstance(exact, bool) else exact
    return slopes(problem, objective, inner, weights, delta=delta, curvature=curvature)


def _damped_step(found: Slopes, damping: Array) -> Array:
    """Return the step of each fit: Newton's, turned towards the gradient where it fails."""
    scale = np.sqrt(np.maximum(np.diagonal(found.gauss_newton, axis1=1, axis2=2), 1e-300))
    matrix = found.hessian / scale[:, :, None] / scale[:, None, :]
    matrix = np.where(np.isfinite(matrix), matrix, 0.0)
    values, vectors = np.linalg.eigh(matrix)
    floor = np.maximum(damping[:, None] * (damping[:, None] > 1e-11), 1e-14)
    along = (np.swapaxes(vectors, 1, 2) @ (-found.gradient / scale)[:, :, None])[:, :, 0]
    shrunk = along / np.maximum(np.abs(values) + floor, 1e-300)
    return (vectors @ shrunk[:, :, None])[:, :, 0] / scale


def polish_squares(problem: Problem, inner: Array, weights: Array, *, steps: int = 60) -> Array:
    """Return the minimum of a sum of squares nearer to the last digit, (1, k) from (1, k).

    Gauss and Newton's steps by singular values of the Jacobian: the normal equations would square its condition.
    """
    best, damping = inner, 0.0
    residuals, jacobian = problem.jacobian(best)
    root = np.sqrt(weights)
    value = float(((root * residuals) ** 2).sum())
    for _ in range(steps if np.isfinite(jacobian).all() else 0):
        matrix = (jacobian[0] * root).T
        scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
        left, singular, right = np.linalg.svd(matrix / scale, full_matrices=False)
        along = singular / (singular**2 + damping) * (left.T @ (root * residuals[0]))
        trial = best - (right.T @ along) / scale
        after = problem.jacobian(trial)
        changed = float(((root * after[0]) ** 2).sum())
        if not (changed <= value and np.isfinite(after[1]).all()):
            damping = max(10.0 * damping, 1e-16)
            if damping > 1.0:
                break
            continue
        small = bool(np.all(np.abs(trial - best) <= 1e-15 * np.abs(best)))
        best, value, damping = trial, changed, 0.1 * damping if damping > 1e-15 else 0.0
        residuals, jacobian = after
        if small:
            break
    return best


def _like(mask: Array, part: Array) -> Array:
    return mask.reshape(-1, *([1] * (part.ndim - 1)))
