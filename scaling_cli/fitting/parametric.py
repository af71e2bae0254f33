"""From a file of runs to a law by its formula: the parametric method."""

import math
import platform
from collections.abc import Callable

from scaling_cli.core.compute import training_flops
from scaling_cli.core.laws import QUANTITIES, Law
from scaling_cli.core.runs import Runs
from scaling_cli.fit.fits import Fit, Options, fit_form
from scaling_cli.fit.forms import Form
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.predictions import Answer, exponents, predict
from scaling_cli.fit.samples import Sample
from scaling_cli.fitting.requests import Request, form_of, read_sample


def fit_runs(request: Request, *, progress: Callable[[int], None] | None = None) -> Answer:
    """Return the law in a file of runs.

    Args:
        request: what to fit.
        progress: told how many refits are done, as they are.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs do not determine the law.
    """
    aim = objective(request.objective, request.delta, request.quantile)
    form = form_of(request)
    runs, sample = read_sample(request, form)
    fit = fit_form(form, sample, Options(aim, request.draws, request.bootstrap, request.seed, progress))
    fit = fit._replace(law=_described(fit.law, form, sample))
    has_split = {"N", "D"} <= sample.data.keys() and form.relation == "loss"
    return Answer(
        fit, fit.law, runs,
        tuple(exponents(fit, fit.law.relations["loss"].valid["C"][1])) if has_split else (),
        tuple(predict(fit, request.at, seed=request.seed)) if request.at else (),
        _manifest(request, fit, runs),
    )  # fmt: skip


def _described(law: Law, form: Form, sample: Sample) -> Law:
    """Return the law with the range of the runs behind it."""
    relation = law.relations[form.relation]
    ranges = {name: values for name, values in sample.data.items() if name in QUANTITIES}
    if {"N", "D"} <= sample.data.keys():
        ranges["C"] = training_flops(sample.data["N"], sample.data["D"])
    valid = {name: (float(values.min()), float(values.max())) for name, values in ranges.items()}
    relations = {**law.relations, relation.name: relation._replace(valid=valid, status="fitted")}
    return law._replace(title=f"Fit of {sample.size} runs", relations=relations)


def _manifest(request: Request, fit: Fit, runs: Runs) -> dict[str, str | float]:
    """Return what it takes to work the fit out again, and what came out."""
    from importlib.metadata import version

    return {
        "runs": runs.path, "sha256": runs.sha256, "rows_read": float(runs.read), "rows_used": float(runs.used),
        "form": fit.form.name, "formula": fit.law.relations[fit.form.relation].text, "target": request.target,
        "where": request.where, "columns": "; ".join(f"{k}={v}" for k, v in request.columns.items()),
        "objective": fit.objective.name, "delta": fit.objective.delta if math.isfinite(fit.objective.delta) else "",
        "value": fit.value, "starts": float(fit.certificate.starts),
        "starts_agreeing": float(fit.certificate.starts_agreeing), "gradient_norm": fit.certificate.gradient_norm,
        "condition_number": fit.certificate.condition_number, "draws": float(len(fit.draws)),
        "bootstrap": request.bootstrap, "seed": float(request.seed), "scaling": version("scaling-cli"),
        "python": platform.python_version(), "numpy": version("numpy"), "scipy": version("scipy"),
    }  # fmt: skip
