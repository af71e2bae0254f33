"""`scaling count`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, show
from scaling_cli.core.quantities import parse_quantity

HELP = """Count the parameters and training FLOPs per token of a model, exactly, from its config.json.

CONFIG is a file as Hugging Face publishes it; '-' is stdin. No code of the model runs.

\b
Example: scaling count config.json --context 8k
"""
Context = Annotated[
    str | None, typer.Option("--context", metavar="T", help="Tokens per sequence, for attention: 4096, 8k (8000).")
]


def count(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG...", help="The config.json; several are compared.")],
    context: Context = None,
    format_: options.Format = "table",
) -> None:
    """Count one or several models."""
    from scaling_cli.core import architectures
    from scaling_cli.files.configs import read_config
    from scaling_cli.report.architecture import count_report

    check_format(format_)
    length = None if context is None else parse_quantity(context, "tokens", "--context")
    read = [read_config(path) for path in configs]
    show(count_report(read, [architectures.count(config.shape, length) for config in read]), format_)
