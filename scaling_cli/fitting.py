"""The library's `scaling fit`: from a file of runs to a law. Joins what reads runs with what fits them.

Not imported by `import scaling_cli`, since it needs numpy and scipy:

    from scaling_cli.fitting import Request, fit_runs
    fit_runs(Request("runs.csv", at=(1e24,))).law
"""

import math
import os
import platform
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_cli.core.compute import training_flops
from scaling_cli.core.formulas import Formula, FormulaError, names_in
from scaling_cli.core.laws import QUANTITIES, Law
from scaling_cli.core.runs import Runs
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.presets import NAME
from scaling_cli.files.runs import read_runs
from scaling_cli.files.saving import save_law
from scaling_cli.files.tables import open_table
from scaling_cli.fit.fits import Fit, Options, fit_form, refits
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, preset_form, settle
from scaling_cli.fit.objectives import DELTA, objective
from scaling_cli.fit.predictions import Answer, exponents, predict

COLUMNS = {"N": "params", "D": "tokens", "C": "flops", "L": "loss"}


class Request(NamedTuple):
    """What to fit to which runs; the fields are the options of `scaling fit`."""

    runs: str
    form: str | None = None
    formula: str | None = None
    target: str = "loss"
    columns: Mapping[str, str] = {}
    where: str = ""
    weights: str = ""
    group: str = ""
    flops_from: str = ""
    fix: Mapping[str, str] = {}
    start: Mapping[str, float] = {}
    positive: str | None = None
    objective: str = "huber-log"
    delta: float = DELTA
    quantile: float | None = None
    draws: int = 1000
    bootstrap: str = "pairs"
    seed: int = 0
    at: tuple[float, ...] = ()


def fit_runs(request: Request, *, progress: Callable[[int], None] | None = None) -> Answer:
    """Return the law in a file of runs.

    Args:
        request: what to fit.
        progress: told how many refits are done, as they are.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs do not determine the law.
    """
    aim = objective(request.objective, request.delta, request.quantile)
    names = _column_names(request)
    form = settle(_form(request, names), request.fix, request.start)
    runs = _read(request, form)
    if not runs.used:
        raise NoAnswer(f"no run is left of {runs.read} read", "see what was dropped, and --where")
    data = {name: runs.columns[COLUMNS.get(name, name)] for name in _data_names(form)}
    target = runs.columns[request.target]
    fit = fit_form(
        form, data, target, Options(aim, request.draws, request.bootstrap, request.seed, progress),
        weights=runs.columns[request.weights] if request.weights else None,
        groups=_groups(runs.labels[request.group]) if request.group else None,
    )  # fmt: skip
    law = _described(fit.law, form, runs, data)
    fit = fit._replace(law=law)
    has_split = {"N", "D"} <= data.keys() and form.relation == "loss"
    largest = max(map(training_flops, data["N"], data["D"])) if has_split else 0.0
    return Answer(
        fit, law, runs,
        tuple(exponents(fit, largest)) if has_split else (),
        tuple(predict(fit, request.at, seed=request.seed)) if request.at else (),
        _manifest(request, fit, runs),
    )  # fmt: skip


def save_fit(answer: Answer, path: str, *, force: bool = False) -> None:
    """Write a fit as a preset that every command takes, with its refits beside it and its manifest inside.

    Args:
        answer: a fit.
        path: the file, ending in .yaml; the law takes its name.
        force: replace an existing file.

    Raises: FileError when the file exists and force is false, or cannot be written.
    """
    stem = os.path.splitext(os.path.basename(path))[0].lower()
    law = answer.law._replace(id=stem if NAME.fullmatch(stem) else answer.law.id)
    save_law(law, path, draws=refits(answer.fit), manifest=answer.manifest, force=force)


def _form(request: Request, names: list[str]) -> Form:
    if request.formula is None:
        if request.positive is not None:
            raise InputError(
                "--positive belongs to --formula", "the coefficients of a preset's form are positive already"
            )
        law = load_law(request.form or DEFAULT_FORM)
        return preset_form(law, [*COLUMNS, *request.columns])
    if request.form is not None:
        raise InputError("--form and --formula are both given", "give one of them")
    positive = None if request.positive is None else [] if request.positive == "all" else request.positive.split(",")
    return formula_form(request.formula, names, positive=positive, target=request.target)


def _column_names(request: Request) -> list[str]:
    """Return the names that mean data in a formula: N D C L, what --columns defines, and the table's own columns."""
    names = [*COLUMNS, *COLUMNS.values(), *request.columns]
    if request.formula is not None and request.runs != "-":
        with open_table(request.runs) as table:
            names += [name for name in table.header if name.isidentifier()]
    return list(dict.fromkeys(names))


def _data_names(form: Form) -> list[str]:
    free = {coefficient.name for coefficient in form.free}
    return [name for name in dict.fromkeys(names_in(form.tree)) if name not in free]


def _read(request: Request, form: Form) -> Runs:
    data = [COLUMNS.get(name, name) for name in _data_names(form)]
    target, columns = request.target, dict(request.columns)
    needed = [*dict.fromkeys(data), target]
    try:
        simple = Formula(target).tree[0] == "name"
    except FormulaError:
        simple = True  # a column with an odd name: the reader says what it makes of it
    if not simple:
        columns[target] = target
    return read_runs(
        request.runs, columns=columns, where=request.where, needed=needed,
        extra=[request.weights] if request.weights else [], group=request.group, flops_from=request.flops_from,
    )  # fmt: skip


def _groups(labels: list[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]


def _described(law: Law, form: Form, runs: Runs, data: Mapping[str, list[float]]) -> Law:
    """Return the law with the range of the runs behind it."""
    relation = law.relations[form.relation]
    valid = {name: (min(data[name]), max(data[name])) for name in data if name in QUANTITIES}
    if {"N", "D"} <= data.keys():
        flops = [*map(training_flops, data["N"], data["D"])]
        valid["C"] = (min(flops), max(flops))
    relations = {**law.relations, relation.name: relation._replace(valid=valid, status="fitted")}
    title = f"Fit of {runs.used} runs"
    return law._replace(title=title, relations=relations)


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
