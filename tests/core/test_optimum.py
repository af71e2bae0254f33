"""The minimum of the loss surface at fixed flops, for every law that has one, and laws that have none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import law_ids, load_law

CHINCHILLA = "1.69 + 406.4 / N**0.34 + 410.7 / D**0.28"
LAWS = {law_id: load_law(law_id) for law_id in law_ids()}
SURFACES = {law_id: Surface(law, {}) for law_id, law in LAWS.items() if "loss" in law.relations and not law.is_form}
FIXED_TOKENS = ["clark-2022-dense", "clark-2022-hash", "clark-2022-rl-r", "clark-2022-s-base"]  # loss of N alone
WITH_OPTIMUM = [law_id for law_id in SURFACES if law_id not in FIXED_TOKENS]


def surface(loss: str = CHINCHILLA, **relations: str) -> Surface:
    texts = {"loss": loss} | relations
    return Surface(Law("mine", {name: Relation(name, Formula(text)) for name, text in texts.items()}), {})


@pytest.mark.parametrize("law_id", WITH_OPTIMUM)
@settings(max_examples=12, deadline=None)
@given(st.floats(15.0, 27.0), st.floats(-8.0, 8.0))
def test_nothing_beats_the_optimum(law_id: str, decade: float, off: float) -> None:
    """No other shape at the same flops has less loss."""
    it = SURFACES[law_id]
    flops = 10.0**decade
    best = it.optimal_params(flops)
    tokens = it.tokens_for(flops, best)
    assert it.flops(best, tokens) == pytest.approx(flops, rel=1e-12)
    other = best * math.exp(off)
    assert it.loss_of(best, tokens) <= it.loss_of(other, it.tokens_for(flops, other)) * (1.0 + 4e-16)


SUMS = [
    "6 * N * D + 20 * N**1.5",
    "6 * N * D + 1e11 * N",
    "6 * N * D + 1e9 * D",
    "6 * N * D + 1e17",
    "6 * N * (D + 1e9)",
]


@pytest.mark.parametrize("flops", SUMS)
@pytest.mark.parametrize("decade", [18.0, 21.0, 24.0])
def test_budgets_that_are_sums(flops: str, decade: float) -> None:
    """Where a term of one quantity alone eats the budget at an end of the isoflop: the optimum between is found."""
    it = surface(flops=flops)
    budget = 10.0**decade
    best = it.optimal_params(budget)
    tokens = it.tokens_for(budget, best)
    assert it.flops(best, tokens) == pytest.approx(budget, rel=1e-12)
    grid = best * np.exp(np.linspace(-3.0, 3.0, 2001))
    losses = it.loss_of(grid, it.tokens_for(np.full_like(grid, budget), grid))
    assert it.loss_of(best, tokens) <= np.nanmin(losses) * (1.0 + 4e-16)
    np.testing.assert_allclose(it.optimal_params(np.array([budget])), [best], rtol=1e-6)


@pytest.mark.parametrize("law_id", FIXED_TOKENS)
def test_a_loss_without_tokens_has_no_optimum(law_id: str) -> None:
    """The best run would be all params."""
    with pytest.raises(NoAnswer, match="has no optimal split at 1e.21 FLOPs") as caught:
        SURFACES[law_id].optimal_params(1e21)
    assert caught.value.hints == ("its loss keeps falling towards one end of the isoflop",)


@pytest.mark.parametrize("loss", ["1.7", "1.7 + N / D", "2 - 0.01 * log(N)", "1.7 + 400 / N**0.3"])
def test_other_losses_without_an_optimum(loss: str) -> None:
    """NoAnswer for floats, NaN for arrays."""
    with pytest.raises(NoAnswer, match="has no optimal split"):
        surface(loss).optimal_params(1e21)
    assert np.isnan(surface(loss).optimal_params(np.array([1e20, 1e21]))).all()


@pytest.mark.parametrize("penalty", ["max(D / 1e11 - 1, 0)**0.5", "sqrt(max(D / 1e11 - 1, 0))"])
@pytest.mark.parametrize("decade", [19.0, 20.0, 21.0, 22.0, 23.0])
def test_a_penalty_with_an_infinite_slope(penalty: str, decade: float) -> None:
    """Its derivative does not exist where max is 0: the optimum is still the best of a fine grid, arrays too."""
    it = surface(f"{CHINCHILLA} + 0.01 * {penalty}")
    flops = 10.0**decade
    grid = np.exp(np.linspace(12.0, 28.0, 160_001))
    least = float(it.loss_of(grid, flops / (6.0 * grid)).min())
    best = it.optimal_params(flops)
    assert it.loss_of(best, flops / (6.0 * best)) <= least * (1.0 + 1e-7)
    np.testing.assert_allclose(it.optimal_params(np.array([flops])), [best], rtol=1e-6)


@pytest.mark.parametrize("law_id", WITH_OPTIMUM)
def test_the_range_of_params_that_reach_a_loss(law_id: str) -> None:
    """Both ends reach it at the budget, between them the loss is lower, beyond them higher."""
    it = SURFACES[law_id]
    best = it.optimal_params(1e21)
    loss = 1.05 * it.loss_of(best, it.tokens_for(1e21, best))
    low, high = it.params_range(1e21, loss, best)
    assert low < best < high
    for params, factor in ((low, 1.01), (high, 1.0 / 1.01)):
        assert it.loss_of(params, it.tokens_for(1e21, params)) == pytest.approx(loss, rel=1e-12)
        assert it.loss_of(params * factor, it.tokens_for(1e21, params * factor)) < loss
        assert it.loss_of(params / factor, it.tokens_for(1e21, params / factor)) > loss


@pytest.mark.parametrize(
    ("first", "step", "count", "loss"),
    [
        ("D * 1", "(x{0} * x{0})**0.5", 18, "1.7 + 400 / N**0.3 + 410 * x18**-0.28"),
        ("100 / D**0.28 / 2**20", "x{0} + x{0}", 24, "1.7 + 400 / N**0.3 + x24"),
    ],
)
def test_sub_formulas_do_not_multiply(first: str, step: str, count: int, loss: str) -> None:
    """A chain of lets that doubles at each step is no billion laughs: each costs one step."""
    let = {"x0": Formula(first)} | {f"x{i}": Formula(step.format(i - 1)) for i in range(1, count + 1)}
    best = Surface(Law("mine", {"loss": Relation("loss", Formula(loss))}, let=let), {}).optimal_params(1e21)
    assert 1e8 < best < 1e12
