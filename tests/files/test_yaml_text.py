"""What is written as YAML is read back as it was, and reads well."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.errors import InputError
from scaling_cli.files.strict_yaml import parse_yaml
from scaling_cli.files.values import Number
from scaling_cli.files.yaml_text import WIDTH, yaml_text

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("aA1 :#,[]{}'\"\\-?&*!|>%@`~\n\té\u2028\U000e0001", max_size=12),
    st.lists(st.text("abcdef:,#(", min_size=1, max_size=9), min_size=20, max_size=40).map(" ".join),
    st.sampled_from(["null", "True", "no", "~", "1e5", "0x1F", "012", ".inf", "-", "---", "...", "<<", "a: b", "a #b"]),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.integers(-(2**53), 2**53), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)


def plain(value: object) -> Any:
    """Return lists and dicts of texts and floats, whatever classes they came in."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return float(value) if isinstance(value, int | float) else value


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_round_trip(data: dict[str, Any], deep: int) -> None:
    text = yaml_text(data, deep=dict.fromkeys(data, deep))
    assert plain(parse_yaml(text, "written.yaml")) == plain(data)


@given(NUMBERS)
@settings(max_examples=500, deadline=None)
def test_numbers_keep_every_bit(number: float) -> None:
    read = parse_yaml(yaml_text({"a": number}, deep={}), "written.yaml")["a"]
    assert isinstance(read, Number)
    assert float(read).hex() == number.hex() or number == 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (0.1, "0.1"), (1.5e10, "1.5e10"), (1e21, "1e21"), (5.76e23, "5.76e23"), (1e-5, "1e-5"),
        (999999.5, "999999.5"), (1e6, "1e6"), (-2e9, "-2e9"), (Number("406.40"), "406.40"), (240, "240"),
        (2**60, str(2**60)), ("6ND", '"6ND"'), ("total", "total"), ("C / 6N", "C / 6N"), ("a: b", '"a: b"'),
        ("no", '"no"'), ("Norway", "Norway"), ("", '""'), ("x\x1b", '"x\\u001b"'),
        ("\x85\U000e0001", '"\\u0085\\U000e0001"'),
        ("élan", "élan"), (None, "~"), ({}, "{}"), ([], "[]"), ([1.0, "a, b"], '[1, "a, b"]'), ({"x": "y"}, "{x: y}"),
    ],
)  # fmt: skip
def test_how_values_look(value: object, text: str) -> None:
    assert yaml_text({"key": value}, deep={}) == f"key: {text}\n"


def test_long_things_take_several_lines() -> None:
    words = " ".join(["word"] * 60)
    many = {f"name_{i}": 1.0 for i in range(12)}
    text = yaml_text({"short": {"a": 1.0}, "note": words, "notes": [words], "many": many, "rows": [many]}, deep={})
    assert "short: {a: 1}\nnote: >-\n  word word" in text
    assert "notes:\n  - >-\n    word word" in text
    assert "many:\n  name_0: 1\n  name_1: 1\n" in text
    assert "rows:\n  - name_0: 1\n    name_1: 1\n" in text
    assert max(map(len, text.splitlines())) <= WIDTH + 4
    assert parse_yaml(text, "written.yaml")["note"] == words


def test_depth_is_the_callers() -> None:
    data = {"a": {"b": {"c": 1.0}}}
    assert yaml_text(data, deep={}) == "a: {b: {c: 1}}\n"
    assert yaml_text(data, deep={"a": 1}) == "a:\n  b: {c: 1}\n"
    assert yaml_text(data, deep={"a": 2}) == "a:\n  b:\n    c: 1\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, b"bytes", [[float("-inf")]]])
def test_what_cannot_be_written(value: object) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        yaml_text({"key": value}, deep={})
