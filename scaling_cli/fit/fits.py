"""The whole of a fit: runs and a form in; a law with its uncertainty, certificate and predictions out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.duals import Dual, slope_of
from scaling_cli.core.formulas import compile_tree
from scaling_cli.core.laws import Draws, Law, names_below
from scaling_cli.errors import InputError
from scaling_cli.fit.bootstrap import bootstrap
from scaling_cli.fit.faces import on_a_face
from scaling_cli.fit.forms import Form, alone, opposed
from scaling_cli.fit.identify import check_fit, check_runs
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import BARELY, STARTS, Certificate, PointFit, fit_point
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.solve import CONVERGED
from scaling_cli.fit.uncertainty import (
    LEVEL,
    Spread,
    analytic,
    calibrated,
    spread_from_covariance,
    spread_from_draws,
    widened,
)

Array = Any
UNCERTAIN = "the optimum is not certain: its gradient is not zero; see optimum"
ALONE = "one start alone of {} led to this optimum: there may be a lower one, which --start may find"
VANISHES = "{0} ends at zero, where it has no effect: --fix {0}=0 leaves it out"
LIMIT = "{0} goes to zero, where the formula has no value: the limit fits best, which {1:.3g} stands for"
FEW = "by {} groups: so few show too little of what another group would do, and intervals come out too narrow"
FEW_GROUPS = 5  # ours: below it a tenth or more of the draws are one group alone, or all groups once
# ours: in 130 simulated sets of 9 to 36 runs with 0.3 % of noise, 90 % intervals of N by huber-log held 100 times
WILD = (
    "wild refits of an objective that counts most residuals by their absolute values come out too narrow: "
    "--bootstrap pairs, or --objective ls-log"
)
STOPPED = (
    "{} of {} refits stopped on the way to their optimum, and intervals may be too narrow: few runs, a break without "
    "a width or a coefficient that hardly matters hold them up; --fix one, or add runs that tell"
)
HELD_UP, MANY = 1e-2, 0.05  # relative gradient of a refit that stopped, and share of those that is told; ours
EXACT = "the law goes through every run, to rounding: gradient_norm compares roundings, and tells nothing"
RAN_AWAY = (
    "resampled runs do not determine {0}: the 90 % interval goes beyond {1:.0e} times the value; fix one with --fix, "
    "or add runs that tell"
)
WILDEST = "no standard error of {}: a few wild refits would make it wider than the 90 % interval"
OPPOSED = "{} is fixed below zero, where its term does the opposite of what it does in {}: there it is above"
MOSTLY = 0.5  # of residuals beyond the threshold; ours
FAR = 1e6  # times the value: no interval worth printing; ours
ROUNDING = 1e-9  # largest residual, relative to a run, of a fit without noise
SAME = 1e-12  # relative: of objectives that rounding alone sets apart


class Options(NamedTuple):
    """How to fit: the objective, how many refits of which kind, the seed, and who is told of progress."""

    objective: Objective
    draws: int = 1000
    bootstrap: str = "pairs"
    seed: int = 0
    progress: Callable[[int], None] | None = None

    def asks_refits(self, sample: Sample) -> bool:
        """Whether refits say how sure coefficients are: not of plain squares, which are NIST's, unless asked for."""
        return self.objective.name != "ls" or self.bootstrap != "pairs" or sample.groups is not None


class Fit(NamedTuple):
    """A fitted form.

    `names` and `values` are the coefficients, fixed ones included; `spread` has their standard errors and intervals;
    `draws` the refits, (draws, k), of the same names, or what stands for them, by `kind`;
    `sample` the runs, `problem` and `point` how they were fitted.
    """

    form: Form
    law: Law
    names: tuple[str, ...]
    values: Array
    spread: Spread
    draws: Array
    objective: Objective
    sample: Sample
    problem: Problem
    point: PointFit
    notes: tuple[str, ...]
    kind: str = "refits"

    @property
    def value(self) -> float:
        """The objective reached, as people are told it."""
        return self.objective.told(self.point.objective)

    @property
    def certificate(self) -> Certificate:
        """Why to believe that it is the optimum."""
        return self.point.certificate

    @property
    def is_exact(self) -> bool:
        """Whether the law goes through every run, to rounding."""
        return _is_exact(self.problem, self.point)

    @property
    def residuals(self) -> Array:
        """Prediction less run, in the objective's terms, (n,)."""
        return self.point.residuals


def fit_form(form: Form, sample: Sample, options: Options) -> Fit:
    """Return the exact fit of a form to runs, with uncertainty.

    Args:
        form: what is fitted.
        sample: the runs.
        options: how.

    Raises: NoAnswer when the runs do not determine the coefficients.
    """
    problem, point = optimum(form, sample, options)
    names = (*problem.names, *form.settled)
    values = _with_settled(form, problem.names, point.values[None])[0]
    doubts: list[str] = []
    draws, spread = np.empty((0, len(names))), _analytic_spread(form, sample, options.objective, problem, point)
    if options.draws:
        refits = bootstrap(
            problem, options.objective, point, sample.weights,
            draws=options.draws, seed=options.seed, method=options.bootstrap, groups=sample.groups,
            progress=options.progress,
        )  # fmt: skip
        stopped = int((~(refits.gradient <= HELD_UP)).sum())
        is_many = stopped > MANY * options.draws and not _is_exact(problem, point)
        doubts += [STOPPED.format(stopped, options.draws)] if is_many else []
        if options.bootstrap == "pairs":
            inner = calibrated(point, refits.inner, sample.size, options.objective, groups=sample.group_count)
        else:
            inner = widened(point, refits.inner, sample.size, groups=sample.group_count)
            doubts += [WILD] if (np.abs(point.residuals) >= options.objective.delta).mean() > MOSTLY else []
        draws = _with_settled(form, problem.names, problem.outer(inner))
        draws = draws[np.isfinite(draws).all(axis=1)]
        if options.asks_refits(sample) or point.vanished.any():
            spread = spread_from_draws(draws)
    law = fitted_law(form, names, values)
    return Fit(
        form, law, names, values, spread, draws, options.objective, sample, problem, point,
        (
            *_doubts(problem, point, options.objective, sample), *doubts, *far_ends(names, values, spread, point),
            *(OPPOSED.format(name, form.name) for name in opposed(form)),
        ),
    )  # fmt: skip


def _doubts(problem: Problem, point: PointFit, objective: Objective, sample: Sample) -> Iterator[str]:
    """Yield what speaks against an optimum, or says that it lies where a coefficient has no effect."""
    found = point.certificate
    if not found.converged:
        yield UNCERTAIN
    is_exact = _is_exact(problem, point)
    if is_exact and found.gradient_norm > CONVERGED:
        yield EXACT
    if found.starts > found.starts_agreeing == 1 and not is_exact:
        yield ALONE.format(found.starts)
    if sample.group_count < FEW_GROUPS:
        yield FEW.format(sample.group_count)
    for i, coefficient in enumerate(problem.coefficients):
        inner = point.inner.copy()
        inner[i] = -np.inf if coefficient.positive else 0.0
        with np.errstate(all="ignore"):
            without = float(objective.value(problem.residuals(inner[None]), sample.weights)[0])
        if without <= point.objective * (1.0 + SAME):
            yield VANISHES.format(coefficient.name)
        elif point.vanished[i]:
            yield LIMIT.format(coefficient.name, point.values[i])


def _is_exact(problem: Problem, point: PointFit) -> bool:
    largest = 1.0 if problem.log else float(np.abs(problem.target).max())
    return float(np.abs(point.residuals).max()) <= ROUNDING * largest


def far_ends(names: Sequence[str], values: Array, spread: Spread, point: PointFit) -> Iterator[str]:
    """Yield notes where refits run away, but from a coefficient that ended at zero, and where a few make no error."""
    stay = np.append(~point.vanished, np.ones(len(names) - point.vanished.size, dtype=bool))
    with np.errstate(over="ignore"):
        far = stay & (np.abs(spread.high) > FAR * np.abs(values)) & (values != 0.0)
    if spread.source == "bootstrap" and far.any():
        yield RAN_AWAY.format(", ".join(np.array(names)[far]), FAR)
    if spread.source == "bootstrap" and (wild := np.isnan(spread.errors)).any():
        yield WILDEST.format(", ".join(np.array(names)[wild]))


def optimum(form: Form, sample: Sample, options: Options, *, starts: int = STARTS) -> tuple[Problem, PointFit]:
    """Return the exact optimum alone, from so many starts.

    Raises: InputError when the target has no logarithm; NoAnswer when the runs do not determine the coefficients.
    """
    check_runs(form, sample.data, sample.size)
    if options.objective.log and not (sample.target > 0.0).all():
        raise InputError(
            "the target is not always above zero", "a logarithmic objective needs that; try --objective ls"
        )
    problem = Problem(form.tree, form.free, sample.data, target=sample.target, log=options.objective.log)
    point = fit_point(problem, form.tree, options.objective, sample.weights, seed=options.seed, starts=starts)
    if options.objective.delta == 0.0 and not point.certificate.converged:
        point = on_a_face(form, sample, options.objective, problem, point, seed=options.seed, starts=starts)
    check_fit(form, point, sample.data)
    return problem, point


def started_at(form: Form, point: PointFit) -> Form:
    """Return the form starting from an optimum, where a fit to part of the runs needs few other starts.

    A coefficient that ended at zero starts some e-folds below its own start: nothing leads away from zero.
    """
    own = np.array([coefficient.start for coefficient in form.free])
    starts = np.where(point.vanished, own * np.exp(-BARELY), point.values).tolist()
    return form._replace(free=tuple(c._replace(start=start) for c, start in zip(form.free, starts, strict=True)))


def _analytic_spread(form: Form, sample: Sample, objective: Objective, problem: Problem, point: PointFit) -> Spread:
    """Return the spread by the curvature at the optimum, of what is fixed and tied too."""
    covariance = analytic(problem, objective, point, sample.weights, sample.groups)
    spread = spread_from_covariance(problem, point, covariance, alone=alone(form), groups=sample.group_count)
    if not form.settled:
        return spread
    low, high = np.sort(_with_settled(form, problem.names, np.stack([spread.low, spread.high])), axis=0)
    found = dict(zip(problem.names, point.values.tolist(), strict=True))
    settled = [compile_tree(tree) for tree in form.settled.values()]
    slopes = [[slope_of(f({**found, name: Dual(found[name], 1.0)})) for name in found] for f in settled]
    variances = np.einsum("si,ij,sj->s", slopes, spread.covariance, slopes)
    variances[(np.abs(slopes) @ point.vanished) > 0.0] = np.nan  # tied to what ended at zero
    return spread._replace(low=low, high=high, errors=np.concatenate([spread.errors, np.sqrt(variances)]))


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
    relations = {n: fitted if n == form.relation else r for n, r in form.law.relations.items() if n in below}
    return form.law._replace(
        id="fit", aliases=(), title="", source={}, conventions={}, figures=(), notes=(), supersedes="",
        superseded_by="", frontier={},
        relations=relations if form.flops is None else {**relations, form.flops.name: form.flops},
        let={name: formula for name, formula in form.law.let.items() if name in below},
        variables={name: variable for name, variable in form.law.variables.items() if name in below},
        coefficients=shared, digits={name: digits[name] for name in shared},
    )  # fmt: skip


def values_at(form: Form, problem: Problem, inner: Array) -> Array:
    """Return every coefficient, fixed and tied ones included, (m, names), at inner values (m, k)."""
    return _with_settled(form, problem.names, problem.outer(inner))


def _with_settled(form: Form, free: Sequence[str], values: Array) -> Array:
    """Return (m, k) values of the free coefficients with the fixed and tied ones beside them."""
    given = {name: values[:, i] for i, name in enumerate(free)}
    settled = [np.broadcast_to(compile_tree(tree)(given), values.shape[:1]) for tree in form.settled.values()]
    return np.column_stack([values, *settled])
