"""NIST's certified nonlinear regressions, from both published starts: 6 digits of coefficients, 4 of standard errors.

Source: NIST Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import formula_form, settle

Rows = list[dict[str, str]]
Table = Callable[[str], Rows]
PROBLEMS = [
    "Chwirut1", "Chwirut2", "DanWood", "ENSO", "Gauss1", "Gauss2", "Kirby2", "Lanczos2", "Lanczos3", "MGH17", "Misra1a",
    "Misra1b", "Misra1c", "Misra1d", "Nelson",
]  # fmt: skip


def columns_of(rows: Rows) -> dict[str, np.ndarray]:
    names = ["y", "x1", "x2"] if rows[0]["x2"] else ["y", "x1"]
    columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    return columns if rows[0]["x2"] else {"y": columns["y"], "x": columns["x1"]}


def digits(got: float, certified: float) -> float:
    return -math.log10(max(abs(got - certified) / abs(certified), 1e-15))


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_certified_values(problem: str, start: str, published: Table, fit: Callable[..., Fit]) -> None:
    certified = [row for row in published("nist_strd_certified.csv") if row["dataset"] == problem]
    columns = columns_of([row for row in published("nist_strd_data.csv") if row["dataset"] == problem])
    target, _, formula = certified[0]["model"].rpartition("=")
    y = columns.pop("y")
    form = formula_form(formula, list(columns), positive=None, target="y")
    form = settle(form, {}, {row["param"]: float(row[start]) for row in certified})
    found = fit(form, {**columns, "L": np.log(y) if target == "log(y)" else y}, "ls")
    values, errors = (dict(zip(found.names, part, strict=True)) for part in (found.values, found.spread.errors))
    for row in certified:
        assert digits(values[row["param"]], float(row["certified"])) >= 6.0, row["param"]
        assert digits(errors[row["param"]], float(row["certified_se"])) >= 4.0, row["param"]
    assert found.value == pytest.approx(float(certified[0]["rss"]), rel=1e-6)


def test_every_problem_is_tried(published: Table) -> None:
    assert {row["dataset"] for row in published("nist_strd_certified.csv")} == set(PROBLEMS)
