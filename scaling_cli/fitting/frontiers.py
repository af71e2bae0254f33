"""From a file of runs to a law without a formula: a minimum per budget, or the envelope of training curves."""

from collections.abc import Callable

from scaling_cli.core.runs import Dropped, Runs
from scaling_cli.errors import InputError
from scaling_cli.fit.envelopes import envelope_minima
from scaling_cli.fit.frontier_predictions import exponents, hold_out, predict
from scaling_cli.fit.frontiers import FrontierAnswer, FrontierFit, fit_frontier
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.isoflops import isoflop_minima
from scaling_cli.fit.minima import Left, Minima
from scaling_cli.fitting.manifests import versions
from scaling_cli.fitting.refusals import explained
from scaling_cli.fitting.requests import Request, check_target, read_columns

MINIMA: dict[str, Callable[..., Minima]] = {"isoflop": isoflop_minima, "envelope": envelope_minima}
# what only a formula has; a Request that leaves these alone can be answered without one
PARAMETRIC = ("form", "formula", "fix", "start", "positive", "objective", "delta", "quantile", "bootstrap")
QUESTION = ("method", "target", "where", "weights", "group", "flops_from", "draws", "seed")


def fit_minima(request: Request) -> FrontierAnswer:
    """Return the power laws through the minima of a file of runs.

    Args:
        request: what to fit; its method is isoflop or envelope.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when fewer than two minima are bracketed.
    """
    _refuse_others(request)
    check_target(request.target, f"--method {request.method}")
    runs, sample = read_columns(request, ["N", "D", "C"])
    if not (sample.target > 0.0).all():
        raise InputError(f"{request.target} is not always above zero", "expected a loss, in nats per token")
    with explained(runs, request.target):
        minima = MINIMA[request.method](sample, draws=request.draws, seed=request.seed)
        fit = fit_frontier(request.method, minima, seed=request.seed)
    runs = _without(runs, minima.left)
    held = hold_out(fit, seed=request.seed) if request.at else HoldOut()
    return FrontierAnswer(
        fit, fit.law, runs, tuple(exponents(fit)), tuple(predict(fit, request.at, held, seed=request.seed)), held,
        _manifest(request, fit, runs),
    )  # fmt: skip


def _refuse_others(request: Request) -> None:
    for name in PARAMETRIC:
        if getattr(request, name) != Request._field_defaults[name]:
            raise InputError(
                f"--{name} belongs to --method parametric, not to {request.method}",
                "leave it out: a minimum has no formula, and its power laws are weighted least squares",
            )


def _without(runs: Runs, left: tuple[Left, ...]) -> Runs:
    """Return the runs with those that the method has left out among the dropped."""
    gone = [Dropped(part.reason, len(part.runs), tuple(sorted(runs.rows[run] for run in part.runs))) for part in left]
    used = runs.used - sum(dropped.count for dropped in gone)
    return runs._replace(used=used, dropped=(*runs.dropped, *gone), notes=(*runs.notes, *map(str, gone)))


def _manifest(request: Request, fit: FrontierFit, runs: Runs) -> dict[str, str | float]:
    """Return what it takes to work the fit out again, and what came out."""
    return {
        "runs": runs.path, "sha256": runs.sha256, "rows_read": runs.read, "rows_used": runs.used,
        **{name: getattr(request, name) for name in QUESTION},
        **{f"columns.{name}": text for name, text in request.columns.items()},
        "minima": len(fit.minima.log_flops.values), "value": fit.line.value, "scatter": fit.line.scatter,
        "condition_number": fit.certificate.condition_number, **versions(),
    }  # fmt: skip
