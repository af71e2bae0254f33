"""The frontier as one curve: which relation decides it, how it moves, and the budget at which it passes a value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.formulas import Formula
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law

CHINCHILLA = "1.69 + 406.4 / N**0.34 + 410.7 / D**0.28"


def law(frontier: dict[str, str] | None = None, **relations: str) -> Law:
    return Law(
        "mine", {name: Relation(name, Formula(text)) for name, text in relations.items()}, frontier=frontier or {}
    )


def curve(frontier: dict[str, str] | None = None, own: bool = True, **relations: str) -> Frontier:
    return Frontier(Surface(law(frontier, **relations), {}), own=own)


def shipped(law_id: str, own: bool = True, **variables: float) -> Frontier:
    return Frontier(Surface(load_law(law_id), variables), own=own)


# which relation decides

OWN_SPLITS = {
    "hoffmann-2022": ("optimal_params", "", ""),
    "hoffmann-2022-approach-2": ("optimal_params", "", ""),
    "hoffmann-2022-approach-3": ("", "", ""),
    "kaplan-2020": ("optimal_params", "", "optimal_loss"),
    "deepseek-2024": ("", "optimal_tokens", ""),
    "llama3-2024": ("", "optimal_tokens", ""),
    "cerebras-2023": ("optimal_params", "", "optimal_loss"),
    "brown-2020": ("", "", "optimal_loss"),
    "henighan-2020-language": ("optimal_params", "", "optimal_loss"),
    "muennighoff-2023": ("", "", ""),
}


@pytest.mark.parametrize("law_id", OWN_SPLITS)
def test_the_relation_that_decides(law_id: str) -> None:
    """As the preset names it, or what there is; with own=False the loss surface alone."""
    own = shipped(law_id)
    assert (own.params_relation, own.tokens_relation, own.loss_relation) == OWN_SPLITS[law_id]
    assert own.states_split == any(OWN_SPLITS[law_id][:2])
    alone = shipped(law_id, own=False)
    assert not alone.states_split
    assert alone.has_split == alone.has_loss == alone.surface.has_loss


def test_without_a_frontier_section_a_loss_decides() -> None:
    """A relation optimal_params beside a loss decides nothing by its name alone."""
    both = curve(loss=CHINCHILLA, optimal_params="1e9 + 0 * C")
    assert not both.states_split
    assert both.split(1e21) == curve(loss=CHINCHILLA).split(1e21)
    stated = curve({"params": "optimal_params"}, loss=CHINCHILLA, optimal_params="1e9 + 0 * C")
    assert stated.split(6e21) == (1e9, pytest.approx(1e12))


def test_without_a_loss_it_takes_what_there_is() -> None:
    """params before tokens; one of them decides, since both may not close the budget."""
    assert curve(optimal_params="1e9 * 1", optimal_tokens="1e9 * 1").split(6e21) == (1e9, pytest.approx(1e12))
    assert curve(optimal_tokens="1e12 * 1").split(6e21) == (pytest.approx(1e9), 1e12)
    assert curve(optimal_loss="1 + 1e20 / C").loss(1e20) == 2.0


def test_no_split() -> None:
    """A law that states none says so."""
    nothing = curve(optimal_loss="1 + 1e20 / C")
    assert not nothing.has_split
    with pytest.raises(NoAnswer, match="mine states no optimal split"):
        nothing.split(1e21)


def test_a_frontier_of_more_than_flops() -> None:
    """A relation of N and D is no frontier."""
    with pytest.raises(NoAnswer, match="optimal_params is not a function of C alone"):
        curve(optimal_params="N / 2").split(1e21)


@pytest.mark.parametrize(
    ("relation", "text"),
    [
        *(
            ("optimal_params", text)
            for text in ("log(C - 1e22)", "C**50", "exp(C)", "1 / (C - 1e21)", "1e9 - C", "0 * C")
        ),
        *(("optimal_tokens", text) for text in ("sqrt(1e20 - C)", "1e9 - C", "C**20")),
    ],
)
def test_a_split_without_a_value(relation: str, text: str) -> None:
    """Out of its domain, infinite or negative: NoAnswer for a float, NaN in an array."""
    it = curve(None, True, **{relation: text})
    with pytest.raises(NoAnswer):
        it.split(1e21)
    assert np.isnan(it.split(np.array([1e21, 1e21]))[0]).all()


@pytest.mark.parametrize("text", ["log(C - 1e22)", "1 / (C - 1e21)", "exp(C)"])
def test_a_frontier_loss_without_a_value(text: str) -> None:
    """Likewise for the loss on the frontier."""
    it = curve(optimal_loss=text)
    with pytest.raises(NoAnswer):
        it.loss(1e21)
    assert np.isnan(it.loss(np.array([1e21, 1e21]))).all()


# how it moves

MOVING = [
    *("hoffmann-2022", "hoffmann-2022-approach-3", "kaplan-2020", "cerebras-2023", "henighan-2020-image-8x8"),
    *("krajewski-2024", "kumar-2024", "muennighoff-2023", "gadre-2024-c4", "dit-2024", "abnar-2025"),
]
DECADE = st.floats(15.0, 27.0)


@pytest.mark.parametrize("law_id", MOVING)
@settings(max_examples=15, deadline=None)
@given(DECADE, st.floats(0.01, 3.0))
def test_more_flops_are_more_params_more_tokens_less_loss(law_id: str, decade: float, more: float) -> None:
    """Along the frontier of every law, which spends its budget at each point."""
    it = shipped(law_id)
    flops = 10.0**decade
    (params, tokens), (more_params, more_tokens) = it.split(flops), it.split(flops * math.exp(more))
    assert params < more_params
    assert tokens < more_tokens
    assert it.irreducible < it.loss(flops * math.exp(more)) < it.loss(flops)
    assert it.surface.flops(params, tokens) == pytest.approx(flops, rel=1e-12)


def test_hoffmann_table_3() -> None:
    """The row of 1B params in Table 3, which the line of approach 1 passes through, and 20.2 tokens per param."""
    params, tokens = shipped("hoffmann-2022").split(1.21e20)
    assert params == pytest.approx(1e9, rel=1e-15)
    assert tokens == pytest.approx(20.2e9, rel=0.005)


# the budget at which it passes a value


@pytest.mark.parametrize("law_id", MOVING)
@settings(max_examples=8, deadline=None)
@given(DECADE)
def test_the_curve_walked_back(law_id: str, decade: float) -> None:
    """By params, by tokens and by loss to the same budget."""
    it = shipped(law_id)
    flops = 10.0**decade
    params, tokens = it.split(flops)
    assert it.flops_for_params(params) == pytest.approx(flops, rel=1e-8)
    assert it.flops_for_tokens(tokens) == pytest.approx(flops, rel=1e-8)
    assert it.flops_for_loss(it.loss(flops)) == pytest.approx(flops, rel=1e-6)


def test_the_least_budget_by_hand() -> None:
    """A frontier loss that can be solved on paper."""
    it = curve(optimal_loss="1.5 + (1e20 / C)**0.5")
    assert it.irreducible == 1.5
    assert it.flops_for_loss(2.5) == pytest.approx(1e20, rel=1e-12)
    assert it.flops_for_loss(1.5 + 1e-6) == pytest.approx(1e32, rel=1e-8)


@pytest.mark.parametrize("loss", [1.5, 1.5 - 1e-12, 1.0, 1e-300])
def test_at_and_below_the_floor(loss: float) -> None:
    """NoAnswer with the floor, NaN in an array."""
    it = curve(optimal_loss="1.5 + (1e20 / C)**0.5")
    with pytest.raises(NoAnswer, match="mine: a loss of .* is out of reach") as caught:
        it.flops_for_loss(loss)
    assert caught.value.hints == ("no budget reaches it: the irreducible loss is 1.5; ask for a higher loss",)
    assert np.isnan(it.flops_for_loss(np.array([loss, loss]))).all()


def test_a_curve_that_does_not_exist_everywhere() -> None:
    """The search does not give up where the formula has no value: log10(C) is 0 at one FLOP."""
    it = curve(optimal_loss="1.5 + 10 / log10(C)")
    assert it.flops_for_loss(2.0) == pytest.approx(1e20, rel=1e-9)
    assert it.flops_for_loss(3.0) == pytest.approx(10.0 ** (20.0 / 3.0), rel=1e-9)


@pytest.mark.parametrize("what", ["params", "tokens"])
def test_values_no_budget_makes_optimal(what: str) -> None:
    """Too large and too small ones."""
    it = shipped("besiroglu-2024")
    solve = getattr(it, f"flops_for_{what}")
    for value in (1e250, 1e-250):
        with pytest.raises(
            NoAnswer, match=f"no budget below 1e280 FLOPs has {value:.6g} {what} as its optimum".replace("+", ".")
        ):
            solve(value)
    assert np.isnan(solve(np.array([1e250, 1e-250]))).all()


def test_a_split_that_never_moves() -> None:
    """The same params at every budget: no single budget makes them optimal."""
    it = curve(optimal_params="1e9 * 1")
    for params in (1e8, 1e9, 1e10):
        with pytest.raises(NoAnswer):
            it.flops_for_params(params)


def test_a_flat_frontier_reaches_its_end() -> None:
    """Saturated data: the loss on the frontier stops at the surface's floor, and the floor itself is out of reach."""
    it = shipped("muennighoff-2023", U=1e9)
    floor = it.loss(1e32)
    assert it.loss(1e26) == pytest.approx(floor, rel=1e-15)
    assert it.irreducible == pytest.approx(floor, rel=1e-14)
    assert it.flops_for_loss(floor + 1e-6) < 1e23
    with pytest.raises(NoAnswer):
        it.flops_for_loss(floor - 1e-6)
