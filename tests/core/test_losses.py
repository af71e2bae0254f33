"""What a loss is made of, for every law that has one."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation, Variable
from scaling_cli.core.losses import Loss, predict_loss
from scaling_cli.errors import InputError, NoAnswer, ScalingError
from scaling_cli.files.catalogue import law_ids, load_law

LAWS = {law_id: load_law(law_id) for law_id in law_ids()}
WITH_LOSS = [law_id for law_id, law in LAWS.items() if "loss" in law.relations and not law.is_form]
CHINCHILLA = load_law("hoffmann-2022-approach-3-rounded")


def mine(loss: str) -> Law:
    return Law("mine", {"loss": Relation("loss", Formula(loss))})


@pytest.mark.parametrize("law_id", WITH_LOSS)
@settings(max_examples=20, deadline=None)
@given(st.floats(math.log(1e6), math.log(1e12)), st.floats(math.log(1e8), math.log(1e14)))
def test_the_parts_add_up(law_id: str, log_params: float, log_tokens: float) -> None:
    """Irreducible, due to params and due to tokens are the loss, and none is negative."""
    loss = predict_loss(LAWS[law_id], math.exp(log_params), math.exp(log_tokens), {})
    assert loss.irreducible + loss.loss_from_params + loss.loss_from_tokens == pytest.approx(loss.loss, rel=1e-14)
    assert loss.irreducible >= 0.0
    assert loss.loss_from_params >= -1e-14
    assert loss.loss_from_tokens >= -1e-14
    assert loss.flops > 0.0


def test_a_sum_by_hand() -> None:
    """Hoffmann et al. 2022, eq. 10, for Chinchilla itself: 70B params on 1.4T tokens."""
    loss = predict_loss(CHINCHILLA, 7e10, 1.4e12, {})
    assert loss.law == CHINCHILLA.id
    assert loss.flops == 6.0 * 7e10 * 1.4e12
    assert loss.irreducible == pytest.approx(1.69, rel=1e-12)
    assert loss.loss_from_params == pytest.approx(406.4 / 7e10**0.34, rel=1e-12)
    assert loss.loss_from_tokens == pytest.approx(410.7 / 1.4e12**0.28, rel=1e-12)
    assert round(loss.loss, 4) == 1.9366


def test_a_law_that_is_no_sum() -> None:
    """Kaplan et al. 2020, eq. 1.5: due to params is what infinite data leave."""
    loss = predict_loss(LAWS["kaplan-2020"], 1e9, 1e10, {})
    alone = (6.4e13 / 1e9) ** 0.076
    assert loss.irreducible == pytest.approx(0.0, abs=1e-9)
    assert loss.loss_from_params == pytest.approx(alone, rel=1e-9)
    assert loss.loss == pytest.approx(((6.4e13 / 1e9) ** (0.076 / 0.103) + 1.8e13 / 1e10) ** 0.103, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "given"), [("1.7 + 400 / N**0.3", {"params": 1e9}), ("1.7 + 400 / D**0.3", {"tokens": 1e9})]
)
def test_only_what_a_loss_rests_on_is_asked_for(text: str, given: dict[str, float]) -> None:
    both = {"params": 1e9, "tokens": 1e9}
    ask = {"params": None, "tokens": None, **given}
    loss, whole = (predict_loss(mine(text), each["params"], each["tokens"], {}) for each in (ask, both))
    assert loss == whole._replace(**{name: None for name in both if name not in given}, flops=None)
    with pytest.raises(InputError, match=f"mine needs --{next(iter(given))}\n"):
        predict_loss(mine(text), *(None if name in given else 1e9 for name in both), {})


@pytest.mark.parametrize(
    "law", [CHINCHILLA, mine("1.7 + 400 / C**0.05"), LAWS["muennighoff-2023"]], ids=lambda law: law.id
)
def test_of_both_or_of_compute_both_are_asked_for(law: Law) -> None:
    for params, tokens in ((1e9, None), (None, 1e9), (None, None)):
        with pytest.raises(InputError, match=f"{law.id} needs --params and --tokens") as caught:
            predict_loss(law, params, tokens, {})
        assert caught.value.hints == ("such as --params 70B --tokens 1.4T",)


SCALED = Law(
    "scaled",
    {"loss": Relation("loss", Formula("1.5 + 100 / x**0.5 + y"))},
    variables={"x": Variable("x", default=Formula("D")), "y": Variable("y", default=0.0)},
)


@pytest.mark.parametrize("tokens", [None, 1e9])
def test_a_setting_that_replaces_a_default_of_tokens_asks_for_none(tokens: float | None) -> None:
    loss = predict_loss(SCALED, None, tokens, {"x": 1e4})
    assert (loss.loss, loss.irreducible, loss.flops) == (2.5, None, None)
    assert loss.notes == ("scaled: what is set decides its loss, which has no parts of N and D",)


def test_a_setting_beside_it_asks_for_them_still() -> None:
    with pytest.raises(InputError, match="scaled needs --tokens"):
        predict_loss(SCALED, None, None, {"y": 0.5})


@pytest.mark.parametrize("given", [{}, {"x": 1e6}])
def test_a_form_says_first_that_it_is_one(given: dict[str, float]) -> None:
    """Caballero et al. 2022 print no constants."""
    with pytest.raises(NoAnswer, match="caballero-2022 is a form"):
        predict_loss(LAWS["caballero-2022"], None, None, given)


def test_a_limit_that_infinity_itself_does_not_have() -> None:
    """Muennighoff et al. 2023: inf / inf epochs at infinite tokens; the limit is E = exp(0.6254804)."""
    loss = predict_loss(LAWS["muennighoff-2023"], 1e9, 1e11, {})
    assert loss.irreducible == pytest.approx(math.exp(0.6254804), rel=1e-15)
    assert loss.loss_from_params == pytest.approx(math.exp(6.255414) / 1e9**0.3526596, rel=1e-12)


def test_a_law_without_tokens() -> None:
    """Nothing is due to them."""
    loss = predict_loss(LAWS["clark-2022-dense"], 1e9, 1.3e11, {})
    assert loss.loss_from_tokens == 0.0
    assert loss.loss_from_params == loss.loss


@pytest.mark.parametrize("law_id", ["brown-2020", "hoffmann-2022-approach-2", "zhang-2024"])
def test_laws_without_a_loss(law_id: str) -> None:
    """NoAnswer that says where to look."""
    with pytest.raises(NoAnswer, match=f"{law_id} has no loss of params and tokens") as caught:
        predict_loss(LAWS[law_id], 1e9, 1e11, {})
    assert caught.value.hints == ("`scaling laws` lists what each law relates",)


def test_forms() -> None:
    """A form has no loss to predict."""
    with pytest.raises(NoAnswer, match="caballero-2022 is a form"):
        predict_loss(LAWS["caballero-2022"], 1e9, 1e11, {})


@pytest.mark.parametrize(
    "loss", ["N * 1e-9 + D * 1e-9", "20 - 0.1 * log(N) + 410 / D**0.28", "1.7 + 1 / N**0.3 + log(D)"]
)
def test_a_loss_without_a_floor(loss: str) -> None:
    """Where infinite params or tokens have no finite loss, no parts are made up."""
    try:
        found = predict_loss(mine(loss), 1e9, 1e10, {})
    except NoAnswer:
        return
    assert found.loss is not None
    assert found.irreducible is None or 0.0 <= found.irreducible <= found.loss
    assert found.loss_from_params is None or found.loss_from_params >= 0.0


@pytest.mark.parametrize(("params", "tokens"), [(1e300, 1e300), (math.inf, 1e10), (1e9, math.inf)])
def test_overflow(params: float, tokens: float) -> None:
    """Said, not returned as infinity."""
    with pytest.raises(ScalingError):
        predict_loss(CHINCHILLA, params, tokens, {})


@pytest.mark.parametrize(
    ("params", "tokens"), [(-1.0, 1e10), (0.0, 1e10), (1e9, 0.0), (math.nan, 1e10), (1e9, -1e10), (0, 1)]
)
def test_what_is_no_count(params: float, tokens: float) -> None:
    """The value is wrong, as it is in a plan: InputError that names it."""
    with pytest.raises(InputError, match="params is|tokens is"):
        predict_loss(CHINCHILLA, params, tokens, {})


def test_integers() -> None:
    """The same as floats, for a law with min and max too."""
    for law_id in ("hoffmann-2022", "muennighoff-2023", "kumar-2024"):
        assert predict_loss(LAWS[law_id], 10**9, 10**10, {}) == predict_loss(LAWS[law_id], 1e9, 1e10, {})


def test_settings_and_ranges() -> None:
    """Variables reach the formula; the range of the loss relation alone is noted."""
    free = predict_loss(LAWS["muennighoff-2023"], 1e9, 1e11, {})
    limited = predict_loss(LAWS["muennighoff-2023"], 1e9, 1e11, {"U": 1e9})
    assert limited.loss > free.loss
    assert limited.outside == free.outside == ()
    with pytest.raises(InputError, match="muennighoff-2023 has no variable unique"):
        predict_loss(LAWS["muennighoff-2023"], 1e9, 1e11, {"unique": 1e9})
    far: Loss = predict_loss(LAWS["muennighoff-2023"], 1.8e10, 1e11, {})
    assert far.outside == ("muennighoff-2023: outside the experimented range: params 2x above 9B",)
