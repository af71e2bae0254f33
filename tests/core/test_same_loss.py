"""The budget whose optimum has a loss: fast, and the same whichever way it is sought, wherever the law exists."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.formulas import Formula
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.plans import Planner
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law

CHINCHILLA = "1.7 + 400 / N**0.34 + 400 / D**0.28"
OTHER = "1.6 + 9000 / N**0.4 + 30 / D**0.15"
SEARCHED = {"muennighoff-2023": {"U": 1e10}, "krajewski-2024": {}, "abnar-2025": {}, "gadre-2024-c4": {}}
MOST_EVALUATIONS = 160  # of the loss for one given run: two scans with their roots, and the steps between


def law(**relations: str) -> Law:
    return Law("mine", {name: Relation(name, Formula(text)) for name, text in relations.items()})


def curve(**relations: str) -> Frontier:
    return Frontier(Surface(law(**relations), {}))


# the same budget


@pytest.mark.parametrize("law_id", SEARCHED)
@settings(max_examples=10, deadline=None)
@given(st.floats(17.0, 26.0), st.floats(-4.0, 4.0))
def test_it_does_not_depend_on_where_the_search_starts(law_id: str, decade: float, off: float) -> None:
    """From the usual start, from another optimum, and by brackets alone: to rounding."""
    it = Frontier(Surface(load_law(law_id), SEARCHED[law_id]))
    flops = 10.0**decade
    loss = it.loss(flops)
    if loss < it.irreducible * (1.0 + 1e-9):
        return  # saturated: flat in double precision
    start = flops * math.exp(off)
    precision = 1e-15 * loss / -slope(it, flops)
    for found in (
        it.flops_for_loss(loss),
        it.flops_for_loss(loss, start=(start, it.split(start)[0])),
        it.flops_for(it.loss, loss),
    ):
        assert found == pytest.approx(flops, rel=1e-12 + 4.0 * precision)


def slope(it: Frontier, flops: float) -> float:
    """Return how the loss of the optimum moves with the logarithm of the budget, by differences."""
    return float(it.loss(flops * 1.01) - it.loss(flops / 1.01)) / (2.0 * math.log(1.01))


@pytest.mark.parametrize("loss", [3.5, 2.9, 2.5, 2.2, 2.0])
def test_of_two_valleys_the_lower_counts_at_every_budget(loss: float) -> None:
    """The frontier changes from one to the other, where a search that only goes downhill would stay in the first."""
    both = curve(loss=f"min({CHINCHILLA}, {OTHER})")
    alone = [curve(loss=text).flops_for_loss(loss) for text in (CHINCHILLA, OTHER)]
    for start in (1e18, 1e21, 1e27):
        found = both.flops_for_loss(loss, start=(start, both.split(start)[0]))
        assert found == pytest.approx(min(alone), rel=1e-12)


@pytest.mark.parametrize("loss", [3.0, 2.5, 2.1])
def test_an_optimum_at_a_kink(loss: float) -> None:
    """Where params do not stand still as budgets grow, and the loss moves by another slope than at fixed params."""
    it = curve(loss="1.7 + max(400 / N**0.34, 400 / D**0.28)")
    params = (400.0 / (loss - 1.7)) ** (1.0 / 0.34)
    tokens = (400.0 / (loss - 1.7)) ** (1.0 / 0.28)
    assert it.flops_for_loss(loss) == pytest.approx(6.0 * params * tokens, rel=1e-11)


@pytest.mark.parametrize("law_id", SEARCHED)
def test_a_run_costs_few_evaluations(law_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand runs are to be checked within seconds: what a run wastes takes two searches, not dozens."""
    planner = Planner(load_law(law_id))
    asked = 0
    loss = Surface.loss

    def counted(self: Surface, params: Any, tokens: Any) -> Any:
        nonlocal asked
        asked += 1
        return loss(self, params, tokens)

    monkeypatch.setattr(Surface, "loss", counted)
    for params, tokens in ((2e9, 5e10), (1e10, 1e11), (1e9, 1e12)):
        asked = 0
        assert planner.plan({"params": params, "tokens": tokens}).waste > 0.0
        assert 0 < asked <= MOST_EVALUATIONS


@pytest.mark.parametrize("law_id", ["hoffmann-2022-approach-3", "krajewski-2024"])
def test_runs_of_repeated_data(law_id: str) -> None:
    """Their loss is that of their data; the optimum beside it, and what they waste, is that of unlimited data."""
    planner = Planner(load_law(law_id))
    data = RepeatedSurface(planner.law, {}, unique_tokens=1e10, decay=Decay(15.4, 5.3))
    free, limited = (it.plan({"params": 1e10, "tokens": 1e11}) for it in (planner, planner.on(data)))
    assert limited.loss == data.loss_of(1e10, 1e11) > free.loss
    assert (limited.optimal_params, limited.optimal_loss) == (free.optimal_params, free.optimal_loss)
    assert limited.flops_same_loss == pytest.approx(planner.surface_frontier.flops_for_loss(limited.loss), rel=1e-12)
    assert planner.plan({"params": 1e10, "tokens": 1e11}) == free


# laws without an optimum at the usual budgets

FROM_6E22 = f"{CHINCHILLA} + 0 * sqrt(N * D - 1e22)"  # no value below 6e22 FLOPs
FROM_1E23 = f"{CHINCHILLA} - max(0, 1 - 6 * N * D / 1e23) * N / 1e6"  # below 1e23, ever more params win


@pytest.mark.parametrize("loss", [FROM_6E22, FROM_1E23])
@pytest.mark.parametrize("flops", [1.2e23, 1e24, 1e28])
def test_a_law_with_optima_above_the_usual_budgets_alone(loss: str, flops: float) -> None:
    """Every way back to its budget, as for the same law without a gap."""
    it, whole = curve(loss=loss), curve(loss=CHINCHILLA)
    with pytest.raises(NoAnswer, match="has no optimal split"):
        it.split(1e21)
    params, tokens = it.split(flops)
    assert params == pytest.approx(whole.split(flops)[0], rel=1e-9)
    assert it.flops_for_params(params) == pytest.approx(flops, rel=1e-9)
    assert it.flops_for_tokens(tokens) == pytest.approx(flops, rel=1e-9)
    assert it.flops_for_loss(it.loss(flops)) == pytest.approx(flops, rel=1e-9)


def test_what_no_optimum_of_such_a_law_has() -> None:
    """The refusal tells both: where there is no optimum, and that none elsewhere answers."""
    with pytest.raises(NoAnswer, match=r"mine has no optimal split at 1e\+21 FLOPs") as caught:
        curve(loss=FROM_6E22).flops_for_params(1e9)
    assert caught.value.hints[0].startswith("mine: the loss has no finite value at ")
    assert caught.value.hints[1] == "no budget that has one gives 1e+09 params"


# a floor that is reached


def test_a_floor_that_a_budget_reaches() -> None:
    """The least budget that does, on paper: an optimum of the loss without its floor, and a frontier of one power."""
    least = curve(loss=CHINCHILLA).flops_for_loss(2.0)
    it = curve(loss=f"max(2.0, {CHINCHILLA})")
    assert it.flops_for_loss(2.0) == pytest.approx(least, rel=1e-12)
    assert it.flops_for_loss(np.array([2.0, 1.9]))[0] == pytest.approx(least, rel=1e-6)
    stated = curve(optimal_loss="max(2.0, 1.5 + (1e20 / C)**0.5)")
    assert stated.flops_for_loss(2.0) == pytest.approx(4e20, rel=1e-12)
    for frontier in (it, stated):
        with pytest.raises(NoAnswer, match="out of reach"):
            frontier.flops_for_loss(math.nextafter(2.0, 0.0))
        assert np.isnan(frontier.flops_for_loss(np.array([1.9, 2.0]))).tolist() == [True, False]


def test_what_a_run_beyond_the_floor_wastes() -> None:
    """All that it spends beyond the least budget that reaches the floor."""
    plan = Planner(law(loss=f"max(2.0, {CHINCHILLA})")).plan({"params": 1e11, "tokens": 1e14})
    assert plan.loss == plan.optimal_loss == 2.0
    assert plan.flops_same_loss == pytest.approx(curve(loss=CHINCHILLA).flops_for_loss(2.0), rel=1e-12)


@pytest.mark.parametrize("text", [CHINCHILLA, "1.5 + exp(-N / 1e9) + 400 / D**0.28", "1.5 + 1e9 / N + 1e11 / D"])
def test_a_floor_that_is_only_approached(text: str) -> None:
    """Rounding hides what is left of the loss, but no budget reaches it."""
    it = curve(loss=text)
    with pytest.raises(NoAnswer, match="out of reach"):
        it.flops_for_loss(it.irreducible)
    assert np.isnan(it.flops_for_loss(np.array([it.irreducible]))).all()


@pytest.mark.parametrize("held", ["params", "tokens"])
def test_the_rest_of_a_run_at_a_floor(held: str) -> None:
    """The least tokens, or params, that reach it; where it is only approached there are none."""
    reached, approached = (Surface(law(loss=text), {}) for text in (f"max(2.0, {CHINCHILLA})", CHINCHILLA))
    for it, floor in ((reached, 2.0), (approached, approached.loss_of(*at(held, 1e13, math.inf)))):
        solve = it.tokens_at_loss if held == "params" else it.params_at_loss
        if it is approached:
            with pytest.raises(NoAnswer, match="takes 1e.13 .* to a loss of"):
                solve(1e13, floor)
            return
        found = solve(1e13, floor)
        assert it.loss_of(*at(held, 1e13, found)) == pytest.approx(2.0, rel=1e-15)
        assert it.loss_of(*at(held, 1e13, found * 0.999)) > 2.0


def at(held: str, size: float, rest: float) -> tuple[float, float]:
    return (size, rest) if held == "params" else (rest, size)


# laws that end

ENDS = f"{CHINCHILLA} + 0 * sqrt(1e12 - N)"  # no model beyond 1e12 params


def test_the_rest_of_a_run_of_a_law_that_ends() -> None:
    """It is answered as by the law without an end, up to there."""
    it, whole = Surface(law(loss=ENDS), {}), Surface(law(loss=CHINCHILLA), {})
    for loss in (2.4, 2.0, 1.91):
        assert it.params_at_loss(1e12, loss) == pytest.approx(whole.params_at_loss(1e12, loss), rel=1e-12)
    assert it.tokens_at_loss(1e10, 2.1) == pytest.approx(whole.tokens_at_loss(1e10, 2.1), rel=1e-12)
    assert Planner(it.law).plan({"loss": 2.1}).flops == pytest.approx(curve(loss=CHINCHILLA).flops_for_loss(2.1))


def test_what_a_law_that_ends_does_not_say() -> None:
    """The loss it stops at is not that of infinitely many params; beyond its end it says nothing at all."""
    it = Surface(law(loss=ENDS), {})
    with pytest.raises(NoAnswer, match=r"the loss at 1e\+12 tokens is 1.9 for no number of params") as caught:
        it.params_at_loss(1e12, 1.9)  # 1.7 + 0.033 + 0.175 at 1e12 params
    assert caught.value.hints == ("its formula ends before infinite params; ask for a higher loss",)
    with pytest.raises(NoAnswer, match=r"no finite value at 1e\+13 params"):
        it.tokens_at_loss(1e13, 2.1)


def test_bits_too_few_for_a_law_to_have_a_loss() -> None:
    """Kumar et al.: below 3.1 bits the effective params are negative. That is why, not a loss that keeps falling."""
    planner = Planner(load_law("kumar-2024"), {"P": 3.0})
    for known in ({"flops": 1e21}, {"params": 1e9}, {"loss": 3.0}):
        with pytest.raises(NoAnswer, match=r"has no optimal split at 1e\+21 FLOPs") as caught:
            planner.plan(known)
        assert "the loss has no finite value at" in caught.value.hints[0]
        assert caught.value.hints[0].endswith("tokens, with P = 3")
