"""The library and the command line have the same powers: same questions, same answers, same errors."""

import io
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scaling_cli
from scaling_cli import FileError, InputError, NoAnswer, ScalingError
from scaling_cli.cli.app import main

Ask = Callable[..., dict[str, Any]]
LAWS = [
    *(
        "chinchilla",
        "hoffmann-2022-approach-3",
        "openai",
        "besiroglu-2024",
        "deepseek-2024",
        "llama3-2024",
        "kumar-2024",
    ),
    *("cerebras-2023", "brown-2020", "dit-2024", "krajewski-2024", "ludziejewski-2025", "henighan-2020-language"),
]
FRONTIER = [law for law in LAWS if law != "brown-2020"]
SURFACES = [law for law in LAWS if "loss" in scaling_cli.load_law(law).relations]
VALUES = {"flops": "1e22", "params": "7B", "tokens": "300 billion", "loss": "3.1"}
NUMBERS = {"flops": 1e22, "params": 7e9, "tokens": 3e11, "loss": 3.1}
QUESTIONS = [("flops",), ("params",), ("loss",), ("flops", "params"), ("params", "tokens"), ("params", "loss")]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command and return its JSON, with its exit code beside."""

    def run(*argv: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv, "--format", "json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return {**json.loads(out or "{}"), "exit": code, "error": err}

    return run


def as_json(answer: Any) -> dict[str, Any]:
    """An answer as its row in JSON should be: null for what is not finite, the reasons in notes."""
    row = answer._asdict()
    row["notes"] = [*answer.notes, *answer.outside]
    row["relations"] = dict(row["relations"]) if "relations" in row else None
    row["prices"] = [price._asdict() for price in row.get("prices", ())]
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def assert_row(row: dict[str, Any], answer: Any, *, more: tuple[str, ...] = ()) -> None:
    expected = as_json(answer)
    shared = [key for key in row if key not in ("params_kind", "domain", *more)]
    assert {"law", "flops", "params", "tokens", "loss", "notes"} <= set(shared)
    for key in shared:
        assert row[key] == expected[key], key


# the same answers


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("question", QUESTIONS, ids="-".join)
def test_plan(ask: Ask, law: str, question: tuple[str, ...]) -> None:
    """`scaling plan` and `plan`, in numbers and in text; where one has no answer, the other has none."""
    texts, numbers = ({name: of[name] for name in question} for of in (VALUES, NUMBERS))
    told = ask("plan", "--law", law, *(part for name in question for part in (f"--{name}", texts[name])))
    if told["exit"] != 0:
        for known in (numbers, texts):
            with pytest.raises(ScalingError) as caught:
                scaling_cli.plan(law, **known)
            assert told["exit"] == caught.value.exit_code
            assert f"error: {caught.value}" in told["error"]
        return
    answer = scaling_cli.plan(law, **numbers)
    assert told["schema"] == "scaling.plan/1"
    assert len(told["rows"]) == 1
    assert_row(told["rows"][0], answer)
    assert repr(scaling_cli.plan(law, **texts)) == repr(answer)


@pytest.mark.parametrize("law", SURFACES)
def test_loss(ask: Ask, law: str) -> None:
    """`scaling loss` and `predict_loss`."""
    told = ask("loss", "--law", law, "--params", "7B", "--tokens", "0.3T")
    answer = scaling_cli.predict_loss(law, params=7e9, tokens=3e11)
    assert told["schema"] == "scaling.loss/1"
    assert_row(told["rows"][0], answer)
    assert scaling_cli.predict_loss(law, params="7B", tokens="300B") == answer
    assert answer.loss == pytest.approx(scaling_cli.plan(law, params=7e9, tokens=3e11).loss, rel=1e-15)


def test_variables(ask: Ask) -> None:
    """`--set` and `settings`."""
    told = ask("plan", "--law", "muennighoff-2023", "--flops", "1e23", "--set", "U=1e11")
    assert_row(told["rows"][0], scaling_cli.plan("muennighoff-2023", flops=1e23, settings={"U": 1e11}))
    told = ask("loss", "--law", "muennighoff-2023", "--params", "1e9", "--tokens", "1e12", "--set", "U=1e11")
    answer = scaling_cli.predict_loss("muennighoff-2023", params=1e9, tokens=1e12, settings={"U": 1e11})
    assert_row(told["rows"][0], answer)


@pytest.mark.parametrize(
    "laws", [["chinchilla"], ["openai", "chinchilla"], ["besiroglu-2024", "dit-2024", "zhang-2024"]]
)
def test_compare(ask: Ask, laws: list[str]) -> None:
    """`scaling compare` and `compare`: every rung of every law."""
    told = ask("compare", "--flops", "1e21", "--decades", "2", *(part for law in laws for part in ("--law", law)))
    rungs = scaling_cli.compare(laws, flops="1e21", decades=2)
    assert len(told["rows"]) == len(rungs) == 3 * len(laws)
    growth = ("params_growth", "tokens_growth", "loss_gain")
    by_rung = {(row["law"], row["flops"]): row for row in told["rows"]}
    for rung in rungs:
        row = by_rung[rung.plan.law, rung.plan.flops]
        assert_row(row, rung.plan, more=growth)
        assert [row[key] for key in growth] == [getattr(rung, key) for key in growth]


def test_compare_everything() -> None:
    """ "all" is every law with constants; one that cannot answer says why and keeps its place."""
    rungs = scaling_cli.compare("all", flops=1e21, decades=0)
    ids = [rung.plan.law for rung in rungs]
    assert ids == [law_id for law_id in scaling_cli.law_ids() if not scaling_cli.load_law(law_id).is_form]
    for rung in rungs:
        assert rung.plan.answered or rung.plan.notes
        if rung.params_growth is not None and rung.tokens_growth is not None:
            assert rung.params_growth > 1.0


@pytest.mark.parametrize("law", ["chinchilla", "openai", "besiroglu-2024", "clark-2022-s-base", "abnar-2025"])
def test_check(ask: Ask, law: str) -> None:
    """`scaling laws check` and `check_law`."""
    told = ask("laws", "check", law)
    verdicts = scaling_cli.check_law(law)
    assert len(told["rows"]) == len(verdicts)
    for row, verdict in zip(told["rows"], verdicts, strict=True):
        assert (row["relation"], row["kind"], row["where"]) == verdict.figure[0:1] + (
            verdict.figure.kind,
            verdict.figure.where,
        )
        assert (row["expected"], row["tolerance"]) == (verdict.figure.expect, verdict.figure.tolerance)
        assert (row["got"], row["difference"], row["verdict"]) == (verdict.got, verdict.difference, verdict.word)
    assert told["exit"] == (0 if all(verdict.holds for verdict in verdicts) else 1)


def test_laws(ask: Ask) -> None:
    """`scaling laws` and `law_ids`."""
    assert [row["id"] for row in ask("laws")["rows"]] == scaling_cli.law_ids()


def test_load_law(tmp_path: Any) -> None:
    """By id, alias, file, or as it is."""
    law = scaling_cli.load_law("chinchilla")
    assert law.id == "hoffmann-2022"
    path = tmp_path / "half.yaml"
    path.write_text("{a: 0.5, b: 0.5, anchor: {flops: 6e18, params: 1e9}}")
    for mine in (str(path), scaling_cli.load_law(str(path))):
        assert scaling_cli.plan(mine, flops=6e20).params == pytest.approx(1e10)
        assert scaling_cli.compare(mine, flops=6e20, decades=1)[0].params_growth == pytest.approx(10**0.5)
        assert scaling_cli.check_law(mine) == []


# arrays


@pytest.mark.parametrize("law", FRONTIER)
def test_arrays(law: str) -> None:
    """An array is the floats in it."""
    flops = np.array([1e20, 1e21, 1e22])
    array = scaling_cli.plan(law, flops=flops)
    each = [scaling_cli.plan(law, flops=float(value)) for value in flops]
    np.testing.assert_allclose(array.params, [plan.params for plan in each], rtol=1e-9)
    np.testing.assert_allclose(array.tokens, [plan.tokens for plan in each], rtol=1e-9)
    np.testing.assert_array_equal(array.flops, flops)


@pytest.mark.parametrize("law", SURFACES)
def test_arrays_of_losses(law: str) -> None:
    """predict_loss takes them too, and text beside them."""
    params = np.array([1e9, 7e9, 7e10])
    array = scaling_cli.predict_loss(law, params=params, tokens="1T")
    each = [scaling_cli.predict_loss(law, params=float(value), tokens=1e12) for value in params]
    for name in ("loss", "irreducible", "loss_from_params", "loss_from_tokens", "flops"):
        found = np.broadcast_to(getattr(array, name), params.shape)
        np.testing.assert_allclose(found, [getattr(loss, name) for loss in each], rtol=1e-9, atol=1e-12)


def test_text_beside_an_array() -> None:
    """Knowns of both kinds broadcast together."""
    plan = scaling_cli.plan("chinchilla", flops="1e22", params=np.array([1e9, 1e10]))
    assert plan.tokens == pytest.approx([1e22 / 6e9, 1e22 / 6e10])
    assert plan.waste.shape == (2,)


# errors


WRONG: list[Any] = [None, 3, [], b"chinchilla"]  # things that are no law


def ask_any(**asked: Any) -> object:
    return scaling_cli.plan("chinchilla", flops=1e21, **asked)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: scaling_cli.plan("chinchila", flops=1e21), InputError, "no law has the preset name 'chinchila'"),
        (lambda: scaling_cli.plan("/nowhere/law.yaml", flops=1e21), FileError, "no such file"),
        (lambda: scaling_cli.plan("chinchilla"), InputError, "nothing is known"),
        (lambda: scaling_cli.plan("chinchilla", flops="abc"), InputError, "flops is 'abc'"),
        (lambda: scaling_cli.plan("chinchilla", flops=-1), InputError, "flops is -1"),
        (lambda: scaling_cli.plan("chinchilla", flops="-1"), InputError, "flops is '-1'"),
        (lambda: scaling_cli.plan("chinchilla", flop=1e21), InputError, "flop"),
        (lambda: scaling_cli.plan("chinchilla", flops=1e21, param=1e9), InputError, "param"),
        (lambda: scaling_cli.plan("chinchilla", flops=1e21, params=1e9, tokens=1e9), InputError, "3 knowns"),
        (lambda: scaling_cli.plan("chinchilla", flops=1e21, settings={"U": 1.0}), InputError, "has no variable U"),
        (lambda: scaling_cli.plan("besiroglu-2024", loss=1.0), NoAnswer, "out of reach"),
        (lambda: scaling_cli.plan("zhang-2024", flops=1e21), NoAnswer, "states no optimal split"),
        (lambda: scaling_cli.plan("caballero-2022", flops=1e21), NoAnswer, "is a form"),
        (lambda: scaling_cli.predict_loss("brown-2020", params=1e9, tokens=1e9), NoAnswer, "has no loss of params and"),
        (lambda: scaling_cli.predict_loss("chinchilla", params=-1.0, tokens=1e9), InputError, "params is -1.0"),
        (lambda: scaling_cli.predict_loss("chinchilla", params="many", tokens=1e9), InputError, "params is 'many'"),
        (
            lambda: scaling_cli.predict_loss("chinchilla", params=1e9, tokens=1e9, settings={"x": 1.0}),
            InputError,
            "variable x",
        ),
        (lambda: scaling_cli.compare("chinchilla", flops=0.0), InputError, "flops is 0.0"),
        (lambda: scaling_cli.compare("chinchilla", flops="much"), InputError, "flops is 'much'"),
        (lambda: scaling_cli.compare("chinchilla", flops=1e21, decades=-1), InputError, "decades is -1"),
        (lambda: scaling_cli.compare("chinchilla", flops=1e21, decades=10_000), InputError, "decades is 10000"),
        (lambda: scaling_cli.compare([], flops=1e21), InputError, "no law"),
        (lambda: scaling_cli.compare(["zhang-2024"], flops=1e21), NoAnswer, "states no optimal split"),
        (lambda: scaling_cli.compare("chinchilla", flops=1e21, settings={"x": 1.0}), InputError, "has a variable x"),
        (lambda: scaling_cli.check_law("nobody-2099"), InputError, "no law has the preset name"),
        (lambda: scaling_cli.load_law(""), InputError, "no law has the preset name ''"),
        *((lambda it=it: scaling_cli.plan(it, flops=1e21), InputError, f"the law is {it!r}") for it in WRONG),
        *((lambda it=it: scaling_cli.compare(it, flops=1e21), InputError, "the law is ") for it in (None, 3, [None])),
        (lambda: scaling_cli.predict_loss(None, params=1e9, tokens=1e9), InputError, "the law is None"),
        (lambda: scaling_cli.diagnose(None, params=1e9, tokens=1e9), InputError, "the law is None"),
        (lambda: scaling_cli.check_law(None), InputError, "the law is None"),
        (lambda: scaling_cli.plan("chinchilla", flops=None), InputError, "flops is None"),
        (lambda: scaling_cli.compare("chinchilla", flops=None), InputError, "flops is None"),
        *((lambda it=it: ask_any(settings=it), InputError, f"settings is {it!r}") for it in (3, "U", ["U"])),
        (lambda: ask_any(most=3), InputError, "most is 3"),
        (lambda: ask_any(gpu=3), InputError, "gpu is 3"),
        (lambda: ask_any(active_params=[1e9]), InputError, "active_params is [1000000000.0]"),
        (lambda: scaling_cli.load_law("../laws/brown-2020"), FileError, "no such file"),
    ],
)
def test_errors(call: Callable[[], object], error: type[ScalingError], message: str) -> None:
    """Each a ScalingError of its kind, which says what was wrong."""
    with pytest.raises(ScalingError) as caught:
        call()
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert caught.value.exit_code == (3 if error is NoAnswer else 2)


def test_a_name_that_is_nearly_right() -> None:
    """Suggestions come with the error."""
    with pytest.raises(InputError) as caught:
        scaling_cli.load_law("Chinchilla")
    assert "chinchilla" in caught.value.hints[0]
    assert "a-z 0-9" in str(caught.value)


def test_answers_do_not_share_state() -> None:
    """Asking twice, and asking other things between, changes nothing."""
    first = scaling_cli.plan("muennighoff-2023", flops=1e22, settings={"U": 1e10})
    scaling_cli.plan("muennighoff-2023", flops=1e22)
    scaling_cli.plan("muennighoff-2023", flops=np.array([1e22]), settings={"U": 1e9})
    assert repr(scaling_cli.plan("muennighoff-2023", flops=1e22, settings={"U": 1e10})) == repr(first)
