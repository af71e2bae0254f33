"""Published figures put to a law: verdicts, errata, and which constants they hold."""

import pytest

from scaling_cli.core.figures import check_figure, checked_constants, unreproduced
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Figure, Law, Relation

RELATIONS = {
    "loss": Relation("loss", Formula("E + A / N**0.34 + B / D**0.28"), {"E": 1.69, "A": 406.4, "B": 410.7}),
    "optimal_params": Relation("optimal_params", Formula("k * sqrt(C)"), {"k": 0.1}),
    "alone": Relation("alone", Formula("k * 2"), {"k": 3.0}),
    "wrong": Relation("wrong", Formula("log(N - 1e12)")),
}
LAW = Law("mine", RELATIONS, source={"authors": "Me"})
LOSS = 1.69 + 406.4 / 1e9**0.34 + 410.7 / 1e11**0.28


def figure(
    of: str, expect: float, tolerance: float = 1e-3, kind: str = "reproduce", **point: dict[str, float]
) -> Figure:
    return Figure(of, expect, tolerance, kind=kind, **point)


HOLDING = [
    figure("loss", LOSS, given={"N": 1e9, "D": 1e11}),
    figure("loss", LOSS * 1.0009, given={"N": 1e9, "D": 1e11}),
    figure("loss", LOSS * 1.1, kind="errata", given={"N": 1e9, "D": 1e11}),
    figure("optimal_params", 10**0.5, given={"C": 1e21}, per={"C": 10.0}),
    figure("optimal_params", 1e10, given={"C": 1e22}),
    figure("alone", 6.0),
    figure("flops", 6e20, given={"N": 1e9, "D": 1e11}),
    figure("flops", 6e20, plan={"N": 1e9, "D": 1e11}),
    figure("loss", LOSS, plan={"N": 1e9, "D": 1e11}),
    figure("tokens", 1e11, plan={"C": 6e20, "N": 1e9}),
    figure("optimal_params", 1e10, plan={"C": 1e22, "N": 1e9}),
    figure("tokens_per_param", 100.0, plan={"N": 1e9, "D": 1e11}),
]


@pytest.mark.parametrize("it", HOLDING, ids=str)
def test_figures_that_hold(it: Figure) -> None:
    """Within the tolerance; an erratum outside it."""
    verdict = check_figure(LAW, it)
    assert verdict.holds
    assert verdict.word == "holds"
    assert verdict.problem == ""
    assert verdict.difference == pytest.approx(verdict.got / it.expect - 1.0)


FAILING = [
    figure("loss", LOSS * 1.0011, given={"N": 1e9, "D": 1e11}),
    figure("loss", LOSS, kind="errata", given={"N": 1e9, "D": 1e11}),
    figure("loss", LOSS, kind="data", given={"N": 2e9, "D": 1e11}),
    figure("alone", -6.0),
]
IMPOSSIBLE = [
    figure("wrong", 1.0, given={"N": 1e9}),
    figure("wrong", 1.0, kind="errata", given={"N": 1e9}),
    figure("loss", 1.0, given={"N": 1e9}),
    figure("loss", 1.0),
    figure("loss", 1.0, plan={"L": 1.0}),
    figure("flops", 1.0, given={"N": 1e9}),
    figure("flops", 1.0),
    figure("loss", 1.0, given={"N": 0.0, "D": 1e11}),
    figure("loss", 1.0, given={"N": -1.0, "D": 1e11}),
    figure("learning_rate", 1.0, plan={"C": 1e21}),
    figure("loss", 1.0, plan={"C": 1e21, "N": 1e9, "D": 1e9}),
    figure("loss", 1.0, given={"U": 1e9, "N": 1e9, "D": 1e11, "L": 1.0}),
]


@pytest.mark.parametrize("it", FAILING, ids=str)
def test_figures_that_fail(it: Figure) -> None:
    """With what the law gave instead."""
    verdict = check_figure(LAW, it)
    assert not verdict.holds
    assert verdict.word == "fails"
    assert verdict.got is not None


@pytest.mark.parametrize("it", IMPOSSIBLE, ids=str)
def test_figures_that_the_law_cannot_answer(it: Figure) -> None:
    """Never raises: it fails, and says why; an erratum too. Or the extra names are harmless."""
    verdict = check_figure(LAW, it)
    assert verdict.word == "fails"
    if verdict.got is None:
        assert verdict.problem
        assert verdict.difference is None


def test_checked_constants() -> None:
    """A constant is held when a tenth more of it makes a figure fail: by figures that hold, and not by errata."""
    law = LAW._replace(figures=(HOLDING[0],))
    assert checked_constants(law) == [("loss", "E"), ("loss", "A"), ("loss", "B")]
    assert checked_constants(LAW) == []
    loose = LAW._replace(figures=(figure("loss", LOSS, 0.05, given={"N": 1e9, "D": 1e11}),))
    assert checked_constants(loose) == [("loss", "E")]
    assert checked_constants(LAW._replace(figures=(HOLDING[2], FAILING[0]))) == []
    assert checked_constants(LAW._replace(figures=(HOLDING[3],))) == []  # a growth says nothing of the prefactor
    assert checked_constants(LAW._replace(figures=(HOLDING[4],))) == [("optimal_params", "k")]


def test_what_no_figure_reaches() -> None:
    """Relations with constants that no figure asks, by itself or through another; a user's own law has no such duty."""
    law = LAW._replace(figures=(HOLDING[0],))
    assert unreproduced(law, ["loss", "optimal_params", "wrong", "nothing"]) == ["optimal_params"]
    assert unreproduced(law._replace(source={}), ["loss", "optimal_params"]) == []
    assert unreproduced(LAW._replace(figures=(HOLDING[2],)), ["loss"]) == ["loss"]
    through = LAW._replace(
        relations=RELATIONS | {"twice": Relation("twice", Formula("2 * loss"))},
        figures=(figure("twice", 2.0 * LOSS, given={"N": 1e9, "D": 1e11}),),
    )
    assert unreproduced(through, ["loss", "optimal_params"]) == ["optimal_params"]
    planned = LAW._replace(figures=(HOLDING[8],), frontier={"params": "optimal_params"})
    assert unreproduced(planned, ["loss", "optimal_params", "alone"]) == ["alone"]
