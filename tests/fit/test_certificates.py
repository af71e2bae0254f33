"""Certificates: an exact optimum is certain however clean the runs are; one that a single start found is doubted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.fits import ALONE, UNCERTAIN, Fit
from scaling_cli.fit.forms import Form, formula_form, settle

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
