"""Minima within limits: kinks, jumps of curvature, plateaus, thin regions; floats and arrays by the same moves."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core import duals
from scaling_cli.core.allowed import least, least_allowed, nearest_allowed, root
from scaling_cli.core.reach import Isoloss
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law

Function = Callable[[Any], Any]


class Counted:
    """A function that knows how often it was asked."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return self.function(x)


def steeper_right(x: Any) -> Any:
    away = x - 7.25
    return 0.05 * away * away + 2.0 * duals.maximum(away, 0.0) * duals.maximum(away, 0.0)


MINIMA: dict[str, tuple[Function, float]] = {
    "parabola": (lambda x: (x - 3.3) * (x - 3.3) + 1.0, 3.3),
    "kink": (lambda x: duals.maximum(-0.1 * x, 0.3 * x - 2.0), 5.0),
    "curvature that jumps": (steeper_right, 7.25),
    "sum of powers": (lambda x: duals.exp(-0.5 * x) + duals.exp(0.5 * (x - 20.0)), 10.0),
    "falling to the end": (lambda x: duals.exp(-0.3 * x), 50.0),
    "rising from the end": (lambda x: duals.exp(0.3 * x), 0.0),
}


@pytest.mark.parametrize("name", MINIMA)
@pytest.mark.parametrize("start", [0.0, 1.0, 20.0, 50.0])
def test_minima(name: str, start: float) -> None:
    """From anywhere, in few steps, and the same for arrays."""
    function, expected = MINIMA[name]
    counted = Counted(function)
    assert least(counted, 0.0, 50.0, start) == pytest.approx(expected, abs=1e-7)
    assert counted.calls <= 40
    found = least(function, np.zeros(3), np.full(3, 50.0), np.array([start, 5.0, 30.0]))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_left_edge_of_a_plateau() -> None:
    """Where another e-fold gains less than half a unit in the last place, whatever the start."""
    flat = lambda x: 1.0 + duals.exp(-duals.exp(x))  # noqa: E731
    edges = [least(flat, 0.0, 50.0, start) for start in (0.0, 3.0, 20.0, 50.0)]
    assert max(edges) - min(edges) < 1e-9
    assert 3.0 < edges[0] < 4.0


@settings(max_examples=100)
@given(st.floats(-20.0, 20.0), st.floats(0.0, 10.0), st.floats(-20.0, 20.0))
def test_the_nearest_allowed_point_of_an_interval(low: float, width: float, best: float) -> None:
    """By hand: the best point, moved into [low, low + width]."""
    high = low + width
    slack = lambda x: duals.minimum(x - low, 2.0 * (high - x))  # noqa: E731
    objective = lambda x: (x - best) * (x - best)  # noqa: E731
    found = least_allowed(objective, slack, (-30.0, 30.0), 0.0)
    assert found == pytest.approx(min(max(best, low), high), abs=1e-7)


def test_nothing_is_allowed() -> None:
    """NaN, for floats and in single elements."""
    slack = lambda x: duals.minimum(x - 14.0, 10.0 - x)  # noqa: E731
    assert math.isnan(nearest_allowed(slack, 20.0, 0.0, 50.0))
    high = np.array([10.0, 20.0])
    both = nearest_allowed(lambda x: duals.minimum(x - 14.0, high - x), np.array([3.0, 3.0]), 0.0 * high, high + 40.0)
    assert math.isnan(both[0])
    assert both[1] == pytest.approx(14.0)
    assert math.isnan(least_allowed(lambda x: x * x, lambda x: x, (5.0, 4.0), 4.5))


def test_a_region_that_is_one_point() -> None:
    """A limit that only the best run touches."""
    found = nearest_allowed(lambda x: -(x - 5.0) * (x - 5.0), 20.0, 0.0, 50.0)
    assert found == pytest.approx(5.0, abs=2e-6)


def test_functions_that_do_not_exist_everywhere() -> None:
    """What lies outside the domain counts as rising."""

    def objective(x: Any) -> Any:
        if duals.value_of(x) > 9.0:
            raise NoAnswer("beyond")
        return -x

    assert least(objective, 0.0, 50.0, 1.0) == pytest.approx(9.0, abs=1e-9)


def test_roots() -> None:
    """Between two ends, or the end where the function does not change its sign."""
    assert root(lambda x: x * x * x - 8.0, 0.0, 10.0) == pytest.approx(2.0, rel=1e-12)
    assert root(lambda x: x + 1.0, 0.0, 10.0) == 0.0
    assert root(lambda x: x - 11.0, 0.0, 10.0) == 10.0
    found = root(lambda x: x - np.array([-1.0, 3.0, 20.0]), np.zeros(3), np.full(3, 10.0))
    np.testing.assert_allclose(found, [0.0, 3.0, 10.0], atol=1e-11)


@pytest.mark.parametrize("law", ["hoffmann-2022", "kaplan-2020", "krajewski-2024"])
@pytest.mark.parametrize("loss", [2.2, 3.0])
def test_the_runs_of_a_loss(law: str, loss: float) -> None:
    """Each has that loss; the slope is that of the curve; the fewest params need endless tokens."""
    surface = Surface(load_law(law), {})
    curve = Isoloss(surface, loss, 0.0)
    fewest = curve.fewest_params()
    assert surface.loss_of(fewest, math.inf) == pytest.approx(loss, rel=1e-12)
    for factor in (1.01, 2.0, 10.0, 1e4):
        params = fewest * factor
        tokens = curve.tokens(duals.Dual(params, params))
        assert surface.loss_of(params, tokens.value) == pytest.approx(loss, rel=1e-12)
        near = [Isoloss(surface, loss, 0.0).tokens(params * math.exp(h)) for h in (-1e-6, 1e-6)]
        assert tokens.slope / tokens.value == pytest.approx(math.log(near[1] / near[0]) / 2e-6, rel=1e-4)
    assert math.isnan(Isoloss(surface, 0.9 * surface.irreducible, 0.0).fewest_params())
