"""Starts that follow from the data: breaks among them, and every branch of a least or largest term in use."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import formula_form, preset_form
from scaling_cli.fit.problems import Problem
from scaling_cli.fit.starts import linear_names, starting_points
from scaling_cli.fitting import Request, fit_runs

Solve = Callable[..., Fit]
BROKEN = {"a": 1.8, "b": 20.0, "c0": 0.12, "c1": 0.25, "d1": 1e10, "f1": 0.5}
KINKED = "E + max(A / N**alpha, B / D**beta)"


def broken_runs() -> dict[str, Any]:
    """Return a broken power law without noise: Caballero et al. 2022, arXiv:2210.14891, eq. 1, one break."""
    x, t = np.geomspace(1e7, 1e13, 80), BROKEN
    bend = (1.0 + (x / t["d1"]) ** (1.0 / t["f1"])) ** (-t["c1"] * t["f1"])
    return {"x": x, "L": t["a"] + t["b"] * x ** -t["c0"] * bend}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_broken_power_law_is_recovered_without_a_start(seed: int, fit: Solve) -> None:
    found = fit(preset_form(load_law("caballero-2022"), ["x"]), broken_runs(), seed=seed)
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(BROKEN, rel=1e-9)


def test_a_formula_with_a_break_is_recovered_too(fit: Solve) -> None:
    x = np.geomspace(1e3, 1e9, 40)
    columns = {"x": x, "L": 0.5 + 3.0 / (1.0 + x / 2e6) ** 0.7}
    found = fit(formula_form("E + A / (1 + x / X)**c", ["x"], positive=[], target="loss"), columns)
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(
        {"E": 0.5, "A": 3.0, "X": 2e6, "c": 0.7}, rel=1e-9
    )


def points(text: str, data: dict[str, Any], **starts: float) -> tuple[Problem, Any]:
    form = formula_form(text, list(data), positive=[], target="loss")
    free = [c._replace(start=starts.get(c.name, c.start)) for c in form.free]
    problem = Problem(form.tree, free, data, target=np.full(40, 2.0), log=True)
    return problem, np.exp(starting_points(problem, form.tree, 16, 0))


def test_breaks_start_among_the_data_unless_given() -> None:
    data = {"x": np.geomspace(1e3, 1e9, 40)}
    problem, found = points("E + A / (1 + x / X)**c", data)
    breaks = found[2:, problem.names.index("X")]
    assert (breaks >= 1e3).all()
    assert (breaks <= 1e9).all()
    assert breaks.max() > 1e3 * breaks.min()
    problem, found = points("E + A / (1 + x / X)**c", data, X=1e20)
    assert found[:, problem.names.index("X")].min() > 1e17


def test_a_coefficient_that_data_divide_is_no_break_where_it_is_linear() -> None:
    """And so the other starts stay as they are, near 1."""
    problem, found = points("E + A / x + B * x**-c", {"x": np.geomspace(1e3, 1e9, 40)})
    shapes = found[2:, problem.names.index("c")]
    assert np.abs(np.log(shapes)).max() < 2.0


def test_breaks_of_data_with_zeros_are_above_zero() -> None:
    data = {"x": np.concatenate([np.zeros(20), np.geomspace(1e3, 1e9, 20)])}
    problem, found = points("E + A / (1 + x / X)**c", data)
    assert found[2:, problem.names.index("X")].min() >= 1e3


def test_every_branch_of_a_largest_term_is_in_use_at_the_start(runs: Callable[..., dict[str, Any]]) -> None:
    columns = runs(40)
    problem, found = points(KINKED, {"N": columns["N"], "D": columns["D"]})
    values = dict(zip(problem.names, found[2:].T[:, :, None], strict=True))
    one = values["A"] / columns["N"] ** values["alpha"]
    other = values["B"] / columns["D"] ** values["beta"]
    used = (one > other).any(axis=1) & (one < other).any(axis=1)
    assert used.sum() >= 8


def test_a_kinked_form_of_published_runs_is_determined(data_file: Callable[[str], str]) -> None:
    path = data_file("chinchilla_epoch.csv")
    answer = fit_runs(Request(path, formula=KINKED, positive="all", where="in_published_fit == 1", draws=0))
    assert answer.fit.value <= 0.005273
    assert answer.fit.certificate.converged


def test_linear_coefficients_are_those_of_a_sum() -> None:
    form = formula_form("E + A / N**alpha + B / D**beta", ["N", "D"], positive=[], target="loss")
    assert linear_names(form.tree, ("E", "A", "alpha", "B", "beta")) == ["E", "A", "B"]
