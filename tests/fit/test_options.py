"""What a user may say of a fit: fixed, tied and started coefficients, signs, weights, quantiles."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from scaling_cli.errors import InputError
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form, settle

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]


def found(fit: Fit) -> dict[str, float]:
    return dict(zip(fit.names, map(float, fit.values), strict=True))


def test_a_fixed_number_stays(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    free = fit(chinchilla, runs())
    fixed = fit(settle(chinchilla, {"alpha": "0.35"}, {}), runs(), draws=50)
    assert found(fixed)["alpha"] == 0.35
    assert fixed.spread.errors[fixed.names.index("alpha")] == 0.0
    assert set(fixed.draws[:, fixed.names.index("alpha")]) == {0.35}
    assert fixed.value > free.value


def test_a_coefficient_fixed_at_its_optimum_changes_nothing(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    free = fit(chinchilla, runs())
    fixed = fit(settle(chinchilla, {"E": repr(found(free)["E"])}, {}), runs())
    assert found(fixed) == pytest.approx(found(free), rel=1e-8)


def test_tied_exponents_are_one(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    tied = fit(settle(chinchilla, {"alpha": "beta"}, {}), runs(), draws=50)
    by_hand = formula_form("E + A / N**beta + B / D**beta", ["N", "D"], positive=[], target="loss")
    assert found(tied)["alpha"] == found(tied)["beta"]
    assert np.array_equal(tied.draws[:, tied.names.index("alpha")], tied.draws[:, tied.names.index("beta")])
    assert tied.value == pytest.approx(fit(by_hand, runs()).value, rel=1e-9)
    assert tied.spread.low[tied.names.index("alpha")] == tied.spread.low[tied.names.index("beta")]


def test_a_coefficient_may_be_a_formula_of_others(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    tied = found(fit(settle(chinchilla, {"B": "4 * A"}, {}), runs()))
    assert tied["B"] == pytest.approx(4.0 * tied["A"], rel=1e-15)


def test_the_law_carries_what_was_fixed(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    law = fit(settle(chinchilla, {"alpha": "beta"}, {}), runs()).law
    coefficients = law.relations["loss"].coefficients
    assert coefficients["alpha"] == coefficients["beta"]


@pytest.mark.parametrize(
    ("fixed", "starts"),
    [
        ({"gamma": "1"}, {}), ({"alpha": "gamma"}, {}), ({"alpha": "beta", "beta": "alpha"}, {}),
        ({"alpha": "1 +"}, {}),
        ({}, {"gamma": 1.0}), ({}, {"alpha": -1.0}), (dict.fromkeys(("E", "A", "alpha", "B", "beta"), "1"), {}),
    ],
)  # fmt: skip
def test_what_cannot_be_settled_is_refused(fixed: dict[str, str], starts: dict[str, float], chinchilla: Form) -> None:
    with pytest.raises(InputError):
        settle(chinchilla, fixed, starts)


def test_a_start_picks_between_equal_optima(fit: Solve) -> None:
    """Two exponentials: which is called the first is up to the start."""
    x = np.linspace(0.0, 4.0, 30)
    form = formula_form("a * exp(-b * x) + c * exp(-d * x)", ["x"], positive=None, target="loss")
    columns = {"x": x, "L": 3.0 * np.exp(-0.5 * x) + 5.0 * np.exp(-2.0 * x)}
    for b, d in ((0.4, 2.5), (2.5, 0.4)):
        got = found(fit(settle(form, {}, {"b": b, "d": d}), columns, "ls"))
        assert (got["b"] < got["d"]) == (b < d)
        assert sorted([got["b"], got["d"]]) == pytest.approx([0.5, 2.0], rel=1e-9)


def test_the_start_does_not_matter_where_there_is_one_optimum(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    near = fit(chinchilla, runs())
    far = fit(settle(chinchilla, {}, {"E": 0.1, "A": 10.0, "alpha": 0.9, "B": 1e5, "beta": 0.1}), runs())
    assert found(far) == pytest.approx(found(near), rel=1e-7)


def test_positive_keeps_above_zero_and_free_may_go_below(fit: Solve) -> None:
    x = np.linspace(1.0, 10.0, 20)
    columns = {"x": x, "L": -1.0 + 3.0 * x + 0.01 * np.cos(7.0 * x)}
    free = fit(formula_form("a + b * x", ["x"], positive=None, target="loss"), columns, "ls")
    slope, intercept = np.polyfit(x, columns["L"], 1)
    assert found(free) == pytest.approx({"a": intercept, "b": slope}, rel=1e-9)
    kept = formula_form("a + b * x", ["x"], positive=["b"], target="loss")
    assert [coefficient.positive for coefficient in kept.free] == [False, True]
    with pytest.raises(InputError):
        formula_form("a + b * x", ["x"], positive=["c"], target="loss")


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "ls", "lad-log"])
def test_weights_are_duplicated_rows(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs(24)
    times = 1 + np.arange(24) % 3
    weighted = fit(chinchilla, columns, name, weights=times.astype(float))
    repeated = fit(chinchilla, {key: np.repeat(values, times) for key, values in columns.items()}, name)
    assert weighted.value == pytest.approx(repeated.value, rel=1e-8)
    assert found(weighted) == pytest.approx(found(repeated), rel=1e-5 if name == "lad-log" else 1e-8)


def test_a_run_of_no_weight_is_as_if_absent(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs(24)
    without = fit(chinchilla, {key: values[1:] for key, values in columns.items()})
    weights = np.ones(24)
    weights[0] = 0.0
    weighted = fit(chinchilla, columns, weights=weights)
    assert found(weighted) == pytest.approx(found(without), rel=1e-8)
    assert weighted.sample.size == 23
    assert weighted.spread.errors == pytest.approx(without.spread.errors, rel=1e-8)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_count_nothing_are_refused(weight: float, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    with pytest.raises(InputError):
        fit(chinchilla, runs(24), weights=np.full(24, weight))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_a_share_of_the_runs_lies_below_a_quantile(share: float, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs(100, noise=0.03)
    residuals = fit(chinchilla, columns, quantile=share).residuals  # above zero: the run lies below the curve
    on_it, below = int((np.abs(residuals) < 1e-6).sum()), int((residuals >= 1e-6).sum())
    assert below <= 100 * share <= below + on_it
    assert on_it <= 5


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_quantile_is_told_by_the_pinball_loss(share: float, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Koenker and Bassett 1978, doi:10.2307/1913643: sum of max(q r, (q - 1) r), for r the run less the prediction."""
    envelope = fit(chinchilla, runs(40), quantile=share)
    errors = -envelope.residuals
    assert envelope.value == pytest.approx(np.maximum(share * errors, (share - 1.0) * errors).sum(), rel=1e-12)


def test_the_median_is_told_by_half_the_absolute_values(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs(24)
    absolute, median = fit(chinchilla, columns, "lad-log"), fit(chinchilla, columns, quantile=0.5)
    assert absolute.value == pytest.approx(np.abs(absolute.residuals).sum(), rel=1e-14)
    assert median.value == pytest.approx(0.5 * absolute.value, rel=1e-12)
    assert found(median) == found(absolute)


def test_absolute_values_pass_through_runs_as_a_search_of_all_pairs_does(fit: Solve) -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0.0, 5.0, 15))
    y = 2.0 + 0.7 * x + rng.standard_t(2, 15)
    lines = [np.polyfit(x[[i, j]], y[[i, j]], 1) for i, j in combinations(range(15), 2)]
    least = min(float(np.abs(np.polyval(line, x) - y).sum()) for line in lines)
    got = fit(formula_form("a + b * x", ["x"], positive=None, target="loss"), {"x": x, "L": y}, "lad")
    assert got.value == pytest.approx(least, rel=1e-6)
    assert got.certificate.converged


def test_absolute_values_may_be_least_between_vertices(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Where the curve bends, four runs may hold five coefficients."""
    columns = {letter: np.delete(values, 6) for letter, values in runs(24).items()}
    found = fit(chinchilla, columns, "lad-log")
    distance = np.sort(np.abs(found.residuals))
    assert distance[3] < 1e-8 < 1e-4 < distance[4]
    assert found.certificate.converged
