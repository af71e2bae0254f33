"""Which form suits a file of runs: several fitted to the same runs and ranked."""

import contextlib
from collections.abc import Iterator, Sequence

from scaling_cli.core.laws import QUANTITIES
from scaling_cli.errors import InputError, NoAnswer, ScalingError
from scaling_cli.files.columns import Columns
from scaling_cli.files.headers import Header
from scaling_cli.files.tables import open_table
from scaling_cli.fit.comparing import Comparison, Contender, compare
from scaling_cli.fit.fits import Options
from scaling_cli.fit.forms import Form, settle
from scaling_cli.fitting.candidates import distinct_forms, shipped_variables
from scaling_cli.fitting.refusals import clear, explained, resembling
from scaling_cli.fitting.requests import COLUMNS, Request, aim_of, data_names, form_of, read_columns
from scaling_cli.fitting.variables import column_notes, found_columns, with_variables


def compare_forms(request: Request, forms: Sequence[str] = ()) -> Comparison:
    """Return forms fitted to the same runs, ranked by error on held-out larger ones.

    Args:
        request: which runs, and how to fit them; its formula is one more of the forms, its fixed and started
            coefficients are those of the forms that have them.
        forms: presets; where none is given, every distinct loss form that the runs have the columns for.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs determine none of the forms.
    """
    aim = aim_of(request)
    shipped = not forms and request.form is None
    pairs = [with_variables(one) for one in _one_by_one(request, forms)]
    alone = [one for one, _ in pairs]
    found = {name: text for one in alone for name, text in one.columns.items() if name not in request.columns}
    if shipped:
        found |= found_columns(request, [name for name in shipped_variables() if name not in found])
    request = request._replace(columns={**request.columns, **found})
    known = _known(request)
    asked = [form_of(one) for one in alone]
    wanted = _settled([*(distinct_forms(known) if shipped else []), *asked], request)
    usable = [form for form in wanted if _lacks(form, known) is None]
    refused = tuple(_refusal(form, known) for form in wanted if _lacks(form, known) is not None)
    if not usable:
        raise NoAnswer("the runs lack the columns of every form", *(f"{one.form}: {one.notes[0]}" for one in refused))
    data = [name for form in usable for name in data_names(form)]
    data += ["N", "D"] if {"N", "D"} <= set(known) else []  # they say how large a run is
    taken = {name: text for name, text in found.items() if name in data}
    given = {name: text for name, text in request.columns.items() if name in taken or name not in found}
    runs, sample = read_columns(request._replace(columns=given), list(dict.fromkeys(data)))
    names = {name: said for pair in zip(alone, asked, strict=True) for name, said in resembling(*pair).items()}
    with explained(runs, request.target, names):
        ranked = compare(usable, sample, Options(aim, draws=0, seed=request.seed), distinct=shipped)
    of_columns = dict.fromkeys([*(note for _, notes in pairs for note in notes), *column_notes(taken)])
    notes = (*of_columns, *clear(names), *runs.notes, *ranked.notes)
    return ranked._replace(contenders=(*ranked.contenders, *refused), notes=notes)


def _one_by_one(request: Request, forms: Sequence[str]) -> Iterator[Request]:
    """Yield the request for each form that it names as it stands; what is fixed is settled later, for all of them."""
    bare = request._replace(form=None, formula=None, positive=None, fix={}, start={})
    for name in dict.fromkeys([*([request.form] if request.form else []), *forms]):
        yield bare._replace(form=name)
    if request.formula is not None:
        yield bare._replace(formula=request.formula, positive=request.positive)


def _settled(forms: Sequence[Form], request: Request) -> list[Form]:
    """Return the forms with what --fix and --start say of their coefficients."""
    have = {coefficient.name for form in forms for coefficient in form.free}
    for option, given in (("--fix", request.fix), ("--start", request.start)):
        for name in given:
            if name not in have:
                raise InputError(f"{option} names {name}, which no form has as a coefficient")
    found = []
    for form in forms:
        mine = {coefficient.name for coefficient in form.free}
        fixed = {name: text for name, text in request.fix.items() if name in mine}
        starts = {name: value for name, value in request.start.items() if name in mine}
        found.append(settle(form, fixed, starts))
    return found


def _known(request: Request) -> list[str]:
    """Return the names of data that the runs have, as formulas use them."""
    if request.runs == "-":  # it can be read only once
        return list(dict.fromkeys([*COLUMNS, *request.columns]))
    with open_table(request.runs) as table:
        columns = Columns(Header(table.path, table.header), request.columns, recompute=bool(request.flops_from))
    known = []
    for letter, word in COLUMNS.items():
        with contextlib.suppress(ScalingError):  # a form that needs it will say so
            columns.define(word)
            known.append(letter)
    return list(dict.fromkeys([*known, *request.columns]))


def _lacks(form: Form, known: Sequence[str]) -> str | None:
    """Return the first of N, D, C and L that a form uses and the runs lack."""
    return next((name for name in data_names(form) if name in COLUMNS and name not in known), None)


def _refusal(form: Form, known: Sequence[str]) -> Contender:
    missing = _lacks(form, known) or ""
    note = f"the runs have no {QUANTITIES.get(missing, missing)}"
    return Contender(form.name, form.law.relations[form.relation].text, notes=(note,))
