"""`scaling plan`."""

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, refuse_outside, show

HELP = """Split a compute budget into params and tokens, or solve for whatever is missing.

Give one or two of --flops, --params, --tokens and --loss.

\b
Example: scaling plan --flops 1e22 --law chinchilla --law openai
"""


def plan(
    flops: options.Flops = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    loss: options.Loss = None,
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    strict: options.Strict = False,
    format_: options.Format = "table",
) -> None:
    """Answer one question about one or several laws."""
    from scaling_cli.core.comparisons import plan_laws
    from scaling_cli.report.build import plan_report

    check_format(format_)
    known = options.known_quantities(flops=flops, params=params, tokens=tokens, loss=loss)
    laws = options.laws(law)
    plans = plan_laws(laws, known, options.settings(set_))
    if strict:
        refuse_outside(plans)
    show(plan_report(plans, laws), format_)
