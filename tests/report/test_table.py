"""Terminal tables: no number cut, no text interpreted, no escape code in a pipe."""

import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaling_cli.report.report import Column, Report, Table
from scaling_cli.report.table import render_table

COLUMNS = (
    Column("law", "law"),
    Column("flops", "flops", "flops"),
    Column("params", "params", "params"),
    Column("tokens_per_param", "tokens per param", "ratio"),
    Column("loss", "loss", "loss", "nats per token"),
)
ROWS = [
    {"law": "hoffmann-2022-approach-3", "flops": 5.76e23, "params": 4e10, "tokens_per_param": 60.0, "loss": 1.93661234},
    {"law": "kaplan-2020", "flops": 5.76e23, "params": 4.1e11, "tokens_per_param": 0.57, "loss": None},
]
NUMBERS = ("5.76e23", "40B", "410B", "60", "0.57", "1.9366")
NOTE = "the budget is 300x beyond the largest run\nbehind kaplan-2020 – so beware"
REPORT = Report("scaling.plan/1", ROWS, [NOTE, "b"], (Table("Optimal split…", COLUMNS, ROWS),))
HOSTILE = [
    "[link=http://evil]x[/link]",
    "law[v2]",
    "chinchilla[/]",
    "a:skull:b",
    "[bold",
    "back\\[slash]\\",
]
any_text = st.text(st.characters(exclude_categories=()))


def make_report(text: str) -> Report:
    row: dict[str, object] = {"law": text, "params": 1.23e9}
    columns = (Column("law", text), Column("params", "N", "params"))
    return Report("scaling.plan/1", [row], [text], (Table(text, columns, [row]),))


def test_pipe_golden() -> None:
    assert render_table(REPORT, color=False, width=None) == (
        "Optimal split…\n"
        "law                         flops  params  tokens per param  loss (nats per token)\n"
        "──────────────────────────────────────────────────────────────────────────────────\n"
        "hoffmann-2022-approach-3  5.76e23     40B                60                 1.9366\n"
        "kaplan-2020               5.76e23    410B              0.57                      -\n"
        "\n"
        "note: the budget is 300x beyond the largest run behind kaplan-2020 – so beware\n"
        "note: b\n"
    )


def test_a_remark_stands_below_its_table_and_is_wrapped() -> None:
    table = Table("", COLUMNS[:1], ROWS, remark="a remark\nin words")
    text = render_table(Report("s/1", ROWS, ["b"], (table, table)), color=False, width=None)
    assert text.count("kaplan-2020\na remark in words\n\n") == 2
    assert "\na remark\nin words\n" in render_table(Report("s/1", ROWS, [], (table,)), color=False, width=10)


def test_narrow_golden_breaks_headers_before_words() -> None:
    assert render_table(REPORT, color=False, width=66) == (
        "Optimal split…\n"
        "                                           tokens per  loss (nats\n"
        "law                         flops  params       param  per token)\n"
        "─────────────────────────────────────────────────────────────────\n"
        "hoffmann-2022-approach-3  5.76e23     40B          60      1.9366\n"
        "kaplan-2020               5.76e23    410B        0.57           -\n"
        "\n"
        "note: the budget is 300x beyond the largest run behind kaplan-2020\n"
        "      – so beware\n"
        "note: b\n"
    )


def test_list_golden_where_no_table_fits() -> None:
    text = render_table(REPORT, color=False, width=46)
    assert text.startswith(
        "Optimal split…\n"
        "\n"
        "law                    hoffmann-2022-\n"
        "                       approach-3\n"
        "flops                  5.76e23\n"
        "params                 40B\n"
        "tokens per param       60\n"
        "loss (nats per token)  1.9366\n"
        "\n"
        "law                    kaplan-2020\n"
    )


def test_ascii_only() -> None:
    text = render_table(REPORT, color=False, width=None, ascii_only=True)
    assert text.isascii()
    assert "Optimal split...\n" in text
    assert "\n-----" in text
    assert "kaplan-2020 - so beware" in text


def test_no_tables_no_notes_no_text() -> None:
    assert render_table(Report("scaling.plan/1", [], [], ()), color=False, width=None) == ""


def test_table_without_rows_shows_its_headers() -> None:
    for width in (None, 80, 5):
        report = Report("scaling.plan/1", [], [], (Table("", COLUMNS, []),))
        assert "flops" in render_table(report, color=False, width=width)


@pytest.mark.parametrize("width", [None, 200, 80, 66, 50, 46, 20, 8, 1, 0])
def test_numbers_are_never_cut(width: int | None) -> None:
    text = render_table(REPORT, color=False, width=width)
    tokens = text.split()
    assert [number for number in NUMBERS if number not in tokens] == []
    assert text.count("…") == 1  # the title's own


@pytest.mark.parametrize("width", [80, 66, 50, 46, 30])
def test_lines_fit_the_terminal(width: int) -> None:
    assert max(map(len, render_table(REPORT, color=False, width=width).splitlines())) <= width


def test_a_word_too_long_for_the_terminal_is_broken() -> None:
    out = render_table(make_report("x" * 70), color=False, width=40)
    assert max(map(len, out.splitlines())) <= 40
    assert out.count("x") == 4 * 70


def test_colour_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")  # asking the environment is the caller's business
    monkeypatch.setenv("COLUMNS", "10")
    plain = render_table(REPORT, color=False, width=None)
    colored = render_table(REPORT, color=True, width=None)
    assert "\x1b" not in plain
    assert "\x1b[33mnote" in colored
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("text", HOSTILE)
def test_markup_and_emoji_are_text(text: str, color: bool) -> None:
    out = render_table(make_report(text), color=color, width=None)
    assert out.count(text) == 4  # title, header, cell, note
    assert "\x1b]8" not in out


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202egnp", "\ud800", "a\u200bb", "\r\x08"]
)
def test_escapes_are_shown_not_sent(text: str, color: bool) -> None:
    out = render_table(make_report(text), color=color, width=40)
    assert re.sub(r"\x1b\[[0-9;]*m", "", out).replace("\n", "").isprintable()
    assert text not in out
    out.encode()


@settings(deadline=None)  # the first example imports
@given(any_text, st.none() | st.integers(-1, 120))
@example("x" * 70 + " " + "漢" * 30, 40)
def test_nothing_is_lost_at_any_width(text: str, width: int | None) -> None:
    def marks(out: str) -> Counter[str]:
        return Counter(re.sub(r"[\s─]", "", out))

    report = make_report(text)
    assert marks(render_table(report, color=False, width=width)) == marks(render_table(report, color=False, width=None))


@settings(deadline=None)  # the first example imports
@given(any_text)
@example("many words " * 100)
def test_a_pipe_has_one_line_a_row(text: str) -> None:
    out = render_table(make_report(text), color=False, width=None)
    title = 1 if text.split() else 0
    assert out.count("\n") == title + 5  # header, rule, row, blank, note
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]| $", out, re.MULTILINE)
