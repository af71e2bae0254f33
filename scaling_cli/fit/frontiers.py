"""The whole of a fit without a formula: minima in; power laws with their uncertainty and predictions out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.compute import FLOPS_PER_PARAM_AND_TOKEN
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Law, Relation
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.runs import Runs
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.minima import Minima, Minimum
from scaling_cli.fit.optima import Certificate
from scaling_cli.fit.power_laws import FEWEST_FOR_FLOOR, Linear, Measured, draw_floor, draw_line, fit_floor, fit_line
from scaling_cli.fit.predictions import Exponent, Prediction
from scaling_cli.fit.uncertainty import LEVEL, Spread

Array = Any
FEWEST = 3  # minima with an interval: fewer show no scatter around a line
ONE_SIGMA = 0.6827  # share of a normal within one standard deviation
STATED = "optimal_params"  # the relation whose uncertainty names the draws, which all relations share
FORMULAS = {
    "optimal_params": "N_anchor * (C / C_anchor)**a",
    "optimal_tokens": "D_anchor * (C / C_anchor)**b",
    "optimal_loss": "E + K * (C / C_anchor)**-gamma",
    "flops": "F * N**p * D",
}
MORE_CURVES = (
    "train more sizes, each past the budget where the next larger one is better; "
    "or fit a formula to every point: --method parametric"
)
ANCHOR = "C_anchor is the geometric mean of the budgets, rounded; N_anchor, D_anchor and the reducible loss K are there"
WITHOUT_FLOOR = "K * (C / C_anchor)**-gamma"


class FrontierFit(NamedTuple):
    """Power laws through minima.

    `names` and `values` are the coefficients; `spread` has their standard errors and intervals, NaN where there are
    none; `draws` the refits, (draws, k); `line` the fit behind N_anchor and a; `residuals` of the runs around their
    valleys, relative; `scatter` of ln params (or ln flops) and of the loss around their laws.
    """

    method: str
    law: Law
    names: tuple[str, ...]
    values: Array
    spread: Spread
    draws: Array
    minima: Minima
    line: Linear
    loss_scatter: float
    notes: tuple[str, ...]

    @property
    def certificate(self) -> Certificate:
        """Why to believe the line: it is the solution of its normal equations."""
        return Certificate(True, self.line.gradient_norm, 1, 1, self.line.condition_number)

    @property
    def noise(self) -> float:
        """Root mean square of the runs' residuals, relative to the loss."""
        return float(np.sqrt(np.mean(self.minima.residuals**2)))

    @property
    def refits(self) -> Draws | None:
        """The refits as draws of the law; None where there are none."""
        if not len(self.draws):
            return None
        return Draws(self.names, tuple(map(tuple, self.draws.tolist())), relation=STATED, level=LEVEL)


class FrontierAnswer(NamedTuple):
    """Such a fit with the runs behind it, its exponents and its predictions."""

    fit: FrontierFit
    law: Law
    runs: Runs
    exponents: tuple[Exponent, ...]
    predictions: tuple[Prediction, ...]
    held: HoldOut
    manifest: Mapping[str, str | float]


def fit_frontier(method: str, minima: Minima, *, seed: int) -> FrontierFit:
    """Return the power laws through minima.

    Args:
        method: isoflop or envelope.
        minima: what it found.
        seed: of the scatter in the refits.

    Raises: NoAnswer when fewer than two minima are bracketed.
    """
    _check(minima)
    log_flops = minima.log_flops.values
    anchor = float(np.log(float(f"{np.exp(log_flops.mean()):.3e}")))  # any budget will do: one that reads well
    count, draws = log_flops.size, len(minima.log_flops.draws)
    rng = np.random.default_rng([seed, count])
    line, split, split_draws = _split(minima, anchor, rng)
    loss, loss_draws, scatter = _loss(log_flops - anchor, minima.loss, rng)
    names, values = _coefficients(anchor, split[None], loss, minima.flops_per_token)
    cloud = np.empty((0, len(names)))
    if count >= FEWEST and draws:
        cloud = _coefficients(anchor, split_draws, loss_draws, minima.flops_per_token)[1]
        cloud = cloud[np.isfinite(cloud).all(axis=1)]
    law = _law(method, minima, dict(zip(names, map(float, values[0]), strict=True)))
    notes = (*minima.notes, *_notes(minima, "E" in names))
    return FrontierFit(method, law, names, values[0], _spread(values[0], cloud), cloud, minima, line, scatter, notes)


def _check(minima: Minima) -> None:
    """Raise NoAnswer when the minima give no line."""
    found = minima.log_flops.values.size
    if found >= 2:
        return
    reasons = [f"{_budget(row)}: {row.reason}" for row in minima.rows if not row.bracketed]
    reasons += [f"{len(left.runs)} of the runs: {left.reason}" for left in minima.left]
    if minima.flops_are_exact:
        problem, needs = (
            "no budget has a minimum",
            "a minimum needs runs at one budget that are too small and too large",
        )
        more = "add the runs around the minimum of a second and a third budget, each ten times the one before"
    else:
        problem = "no size holds the envelope between two others"
        needs = more = MORE_CURVES
    if found == 0:
        raise NoAnswer(problem, *reasons[:5], needs)
    (row,) = (row for row in minima.rows if row.bracketed)
    raise NoAnswer(f"one minimum, at {_budget(row)}, says nothing of growth", *reasons[:5], more)


def _budget(row: Minimum) -> str:
    if row.flops is not None:
        return f"{format_quantity(row.flops, 'flops')} FLOPs"
    return f"{format_quantity(row.params or 0.0, 'params')} params"


def _split(minima: Minima, anchor: float, rng: np.random.Generator) -> tuple[Linear, Array, Array]:
    """Return the line, (ln N_anchor, a), and refits of these, (draws, 2).

    What noise moves stands on the left of the line, so that it does not flatten it: ln N over ln C for isoflops; for
    an envelope ln C over ln N, turned round.
    """
    if minima.flops_are_exact:
        line = fit_line(minima.log_flops.values - anchor, minima.log_params)
        drawn = draw_line(line, minima.log_params, rng) if line.residuals.size >= FEWEST else np.empty((0, 2))
        return line, line.coefficients, drawn
    middle = float(minima.log_params.values.mean())
    flops = minima.log_flops
    moved = Measured(flops.values - anchor, flops.errors, flops.draws - anchor)
    line = fit_line(minima.log_params.values - middle, moved)
    drawn = draw_line(line, moved, rng) if line.residuals.size >= FEWEST else np.empty((0, 2))
    turned = _turned(np.vstack([line.coefficients, drawn]), middle)
    return line, turned[0], turned[1:]


def _turned(lines: Array, middle: float) -> Array:
    """Return (ln N_anchor, a) of lines ln C = intercept + slope (ln N - middle), (draws, 2)."""
    with np.errstate(all="ignore"):
        return np.column_stack([middle - lines[:, 0] / lines[:, 1], 1.0 / lines[:, 1]])


def _loss(x: Array, loss: Measured, rng: np.random.Generator) -> tuple[Array, Array, float]:
    """Return (E, K, gamma) or (K, gamma), (1, k), refits of these, and the scatter of the loss around the law."""
    floor = fit_floor(x, loss)
    if floor is not None:
        return floor.coefficients[None], draw_floor(x, floor, loss, rng), floor.scatter
    line = fit_line(x, loss.log)
    drawn = draw_line(line, loss.log, rng) if x.size >= FEWEST else np.empty((0, 2))
    both = np.vstack([line.coefficients, drawn])
    with np.errstate(over="ignore"):  # a refit may have run away
        powers = np.column_stack([np.exp(both[:, 0]), -both[:, 1]])
    return powers[:1], powers[1:], line.scatter * float(loss.values.mean())


def _coefficients(anchor: float, split: Array, loss: Array, rule: tuple[float, float]) -> tuple[tuple[str, ...], Array]:
    """Return names and values, (draws, k), of the coefficients; tokens are what FLOPs leave."""
    factor, power = rule
    with np.errstate(all="ignore"):
        found = {
            "C_anchor": np.full(len(split), float(f"{np.exp(anchor):.3e}")),
            "N_anchor": np.exp(split[:, 0]),
            "a": split[:, 1],
            "D_anchor": np.exp(anchor - power * split[:, 0]) / factor,
            "b": 1.0 - power * split[:, 1],
        }
    found |= dict(zip(("E", "K", "gamma")[3 - loss.shape[1] :], loss.T, strict=True))
    if rule != (FLOPS_PER_PARAM_AND_TOKEN, 1.0):
        found |= {"F": np.full(len(split), factor), "p": np.full(len(split), power)}
    return tuple(found), np.column_stack(list(found.values()))


def _spread(values: Array, draws: Array) -> Spread:
    """Return half of the middle 68 % of refits, which few minima leave without a standard deviation, and intervals."""
    k = values.size
    if not len(draws):
        nothing = np.full(k, np.nan)
        return Spread(nothing, nothing, nothing, np.full((k, k), np.nan), "none")
    shares = [0.5 - ONE_SIGMA / 2.0, 0.5 + ONE_SIGMA / 2.0, 0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0]
    left, right, low, high = np.quantile(draws, shares, axis=0)
    with np.errstate(over="ignore"):  # a refit may have run away
        covariance = np.atleast_2d(np.cov(draws.T))
    return Spread(0.5 * (right - left), low, high, covariance, "bootstrap")


def _law(method: str, minima: Minima, found: Mapping[str, float]) -> Law:
    """Return the laws as a preset."""
    texts = {**FORMULAS, "optimal_loss": FORMULAS["optimal_loss"] if "E" in found else WITHOUT_FLOOR}
    if "F" not in found:
        del texts["flops"]
    used = [row.flops for row in minima.rows if row.bracketed and row.flops]
    valid = {"C": (min(used), max(used))}
    relations = {
        name: Relation(name, Formula(text), status="fitted", valid={} if name == "flops" else valid)
        for name, text in texts.items()
    }
    return Law(
        "fit", relations, title=f"Power laws through {len(used)} minima, {method} method",
        coefficients=dict(found), digits={name: repr(value) for name, value in found.items()},
        frontier={"params": "optimal_params", "loss": "optimal_loss"},
        notes=(ANCHOR,),
    )  # fmt: skip


def _notes(minima: Minima, has_floor: bool) -> list[str]:
    """Return what the number of minima and their noise leave open."""
    count = minima.log_flops.values.size
    missing, kind = sum(not row.bracketed for row in minima.rows), "budgets" if minima.flops_are_exact else "sizes"
    found = [f"{missing} of {len(minima.rows)} {kind} have no minimum, for the reasons given"] if missing else []
    if count < FEWEST:
        found.append("fewer than three scales: a point estimate, no interval")
    elif count == FEWEST:
        found.append("three minima are nearly a point estimate: one degree of freedom says how they scatter")
    if not has_floor:
        why = f"{count} minima are too few" if count < FEWEST_FOR_FLOOR else "the minima do not tell it from zero"
        found.append(f"optimal_loss has no irreducible part: {why}; beyond the runs it falls too fast")
    return found
