"""`scaling diff`."""

from typing import TYPE_CHECKING, Annotated

import typer

from scaling_cli.cli.checked_output import Format, check_format, finish, warn

if TYPE_CHECKING:
    from scaling_cli.core.findings import Difference
    from scaling_cli.report.report import Report

HELP = """Show what changes between two training budgets: FLOPs, size, loss, days and dollars of each run and in sum.

BASE and HEAD are budget files, or JSON that `scaling check` or `scaling diff` has saved; 'none' is a side that is not
there. The exit code is 0, or 1 where HEAD breaks a rule of its policy named by --fail-on, and BASE, held to the same
policy, does not.

\b
Example: scaling diff main.yaml scaling.yaml --fail-on "max dollars"
"""
FailOn = Annotated[
    list[str],
    typer.Option(
        "--fail-on", metavar="RULE", help="A rule of HEAD ('max dollars'), or deny or warn for all; repeatable."
    ),
]


def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The budget before.")],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The budget after.")],
    fail_on: FailOn = [],  # noqa: B006  Typer copies it
    format_: Format = "table",
) -> None:
    """Compare two budgets."""
    from scaling_cli.checks import diff_files
    from scaling_cli.report.checking import broken_notes

    check_format(format_)
    found = diff_files(base, head, fail_on=fail_on)
    if format_ == "csv":  # its rows are changes alone
        warn([*broken_notes(found), *found.notes])
    finish(format_, lambda: _report(found), lambda: _face(found, format_), passed=not found.broken)


def _report(found: "Difference") -> "Report":
    from scaling_cli.report.checking import diff_report

    return diff_report(found)


def _face(found: "Difference", fmt: str) -> str:
    from scaling_cli.report.faces import render_diff

    return render_diff(found, fmt)
