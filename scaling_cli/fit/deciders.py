"""Whether one run alone decides the exponents: what the other runs say of them without it.

The fit's own interval cannot tell. A third of the refits on resampled runs lack a given run, so that the interval
reaches to where the others would go; and a run that no other is like has none to differ from. So the question is turned
round. A run decides where the others do not determine the law, or where it lies off the law that they give and moves
an exponent by more than they leave it open.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.core.formulas import Node, names_in
from scaling_cli.core.plans import Planner
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, Options, optimum, started_at
from scaling_cli.fit.holdouts import new_run_variance, noise_variance
from scaling_cli.fit.identify import doubts
from scaling_cli.fit.influence import NEARLY_ALL, places, refits_without
from scaling_cli.fit.optima import VANISHED, PointFit
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.questions import STEP, law_at
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.uncertainty import LEVEL, analytic

Array = Any
MOST_RUNS = 2000  # ours: of more runs none is looked at alone
UNIQUE = 0.9  # leverage from which hardly any other run tells what a run tells; ours
FEW = 2  # such runs that are looked at
YIELDING = 0.4  # leverage from which a fit may give in to a run, so that its residual tells nothing; ours
NEARLY_OUT = 1.5  # times the largest residual of the others, of one that may stand out once it is left out; ours
WORK = 1500  # runs times runs left out by way of a descent from the fit, as many as take a few milliseconds
FEWEST_TRIED = 6  # however many runs there are
STARTS = 4  # of the refit that decides, beside the optimum of the whole
NUDGE = 1e-5  # of an inner value, for the slopes of the exponents
BY_CHANCE = 0.01  # share of sets of runs of which one lies off the law of the others by noise alone; ours
TINY = float(np.finfo(float).tiny)
BEYOND = 1.5  # times as far off as any other run, of one that stands out; ours
LONE = 0.8  # of the variance of a run under the law of the others, what that law leaves open: none is near it; ours
LEFT_OPEN = "the run of row {} alone decides the law: without it {}; run another like it"
MOVED = "the run of row {} alone decides {}; run another like it, or leave it out to see"


class Exponents(NamedTuple):
    """What is watched, by name, and its values, (m, q), at inner values (m, k)."""

    names: tuple[str, ...]
    values: Callable[[Array], Array]

    def slopes(self, inner: Array) -> Array:
        """Return derivatives by the inner values, (k, q), at inner values (k,)."""
        nudges = np.diag(NUDGE * np.maximum(np.abs(inner), 1.0))
        up, down = (self.values(inner + sign * nudges) for sign in (1.0, -1.0))
        return (up - down) / (2.0 * np.diagonal(nudges)[:, None])


class Rest(NamedTuple):
    """A fit without one run: its number, the other runs, their problem and optimum."""

    run: int
    sample: Sample
    problem: Problem
    point: PointFit


def deciding_run(fit: Fit, rows: Sequence[int], *, flops: float | None = None) -> list[str]:
    """Return a note on the run that alone decides an exponent, if one does.

    Nothing of runs in groups, of which whole groups would have to go, nor of so few runs that each of them decides.

    Args:
        fit: a fit.
        rows: where each run stands in its file, (n,).
        flops: the budget at which the exponent `a` of the optimal params is watched too; None where there is none.
    """
    size = fit.sample.size
    if size > MOST_RUNS or size - 1 <= len(fit.point.inner) or fit.sample.group_count < size:
        return []
    watched = _watched(fit, flops)
    with np.errstate(all="ignore"):
        notes = (_note(fit, run, str(rows[run]), watched) for run in _suspects(fit, watched))
        return list(islice(filter(None, notes), 1))


def _watched(fit: Fit, flops: float | None) -> Exponents:
    """Return a at a budget, and the free coefficients of the formula that stand in an exponent."""
    inside = set(_in_exponents(fit.form.tree))
    chosen = [i for i, name in enumerate(fit.problem.names) if name in inside]
    names = tuple(fit.problem.names[i] for i in chosen)
    if flops is None:
        return Exponents(names, lambda inner: fit.problem.outer(inner)[:, chosen])
    pair = np.array([flops, flops * STEP])

    def values(inner: Array) -> Array:
        growth = np.array([_growth(fit, row, pair) for row in inner])
        return np.column_stack([growth, fit.problem.outer(inner)[:, chosen]])

    return Exponents(("exponent a", *names), values)


def _in_exponents(tree: Node) -> Iterator[str]:
    """Yield the names in the exponents of a formula."""
    if tree[0] in ("num", "name"):
        return
    if tree[0] == "**":
        yield from names_in(tree[2])
    for branch in tree[1:]:
        yield from _in_exponents(branch)


def _growth(fit: Fit, inner: Array, pair: Array) -> float:
    """Return a of N ~ C**a between two budgets; NaN where there is no optimum."""
    try:
        params = Planner(law_at(fit.form, fit.problem, inner)).frontier.split(pair)[0]
    except (InputError, NoAnswer, ArithmeticError, ValueError):
        return np.nan
    return float(np.log(params[1] / params[0]) / np.log(STEP))


def _suspects(fit: Fit, watched: Exponents) -> Iterator[int]:
    """Yield the runs to refit without, the most suspicious first.

    First those that no other is like. Then those that lie off the law of the others, by way of a descent from the fit;
    the one whose others lie closest together leads, for a run far off makes others decide too, which hold the fit back
    from it.
    """
    leverage = places(fit)
    unlike = np.argsort(-leverage, kind="stable")[:FEW]
    yield from (int(run) for run in unlike if leverage[run] > UNIQUE)
    tried = _tried(fit, leverage)
    if fit.is_exact or not watched.names or not tried.size:
        return
    rests = [_near(fit, *pair) for pair in zip(tried.tolist(), refits_without(fit, tried), strict=True)]
    arrived = [rest for rest in rests if np.isfinite(rest.point.objective)]
    for rest in sorted(arrived, key=lambda rest: rest.point.objective):
        if any(_moved(fit, rest, watched)):
            yield rest.run


def _tried(fit: Fit, leverage: Array) -> Array:
    """Return the numbers of the runs to leave out by way of a descent, (m,): those most likely to stand out.

    Such as by least squares without them come near to it, and those to which the fit may give in.
    """
    sizes = np.abs(fit.residuals)
    second, largest = np.sort(sizes)[-2:]
    others = np.where(sizes == largest, second, largest)
    pulled = sizes / np.maximum(1.0 - leverage, NEARLY_ALL) / np.maximum(others, TINY)
    likely = np.maximum(pulled / NEARLY_OUT, leverage / YIELDING)
    order = np.argsort(-likely, kind="stable")[: max(FEWEST_TRIED, WORK // fit.sample.size)]
    return order[likely[order] > 1.0]


def _near(fit: Fit, run: int, inner: Array) -> Rest:
    """Return the fit without a run at inner values (k,), where coefficients without effect count as at zero."""
    others = np.flatnonzero(np.arange(fit.sample.size) != run)
    sample, problem = fit.sample.part(others), fit.problem.part_of_runs(others)
    residuals, jacobian = problem.jacobian(inner[None])
    sizes = np.linalg.norm(jacobian[0], axis=1)
    unit = problem.size**0.5 if problem.log else float(np.linalg.norm(problem.target))
    gone = ~(np.isfinite(sizes) & (sizes > VANISHED * unit))
    value = float(fit.objective.value(residuals[0], sample.weights))
    point = fit.point._replace(inner=inner, residuals=residuals[0], objective=value, vanished=gone)
    return Rest(run, sample, problem, point)


def _note(fit: Fit, run: int, row: str, watched: Exponents) -> str | None:
    """Return what a true refit without a run says; None where the run does not decide."""
    sample = fit.sample.part(np.arange(fit.sample.size) != run)
    try:
        _, found = optimum(started_at(fit.form, fit.point), sample, Options(fit.objective), starts=STARTS)
    except (InputError, NoAnswer) as error:
        return LEFT_OPEN.format(row, error.message)
    if (new := doubts(fit.form, sample.data)) and not doubts(fit.form, fit.sample.data):
        return LEFT_OPEN.format(row, new[0])
    moved = list(_moved(fit, _near(fit, run, found.inner), watched)) if watched.names else []
    return MOVED.format(row, ", ".join(moved)) if moved else None


def _moved(fit: Fit, rest: Rest, watched: Exponents) -> Iterator[str]:
    """Yield which exponents a run moves out of the others' interval, with their values and what the others say.

    None where the run does not stand out: of many runs some one moves an exponent so far by its noise alone.
    """
    if not _stands_out(fit, rest):
        return
    before, after = watched.values(np.stack([fit.point.inner, rest.point.inner]))
    half = _errors(fit, rest, watched.slopes(rest.point.inner)) * float(stdtrit(_freedom(rest), 0.5 + LEVEL / 2.0))
    for i in np.flatnonzero(np.abs(after - before) > half):
        ends = f"{after[i] - half[i]:.3g} to {after[i] + half[i]:.3g}"
        yield f"{watched.names[i]} ({before[i]:.3g} with it, {after[i]:.3g} without, 90 % {ends})"


def _stands_out(fit: Fit, rest: Rest) -> bool:
    """Return whether a run lies farther off the law of the others than any of these, and than noise may take it.

    A lone run need not be the farthest that noise takes any of all runs: there are a few such runs at most. What the
    others leave open is then that of squares: the sandwich of few runs is too narrow as often as too wide.
    """
    if fit.is_exact:
        return False
    run = slice(rest.run, rest.run + 1)
    error = abs(float(fit.problem.part_of_runs(run).residuals(rest.point.inner[None])[0, 0]))
    if error < BEYOND * float(np.abs(rest.point.residuals).max()):
        return False
    data = {name: values[run] for name, values in fit.sample.data.items()}
    squares = fit.objective._replace(delta=np.inf, above=1.0, below=1.0)
    own, wide = (
        float(new_run_variance(rest.problem, rest.point, objective, rest.sample.weights, data)[0])
        for objective in (fit.objective, squares)
    )
    is_lone = noise_variance(rest.point, rest.sample.weights) < (1.0 - LONE) * wide
    return error > _limit(rest, fit.sample.size) * own**0.5 or (is_lone and error > _limit(rest, FEW) * wide**0.5)


def _limit(rest: Rest, runs: int) -> float:
    """Return how many standard errors off none of so many runs lies by noise alone."""
    return float(stdtrit(_freedom(rest), 1.0 - 0.5 * BY_CHANCE / runs))


def _errors(fit: Fit, rest: Rest, slopes: Array) -> Array:
    """Return standard errors of exponents, (q,), by their slopes (k, q)."""
    covariance = analytic(rest.problem, fit.objective, rest.point, rest.sample.weights)
    return np.sqrt(np.einsum("kq,kl,lq->q", slopes, covariance, slopes))


def _freedom(rest: Rest) -> int:
    return rest.sample.size - len(rest.point.inner)
