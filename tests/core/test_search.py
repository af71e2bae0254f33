"""Roots, brackets and minima of one variable: accuracy, kinks, plateaus, and ends."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core import duals
from scaling_cli.core.search import find_bracket, find_minimum, find_root

Function = Callable[[Any], Any]


class Counted:
    """A function that knows how often it was asked."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return self.function(x)


# roots

ROOTS: dict[str, tuple[Function, float, float, float]] = {
    "line": (lambda x: x - 0.3, -1.0, 1.0, 0.3),
    "falling": (lambda x: 2.0 - x, -50.0, 70.0, 2.0),
    "cubic": (lambda x: x**3 - 2.0, 0.0, 10.0, 2.0 ** (1.0 / 3.0)),
    "flat root": (lambda x: (x - 1.0) ** 9, -20.0, 3.0, 1.0),
    "steep": (lambda x: math.exp(x) - 1e200, 0.0, 700.0, 200.0 * math.log(10.0)),
    "saturating": (lambda x: math.atan(1e6 * (x - 5.0)), -1e3, 1e3, 5.0),
    "jump": (lambda x: 1.0 if x > math.pi else -1.0, 0.0, 10.0, math.pi),
    "kink": (lambda x: min(x - 1.0, 1e-9 * (x - 1.0)), -3.0, 5.0, 1.0),
    "infinite on one side": (lambda x: math.inf if x > 2.5 else x - 2.0, 0.0, 10.0, 2.0),
    "far": (lambda x: x - 1e15, 0.0, 1e16, 1e15),
    "zero at the low end": (lambda x: x, 0.0, 1.0, 0.0),
    "zero at the high end": (lambda x: 1.0 - x, 0.0, 1.0, 1.0),
    "tiny bracket": (lambda x: x - 1.0, 1.0 - 1e-15, 1.0 + 1e-15, 1.0),
}


@pytest.mark.parametrize("name", ROOTS)
def test_roots(name: str) -> None:
    """To a few units in the last place, in fewer steps than 100 halvings would take."""
    function, low, high, root = ROOTS[name]
    counted = Counted(function)
    accuracy = 1e-2 if name == "flat root" else 4e-14 * max(1.0, abs(root))
    assert abs(find_root(counted, low, high) - root) <= accuracy
    assert counted.calls <= 100


@settings(max_examples=100, deadline=None)
@given(st.floats(-30.0, 30.0), st.floats(0.05, 5.0), st.floats(0.1, 100.0), st.booleans())
def test_roots_of_powers(root: float, exponent: float, width: float, falling: bool) -> None:
    """What the planner solves: exp(k x) = target, by log and without it, whichever way it goes."""
    sign = -1.0 if falling else 1.0
    found = find_root(lambda x: sign * math.expm1(exponent * (x - root)), root - width, root + 0.7 * width)
    assert found == pytest.approx(root, abs=1e-12 / min(exponent, 1.0))


# brackets


@settings(max_examples=100, deadline=None)
@given(st.floats(0.0, 600.0), st.floats(-50.0, 700.0), st.booleans())
def test_brackets(root: float, start: float, falling: bool) -> None:
    """Found from any start, within the limits, around the sign change."""
    sign = -1.0 if falling else 1.0
    found = find_bracket(lambda x: sign * (x - root - 0.5), start, lowest=0.0, highest=640.0)
    assert found is not None
    low, high = found
    assert 0.0 <= low <= root + 0.5 <= high <= 640.0


def test_no_bracket() -> None:
    """None where the sign never changes; only points within the limits are tried."""
    asked: list[float] = []

    def positive(x: float) -> float:
        asked.append(x)
        return 1.0

    assert find_bracket(positive, 20.0, lowest=0.0, highest=640.0) is None
    assert min(asked) == 0.0
    assert max(asked) == 640.0
    assert len(asked) < 30


# minima


def parabola(x: Any) -> Any:
    return 3.0 + (x - 1.0) * (x - 1.0)


MINIMA: dict[str, tuple[Function, float, float, float]] = {
    "parabola": (parabola, -10.0, 44.0, 1.0),
    "between the first two points": (parabola, 0.9, 44.0, 1.0),
    "between the last two points": (parabola, -60.0, 1.1, 1.0),
    "loss": (
        lambda x: 1.7 + 4.0 * duals.exp(-0.34 * x) + 0.1 * duals.exp(0.28 * x),
        -9.0,
        60.0,
        math.log(340 / 7) / 0.62,
    ),
    "V": (lambda x: 1.0 + duals.maximum(x - 2.0, 2.0 - x), -10.0, 15.0, 2.0),
    "uneven V": (lambda x: 1.0 + duals.maximum(1e-6 * (x - 2.0), 100.0 * (2.0 - x)), -10.0, 15.0, 2.0),
    "kink off the minimum": (lambda x: parabola(x) + duals.maximum(x - 4.0, 0.0), -10.0, 15.0, 1.0),
    "quartic": (lambda x: (x - 1.0) * (x - 1.0) * (x - 1.0) * (x - 1.0), -10.0, 15.0, 1.0),
    "trough": (lambda x: duals.maximum(2.0 - x, duals.maximum(x - 7.0, 1.0)), -10.0, 15.0, 1.0),
    "plateau to the end": (lambda x: 2.0 + duals.maximum(3.0 - x, 0.0), -10.0, 44.0, 3.0),
    "plateau at zero": (lambda x: duals.maximum(3.0 - x, 0.0), -10.0, 44.0, 3.0),
    "plateau in double precision": (lambda x: 1.0 + duals.exp(-x), -10.0, 100.0, 53.0 * math.log(2.0)),
    "no value on the left": (lambda x: duals.log(x) * duals.log(x), -10.0, 15.0, 1.0),
    "no value on the right": (lambda x: parabola(x) + 0.0 * duals.log(15.0 - x), -10.0, 22.0, 1.0),
    "negative": (lambda x: -duals.exp(-0.1 * (x - 2.0) * (x - 2.0)), -10.0, 15.0, 2.0),
}


@pytest.mark.parametrize("name", MINIMA)
def test_minima(name: str) -> None:
    """On exact derivatives: to 1e-12 where the curve is round, at the very kink where it is not."""
    function, low, high, expected = MINIMA[name]
    counted = Counted(function)
    found = find_minimum(counted, low, high)
    assert found is not None
    accuracy = {"quartic": 1e-4, "plateau in double precision": 1e-3}.get(name, 1e-12)
    assert found == pytest.approx(expected, abs=accuracy)
    assert counted.calls <= 200


@settings(max_examples=100, deadline=None)
@given(st.floats(0.0, 40.0), st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(0.0, 4.0))
def test_minima_of_losses(best: float, alpha: float, beta: float, floor: float) -> None:
    """E + A exp(-alpha x) + B exp(beta x) with its minimum anywhere."""

    def loss(x: Any) -> Any:
        return floor + duals.exp(-alpha * (x - best)) / alpha + duals.exp(beta * (x - best)) / beta

    found = find_minimum(loss, -10.0, 60.0)
    assert found == pytest.approx(best, abs=1e-11 + 1e-15 * (floor + 1 / alpha + 1 / beta) / (alpha + beta))


@settings(max_examples=100, deadline=None)
@given(st.floats(1.0, 30.0), st.floats(0.0, 20.0), st.floats(0.01, 5.0), st.floats(0.0, 2.0))
def test_a_plateau_has_its_left_edge(edge: float, width: float, left: float, right: float) -> None:
    """The smallest x wins, whether the curve rises after the plateau or never does."""

    def trough(x: Any) -> Any:
        return 2.0 + left * duals.maximum(edge - x, 0.0) + right * duals.maximum(x - edge - width, 0.0)

    assert find_minimum(trough, -10.0, 60.0) == pytest.approx(edge, abs=1e-11)


ENDLESS: dict[str, Function] = {
    "falling": lambda x: 5.0 - 0.01 * x,
    "rising": lambda x: 5.0 + 0.01 * x,
    "falling ever slower": lambda x: 1.0 + duals.exp(-0.1 * x),
    "constant": lambda x: 2.0 + 0.0 * x,
    "hill": lambda x: 5.0 - (x - 3.0) * (x - 3.0),
    "no value anywhere": lambda x: duals.log(-1.0 - x * x) * x,
    "NaN everywhere": lambda x: x * math.nan,
    "infinite everywhere": lambda x: math.inf + 0.0 * x,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_no_minimum_at_an_end(name: str) -> None:
    """A minimum at the edge of the search is none."""
    assert find_minimum(ENDLESS[name], -10.0, 60.0) is None


def test_of_two_minima_the_lower_wins() -> None:
    """Where they are wider apart than the scan's step."""

    def two(x: Any) -> Any:
        return duals.minimum((x - 5.0) * (x - 5.0) + 1.0, 0.5 * (x - 30.0) * (x - 30.0))

    assert find_minimum(two, -10.0, 60.0) == pytest.approx(30.0, abs=1e-11)


@pytest.mark.parametrize("edge", [1.0, 5.0, 5.1, 20.0])
def test_an_infinite_slope_at_the_edge_of_a_plateau(edge: float) -> None:
    """sqrt(max(x - edge, 0)) has no derivative where the scan may well stand."""
    found = find_minimum(lambda x: duals.exp(-x) + 1.0 + duals.sqrt(duals.maximum(x - edge, 0.0)), -10.0, 38.0)
    assert found == pytest.approx(edge, abs=1e-6)


def test_a_bracket_is_not_sought_for_ever_where_the_function_ends() -> None:
    """It exists between 1 and 5 alone and never changes sign."""
    asked: list[float] = []

    def positive_inside(x: float) -> float:
        asked.append(x)
        assert len(asked) < 1000
        return 1.0 if 1.0 <= x <= 5.0 else math.nan

    assert find_bracket(positive_inside, 3.0, lowest=-100.0, highest=100.0) is None


def test_a_function_that_begins_far_from_the_start() -> None:
    """It exists from 25 on alone, crosses zero soon after, and both points lie where it exists."""
    for start in (20.0, 24.9, 0.0):
        found = find_bracket(lambda x: x - 25.5 if x >= 25.0 else math.nan, start, lowest=0.0, highest=640.0)
        assert found is not None
        low, high = found
        assert 25.0 <= low <= 25.5 <= high
        mirrored = find_bracket(lambda x: x + 25.5 if x <= -25.0 else math.nan, -start, lowest=-640.0, highest=0.0)
        assert mirrored is not None
        assert mirrored[0] <= -25.5 <= mirrored[1] <= -25.0


def two_valleys(x: Any) -> Any:
    """A wide valley at 1, and a deeper one between 12.5 and 13.9, where it ends."""
    return (
        3.0
        + 0.01 * (x - 1.0) * (x - 1.0)
        - 3.0 * duals.maximum(x - 12.5, 0.0)
        + 0.1 / (13.9 - x)
        + 0.0 * duals.log(13.9 - x)
    )


def dip(x: Any, at: float, depth: float) -> Any:
    """A valley half an e-fold wide."""
    return -depth * duals.exp(-20.0 * (x - at) * (x - at))


HIDDEN: dict[str, tuple[Function, float, float]] = {
    "before the end of the domain": (two_valleys, 12.5, 13.89),
    "after the start of the domain": (lambda x: two_valleys(5.0 - x), 5.0 - 13.89, 5.0 - 12.5),
    "behind a hill": (lambda x: dip(x, 9.6, 6.0) + 0.02 * (x - 1.0) * (x - 1.0), 9.0, 10.0),
    "by the first point": (lambda x: dip(x, -9.7, 20.0) + 0.01 * (x - 5.0) * (x - 5.0), -10.0, -9.0),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_the_lower_of_two_minima_within_one_step_of_an_end(name: str) -> None:
    """Even where only the slope at the nearest point of the scan tells of it."""
    function, low, high = HIDDEN[name]
    found = find_minimum(function, -10.0, 15.0)
    assert found is not None
    best = min((low + (high - low) * i / 10_000 for i in range(1, 10_000)), key=function)
    assert found == pytest.approx(best, abs=1e-3)
    assert function(found) <= function(best)
