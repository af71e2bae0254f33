"""The tools for arrays: bisection and minima in step, and tables of solved knots."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core import duals
from scaling_cli.core.search import find_minimum, find_root
from scaling_cli.core.sweeps import DIRECT, bisect, is_array, least_at, sweep


def test_is_array() -> None:
    """Floats and duals are none."""
    assert [is_array(value) for value in (1.0, duals.Dual(1.0, 1.0), np.ones(2))] == [False, False, True]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-20.0, 20.0), min_size=1, max_size=20), st.booleans())
def test_bisect_finds_what_find_root_finds(roots: list[float], falling: bool) -> None:
    """Element by element, whichever way the function goes."""
    array, sign = np.array(roots), -1.0 if falling else 1.0
    found = bisect(lambda x: sign * (x - array) ** 3, np.full_like(array, -30.0), np.full_like(array, 40.0))
    each = [find_root(lambda x, r=root: sign * (x - r), -30.0, 40.0) for root in roots]
    np.testing.assert_allclose(found, each, atol=1e-12)


def test_bisect_without_a_sign_change() -> None:
    """NaN."""
    found = bisect(lambda x: x - np.array([-1.0, 0.5, 2.0]), np.zeros(3), np.ones(3))
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


CURVES: dict[str, Callable[[Any, Any], Any]] = {
    "round": lambda x, c: 2.0 + (x - c) * (x - c),
    "kink": lambda x, c: 2.0 + duals.maximum(3.0 * (c - x), 0.1 * (x - c)),
    "plateau": lambda x, c: 2.0 + duals.maximum(c - x, 0.0),
    "trough": lambda x, c: 2.0 + duals.maximum(c - x, 0.0) + duals.maximum(x - c - 3.0, 0.0),
    "no value on the left": lambda x, c: 2.0 + (x - c) * (x - c) + 0.0 * duals.log(x + 9.0),
    "no value on the right": lambda x, c: 2.0 + (x - c) * (x - c) + 0.0 * duals.log(20.5 - x),
    "falling": lambda x, c: 2.0 - 0.01 * x + 0.0 * c,
    "zero plateau": lambda x, c: duals.maximum(c - x, 0.0),
}


@pytest.mark.parametrize("name", CURVES)
def test_least_at_finds_what_find_minimum_finds(name: str) -> None:
    """The same definition: kinks, left edges of plateaus, none at an end."""
    given_ = np.linspace(-5.0, 20.0, 57)
    found = least_at(CURVES[name], -10.0, np.full_like(given_, 44.0), given_)

    def scalar(c: float) -> float:
        best = find_minimum(lambda x: CURVES[name](x, c), -10.0, 44.0)
        return math.nan if best is None else best

    atol = 1e-7 if name == "no value on the right" else 1e-10  # there the search must do without derivatives
    np.testing.assert_allclose(found, [scalar(float(c)) for c in given_], rtol=0.0, atol=atol)


SOLVES: dict[str, Callable[[Any], Any]] = {
    "straight": lambda t: 0.45 * t + 3.0,
    "round": lambda t: np.log1p(np.exp(0.3 * (t - 50.0))),
    "kink": lambda t: np.where(t < 51.23, t, 0.5 * t + 0.5 * 51.23),
    "jump": lambda t: np.where(t < 51.23, t, t + 1.0),
    "no answer": lambda t: np.where(t < 51.23, np.nan, t),
    "steep end": lambda t: np.sqrt(np.maximum(t - 39.999, 0.0)),
}


@pytest.mark.parametrize("name", SOLVES)
@pytest.mark.parametrize("size", [1, 5, DIRECT, DIRECT + 1, 3 * DIRECT])
def test_a_table_is_as_good_as_solving(name: str, size: int) -> None:
    """Short arrays are solved; long ones go through a table that knows where it cannot be trusted."""
    points = np.random.default_rng(1).uniform(40.0, 60.0, size)
    np.testing.assert_allclose(sweep(SOLVES[name], points), SOLVES[name](points), rtol=0.0, atol=1e-10)


def test_sweeping_keeps_missing_and_equal_points() -> None:
    """NaN stays NaN; a long array of one value is solved once."""
    points = np.linspace(40.0, 60.0, DIRECT + 7)
    points[::100] = np.nan
    found = sweep(SOLVES["round"], points)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(points))
    asked: list[int] = []

    def solve(t: Any) -> Any:
        asked.append(t.size)
        return 2.0 * t

    np.testing.assert_array_equal(sweep(solve, np.full(DIRECT + 7, 50.0)), np.full(DIRECT + 7, 100.0))
    assert asked == [1]
    assert np.isnan(sweep(solve, np.full(3, np.nan))).all()
