"""How far a fit misses its own largest runs when it has not seen them, against what its interval says.

An interval that follows from a law's own residuals is too narrow wherever the runs break the law. So the largest scales
are held out, one after another: a fit to the rest predicts them, and its errors are counted in standard errors of the
prediction. Their root mean square is the factor by which the interval falls short.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit, Options, optimum, started_at
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.uncertainty import analytic

Array = Any
SCALE = 1.25  # sizes or budgets within this factor are one scale
FEWEST_SCALES = 3  # with fewer, nothing says how the law goes on: a point estimate
MOST_CUTS = 6  # fits to the smaller runs
STARTS = 4  # of each, beside the optimum of the whole
LEAST = 1e-12  # standard error of a prediction: below it only rounding is left
WORDS = {"N": "model size", "D": "number of tokens", "C": "budget"}


class HoldOut(NamedTuple):
    """What holding out the largest runs says.

    Fields:
        scales: how many model sizes or budgets the runs have, whichever are fewer; 0 where the form has neither.
        kind: which of the two.
        cuts: how many fits to the smaller ones were held against the larger.
        freedom: how many scales were held out: degrees of freedom of the ratio.
        ratio: root mean square of held-out errors in standard errors of the prediction; at least 1, NaN without cuts.
    """

    scales: int = 0
    kind: str = ""
    cuts: int = 0
    freedom: int = 0
    ratio: float = np.nan

    @property
    def is_few(self) -> bool:
        """Whether the scales are too few to see how the law goes on: a point estimate."""
        return 0 < self.scales < FEWEST_SCALES

    @property
    def is_known(self) -> bool:
        """Whether the runs can say how the law goes on beyond them."""
        return self.freedom > 0 and self.cuts > 0

    def stretch(self, freedom: int, level: float) -> float:
        """Return the factor, at least 1, by which an interval with Student's quantile of `freedom` is widened."""
        share = 0.5 + level / 2.0
        return max(1.0, self.ratio * float(stdtrit(self.freedom, share) / stdtrit(freedom, share)))


def scales(fit: Fit) -> HoldOut:
    """Return how many scales the runs of a fit have, with nothing held out."""
    numbers, kind = scales_of(fit.sample)
    return HoldOut(int(numbers.max()) + 1 if numbers.size else 0, kind)


def hold_out(fit: Fit) -> HoldOut:
    """Return how a fit does on its own largest runs when they are held out."""
    held = scales(fit)
    if held.scales < FEWEST_SCALES:
        return held
    numbers, _ = scales_of(fit.sample)
    count = held.scales
    first = max(FEWEST_SCALES - 1, count // 2)
    ratios = list(_ratios(fit, numbers, range(first, count)))
    if not ratios and fit.sample.flops is not None:  # too few sizes without the largest: hold out by compute instead
        steps = _clusters(fit.sample.flops)
        ratios = list(_ratios(fit, steps, range(int(steps.max() + 1) // 2, int(steps.max()) + 1)))
    if not ratios:
        return held._replace(freedom=count - first)
    pooled = float(np.mean(np.concatenate(ratios)))
    return HoldOut(count, held.kind, len(ratios), count - first, max(1.0, pooled**0.5))


def scales_of(sample: Sample) -> tuple[Array, str]:
    """Return the number of each run's scale, (n,), from 0 for the smallest, and what a scale is.

    Scales are the model sizes of a ladder or the budgets of isoFLOP runs: whichever are fewer.
    """
    columns = {name: sample.data[name] for name in ("N", "D") if name in sample.data}
    if sample.flops is not None:
        columns = {name: values for name, values in columns.items() if name == "N"} | {"C": sample.flops}
    found = [(_clusters(values), WORDS[name]) for name, values in columns.items() if (values > 0.0).all()]
    return min(found, key=lambda pair: int(pair[0].max()), default=(np.empty(0, dtype=int), ""))


def _clusters(values: Array) -> Array:
    """Return the number of each value's cluster, (n,), in ascending order; a cluster spans at most a factor SCALE."""
    ordered = np.sort(values)
    edges = [float(ordered[0])]
    while (place := int(np.searchsorted(ordered, edges[-1] * SCALE, side="right"))) < ordered.size:
        edges.append(float(ordered[place]))
    return np.searchsorted(np.array(edges), values, side="right") - 1


def _ratios(fit: Fit, numbers: Array, firsts: range) -> Iterator[Array]:
    """Yield, for each cut, the mean square of the errors at each held-out scale over their predicted variance."""
    chosen = np.unique(np.linspace(firsts[0], firsts[-1], min(MOST_CUTS, len(firsts))).round().astype(int))
    form = started_at(fit.form, fit.point)
    for first in chosen:
        seen = numbers < first
        smaller, larger = fit.sample.part(seen), fit.sample.part(~seen)
        try:
            problem, point = optimum(form, smaller, Options(fit.objective), starts=STARTS)
        except (InputError, NoAnswer):
            continue
        observed = np.log(larger.target) if problem.log else larger.target
        errors = problem.on(larger.data).residuals(point.inner[None])[0] - observed
        squares = errors**2 / new_run_variance(problem, point, fit.objective, smaller.weights, larger.data)
        later = numbers[~seen]
        yield np.array([squares[later == scale].mean() for scale in np.unique(later)])


def new_run_variance(
    problem: Problem, point: PointFit, objective: Objective, weights: Array, data: Mapping[str, Array]
) -> Array:
    """Return the variance that a fit predicts for the residual of new runs, (m,): of its own law and of their noise.

    Args:
        problem: residuals of the runs behind the fit.
        point: its optimum.
        objective: what it minimised.
        weights: (n,) of the runs behind it.
        data: columns of the new runs, (m,) each.
    """
    covariance = analytic(problem, objective, point, weights)
    _, jacobian = problem.on(data).jacobian(point.inner[None])
    spread = np.einsum("kn,kl,ln->n", jacobian[0], covariance, jacobian[0])
    return np.maximum(spread + noise_variance(point, weights), LEAST**2)


def noise_variance(point: PointFit, weights: Array) -> float:
    """Return the variance of runs around the fit, with n - k degrees of freedom."""
    size = len(point.residuals)
    return float(weights @ point.residuals**2 / weights.sum()) * size / max(size - len(point.inner), 1)
