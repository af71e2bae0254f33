"""Forms ranked on the same runs: the right one wins, by held-out error and by AIC."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.comparing import Comparison, compare
from scaling_cli.fit.cuts import cuts, scales, sizes_of
from scaling_cli.fit.fits import Options, optimum, started_at
from scaling_cli.fit.forms import Form, formula_form
from scaling_cli.fit.likelihoods import criterion, density_of
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.patterns import pattern
from scaling_cli.fit.samples import Sample, sample_of
from scaling_cli.fitting import Request, compare_forms
from scaling_cli.fitting.candidates import distinct_forms, shape

Columns = dict[str, Any]
Runs = Callable[..., Columns]
SQUARES = Options(objective("ls-log"), draws=0)
BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def form(text: str, name: str = "") -> Form:
    return formula_form(text, ["N", "D", "C"], positive=[], target="loss")._replace(name=name or text)


CHINCHILLA = form("E + A / N**alpha + B / D**beta", "chinchilla")
TIED = form("E + A / N**alpha + B / D**alpha", "tied")
NO_FLOOR = form("A / N**alpha + B / D**beta", "no floor")
PARAMS_ALONE = form("E + A / N**alpha", "params alone")
UNDETERMINED = form("E + F + A / N**alpha + B / D**beta", "two floors")


def isoflops(noise: float = 0.003, seed: int = 0) -> Sample:
    """Simulate seven sizes at each of five budgets under Chinchilla's law."""
    rng = np.random.default_rng(seed)
    flops = np.repeat(BUDGETS, 7)
    params = 0.1 * np.sqrt(flops) * np.tile(np.geomspace(0.25, 4.0, 7), len(BUDGETS))
    tokens = flops / 6.0 / params
    loss = 1.8 + 400.0 / params**0.34 + 600.0 / tokens**0.29
    return sample_of({"N": params, "D": tokens}, loss * np.exp(noise * rng.standard_normal(flops.size)))


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare([UNDETERMINED, PARAMS_ALONE, NO_FLOOR, CHINCHILLA], isoflops(), SQUARES)


def order(comparison: Comparison) -> list[str]:
    return [one.form for one in comparison.contenders]


def test_the_form_behind_the_runs_wins(compared: Comparison) -> None:
    assert order(compared) == ["chinchilla", "no floor", "params alone", "two floors"]
    best, second, *_ = compared.contenders
    assert best.held_out_error is not None
    assert second.held_out_error is not None
    assert best.held_out_error < 0.02 < second.held_out_error
    assert best.criterion.aic == min(one.criterion.aic for one in compared.contenders if one.criterion.aic is not None)
    assert best.notes == ()


def test_what_cannot_be_determined_comes_last_with_the_reason(compared: Comparison) -> None:
    last = compared.contenders[-1]
    assert last.form == "two floors"
    assert (last.held_out_error, last.criterion.aic, last.pattern, last.coefficients) == (None, None, None, {})
    assert "do not determine" in last.notes[0]


def test_held_out_errors_are_those_of_fits_to_the_smaller_runs() -> None:
    """Pooled over all cuts, by hand."""
    sample = isoflops()
    (one,) = compare([CHINCHILLA], sample, SQUARES).contenders
    errors = []
    for start in (1e22, 1e21, 1e20):
        seen = sample.data["N"] * sample.data["D"] * 6.0 < 0.99 * start
        problem, point = optimum(CHINCHILLA, sample.part(seen), SQUARES)
        larger = sample.part(~seen)
        errors.append(np.log(problem.predictions(point.inner[None], larger.data)[0] / larger.target))
    every = np.concatenate(errors)
    assert one.held_out_error == pytest.approx(float(np.sqrt((every**2).mean())), rel=1e-6)
    assert one.held_out_bias == pytest.approx(float(every.mean()), rel=1e-6)


def test_a_form_that_fails_below_a_cut_has_no_error_and_stands_behind() -> None:
    """Tokens that differ at the largest budget only: below it they cannot be told from the floor."""
    sample = isoflops()
    tokens = np.where(sample.flops > 0.9e22, sample.data["D"], 1e10)
    flops = np.repeat(BUDGETS, 7)
    changed = sample_of({"N": sample.data["N"], "D": tokens, "C": flops}, sample.target)
    found = compare([CHINCHILLA, PARAMS_ALONE], changed, SQUARES)
    assert order(found) == ["params alone", "chinchilla"]
    assert found.contenders[1].criterion.aic is not None
    assert "no held-out error, without the fit to the runs below 1e22 flops" in found.contenders[1].notes[-1]


def test_no_form_at_all_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="determine none of the forms"):
        compare([UNDETERMINED], isoflops(), SQUARES)


def test_two_ways_to_write_one_form_are_one() -> None:
    again = form("E + exp(a) / N**alpha + B / D**beta", "again")
    both = compare([CHINCHILLA, again], isoflops(), SQUARES)
    errors = [one.held_out_error for one in both.contenders]
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)
    assert order(compare([CHINCHILLA, again], isoflops(), SQUARES, distinct=True)) == ["chinchilla"]


def test_with_nothing_to_hold_out_aicc_ranks() -> None:
    sample = isoflops()
    two = sample.part(sample.flops < 1.1e19)
    found = compare([PARAMS_ALONE, CHINCHILLA], two, SQUARES)
    assert found.cuts == ()
    assert found.notes[0].startswith("ranked by AICc: nothing to hold out")
    scores = [one.criterion.aicc for one in found.contenders]
    assert scores == sorted(scores, key=lambda score: math.inf if score is None else score)
    assert all(one.held_out_error is None for one in found.contenders)


# cuts


def test_scales_and_cuts_of_isoflop_runs() -> None:
    sizes = np.repeat(BUDGETS, 7) * np.tile(np.linspace(0.98, 1.02, 7), 5)
    assert scales(sizes) == pytest.approx(0.98 * np.array(BUDGETS[::-1]))
    found = cuts(sizes)
    assert [(cut.fitted, cut.held_out) for cut in found] == [(28, 7), (21, 14), (14, 21)]


def test_cuts_of_scattered_runs_reach_from_near_to_far() -> None:
    found = cuts(10.0 ** np.random.default_rng(0).uniform(18, 22, 200))
    assert len(found) == 4
    held_out = [cut.held_out for cut in found]
    assert held_out == sorted(held_out)
    assert held_out[0] < 10
    assert 100 < held_out[-1] <= 134
    assert cuts(np.empty(0)) == cuts(np.full(5, 1e20)) == []


def test_sizes_are_flops_else_tokens_else_params() -> None:
    ones = [1.0, 2.0]
    assert sizes_of(sample_of({"N": ones, "D": ones}, ones)).name == "flops"
    assert sizes_of(sample_of({"D": ones}, ones)).name == "tokens"
    assert sizes_of(sample_of({"N": ones}, ones)).name == "params"
    assert sizes_of(sample_of({"x": ones}, ones)) == ("", pytest.approx([]))


# AIC


def test_aic_of_squares_by_hand() -> None:
    """Residuals 1, -1, 1, -1 with 2 coefficients: variance 1, so -2 log L = 4 (log 2 pi + 1), and k counts it."""
    found = criterion(objective("ls"), 4.0, np.ones(4), weights=np.ones(4), coefficients=2)
    assert found.aic == pytest.approx(4.0 * (math.log(2.0 * math.pi) + 1.0) + 6.0)
    assert found.aicc is None
    six = criterion(objective("ls"), 6.0, np.ones(6), weights=np.ones(6), coefficients=2)
    assert six.aic is not None
    assert six.aicc == pytest.approx(six.aic + 2.0 * 3.0 * 4.0 / 2.0)


@pytest.mark.parametrize(
    ("name", "quantile"), [("ls", None), ("lad", None), ("huber-log", None), ("ls-log", None), ("lad", 0.2)]
)
def test_aic_is_that_of_the_best_density_of_its_kind(name: str, quantile: float | None) -> None:
    """exp(-rho / scale), normalised by quadrature, at its best scale; a density of the target, not of its logarithm."""
    aim = objective(name, 0.5, quantile)
    rng = np.random.default_rng(1)
    target = 2.0 + rng.uniform(size=12)
    residuals = rng.standard_normal(12)
    value = float(aim.value(residuals, np.ones(12)))

    def deviance(log_scale: float) -> float:
        scale = math.exp(log_scale)
        area = sum(
            quad(lambda r: math.exp(-float(aim.rho(np.array(r), aim.delta)[0]) / scale), *ends)[0]
            for ends in ((-60.0, -0.5), (-0.5, 0.0), (0.0, 0.5), (0.5, 60.0))
        )
        return 2.0 * (12 * math.log(area) + value / scale)

    best = minimize_scalar(deviance, bounds=(-4.0, 2.0), method="bounded", options={"xatol": 1e-9}).fun
    best += 2.0 * float(np.log(target).sum()) if aim.log else 0.0
    found = criterion(aim, value, target, weights=np.ones(12), coefficients=3)
    assert found.aic == pytest.approx(best + 8.0, rel=1e-7)


def test_the_density_is_named() -> None:
    names = {name: density_of(objective(name)) for name in ("huber-log", "ls", "lad-log")}
    assert names == {"huber-log": "Huber", "ls": "normal", "lad-log": "Laplace"}
    assert density_of(objective("lad", quantile=0.1)) == "asymmetric Laplace"


# patterns


def test_a_trend_and_a_side_are_seen() -> None:
    sizes = np.repeat(np.array(BUDGETS), 4)
    noise = 1e-4 * np.tile([1.0, -1.0, -1.0, 1.0], 5)
    found = pattern(0.01 * (np.log10(sizes) - 20.0) + noise, sizes, coefficients=2)
    assert found.trend == pytest.approx(0.01)
    assert found.trend_t is not None
    assert found.trend_t > 100
    assert found.largest == "above"
    assert found.correlation is not None
    assert found.correlation > 0.5
    flat = pattern(np.where(sizes > 9e21, -0.01, 0.0) + noise, sizes, coefficients=2)
    assert flat.largest == "below"


def test_skew_is_the_third_moment() -> None:
    residuals = np.array([3.0, -1.0, -1.0, -1.0])
    found = pattern(residuals, np.empty(0), coefficients=1)
    assert found.sd == pytest.approx(2.0)
    assert found.skew == pytest.approx(6.0 / 3.0**1.5)
    assert (found.trend, found.correlation, found.largest) == (None, None, None)


# which forms


def test_shipped_forms_are_distinct() -> None:
    forms = distinct_forms(["N", "D", "C", "L"])
    names = [one.name for one in forms]
    assert names[0] == "hoffmann-2022-approach-3-rounded"
    assert {"kaplan-2020", "caballero-2022", "clark-2022-dense", "busbridge-2025", "gadre-2024-c4"} < set(names)
    assert not {"besiroglu-2024", "hoffmann-2022-approach-3", "krajewski-2024-dense", "muennighoff-2023"} & set(names)
    assert len({shape(one.tree, {c.name for c in one.free}) for one in forms}) == len(forms)


def test_a_column_of_unique_tokens_brings_the_data_constrained_form() -> None:
    assert "muennighoff-2023" in [one.name for one in distinct_forms(["N", "D", "C", "L", "U"])]


def test_compute_alone_brings_laws_of_compute() -> None:
    names = [one.name for one in distinct_forms(["C", "L"])]
    assert "cerebras-2023 optimal_loss" in names
    assert not any("hoffmann" in name for name in names)


@pytest.fixture
def file(tmp_path: Any) -> Callable[[Sample], str]:
    def write(sample: Sample) -> str:
        path = tmp_path / "runs.csv"
        columns = np.column_stack([sample.data["N"], sample.data["D"], sample.target])
        np.savetxt(path, columns, delimiter=",", header="params,tokens,loss", comments="")
        return str(path)

    return write


def test_a_file_against_presets_and_a_formula(file: Callable[[Sample], str]) -> None:
    request = Request(file(isoflops()), objective="ls-log", formula="E + A / N**alpha", fix={"alpha": "0.34"})
    found = compare_forms(request, ["kaplan", "hoffmann-2022-approach-3-rounded"])
    assert sorted(order(found)) == ["formula", "hoffmann-2022-approach-3-rounded", "kaplan-2020"]
    fixed = {one.form: one.coefficients.get("alpha") for one in found.contenders}
    assert fixed == {"formula": 0.34, "hoffmann-2022-approach-3-rounded": 0.34, "kaplan-2020": None}


def test_a_form_whose_column_is_missing_comes_last(tmp_path: Any) -> None:
    path = tmp_path / "runs.csv"
    sample = isoflops()
    np.savetxt(
        path, np.column_stack([sample.data["N"], sample.target]), delimiter=",", header="params,loss", comments=""
    )
    found = compare_forms(
        Request(str(path), objective="ls-log"), ["hoffmann-2022-approach-3-rounded", "clark-2022-dense"]
    )
    assert order(found) == ["clark-2022-dense", "hoffmann-2022-approach-3-rounded"]
    assert found.contenders[1].notes == ("the runs have no tokens",)


def test_a_coefficient_that_no_form_has_is_refused(file: Callable[[Sample], str]) -> None:
    with pytest.raises(InputError, match="no form has"):
        compare_forms(Request(file(isoflops()), fix={"omega": "1"}), ["kaplan"])


def test_published_runs_prefer_their_own_law(data_file: Callable[[str], str]) -> None:
    """Repeated data: Muennighoff et al. 2023 fitted their law because the others miss there."""
    request = Request(data_file("datablations.csv"), where="in_published_fit == 1", columns={"U": "unique_tokens"})
    forms = ["muennighoff-2023", "hoffmann-2022-approach-3-rounded", "kaplan"]
    found = compare_forms(request._replace(fix={"R_N": "1e6"}), forms)  # as good as infinite
    assert order(found)[0] == "muennighoff-2023"
    assert len(found.cuts) >= 3
    refused = next(one for one in compare_forms(request, forms).contenders if one.form == "muennighoff-2023")
    assert "do not determine R_N" in refused.notes[0]  # the best one is infinite


def test_a_coefficient_at_zero_starts_the_smaller_fits_from_where_it_has_an_effect() -> None:
    """Runs of a law without a floor, whose best floor is none: every cut has its fit, without a warning."""
    sample = isoflops()
    data = sample.data
    level = 400.0 / data["N"] ** 0.3 + 500.0 / data["D"] ** 0.3 - 0.02
    noise = np.exp(0.003 * np.random.default_rng(1).standard_normal(sample.size))
    runs = sample_of(data, level * noise)
    problem, point = optimum(CHINCHILLA, runs, SQUARES)
    assert point.vanished.tolist() == [name == "E" for name in problem.names]
    started = started_at(CHINCHILLA, point)
    assert [c.start > 1e-3 for c in started.free] == [True] * 5
    assert [c.start for c in started.free[1:]] == point.values[1:].tolist()
    found = compare([CHINCHILLA, NO_FLOOR], runs, SQUARES)
    errors = {one.form: one.held_out_error for one in found.contenders}
    assert errors["chinchilla"] == pytest.approx(errors["no floor"], rel=0.5)
    assert all("no held-out error" not in note for one in found.contenders for note in one.notes)
