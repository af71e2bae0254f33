"""What to fit to which runs, and the runs read for it."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.compute import training_flops
from scaling_cli.core.formulas import Formula, FormulaError, names_in
from scaling_cli.core.runs import Runs, compute_ratio
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.headers import spelt
from scaling_cli.files.runs import read_runs
from scaling_cli.files.tables import open_table
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, law_and_relation, preset_form, settle
from scaling_cli.fit.objectives import DELTA, Objective, objective
from scaling_cli.fit.ordering import canonical_order, reordered
from scaling_cli.fit.samples import Sample, sample_of

COLUMNS = {"N": "params", "D": "tokens", "C": "flops", "L": "loss"}
FEWEST_DRAWS = 20  # of which one lies beyond an end of a 90 % interval
WITH_DELTA = "huber-log"  # the objective that has a threshold


class Request(NamedTuple):
    """What to fit to which runs; the fields are the options of `scaling fit`.

    `delta` None is Huber's threshold of Hoffmann et al. 2022, where the objective has one.
    """

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
    delta: float | None = None
    quantile: float | None = None
    draws: int = 1000
    bootstrap: str = "pairs"
    seed: int = 0
    at: tuple[float, ...] = ()
    method: str = "parametric"


def aim_of(request: Request) -> Objective:
    """Return the objective that is asked for.

    Raises: InputError for one that does not exist, or a threshold that it does not have.
    """
    found = objective(request.objective, DELTA if request.delta is None else request.delta, request.quantile)
    if request.delta is not None and not has_threshold(request):
        asked = f"--objective {request.objective}" if request.quantile is None else "--quantile"
        raise InputError(
            f"--delta and {asked} are both given", f"only {WITH_DELTA} has a threshold, and without --quantile"
        )
    return found


def has_threshold(request: Request) -> bool:
    """Whether the objective that is asked for has Huber's threshold."""
    return request.objective == WITH_DELTA and request.quantile is None


def check_draws(draws: int) -> None:
    """Refuse refits that are too few to say anything."""
    if 0 < draws < FEWEST_DRAWS:
        raise InputError(
            f"--draws is {draws}, too few to see a twentieth on either side",
            f"expected 0, for no refits, or at least {FEWEST_DRAWS}",
        )


def form_of(request: Request) -> Form:
    """Return the form that is asked for, with what is fixed and where it starts."""
    return settle(_unsettled(request, column_names(request)), request.fix, request.start)


def _unsettled(request: Request, names: list[str]) -> Form:
    if request.formula is None:
        if request.positive is not None:
            raise InputError("--positive belongs to --formula", "a preset's form keeps the signs that are published")
        check_target(request.target, f"--form {request.form or DEFAULT_FORM}")
        law, relation = law_and_relation(request.form or DEFAULT_FORM)
        return preset_form(load_law(law), [*COLUMNS, *request.columns], relation=relation)
    if request.form is not None:
        raise InputError("--form and --formula are both given", "give one of them")
    form = formula_form(request.formula, names, positive=_positive(request.positive), target=spelt(request.target))
    if not form.free:
        problem = f"--formula {request.formula[:40]} has no coefficient to fit: all its names are columns"
        raise InputError(problem, "expected one such as 'A / N**alpha', with names that no column has")
    return form


def check_target(target: str, what: str) -> None:
    """Refuse a formula of columns where what is fitted gives the loss itself: the law would be taken for one of it."""
    if target[:1].isdigit() or set(target) & set("()*+"):
        raise InputError(
            f"--target {target[:40]} is a formula, and {what} gives the loss itself",
            f"where that is the loss: --columns 'loss={target[:40]}'; else say what it follows with --formula",
        )


def _positive(text: str | None) -> list[str] | None:
    """Return the coefficients that stay above zero; empty for all, None for none."""
    if text is None or text.strip() == "all":
        return None if text is None else []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"--positive is {text[:40]!r}", "expected coefficients, such as 'E, A', or all")
    return names


def column_names(request: Request) -> list[str]:
    """Return the names that mean data in a formula: N D C L, what --columns defines, and the table's own columns."""
    names = [*COLUMNS, *COLUMNS.values(), *request.columns]
    if request.formula is not None and request.runs != "-":
        with open_table(request.runs) as table:
            names += filter(str.isidentifier, map(spelt, table.header))
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
    """Return the runs with named data, in an order that these give, as they were read and as arrays.

    Raises: NoAnswer when no run is left.
    """
    words = [COLUMNS.get(name, name) for name in names]
    runs = read(request, words)
    if not runs.used:
        raise NoAnswer(f"no run is left of {runs.read} read", "see what was dropped, and --where")
    _check_compute(request.runs, runs)
    runs = _in_order(
        runs, [*sorted(words, key=_place), request.target, *filter(None, [request.weights])], request.group
    )
    ratio = compute_ratio(runs.columns) if {"N", "D"} <= set(names) else None
    sample = sample_of(
        {name: runs.columns[word] for name, word in zip(names, words, strict=True)},
        runs.columns[request.target],
        weights=runs.columns[request.weights] if request.weights else None,
        groups=groups_of(request, runs),
        flops=runs.columns["flops"] if ratio and ratio.is_compute and not ratio.is_near else None,
    )
    return runs, sample


def _check_compute(path: str, runs: Runs) -> None:
    """Refuse runs whose 6ND no number can hold."""
    params, tokens = runs.columns.get("params"), runs.columns.get("tokens")
    if not params or not tokens or math.isfinite(training_flops(max(params), max(tokens))):
        return
    for row, n, d in zip(runs.rows, params, tokens, strict=True):
        if not math.isfinite(training_flops(n, d)):
            raise FileError(
                path, f"row {row}: params are {n:g} and tokens {d:g}, whose 6ND is larger than any number",
                "expected counts; leave the row out with --where, or read another unit with --columns",
            )  # fmt: skip


def _place(word: str) -> tuple[int, str]:
    """Return where a column stands among those that order the runs, wherever the formula names it."""
    quantities = list(COLUMNS.values())
    return (quantities.index(word) if word in quantities else len(quantities)), word


def _in_order(runs: Runs, names: Sequence[str], group: str) -> Runs:
    """Return the runs in the order of the named columns and of their group: resamples go by a run's number."""
    labels = runs.labels.get(group, [])
    ranks = {label: float(rank) for rank, label in enumerate(sorted(set(labels)))}
    keys = [*(runs.columns[name] for name in names), *([[ranks[label] for label in labels]] if group else [])]
    order = canonical_order(keys)
    if order is None:
        return runs
    return runs._replace(
        columns={name: reordered(column, order) for name, column in runs.columns.items()},
        labels={name: [texts[i] for i in order] for name, texts in runs.labels.items()},
        rows=reordered(runs.rows, order),
    )


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
        request.runs, columns=columns, where=request.where, needed=[*dict.fromkeys(needed), target],
        weights=request.weights, group=request.group, flops_from=request.flops_from,
    )  # fmt: skip


def groups_of(request: Request, runs: Runs) -> list[int] | None:
    """Return the number of each run's group, from 0; None where runs stand alone."""
    if not request.group:
        return None
    numbers: dict[str, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in runs.labels[request.group]]
