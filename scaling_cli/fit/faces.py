"""Optima of absolute values where a coefficient is zero: too few runs lie on the curve there for a vertex of the whole.

So the form without the coefficient is a problem of its own, whose vertex is the optimum wherever it is lower.
"""

from typing import Any

import numpy as np

from scaling_cli.errors import NoAnswer
from scaling_cli.fit.forms import Form, alone, settle
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit, fit_point
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.samples import Sample
from scaling_cli.fit.slopes import Cost, slopes

Array = Any
GONE = 1e-35  # of a coefficient at zero: its logarithm is finite, and it moves no digit of a prediction


def on_a_face(
    form: Form, sample: Sample, objective: Objective, problem: Problem, point: PointFit, *, seed: int, starts: int
) -> PointFit:
    """Return the point, or the lowest certain optimum with a positive coefficient that stands alone at zero.

    Args:
        form: what is fitted.
        sample: the runs.
        objective: what is minimised, by absolute values.
        problem: the whole problem.
        point: where it ended.
        seed: of the random starts.
        starts: how many.
    """
    for i, coefficient in enumerate(form.free):
        if not coefficient.positive or coefficient.name not in alone(form) or len(form.free) == 1:
            continue
        rest = settle(form, {coefficient.name: "0"}, {})
        less = Problem(rest.tree, rest.free, sample.data, target=sample.target, log=objective.log)
        try:
            found = fit_point(less, rest.tree, objective, sample.weights, seed=seed, starts=starts)
        except NoAnswer:
            continue
        if found.certificate.converged and found.objective < point.objective:
            point = _embedded(problem, objective, sample.weights, found, i)
    return point


def _embedded(problem: Problem, objective: Objective, weights: Array, found: PointFit, place: int) -> PointFit:
    """Return an optimum of the form without a coefficient as one of the whole, with the coefficient at zero."""
    inner = np.insert(found.inner, place, np.log(GONE))
    spread = float(np.median(np.abs(found.residuals))) or 1e-12
    at = slopes(problem, Cost(objective, weights, objective.thresholds(spread)[-1]), inner[None], exact=False)
    vanished, idle = np.insert(found.vanished, place, True), np.insert(found.idle, place, False)
    values = problem.outer(inner[None])[0]
    return PointFit(inner, values, found.objective, found.residuals, at, found.certificate, vanished, idle)
