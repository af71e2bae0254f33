"""From a file of runs to a law by its formula: the parametric method."""

from collections.abc import Callable

from scaling_cli.core.compute import training_flops
from scaling_cli.core.laws import QUANTITIES, Law
from scaling_cli.fit.fits import Options, fit_form
from scaling_cli.fit.forms import Form
from scaling_cli.fit.holdouts import hold_out, scales
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.predictions import Answer, exponents, predict
from scaling_cli.fit.samples import Sample
from scaling_cli.fitting.manifests import manifest_of
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
    held = hold_out(fit) if request.at else scales(fit)
    has_split = {"N", "D"} <= sample.data.keys() and form.relation == "loss"
    return Answer(
        fit, fit.law, runs,
        tuple(exponents(fit, fit.law.relations["loss"].valid["C"][1])) if has_split else (),
        tuple(predict(fit, request.at, held, seed=request.seed)) if request.at else (),
        held, manifest_of(request, fit, runs),
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
