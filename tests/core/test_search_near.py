"""Minima next to a given place: the same ones that the search everywhere finds."""

from collections.abc import Callable

import pytest

from scaling_cli.core.duals import Value, exp, log, maximum, sqrt
from scaling_cli.core.search import find_minimum, find_minimum_near

LOSSES: dict[str, Callable[[Value], Value]] = {
    "two powers": lambda x: 1.7 + 400.0 * exp(-0.35 * x) + 2000.0 * exp(-0.37 * (50.0 - x)),
    "a kink": lambda x: 2.0 + maximum(0.3 * (20.0 - x), 0.1 * (x - 20.0)),
    "a plateau": lambda x: 2.0 + maximum(20.0 - x, 0.0 * x),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("start", [17.0, 19.9, 20.0, 22.0, 23.5])
def test_it_is_the_minimum_of_the_whole(name: str, start: float) -> None:
    whole = find_minimum(LOSSES[name], -10.0, 60.0)
    near = find_minimum_near(LOSSES[name], start, tolerance=1e-12)
    assert whole is not None
    assert near == pytest.approx(whole, abs=1e-7)


def test_the_tolerance_bounds_the_error() -> None:
    function = LOSSES["a kink"]
    assert find_minimum_near(function, 21.0, tolerance=1e-3) == pytest.approx(20.0, abs=0.05)
    assert find_minimum_near(function, 21.0, tolerance=1e-10) == pytest.approx(20.0, abs=1e-8)


@pytest.mark.parametrize(
    "function",
    [lambda x: exp(-x), lambda x: exp(x), lambda x: x * x if x.value > 29.0 else x / 0.0, lambda x: log(x - 29.5)],
    ids=["falls for ever", "rises for ever", "ends before", "leaves its domain"],
)
def test_where_there_is_none_the_whole_must_be_searched(function: Callable[[Value], Value]) -> None:
    assert find_minimum_near(function, 30.0, tolerance=1e-10) is None


def test_it_may_be_right_at_the_start() -> None:
    assert find_minimum_near(lambda x: sqrt(1.0 + (x - 3.0) * (x - 3.0)), 3.0, tolerance=1e-12) == pytest.approx(3.0)
