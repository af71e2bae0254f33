"""Runs that do not determine a law are refused, with what to run next."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form, preset_form, settle
from scaling_cli.fit.identify import doubts

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]


def refusal(fit: Solve, form: Form, columns: dict[str, Any], **options: Any) -> str:
    with pytest.raises(NoAnswer) as caught:
        fit(form, columns, **options)
    assert caught.value.hints
    return str(caught.value) + "; ".join(caught.value.hints)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_as_many_runs_as_coefficients(count: int, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    said = refusal(fit, chinchilla, runs(count))
    assert "at least 6" in said
    assert ("1 run " in said) == (count == 1)


def test_six_runs_are_enough(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    assert fit(chinchilla, runs(6)).certificate.converged


@pytest.mark.parametrize(("letter", "word"), [("N", "one model size"), ("D", "one number of tokens")])
def test_one_value_of_a_variable(letter: str, word: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    columns[letter] = np.full(columns["L"].size, 1e9)
    assert word in refusal(fit, chinchilla, columns)


def test_one_number_of_tokens_per_param(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    columns["D"] = 20.0 * columns["N"]
    assert "tokens per parameter" in refusal(fit, chinchilla, columns)


def ladder(sizes: int = 12, ratio: float = 20.0, slope: float = 1.0, spread: float = 0.0) -> dict[str, Any]:
    """Return runs of Chinchilla's law whose tokens leave a power of the params by a root mean square of logarithms."""
    rng = np.random.default_rng(5)
    params = np.geomspace(6e7, 7e9, sizes)
    off = rng.standard_normal(sizes)
    off -= np.polyval(np.polyfit(np.log(params), off, 1), np.log(params))
    off *= spread / np.sqrt((off**2).sum() / (sizes - 2))
    tokens = ratio * 1e9 * (params / 1e9) ** slope * np.exp(off)
    loss = 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366
    return {"N": params, "D": tokens, "L": loss * np.exp(0.003 * rng.standard_normal(sizes))}


def test_rounded_sizes_at_one_number_of_tokens_per_param(fit: Solve, chinchilla: Form) -> None:
    """The sizes and tokens of GPT-like ladders, as tables print them."""
    params = np.array([124e6, 209e6, 354e6, 774e6, 1.0e9, 1.56e9, 2.8e9, 6.9e9])
    tokens = np.array([2.5e9, 4.2e9, 7.1e9, 15.5e9, 20.3e9, 31.2e9, 55e9, 138e9])
    loss = np.array([3.30, 3.07, 2.88, 2.67, 2.60, 2.50, 2.40, 2.26])
    said = refusal(fit, chinchilla, {"N": params, "D": tokens, "L": loss})
    assert "every run has about the same tokens per parameter (20.04, within 2 %)" in said
    assert "4 times as many tokens per parameter" in said


@pytest.mark.parametrize("slope", [0.6, 1.0, 1.1, 1.5])
def test_tokens_that_are_a_power_of_params(slope: float, fit: Solve, chinchilla: Form) -> None:
    said = refusal(fit, chinchilla, ladder(slope=slope, spread=0.02))
    assert ("as params**" in said) == (slope != 1.0)
    assert "what is due to params and what is due to tokens cannot be told apart" in said


def test_one_budget_is_no_such_power(fit: Solve, chinchilla: Form) -> None:
    """Along it one part of the loss rises where the other falls."""
    assert fit(chinchilla, ladder(30, slope=-1.0), "ls-log").certificate.converged


@pytest.mark.parametrize(("spread", "doubted"), [(0.1, True), (0.15, True), (0.3, False)])
def test_runs_near_one_ratio_are_doubted(spread: float, doubted: bool, chinchilla: Form) -> None:
    columns = ladder(40, spread=spread)
    notes = doubts(chinchilla, columns)
    assert bool(notes) == doubted
    assert all("tokens per parameter" in note and "less often" in note for note in notes)


@pytest.mark.parametrize("text", ["E + A / N**alpha", "E + A / (N * D)**a", "E + A * N**-a * D**-a", "E + A / C**a"])
def test_sizes_that_stand_alone_or_together_are_determined_on_a_line(text: str, fit: Solve) -> None:
    columns = ladder(spread=0.01)
    columns["C"] = 6.0 * columns["N"] * columns["D"]
    form = formula_form(text, ["N", "D", "C"], positive=[], target="loss")
    used = {name: columns[name] for name in "NDCL" if name in text or name == "L"}
    assert fit(form, used).certificate.converged
    assert not doubts(form, used)


@pytest.mark.parametrize(
    ("fixed", "determined"),
    [({"B": "2085", "beta": "0.366"}, True), ({"alpha": "beta"}, False), ({"E": "1.82"}, False)],
)  # fmt: skip
def test_what_is_fixed_counts_on_a_line(fixed: dict[str, str], determined: bool, fit: Solve, chinchilla: Form) -> None:
    form, columns = settle(chinchilla, fixed, {}), ladder(spread=0.01)
    if determined:
        assert fit(form, columns).certificate.converged
    else:
        assert "tokens per parameter" in refusal(fit, form, columns)


@pytest.mark.parametrize(("letter", "word"), [("N", "about one model size"), ("D", "about one number of tokens")])
def test_about_one_value_of_a_variable(letter: str, word: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    columns[letter] = 1e9 * np.random.default_rng(1).uniform(0.981, 1.019, columns["L"].size)
    said = refusal(fit, chinchilla, columns)
    assert word in said
    assert "e+08, within 1.8 %)" in said or "e+08, within 1.9 %)" in said or "e+09, within 1.9 %)" in said


def test_a_narrow_range_of_sizes_is_doubted(runs: Runs, chinchilla: Form) -> None:
    columns = runs()
    columns["N"] = np.geomspace(1e9, 4e9, columns["L"].size)
    (note,) = doubts(chinchilla, columns)
    assert "params spread over a factor of 4 only" in note


def test_sizes_that_crowd_are_told_by_how_far_even_ones_would_spread(runs: Runs, chinchilla: Form) -> None:
    """The limit is on the standard deviation of logarithms: of even values over a factor f, log(f) / sqrt(12)."""
    columns = runs()
    columns["N"] = 1e9 * np.exp(np.linspace(-1.0, 1.0, columns["L"].size) ** 3 * np.log(3.0))
    (note,) = doubts(chinchilla, columns)
    even = np.exp(12.0**0.5 * np.log(columns["N"]).std())
    assert f"params spread no further than evenly spaced ones over a factor of {even:.2g} only" in note
    assert "evenly over a factor of 10" in note
    columns["N"] = np.geomspace(1e9, 1e10, columns["L"].size)
    assert doubts(chinchilla, columns) == []


def with_values(columns: dict[str, Any], **values: tuple[float, ...]) -> dict[str, Any]:
    """Return runs whose sizes go through few values, with the losses of Chinchilla's law and noise."""
    size = columns["L"].size
    few = {letter: np.resize(each, size) for letter, each in values.items()}
    n, d = (np.asarray(few.get(letter, columns[letter])) for letter in "ND")
    noise = np.exp(0.003 * np.random.default_rng(3).standard_normal(size))
    return {"N": n, "D": d, "L": (1.82 + 482.0 / n**0.348 + 2085.0 / d**0.366) * noise}


@pytest.mark.parametrize(("letter", "column", "thing", "names"), [
    ("N", "params", "model size", "E, A, alpha"), ("D", "tokens", "number of tokens", "E, B, beta"),
])  # fmt: skip
def test_two_values_of_a_variable_are_told_in_words(
    letter: str, column: str, thing: str, names: str, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    said = refusal(fit, chinchilla, with_values(runs(), **{letter: (3e8, 2e9)}))
    assert f": only 2 different {column}, too few to tell {names} apart" in said
    assert f"add runs at another {thing}, smaller or larger by a factor of 4 or more" in said
    assert "condition number" not in said


def test_two_values_of_both_variables_are_told_of_both(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = with_values(runs(), N=(3e8, 2e9), D=(1e9, 1e9, 8e9, 8e9))
    said = refusal(fit, chinchilla, columns)
    assert "only 2 different params, too few to tell E, A, alpha apart; " in said
    assert "only 2 different tokens, too few to tell E, B, beta apart" in said


def test_two_values_are_enough_where_the_exponent_is_known(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    form = settle(chinchilla, {"alpha": "0.348"}, {})
    assert fit(form, with_values(runs(), N=(3e8, 2e9))).certificate.converged
    tied = settle(chinchilla, {"alpha": "beta"}, {})
    assert fit(tied, with_values(runs(), N=(3e8, 2e9))).certificate.converged


def test_a_constant_of_several_coefficients_counts_once(runs: Runs, fit: Solve) -> None:
    columns = with_values(runs(), N=(3e8, 2e9))
    form = formula_form("E + F + A / N**0.348 + B / D**beta", ["N", "D"], positive=None, target="loss")
    said = refusal(fit, form, columns)
    assert "do not determine E, F: together they can change without effect" in said
    said = refusal(fit, formula_form("E + F + A / N**alpha", ["N"], positive=None, target="loss"), columns)
    assert "only 2 different params, too few to tell E, F, A, alpha apart" in said
    three = with_values(runs(), N=(3e8, 2e9, 9e9))
    assert "different" not in refusal(
        fit, formula_form("E + F + A / N**alpha", ["N"], positive=None, target="loss"), three
    )


def test_few_values_are_no_reason_where_something_else_is(runs: Runs, fit: Solve) -> None:
    columns = with_values(runs(), N=(3e8, 2e9))
    form = formula_form("E + A / N**0.35 + (B + F) / D**beta", ["N", "D"], positive=None, target="loss")
    said = refusal(fit, form, columns)
    assert "do not determine B, F: together they can change without effect" in said
    assert "add runs that spread further in params and tokens, or fix one of them" in said
    assert "different" not in said


def test_a_coefficient_that_runs_away_is_no_optimum(fit: Solve) -> None:
    """Where every token is worth more than the one before, the best constant of saturation is infinite."""
    repeats = np.geomspace(0.1, 50.0, 40)
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(40))
    form = formula_form("b - k * R * (1 - exp(-x / R))", ["x"], positive=[], target="loss")
    columns = {"x": repeats, "L": (5.0 - 0.02 * repeats * (1.0 + repeats / 200.0)) * noise}
    said = refusal(fit, form, columns)
    assert "do not determine R: the best value is beyond any that the runs can tell" in said
    assert "--fix R=VALUE" in said


@pytest.mark.parametrize(("law", "variable"), [("muennighoff-2023", "U"), ("kumar-2024", "P")])
def test_a_variable_at_its_default_is_named_with_the_remedy(law: str, variable: str, runs: Runs, fit: Solve) -> None:
    said = refusal(fit, preset_form(load_law(law), ["N", "D", "C", "L"]), runs())
    assert f"--columns {variable}=COLUMN" in said


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("(E + F) / N**alpha", "E, F"), ("E + A / N**(alpha + beta)", "alpha, beta"), ("A * B / N**alpha", "A, B"),
        ("E + A / N**alpha + B * 0", "B"), ("(E + F) / N**(alpha + beta)", "E, F, alpha, beta"),
    ],
)  # fmt: skip
def test_coefficients_that_only_count_together_are_named(text: str, together: str, runs: Runs, fit: Solve) -> None:
    columns = runs()
    form = formula_form(text, ["N", "D"], positive=None, target="loss")
    said = refusal(fit, form, {"N": columns["N"], "L": columns["L"]})
    number = r"(?: \(condition number \S+e\+1[345]\))?"  # none that is rounding alone
    assert re.search(rf"do not determine {together}{number}: .*can change without effect", said)
    assert ("fix one of them" in said) == ("," in together)
    assert "--fix" in said


def test_a_formula_without_a_value_anywhere(runs: Runs, fit: Solve) -> None:
    columns = runs()
    form = formula_form("log(-a * N)", ["N"], positive=[], target="loss")
    assert "finite" in refusal(fit, form, {"N": columns["N"], "L": columns["L"]})


def test_a_logarithmic_objective_needs_a_positive_target(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    columns["L"][3] = -1.0
    with pytest.raises(InputError):
        fit(chinchilla, columns)


def test_a_peak_that_no_start_has_seen_asks_for_starts(fit: Solve) -> None:
    """NIST's Eckerle4 has its peak at 451: around 1 the formula is level, and underflows."""
    x = np.linspace(400.0, 500.0, 35)
    columns = {"x": x, "L": 1.55 / 4.09 * np.exp(-0.5 * ((x - 451.5) / 4.09) ** 2)}
    form = formula_form("b1 / b2 * exp(-0.5 * ((x - b3) / b2)**2)", ["x"], positive=None, target="L")
    said = refusal(fit, form, columns, name="ls")
    assert "no start came to where the coefficients matter" in said
    assert "--start b1=VALUE" in said
    found = fit(settle(form, {}, {"b1": 1.0, "b2": 10.0, "b3": 450.0}), columns, "ls")
    assert found.point.values == pytest.approx([1.55, 4.09, 451.5], rel=1e-9)
