"""What runs to come would give by a fit, with intervals that hold one run each."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.core.formulas import Formula, compile_tree
from scaling_cli.core.laws import QUANTITIES, Law, Relation
from scaling_cli.core.relations import bind
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.holdouts import HoldOut, new_run_variance
from scaling_cli.fit.uncertainty import LEVEL

Array = Any


class NewRuns(NamedTuple):
    """Losses of runs to come, (m,) each: predicted, the interval of the fit alone, and the widened one if known."""

    loss: Array
    plain: tuple[Array, Array]
    printed: tuple[Array | None, Array | None]


def new_runs(fit: Fit, data: Mapping[str, Array], held: HoldOut, *, seed: int = 0, level: float = LEVEL) -> NewRuns:
    """Return what runs to come would give, with intervals that hold one run each.

    Args:
        fit: a fit.
        data: their columns, (m,) each.
        held: how the fit does on its own largest runs.
        seed: of their noise.
        level: of the intervals.
    """
    columns = {name: np.asarray(data[name], dtype=float) for name in fit.sample.data}
    center = fit.problem.on(columns).residuals(fit.point.inner[None])[0]
    freedom = max(fit.sample.size - len(fit.point.inner), 1)
    if len(fit.draws):
        cloud = _new_cloud(fit, columns, seed)
        plain = np.nanquantile(cloud, [0.5 - level / 2.0, 0.5 + level / 2.0], axis=0)
    else:
        variance = new_run_variance(fit.problem, fit.point, fit.objective, fit.sample.weights, columns)
        half = float(stdtrit(freedom, 0.5 + level / 2.0)) * np.sqrt(variance)
        plain = np.array([center - half, center + half])
    back = np.exp if fit.objective.log else np.asarray
    if not held.is_known:
        return NewRuns(back(center), (back(plain[0]), back(plain[1])), (None, None))
    pivot = np.clip(center, *plain)  # refits may all lie to one side, as from a coefficient at zero
    wide = pivot + held.stretch(freedom, level) * (plain - pivot)
    wide = np.array([np.minimum(wide[0], center), np.maximum(wide[1], center)])
    return NewRuns(back(center), (back(plain[0]), back(plain[1])), (back(wide[0]), back(wide[1])))


def columns_at(fit: Fit, *, params: Array, tokens: Array, flops: Array) -> dict[str, Array]:
    """Return every column that the form uses, (m,) each, of runs of these sizes; other variables at their defaults."""
    sizes = {"N": params, "D": tokens, "C": flops}
    return {name: sizes[name] if name in sizes else _worked_out(fit.law, name, sizes) for name in fit.sample.data}


def _worked_out(law: Law, name: str, sizes: Mapping[str, Array]) -> Array:
    """Return what a law says of one of its names, (m,), at sizes (m,)."""
    asked = Relation("asked", Formula(name))
    bound = bind(law._replace(relations={**law.relations, asked.name: asked}), asked.name, {})
    values = bound(**{quantity: sizes[quantity] for quantity in bound.inputs if quantity in QUANTITIES})
    return np.broadcast_to(np.asarray(values, dtype=float), sizes["C"].shape)


def predicted(fit: Fit, columns: Mapping[str, Array]) -> Array:
    """Return what every refit says of runs, (draws, m), from their columns (m,)."""
    given = {**columns, **{name: fit.draws[:, i : i + 1] for i, name in enumerate(fit.names)}}
    with np.errstate(all="ignore"):
        found: Array = compile_tree(fit.form.tree)(given)
    return found


def _new_cloud(fit: Fit, columns: Mapping[str, Array], seed: int) -> Array:
    """Return new runs by every refit, (draws, m), in the objective's terms: the law of the refit, and noise."""
    with np.errstate(all="ignore"):
        center = np.log(predicted(fit, columns)) if fit.objective.log else predicted(fit, columns)
    size = len(fit.residuals)
    wider = np.sqrt(size / max(size - len(fit.point.inner), 1))  # residuals are smaller than the noise behind them
    noise = np.random.default_rng(seed).choice(fit.residuals, size=(len(fit.draws), 1))
    return center - wider * noise
