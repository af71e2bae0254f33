"""What must not matter: the order of runs, the order of coefficients, and the units of N, D and loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form

SAME = 1e-8
Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
OBJECTIVES = ["huber-log", "ls-log", "ls"]


def value(fit: Fit, name: str) -> float:
    return float(fit.values[fit.names.index(name)])


def exponents(fit: Fit) -> tuple[float, float]:
    return value(fit, "alpha"), value(fit, "beta")


def far_loss(fit: Fit, params: float = 1e11, tokens: float = 1e13) -> float:
    at = dict(zip(fit.names, map(float, fit.values), strict=True))
    return at["E"] + at["A"] / params ** at["alpha"] + at["B"] / tokens ** at["beta"]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_order_of_runs(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    order = np.random.default_rng(1).permutation(columns["N"].size)
    one, other = fit(chinchilla, columns, name), fit(chinchilla, {k: v[order] for k, v in columns.items()}, name)
    assert exponents(other) == pytest.approx(exponents(one), rel=SAME)
    assert far_loss(other) == pytest.approx(far_loss(one), rel=SAME)


@pytest.mark.parametrize(("name", "quantile"), [("lad", None), ("lad-log", None), ("lad-log", 0.2)])
def test_order_of_runs_to_the_last_digits(
    name: str, quantile: float | None, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    """Absolute values end at a vertex: five runs lie on the curve exactly, whatever the order."""
    columns = runs()
    turned = {letter: values[::-1] for letter, values in columns.items()}
    one, other = (fit(chinchilla, data, name, quantile=quantile) for data in (columns, turned))
    assert other.values == pytest.approx(one.values, rel=1e-10)
    assert (np.sort(np.abs(one.residuals))[:5] < 1e-14).all()
    assert one.certificate.gradient_norm <= 1e-9


@pytest.mark.parametrize("name", OBJECTIVES)
def test_order_of_coefficients(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    turned = formula_form("B / D**beta + A / N**alpha + E", ["N", "D"], positive=[], target="loss")
    columns = runs()
    one, other = fit(chinchilla, columns, name), fit(turned, columns, name)
    assert other.names != one.names
    assert exponents(other) == pytest.approx(exponents(one), rel=SAME)
    assert far_loss(other) == pytest.approx(far_loss(one), rel=SAME)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize(("params", "tokens"), [(1e-6, 1e-9), (1e-9, 1.0), (1.0, 1e3)])
def test_units_of_params_and_tokens(
    name: str, params: float, tokens: float, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    columns = runs()
    scaled = {"N": columns["N"] * params, "D": columns["D"] * tokens, "L": columns["L"]}
    one, other = fit(chinchilla, columns, name), fit(chinchilla, scaled, name)
    assert other.value == pytest.approx(one.value, rel=SAME)
    assert exponents(other) == pytest.approx(exponents(one), rel=SAME)
    assert far_loss(other, 1e11 * params, 1e13 * tokens) == pytest.approx(far_loss(one), rel=SAME)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("unit", [1.0 / np.log(2.0), 1e-3, 100.0])
def test_units_of_loss(name: str, unit: float, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    one, other = fit(chinchilla, columns, name), fit(chinchilla, {**columns, "L": unit * columns["L"]}, name)
    assert exponents(other) == pytest.approx(exponents(one), rel=SAME)
    assert far_loss(other) == pytest.approx(unit * far_loss(one), rel=SAME)


def test_the_chinchilla_points_in_other_units_and_order(
    published: Callable[[str], list[dict[str, str]]], fit: Solve, chinchilla: Form
) -> None:
    rows = [row for row in published("chinchilla_epoch.csv") if row["in_published_fit"] == "1"]
    words = {"N": "params", "D": "tokens", "L": "loss"}
    columns = {letter: np.array([float(row[word]) for row in rows]) for letter, word in words.items()}
    one = fit(chinchilla, columns)
    turned = {"N": columns["N"][::-1] / 1e9, "D": columns["D"][::-1] / 1e12, "L": columns["L"][::-1] / np.log(2.0)}
    other = fit(chinchilla, turned)
    assert exponents(other) == pytest.approx(exponents(one), rel=SAME)
    assert far_loss(other, 1e2, 10.0) * np.log(2.0) == pytest.approx(far_loss(one), rel=SAME)
