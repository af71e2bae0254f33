"""Certificates: an exact optimum is certain however clean the runs are; one that a single start found is doubted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.fits import ALONE, EXACT, UNCERTAIN, Fit
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, preset_form, settle

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
# NIST's MGH10 at its certified optimum, 5.6096364710e-3, 6.1813463463e3, 3.4522363462e2 (itl.nist.gov/div898/strd)
MGH10 = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]


@pytest.mark.parametrize("count", [9, 40, 200])
@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8])
@pytest.mark.parametrize("name", ["huber-log", "ls-log", "ls"])
def test_clean_runs_give_a_certain_optimum(
    name: str, noise: float, count: int, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    found = fit(chinchilla, runs(count, noise), name)
    assert found.certificate.converged
    assert found.certificate.gradient_norm * float(np.median(np.abs(found.residuals))) <= 1e-14  # rounding of residuals
    assert found.notes == ()


def test_an_optimum_of_one_start_is_doubted(fit: Solve) -> None:
    columns = {"x": np.arange(50.0, 130.0, 5.0), "L": np.array(MGH10, dtype=float)}
    form = formula_form("b1 * exp(b2 / (x + b3))", ["x"], positive=None, target="L")
    found = fit(settle(form, {}, {"b1": 2.0, "b2": 400000.0, "b3": 25000.0}), columns, "ls")
    assert found.value == pytest.approx(87.945855171, rel=1e-8)
    assert found.certificate.starts_agreeing == 1
    assert found.notes == (ALONE.format(found.certificate.starts),)
    assert UNCERTAIN not in found.notes


@pytest.mark.parametrize("seed", range(4))
def test_a_floor_that_squares_put_at_zero_is_found_by_huber(
    seed: int, published: Callable[..., Any], fit: Solve
) -> None:
    """A set of Porian et al. 2024: by squares E ends at zero, by Huber at 0.891, whatever the seed; scipy agrees."""
    name = "refinedweb__base__long__kaplan__no_att_no_embed__train"
    rows = [row for row in published("porian_isoflop.csv") if row["experiment"] == name]
    columns = {"N": "params", "D": "tokens", "L": "loss"}
    data = {key: np.array([float(row[column]) for row in rows]) for key, column in columns.items()}
    form = preset_form(load_law(DEFAULT_FORM), ["N", "D"])
    found = fit(form, data, seed=seed)
    assert found.value == pytest.approx(3.796266636e-3, rel=1e-9)
    assert found.values[found.names.index("E")] == pytest.approx(0.891087, rel=1e-5)
    assert found.certificate.converged


@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_valley_is_followed_to_its_end(seed: int, fit: Solve) -> None:
    """Eight runs, a condition number of 6e6; scipy's BFGS ends there too, from 30 starts."""
    loss = [2.049489929614305, 2.0106667539223992, 1.953011780013228, 1.9400836699581772,
            2.013588772410817, 1.992617948214286, 1.9252726945071232, 1.9368881379013234]  # fmt: skip
    params, tokens = (
        [7e9, 13e9, 33e9, 65e9, 7e9, 13e9, 70e9, 8e9],
        [1e12, 1e12, 1.4e12, 1.4e12, 2e12, 2e12, 2e12, 15e12],
    )
    columns = {"N": np.array(params), "D": np.array(tokens), "L": np.array(loss)}
    found = fit(preset_form(load_law(DEFAULT_FORM), ["N", "D"]), columns, seed=seed)
    assert found.value == pytest.approx(9.9219254926e-6, rel=1e-10)
    expected = {"E": 1.6137494, "A": 17969.94, "alpha": 0.5206941, "B": 20.85367, "beta": 0.1535199}
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(expected, rel=1e-6)
    assert found.certificate.converged
    assert found.certificate.starts_agreeing >= 2


def test_runs_on_the_law_leave_no_lower_optimum(fit: Solve) -> None:
    """NIST's Wampler1, a polynomial without noise (itl.nist.gov/div898/strd): nothing lies below zero."""
    x = np.arange(21.0)
    form = formula_form("b0 + b1*x + b2*x**2 + b3*x**3 + b4*x**4 + b5*x**5", ["x"], positive=None, target="L")
    found = fit(form, {"x": x, "L": sum(x**i for i in range(6))}, "ls")
    assert found.is_exact
    assert found.certificate.converged
    assert not {ALONE.format(found.certificate.starts), UNCERTAIN} & set(found.notes)


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "ls"])
def test_slopes_of_roundings_are_said_to_tell_nothing(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    found = fit(chinchilla, runs(40, 0.0), name)
    assert found.is_exact
    assert found.certificate.converged
    assert found.notes == ((EXACT,) if found.certificate.gradient_norm > 1e-9 else ())


def test_runs_with_noise_are_not_exact(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    assert not fit(chinchilla, runs(40, 1e-6)).is_exact


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
def test_an_optimum_at_a_floor_of_zero_is_certain(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Runs of a law without a floor, less a little: the best floor is none, and refits may leave it."""
    columns = runs(60, noise=0.003)
    columns["L"] = 400.0 / columns["N"] ** 0.3 + 500.0 / columns["D"] ** 0.3 - 0.02
    found = fit(chinchilla, columns, name, draws=100)
    place = found.names.index("E")
    assert found.values[place] < 1e-4
    assert found.point.vanished.tolist() == [name == "E" for name in found.names]
    assert found.certificate.converged
    assert any(note.startswith("E ends at zero") for note in found.notes)
    rest = fit(settle(chinchilla, {"E": "0"}, {}), columns, name)
    assert found.value == pytest.approx(rest.value, rel=1e-9)
    assert np.isfinite(found.spread.errors).all()


@pytest.mark.parametrize(("name", "quantile"), [("lad", None), ("lad-log", None), ("lad-log", 0.1)])
def test_absolute_values_are_least_where_the_floor_is_zero(
    name: str, quantile: float | None, fit: Solve, chinchilla: Form
) -> None:
    """Where a floor below zero would fit better still, the best vertex is one of the form without a floor."""
    params, tokens = (side.ravel() for side in np.meshgrid(np.geomspace(5e7, 5e9, 6), np.geomspace(2e9, 2e11, 6)))
    noise = 0.003 * np.random.default_rng(3).standard_normal(36)
    columns = {"N": params, "D": tokens, "L": (400.0 / params**0.3 + 500.0 / tokens**0.3 - 0.02) * np.exp(noise)}
    found = fit(chinchilla, columns, name, quantile=quantile, draws=60)
    rest = fit(settle(chinchilla, {"E": "0"}, {}), columns, name, quantile=quantile)
    assert found.value == pytest.approx(rest.value, rel=1e-12)
    assert found.certificate.converged
    assert found.point.vanished.tolist() == [name == "E" for name in found.names]
    place = found.names.index("A")
    assert found.spread.low[place] < found.values[place] < found.spread.high[place]
