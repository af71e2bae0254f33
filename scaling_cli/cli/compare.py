"""`scaling compare`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, refuse_outside, show
from scaling_cli.cli.progress import Progress

HELP = """Compare laws along x10 budgets: what each x10 buys, and where they disagree.

\b
Example: scaling compare --flops 1e21 --decades 3 --law openai --law chinchilla
"""


def compare(
    flops: options.Flops = None,
    decades: Annotated[str, typer.Option("--decades", metavar="K", help="How many x10 steps to climb.")] = "3",
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    strict: options.Strict = False,
    format_: options.Format = "table",
) -> None:
    """Climb a ladder of budgets with one or several laws."""
    from scaling_cli.core.comparisons import MOST_DECADES, climb, spreads
    from scaling_cli.errors import InputError
    from scaling_cli.report.build import compare_report

    check_format(format_)
    known = options.known_quantities(flops=flops)
    if not known:
        raise InputError("a comparison needs --flops", "such as --flops 1e21 --decades 3")
    steps = options.whole(decades, "--decades", most=MOST_DECADES)
    laws = options.laws(law)
    with Progress("comparing"):
        rungs = climb(laws, known["flops"], steps, options.settings(set_))
    plans = [rung.plan for rung in rungs]
    if strict:
        refuse_outside(plans)
    show(compare_report(rungs, spreads(laws, plans), {law.id: law for law in laws}), format_)
