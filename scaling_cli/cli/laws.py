"""`scaling laws`, `scaling laws show`, `scaling laws check`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, show
from scaling_cli.errors import InputError

HELP = """List the laws, show one in full, or check its published figures.

\b
Example: scaling laws show chinchilla
"""
SHOW = """Show one law: source, conventions, relations, constants and what holds them.

\b
Example: scaling laws show hoffmann-2022
"""
CHECK = """Run every published figure of a law, of a file, or of all laws.

Exit 1 when a figure does not hold.

\b
Example: scaling laws check my-law.yaml
"""
Law = Annotated[
    str, typer.Argument(metavar="LAW", autocompletion=options.complete_laws, help="Id, alias or YAML file.")
]
SomeLaw = Annotated[
    str | None,
    typer.Argument(
        metavar="[LAW]", autocompletion=options.complete_laws, help="Id, alias or YAML file; all when absent."
    ),
]

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, help=HELP, invoke_without_command=True)


@app.callback()
def list_laws(context: typer.Context, format_: options.Format = "table") -> None:
    """List the catalogue."""
    if context.invoked_subcommand is not None:
        if format_ != "table":
            raise InputError(
                "--format stands before the subcommand",
                f"write it after: ... {context.invoked_subcommand} -f {format_}",
            )
        return
    from scaling_cli.files.catalogue import catalogue
    from scaling_cli.report.catalogue import laws_report

    check_format(format_)
    show(laws_report(catalogue()), format_)


@app.command("show", help=SHOW)
def show_law(law: Law, format_: options.Format = "table") -> None:
    """Show one law."""
    from scaling_cli.core.digits import digit_effects
    from scaling_cli.core.figures import checked_constants
    from scaling_cli.core.plans import Planner
    from scaling_cli.files.catalogue import describe, load_law
    from scaling_cli.report.catalogue import law_report

    check_format(format_)
    chosen = load_law(law)
    report = law_report(
        chosen,
        describe(chosen),
        checked_constants(chosen),
        list(digit_effects(chosen)),
        values=Planner(chosen).constants(),
    )
    show(report, format_)


@app.command("check", help=CHECK)
def check_laws(law: SomeLaw = None, format_: options.Format = "table") -> None:
    """Check published figures."""
    from scaling_cli.core.figures import check_figure
    from scaling_cli.report.catalogue import check_report

    check_format(format_)
    chosen = options.laws([law or "all"])
    verdicts = [(each, check_figure(each, figure)) for each in chosen for figure in each.figures]
    unverified = [each.id for each in chosen if not each.figures]
    show(check_report(verdicts, unverified), format_)
    if not all(verdict.holds for _, verdict in verdicts):
        raise typer.Exit(1)
