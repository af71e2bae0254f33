"""Power laws through minima: a line in logarithms, and a loss that falls towards a floor.

A minimum misses the line for two reasons, which are kept apart: the noise of the runs around it (`errors`, known from
the runs) and the scatter of true minima around the line (tau, known from how far the minima lie from it). Weights are
1 / (errors**2 + tau**2); tau is where the weighted squares come to their degrees of freedom (Paule and Mandel 1982,
doi:10.6028/jres.087.022). In the refits tau varies as Student's t has it, by the few minima that tell it.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.fit.optima import condition_number

Array = Any
TINY = 1e-12  # least error of a minimum, relative: below it only rounding is left
HALVINGS = 60
GAMMAS = (0.003, 3.0)  # exponents of a loss to look among; published ones lie between 0.03 and 0.5
FEW = 8  # refits at a time: their gammas stay in the processor's cache
GRID, ROUNDS = 33, 10  # each round narrows the search sixteenfold
POLISHES = 4  # steps of Gauss and Newton from an end that is near already
FEWEST_FOR_FLOOR = 4  # minima: three coefficients, and one to spare
SURE = 0.95  # with which a floor must lie above zero to be told from none


class Measured(NamedTuple):
    """A quantity at minima: values (m,), the standard errors that noise gives them (m,), refits (draws, m)."""

    values: Array
    errors: Array
    draws: Array

    def part(self, keep: Array) -> "Measured":
        """Return it at some of the minima, by a mask (m,)."""
        return Measured(self.values[keep], self.errors[keep], self.draws[:, keep])

    @property
    def log(self) -> "Measured":
        """The logarithm of a positive quantity; NaN where noise has made a refit negative."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return Measured(np.log(self.values), self.errors / self.values, np.log(self.draws))


class Linear(NamedTuple):
    """Weighted least squares: coefficients (k,) = gain (k, m) @ values, and what is behind them."""

    coefficients: Array
    gain: Array
    design: Array
    weights: Array
    residuals: Array
    scatter: float

    @property
    def value(self) -> float:
        """The weighted sum of squares."""
        return float(self.weights @ self.residuals**2)

    @property
    def gradient_norm(self) -> float:
        """The normal equations' residual, relative to the size of their terms."""
        left = self.design * (self.weights * self.residuals)[:, None]
        size = np.abs(self.design) * (self.weights * np.abs(self.residuals + self.design @ self.coefficients))[:, None]
        return float(np.max(np.abs(left.sum(axis=0)) / np.maximum(size.sum(axis=0), 1e-300)))

    @property
    def condition_number(self) -> float:
        """Of the normal equations, with columns scaled to one."""
        return condition_number(self.design.T @ (self.design * self.weights[:, None]))

    @property
    def covariance(self) -> Array:
        """Of the coefficients, (k, k), from the weights."""
        return (self.gain / np.maximum(self.weights, 1e-300)) @ self.gain.T


class Floor(NamedTuple):
    """loss = E + K * c**-gamma: coefficients (E, K, gamma), the weights behind them (m,), and the scatter tau."""

    coefficients: Array
    weights: Array
    scatter: float


def fit_line(x: Array, measured: Measured) -> Linear:
    """Return the weighted line through values over x, (m,): intercept and slope. Two minima have no scatter to see."""
    design = np.column_stack([np.ones_like(x), x])
    scatter = scatter_around(design, measured)
    return _solve(design, measured.values, 1.0 / (_least(measured) ** 2 + scatter**2), scatter)


def draw_line(line: Linear, measured: Measured, rng: np.random.Generator) -> Array:
    """Return refits of a line, (draws, 2): other noise of each minimum, and other scatter around the line."""
    return _with_scatter(line, measured, rng) @ line.gain.T


def fit_floor(log_flops: Array, loss: Measured) -> Floor | None:
    """Return the loss as E + K * c**-gamma, or None where the minima do not tell E from zero.

    Args:
        log_flops: (m,), ln c with c = 1 at the anchor.
        loss: the loss at each minimum.
    """
    if log_flops.size < FEWEST_FOR_FLOOR:
        return None
    errors, scatter = _least(loss), 0.0
    for _ in range(2):  # the scatter needs the curve, and the curve its weights
        weights = 1.0 / (errors**2 + scatter**2)
        found = _floors(log_flops, loss.values[None], weights)[0]
        design = _slopes_of_floor(log_flops, found)
        linear = loss.values - _floor(log_flops, found) + design @ found
        scatter = scatter_around(design, Measured(linear, errors, loss.draws))
    weights = 1.0 / (errors**2 + scatter**2)
    found = _polished(log_flops, loss.values, weights, _floors(log_flops, loss.values[None], weights)[0])
    error = _solve(_slopes_of_floor(log_flops, found), loss.values, weights, scatter).covariance[0, 0] ** 0.5
    is_sure = found[0] > float(stdtrit(log_flops.size - found.size, SURE)) * error
    inside = GAMMAS[0] * 1.01 < found[2] < GAMMAS[1] / 1.01
    return Floor(found, weights, scatter) if is_sure and inside and found[1] > 0.0 else None


def draw_floor(log_flops: Array, floor: Floor, loss: Measured, rng: np.random.Generator) -> Array:
    """Return refits of a loss with a floor, (draws, 3)."""
    return _floors(log_flops, _with_scatter(floor, loss, rng), floor.weights)


def scatter_around(design: Array, measured: Measured) -> float:
    """Return the tau >= 0 at which the weighted squares around the best law come to their degrees of freedom.

    Args:
        design: (m, k), of a linear law.
        measured: what it is to give, with errors.
    """
    freedom = measured.values.size - design.shape[1]
    if not freedom:
        return 0.0
    errors = _least(measured)

    def squares(variance: float) -> float:
        return _solve(design, measured.values, 1.0 / (errors**2 + variance), 0.0).value

    plain = _solve(design, measured.values, np.ones_like(errors), 0.0).value
    low, high = 0.0, plain / freedom  # there the squares are at most plain / high
    if squares(low) <= freedom:
        return 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if squares(middle) > freedom else (low, middle)
    return float(np.sqrt(high))


def _solve(design: Array, values: Array, weights: Array, scatter: float) -> Linear:
    root = np.sqrt(weights)
    gain = np.linalg.pinv(design * root[:, None]) * root
    best = gain @ values
    return Linear(best, gain, design, weights, values - design @ best, float(scatter))


def _with_scatter(law: Linear | Floor, measured: Measured, rng: np.random.Generator) -> Array:
    """Return the refits of each minimum with scatter around the law on top, (draws, m)."""
    count, m = measured.draws.shape
    freedom = m - law.coefficients.size
    tau = law.scatter * np.sqrt(freedom / rng.chisquare(freedom, size=(count, 1)))  # Student's t
    return measured.draws + tau * rng.standard_normal((count, m))


def _least(measured: Measured) -> Array:
    return np.maximum(measured.errors, TINY * np.maximum(np.abs(measured.values), 1.0))


def _floor(log_flops: Array, coefficients: Array) -> Array:
    floor, scale, gamma = coefficients
    return floor + scale * np.exp(-gamma * log_flops)


def _slopes_of_floor(log_flops: Array, coefficients: Array) -> Array:
    """Return the derivatives of E + K * c**-gamma by its coefficients, (m, 3)."""
    power = np.exp(-coefficients[2] * log_flops)
    return np.column_stack([np.ones_like(power), power, -coefficients[1] * log_flops * power])


def _floors(log_flops: Array, losses: Array, weights: Array) -> Array:
    """Return weighted least squares of E + K * c**-gamma with E >= 0, (draws, 3) from losses (draws, m).

    For each gamma the other two are linear (Golub and Pereyra 1973, doi:10.1137/0710036); gamma is searched for.
    """
    starts = range(0, max(len(losses), 1), FEW)
    return np.vstack([_few_floors(log_flops, losses[start : start + FEW], weights) for start in starts])


def _few_floors(log_flops: Array, losses: Array, weights: Array) -> Array:
    low, high = (np.full(len(losses), np.log(end)) for end in GAMMAS)
    rows = np.arange(len(losses))
    for _ in range(ROUNDS):
        steps = np.linspace(low, high, GRID, axis=1)
        scale, floor, squares = _linear_floors(log_flops, losses, weights, np.exp(steps))
        best = squares.argmin(axis=1)
        low, high = steps[rows, np.maximum(best - 1, 0)], steps[rows, np.minimum(best + 1, GRID - 1)]
    return np.column_stack([floor[rows, best], scale[rows, best], np.exp(steps[rows, best])])


def _polished(log_flops: Array, losses: Array, weights: Array, found: Array) -> Array:
    """Return coefficients (3,) to their last digits: a search by squares alone finds half of them."""
    for _ in range(POLISHES if found[0] > 0.0 else 0):
        misses = losses - _floor(log_flops, found)
        found = found + _solve(_slopes_of_floor(log_flops, found), misses, weights, 0.0).coefficients
    return found


def _linear_floors(log_flops: Array, losses: Array, weights: Array, gammas: Array) -> tuple[Array, Array, Array]:
    """Return K, E and the weighted squares, (draws, g) each, for gammas (draws, g)."""
    power = np.exp(-gammas[:, :, None] * log_flops)
    share = weights / weights.sum()
    mean, center = (power @ share), (losses @ share)[:, None]
    apart = power - mean[:, :, None]
    scale = (apart * (losses - center)[:, None, :]) @ share / np.maximum((apart**2) @ share, 1e-300)
    floor = center - scale * mean
    bare = (power * losses[:, None, :]) @ share / ((power**2) @ share)  # the scale of a loss without floor
    scale, floor = np.where(floor < 0.0, bare, scale), np.maximum(floor, 0.0)
    misses = losses[:, None, :] - floor[:, :, None] - scale[:, :, None] * power
    return scale, floor, (misses**2) @ weights
