"""`scaling fit`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from scaling_cli.cli import machine_options, options
from scaling_cli.cli.output import check_format, show
from scaling_cli.cli.progress import Progress
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import InputError

if TYPE_CHECKING:
    from scaling_cli.fitting import Answer, Request
    from scaling_cli.report.report import Report

HELP = """Fit a law to training runs, with uncertainty, and save it as a preset.

RUNS is a table (CSV, TSV, JSON Lines, Parquet) with params, tokens or flops, and loss; '-' is stdin.

\b
Example: scaling fit runs.csv --at 1e24 --save my-law.yaml
"""
Text = str | None
COMPARED = (  # what may stand beside --compare
    "runs", "form", "formula", "target", "columns", "where", "weights", "flops_from", "fix", "start", "positive",
    "objective", "delta", "quantile", "seed", "compare", "format_",
)  # fmt: skip
BESIDE = ("exponents", "minima", "predictions", "diagnostics")  # what an answer has beside its rows


def fit(
    context: typer.Context,
    runs: Annotated[str, typer.Argument(metavar="RUNS", help="The table of runs.")],
    form: Annotated[
        list[str],
        typer.Option(
            "--form",
            metavar="LAW",
            autocompletion=options.complete_laws,
            help="Fit a preset's loss form, or 'LAW RELATION'; repeatable with --compare.",
        ),
    ] = [],  # noqa: B006
    formula: Annotated[
        Text, typer.Option("--formula", metavar="TEXT", help="Fit your own: 'E + A / N**alpha'.")
    ] = None,
    target: Annotated[str, typer.Option("--target", metavar="COLUMN", help="What the formula predicts.")] = "loss",
    columns: Annotated[
        list[str],
        typer.Option(
            "--columns",
            metavar="NAME=COLUMN",
            help="Which column, or formula of columns, a quantity is: params=1e9*size; repeatable. In a formula "
            "config.data.tokens is written config_data_tokens.",
        ),
    ] = [],  # noqa: B006
    where: Annotated[
        Text,
        typer.Option("--where", metavar="TEXT", help="Which runs: \"params < 400M and set == 'hot'\", 'row != 16'."),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            metavar="COLUMN",
            help="How much each run counts: 1 / the variance of its noise, up to a factor; 2 is not two runs.",
        ),
    ] = "",
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
    delta: Annotated[
        Text, typer.Option("--delta", metavar="X", help="Threshold of huber-log: 1e-3 if left out.")
    ] = None,
    quantile: Annotated[
        Text, typer.Option("--quantile", metavar="Q", help="Fit an envelope: a share Q of the runs lies below.")
    ] = None,
    draws: Annotated[
        str, typer.Option("--draws", metavar="N", help="Refits behind the intervals, at least 20; 0: by covariance.")
    ] = "1000",
    bootstrap: Annotated[str, typer.Option("--bootstrap", metavar="KIND", help="pairs or wild.")] = "pairs",
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of the refits and the random starts.")] = "0",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="parametric (a formula), isoflop (a minimum per budget), envelope (of training curves).",
        ),
    ] = "parametric",
    at: Annotated[
        list[str],
        typer.Option(
            "--at", metavar="C", help="Predict the optimum of this budget: 1e24, '512xH100 for 30d @40%'; repeatable."
        ),
    ] = [],  # noqa: B006
    save: Annotated[Text, typer.Option("--save", metavar="FILE", help="Write the fitted law as a preset.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    verify: Annotated[
        Text,
        typer.Option(
            "--verify", metavar="FILE", help="Work a saved fit out again and compare; exit 1 where it differs."
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Rank forms by error on held-out larger runs: those of --form, or all.")
    ] = False,
    diagnostics: Annotated[
        bool, typer.Option("--diagnostics", help="Residuals, leverage, and how the answer moves with the method.")
    ] = False,
    format_: options.Format = "table",
) -> None:
    """Fit a law to runs."""
    from scaling_cli.files.saving import check_target
    from scaling_cli.fitting import FrontierAnswer, Request, fit_runs, save_fit
    from scaling_cli.report.fit import fit_report
    from scaling_cli.report.frontiers import frontier_report

    check_format(format_)
    if verify is not None:
        options.refuse_beside(context, "--verify", allowed=("runs", "verify", "format_"))
        _verify(verify, runs, format_)
        return
    if where is not None and not where.strip():
        raise InputError("--where is empty", "expected a condition, such as params < 400M; is a variable unset?")
    budgets = [machine_options.amount(text, "--at") for text in dict.fromkeys(at)]
    share = None if quantile is None else parse_quantity(quantile, "number", "--quantile")
    if len(form) > 1 and not compare:
        raise InputError(f"--form is given {len(form)} times", "expected one form to fit; --compare ranks several")
    request = Request(
        runs, None if compare or not form else form[0], formula, target, options.pairs("--columns", columns),
        where or "", weights, group, flops_from,
        options.pairs("--fix", fix), options.settings(start, "--start"), positive, objective,
        None if delta is None else parse_quantity(delta, "number", "--delta"), share,
        options.whole(draws, "--draws", most=20_000), bootstrap, options.whole(seed, "--seed", most=2**62),
        tuple(dict.fromkeys(amount for amount, _ in budgets)), method,
    )  # fmt: skip
    if diagnostics and method != "parametric":
        raise InputError(f"--diagnostics and --method {method} are both given", "they are of --method parametric")
    if compare:
        options.refuse_beside(context, "--compare", allowed=COMPARED)
        _compare(request, form, format_)
        return
    if save is not None:
        check_target(save, force=force)
    with Progress("fitting", "refits", request.draws, after="intervals and predictions") as progress:
        answer = fit_runs(request, progress=progress)
    if save is not None:
        save_fit(answer, save, force=force)
    if isinstance(answer, FrontierAnswer):
        report = frontier_report(answer, saved=save)
    else:
        report = fit_report(answer, saved=save)
        report = _diagnosed(answer, report) if diagnostics else report
    _tell(report._replace(notes=[*(note for _, note in budgets if note), *report.notes]), format_)


def _tell(report: "Report", format_: str) -> None:
    """Print a report; of CSV, which has the rows alone, say the rest on stderr."""
    show(report, format_)
    if format_ == "csv":
        rest = [name for name in BESIDE if report.extra.get(name)]
        missing = [f"not in CSV: {', '.join(rest)}; the other formats have them"] if rest else []
        sys.stderr.writelines(f"note: {note}\n" for note in [*report.notes, *missing])


def _verify(preset: str, runs: str, format_: str) -> None:
    """Work a saved fit out again; exit 1 where something differs."""
    from scaling_cli.fitting import verify_fit
    from scaling_cli.report.verification import verification_report

    with Progress("verifying", "refits") as progress:
        verification = verify_fit(preset, runs, progress=progress)
    _tell(verification_report(verification), format_)
    if not verification.holds:
        raise typer.Exit(1)


def _compare(request: "Request", forms: list[str], format_: str) -> None:
    """Rank forms fitted to the same runs."""
    from scaling_cli.fitting import compare_forms
    from scaling_cli.report.comparing import forms_report

    with Progress("comparing"):
        comparison = compare_forms(request, forms)
    _tell(forms_report(comparison), format_)


def _diagnosed(answer: "Answer", report: "Report") -> "Report":
    """Return the report of a fit with its diagnostics."""
    from scaling_cli.fitting import diagnose
    from scaling_cli.report.diagnostics import with_diagnostics

    with Progress("diagnosing"):
        diagnostics = diagnose(answer)
    return with_diagnostics(report, diagnostics)
