"""JSON, CSV and markdown: full precision in the first two, inert text in all."""

import csv
import io
import json

import pytest

from scaling_cli.report.plain import render_csv, render_json, render_markdown
from scaling_cli.report.report import Column, Report, Table

COLUMNS = (Column("law", "law"), Column("loss", "loss", "loss", "nats per token"), Column("params", "params", "params"))
ROWS = [
    {"law": "chinchilla", "loss": 1.9366123456789, "params": 4e10, "notes": ["far | out", "twice"]},
    {"law": "kaplan_2020", "loss": float("nan"), "params": None, "given": {"N": 7e10, "M": -1.5}, "ok": True},
]


def make_report(*rows: dict[str, object], notes: tuple[str, ...] = (), tables: int = 1) -> Report:
    table = Table("Plan", COLUMNS, rows)
    return Report("scaling.plan/1", rows, notes, (table,) * tables)


def test_json_golden() -> None:
    report = make_report({"loss": 0.1 + 0.2, "bad": [float("inf"), float("nan"), 1]}, notes=("é\n×",))
    report = report._replace(extra={"spread": [{"laws": 2}], "limit": float("-inf")})
    assert render_json(report) == (
        "{\n"
        '  "schema": "scaling.plan/1",\n'
        '  "rows": [\n    {\n      "loss": 0.30000000000000004,\n      "bad": [\n        null,\n        null,\n'
        "        1\n      ]\n    }\n  ],\n"
        '  "spread": [\n    {\n      "laws": 2\n    }\n  ],\n'
        '  "limit": null,\n'
        '  "notes": [\n    "é\\n×"\n  ]\n'
        "}\n"
    )


@pytest.mark.parametrize(
    ("char", "escape"),
    [
        ("\x1b", r"\u001b"),
        ("\x7f", r"\u007f"),
        ("\x9b", r"\u009b"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\udb40\udc41"),
    ],
)
def test_json_escapes_what_acts_or_hides(char: str, escape: str) -> None:
    text = render_json(make_report({"law": char, f"key {char}": 1}))
    assert char not in text
    assert text.count(escape) == 2
    assert json.loads(text)["rows"] == [{"law": char, f"key {char}": 1}]


def test_json_in_ascii() -> None:
    text = render_json(make_report({"law": "Müller \x7f🙂"}), ascii_only=True)
    assert text.isascii()
    assert json.loads(text)["rows"] == [{"law": "Müller \x7f🙂"}]


def test_csv_golden() -> None:
    assert render_csv(make_report(*ROWS)) == (
        "law,loss,params,notes,given,ok\n"
        "chinchilla,1.9366123456789,40000000000.0,far | out; twice,,\n"
        "kaplan_2020,,,,N=70000000000.0; M=-1.5,true\n"
    )


def test_csv_without_rows_is_a_header() -> None:
    assert render_csv(make_report()) == "law,loss,params\n"
    assert render_csv(Report("scaling.plan/1", [], [], ())) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+cmd", "'+1+cmd"),
        ("-law", "'-law"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"'\x09=1"),
        ("\r=1", r"'\x0d=1"),
        ("\n=1", r"'\x0a=1"),
        ("\0=1", r"'\x00=1"),
        (["=1+1", "x"], "'=1+1; x"),
        ({"=a": 1}, "'=a=1"),
        ("-1.5", "-1.5"),
        (-1.5, "-1.5"),
        (-1e-300, "-1e-300"),
        (-3, "-3"),
        ("-1.5\n", r"'-1.5\x0a"),
        ("a=b", "a=b"),
        ("a\nb\x1b", r"a\x0ab\x1b"),
    ],
)
def test_csv_runs_no_formula_and_spoils_no_number(value: object, expected: str) -> None:
    lines = list(csv.reader(io.StringIO(render_csv(make_report({"law": "x", "value": value})))))
    assert lines == [["law", "value"], ["x", expected]]


def test_csv_neutralises_headers() -> None:
    assert render_csv(make_report({"=1+1": 2, "a": 3})) == "'=1+1,a\n2,3\n"


def test_markdown_golden() -> None:
    assert render_markdown(make_report(*ROWS, notes=("outside the\nrange", "b"))) == (
        "| law          | loss (nats per token) | params |\n"
        "| ------------ | --------------------: | -----: |\n"
        "| chinchilla   |                1.9366 |    40B |\n"
        "| kaplan\\_2020 |                     - |      - |\n"
        "\n"
        "**Notes**\n"
        "\n"
        "- outside the range\n"
        "- b\n"
    )


def test_markdown_titles_several_tables() -> None:
    assert render_markdown(make_report()).startswith("| law |")
    text = render_markdown(make_report(tables=2))
    assert text.startswith("### Plan\n\n| law |")
    assert text.count("### Plan\n") == 2


def test_a_remark_is_a_paragraph_below_its_table() -> None:
    table = Table("", (Column("law", "law"),), [{"law": "a"}], remark="so *be* it")
    report = Report("s/1", table.rows, [], (table,))
    assert render_markdown(report) == "| law |\n| --- |\n| a   |\n\nso \\*be\\* it\n"
    assert "so" not in render_json(report) + render_csv(report)


def test_markdown_of_nothing_is_empty() -> None:
    assert render_markdown(Report("scaling.plan/1", [], [], ())) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        ("[x](http://evil) ![y]", r"\[x\](http://evil) !\[y\]"),
        ("`*_~#", r"\`\*\_\~\#"),
        ("a\n| b |", r"a\\x0a\| b \|"),
        ("\u202e\ud800", r"\\u202e\\ud800"),
    ],
)
def test_markdown_text_is_inert(text: str, expected: str) -> None:
    columns = (Column("law", text),)
    report = Report("scaling.plan/1", [], [text], (Table(text, columns, [{"law": text}]), Table("", columns, [])))
    lines = render_markdown(report).splitlines()
    line = expected.replace(r"\\x0a", " ")  # titles and notes are one line
    assert lines[0] == f"### {line}"
    assert lines[2] == lines[4] == f"| {expected:3} |"
    assert lines[-1] == f"- {line}"
