"""What a fitted law says of budgets, with intervals: ask every refit the same question."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.askable import first_question
from scaling_cli.core.laws import QUANTITIES, Law, names_below
from scaling_cli.core.notes import range_notes
from scaling_cli.core.plans import Planner
from scaling_cli.core.runs import Runs
from scaling_cli.core.surface import Surface
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, fitted_law
from scaling_cli.fit.forms import Form, written_default
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.new_runs import NewRuns, columns_at, new_runs, predicted
from scaling_cli.fit.uncertainty import LEVEL

Array = Any
STEP = 1.01  # factor of flops over which the exponents are taken
PRECISE = 1e-10  # of the logarithm of an optimum that is searched


class Prediction(NamedTuple):
    """The optimum of a budget with its intervals; params and tokens are None where any split has the same loss.

    `new_loss_*` is where one new run there would land, widened by what the fit missed of its own largest runs when they
    were held out; `plain_loss_*` the same as it follows from the fit alone.
    """

    flops: float
    params: float | None
    params_low: float | None
    params_high: float | None
    tokens: float | None
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


def predict(fit: Fit, budgets: Sequence[float], held: HoldOut, *, seed: int, level: float = LEVEL) -> list[Prediction]:
    """Return the optimum at each budget.

    Args:
        fit: a fit of a loss in params and tokens, or in flops alone.
        budgets: training FLOPs, > 0.
        held: how the fit does on its own largest runs.
        seed: of the noise of a new run.
        level: of the intervals.

    Returns: nothing where a variable of the law has no value: see `setting_notes`.

    Raises: NoAnswer when the fitted law has no optimum there.
    """
    flops = np.asarray(budgets, dtype=float)
    if _rests_on(fit.form) == {"C"}:
        return _without_split(fit, flops, new_runs(fit, _at_budgets(fit, flops), held, seed=seed, level=level), level)
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
    columns = columns_at(fit, params=best[:, 0], tokens=best[:, 1], flops=flops)
    new = new_runs(fit, columns, held, seed=seed, level=level)
    found = []
    for i, plan in enumerate(plans):
        params, tokens, loss = map(float, best[i])
        ends = [_ends(cloud[:, i], level) for cloud in clouds]
        found.append(
            Prediction(
                float(flops[i]), params, *ends[0], tokens, *ends[1], loss, *ends[2], *_run_ends(new, i), plan.outside
            )
        )
    return found


def _without_split(fit: Fit, flops: Array, new: NewRuns, level: float) -> list[Prediction]:
    """Return the loss at budgets, (m,), by a law of flops alone."""
    cloud = predicted(fit, _at_budgets(fit, flops))
    law, nothing = fit.law, (None, None, None)
    return [
        Prediction(
            float(c), *nothing, *nothing, float(new.loss[i]), *_ends(cloud[:, i], level), *_run_ends(new, i),
            range_notes(law, ["loss"], {"C": float(c)}),
        )
        for i, c in enumerate(flops)
    ]  # fmt: skip


def _at_budgets(fit: Fit, flops: Array) -> dict[str, Array]:
    """Return every column of a form of flops alone, (m,) each."""
    unknown = np.full(flops.shape, np.nan)
    return columns_at(fit, params=unknown, tokens=unknown, flops=flops)


def _run_ends(new: NewRuns, i: int) -> tuple[float | None, float | None, float | None, float | None]:
    """Return the ends of a new run's interval, printed and plain."""
    low, high, plain_low, plain_high = (_finite(end, i) for end in (*new.printed, *new.plain))
    return low, high, plain_low, plain_high


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


def check_splits(form: Form) -> None:
    """Refuse to predict by what is no loss of every run, or by a loss of params or of tokens alone, before the fit.

    Raises: InputError for another relation; NoAnswer for such a loss.
    """
    alone = _rests_on(form)
    question = first_question(form.law, form.relation, splits=False).format("FILE")
    problem, hint = (
        "--at asks for the split of a budget, of which {} says nothing",
        "leave out --at; save the fit, and ask",
    )
    if form.relation != "loss":
        raise InputError(problem.format(f"a fit of {form.relation}"), f"{hint}: {question}")
    if alone in ({"N"}, {"D"}):
        raise NoAnswer(problem.format(f"a loss of {QUANTITIES[alone.pop()]} alone"), f"{hint}: {question}")


def _rests_on(form: Form) -> set[str]:
    """Return which of N, D and C a form rests on, by way of its variables too."""
    return set(QUANTITIES) & names_below(form.law, [form.relation])


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


def _finite(values: Array | None, i: int) -> float | None:
    return None if values is None or not np.isfinite(values[i]) else float(values[i])
