"""JSON, CSV and markdown. Standard library only.

JSON and CSV carry the rows in full precision; markdown shows the tables, rounded.
"""

import json
import math
import re
from collections.abc import Mapping

from scaling_cli.report.report import Report, Table
from scaling_cli.report.text import INVISIBLE, clean, clean_line, format_cell, join_parts

_INVISIBLE = re.compile(f"[{INVISIBLE}]")  # json.dumps escapes C0 itself, and lays out with newlines
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~#"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_json(report: Report, *, ascii_only: bool = False) -> str:
    """Return the report as JSON: floats round-trip, null for what is not finite, unsafe characters escaped."""
    data = {"schema": report.schema, "rows": report.rows, **report.extra, "notes": report.notes}
    text = json.dumps(_to_json(data), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    return _INVISIBLE.sub(_escape_json, text) + "\n"


def render_csv(report: Report) -> str:
    """Return the rows as CSV; where there are none, the header alone: the report's keys, else the first table's."""
    import csv  # here, so that JSON does not wait for it
    import io

    keys = list(dict.fromkeys(key for row in report.rows for key in row))
    if not report.rows:
        keys = [*report.keys] or [column.key for table in report.tables[:1] for column in table.columns]
    if not keys:
        return ""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_csv_cell(key) for key in keys])
    writer.writerows([_csv_cell(row.get(key)) for key in keys] for row in report.rows)
    return out.getvalue()


def render_markdown(report: Report) -> str:
    """Return the tables, titled where there are several, and the notes as GitHub markdown."""
    blocks = []
    for table in report.tables:
        if table.title and len(report.tables) > 1:
            blocks.append(f"### {_escape_markdown(clean_line(table.title))}")
        blocks.append(_markdown_table(table))
        if table.remark:
            blocks.append(_escape_markdown(clean_line(table.remark)))
    if report.notes:
        blocks.append("**Notes**")
        blocks.append("\n".join(f"- {_escape_markdown(clean_line(note))}" for note in report.notes))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _to_json(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case [*items]:
            return [_to_json(item) for item in items]
        case Mapping():
            return {key: _to_json(item) for key, item in value.items()}
        case _:
            return value


def _escape_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()  # four digits a unit
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _csv_cell(value: object) -> str:
    """Return one cell; text that a spreadsheet would run gets a leading ' (OWASP ASVS 1.2.10)."""
    text = join_parts(value, _csv_part)
    is_formula = text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return ("'" if is_formula else "") + clean(text)


def _csv_part(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else ""
        case _:
            return str(value)


def _markdown_table(table: Table) -> str:
    """Return one table, padded so that it reads well as text too."""
    columns = []
    for column in table.columns:
        cells = [clean(column.header), *(format_cell(row.get(column.key), column.kind) for row in table.rows)]
        columns.append(_markdown_column([_escape_markdown(cell) for cell in cells], column.is_numeric))
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*columns, strict=True))


def _markdown_column(cells: list[str], is_numeric: bool) -> list[str]:
    """Return header, rule and cells in one width."""
    width = max(3, *map(len, cells))
    if is_numeric:
        rule = "-" * (width - 1) + ":"
        return [cell.rjust(width) for cell in (cells[0], rule, *cells[1:])]
    return [cell.ljust(width) for cell in (cells[0], "-" * width, *cells[1:])]


def _escape_markdown(text: str) -> str:
    return text.translate(_MARKDOWN)
