"""The one number of a fit whose moves are told: the optimal params of a budget, or else the loss of the largest run."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.formulas import compile_tree
from scaling_cli.core.laws import Law
from scaling_cli.core.plans import Planner
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.cuts import sizes_of
from scaling_cli.fit.fits import Fit, fitted_law
from scaling_cli.fit.forms import Form
from scaling_cli.fit.problems import Problem

Array = Any
STEP = 1.01  # factor of flops over which exponents are taken
FAR = 10.0  # times the largest run: the budget that is asked for where none is given


class Split(NamedTuple):
    """The optimum of a budget, and the exponents of N ~ C**a and D ~ C**b there; None where the form has none."""

    params: float | None = None
    tokens: float | None = None
    loss: float | None = None
    a: float | None = None
    b: float | None = None


class Question(NamedTuple):
    """What is asked: `params` of a budget or `loss` of the largest run, and the answer for inner values, (m, k)."""

    name: str
    flops: float | None
    answers: Callable[[Array], Array]


def coefficients_at(form: Form, problem: Problem, inner: Array) -> dict[str, float]:
    """Return every coefficient, fixed and tied ones included, at inner values (k,)."""
    found = dict(zip(problem.names, problem.outer(inner[None])[0].tolist(), strict=True))
    return found | {name: float(compile_tree(tree)(found)) for name, tree in form.settled.items()}


def law_at(form: Form, problem: Problem, inner: Array) -> Law:
    """Return the law that a form is at inner values (k,)."""
    found = coefficients_at(form, problem, inner)
    return fitted_law(form, tuple(found), np.array(list(found.values())))


def split_of(law: Law, flops: float) -> Split:
    """Return what a law of the loss says of a budget; nothing where it has no optimum."""
    try:
        frontier = Planner(law).frontier
        params, tokens = map(float, frontier.split(flops))
        more = float(frontier.split(flops * STEP)[0])
        loss = float(frontier.loss(flops))
    except (InputError, NoAnswer, ArithmeticError, ValueError):
        return Split()
    a = float(np.log(more / params) / np.log(STEP))
    tokens_more = float(frontier.split(flops * STEP)[1])
    return Split(params, tokens, loss, a, float(np.log(tokens_more / tokens) / np.log(STEP)))


def question_of(fit: Fit, flops: float | None = None) -> Question:
    """Return what to ask of a fit.

    Args:
        fit: a fit.
        flops: the budget; 10 times the largest run's where None.
    """
    compute = fit.sample.flops
    budget = FAR * float(compute.max()) if flops is None and compute is not None else flops
    if budget is not None and has_split(fit) and split_of(fit.law, budget).params is not None:
        return Question("params", budget, lambda inner: _optimal_params(fit, inner, budget))
    sizes = sizes_of(fit.sample).values
    largest = int(sizes.argmax()) if sizes.size else 0
    data = {name: values[largest : largest + 1] for name, values in fit.sample.data.items()}
    return Question("loss", flops, lambda inner: fit.problem.predictions(inner, data)[:, 0])


def has_split(fit: Fit) -> bool:
    """Whether a fit is of a loss in params and tokens, and every other variable has a value."""
    known = all(variable.default is not None for variable in fit.law.variables.values())
    return known and {"N", "D"} <= fit.sample.data.keys() and fit.form.relation == "loss"


def _optimal_params(fit: Fit, inner: Array, flops: float) -> Array:
    laws = (law_at(fit.form, fit.problem, row) for row in inner)
    return np.array([_params_or_nan(law, flops) for law in laws])


def _params_or_nan(law: Law, flops: float) -> float:
    try:
        return float(Planner(law).frontier.split(flops)[0])
    except (NoAnswer, ArithmeticError, ValueError):
        return np.nan
