"""Exact derivatives: the tape against differences, and duals through the tape for second derivatives."""

import numpy as np
import pytest

from scaling_cli.core.duals import Dual
from scaling_cli.core.formulas import names_in, parse
from scaling_cli.fit.gradients import Tape
from scaling_cli.fit.problems import Coefficient, Problem
from scaling_cli.fit.rewriting import Rewriter

X = np.array([0.3, 0.9, 1.7, 4.0])
AT = {"a": 0.7, "b": 1.3, "c": -0.4}
FORMULAS = [
    "a + b", "a - b", "a * b", "a / b", "-a", "a**b", "a**3", "2**a", "b**-2", "x**a", "(a * x)**b", "(x + b)**a",
    "exp(a * x)", "log(b + x)", "log10(b + x)", "sqrt(b + x)", "sin(a * x)", "cos(a * x)", "atan(c * x)",
    "min(a * x, b)", "max(a * x, b, c)", "a + b / x**c", "log(a + b / x**c)", "a * a * a",
    "x * exp(-(x - a)**2 / b**2)", "1 - exp(-x / b)", "b * (exp(a * x) - 1)", "1 - x**-a",
    "sin(a) * cos(a) + exp(a)", "min(x, a) ** b + max(x, a) ** c",
]  # fmt: skip


def names_of(formula: str) -> list[str]:
    return [name for name in AT if name in names_in(parse(formula))]


def given(**changed: float) -> dict[str, object]:
    return {**{name: np.array([[value]]) for name, value in {**AT, **changed}.items()}, "x": X}


def tapes(formula: str) -> list[tuple[Tape, dict[str, np.ndarray]]]:
    """Return the formula as it is and rewritten, each with its columns."""
    names, tree = names_of(formula), parse(formula)
    rewriter = Rewriter({"x": X})
    fast = rewriter.rewrite(tree)
    return [(Tape(tree, names), {}), (Tape(fast, names), rewriter.columns({"x": X}))]


def value(tape: Tape, columns: dict[str, np.ndarray], **changed: float) -> np.ndarray:
    return np.broadcast_to(tape.values({**columns, **given(**changed)})[-1], (1, X.size))


@pytest.mark.parametrize("formula", FORMULAS)
def test_first_derivatives_are_those_of_central_differences(formula: str) -> None:
    for tape, columns in tapes(formula):
        found, partials = tape.gradient({**columns, **given()})
        assert np.array_equal(np.broadcast_to(found, (1, X.size)), value(tape, columns))
        for name, partial in zip(tape.wanted, partials, strict=True):
            step = 1e-6
            ahead, behind = (value(tape, columns, **{name: AT[name] + s}) for s in (step, -step))
            difference = ahead - behind
            assert np.broadcast_to(partial, (1, X.size)) == pytest.approx(difference / (2 * step), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("formula", FORMULAS)
def test_duals_through_the_tape_give_second_derivatives(formula: str) -> None:
    for tape, columns in tapes(formula):
        for along in tape.wanted:
            seeded = {**columns, **given()}
            seeded[along] = Dual(seeded[along], 1.0)
            _, partials = tape.gradient(seeded)
            step = 1e-5
            ahead, behind = (tape.gradient({**columns, **given(**{along: AT[along] + s})})[1] for s in (step, -step))
            for partial, more, less in zip(partials, ahead, behind, strict=True):
                slope = partial.slope if isinstance(partial, Dual) else 0.0
                difference = (np.asarray(more) - np.asarray(less)) / (2 * step)
                assert np.broadcast_to(slope, (1, X.size)) == pytest.approx(
                    np.broadcast_to(difference, (1, X.size)), rel=1e-7, abs=1e-7
                )


def test_a_name_that_a_formula_lacks_has_no_slope() -> None:
    assert Tape(parse("a + x"), ["a", "b"]).gradient(given())[1] == [1.0, 0.0]


def test_of_equal_values_the_first_is_taken() -> None:
    columns = {**given(), "a": np.array([[2.0]]), "b": np.array([[2.0]])}
    for formula in ("min(a, b)", "max(a, b)"):
        _, partials = Tape(parse(formula), ["a", "b"]).gradient(columns)
        assert [float(np.squeeze(partial)) for partial in partials] == [1.0, 0.0]


@pytest.mark.parametrize("log", [False, True])
def test_curvature_of_a_problem_is_symmetric_and_exact(log: bool) -> None:
    coefficients = [Coefficient("E", 1.8, True), Coefficient("A", 4.0, True), Coefficient("alpha", 0.3, False)]
    target = np.array([3.0, 2.5, 2.2, 2.1])
    problem = Problem(parse("E + A / x**alpha"), coefficients, {"x": X * 100.0}, target=target, log=log)
    at = problem.starts[None]
    curvature = problem.curvature(at)[0]
    assert curvature == pytest.approx(np.swapaxes(curvature, 0, 1), rel=1e-13, abs=1e-14)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-6
        difference = (problem.jacobian(at + step)[1] - problem.jacobian(at - step)[1])[0] / 2e-6
        assert curvature[i] == pytest.approx(difference, rel=1e-6, abs=1e-8)
