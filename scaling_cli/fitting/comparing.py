"""Which form suits a file of runs: several fitted to the same runs and ranked."""

import contextlib
from collections.abc import Sequence

from scaling_cli.core.laws import QUANTITIES
from scaling_cli.errors import InputError, NoAnswer, ScalingError
from scaling_cli.files.columns import Columns
from scaling_cli.files.headers import Header
from scaling_cli.files.tables import open_table
from scaling_cli.fit.comparing import Comparison, Contender, compare
from scaling_cli.fit.fits import Options
from scaling_cli.fit.forms import Form, settle
from scaling_cli.fitting.candidates import distinct_forms
from scaling_cli.fitting.requests import COLUMNS, Request, aim_of, data_names, form_of, read_columns

UNIQUE = "unique_tokens"  # the column that is taken for U where --columns does not say


def compare_forms(request: Request, forms: Sequence[str] = ()) -> Comparison:
    """Return forms fitted to the same runs, ranked by error on held-out larger ones.

    Args:
        request: which runs, and how to fit them; its formula is one more of the forms, its fixed and started
            coefficients are those of the forms that have them.
        forms: presets; where none is given, every distinct loss form that the runs have the columns for.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs determine none of the forms.
    """
    aim = aim_of(request)
    request, known = _with_columns(request)
    shipped = not forms and request.form is None
    wanted = distinct_forms(known) if shipped else []
    names = dict.fromkeys([*([request.form] if request.form else []), *forms])
    wanted += [form_of(_alone(request, form=name)) for name in names]
    if request.formula is not None:
        wanted.append(form_of(_alone(request, formula=request.formula, positive=request.positive)))
    wanted = _settled(wanted, request)
    usable = [form for form in wanted if _lacks(form, known) is None]
    refused = tuple(_refusal(form, known) for form in wanted if _lacks(form, known) is not None)
    if not usable:
        raise NoAnswer("the runs lack the columns of every form", *(f"{one.form}: {one.notes[0]}" for one in refused))
    data = [name for form in usable for name in data_names(form)]
    data += ["N", "D"] if {"N", "D"} <= set(known) else []  # they say how large a run is
    runs, sample = read_columns(_asking_for(request, data), list(dict.fromkeys(data)))
    found = compare(usable, sample, Options(aim, draws=0, seed=request.seed), distinct=shipped)
    return found._replace(contenders=(*found.contenders, *refused), notes=(*runs.notes, *found.notes))


def _alone(
    request: Request, *, form: str | None = None, formula: str | None = None, positive: str | None = None
) -> Request:
    """Return the request for one form as it stands; what is fixed is settled later, for all of them."""
    return request._replace(form=form, formula=formula, positive=positive, fix={}, start={})


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


def _with_columns(request: Request) -> tuple[Request, list[str]]:
    """Return the request, with U where the table has unique tokens, and the names of data that the runs have."""
    if request.runs == "-":  # it can be read only once
        return request, [*COLUMNS, *request.columns]
    with open_table(request.runs) as table:
        header = Header(table.path, table.header)
    if "U" not in request.columns and header.position(UNIQUE) is not None:
        request = request._replace(columns={**request.columns, "U": UNIQUE})
    columns = Columns(header, request.columns, recompute=bool(request.flops_from))
    known = []
    for letter, word in COLUMNS.items():
        with contextlib.suppress(ScalingError):  # a form that needs it will say so
            columns.define(word)
            known.append(letter)
    return request, list(dict.fromkeys([*known, *request.columns]))


def _asking_for(request: Request, data: Sequence[str]) -> Request:
    """Return the request without the U that was found rather than given, where no form asks for it."""
    kept = {name: text for name, text in request.columns.items() if name != "U" or text != UNIQUE or "U" in data}
    return request._replace(columns=kept)


def _lacks(form: Form, known: Sequence[str]) -> str | None:
    """Return the first of N, D, C and L that a form uses and the runs lack."""
    return next((name for name in data_names(form) if name in COLUMNS and name not in known), None)


def _refusal(form: Form, known: Sequence[str]) -> Contender:
    missing = _lacks(form, known) or ""
    note = f"the runs have no {QUANTITIES.get(missing, missing)}"
    return Contender(form.name, form.law.relations[form.relation].text, notes=(note,))
