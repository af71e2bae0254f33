"""Points in plain characters, for a terminal or a pipe: ASCII, so that every terminal has them."""

import math
from collections import Counter

from scaling_cli.report.report import Plot

HEIGHT = 13  # lines, odd: the middle one is zero
WIDEST, NARROWEST = 80, 30  # cells
MARGIN = 9  # cells left of the points
MARKS = ((5, "@"), (2, "o"), (1, "."))  # at least so many points in a cell
LEGEND = ". one run, o 2 to 4, @ 5 or more"


def draw_plot(plot: Plot, width: int | None = None) -> str:
    """Return the points as text, at most 80 cells wide; y reaches as far below zero as above.

    Args:
        plot: the points; those that are not finite are left out.
        width: of the terminal; None in a pipe.
    """
    columns = max(min(width or WIDEST, WIDEST), NARROWEST) - MARGIN - 1
    pairs = ((math.log10(x), y) for x, y in zip(plot.x, plot.y, strict=True) if x > 0.0)
    points = [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]
    if not points:
        return f"{plot.title}: no points"
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    reach = max(abs(y) for _, y in points) or 1.0
    across, middle = (columns - 1) / ((high - low) or 1.0), HEIGHT // 2
    cells = Counter((middle - round(y / reach * middle), round((x - low) * across)) for x, y in points)
    lines = [_line(cells, row, columns=columns, label=_label(row, reach)) for row in range(HEIGHT)]
    ends = f"{low:.2f}", f"{high:.2f}"
    foot = " " * MARGIN + ends[0] + ends[1].rjust(columns - len(ends[0]))
    return "\n".join([plot.title, LEGEND, *lines, foot])


def _label(row: int, reach: float) -> str:
    value = {0: reach, HEIGHT // 2: 0.0, HEIGHT - 1: -reach}.get(row)
    return "" if value is None else f"{value:+.3g}" if value else "0"


def _line(cells: Counter[tuple[int, int]], row: int, *, columns: int, label: str) -> str:
    empty = "-" if row == HEIGHT // 2 else " "
    marks = "".join(_mark(cells[row, column], empty) for column in range(columns))
    return f"{label:>{MARGIN - 2}} |{marks}".rstrip()


def _mark(count: int, empty: str) -> str:
    return next((mark for least, mark in MARKS if count >= least), empty)
