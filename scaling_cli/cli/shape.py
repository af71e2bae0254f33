"""`scaling shape`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, show
from scaling_cli.core.quantities import parse_quantity

HELP = """Propose real shapes near a number of parameters: layers, width, heads, feed-forward network.

Each with its exact parameters and training FLOPs per token; the notes cite the rules.

\b
Example: scaling shape --params 7B --vocab 128k --context 8k
"""


def shape(
    params: Annotated[
        str | None, typer.Option("--params", metavar="N", help="Total parameters to come near: 7B.")
    ] = None,
    vocab: Annotated[
        str | None, typer.Option("--vocab", metavar="V", help="Entries of the vocabulary: 128k is 128000.")
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", metavar="T", help="Tokens per sequence: 8k is 8000.")
    ] = None,
    tied: Annotated[
        bool | None, typer.Option("--tied/--untied", help="Whether the output head is the embedding table.")
    ] = None,
    format_: options.Format = "table",
) -> None:
    """Propose shapes near params."""
    from scaling_cli.core.shapes import Question, propose_shapes, rules
    from scaling_cli.errors import InputError
    from scaling_cli.report.architecture import shape_report

    check_format(format_)
    if params is None:
        raise InputError("a shape needs --params", "such as --params 7B")
    given = {name: text for name, text in {"vocab": vocab, "context": context}.items() if text is not None}
    sizes = {name: parse_quantity(text, "number", f"--{name}") for name, text in given.items()}
    question = Question(parse_quantity(params, "params", "--params"), tied=tied, **sizes)
    show(shape_report(propose_shapes(question), rules(question)), format_)
