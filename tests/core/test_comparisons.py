"""One question to several laws: what each says, what a factor of ten buys, and where they disagree."""

import math

import pytest

from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import Spread, climb, mark, plan_laws, predict_losses, spreads
from scaling_cli.core.digits import digit_effects, half_unit, reference_flops
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import load_law

CHINCHILLA, OPENAI, BROWN, ZHANG = map(load_law, ("chinchilla", "openai", "brown-2020", "zhang-2024"))
MUENNIGHOFF, DIT = load_law("muennighoff-2023"), load_law("dit-2024")


def test_a_ladder() -> None:
    """Budgets ten times apart; the growth is that of the exponents, the gain that of the next rung."""
    rungs = climb([CHINCHILLA, OPENAI], 1e21, 2, {})
    assert [(rung.plan.law, rung.plan.flops) for rung in rungs] == [
        (law.id, pytest.approx(flops, rel=1e-15)) for law in (CHINCHILLA, OPENAI) for flops in (1e21, 1e22, 1e23)
    ]
    for rung in rungs[:3]:
        assert rung.params_growth == pytest.approx(10**0.5, rel=1e-12)
        assert rung.tokens_growth == pytest.approx(10**0.5, rel=1e-12)
    for rung in rungs[3:]:
        assert rung.params_growth == pytest.approx(10**0.73, rel=1e-12)
        assert rung.tokens_growth == pytest.approx(10**0.27, rel=1e-12)
    assert rungs[0].loss_gain == pytest.approx(rungs[0].plan.loss - rungs[1].plan.loss, rel=1e-12)
    assert rungs[0].loss_gain > rungs[1].loss_gain > rungs[2].loss_gain > 0.0


def test_no_step_at_all() -> None:
    """One budget still says what the next ten times would buy."""
    (rung,) = climb([CHINCHILLA], 1e21, 0, {})
    assert rung.plan.flops == 1e21
    assert rung.params_growth == pytest.approx(10**0.5)


def test_a_law_without_a_split_in_a_ladder() -> None:
    """Its loss is there, its growth is not."""
    (rung,) = climb([BROWN], 1e21, 0, {})
    assert rung.params_growth is rung.tokens_growth is None
    assert rung.loss_gain > 0.0


def test_laws_that_cannot_answer() -> None:
    """They keep their place and say why; when none can, the first one's reason is raised."""
    chinchilla, zhang = plan_laws([CHINCHILLA, ZHANG], {"flops": 1e21}, {})
    assert chinchilla.answered
    assert not zhang.answered
    assert (zhang.law, zhang.flops, zhang.params, zhang.loss) == ("zhang-2024", 1e21, None, None)
    assert zhang.notes == ("zhang-2024 states no optimal split",)
    with pytest.raises(NoAnswer, match="zhang-2024 states no optimal split"):
        plan_laws([ZHANG], {"flops": 1e21}, {})
    one, other = predict_losses([ZHANG, CHINCHILLA], 1e9, 1e11, {})
    assert (one.params, one.tokens, one.loss, one.answered) == (1e9, 1e11, None, False)
    assert other.loss > 2.0


def test_wrong_questions_are_not_swallowed() -> None:
    """What no law could answer is the asker's error."""
    with pytest.raises(InputError, match="3 knowns"):
        plan_laws([CHINCHILLA, OPENAI], {"flops": 1e21, "params": 1e9, "tokens": 1e11}, {})
    with pytest.raises(InputError, match="flops is"):
        plan_laws([CHINCHILLA, OPENAI], {"flops": -1.0}, {})


def test_settings_reach_the_laws_that_declare_them() -> None:
    """A variable of none of them is refused, with those that there are."""
    limited, chinchilla = plan_laws([MUENNIGHOFF, CHINCHILLA], {"flops": 1e22}, {"U": 1e9})
    assert limited.relations["epochs"] > 10.0
    assert chinchilla.params == plan_laws([CHINCHILLA], {"flops": 1e22}, {})[0].params
    with pytest.raises(InputError, match="no chosen law has a variable u") as caught:
        plan_laws([MUENNIGHOFF, OPENAI], {"flops": 1e22}, {"u": 1e9})
    assert caught.value.hints[0].startswith("their variables: ")
    assert "U" in caught.value.hints[0].split(": ")[1].split(", ")


def test_spreads() -> None:
    """Like with like: by domain and by what N counts; least, median and largest."""
    laws = [CHINCHILLA, load_law("besiroglu-2024"), load_law("hoffmann-2022-approach-2"), OPENAI, DIT, ZHANG]
    plans = plan_laws(laws, {"flops": 1e22}, {})
    found = {(spread.params_kind, spread.domain): spread for spread in spreads(laws, plans)}
    assert set(found) == {("total", "text"), ("non_embedding", "text"), (DIT.params_kind, DIT.domain)}
    three = sorted(plan.params for plan in plans[:3])
    assert found["total", "text"] == Spread(1e22, "total", "text", 3, *three)
    assert found["non_embedding", "text"].laws == 1
    two = [Plan("hoffmann-2022", 1e22, 1e9), Plan("besiroglu-2024", 1e22, 3e9)]
    assert spreads(laws, two) == [Spread(1e22, "total", "text", 2, 1e9, 2e9, 3e9)]
    assert spreads(laws, []) == []


def test_marks() -> None:
    """Relations that no published figure reaches are named beside the answers that rest on them."""
    abnar = load_law("abnar-2025")
    (plan,) = plan_laws([abnar], {"flops": 1e21}, {})
    assert mark(abnar, plan) == ("abnar-2025: loss transcribed, not reproduced by any published figure",)
    assert mark(abnar, plan)[0] in plan.notes
    assert mark(OPENAI, plan_laws([OPENAI], {"flops": 1e21}, {})[0]) == ()


# digits


@pytest.mark.parametrize(
    ("text", "half"),
    [
        *(("406.4", 0.05), ("8.8e13", 5e11), ("20", 0.5), ("-0.082", 0.0005), ("1.000e9", 5e5), ("5e-1", 0.05)),
        *((".34", 0.005), ("1E+9", 5e8), ("+2.0", 0.05), ("3.", 0.5)),
    ],
)
def test_half_a_unit_of_the_last_digit(text: str, half: float) -> None:
    """As printed, exponent and trailing zeros included."""
    assert half_unit(text) == pytest.approx(half, rel=1e-12)


def test_how_far_digits_move_the_optimum() -> None:
    """Two digits in the exponents of Chinchilla's approach 3 move its optimum by a tenth and more; E moves nothing."""
    law = load_law("hoffmann-2022-approach-3-rounded")
    effects = {effect.constant: effect for effect in digit_effects(law)}
    assert set(effects) == {"A", "B", "alpha", "beta"}
    assert reference_flops(law) == 3e21
    for effect in effects.values():
        middle = plan_laws([law], {"flops": effect.flops}, {})[0].params
        assert min(effect.low, effect.high) < middle < max(effect.low, effect.high)
        assert effect.change == pytest.approx(abs(effect.high - effect.low) / middle)
    assert effects["alpha"].change > 0.1 > 0.001 > effects["A"].change > 0.0
    assert math.isfinite(sum(effect.change for effect in digit_effects(OPENAI)))
