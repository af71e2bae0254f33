"""`scaling fit`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, show
from scaling_cli.core.quantities import parse_quantity

HELP = """Fit a law to training runs, with uncertainty, and save it as a preset.

RUNS is a table (CSV, TSV, JSON Lines, Parquet) with params, tokens or flops, and loss; '-' is stdin.

\b
Example: scaling fit runs.csv --at 1e24 --save my-law.yaml
"""
Text = str | None


def fit(
    runs: Annotated[str, typer.Argument(metavar="RUNS", help="The table of runs.")],
    form: Annotated[
        Text,
        typer.Option("--form", metavar="LAW", autocompletion=options.complete_laws, help="Fit a preset's loss form."),
    ] = None,
    formula: Annotated[
        Text, typer.Option("--formula", metavar="TEXT", help="Fit your own: 'E + A / N**alpha'.")
    ] = None,
    target: Annotated[str, typer.Option("--target", metavar="COLUMN", help="What the formula predicts.")] = "loss",
    columns: Annotated[
        list[str],
        typer.Option(
            "--columns",
            metavar="NAME=COLUMN",
            help="Which column, or formula of columns, a quantity is: params=1e9*size; repeatable.",
        ),
    ] = [],  # noqa: B006
    where: Annotated[
        str, typer.Option("--where", metavar="TEXT", help="Which runs: \"flops < 1e21 and set == 'hot'\".")
    ] = "",
    weights: Annotated[str, typer.Option("--weights", metavar="COLUMN", help="How often each run counts.")] = "",
    group: Annotated[
        str, typer.Option("--group", metavar="COLUMN", help="Runs that belong together, resampled together.")
    ] = "",
    flops_from: Annotated[
        str, typer.Option("--flops-from", metavar="6nd", help="Work flops out by 6ND even where given.")
    ] = "",
    fix: Annotated[
        list[str],
        typer.Option(
            "--fix", metavar="NAME=VALUE", help="Fix or tie a coefficient: alpha=0.35, alpha=beta; repeatable."
        ),
    ] = [],  # noqa: B006
    start: Annotated[
        list[str], typer.Option("--start", metavar="NAME=VALUE", help="Where to start a coefficient; repeatable.")
    ] = [],  # noqa: B006
    positive: Annotated[
        Text,
        typer.Option("--positive", metavar="NAMES", help="Keep these coefficients of --formula above zero; 'all'."),
    ] = None,
    objective: Annotated[
        str, typer.Option("--objective", metavar="NAME", help="huber-log, ls-log, ls, lad-log or lad.")
    ] = "huber-log",
    delta: Annotated[str, typer.Option("--delta", metavar="X", help="Huber's threshold.")] = "1e-3",
    quantile: Annotated[
        Text, typer.Option("--quantile", metavar="Q", help="Fit an envelope: a share Q of the runs lies below.")
    ] = None,
    draws: Annotated[
        str, typer.Option("--draws", metavar="N", help="Refits behind the intervals; 0 for none.")
    ] = "1000",
    bootstrap: Annotated[str, typer.Option("--bootstrap", metavar="KIND", help="pairs or wild.")] = "pairs",
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of the refits and the random starts.")] = "0",
    at: Annotated[
        list[str], typer.Option("--at", metavar="C", help="Predict the optimum of this budget; repeatable.")
    ] = [],  # noqa: B006
    save: Annotated[Text, typer.Option("--save", metavar="FILE", help="Write the fitted law as a preset.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    format_: options.Format = "table",
) -> None:
    """Fit a law to runs."""
    from scaling_cli.fitting import Request, fit_runs, save_fit
    from scaling_cli.report.fit import fit_report

    check_format(format_)
    share = None if quantile is None else parse_quantity(quantile, "number", "--quantile")
    request = Request(
        runs, form, formula, target, options.pairs("--columns", columns), where, weights, group, flops_from,
        options.pairs("--fix", fix), options.settings(start, "--start"), positive, objective,
        parse_quantity(delta, "number", "--delta"), share,
        options.whole(draws, "--draws", most=20_000), bootstrap, options.whole(seed, "--seed", most=2**62),
        tuple(parse_quantity(text, "flops", "--at") for text in at),
    )  # fmt: skip
    answer = fit_runs(request)
    if save is not None:
        save_fit(answer, save, force=force)
    show(fit_report(answer, saved=save), format_)
