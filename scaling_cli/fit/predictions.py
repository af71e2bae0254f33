"""What a fitted law says of budgets, with intervals: ask every refit the same question."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.laws import Law
from scaling_cli.core.plans import Planner
from scaling_cli.core.runs import Runs
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, fitted_law
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
STEP = 1.01  # factor of flops over which the exponents are taken


class Prediction(NamedTuple):
    """The optimum of a budget with its intervals; `new_loss_*` is where one new run there would land."""

    flops: float
    params: float
    params_low: float | None
    params_high: float | None
    tokens: float
    tokens_low: float | None
    tokens_high: float | None
    loss: float
    loss_low: float | None
    loss_high: float | None
    new_loss_low: float | None
    new_loss_high: float | None
    notes: tuple[str, ...] = ()


class Exponent(NamedTuple):
    """N ~ C**a or D ~ C**b at a budget."""

    name: str
    value: float
    low: float | None
    high: float | None


class Answer(NamedTuple):
    """A fit with the runs behind it, its exponents at the largest budget, and its predictions."""

    fit: Fit
    law: Law
    runs: Runs
    exponents: tuple[Exponent, ...]
    predictions: tuple[Prediction, ...]
    manifest: Mapping[str, str | float]


def predict(fit: Fit, budgets: Sequence[float], *, seed: int, level: float = LEVEL) -> list[Prediction]:
    """Return the optimum at each budget.

    Args:
        fit: a fit of a loss in params and tokens.
        budgets: training FLOPs, > 0.
        seed: of the noise of a new run.
        level: of the intervals.

    Raises: NoAnswer when the fitted law has no optimum there.
    """
    flops = np.asarray(budgets, dtype=float)
    planner = _planner(fit)
    best = [planner.plan({"flops": float(c)}) for c in flops]
    clouds = _clouds(fit, flops)
    found = []
    for i, plan in enumerate(best):
        if plan.params is None or plan.tokens is None or plan.loss is None:
            raise NoAnswer(f"the fitted form has no optimum at {flops[i]:.4g} FLOPs")
        ends = [_ends(cloud[:, i], level) for cloud in clouds]
        new = _ends(_with_noise(fit, clouds[2][:, i], seed), level)
        (params, tokens, loss) = ends
        found.append(
            Prediction(
                float(flops[i]), plan.params, *params, plan.tokens, *tokens, plan.loss, *loss, *new, plan.outside
            )
        )
    return found


def exponents(fit: Fit, flops: float, *, level: float = LEVEL) -> list[Exponent]:
    """Return a and b of the optimal split, N ~ C**a and D ~ C**b, at a budget."""
    pair = np.array([flops, flops * STEP])
    try:
        split = _planner(fit).frontier.split(pair)
    except (InputError, NoAnswer):
        return []
    clouds = _clouds(fit, pair)
    found = []
    for name, values, cloud in zip("ab", split, clouds, strict=False):
        slopes = np.log(cloud[:, 1] / cloud[:, 0]) / np.log(STEP)
        value = float(np.log(values[1] / values[0]) / np.log(STEP))
        found.append(Exponent(name, value, *_ends(slopes, level)))
    return found


def _planner(fit: Fit) -> Planner:
    if fit.form.relation != "loss":
        raise InputError(f"the fit is of {fit.form.relation}, not of a loss", "leave out --at")
    return Planner(fit.law)


def _clouds(fit: Fit, flops: Array) -> tuple[Array, Array, Array]:
    """Return params, tokens and loss of the optimum by every refit, (draws, budgets) each; NaN where it has none."""
    shape = (len(fit.draws), flops.size)
    clouds = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for i, values in enumerate(fit.draws):
        frontier = Planner(fitted_law(fit.form, fit.names, values)).frontier
        try:
            params, tokens = frontier.split(flops)
            clouds[0][i], clouds[1][i] = params, tokens
            clouds[2][i] = frontier.surface.loss_of(params, tokens)
        except (NoAnswer, ArithmeticError, ValueError):
            continue
    return clouds


def _ends(cloud: Array, level: float) -> tuple[float | None, float | None]:
    finite = cloud[np.isfinite(cloud)]
    if finite.size < 20 or finite.size < 0.95 * cloud.size:
        return None, None
    low, high = np.quantile(finite, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return float(low), float(high)


def _with_noise(fit: Fit, losses: Array, seed: int) -> Array:
    noise = np.random.default_rng(seed).choice(fit.residuals, size=losses.size)
    return losses * np.exp(-noise) if fit.objective.log else losses - noise
