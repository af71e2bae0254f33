"""The whole of a fit: runs and a form in; a law with its uncertainty, certificate and predictions out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.formulas import compile_tree
from scaling_cli.core.laws import Draws, Law, names_below
from scaling_cli.errors import InputError
from scaling_cli.fit.bootstrap import bootstrap
from scaling_cli.fit.fitting import Certificate, PointFit, fit_point
from scaling_cli.fit.forms import Form
from scaling_cli.fit.identify import check_fit, check_runs
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.uncertainty import LEVEL, Spread, analytic, spread_from_covariance, spread_from_draws, widened

Array = Any


class Options(NamedTuple):
    """How to fit: the objective, how many refits of which kind, the seed, and who is told of progress."""

    objective: Objective
    draws: int = 1000
    bootstrap: str = "pairs"
    seed: int = 0
    progress: Callable[[int], None] | None = None


class Fit(NamedTuple):
    """A fitted form.

    `names` and `values` are the coefficients, fixed ones included; `spread` has their standard errors and intervals;
    `draws` the refits, (draws, k), of the same names; `residuals` (n,) of the objective.
    """

    form: Form
    law: Law
    names: tuple[str, ...]
    values: Array
    spread: Spread
    draws: Array
    objective: Objective
    value: float
    certificate: Certificate
    residuals: Array
    notes: tuple[str, ...]


def fit_form(
    form: Form,
    data: Mapping[str, Sequence[float]],
    target: Sequence[float],
    options: Options,
    *,
    weights: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
) -> Fit:
    """Return the exact fit of a form to runs, with uncertainty.

    Args:
        form: what is fitted.
        data: columns by the names of the form, (n,) each.
        target: (n,), what it predicts.
        options: how.
        weights: (n,), how often each run counts; once where None.
        groups: (n,) numbers from 0 of runs that belong together, for the refits.

    Raises: NoAnswer when the runs do not determine the coefficients.
    """
    columns = {name: np.asarray(values, dtype=float) for name, values in data.items()}
    wanted = np.asarray(target, dtype=float)
    check_runs(form, columns, wanted.size)
    counts = np.ones(wanted.size) if weights is None else _checked(np.asarray(weights, dtype=float))
    if options.objective.log and not (wanted > 0.0).all():
        raise InputError(
            "the target is not always above zero", "a logarithmic objective needs that; try --objective ls"
        )
    problem = Problem(form.tree, form.free, columns, target=wanted, log=options.objective.log)
    fit = fit_point(problem, form.tree, options.objective, counts, seed=options.seed)
    check_fit(form, fit)
    notes = (
        () if fit.certificate.converged else ("the optimum is not certain: its gradient is not zero; see certificate",)
    )
    covariance = analytic(problem, options.objective, fit, counts)
    spread = spread_from_covariance(problem, fit, covariance)
    inner = np.empty((0, len(form.free)))
    if options.draws:
        refits = bootstrap(
            problem, options.objective, fit, counts,
            draws=options.draws, seed=options.seed, method=options.bootstrap,
            groups=None if groups is None else np.asarray(groups), progress=options.progress,
        )  # fmt: skip
        inner = widened(fit, refits, problem.size)
        if not options.objective.is_smooth:
            spread = spread_from_draws(problem, inner)._replace(errors=spread_from_draws(problem, refits).errors)
    return _finished(form, problem, fit, spread, inner, options.objective, notes)


def _finished(
    form: Form,
    problem: Problem,
    fit: PointFit,
    spread: Spread,
    inner: Array,
    objective: Objective,
    notes: Sequence[str],
) -> Fit:
    free = problem.names
    names = (*free, *form.settled)
    values = _with_settled(form, free, fit.values[None])[0]
    draws = _with_settled(form, free, problem.outer(inner)) if len(inner) else np.empty((0, len(names)))
    if form.settled:
        edges = [_with_settled(form, free, side[None])[0] for side in (spread.low, spread.high)]
        errors = np.concatenate([spread.errors, np.zeros(len(form.settled))])
        spread = spread._replace(low=edges[0], high=edges[1], errors=errors)
    return Fit(
        form, fitted_law(form, names, values), names, values, spread, draws, objective, fit.objective, fit.certificate,
        fit.residuals, tuple(notes),
    )  # fmt: skip


def refits(fit: Fit) -> Draws | None:
    """Return the refits as draws of the fitted law; None where there are none."""
    if not len(fit.draws):
        return None
    return Draws(fit.names, tuple(tuple(row) for row in fit.draws.tolist()), relation=fit.form.relation, level=LEVEL)


def fitted_law(form: Form, names: Sequence[str], values: Array) -> Law:
    """Return the form's law with the fitted values in place of whatever it had, and nothing of its source."""
    found = {name: float(value) for name, value in zip(names, values, strict=True)}
    digits = {name: repr(value) for name, value in found.items()}
    relation = form.law.relations[form.relation]
    mine = {name: found[name] for name in relation.coefficients if name in found}
    shared = {name: found[name] for name in form.law.coefficients if name in found}
    fitted = relation._replace(
        coefficients=mine,
        digits={name: digits[name] for name in mine},
        status="",
        where="",
        valid={},
        uncertainty={},
        note="",
    )
    below = names_below(form.law, [form.relation])
    return form.law._replace(
        id="fit", aliases=(), title="", source={}, conventions={}, figures=(), notes=(), supersedes="",
        superseded_by="", frontier={},
        relations={n: fitted if n == form.relation else r for n, r in form.law.relations.items() if n in below},
        let={name: formula for name, formula in form.law.let.items() if name in below},
        variables={name: variable for name, variable in form.law.variables.items() if name in below},
        coefficients=shared, digits={name: digits[name] for name in shared},
    )  # fmt: skip


def _with_settled(form: Form, free: Sequence[str], values: Array) -> Array:
    """Return (m, k) values of the free coefficients with the fixed and tied ones beside them."""
    given = {name: values[:, i] for i, name in enumerate(free)}
    settled = [np.broadcast_to(compile_tree(tree)(given), values.shape[:1]) for tree in form.settled.values()]
    return np.column_stack([values, *settled])


def _checked(weights: Array) -> Array:
    if not (np.isfinite(weights).all() and (weights >= 0.0).all() and weights.sum() > 0.0):
        raise InputError("--weights has values that are negative or not finite", "expected how often each run counts")
    return weights
