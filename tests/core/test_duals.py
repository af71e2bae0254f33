"""Derivatives: every operation and function against the complex step, differences and numpy."""

import cmath
import math
import subprocess
import sys
from collections.abc import Callable
from operator import add, mul, sub, truediv
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaling_cli.core import duals
from scaling_cli.core.duals import FUNCTIONS, Dual, library_of, power

TINY = 1e-30  # of the value: the complex step has no cancellation, so it can be as small as one likes
REFERENCES: dict[str, tuple[Callable[[complex], complex], tuple[float, float]]] = {
    "exp": (cmath.exp, (-700.0, 700.0)),
    "log": (cmath.log, (1e-200, 1e200)),
    "log10": (cmath.log10, (1e-200, 1e200)),
    "sqrt": (cmath.sqrt, (1e-200, 1e200)),
    "sin": (cmath.sin, (-1e3, 1e3)),
    "cos": (cmath.cos, (-1e3, 1e3)),
    "atan": (cmath.atan, (-1e6, 1e6)),
}
OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[complex, complex], complex]]] = {
    "add": (add, add), "sub": (sub, sub), "mul": (mul, mul), "truediv": (truediv, truediv), "power": (power, pow),
}  # fmt: skip
POSITIVE = st.floats(0.01, 100.0)
REAL = st.one_of(POSITIVE, st.floats(-100.0, -0.01))


def complex_slope(function: Callable[[complex], complex], x: float) -> float:
    step = TINY * (abs(x) or 1.0)
    return function(complex(x, step)).imag / step


def central_slope(function: Callable[[float], float], x: float) -> float:
    step = 6e-6 * max(abs(x), 1e-3)
    return (function(x + step) - function(x - step)) / (2.0 * step)


def test_every_function_has_a_reference() -> None:
    """min and max have kinks and are tried by themselves."""
    assert set(FUNCTIONS) - {"min", "max"} == set(REFERENCES)


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=50, deadline=None)
@given(fraction=st.floats(0.0, 1.0), slope=st.floats(-10.0, 10.0))
def test_functions(name: str, fraction: float, slope: float) -> None:
    """Value, slope and chain rule over the whole domain."""
    reference, (low, high) = REFERENCES[name]
    x = low + fraction * (high - low) if low < 0.0 else low ** (1.0 - fraction) * high**fraction
    function = FUNCTIONS[name]
    found = function(Dual(x, slope))
    assert found.value == function(x) == pytest.approx(reference(x).real, rel=1e-15, abs=1e-15)
    assert found.slope == pytest.approx(complex_slope(reference, x) * slope, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("name", REFERENCES)
def test_functions_by_differences(name: str) -> None:
    """A second witness, which does not share cmath's branches."""
    for x in (0.3, 1.0, 2.7, 40.0):
        assert FUNCTIONS[name](Dual(x, 1.0)).slope == pytest.approx(
            central_slope(FUNCTIONS[name], x), rel=1e-6, abs=1e-6
        )


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=60, deadline=None)
@given(a=REAL, b=REAL, da=REAL, db=REAL)
def test_operators(name: str, a: float, b: float, da: float, db: float) -> None:
    """A dual on the left, on the right and on both sides."""
    operator, reference = OPERATORS[name]
    if name == "power":
        a, b = abs(a) / 10.0, b / 10.0
    for left, right, u, v in ((Dual(a, da), Dual(b, db), da, db), (Dual(a, da), b, da, 0.0), (a, Dual(b, db), 0.0, db)):
        found = operator(left, right)
        assert found.value == pytest.approx(operator(a, b), rel=1e-13)
        expected = reference(complex(a, u * TINY), complex(b, v * TINY)).imag / TINY
        scale = abs(reference(a, b)) * (1.0 + abs(b / a) + abs(math.log(abs(a))))
        assert found.slope == pytest.approx(expected, rel=1e-11, abs=1e-12 * scale)


@given(REAL, REAL)
def test_negation(x: float, slope: float) -> None:
    """Both parts."""
    found = -Dual(x, slope)
    assert (found.value, found.slope) == (-x, -slope)


@pytest.mark.parametrize("base", [-2.0, -0.5, 0.0])
@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_whole_powers_of_any_base(base: float, exponent: float) -> None:
    """No logarithm is taken of the base where only it carries a slope."""
    found = power(Dual(base, 1.0), exponent)
    assert (found.value, found.slope) == (base**exponent, exponent * base ** (exponent - 1.0))


def test_powers_without_a_real_value() -> None:
    """Raised, never complex."""
    for base in (-8.0, Dual(-8.0, 1.0)):
        with pytest.raises(ValueError, match="math domain error"):
            power(base, 1.0 / 3.0)
    for base in (0.0, Dual(0.0, 1.0)):
        with pytest.raises(ZeroDivisionError):
            power(base, -1.0)


@given(REAL, REAL, REAL, REAL)
def test_min_and_max_take_a_branch_with_its_slope(a: float, da: float, b: float, db: float) -> None:
    """The smaller one's slope for min, the larger one's for max; a number has slope 0."""
    assume(a != b)
    low, high = sorted([(a, da), (b, db)])
    for function, expected in ((duals.minimum, low), (duals.maximum, high)):
        found = function(Dual(a, da), Dual(b, db))
        assert (found.value, found.slope) == expected
    low, high = sorted([(a, da), (b, 0.0)])
    for values in ((Dual(a, da), b), (b, Dual(a, da))):
        found = duals.minimum(*values)
        assert (found.value, found.slope) == low
        found = duals.maximum(*values)
        assert (found.value, found.slope) == high


def test_min_and_max_of_several_and_of_equals() -> None:
    """A tie takes the slope of one of the two, not their mean or their sum."""
    assert duals.minimum(3.0, 1.0, 2.0) == 1.0
    assert duals.maximum(3.0, 1.0, 5.0, 2.0) == 5.0
    assert duals.minimum(Dual(3.0, 1.0), 2.0, Dual(1.0, 7.0)).slope == 7.0
    for function in (duals.minimum, duals.maximum):
        tie = function(Dual(2.0, 1.0), Dual(2.0, 5.0))
        assert tie.value == 2.0
        assert tie.slope in (1.0, 5.0)


@pytest.mark.parametrize("function", [duals.minimum, duals.maximum])
def test_a_value_that_is_none_stays_none(function: Callable[..., float]) -> None:
    """As in numpy: NaN on either side is not swallowed."""
    assert math.isnan(function(math.nan, 1.0))
    assert math.isnan(function(1.0, math.nan))
    assert np.isnan(function(np.array([math.nan, 1.0]), np.array([1.0, math.nan]))).all()
    for missing, there in ((math.nan, 1.0), (np.array([math.nan]), np.array([1.0]))):
        assert np.isnan(function(Dual(missing, 1.0), there).value)
        assert np.isnan(function(there, Dual(missing, 1.0)).value)
        assert np.isnan(function(Dual(there, 1.0), missing).value)


def test_composition() -> None:
    """The loss along an isoflop of 1e21: what the search differentiates."""

    def isoflop(x: Any) -> Any:
        params = duals.exp(x)
        tokens = 1e21 / (6.0 * params)
        effective = duals.minimum(tokens, 3e10) + duals.sqrt(duals.maximum(tokens - 3e10, 1.0))
        return 1.7 + 400.0 / power(params, 0.34) + 410.0 / power(effective, 0.28) + duals.atan(x) * duals.sin(x) / x

    for x in (16.0, 19.5, 21.0, 24.0):
        assert isoflop(Dual(x, 1.0)).slope == pytest.approx(central_slope(isoflop, x), rel=1e-6)


# arrays

FLOATS = np.array([0.25, 1.0, 3.5, 40.0])
OTHERS = np.array([2.0, 0.5, 3.5, 0.1])


@pytest.mark.parametrize("name", REFERENCES)
def test_functions_of_arrays(name: str) -> None:
    """Element by element the floats' answers, values and slopes."""
    function = FUNCTIONS[name]
    plain, dual = function(FLOATS), function(Dual(FLOATS, OTHERS))
    each = [function(Dual(float(x), float(s))) for x, s in zip(FLOATS, OTHERS, strict=True)]
    np.testing.assert_allclose(plain, [d.value for d in each], rtol=1e-15)
    np.testing.assert_allclose(dual.value, [d.value for d in each], rtol=1e-15)
    np.testing.assert_allclose(dual.slope, [d.slope for d in each], rtol=1e-14)


BINARY = {**{name: pair[0] for name, pair in OPERATORS.items()}, "min": duals.minimum, "max": duals.maximum}
WRAPS: dict[str, Callable[[Any], Any]] = {"plain": lambda x: x, "dual": lambda x: Dual(x, 0.0 * x + 3.0)}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("left", WRAPS)
@pytest.mark.parametrize("right", WRAPS)
def test_operators_of_arrays(name: str, left: str, right: str) -> None:
    """Plain or dual, array or float, on either side; arrays never take over a dual."""
    function = BINARY[name]
    for a, b in ((FLOATS, OTHERS), (FLOATS, 3.5), (3.5, OTHERS)):
        found = function(WRAPS[left](a), WRAPS[right](b))
        pairs = np.broadcast(a, b)
        each = [function(WRAPS[left](float(x)), WRAPS[right](float(y))) for x, y in pairs]
        if left == right == "plain":
            np.testing.assert_allclose(found, each, rtol=1e-15)
            continue
        assert isinstance(found, Dual)
        np.testing.assert_allclose(found.value, [d.value for d in each], rtol=1e-15)
        slopes = np.broadcast_to(found.slope, FLOATS.shape)
        np.testing.assert_allclose(slopes, [d.slope for d in each], rtol=1e-14)


def test_several_directions_at_once() -> None:
    """A Jacobian in one pass: slopes with an axis of their own, which broadcasts against the values."""
    a, b = Dual(FLOATS, np.array([[1.0], [0.0]])), Dual(OTHERS, np.array([[0.0], [1.0]]))
    found = power(a, b) * duals.log(a) / b
    for row, (da, db) in enumerate([(1.0, 0.0), (0.0, 1.0)]):
        alone = power(Dual(FLOATS, da), Dual(OTHERS, db)) * duals.log(Dual(FLOATS, da)) / Dual(OTHERS, db)
        np.testing.assert_allclose(found.slope[row], alone.slope, rtol=1e-13)


def test_the_library_of_an_array() -> None:
    """Found through the array, not imported."""
    assert library_of(FLOATS) is np
    code = "import sys, scaling_cli.core.duals; print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
