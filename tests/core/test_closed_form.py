"""The split without a search: the same as the search wherever it speaks, and silent on every other form."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.closed_form import Monomial, PowerSplit, power_split
from scaling_cli.core.duals import exp, log
from scaling_cli.core.formulas import compile_tree, parse
from scaling_cli.core.search import find_minimum

SIX_ND = "6 * N * D"
ADDITIVE = "{E} + {A} / N**{alpha} + {B} / D**{beta}"
COVERED = {
    "additive": (ADDITIVE, SIX_ND),
    "terms in another order": ("{B} / D**{beta} + {A} / N**{alpha} + {E}", SIX_ND),
    "floor in the middle": ("{B} / D**{beta} + ({E} + {A} / N**{alpha})", SIX_ND),
    "negative powers": ("{E} + {A} * N**-{alpha} + D**-{beta} * {B}", SIX_ND),
    "scaled counts": ("{E} + ({A} / N)**{alpha} + ({B} * 1e3 / D)**{beta}", SIX_ND),
    "a power of the sum": ("({A} / N**{alpha} + {B} / D**{beta})**0.3", SIX_ND),
    "a floor under a power": ("{E} + ({A} / N**{alpha} + {B} / D**{beta})**2", SIX_ND),
    "a power of a power": ("(({A} / N**{alpha} + {B} / D**{beta} + {E})**0.5)**3", SIX_ND),
    "Kaplan": ("(({A} * 1e11 / N)**({alpha} / {beta}) + {B} * 1e11 / D)**{beta}", SIX_ND),
    "flops per token": (ADDITIVE, "2.5 * (N * D)"),
    "powers in flops": (ADDITIVE, "6 * N**1.1 * D**0.9"),
    "quotient in flops": (ADDITIVE, "D * (6 * N) / 16 * 8"),
    "root in flops": (ADDITIVE, "(6 * N * D**2)**0.5"),
}


def searched(loss: str, flops: str, budget: float) -> float:
    """Minimise loss(N, D) on the curve flops(N, D) = budget, where flops is a product of powers."""
    of, cost = compile_tree(parse(loss)), compile_tree(parse(flops))
    scale = cost({"N": 1.0, "D": 1.0})
    n, d = (math.log(cost({"N": 1.0, "D": 1.0} | {name: math.e}) / scale) for name in ("N", "D"))

    def isoflop(x: Any) -> Any:
        tokens = exp((math.log(budget / scale) - n * x) / d)
        return of({"N": exp(x), "D": tokens})

    best = find_minimum(isoflop, -60.0, 160.0)
    assert best is not None
    return best


COEFFICIENT = st.floats(1.0, 5000.0)
EXPONENT = st.floats(0.1, 1.0)


@pytest.mark.parametrize("form", COVERED)
@settings(max_examples=25, deadline=None)
@given(A=COEFFICIENT, B=COEFFICIENT, E=st.floats(0.0, 3.0), alpha=EXPONENT, beta=EXPONENT, decade=st.floats(14.0, 26.0))
def test_agrees_with_the_search(form: str, decade: float, **constants: float) -> None:
    """To 1e-9 in params, for coefficients of any law of the field, over twelve orders of magnitude."""

    def written(**values: float) -> list[str]:
        return [text.format(**{name: repr(value) for name, value in values.items()}) for text in COVERED[form]]

    loss, flops = written(**constants)
    split = power_split(parse(loss), parse(flops))
    assert split is not None
    budget = 10.0**decade
    loss, flops = written(**constants | {"E": 0.0})  # the floor moves no split, and hides the minimum from a search
    assert abs(log(split.params(budget)) - searched(loss, flops, budget)) <= 1e-9


def test_hoffmann_by_hand() -> None:
    """Hoffmann et al. 2022, eq. 4: G = (alpha A / (beta B))**(1 / (alpha + beta)), N = G (C / 6)**a."""
    split = power_split(parse("1.69 + 406.4 / N**0.34 + 410.7 / D**0.28"), parse(SIX_ND))
    assert split is not None
    prefactor = (0.34 * 406.4 / (0.28 * 410.7)) ** (1.0 / 0.62)
    assert split.exponent == pytest.approx(0.28 / 0.62, rel=1e-15)
    assert split.params(6e20) == pytest.approx(prefactor * 1e20 ** (0.28 / 0.62), rel=1e-14)


def test_a_split_is_a_power_law() -> None:
    """Its two numbers are what they say."""
    assert PowerSplit(2.0, 0.5).params(16.0) == 8.0
    assert Monomial(3.0, 1.0, -2.0)._asdict() == {"coefficient": 3.0, "params": 1.0, "tokens": -2.0}


NOT_COVERED = [
    ("1.7", SIX_ND),
    ("1.7 + 400 / N**0.3", SIX_ND),
    ("1.7 + 400 / D**0.3", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / N**0.2", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2 + 1 / D", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / (N * D)**0.2", SIX_ND),
    ("1.7 + 400 / (N**0.3 * D**0.1) + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 / N**0.3 * D**0.1 + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 * N**0.3 + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 / N**0 + 410 / D**0.2", SIX_ND),
    ("1.7 + -400 / N**0.3 + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 / N**0.3 - 410 / D**0.2", SIX_ND),
    ("1.7 + 0 * N + 410 / D**0.2", SIX_ND),
    ("(400 / N**0.3 + 410 / D**0.2)**-1", SIX_ND),
    ("(400 / N**0.3 + 410 / D**0.2)**0", SIX_ND),
    ("(400 / N**0.3 + 410 / D**0.2)**N", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / min(D, 1e11)**0.2", SIX_ND),
    ("max(1.7, 400 / N**0.3 + 410 / D**0.2)", SIX_ND),
    ("exp(400 / N**0.3 + 410 / D**0.2)", SIX_ND),
    ("1.7 + 400 / N**(0.3 + 0 * D) + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 / 2**N + 410 / D**0.2", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2 + 1 / C", SIX_ND),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "6 * N * D + 1e9 * D"),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "6 * N"),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "6 * N * D**-1"),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "6 * N * log(D)"),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "-6 * N * D"),
    ("1.7 + 400 / N**0.3 + 410 / D**0.2", "(-6 * N * D)**3"),
]


@pytest.mark.parametrize(("loss", "flops"), NOT_COVERED)
def test_other_forms_are_left_to_the_search(loss: str, flops: str) -> None:
    """None, never a split that is nearly right."""
    assert power_split(parse(loss), parse(flops)) is None


@pytest.mark.parametrize(
    "loss",
    [
        "1.7 + (1e300 / N)**2 + 410 / D**0.2",
        "1.7 + 400 / N**0.001 + 1 / D**0.001",
        "1.7 + 1e300 / N**0.3 + 1e-300 / D**0.2",
        "1.7 + 1e-300 / N**0.01 + 1e300 / D**0.01",
    ],
)
def test_constants_that_overflow_are_left_to_the_search(loss: str) -> None:
    """A split that a double cannot hold is none."""
    split = power_split(parse(loss), parse(SIX_ND))
    assert split is None or (0.0 < split.prefactor < math.inf and 0.0 < split.exponent < 1.0)
