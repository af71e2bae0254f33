"""A report in the format that was asked for. Imports the renderer that the format names, no other."""

from scaling_cli.errors import InputError
from scaling_cli.report.report import Report

FORMATS = ("table", "json", "csv", "markdown")

# Escapes, not look-alikes: a minus sign turned into "-" would start a spreadsheet formula.
_ASCII_ESCAPES = {"csv": "backslashreplace", "markdown": "xmlcharrefreplace"}


def render(report: Report, fmt: str, *, color: bool, width: int | None, ascii_only: bool = False) -> str:
    """Return a report as text that ends with a newline; empty where there is nothing to show.

    Args:
        report: the answer.
        fmt: table, json, csv or markdown.
        color: whether tables carry terminal colours.
        width: columns of the terminal, for tables; None in a pipe, where nothing is wrapped.
        ascii_only: whether to do without characters beyond ASCII.
    Raises: InputError for another format.
    """
    if fmt not in FORMATS:
        raise InputError(f"no format named {fmt!r}", f"expected one of {', '.join(FORMATS)}")
    if fmt == "table":
        from scaling_cli.report.table import render_table

        return render_table(report, color=color, width=width, ascii_only=ascii_only)
    return _render_plain(report, fmt, ascii_only=ascii_only)


def _render_plain(report: Report, fmt: str, *, ascii_only: bool) -> str:
    from scaling_cli.report.plain import render_csv, render_json, render_markdown

    if fmt == "json":
        return render_json(report, ascii_only=ascii_only)
    text = render_csv(report) if fmt == "csv" else render_markdown(report)
    return text.encode("ascii", _ASCII_ESCAPES[fmt]).decode("ascii") if ascii_only else text
