"""From a file of runs to a law by its formula: the parametric method."""

from collections.abc import Callable

from scaling_cli.core.compute import FLOPS_PER_PARAM_AND_TOKEN
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import QUANTITIES, Law, Relation
from scaling_cli.core.runs import Runs, compute_ratio
from scaling_cli.fit.deciders import deciding_run
from scaling_cli.fit.fits import Fit, Options, fit_form
from scaling_cli.fit.forms import Form
from scaling_cli.fit.holdouts import hold_out, scales
from scaling_cli.fit.identify import doubts
from scaling_cli.fit.normal import KIND, covariance_of, with_normal_draws
from scaling_cli.fit.predictions import Answer, check_splits, exponents, predict, setting_notes
from scaling_cli.fit.samples import Sample
from scaling_cli.fitting.manifests import manifest_of
from scaling_cli.fitting.refusals import clear, explained, resembling
from scaling_cli.fitting.requests import Request, aim_of, form_of, read_sample
from scaling_cli.fitting.variables import measured, with_variables

NO_SPLIT = "no exponents: along the largest budget the fitted loss has no minimum between few params and many"


def fit_runs(request: Request, *, progress: Callable[[int], None] | None = None) -> Answer:
    """Return the law in a file of runs.

    Args:
        request: what to fit.
        progress: told how many refits are done, as they are.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs do not determine the law.
    """
    aim = aim_of(request)
    request, taken = with_variables(request)
    form = measured(form_of(request), request.columns)
    if request.at:
        check_splits(form)
    runs, sample = read_sample(request, form)
    names = resembling(request, form)
    runs = runs._replace(notes=(*taken, *clear(names), *runs.notes))
    form = _counting(form, sample, runs)
    with explained(runs, request.target, names):
        fit = fit_form(form, sample, Options(aim, request.draws, request.bootstrap, request.seed, progress))
    fit = fit if request.draws else with_normal_draws(fit)
    fit = fit._replace(law=_described(fit, form, sample))
    has_split = {"N", "D"} <= sample.data.keys() and form.relation == "loss"
    growth = exponents(fit, fit.law.relations["loss"].valid["C"][1]) if has_split else []
    settings = setting_notes(fit)
    flat = [NO_SPLIT] if has_split and not growth and not settings else []
    alone = deciding_run(fit, runs.rows, flops=fit.law.relations["loss"].valid["C"][1] if growth else None)
    fit = fit._replace(notes=(*fit.notes, *doubts(form, sample.data), *alone, *settings, *flat))
    held = hold_out(fit) if request.at else scales(fit)
    return Answer(
        fit, fit.law, runs,
        tuple(growth),
        tuple(predict(fit, request.at, held, seed=request.seed)) if request.at else (),
        held, manifest_of(request, fit, runs),
    )  # fmt: skip


def _counting(form: Form, sample: Sample, runs: Runs) -> Form:
    """Return the form of a loss with FLOPs that count as those of the runs, where these are not 6ND."""
    ratio = compute_ratio(runs.columns)
    if sample.given_flops is None or ratio is None or form.relation != "loss":
        return form
    each = f"{FLOPS_PER_PARAM_AND_TOKEN * ratio.median:.12g}"  # by param and token, without the rounding of the ratio
    note = f"as the runs' flops: {ratio}"
    return form._replace(flops=Relation("flops", Formula(f"{each} * N * D"), status="fitted", note=note))


def _described(fit: Fit, form: Form, sample: Sample) -> Law:
    """Return the law with the range of the runs behind it, and without refits its covariance."""
    law, relation = fit.law, fit.law.relations[form.relation]
    defaults = {name: variable.default for name, variable in law.variables.items()}
    stands = {name: default.text for name, default in defaults.items() if isinstance(default, Formula)}
    ranges = {stands.get(name, name): values for name, values in sample.data.items()}  # of x that stands for C, C's
    ranges = {name: sample.data.get(name, values) for name, values in ranges.items() if name in QUANTITIES}
    if sample.flops is not None:
        ranges["C"] = sample.flops
    valid = {name: (float(values.min()), float(values.max())) for name, values in ranges.items()}
    stated = {"covariance": covariance_of(fit)} if fit.kind == KIND else {}
    fitted = relation._replace(valid=valid, status="fitted", uncertainty=stated)
    relations = {**law.relations, relation.name: fitted}
    return law._replace(title=f"Fit of {sample.size} runs", relations=relations)
