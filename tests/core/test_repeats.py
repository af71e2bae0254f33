"""Limited data for laws that say nothing of it: Muennighoff et al. 2023, by their decay constants."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.budgets import decay
from scaling_cli.core.laws import Law
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.surface import Surface
from scaling_cli.files.catalogue import load_law

LAW = load_law("muennighoff-2023")
BARE = """
id: bare
relations:
  loss:
    formula: exp(ln_E) + exp(ln_A) / N**alpha + exp(ln_B) / D**beta
    coefficients: {{ln_E: {ln_E}, ln_A: {ln_A}, ln_B: {ln_B}, alpha: {alpha}, beta: {beta}}}
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Law:
    """Their law without what it says of repeats."""
    path = tmp_path_factory.mktemp("laws") / "bare.yaml"
    path.write_text(BARE.format(**LAW.coefficients), encoding="utf-8")
    return load_law(str(path))


@settings(max_examples=60)
@given(st.floats(6.0, 13.0), st.floats(7.0, 16.0), st.floats(8.0, 14.0))
def test_on_their_own_constants_it_is_their_law(bare: Law, params: float, tokens: float, unique: float) -> None:
    """Effective params and tokens in a law without repeats give what the law with U gives."""
    mine = RepeatedSurface(bare, {}, unique_tokens=10.0**unique, decay=decay())
    theirs = Surface(LAW, {"U": 10.0**unique})
    assert mine.loss(10.0**params, 10.0**tokens) == pytest.approx(theirs.loss(10.0**params, 10.0**tokens), rel=1e-9)


def test_the_constants_are_theirs() -> None:
    """R_D = 15.39 and R_N = 5.31 (Muennighoff et al. 2023, section 3.2)."""
    assert decay() == Decay(pytest.approx(15.39, abs=0.005), pytest.approx(5.31, abs=0.005))


@pytest.mark.parametrize("law", ["hoffmann-2022", "besiroglu-2024-refit", "kaplan-2020", "krajewski-2024"])
def test_repeats_are_worth_less_and_fresh_tokens_all(law: str) -> None:
    """No loss below that of unlimited data; the same where nothing is repeated and params are fed."""
    plain = Surface(load_law(law), {})
    limited = RepeatedSurface(load_law(law), {}, unique_tokens=1e11, decay=decay())
    params, tokens = np.meshgrid(10.0 ** np.linspace(6, 13, 60), 10.0 ** np.linspace(8, 15, 60))
    assert (limited.loss_of(params, tokens) >= plain.loss_of(params, tokens) * (1.0 - 1e-15)).all()
    small = 0.5 * float(limited.fed)
    assert limited.loss_of(small, 1e11) == pytest.approx(plain.loss_of(small, 1e11), rel=1e-15)
    assert limited.effective_tokens(4e11) == pytest.approx(3.7e11, rel=0.01)
    assert limited.effective_tokens(math.inf) == pytest.approx(1e11 * (1.0 + decay().tokens))


def test_params_fed_are_those_of_the_laws_own_frontier() -> None:
    """20.2 tokens per param for the split that Hoffmann et al. state; by the loss where a law states none."""
    stated = RepeatedSurface(load_law("hoffmann-2022"), {}, unique_tokens=2.02e11, decay=decay())
    assert stated.fed == pytest.approx(1e10, rel=0.01)
    by_loss = Surface(load_law("besiroglu-2024"), {})
    flops = 1e22
    params = by_loss.optimal_params(flops)
    fed = RepeatedSurface(by_loss.law, {}, unique_tokens=by_loss.tokens_for(flops, params), decay=decay()).fed
    assert fed == pytest.approx(params, rel=1e-9)


def test_several_amounts_of_data_at_once() -> None:
    """An array of U is a surface for each."""
    unique = np.array([1e10, 1e11, 1e12])
    both = RepeatedSurface(load_law("krajewski-2024"), {}, unique_tokens=unique, decay=decay())
    each = [RepeatedSurface(both.law, {}, unique_tokens=float(u), decay=decay()).loss(1e10, 5e11) for u in unique]
    np.testing.assert_allclose(both.loss_of(np.full(3, 1e10), 5e11), each, rtol=1e-12)
