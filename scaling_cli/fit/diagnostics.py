"""What a careful reviewer asks of a fit: its residuals, who holds it, how it moves, and how far it is stretched."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.plans import Planner
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.cuts import sizes_of
from scaling_cli.fit.dimensions import Dimension, dimensions
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.influence import influence
from scaling_cli.fit.patterns import Pattern, pattern
from scaling_cli.fit.predictions import Answer
from scaling_cli.fit.questions import Question, has_split, question_of, split_of
from scaling_cli.fit.sensitivity import Case, cases

Array = Any
SHARE = 1e-3  # of the loss: what a split inside the valley costs at most


class Residuals(NamedTuple):
    """Every run of a fit, (n,) each: its row in the file, what is known of it, and how it stands to the fit.

    `residual` is log(predicted / observed) or predicted - observed, as the objective has it; `leverage` the hat value;
    `influence` the relative move of the answer without the run, exact where `refitted`.
    """

    rows: Sequence[int]
    sizes: Array
    params: Array | None
    tokens: Array | None
    observed: Array
    predicted: Array
    residual: Array
    leverage: Array
    influence: Array
    refitted: Array


class Distance(NamedTuple):
    """How far a budget lies beyond the runs.

    `factor` is over the largest run, `deviations` counts standard deviations of log compute from its mean;
    `params_factor` and `tokens_factor` hold the optimum against the largest run's.
    """

    flops: float
    largest_flops: float
    factor: float
    decades: float
    deviations: float | None
    params_factor: float | None
    tokens_factor: float | None


class Valley(NamedTuple):
    """The params around the optimum of a budget that cost less than a share of the loss, and as factors of it."""

    flops: float
    share: float
    params: float
    params_low: float
    params_high: float
    low_factor: float
    high_factor: float


class Diagnostics(NamedTuple):
    """All of it. `answer` names whose moves are told: params at `flops`, or the loss of the largest run."""

    answer: str
    flops: float | None
    size: str
    log: bool
    residuals: Residuals
    worst: tuple[int, ...]
    strongest: int | None
    pattern: Pattern
    cases: tuple[Case, ...]
    distance: Distance | None
    valley: Valley | None
    dimensions: tuple[Dimension, ...]
    notes: tuple[str, ...]


def diagnose(answer: Answer, *, worst: int = 10) -> Diagnostics:
    """Return what there is to ask of a fit, at the largest budget predicted, else at 10 times the largest run's.

    Args:
        answer: a fit of a file of runs.
        worst: how many of the largest residuals to name.
    """
    fit = answer.fit
    asked = [prediction.flops for prediction in answer.predictions]
    question = question_of(fit, max(asked, default=None))
    sizes = sizes_of(fit.sample)
    table = _residuals(fit, question, answer.runs.rows)
    order = np.argsort(-np.abs(table.residual), kind="stable")[:worst]
    finite = np.where(np.isfinite(table.influence), np.abs(table.influence), -1.0)
    strongest = int(finite.argmax()) if finite.max() > 0.0 else None
    valley, notes = _valley(fit, question.flops)
    return Diagnostics(
        question.name, question.flops, sizes.name, fit.objective.log, table, tuple(order.tolist()), strongest,
        pattern(fit.residuals, sizes.values, coefficients=len(fit.form.free)), tuple(cases(fit, question)),
        _distance(fit, question.flops), valley, tuple(dimensions(fit)), notes,
    )  # fmt: skip


def _residuals(fit: Fit, question: Question, rows: Sequence[int]) -> Residuals:
    found = influence(fit, question)
    data = fit.sample.data
    predicted = fit.sample.target * np.exp(fit.residuals) if fit.objective.log else fit.sample.target + fit.residuals
    return Residuals(
        rows, sizes_of(fit.sample).values, data.get("N"), data.get("D"), fit.sample.target, predicted, fit.residuals,
        found.leverage, found.moves, found.refitted,
    )  # fmt: skip


def _distance(fit: Fit, flops: float | None) -> Distance | None:
    """Return how far a budget lies beyond the runs; None where their compute is unknown."""
    compute = fit.sample.flops
    if compute is None or flops is None:
        return None
    logs = np.log10(compute)
    largest, spread = float(compute.max()), float(logs.std())
    deviations = float(np.log10(flops) - logs.mean()) / spread if spread > 0.0 else None
    split = split_of(fit.law, flops) if has_split(fit) else None
    params = split.params / float(fit.sample.data["N"].max()) if split and split.params else None
    tokens = split.tokens / float(fit.sample.data["D"].max()) if split and split.tokens else None
    return Distance(flops, largest, flops / largest, float(np.log10(flops / largest)), deviations, params, tokens)


def _valley(fit: Fit, flops: float | None, *, share: float = SHARE) -> tuple[Valley | None, tuple[str, ...]]:
    """Return the valley of a budget, and why there is none."""
    if flops is None or not has_split(fit):
        return None, ("no isoFLOP valley: the form is no loss in params and tokens",)
    surface = Planner(fit.law).surface
    try:
        best = float(surface.optimal_params(flops))
        least = float(surface.loss_of(best, surface.tokens_for(flops, best)))
        low, high = map(float, surface.params_range(flops, least * (1.0 + share), best))
    except (NoAnswer, ArithmeticError, ValueError) as error:
        return None, (f"no isoFLOP valley at {flops:.4g} FLOPs: {error}",)
    return Valley(flops, share, best, low, high, low / best, high / best), ()
