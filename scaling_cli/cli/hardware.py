"""`scaling hardware`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.limits import Max, Min, Sort, choose
from scaling_cli.cli.output import check_format, show

HELP = """List accelerators, or tell one: dense peak FLOP/s, memory, bandwidth, power, source.

Limits and order take the keys of the JSON, such as memory_gib or bf16_flops_per_second.

\b
Example: scaling hardware --vendor nvidia --min memory_gib=80 --sort -bf16_flops_per_second
"""


def complete_accelerators(incomplete: str) -> list[str]:
    """Return the accelerators whose names begin so."""
    from scaling_cli.files.hardware import HARDWARE

    return [name for name in HARDWARE.names() if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", autocompletion=complete_accelerators, help="Id, name, alias or YAML file; all when absent."
    ),
]
Vendor = Annotated[str | None, typer.Option("--vendor", metavar="VENDOR", help="Of one vendor.")]
Precision = Annotated[
    str | None, typer.Option("--precision", metavar="NAME", help="Only those with a dense peak at bf16, fp16 or fp8.")
]


def hardware(
    name: Name = None,
    vendor: Vendor = None,
    precision: Precision = None,
    min_: Min = [],  # noqa: B006  Typer copies it
    max_: Max = [],  # noqa: B006
    sort: Sort = None,
    format_: options.Format = "table",
) -> None:
    """List accelerators."""
    from scaling_cli.core.hardware import with_precision
    from scaling_cli.files.hardware import load_accelerator, load_accelerators
    from scaling_cli.report.hardware import hardware_report

    check_format(format_)
    found = [load_accelerator(name)] if name is not None else load_accelerators()
    rows = [each.row() for each in with_precision(found, precision)]
    show(hardware_report(choose(rows, least=min_, most=max_, sort=sort, words={"vendor": vendor})), format_)
