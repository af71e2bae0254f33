"""What a fitted law says of budgets, with intervals: ask every refit the same question."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.core.askable import first_question
from scaling_cli.core.formulas import Formula, compile_tree
from scaling_cli.core.laws import QUANTITIES, Law, Relation
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import bind
from scaling_cli.core.runs import Runs
from scaling_cli.core.surface import Surface
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, fitted_law
from scaling_cli.fit.forms import Form, written_default
from scaling_cli.fit.holdouts import HoldOut, new_run_variance
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
STEP = 1.01  # factor of flops over which the exponents are taken
PRECISE = 1e-10  # of the logarithm of an optimum that is searched


class Prediction(NamedTuple):
    """The optimum of a budget with its intervals.

    `new_loss_*` is where one new run there would land, widened by what the fit missed of its own largest runs when they
    were held out; `plain_loss_*` the same as it follows from the fit alone.
    """

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
    plain_loss_low: float | None
    plain_loss_high: float | None
    notes: tuple[str, ...] = ()


class Exponent(NamedTuple):
    """N ~ C**a or D ~ C**b at a budget."""

    name: str
    value: float
    low: float | None
    high: float | None


class Answer(NamedTuple):
    """A fit with the runs behind it, its exponents at the largest budget, its predictions, and how it does held out."""

    fit: Fit
    law: Law
    runs: Runs
    exponents: tuple[Exponent, ...]
    predictions: tuple[Prediction, ...]
    held: HoldOut
    manifest: Mapping[str, str | float]


class NewRuns(NamedTuple):
    """Losses of runs to come, (m,) each: predicted, the interval of the fit alone, and the widened one if known."""

    loss: Array
    plain: tuple[Array, Array]
    printed: tuple[Array | None, Array | None]


def predict(fit: Fit, budgets: Sequence[float], held: HoldOut, *, seed: int, level: float = LEVEL) -> list[Prediction]:
    """Return the optimum at each budget.

    Args:
        fit: a fit of a loss in params and tokens.
        budgets: training FLOPs, > 0.
        held: how the fit does on its own largest runs.
        seed: of the noise of a new run.
        level: of the intervals.

    Returns: nothing where a variable of the law has no value: see `setting_notes`.

    Raises: NoAnswer when the fitted law has no optimum there.
    """
    flops = np.asarray(budgets, dtype=float)
    planner = _planner(fit)
    if unset := _unset(fit):
        if _has_split(fit):
            return []
        raise NoAnswer(f"the fitted form has no optimum: it is not of params and tokens but of {', '.join(unset)}")
    try:
        plans = [planner.plan({"flops": float(c)}) for c in flops]
    except NoAnswer as error:
        raise NoAnswer(error.message, *error.hints, "leave out --at to see what was fitted") from error
    best = np.array([[plan.params or np.nan, plan.tokens or np.nan, plan.loss or np.nan] for plan in plans])
    if not np.isfinite(best).all():
        missing = flops[~np.isfinite(best).all(axis=1)][0]
        raise NoAnswer(f"the fitted form has no optimum at {missing:.4g} FLOPs")
    clouds = _clouds(fit, flops, best[:, 0])
    columns = _columns_at(fit, params=best[:, 0], tokens=best[:, 1], flops=flops)
    new = new_runs(fit, columns, held, seed=seed, level=level)
    found = []
    for i, plan in enumerate(plans):
        params, tokens, loss = map(float, best[i])
        ends = [_ends(cloud[:, i], level) for cloud in clouds]
        printed, plain = ((_finite(low, i), _finite(high, i)) for low, high in (new.printed, new.plain))
        found.append(
            Prediction(
                float(flops[i]), params, *ends[0], tokens, *ends[1], loss, *ends[2], *printed, *plain, plan.outside
            )
        )
    return found


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


def exponents(fit: Fit, flops: float, *, level: float = LEVEL) -> list[Exponent]:
    """Return a and b of the optimal split, N ~ C**a and D ~ C**b, at a budget; nothing where there is no such split."""
    pair = np.array([flops, flops * STEP])
    try:
        split = _planner(fit).frontier.split(pair)
    except (InputError, NoAnswer):
        return []
    if not np.isfinite(split).all():
        return []
    clouds = _clouds(fit, pair, split[0])
    found = []
    for name, values, cloud in zip("ab", split, clouds, strict=False):
        slopes = np.log(cloud[:, 1] / cloud[:, 0]) / np.log(STEP)
        value = float(np.log(values[1] / values[0]) / np.log(STEP))
        found.append(Exponent(name, value, *_ends(slopes, level)))
    return found


def setting_notes(fit: Fit) -> list[str]:
    """Return what exponents and predictions make of the law's further variables: a default, or nothing."""
    if not _has_split(fit):
        return []
    if unset := _unset(fit):
        names, given = ", ".join(unset), " ".join(f"--set {name}=..." for name in unset)
        have = "has" if len(unset) == 1 else "have"
        return [f"no exponents or predictions: {names} {have} no value; save the law and plan with it: {given}"]
    return [
        f"exponents and predictions take {name} ({variable.meaning}) at its default, {written_default(variable)}"
        for name, variable in fit.law.variables.items()
        if name in fit.sample.data
    ]


def _has_split(fit: Fit) -> bool:
    """Return whether the fit says how a budget is split: it is of a loss in params and tokens."""
    return fit.form.relation == "loss" and {"N", "D"} <= fit.sample.data.keys()


def _unset(fit: Fit) -> list[str]:
    """Return the variables of the law that have no value unless the user gives one."""
    return [name for name, variable in fit.law.variables.items() if variable.default is None]


def _columns_at(fit: Fit, *, params: Array, tokens: Array, flops: Array) -> dict[str, Array]:
    """Return every column that the form uses, (m,) each, of runs of these sizes: other variables at their defaults."""
    sizes = {"N": params, "D": tokens, "C": flops}
    return {name: sizes[name] if name in sizes else _worked_out(fit.law, name, sizes) for name in fit.sample.data}


def _worked_out(law: Law, name: str, sizes: Mapping[str, Array]) -> Array:
    """Return what a law says of one of its names, (m,), at sizes (m,)."""
    asked = Relation("asked", Formula(name))
    bound = bind(law._replace(relations={**law.relations, asked.name: asked}), asked.name, {})
    values = bound(**{quantity: sizes[quantity] for quantity in bound.inputs if quantity in QUANTITIES})
    return np.broadcast_to(np.asarray(values, dtype=float), sizes["C"].shape)


def check_splits(form: Form) -> None:
    """Refuse to predict by what is no loss of every run, before it is fitted."""
    if form.relation == "loss":
        return
    question = first_question(form.law, form.relation, splits=False).format("FILE")
    raise InputError(
        f"--at asks for the split of a budget, of which a fit of {form.relation} says nothing",
        f"leave out --at; save the fit, and ask: {question}",
    )


def _planner(fit: Fit) -> Planner:
    check_splits(fit.form)
    return Planner(fit.law)


def _clouds(fit: Fit, flops: Array, near: Array) -> tuple[Array, Array, Array]:
    """Return params, tokens and loss of the optimum by every refit, (draws, budgets) each; NaN where it has none.

    Args:
        fit: the refits.
        flops: budgets, (m,).
        near: params of the fit's own optima, (m,): where optima are searched, those of refits are sought next to them.
    """
    clouds = np.full((3, len(fit.draws), flops.size), np.nan)
    for i, values in enumerate(fit.draws):
        surface = Planner(fitted_law(fit.form, fit.names, values)).surface
        surface.precision = PRECISE
        try:
            clouds[:, i] = _optima(surface, flops, near)
        except (NoAnswer, ArithmeticError, ValueError):
            continue
    return clouds[0], clouds[1], clouds[2]


def _optima(surface: Surface, flops: Array, near: Array) -> tuple[Array, Array, Array]:
    """Return params, tokens and loss of the optima of budgets, (m,) each."""
    if surface.power_split is None:
        places = zip(flops.tolist(), near.tolist(), strict=True)
        params = np.array([surface.optimal_params(budget, near=place) for budget, place in places])
    else:
        params = surface.optimal_params(flops)
    tokens = surface.tokens_for(flops, params)
    return params, tokens, surface.loss_of(params, tokens)


def _ends(cloud: Array, level: float) -> tuple[float | None, float | None]:
    finite = cloud[np.isfinite(cloud)]
    if finite.size < 20 or finite.size < 0.95 * cloud.size:
        return None, None
    low, high = np.quantile(finite, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return float(low), float(high)


def _new_cloud(fit: Fit, columns: Mapping[str, Array], seed: int) -> Array:
    """Return new runs by every refit, (draws, m), in the objective's terms: the law of the refit, and noise."""
    given = {**columns, **{name: fit.draws[:, i : i + 1] for i, name in enumerate(fit.names)}}
    with np.errstate(all="ignore"):
        predicted = compile_tree(fit.form.tree)(given)
        predicted = np.log(predicted) if fit.objective.log else predicted
    size = len(fit.residuals)
    wider = np.sqrt(size / max(size - len(fit.point.inner), 1))  # residuals are smaller than the noise behind them
    noise = np.random.default_rng(seed).choice(fit.residuals, size=(len(fit.draws), 1))
    return predicted - wider * noise


def _finite(values: Array | None, i: int) -> float | None:
    return None if values is None or not np.isfinite(values[i]) else float(values[i])
