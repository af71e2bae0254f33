"""Foreign text is inert, and cells read as they should."""

import unicodedata

import pytest

from scaling_cli.report.text import clean, clean_line, format_cell, to_ascii

VISIBLE_FORMATS = {0x06DD, 0x070F, 0x08E2, 0x0890, 0x0891, 0x110BD, 0x110CD, *range(0x0600, 0x0606)}
EGYPTIAN_JOINERS = range(0x13430, 0x13460)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("\x00\t\n\x7f", r"\x00\x09\x0a\x7f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("line\u2028end", r"line\u2028end"),
        ("é 漢 × – α 🙂 [red]x[/] :skull:", "é 漢 × – α 🙂 [red]x[/] :skull:"),
    ],
)
def test_clean_escapes_what_acts_or_hides_and_nothing_else(text: str, expected: str) -> None:
    assert clean(text) == expected
    assert clean(expected) == expected


def test_clean_leaves_no_control_format_or_surrogate_character() -> None:
    every = [chr(code) for code in range(0x110000) if code not in VISIBLE_FORMATS and code not in EGYPTIAN_JOINERS]
    hostile = [char for char in every if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert len(hostile) > 2000
    assert [char for char in hostile if clean(char) == char] == []


def test_clean_line_is_one_line() -> None:
    assert clean_line("  a\r\n::error ::b\u2028c\x1b ") == r"a ::error ::b c\x1b"


def test_to_ascii_prefers_look_alikes() -> None:
    assert to_ascii("6 × N – 3… ± 2 ≤ ü") == r"6 x N - 3... +/- 2 <= \xfc"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (40e9, "params", "40B"),
        (None, "params", "-"),
        (float("nan"), "loss", "-"),
        (float("-inf"), "number", "-"),
        (True, "text", "yes"),
        (2022, "text", "2022"),
        (0.1 + 0.2, "text", "0.3"),
        ([1e9, "x\n", None], "params", r"1B; x\x0a; -"),
        ({"N": 7e10, "tied\x1b": False}, "text", r"N=7e10; tied\x1b=no"),
        ([], "text", ""),
        ("out of reach", "loss", "out of reach"),
    ],
)
def test_format_cell(value: object, kind: str, expected: str) -> None:
    assert format_cell(value, kind) == expected
