"""Writing an answer to stdout: which format, how wide, in colour or not. Data to stdout, everything else to stderr."""

import os
import sys

from scaling_cli.core.comparisons import Answer
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.report.render import FORMATS, render
from scaling_cli.report.report import Report


def show(report: Report, fmt: str) -> None:
    """Print a report."""
    terminal = sys.stdout.isatty()
    color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    ascii_only = not encoding.startswith("utf")
    sys.stdout.write(render(report, fmt, color=color, width=_width() if terminal else None, ascii_only=ascii_only))
    sys.stdout.flush()


def check_format(fmt: str) -> None:
    """Raise InputError for an unknown format before any work is done."""
    if fmt not in FORMATS:
        raise InputError(f"no format named {fmt[:40]!r}", f"expected one of {', '.join(FORMATS)}")


def refuse_outside(answers: list[Answer]) -> None:
    """Raise NoAnswer when an answer lies outside the experimented range of its law (--strict)."""
    for answer in answers:
        if answer.outside:
            raise NoAnswer(answer.outside[0], "without --strict the answer is given with this note")


def _width() -> int:
    try:
        columns = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        columns = 0
    if columns > 0:
        return columns
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
