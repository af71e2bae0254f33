"""Draws from a covariance, for fits without refits: as wide as refits, the same each time, and none from zero."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.plans import Planner
from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.fits import Fit, fitted_law
from scaling_cli.fit.forms import Form, formula_form, settle
from scaling_cli.fit.normal import COUNT, with_normal_draws
from scaling_cli.fitting import Answer, Request, fit_runs, save_fit
from scaling_cli.library import plan

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
EXAMPLE = str(Path(__file__).parents[2] / "examples" / "runs.csv")
KEPT = "in_published_fit == 1"


def parametric(**asked: Any) -> Answer:
    answer = fit_runs(Request(asked.pop("runs", EXAMPLE), draws=asked.pop("draws", 0), **asked))
    assert isinstance(answer, Answer)
    return answer


def without_floor(runs: Runs) -> dict[str, Any]:
    """Return runs of a law without a floor, less a little, so that the best floor is none."""
    columns = runs(60, noise=0.003)
    return {**columns, "L": 400.0 / columns["N"] ** 0.3 + 500.0 / columns["D"] ** 0.3 - 0.02}


@pytest.mark.parametrize("name", ["ls", "ls-log", "huber-log"])
def test_draws_predict_the_loss_as_the_covariance_says(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """The delta method holds for losses among the runs, where the law is all but linear in its uncertainty."""
    found = with_normal_draws(fit(chinchilla, runs(), name))
    assert found.draws.shape == (COUNT, 5)
    covariance = found.spread.covariance / np.outer(found.values, found.values)
    _, slopes = found.problem.jacobian(found.point.inner[None])
    expected = np.sqrt(np.einsum("kn,kl,ln->n", slopes[0], covariance, slopes[0]))
    drawn = np.log(found.draws)
    moved = found.problem.residuals(drawn) - found.residuals
    student = 1.690924 / 1.644854  # 95 % quantiles of Student's t, 35 degrees of freedom, and of the normal
    assert moved.std(axis=0) / expected == pytest.approx(student, rel=0.15)  # sampling: 3 / sqrt(2 COUNT)
    assert np.abs(moved.mean(axis=0) / expected).max() < 0.15


def test_draws_of_a_linear_law_have_its_covariance(fit: Solve) -> None:
    rng = np.random.default_rng(0)
    columns = {"x": rng.uniform(-1.0, 1.0, 200), "L": rng.standard_normal(200)}
    found = with_normal_draws(fit(formula_form("a + b * x", ["x"], positive=None, target="L"), columns, "ls"))
    scale = np.sqrt(np.outer(*[np.diagonal(found.spread.covariance)] * 2))
    assert np.cov(found.draws.T) / scale == pytest.approx(found.spread.covariance / scale, abs=0.15)
    assert found.draws.mean(axis=0) == pytest.approx(found.values, abs=4.0 * scale.max() ** 0.5 / COUNT**0.5)


def test_draws_are_about_where_refits_are(data_file: Callable[[str], str]) -> None:
    """Besiroglu et al.'s 240 runs: intervals of an optimum by the covariance alone, and by refits."""
    asked: dict[str, Any] = {"runs": data_file("chinchilla_epoch.csv"), "where": KEPT, "at": (1e21, 1e25)}
    ways = (parametric(draws=draws, **asked).predictions for draws in (0, 400))
    for without, refitted in zip(*ways, strict=True):
        for name in ("params", "tokens", "loss"):
            low, high = (np.log(getattr(without, f"{name}_{end}")) for end in ("low", "high"))
            wanted = [np.log(getattr(refitted, f"{name}_{end}")) for end in ("low", "high")]
            assert [low, high] == pytest.approx(wanted, abs=0.25 * (wanted[1] - wanted[0]))


def test_exponents_and_predictions_have_intervals_without_refits() -> None:
    answer = parametric(at=(1e22,))
    for exponent in answer.exponents:
        assert exponent.low is not None
        assert exponent.high is not None
        assert exponent.low < exponent.value < exponent.high
    (at,) = answer.predictions
    assert None not in at[:-1]
    assert answer == parametric(at=(1e22,))._replace(fit=answer.fit, law=answer.law, runs=answer.runs)


def test_a_saved_law_has_the_intervals_of_its_fit(tmp_path: Path) -> None:
    path, answer = str(tmp_path / "mine.yaml"), parametric(at=(1e22,))
    save_fit(answer, path)
    (at,), got = answer.predictions, plan(load_law(path), flops=1e22)
    assert (got.low["params"], got.high["params"]) == pytest.approx((at.params_low, at.params_high), rel=1e-6)
    assert (got.low["loss"], got.high["loss"]) == pytest.approx((at.loss_low, at.loss_high), rel=1e-6)


def test_a_saved_law_states_the_covariance_behind_its_standard_errors(tmp_path: Path) -> None:
    path, answer = str(tmp_path / "mine.yaml"), parametric(fix={"alpha": "beta"})
    save_fit(answer, path)
    stated: Any = load_law(path).relations["loss"].uncertainty["covariance"]
    matrix = np.array([[float(value) for value in row] for row in stated["rows"]])
    assert list(stated["names"]) == ["E", "A", "B", "beta"]
    assert np.sqrt(np.diagonal(matrix)) == pytest.approx(answer.fit.spread.errors[:4], rel=1e-12)
    assert np.array_equal(matrix, matrix.T)


def test_with_refits_no_covariance_is_stated() -> None:
    answer = parametric(draws=40)
    assert answer.law.relations["loss"].uncertainty == {}
    assert answer.fit.kind == "refits"


def test_a_coefficient_at_zero_has_no_draws_and_a_note_says_so(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    found = with_normal_draws(fit(chinchilla, without_floor(runs)))
    assert found.draws.size == 0
    assert found.notes[-1].startswith("E ended at zero")
    assert "--draws 1000" in found.notes[-1]
    for ends in (found.spread.errors, found.spread.low, found.spread.high):
        assert [name for name, end in zip(found.names, ends, strict=True) if np.isnan(end)] == ["E"]


def test_what_is_tied_to_zero_is_as_unknown(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    tied = fit(settle(chinchilla, {"B": "E + 500"}, {}), without_floor(runs))
    unknown = np.isnan(tied.spread.errors)
    assert [name for name, is_nan in zip(tied.names, unknown, strict=True) if is_nan] == ["E", "B"]


def test_many_runs_are_told_by_some_of_them(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    found = with_normal_draws(fit(chinchilla, runs(3000), "ls-log"))
    law = [Planner(fitted_law(found.form, found.names, row)).frontier.split(1e21)[0] for row in found.draws[:200]]
    best = float(Planner(found.law).frontier.split(1e21)[0])
    assert np.median(np.log(law)) == pytest.approx(np.log(best), abs=5.0 * float(np.std(np.log(law))) / 200**0.5)
