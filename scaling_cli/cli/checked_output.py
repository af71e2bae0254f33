"""What `scaling check` and `scaling diff` share: their formats, and how an answer is written and turned into a code."""

import sys
from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from scaling_cli.cli.output import show
from scaling_cli.errors import InputError
from scaling_cli.report.report import Report
from scaling_cli.report.text import clean_line

OURS, FACES = ("table", "json", "csv"), ("markdown", "github", "junit", "sarif")
FORMATS = (*OURS, *FACES)


def complete_formats(incomplete: str) -> list[str]:
    """Return the formats that begin so."""
    return [name for name in FORMATS if name.startswith(incomplete)]


Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        autocompletion=complete_formats,
        help=f"{', '.join(OURS)}, {', '.join(FACES)}.",
    ),
]


def check_format(fmt: str) -> None:
    """Raise InputError for an unknown format before any work is done."""
    if fmt not in FORMATS:
        raise InputError(f"no format named {fmt[:40]!r}", f"expected one of {', '.join(FORMATS)}")


def warn(lines: Iterable[str]) -> None:
    """Write to stderr what a format has no place for, a line each."""
    for line in lines:
        print(f"note: {clean_line(line)}", file=sys.stderr)


def finish(fmt: str, report: Callable[[], Report], face: Callable[[], str], *, passed: bool) -> None:
    """Write an answer and end the command: exit code 0 where it passed, else 1.

    Args:
        fmt: one of FORMATS.
        report: the answer for table, JSON and CSV.
        face: the answer in one of FACES.
        passed: the verdict.
    """
    if fmt in OURS:
        show(report(), fmt)
    else:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(face().encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    if not passed:
        raise typer.Exit(1)
