"""The nearest amount that keeps a rule, on rules whose answer is known."""

import math
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scaling_cli.core.nearest import FARTHEST, TIMES, UNIT, Place, Search, away, away_loss, away_whole

POSITIVE = st.floats(1e-3, 1e30)


def nearest(over: Callable[[float], float], old: float, *, turns: bool = False) -> float | None:
    return Search(over, Place(old, over(old)), lambda new: away(new, old), turns=turns).nearest()


@given(POSITIVE, POSITIVE)
def test_amounts_are_rounded_away_from_what_is(new: float, old: float) -> None:
    rounded = away(new, old)
    assert rounded == pytest.approx(new, rel=0.011)
    assert rounded <= new * (1 + 1e-9) if new < old else rounded >= new * (1 - 1e-9)


@given(st.floats(1e-4, 1e4), st.floats(1e-4, 1e4))
def test_losses_and_whole_numbers_too(new: float, old: float) -> None:
    for rounded, unit in ((away_loss(new, old), 1e-4), (away_whole(new, old), 1.0)):
        assert abs(rounded - new) <= unit * (1 + 1e-6)
        assert rounded <= new * (1 + 1e-9) if new < old else rounded >= new * (1 - 1e-9)


@given(st.floats(-3.0, 3.0), POSITIVE, st.floats(1e-6, 5.0))
def test_a_power_law_is_met_to_the_last_shown_digit(exponent: float, old: float, beyond: float) -> None:
    assume(abs(exponent) > 0.1)
    assume(abs(beyond / exponent) < FARTHEST - UNIT)
    exact = old * math.exp(-beyond / exponent)
    found = nearest(lambda amount: exponent * math.log(amount / exact), old)
    assert found is not None
    assert min(found / away(exact, old), away(exact, old) / found) == pytest.approx(1.0, abs=1e-9)


def test_a_few_tries_are_enough_for_a_power_law() -> None:
    tried = []

    def over(amount: float) -> float:
        tried.append(amount)
        return math.log(amount / 3.7e9)

    assert nearest(over, 2e11) == 3.7e9
    assert len(tried) <= 3


@given(POSITIVE, st.booleans())
def test_no_amount_lies_beyond_the_factor(old: float, up: bool) -> None:
    side = 1.0 if up else -1.0
    edge = old * TIMES**side
    found = nearest(lambda amount: side * math.log(edge / amount) - 0.5 * UNIT, old)
    assert found is None or max(found / old, old / found) <= TIMES * (1 + 1e-9)
    assert nearest(lambda amount: side * math.log(edge / amount) + 0.5 * UNIT, old) is None


@pytest.mark.parametrize("new", [1e21, 1e25])
def test_the_factor_itself_is_reached(new: float) -> None:
    side = math.copysign(1.0, new - 1e23)
    over = lambda amount: max(side * math.log(new / amount), 0.0) if amount != new else -1e-12  # noqa: E731
    assert nearest(over, 1e23) == new


@given(st.floats(1e9, 1e13), st.floats(0.26, 0.99))
def test_a_number_with_a_floor_is_met_within_a_percent(old: float, share: float) -> None:
    """2 + (1e12 / D)**0.3: what lies above the floor is brought down to a share of itself."""
    loss = lambda tokens: 2.0 + (1e12 / tokens) ** 0.3  # noqa: E731
    limit = 2.0 + share * (loss(old) - 2.0)
    found = nearest(lambda tokens: math.log(loss(tokens) / limit), old)
    assert found is not None
    assert loss(found) <= limit
    exact = 1e12 / (limit - 2.0) ** (1.0 / 0.3)
    assert found == pytest.approx(exact, rel=0.011)


def test_below_a_floor_nothing_is_found() -> None:
    assert nearest(lambda tokens: math.log((2.0 + (1e12 / tokens) ** 0.3) / 1.99), 1e12) is None


def test_what_does_not_move_is_no_remedy() -> None:
    search = Search(lambda _: 0.1, Place(1e9, 0.1), lambda new: away(new, 1e9), turns=False)
    assert not search.moves
    assert search.nearest() is None


@given(st.floats(-4.0, 4.0), st.floats(0.05, 0.5))
@example(-2.171875, 0.05078125)
def test_a_valley_is_found_from_either_side(at: float, width: float) -> None:
    assume(abs(at) > 1.2 * width)
    found = nearest(lambda amount: (math.log(amount / 1e9) - at) ** 2 - width**2, 1e9, turns=True)
    assert found is not None
    assert abs(math.log(found / 1e9) - at) == pytest.approx(width, abs=0.012)


def test_a_valley_in_the_middle_of_the_search_is_found() -> None:
    """Both tries of the first golden section are as high as each other."""
    for at in (-1.2003085210453714, -1.2, 1.2):
        assert nearest(lambda amount, at=at: (math.log(amount / 1e9) - at) ** 2 - 0.0025, 1e9, turns=True) is not None


def test_a_valley_too_high_is_left() -> None:
    assert nearest(lambda amount: (math.log(amount / 1e9) - 3.0) ** 2 + 0.1, 1e9, turns=True) is None


def test_an_amount_without_an_answer_is_passed_by() -> None:
    """Beyond 1e11 there is no answer; the rule is kept from 8e10 on."""
    over = lambda amount: math.nan if amount > 1e11 else math.log(8e10 / amount) ** 3  # noqa: E731
    found = nearest(over, 1e10)
    assert found is not None
    assert 8e10 <= found <= 8.1e10
    assert nearest(lambda amount: math.nan if amount > 7e10 else math.log(8e10 / amount), 1e10) is None
