"""Terminal tables. The only importer of rich; text reaches it as `Text`, never as markup.

The layout is ours, so that no number is ever cut: columns of words give way first,
and a table that still does not fit becomes a list of labelled values.
"""

import io
import re
from typing import NamedTuple

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len, chop_cells
from rich.console import Console, Group
from rich.table import Table as Grid
from rich.text import Text

from scaling_cli.report.plot import draw_plot
from scaling_cli.report.report import Report, Table
from scaling_cli.report.text import clean, clean_line, format_cell, to_ascii

_GAP = 2  # cells between columns
_LONGEST_WORD = 24  # cells; a longer word may be broken to make a table fit
_UNBOUNDED = 10**6  # cells: the width of a pipe, and of rich's console, so that it never cuts
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_PIECE = re.compile(r"\s+|\S*?\w-(?=[A-Za-z])|\S+")  # a line may end at spaces and after the hyphens of a name
_NOTE = "note: "


class _View(NamedTuple):
    """A table as the strings to draw: a header and a list of cells for each column."""

    title: str
    headers: list[str]
    columns: list[list[str]]
    numeric: list[bool]


def render_table(report: Report, *, color: bool, width: int | None, ascii_only: bool = False) -> str:
    """Return tables and notes for a terminal `width` cells wide; for a pipe, where it is None."""
    room = _UNBOUNDED if width is None else width
    say = to_ascii if ascii_only else str
    box = _ASCII_HEAD if ascii_only else SIMPLE_HEAD
    blocks: list[Group | Text] = [_draw_table(_view_table(table, ascii_only), room, box) for table in report.tables]
    blocks += [Text(draw_plot(plot, width)) for plot in report.plots]
    if report.notes:
        blocks.append(Group(*(_draw_note(say(clean_line(note)), room) for note in report.notes)))
    out = io.StringIO()
    console = _open_console(out, color)
    for index, block in enumerate(blocks):
        if index:
            console.line()
        console.print(block, crop=False, no_wrap=True, overflow="ignore")
    return "\n".join(line.rstrip(" ") for line in out.getvalue().split("\n"))


def _open_console(out: io.StringIO, color: bool) -> Console:
    """Return a console that looks at nothing but its arguments."""
    return Console(
        file=out,
        width=_UNBOUNDED,
        height=1,
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        force_jupyter=False,
        highlight=False,
        _environ={},
    )


def _view_table(table: Table, ascii_only: bool) -> _View:
    say = to_ascii if ascii_only else str
    return _View(
        title=say(clean_line(table.title)),
        headers=[say(clean(column.header)) for column in table.columns],
        columns=[[say(format_cell(row.get(key), kind)) for row in table.rows] for key, _, kind, _ in table.columns],
        numeric=[column.is_numeric for column in table.columns],
    )


def _draw_table(view: _View, room: int, box: Box) -> Group:
    """Return a title over a grid, or over a list where a grid does not fit."""
    widths = _fit_columns(view, room)
    body = _draw_list(view, room) if widths is None else _draw_grid(view, widths, box)
    title = _wrap(view.title, room) + ("\n" if widths is None else "")
    return Group(*([Text(title, "bold")] if view.title else []), body)


def _fit_columns(view: _View, room: int) -> list[int] | None:
    """Return column widths that fit the room: headers break before words, numbers never; None if none do."""
    columns = list(zip(view.headers, view.columns, strict=True))
    room -= _GAP * (len(columns) - 1)
    for unbroken in ([True] * len(columns), view.numeric):
        least = [_least_width(*column, whole) for column, whole in zip(columns, unbroken, strict=True)]
        if sum(least) <= room:
            break
    else:
        return None
    widths = [min(max(map(cell_len, [header, *cells])), room) for header, cells in columns]
    while sum(widths) > room:
        loose = [index for index, width in enumerate(widths) if width > least[index]]
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths


def _least_width(header: str, cells: list[str], unbroken: bool) -> int:
    """Return the width below which a word of usual length, or an unbroken cell, would not fit."""
    words = _PIECE.findall(" ".join([header] if unbroken else [header, *cells]))
    whole = [cell_len(cell) for cell in cells] if unbroken else []
    return max([1, *whole, *(min(cell_len(word), _LONGEST_WORD) for word in words)])


def _draw_grid(view: _View, widths: list[int], box: Box) -> Grid:
    grid = Grid(
        box=box, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="bold", border_style="dim"
    )
    for header, numeric, width in zip(view.headers, view.numeric, widths, strict=True):
        grid.add_column(Text(_wrap(header, width)), justify="right" if numeric else "left")
    for row in zip(*view.columns, strict=True):
        grid.add_row(*(Text(_wrap(cell, width)) for cell, width in zip(row, widths, strict=True)))
    return grid


def _draw_list(view: _View, room: int) -> Text:
    """Return each row as labelled values, with a blank line between rows."""
    if not any(view.columns):
        return Text("\n".join(view.headers), "bold")
    start = max(map(cell_len, view.headers)) + _GAP
    text = Text()
    for row in zip(*view.columns, strict=True):
        for header, value, numeric in zip(view.headers, row, view.numeric, strict=True):
            indent, lines = _place_value(value, numeric, start, room)
            lead = " " * (start - cell_len(header)) if indent == start else "\n" + " " * indent
            text.append(_wrap(header, room), "bold")
            text.append(lead + ("\n" + " " * indent).join(lines) + "\n")
        text.append("\n")
    text.rstrip()
    return text


def _place_value(value: str, numeric: bool, start: int, room: int) -> tuple[int, list[str]]:
    """Return the indent and lines of a value: beside its label where it fits, else beneath."""
    for indent in (start, _GAP):
        lines = [value] if numeric else _wrap(value, room - indent).split("\n")
        if max(map(cell_len, lines)) <= room - indent:
            break
    return indent, lines


def _draw_note(note: str, room: int) -> Text:
    """Return a note, its further lines under the first word."""
    lines = _wrap(note, room - len(_NOTE)).replace("\n", "\n" + " " * len(_NOTE))
    return Text.assemble((_NOTE, "yellow"), lines)


def _wrap(text: str, room: int) -> str:
    """Return text in lines of at most `room` cells; only a word longer than that is broken."""
    if cell_len(text) <= room:
        return text
    lines = [""]
    for word in _PIECE.findall(text):
        for piece in chop_cells(word, max(room, 2)):  # a character may take two cells
            if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > room:
                lines.append(piece.lstrip())
            else:
                lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
