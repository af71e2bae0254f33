"""Limited unique tokens (Muennighoff et al. 2023): kinks where epochs begin, and a loss that goes flat."""

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.plans import Planner
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law

LAW = load_law("muennighoff-2023")
CONSTANTS = {name: Decimal(repr(value)) for name, value in LAW.coefficients.items()}


def planner(unique: float | None = None) -> Planner:
    return Planner(LAW, {} if unique is None else {"U": unique})


def exact_loss(params: float, tokens: float, unique: float) -> Decimal:
    """Equations 5 and 6 of the paper to fifty digits, written out apart from the preset."""
    getcontext().prec = 50
    k = CONSTANTS
    big_a, big_b = k["ln_A"].exp(), k["ln_B"].exp()
    n, d, u = Decimal(params), Decimal(tokens), Decimal(unique)
    g = (k["alpha"] * big_a / (k["beta"] * big_b)) ** (1 / (k["alpha"] + k["beta"]))
    u_d = min(u, d)
    u_n = min(n, (u_d * g) ** (k["beta"] / k["alpha"]) * g)
    d_eff = u_d + u_d * k["R_D"] * (1 - (-max(d / u_d - 1, Decimal(0)) / k["R_D"]).exp())
    n_eff = u_n + u_n * k["R_N"] * (1 - (-max(n / u_n - 1, Decimal(0)) / k["R_N"]).exp())
    return k["ln_E"].exp() + big_a / n_eff ** k["alpha"] + big_b / d_eff ** k["beta"]


@settings(max_examples=40, deadline=None)
@given(st.floats(15.0, 28.0), st.floats(7.0, 14.0), st.floats(-3.0, 3.0))
def test_loss_to_fifty_digits(decade: float, unique: float, off: float) -> None:
    """Float and fifty digits agree to rounding, on both sides of each kink."""
    params = math.sqrt(10.0**decade / 6.0 / 20.0) * math.exp(off)
    tokens = 10.0**decade / 6.0 / params
    loss = planner(10.0**unique).surface.loss_of(params, tokens)
    assert loss == pytest.approx(float(exact_loss(params, tokens, 10.0**unique)), rel=2e-15)


@settings(max_examples=25, deadline=None)
@given(st.floats(17.0, 24.0), st.floats(8.0, 13.0))
def test_the_optimum_beats_a_grid(decade: float, unique: float) -> None:
    """No point of a fine grid along the isoflop has less loss: the search is not misled by kinks."""
    it = planner(10.0**unique)
    flops = 10.0**decade
    plan = it.plan({"flops": flops})
    grid = plan.params * np.exp(np.linspace(-5.0, 5.0, 4001))
    least = float(it.surface.loss_of(grid, flops / (6.0 * grid)).min())
    assert plan.loss <= least * (1.0 + 4e-16)


def test_enough_unique_tokens_change_nothing() -> None:
    """Until they are used up, the law is Chinchilla's form; the default has no repeats at all."""
    for flops in (1e18, 1e20, 1e22):
        free, ample = planner().plan({"flops": flops}), planner(1e14).plan({"flops": flops})
        assert free.relations["epochs"] == ample.relations["epochs"] == 1.0
        assert ample.params == pytest.approx(free.params, rel=1e-12)
        assert ample.loss == pytest.approx(free.loss, rel=1e-14)


def test_the_kink_where_repeats_begin() -> None:
    """From below to above the budget whose optimum is exactly U tokens, everything is continuous."""
    kink = planner().plan({"tokens": 1e11}).flops
    it = planner(1e11)
    below, at, above = (it.plan({"flops": kink * factor}) for factor in (1.0 - 1e-6, 1.0, 1.0 + 1e-6))
    assert below.params < at.params * (1.0 + 1e-7)
    assert above.params == pytest.approx(below.params, rel=1e-5)
    assert above.relations["epochs"] == pytest.approx(1.0, abs=1e-5)
    assert below.loss > at.loss > above.loss


@pytest.mark.parametrize("unique", [1e8, 1e9, 1e11])
def test_saturation(unique: float) -> None:
    """Up to 1e32 FLOPs: finite, never worse with more compute, and once flat always the same smallest N."""
    it = planner(unique)
    plans = [it.plan({"flops": 10.0**decade}) for decade in range(15, 33)]
    losses = [plan.loss for plan in plans]
    assert losses == sorted(losses, reverse=True)
    assert all(
        math.isfinite(value) and value > 0.0 for plan in plans for value in (plan.params, plan.tokens, plan.loss)
    )
    flat = [plan for plan in plans if plan.loss == losses[-1]]
    assert len(flat) >= 3
    for plan in flat[1:]:
        assert plan.params == pytest.approx(flat[-1].params, rel=1e-6)
        smaller = 0.98 * plan.params
        assert it.surface.loss_of(smaller, plan.flops / (6.0 * smaller)) >= plan.loss
    # the flat part is where the effective params have come within rounding of their limit
    limit = flat[-1].relations["unique_params"] * (1.0 + LAW.coefficients["R_N"])
    assert flat[-1].relations["effective_params"] == pytest.approx(limit, rel=1e-9)


def test_saturation_is_said() -> None:
    """Where more compute buys nothing, the answer says so; elsewhere it does not."""
    notes = planner(1e9).plan({"flops": 1e28}).notes
    assert any("more compute buys nothing" in note for note in notes)
    assert not any("buys nothing" in note for note in planner(1e9).plan({"flops": 1e20}).notes)


def test_saturation_in_arrays() -> None:
    """The same as one by one."""
    budgets = 10.0 ** np.arange(15.0, 33.0)
    it = planner(1e9)
    array = it.plan({"flops": budgets})
    each = [it.plan({"flops": float(flops)}) for flops in budgets]
    np.testing.assert_allclose(array.loss, [plan.loss for plan in each], rtol=1e-15)
    np.testing.assert_allclose(array.params, [plan.params for plan in each], rtol=1e-6)


def test_losses_that_repeats_cannot_reach() -> None:
    """The floor of 1e9 unique tokens, however much compute; with fewer params it is higher still."""
    it = planner(1e9)
    floor = it.frontier.irreducible
    assert floor == pytest.approx(float(exact_loss(1e14, 1e14, 1e9)), rel=1e-12)
    for loss in (floor, 0.5 * (floor + planner().frontier.irreducible)):
        with pytest.raises(NoAnswer, match="out of reach"):
            it.plan({"loss": loss})
    with pytest.raises(NoAnswer, match="no number of tokens takes"):
        it.plan({"params": 1e8, "loss": floor + 1e-3})
    with pytest.raises(NoAnswer, match="no number of params takes"):
        it.plan({"tokens": 1e9, "loss": floor + 1e-3})
    assert it.plan({"loss": floor + 1e-3}).flops < 1e22


def test_epochs_of_a_plan() -> None:
    """Passes over the unique tokens, and what they are worth: 40 epochs are worth less than 16."""
    plan = planner(1e10).plan({"params": 1e9, "tokens": 4e11})
    assert plan.relations["epochs"] == 40.0
    assert plan.relations["effective_tokens"] == pytest.approx(1e10 * (1 + 15.387756 * (1 - math.exp(-39 / 15.387756))))
    assert plan.waste > 0.0
