"""Diagnostics of a fit, each against what it stands for: true refits, a dense scan, a projection's trace."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.runs import Runs
from scaling_cli.fit.diagnostics import Diagnostics, diagnose
from scaling_cli.fit.dimensions import dimensions
from scaling_cli.fit.fits import Fit, Options, optimum
from scaling_cli.fit.forms import Form, formula_form, settle
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.influence import hat_values, influence, refits_without
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.predictions import Answer
from scaling_cli.fit.questions import question_of, split_of
from scaling_cli.fit.sensitivity import cases
from scaling_cli.fitting import Request, fit_runs

Columns = dict[str, Any]
MakeRuns = Callable[..., Columns]
MakeFit = Callable[..., Fit]
BUDGET = 1e24


def answered(fit: Fit) -> Answer:
    rows = list(range(1, fit.sample.size + 1))
    runs = Runs({}, {}, rows, len(rows), len(rows))
    return Answer(fit, fit.law, runs, (), (), HoldOut(), {})


@pytest.fixture
def fitted(runs: MakeRuns, fit: MakeFit, chinchilla: Form) -> Fit:
    return fit(chinchilla, runs(30), draws=60)


@pytest.fixture
def diagnosed(fitted: Fit) -> Diagnostics:
    return diagnose(answered(fitted))


# leverage and influence


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "ls", "lad-log"])
def test_hat_values_sum_to_the_number_of_coefficients(
    runs: MakeRuns, fit: MakeFit, chinchilla: Form, name: str
) -> None:
    leverage = hat_values(fit(chinchilla, runs(30), name))
    assert leverage.sum() == pytest.approx(5.0, rel=1e-9)
    assert ((leverage >= 0.0) & (leverage <= 1.0 + 1e-9)).all()


@pytest.mark.parametrize(("name", "tolerance"), [("huber-log", 1e-7), ("ls-log", 1e-7), ("lad-log", 1e-4)])
def test_influence_is_that_of_true_refits(
    runs: MakeRuns, fit: MakeFit, chinchilla: Form, name: str, tolerance: float
) -> None:
    found = fit(chinchilla, runs(24), name)
    question = question_of(found, BUDGET)
    before = split_of(found.law, BUDGET).params
    moves = influence(found, question)
    assert moves.refitted.all()
    for run in (*np.argsort(-np.abs(moves.moves))[:3], 0):
        keep = np.arange(24) != run
        _, point = optimum(found.form, found.sample.part(keep), Options(objective(name)))
        after = float(question.answers(point.inner[None])[0])
        assert before is not None
        assert moves.moves[run] == pytest.approx(after / before - 1.0, abs=tolerance)


@pytest.mark.parametrize("seed", [7, 8])
def test_refits_far_from_the_fit_arrive(seed: int, fit: MakeFit, chinchilla: Form) -> None:
    """Without a loss that is 5 % off, of the smallest run at one of two ratios, the law lies far from the fit."""
    params = np.repeat(np.geomspace(3e7, 3e9, 5), 2)
    tokens = params * np.tile([20.0, 80.0], 5)
    losses = 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366
    losses *= np.exp(0.001 * np.random.default_rng(seed).standard_normal(10))
    losses[0] *= 1.05
    found = fit(chinchilla, {"N": params, "D": tokens, "L": losses})
    rest = found.sample.part(np.arange(1, 10))
    inner = refits_without(found, np.array([0]))
    _, point = optimum(found.form, rest, Options(found.objective))
    residuals = found.problem.part_of_runs(np.arange(1, 10)).residuals(inner)
    assert found.objective.value(residuals, rest.weights)[0] == pytest.approx(point.objective, rel=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_refits_without_the_run_that_took_the_floor_to_zero(seed: int, fit: MakeFit, chinchilla: Form) -> None:
    """With a loss in bits among losses in nats E ends at zero, where no slope leads away from; without it E is back."""
    params = np.repeat(np.geomspace(1e8, 1.6e9, 5), 4)
    tokens = params * np.tile([5.0, 10.0, 20.0, 40.0], 5)
    losses = 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366
    losses *= np.exp(0.003 * np.random.default_rng(seed).standard_normal(20))
    losses[3] /= math.log(2.0)
    found = fit(chinchilla, {"N": params, "D": tokens, "L": losses}, "ls-log")
    assert found.point.vanished[0]
    question = question_of(found, BUDGET)
    before = question.answers(found.point.inner[None])[0]
    moves = influence(found, question).moves
    for run in (3, 0, 19):
        _, point = optimum(found.form, found.sample.part(np.arange(20) != run), Options(found.objective))
        assert moves[run] == pytest.approx(question.answers(point.inner[None])[0] / before - 1.0, rel=1e-5)
    assert np.abs(moves).argmax() == 3


def test_runs_do_not_follow_a_coefficient_without_any_effect(fitted: Fit) -> None:
    inner = fitted.point.inner.copy()
    inner[0] = -1000.0  # E = 0 to the last bit
    assert hat_values(fitted._replace(point=fitted.point._replace(inner=inner))).sum() == pytest.approx(4.0, rel=1e-9)


def test_first_steps_find_the_strongest_of_many_runs(
    runs: MakeRuns, fit: MakeFit, chinchilla: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for four refits only, they are spent on the runs that matter."""
    columns = runs(60)
    columns["L"][7] *= 1.08
    found = fit(chinchilla, columns, "ls-log")
    question = question_of(found, BUDGET)
    exact = influence(found, question)
    monkeypatch.setattr("scaling_cli.fit.influence.WORK", 0)
    few = influence(found, question)
    assert few.refitted.sum() == 4
    assert np.abs(few.moves).argmax() == np.abs(exact.moves).argmax()
    assert np.corrcoef(few.moves, exact.moves)[0, 1] > 0.95


def test_a_run_of_hardly_any_weight_moves_nothing(runs: MakeRuns, fit: MakeFit, chinchilla: Form) -> None:
    weights = np.ones(30)
    weights[4] = 1e-20
    found = fit(chinchilla, runs(30), "ls-log", weights=weights)
    assert hat_values(found)[4] == pytest.approx(0.0, abs=1e-15)
    assert refits_without(found, np.array([4]))[0] == pytest.approx(found.point.inner, rel=1e-9)


def test_the_strongest_run_is_named(runs: MakeRuns, fit: MakeFit, chinchilla: Form) -> None:
    columns = runs(30, noise=0.001)
    columns["L"][11] *= 1.1
    found = diagnose(answered(fit(chinchilla, columns, "ls-log")))
    assert found.strongest == 11
    assert found.worst[0] == 11
    assert len(found.worst) == 10


# sensitivity


def test_every_objective_and_every_cut_is_a_true_refit(fitted: Fit) -> None:
    question = question_of(fitted, BUDGET)
    found = {case.case: case for case in cases(fitted, question)}
    assert list(found)[:3] == ["as fitted", "ls-log", "lad-log"]
    assert sum(name.startswith("without runs from") for name in found) >= 3
    _, point = optimum(fitted.form, fitted.sample, Options(objective("ls-log")))
    other = found["ls-log"]
    assert other.answer == pytest.approx(float(question.answers(point.inner[None])[0]), rel=1e-7)
    assert found["as fitted"].change == 0.0
    assert other.answer is not None
    assert other.change == pytest.approx(other.answer / split_of(fitted.law, BUDGET)[0] - 1.0, rel=1e-6)


def test_exponents_of_a_split_are_those_of_the_law(fitted: Fit) -> None:
    """a = beta / (alpha + beta): Hoffmann et al. 2022, eq. 4."""
    at = dict(zip(fitted.names, fitted.values, strict=True))
    split = split_of(fitted.law, BUDGET)
    assert split.a == pytest.approx(at["beta"] / (at["alpha"] + at["beta"]), rel=1e-9)
    assert split.a is not None
    assert split.b == pytest.approx(1.0 - split.a, rel=1e-9)


# how far, how flat


def test_the_valley_is_that_of_a_dense_scan(fitted: Fit, diagnosed: Diagnostics) -> None:
    valley, at = diagnosed.valley, dict(zip(fitted.names, fitted.values, strict=True))
    assert valley is not None
    params = valley.params * np.geomspace(0.1, 10.0, 200_001)
    tokens = valley.flops / 6.0 / params
    losses = at["E"] + at["A"] / params ** at["alpha"] + at["B"] / tokens ** at["beta"]
    inside = params[losses <= 1.001 * losses.min()]
    assert valley.params == pytest.approx(params[losses.argmin()], rel=1e-3)
    assert (valley.params_low, valley.params_high) == pytest.approx((inside[0], inside[-1]), rel=1e-4)
    assert valley.low_factor < 1.0 < valley.high_factor


def test_distance_is_over_the_largest_run(fitted: Fit, diagnosed: Diagnostics) -> None:
    distance, flops = diagnosed.distance, fitted.sample.flops
    assert distance is not None
    assert flops is not None
    assert distance.largest_flops == flops.max()
    assert (distance.factor, distance.decades) == pytest.approx((10.0, 1.0))
    assert distance.deviations == pytest.approx(
        (math.log10(distance.flops) - np.log10(flops).mean()) / np.log10(flops).std()
    )


# dimension


def test_dimensions_of_an_additive_law(fitted: Fit) -> None:
    at = dict(zip(fitted.names, fitted.values, strict=True))
    params, tokens = dimensions(fitted)
    assert params.dimension == pytest.approx(4.0 / at["alpha"], rel=1e-9)
    assert tokens.dimension == pytest.approx(4.0 / at["beta"], rel=1e-9)
    assert params.dimension_low is not None
    assert params.dimension_high is not None
    assert params.dimension_low < params.dimension < params.dimension_high
    assert "2004.10802" in params.source
    assert "unverified" in tokens.source


def test_language_models_of_kaplan_have_a_dimension_of_about_fifty(fit: MakeFit) -> None:
    """4 / 0.076 = 53: Kaplan et al. 2020, arXiv:2001.08361, eq. 1.1, read by Sharma and Kaplan's rule."""
    params = np.geomspace(1e6, 1e9, 12)
    form = formula_form("(N_c / N)**alpha", ["N"], positive=[], target="loss")
    form = settle(form, {}, {"N_c": 1e14, "alpha": 0.1})
    found = dimensions(fit(form, {"N": params, "L": (8.8e13 / params) ** 0.076}, "ls-log"))
    assert found[0].dimension == pytest.approx(52.6, abs=0.1)
    assert found[1].dimension is None
    assert "no loss in tokens" in found[1].notes[0]


def test_what_is_no_power_has_no_dimension(runs: MakeRuns, fit: MakeFit) -> None:
    form = formula_form("E + A / (N**0.3 + k) + B / D**beta", ["N", "D"], positive=[], target="loss")
    params, tokens = dimensions(fit(settle(form, {"k": "100"}, {}), runs(40, noise=0.001), "ls-log"))
    assert params.dimension is None
    assert "no power of params" in params.notes[0]
    assert tokens.dimension is not None


# forms without a split


def test_a_form_of_params_alone_answers_with_its_loss(runs: MakeRuns, fit: MakeFit) -> None:
    columns = {key: values for key, values in runs(20).items() if key != "D"}
    columns["L"] = 1.8 + 400.0 / columns["N"] ** 0.34 * np.exp(0.02 * np.random.default_rng(2).standard_normal(20))
    form = formula_form("E + A / N**alpha", ["N"], positive=[], target="loss")
    found = diagnose(answered(fit(form, columns)))
    assert (found.answer, found.size, found.distance, found.valley) == ("loss", "params", None, None)
    assert found.cases[0].answer == pytest.approx(
        float(np.exp(np.log(columns["L"]) + found.residuals.residual)[columns["N"].argmax()])
    )
    assert "no isoFLOP valley" in found.notes[0]


def test_predictions_and_residuals_belong_together(fitted: Fit, diagnosed: Diagnostics) -> None:
    table = diagnosed.residuals
    assert table.residual == pytest.approx(np.log(table.predicted / table.observed))
    plain = diagnose(answered(fitted._replace(objective=fitted.objective._replace(log=False)))).residuals
    assert plain.predicted - plain.observed == pytest.approx(plain.residual)


# a coefficient at zero


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
def test_a_floor_of_zero_has_every_diagnostic(name: str, runs: MakeRuns, fit: MakeFit, chinchilla: Form) -> None:
    columns = runs(30, 0.003)
    columns["L"] = 400.0 / columns["N"] ** 0.3 + 500.0 / columns["D"] ** 0.3 - 0.02
    found = fit(chinchilla, columns, name, draws=60)
    assert found.point.vanished.any()
    ways = cases(found, question_of(found, BUDGET))
    assert [way.case for way in ways if way.answer is None] == []
    assert len(dimensions(found)) == 2


def test_the_answer_without_a_run_is_that_of_the_lower_of_two_minima() -> None:
    """Without row 28 of the example a descent from the fit ends in a minimum that is none of the lowest."""
    path = str(Path(__file__).parents[2] / "examples" / "runs.csv")
    whole = Request(path, formula="E + (A / N**(al / be) + B / D)**be", positive="all", draws=0, at=(1e23,))
    answer, without = fit_runs(whole), fit_runs(whole._replace(where="row != 28"))
    table = diagnose(answer).residuals
    move = without.predictions[0].params / answer.predictions[0].params - 1.0
    assert table.influence[list(table.rows).index(28)] == pytest.approx(move, rel=1e-6)
