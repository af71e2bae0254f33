"""Rewritten formulas: the same values, fewer steps, and nothing taken the logarithm of that has none."""

import numpy as np
import pytest

from scaling_cli.core.formulas import parse
from scaling_cli.fit.gradients import Tape
from scaling_cli.fit.problems import Coefficient, Problem
from scaling_cli.fit.rewriting import Rewriter

DATA = {"x": np.array([0.3, 0.9, 1.7, 4.0]), "y": np.array([2.0, 5.0, 1.0, 3.0]), "z": np.array([-1.0, 0.0, 2.0, 3.0])}
AT = {"a": 0.7, "b": 1.3, "c": -0.4}
FORMULAS = [
    "exp(a) / x**b", "exp(a) * x**-b * y", "(exp(a) / x)**b", "2 * x**b / y**c", "(a + b / x)**c", "x**2 * y / 3",
    "log(x * y) * a", "z**2 * a", "exp(a * z)", "(z * z)**2 + z * a", "-(x**a)", "(x**a)**b", "exp(a) * x", "b**x",
    "min(x, y)**a", "(2 * y)**(a * x)", "exp(-b * x) / exp(-c * y)", "1 - exp(-x / b)", "exp(a * x) - 1", "1 - x**-b",
    "(1 + (x / b)**(1 / a))**(c * a)", "((x / b)**a + 1)**-0.3", "log(1 + exp(a * z))", "(1 + x)**a", "(1 + x**25)**b",
]  # fmt: skip


def rewritten(formula: str) -> tuple[Tape, Rewriter]:
    rewriter = Rewriter(DATA)
    return Tape(rewriter.rewrite(parse(formula)), list(AT)), rewriter


def kinds(tape: Tape) -> list[str]:
    return [kind for _, kind, _ in tape.steps]


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_stay(formula: str) -> None:
    tape, rewriter = rewritten(formula)
    given = {**{name: np.array([[value]]) for name, value in AT.items()}, **DATA}
    plain = Tape(parse(formula), list(AT)).values(given)[-1]
    assert tape.values({**rewriter.columns(DATA), **given})[-1] == pytest.approx(plain, rel=1e-14)


def test_a_power_law_is_one_exponential() -> None:
    assert kinds(rewritten("exp(a) / x**b")[0]) == ["*", "+", "exp"]
    assert kinds(rewritten("c / x**b + x**2 + a * x**b")[0]).count("exp") == 1  # shared


def test_what_data_alone_decide_is_a_column() -> None:
    tape, rewriter = rewritten("a + min(x, y)**2 / (1 + y)")
    assert kinds(tape) == ["+"]
    (column,) = rewriter.parts
    assert rewriter.columns(DATA)[column] == pytest.approx(np.minimum(DATA["x"], DATA["y"]) ** 2 / (1 + DATA["y"]))


def test_columns_that_are_not_positive_keep_their_power() -> None:
    assert "**" in kinds(rewritten("a + z**b")[0])


def test_a_negative_base_may_have_whole_exponents() -> None:
    tape, rewriter = rewritten("c**y")
    given = {**rewriter.columns(DATA), **{name: np.array([[value]]) for name, value in AT.items()}}
    assert tape.values(given)[-1][0] == pytest.approx((-0.4) ** DATA["y"])


def test_a_saturation_keeps_the_digits_of_a_small_argument() -> None:
    """b * (1 - exp(-x / b)) is x - x**2 / 2 / b where b is large."""
    tape, rewriter = rewritten("b * (1 - exp(-x / b))")
    given = {**rewriter.columns(DATA), "b": np.array([[1e9]])}
    assert tape.values(given)[-1][0] == pytest.approx(DATA["x"] - DATA["x"] ** 2 / 2e9, rel=1e-15)


@pytest.mark.parametrize("width", [1e-3, 1e-100])
def test_a_break_may_be_as_sharp_as_it_likes(width: float) -> None:
    """The less its width, the nearer the formula comes to max(1, x / b)**c, and its slopes stay finite."""
    problem = Problem(
        parse("(1 + (x / b)**(1 / a))**(c * a)"), [Coefficient(name, AT[name], name != "c") for name in "abc"],
        {"x": DATA["x"]}, target=np.ones(4), log=True,
    )  # fmt: skip
    inner = problem.inner(np.array([[width, 1.3, -0.4]]))
    assert problem.predictions(inner)[0] == pytest.approx(np.maximum(1.0, DATA["x"] / 1.3) ** -0.4, rel=1e-3)
    _, jacobian = problem.jacobian(inner)
    assert jacobian[0, 1] == pytest.approx(np.where(DATA["x"] > 1.3, 0.4, 0.0))  # by log b
    assert np.isfinite(problem.curvature(inner)).all()


def test_columns_follow_other_data() -> None:
    problem = Problem(
        parse("a / x**b + x * y"), [Coefficient(name, AT[name], True) for name in "ab"],
        {name: DATA[name] for name in "xy"}, target=np.ones(4), log=False,
    )  # fmt: skip
    other = {"x": np.array([2.0, 8.0]), "y": np.array([1.0, 0.5])}
    expected = AT["a"] / other["x"] ** AT["b"] + other["x"] * other["y"]
    assert problem.predictions(problem.starts[None], other)[0] == pytest.approx(expected, rel=1e-14)
