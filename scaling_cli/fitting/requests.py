"""What to fit to which runs, and the runs read for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.formulas import Formula, FormulaError, names_in
from scaling_cli.core.runs import Runs
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.runs import read_runs
from scaling_cli.files.tables import open_table
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, preset_form, settle
from scaling_cli.fit.objectives import DELTA
from scaling_cli.fit.samples import Sample, sample_of

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
    method: str = "parametric"


def form_of(request: Request) -> Form:
    """Return the form that is asked for, with what is fixed and where it starts."""
    return settle(_unsettled(request, _column_names(request)), request.fix, request.start)


def _unsettled(request: Request, names: list[str]) -> Form:
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


def data_names(form: Form) -> list[str]:
    """Return the names of data in a form."""
    free = {coefficient.name for coefficient in form.free}
    return [name for name in dict.fromkeys(names_in(form.tree)) if name not in free]


def read_sample(request: Request, form: Form) -> tuple[Runs, Sample]:
    """Return the runs that a form needs, as they were read and as arrays.

    Raises: NoAnswer when no run is left.
    """
    return read_columns(request, data_names(form))


def read_columns(request: Request, names: Sequence[str]) -> tuple[Runs, Sample]:
    """Return the runs with named data, as they were read and as arrays.

    Raises: NoAnswer when no run is left.
    """
    runs = read(request, [COLUMNS.get(name, name) for name in names])
    if not runs.used:
        raise NoAnswer(f"no run is left of {runs.read} read", "see what was dropped, and --where")
    sample = sample_of(
        {name: runs.columns[COLUMNS.get(name, name)] for name in names},
        runs.columns[request.target],
        weights=runs.columns[request.weights] if request.weights else None,
        groups=groups_of(request, runs),
    )
    return runs, sample


def read(request: Request, needed: Sequence[str]) -> Runs:
    """Return the runs with the needed columns, the target and what weighs and groups them."""
    target, columns = request.target, dict(request.columns)
    try:
        simple = Formula(target).tree[0] == "name"
    except FormulaError:
        simple = True  # a column with an odd name: the reader says what it makes of it
    if not simple:
        columns[target] = target
    return read_runs(
        request.runs, columns=columns, where=request.where, needed=[*dict.fromkeys([*needed, target])],
        extra=[request.weights] if request.weights else [], group=request.group, flops_from=request.flops_from,
    )  # fmt: skip


def groups_of(request: Request, runs: Runs) -> list[int] | None:
    """Return the number of each run's group, from 0; None where runs stand alone."""
    if not request.group:
        return None
    numbers: dict[str, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in runs.labels[request.group]]
