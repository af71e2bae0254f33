"""`scaling loss`."""

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, refuse_outside, show
from scaling_cli.cli.progress import Progress

HELP = """Predict the loss of params trained on tokens, and what it is made of.

The parts: irreducible, due to finite params, due to finite tokens.

\b
Example: scaling loss --params 70B --tokens 1.4T --law besiroglu-2024
"""


def loss(
    params: options.Params = None,
    tokens: options.Tokens = None,
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    strict: options.Strict = False,
    format_: options.Format = "table",
) -> None:
    """Predict a loss by one or several laws."""
    from scaling_cli.core.comparisons import predict_losses
    from scaling_cli.report.build import loss_report

    check_format(format_)
    known = options.known_quantities(params=params, tokens=tokens)
    laws = options.laws(law)
    with Progress("predicting"):
        losses = predict_losses(laws, known.get("params"), known.get("tokens"), options.settings(set_))
    if strict:
        refuse_outside(losses)
    show(loss_report(losses, laws), format_)
