"""What power laws through minima say of budgets, with intervals: ask every refit the same question."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling_cli.core.plans import Planner
from scaling_cli.fit.frontiers import FEWEST as FEWEST_MINIMA
from scaling_cli.fit.frontiers import FrontierFit, fit_frontier
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.minima import Minima
from scaling_cli.fit.predictions import Exponent, Prediction
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
Ends = tuple[float | None, float | None]
NORMAL = 1.6449  # half a 90 % interval of a normal, in standard deviations
FEWEST = 20  # refits that an interval needs: fewer say nothing of a twentieth


def predict(fit: FrontierFit, budgets: Sequence[float], held: HoldOut, *, seed: int) -> list[Prediction]:
    """Return the optimum at each budget, with intervals; a new run has the noise of the runs and the law's scatter.

    Args:
        fit: power laws through minima.
        budgets: training FLOPs, > 0.
        held: how the laws do on their own largest budgets.
        seed: of the noise of a new run.
    """
    planner = Planner(fit.law)
    given = {name: fit.draws[:, i] for i, name in enumerate(fit.names)}
    rng = np.random.default_rng(seed)
    found = []
    for flops in budgets:
        plan = planner.plan({"flops": float(flops)})
        params, tokens, loss = (plan.params or np.nan, plan.tokens or np.nan, plan.loss or np.nan)
        clouds = _clouds(given, float(flops)) if len(fit.draws) else [np.empty(0)] * 3
        noise = rng.choice(fit.minima.residuals, size=clouds[2].size)
        new = clouds[2] * (1.0 + noise) + fit.loss_scatter * rng.standard_normal(clouds[2].size)
        sides = [_ends(cloud) for cloud in clouds]
        plain = _ends(new)
        printed = widened(float(loss), plain, held, fit.minima.loss.values.size)
        found.append(
            Prediction(
                float(flops),
                float(params),
                *sides[0],
                float(tokens),
                *sides[1],
                float(loss),
                *sides[2],
                *printed,
                *plain,
                plan.outside,
            )  # fmt: skip
        )
    return found


def hold_out(fit: FrontierFit, *, seed: int) -> HoldOut:
    """Return how the laws through the smaller budgets do on the larger ones.

    Args:
        fit: power laws through minima.
        seed: of the scatter in the refits.
    """
    order = np.argsort(np.argsort(fit.minima.log_flops.values))
    count, first = order.size, max(FEWEST_MINIMA, order.size // 2)
    ratios = []
    for cut in range(first, count):
        smaller = fit_frontier(fit.method, fit.minima.part(order < cut), seed=seed)
        larger = fit.minima.part(order >= cut)
        ratios.append(np.mean(_standard_errors(smaller, larger) ** 2))
    if not ratios or not np.isfinite(ratios).all():
        return HoldOut(count, "budget")
    return HoldOut(count, "budget", len(ratios), count - first, max(1.0, float(np.mean(ratios)) ** 0.5))


def _standard_errors(fit: FrontierFit, larger: Minima) -> Array:
    """Return how many standard errors of the prediction the larger minima lie from it, (m,)."""
    given = {name: fit.draws[:, i] for i, name in enumerate(fit.names)}
    point = {name: fit.values[i : i + 1] for i, name in enumerate(fit.names)}
    found = []
    for flops, loss, error in zip(np.exp(larger.log_flops.values), larger.loss.values, larger.loss.errors, strict=True):
        predicted = float(_clouds(point, float(flops))[2][0])
        low, high = _ends(_clouds(given, float(flops))[2]) if len(fit.draws) else (None, None)
        spread = np.nan if low is None or high is None else 0.5 * (high - low) / NORMAL
        found.append((loss - predicted) / np.sqrt(spread**2 + error**2 + fit.loss_scatter**2))
    return np.array(found)


def widened(loss: float, plain: Ends, held: HoldOut, minima: int) -> Ends:
    """Return the interval of a new run with the error seen on held-out budgets in it; None where that is not known.

    Widened on logarithms: however wide, a loss stays above zero.
    """
    low, high = plain
    if low is None or high is None or not low > 0.0 or not held.is_known:
        return None, None
    factor = held.stretch(max(minima - 2, 1), LEVEL)
    pivot = min(max(loss, low), high)  # refits may all lie to one side
    return min(pivot * (low / pivot) ** factor, loss), max(pivot * (high / pivot) ** factor, loss)


def exponents(fit: FrontierFit) -> list[Exponent]:
    """Return a and b of the optimal split, N ~ C**a and D ~ C**b."""
    places = [(name, fit.names.index(name)) for name in ("a", "b")]
    return [Exponent(name, float(fit.values[i]), *_ends(fit.draws[:, i])) for name, i in places]


def _clouds(given: Mapping[str, Array], flops: float) -> list[Array]:
    """Return params, tokens and loss of a budget by every refit, (draws,) each."""
    with np.errstate(all="ignore"):
        ratio = flops / given["C_anchor"]
        loss = given.get("E", 0.0) + given["K"] * ratio ** -given["gamma"]
        return [given["N_anchor"] * ratio ** given["a"], given["D_anchor"] * ratio ** given["b"], loss]


def _ends(cloud: Array) -> tuple[float | None, float | None]:
    finite = cloud[np.isfinite(cloud)]
    if finite.size < max(FEWEST, 0.95 * cloud.size):
        return None, None
    low, high = np.quantile(finite, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
    return float(low), float(high)
