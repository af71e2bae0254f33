"""What the tests of fits share: published runs where they are at hand, and simulated ones that always are."""

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.fits import Fit, Options, fit_form
from scaling_cli.fit.forms import Form, formula_form
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.samples import sample_of

CHECKOUT = Path(__file__).parents[2]
CHINCHILLA = "E + A / N**alpha + B / D**beta"
TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.348, "B": 2085.0, "beta": 0.366}
Columns = dict[str, Any]


@pytest.fixture
def data_file() -> Callable[[str], str]:
    """Return the path of a published table, or skip where it is absent."""
    folder = Path(os.environ.get("SCALING_DATA") or CHECKOUT.parent / "shared" / "data")

    def find(name: str) -> str:
        if not (folder / name).is_file():
            pytest.skip(f"{name} is neither where SCALING_DATA points nor in {folder}")
        return str(folder / name)

    return find


@pytest.fixture
def published(data_file: Callable[[str], str]) -> Callable[[str], list[dict[str, str]]]:
    """Return the rows of a published table."""

    def read(name: str) -> list[dict[str, str]]:
        with open(data_file(name), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def runs() -> Callable[..., Columns]:
    """Return simulated runs of Chinchilla's law, scattered over params and tokens: N, D and L, (count,) each."""

    def make(count: int = 40, noise: float = 0.01, seed: int = 0) -> Columns:
        rng = np.random.default_rng(seed)
        params, tokens = 10.0 ** rng.uniform(7.5, 10.0, count), 10.0 ** rng.uniform(9.0, 11.5, count)
        t = TRUTH
        loss = t["E"] + t["A"] / params ** t["alpha"] + t["B"] / tokens ** t["beta"]
        return {"N": params, "D": tokens, "L": loss * np.exp(noise * rng.standard_normal(count))}

    return make


@pytest.fixture
def chinchilla() -> Form:
    """Return Chinchilla's form, every coefficient positive."""
    return formula_form(CHINCHILLA, ["N", "D"], positive=[], target="loss")


@pytest.fixture
def fit() -> Callable[..., Fit]:
    """Fit a form to columns of which L is the target."""

    def solve(form: Form, columns: Mapping[str, Any], name: str = "huber-log", *, draws: int = 0, **rest: Any) -> Fit:
        options = Options(
            objective(name, rest.pop("delta", 1e-3), rest.pop("quantile", None)),
            draws, rest.pop("bootstrap", "pairs"), rest.pop("seed", 0),
        )  # fmt: skip
        data = {key: values for key, values in columns.items() if key != "L"}
        return fit_form(form, sample_of(data, columns["L"], **rest), options)

    return solve
