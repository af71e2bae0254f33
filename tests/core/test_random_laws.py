"""Laws nobody published: random losses and budgets, whose optimum a fine grid can confirm."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.plans import Planner
from scaling_cli.errors import NoAnswer

NUMBERS = {"A": (1.0, 5000.0), "p": (0.1, 0.6), "n": (1e6, 1e9), "k": (1e8, 1e12), "s": (0.01, 1.0), "m": (1e9, 1e12)}
TERMS = [  # each grows without bound towards nothing, so that an optimum lies between the ends
    "A / {0}**p", "s * log(1 + k / {0})", "A / min({0}, m)**p", "A / {0}**p + A / ({0} + n)**p",
]  # fmt: skip
FLOPS = [
    "6 * N * D", "6 * N * D + n * D", "6 * N**0.9 * D", "6 * N * D * (1 + 1e5 / N**0.5)", "6 * N * D + 30 * N**1.5",
    "6 * N * D + k * N",
]  # fmt: skip


@st.composite
def filled(draw: st.DrawFn, text: str) -> str:
    """A formula with a number in place of each letter of NUMBERS."""
    for letter, (low, high) in NUMBERS.items():
        number = math.exp(draw(st.floats(math.log(low), math.log(high))))
        text = " ".join(f"{number:.4g}" if word == letter else word for word in _words(text))
    return text


def _words(text: str) -> list[str]:
    for mark in ("**", "(", ")", ","):
        text = text.replace(mark, f" {mark} ")
    return text.split()


@st.composite
def laws(draw: st.DrawFn) -> Law:
    of_params, of_tokens = (draw(st.sampled_from(TERMS)).format(name) for name in "ND")
    loss = f"{draw(st.floats(0.5, 3.0)):.3f} + {draw(filled(of_params))} + {draw(filled(of_tokens))}"
    flops = draw(filled(draw(st.sampled_from(FLOPS))))
    return Law("mine", {"loss": Relation("loss", Formula(loss)), "flops": Relation("flops", Formula(flops))})


@settings(max_examples=60, deadline=None)
@given(laws(), st.floats(17.0, 26.0))
def test_the_optimum_of_any_law(law: Law, decade: float) -> None:
    """It spends the budget, nothing on a grid of 12 e-folds around it is better, and an array agrees."""
    it = Planner(law)
    flops = 10.0**decade
    array = it.plan({"flops": np.array([flops])})
    try:
        plan = it.plan({"flops": flops})
    except NoAnswer:
        assert np.isnan(array.params).all()
        return
    np.testing.assert_allclose(it.surface.flops(plan.params, plan.tokens), flops, rtol=1e-11)
    params = plan.params * np.exp(np.linspace(-6.0, 6.0, 3001))
    losses = it.surface.loss_of(params, it.surface.tokens_for(np.full_like(params, flops), params))
    assert plan.loss <= np.nanmin(losses) * (1.0 + 1e-12)
    np.testing.assert_allclose(array.loss, plan.loss, rtol=1e-12)
    for params in (0.5 * plan.params, 2.0 * plan.params):
        try:
            other = it.plan({"flops": flops, "params": params})
        except NoAnswer:
            continue  # so many params leave no tokens
        assert other.waste is None or 0.0 <= other.waste < 1.0
