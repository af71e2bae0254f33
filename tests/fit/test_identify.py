"""Runs that do not determine a law are refused, with what to run next."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form

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
    assert f"do not determine {together} (" in said
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
