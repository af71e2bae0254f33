"""One function for every format: it never fails on text, and imports only what the format needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.errors import InputError
from scaling_cli.report.render import FORMATS, render
from scaling_cli.report.report import Column, Report, Row, Table

ROOT = Path(__file__).parents[2]

any_text = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
kinds = st.sampled_from(["text", "params", "flops", "loss", "ratio", "number", "percent"])


@st.composite
def reports(draw: st.DrawFn) -> Report:
    columns = draw(st.lists(st.builds(Column, any_text, any_text, kinds, any_text), min_size=1, max_size=4))
    row = st.fixed_dictionaries({}, optional={column.key: values for column in columns})
    rows = draw(st.lists(row, max_size=3))
    tables = draw(st.lists(st.builds(Table, any_text, st.just(columns), st.just(rows)), max_size=2))
    return Report("scaling.test/1", rows, draw(st.lists(any_text, max_size=2)), tuple(tables))


def in_json(value: object) -> object:
    """What JSON can say of a value: no infinity, tuples as lists, two halves of a surrogate pair as one."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(value, dict):
        return {in_json(key): in_json(item) for key, item in value.items()}
    return [in_json(item) for item in value] if isinstance(value, list | tuple) else value


@settings(deadline=None)  # the first example imports
@given(reports(), st.sampled_from(FORMATS), st.booleans(), st.none() | st.integers(0, 100), st.booleans())
def test_every_report_renders(report: Report, fmt: str, color: bool, width: int | None, ascii_only: bool) -> None:
    text = render(report, fmt, color=color, width=width, ascii_only=ascii_only)
    text.encode("ascii" if ascii_only else "utf-8")
    assert text == "" or text.endswith("\n")
    assert text == render(report, fmt, color=color, width=width, ascii_only=ascii_only)


@settings(deadline=None)  # the first example imports
@given(reports(), st.booleans())
def test_json_loads_back_equal(report: Report, ascii_only: bool) -> None:
    data = json.loads(render(report, "json", color=False, width=None, ascii_only=ascii_only))
    assert data == in_json({"schema": report.schema, "rows": report.rows, "notes": report.notes})
    assert [list(row) for row in data["rows"]] == [list(map(in_json, row)) for row in report.rows]


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no format named 'yaml'\n  expected one of table, json, csv, markdown"):
        render(Report("scaling.test/1", [], [], ()), "yaml", color=False, width=None)


@pytest.mark.parametrize(("fmt", "look"), [("csv", "law\n\\u22121+1\n"), ("markdown", "| &#8722;1+1 |")])
def test_ascii_makes_no_formula(fmt: str, look: str) -> None:
    rows: list[Row] = [{"law": "−1+1"}]  # a minus sign, not a hyphen
    report = Report("scaling.test/1", rows, [], (Table("", (Column("law", "law"),), rows),))
    assert look in render(report, fmt, color=False, width=None, ascii_only=True)


@pytest.mark.parametrize(
    ("fmt", "unwanted"), [("json", {"rich", "csv", "numpy"}), ("csv", {"rich", "numpy"}), ("markdown", {"rich", "csv"})]
)
def test_a_format_imports_only_its_renderer(fmt: str, unwanted: set[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from scaling_cli.report.render import render\n"
        "from scaling_cli.report.report import Report\n"
        f"render(Report('x/1', [{{'a': 1.5}}], ['n'], ()), {fmt!r}, color=False, width=None)\n"
        f"print(*sorted({unwanted!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
