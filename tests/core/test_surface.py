"""The loss surface and the budget: inverses, limits and slopes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.duals import Dual
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import law_ids, load_law

CHINCHILLA = "1.69 + 406.4 / N**0.34 + 410.7 / D**0.28"
MORE_SETTINGS = {"tao-2024": {"V": 32000.0, "width": 1024.0}}
LAWS = {law_id: load_law(law_id) for law_id in law_ids()}
OWN_FLOPS = [law_id for law_id, law in LAWS.items() if "flops" in law.relations]
SURFACES = {
    law_id: Surface(law, MORE_SETTINGS.get(law_id, {}))
    for law_id, law in LAWS.items()
    if "loss" in law.relations and not law.is_form
}
FIXED_TOKENS = ["clark-2022-dense", "clark-2022-hash", "clark-2022-rl-r", "clark-2022-s-base"]  # loss of N alone
CHINCHILLA_FAMILY = [law_id for law_id, surface in SURFACES.items() if surface.power_split]
WITH_OPTIMUM = [law_id for law_id in SURFACES if law_id not in FIXED_TOKENS]

# twelve orders of magnitude in compute, and shapes up to 1000 times too wide or too narrow
LOG_N = st.floats(math.log(1e6), math.log(1e12))
LOG_D = st.floats(math.log(1e8), math.log(1e14))


def surface(loss: str = CHINCHILLA, **relations: str) -> Surface:
    texts = {"loss": loss} | relations
    return Surface(Law("mine", {name: Relation(name, Formula(text)) for name, text in texts.items()}), {})


def test_the_families_are_not_empty() -> None:
    """What follows would pass on empty lists."""
    assert len(CHINCHILLA_FAMILY) >= 10
    assert {"kumar-2024", "kaplan-2020", "hoffmann-2022-approach-3"} <= set(CHINCHILLA_FAMILY)
    assert {"muennighoff-2023", "krajewski-2024", "gadre-2024-c4"} <= set(WITH_OPTIMUM) - set(CHINCHILLA_FAMILY)
    assert {"kumar-2024", "deepseek-2024", "hunyuan-2024", "krajewski-2024", "tao-2024"} <= set(OWN_FLOPS)


# flops and its inverses


@settings(max_examples=30, deadline=None)
@given(LOG_N, LOG_D)
def test_six_nd(log_params: float, log_tokens: float) -> None:
    """The budget of a law that says nothing else."""
    params, tokens = math.exp(log_params), math.exp(log_tokens)
    flops = surface().flops(params, tokens)
    assert flops == 6.0 * params * tokens
    assert surface().tokens_for(flops, params) == pytest.approx(tokens, rel=1e-15)
    assert surface().params_for(flops, tokens) == pytest.approx(params, rel=1e-15)


@pytest.mark.parametrize("law_id", OWN_FLOPS)
@settings(max_examples=20, deadline=None)
@given(LOG_N, LOG_D)
def test_the_inverses_of_shipped_budgets(law_id: str, log_params: float, log_tokens: float) -> None:
    """flops(N, D) solved for either, on floats and on arrays."""
    it = Surface(LAWS[law_id], MORE_SETTINGS.get(law_id, {}))
    params, tokens = math.exp(log_params), math.exp(log_tokens)
    flops = it.flops(params, tokens)
    assert it.tokens_for(flops, params) == pytest.approx(tokens, rel=1e-12)
    conditioning = flops / (it.flops(params * 1.01, tokens) - flops)  # hunyuan's 2.3e8 D hides small N
    assert it.params_for(flops, tokens) == pytest.approx(params, rel=1e-13 * (10.0 + conditioning))
    array = np.array([flops, 2.0 * flops])
    np.testing.assert_allclose(it.flops(params, it.tokens_for(array, params)), array, rtol=1e-12)
    np.testing.assert_allclose(it.flops(it.params_for(array, tokens), tokens), array, rtol=1e-12)


BUDGETS = [
    *("6 * N * D + 1e12 * D", "6 * N**0.9 * D + 3 * N", "6 * N * D * log(N + 10)"),
    *("6 * N * max(D, 1e9)", "sqrt(N) * D * 1e4"),
]


@pytest.mark.parametrize("flops", BUDGETS)
@settings(max_examples=20, deadline=None)
@given(LOG_N, st.floats(math.log(1.1e9), math.log(1e14)))
def test_the_inverses_of_other_budgets(flops: str, log_params: float, log_tokens: float) -> None:
    """Sums, logarithms and kinks; the slope of the tokens that a budget leaves is exact."""
    it = surface(flops=flops)
    params, tokens = math.exp(log_params), math.exp(log_tokens)
    budget = it.flops(params, tokens)
    assert it.tokens_for(budget, params) == pytest.approx(tokens, rel=1e-11)
    assert it.flops(it.params_for(budget, tokens), tokens) == pytest.approx(budget, rel=1e-11)
    left = it.tokens_for(budget, Dual(params, 1.0))
    step = 1e-5 * params
    slope = (it.tokens_for(budget, params + step) - it.tokens_for(budget, params - step)) / (2.0 * step)
    assert left.slope == pytest.approx(slope, rel=1e-5, abs=1e-9 * tokens / params)


AWKWARD = {
    "6 * N * D + 1e20": 1e18,
    "6 * N * D + 1e12 * N": 1e18,
    "6 * N * min(D, 1e3)": 1e18,
    "6 * N * (D - 1e12)": 1e24,
    "6 * N": 1e18,
    "6 * N / D": 1e18,
    "6e18": 1e18,
    "-6 * N * D": 1e18,
    "6 * log(N * D)": 1e4,
}


@pytest.mark.parametrize("flops", AWKWARD)
def test_an_awkward_budget(flops: str) -> None:
    """Answered, or said to have no answer; never an error of arithmetic."""
    it = surface(flops=flops)
    budget = AWKWARD[flops]
    try:
        tokens = it.tokens_for(budget, 1e9)
    except NoAnswer:
        return
    assert it.flops(1e9, tokens) == pytest.approx(budget, rel=1e-11)


@pytest.mark.parametrize(("law_id", "tokens"), [("hunyuan-2024", 1e10), ("tao-2024", 1e12)])
def test_tokens_that_cost_more_than_the_budget_by_themselves(law_id: str, tokens: float) -> None:
    """Shipped laws with a term of D alone: no params are few enough."""
    it = Surface(LAWS[law_id], MORE_SETTINGS.get(law_id, {}))
    with pytest.raises(NoAnswer):
        it.params_for(1e18, tokens)


def test_a_budget_of_tokens_alone_has_no_slope_in_params() -> None:
    """The dual's slope is zero, not an AttributeError."""
    assert surface(flops="6 * D").tokens_for(6e18, Dual(1e9, 1.0)).value == pytest.approx(1e18)


@pytest.mark.parametrize("flops", ["6 * C", "6 * N * D * L"])
def test_a_budget_of_itself(flops: str) -> None:
    """Names what is missing."""
    with pytest.raises(NoAnswer, match=f"needs {flops.split()[-1]}"):
        surface(flops=flops).flops(1e9, 1e10)


# loss


@pytest.mark.parametrize("law_id", [*CHINCHILLA_FAMILY, "krajewski-2024", "abnar-2025"])
@settings(max_examples=25, deadline=None)
@given(LOG_N, LOG_D, st.floats(0.01, 5.0))
def test_loss_falls_in_params_and_in_tokens(law_id: str, log_params: float, log_tokens: float, more: float) -> None:
    """By value and by slope, and never below its floor."""
    it = SURFACES[law_id]
    params, tokens, factor = math.exp(log_params), math.exp(log_tokens), math.exp(more)
    loss = it.loss_of(params, tokens)
    assert it.irreducible < loss
    assert it.loss_of(params * factor, tokens) < loss
    assert it.loss_of(params, tokens * factor) < loss
    assert it.loss(Dual(params, 1.0), tokens).slope < 0.0
    assert it.loss(params, Dual(tokens, 1.0)).slope < 0.0


@settings(max_examples=50, deadline=None)
@given(LOG_N, LOG_D, st.floats(0.01, 5.0), st.floats(7.0, 14.0))
def test_repeated_data_saturate(log_params: float, log_tokens: float, more: float, unique: float) -> None:
    """Muennighoff et al. 2023: with limited unique tokens the loss falls, then stays; it never rises."""
    it = Surface(LAWS["muennighoff-2023"], {"U": 10.0**unique})
    params, tokens, factor = math.exp(log_params), math.exp(log_tokens), math.exp(more)
    loss = it.loss_of(params, tokens)
    assert it.loss_of(params * factor, tokens) <= loss * (1.0 + 2e-16)
    assert it.loss_of(params, tokens * factor) <= loss * (1.0 + 2e-16)
    assert it.irreducible <= loss


@pytest.mark.parametrize("law_id", WITH_OPTIMUM)
def test_infinite_params_and_tokens(law_id: str) -> None:
    """Limits, alike for floats and arrays; the irreducible loss is below all others."""
    it = SURFACES[law_id]
    points = [(1e9, math.inf), (math.inf, 1e11), (math.inf, math.inf), (1e9, 1e11)]
    losses = [it.loss_of(params, tokens) for params, tokens in points]
    assert it.irreducible == losses[2] <= min(losses)
    assert losses[3] >= max(losses[:2])
    array = it.loss_of(*(np.array(column) for column in zip(*points, strict=True)))
    np.testing.assert_allclose(array, losses, rtol=1e-14)


def test_a_loss_of_the_budget() -> None:
    """C in a loss formula is the law's own flops."""
    it = surface("1 + 1e9 / N + C / 1e21", flops="3 * N * D")
    assert it.loss_of(1e9, 1e11) == pytest.approx(2.0 + 0.3)


def test_a_loss_of_itself() -> None:
    """Is no loss of params and tokens."""
    with pytest.raises(NoAnswer, match="needs L"):
        surface("1 + L").loss_of(1e9, 1e11)


@pytest.mark.parametrize("loss", ["log(1e8 - N)", "1 / (N - 1e9)", "exp(N)", "N**D", "sqrt(D - 1e20)", "(1 - N)**0.5"])
def test_no_finite_loss(loss: str) -> None:
    """NoAnswer for a float that names the point; NaN for that element of an array."""
    with pytest.raises(NoAnswer, match=r"no finite value at 1e\+09 params and 1e\+10 tokens"):
        surface(loss).loss_of(1e9, 1e10)
    found = surface(f"{loss} + 0 * N").loss_of(np.array([1e9, 1e9]), np.array([1e10, 1e10]))
    assert not np.isfinite(found).any()


@pytest.mark.parametrize("law_id", WITH_OPTIMUM)
@settings(max_examples=8, deadline=None)
@given(LOG_N, LOG_D)
def test_the_inverses_of_loss(law_id: str, log_params: float, log_tokens: float) -> None:
    """What tokens, or what params, reach a loss: put back they reach it."""
    it = SURFACES[law_id]
    params, tokens = math.exp(log_params), math.exp(log_tokens)
    loss = it.loss_of(params, tokens)
    if loss > it.loss_of(params, math.inf) * (1.0 + 1e-12):
        assert it.loss_of(params, it.tokens_at_loss(params, loss)) == pytest.approx(loss, rel=1e-12)
    if loss > it.loss_of(math.inf, tokens) * (1.0 + 1e-12):
        assert it.loss_of(it.params_at_loss(tokens, loss), tokens) == pytest.approx(loss, rel=1e-12)


def test_a_loss_out_of_reach() -> None:
    """At the floor and below it, with the floor in the hint."""
    it = surface()
    floor = 1.69 + 406.4 / 1e9**0.34
    for loss in (floor, floor - 0.1, 1e-300):
        with pytest.raises(NoAnswer, match="no number of tokens takes") as caught:
            it.tokens_at_loss(1e9, loss)
        assert f"{floor:.6g} with infinite tokens" in str(caught.value)
    with pytest.raises(NoAnswer, match="no number of params takes 1e.11 tokens to a loss of 2"):
        it.params_at_loss(1e11, 2.0)
    with pytest.raises(NoAnswer, match="for no number of tokens"):
        it.tokens_at_loss(1e9, 1e9)
    assert np.isnan(it.tokens_at_loss(np.array([1e9]), np.array([floor - 0.1]))).all()
