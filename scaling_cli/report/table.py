"""Terminal tables. The only importer of rich, for the widths of characters and for colours; text is never markup.

The layout is ours, so that no number is ever cut: columns of words give way first,
and a table that still does not fit becomes a list of labelled values.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from scaling_cli.report.plot import draw_plot
from scaling_cli.report.report import Report, Table
from scaling_cli.report.text import clean, clean_line, format_cell, to_ascii

_GAP = 2  # cells between columns
_LONGEST_WORD = 24  # cells; a longer word may be broken to make a table fit
_UNBOUNDED = 10**6  # cells: the width of a pipe
_PIECE = re.compile(r"\s+|\S*?\w-(?=[A-Za-z])|\S+")  # a line may end at spaces and after the hyphens of a name
_NOTE = "note:"
Paint = Callable[[str, str], str]  # a style and a text without line ends give the text to print


class _View(NamedTuple):
    """A table as the strings to draw: a header and a list of cells for each column."""

    title: str
    remark: str
    headers: list[str]
    columns: list[list[str]]
    numeric: list[bool]


def render_table(report: Report, *, color: bool, width: int | None, ascii_only: bool = False) -> str:
    """Return tables and notes for a terminal `width` cells wide; for a pipe, where it is None."""
    room = _UNBOUNDED if width is None else width
    say = to_ascii if ascii_only else str
    paint = _paint if color else _leave
    blocks = [
        _draw_table(_view_table(table, ascii_only), room, paint, "-" if ascii_only else "─") for table in report.tables
    ]
    blocks += [draw_plot(plot, width) for plot in report.plots]
    if report.notes:
        blocks.append("\n".join(_draw_note(say(clean_line(note)), room, paint) for note in report.notes))
    lines = "\n\n".join(blocks).split("\n") if blocks else []
    return "".join(line.rstrip(" ") + "\n" for line in lines)


def _paint(style: str, text: str) -> str:
    """Return text in a style that rich knows by name."""
    from rich.color import ColorSystem  # a pipe has no colours and does not wait for them
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def _leave(_style: str, text: str) -> str:
    return text


def _view_table(table: Table, ascii_only: bool) -> _View:
    say = to_ascii if ascii_only else str
    return _View(
        title=say(clean_line(table.title)),
        remark=say(clean_line(table.remark)),
        headers=[say(clean(column.header)) for column in table.columns],
        columns=[[say(format_cell(row.get(key), kind)) for row in table.rows] for key, _, kind, _ in table.columns],
        numeric=[column.is_numeric for column in table.columns],
    )


def _draw_table(view: _View, room: int, paint: Paint, rule: str) -> str:
    """Return a title over a grid, or over a list where a grid does not fit, and its remark below."""
    widths = _fit_columns(view, room)
    title = [paint("bold", line) for line in _wrap(view.title, room)] if view.title else []
    remark = _wrap(view.remark, room) if view.remark else []
    if widths is None:
        return "\n".join([*title, *([""] if title else []), *_draw_list(view, room, paint), *remark])
    return "\n".join([*title, *_draw_grid(view, widths, paint, rule), *remark])


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


def _draw_grid(view: _View, widths: Sequence[int], paint: Paint, rule: str) -> Iterator[str]:
    """Yield the lines of a grid: headers at the foot of theirs, a rule, cells at the head of theirs."""
    headers = [_wrap(header, width) for header, width in zip(view.headers, widths, strict=True)]
    cells = [[_wrap(cell, width) for cell in column] for column, width in zip(view.columns, widths, strict=True)]
    taken = [max(map(cell_len, chain(header, *column))) for header, column in zip(headers, cells, strict=True)]
    deepest = max(map(len, headers))
    headers = [[""] * (deepest - len(lines)) + lines for lines in headers]
    yield from (paint("bold", line) for line in _draw_row(headers, taken, view.numeric))
    yield paint("dim", rule * (sum(taken) + _GAP * (len(taken) - 1)))
    for row in zip(*cells, strict=True):
        yield from _draw_row(row, taken, view.numeric)


def _draw_row(cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    """Yield the lines of a row: numbers at the right of their column, words at the left."""
    for pieces in zip_longest(*cells, fillvalue=""):
        gaps = [" " * (width - cell_len(piece)) for piece, width in zip(pieces, widths, strict=True)]
        placed = [
            gap + piece if right else piece + gap for piece, gap, right in zip(pieces, gaps, numeric, strict=True)
        ]
        yield (" " * _GAP).join(placed).rstrip(" ")


def _draw_list(view: _View, room: int, paint: Paint) -> list[str]:
    """Return each row as labelled values, with a blank line between rows."""
    if not any(view.columns):
        return [paint("bold", header) for header in view.headers]
    start = max(map(cell_len, view.headers)) + _GAP
    lines: list[str] = []
    for row in zip(*view.columns, strict=True):
        for header, value, numeric in zip(view.headers, row, view.numeric, strict=True):
            indent, values = _place_value(value, numeric, start, room)
            label = [paint("bold", line) for line in _wrap(header, room)]
            if indent == start:
                label[-1] += " " * (start - cell_len(header)) + values.pop(0)
            lines += [*label, *(" " * indent + line for line in values if line)]
        lines.append("")
    return lines[:-1]


def _place_value(value: str, numeric: bool, start: int, room: int) -> tuple[int, list[str]]:
    """Return the indent and lines of a value: beside its label where it fits, else beneath."""
    for indent in (start, _GAP):
        lines = [value] if numeric else _wrap(value, room - indent)
        if max(map(cell_len, lines)) <= room - indent:
            break
    return indent, lines


def _draw_note(note: str, room: int, paint: Paint) -> str:
    """Return a note, its further lines under the first word."""
    margin = " " * (len(_NOTE) + 1)
    return f"{paint('yellow', _NOTE)} " + f"\n{margin}".join(_wrap(note, room - len(margin)))


def _wrap(text: str, room: int) -> list[str]:
    """Return the lines, at least one, of a text, each at most `room` cells; only a word longer than that is broken."""
    if cell_len(text) <= room:
        return [text]
    lines = [""]
    for word in _PIECE.findall(text):
        for piece in chop_cells(word, max(room, 2)):  # a character may take two cells
            if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > room:
                lines.append(piece.lstrip())
            else:
                lines[-1] += piece
    return [line.rstrip() for line in lines]
