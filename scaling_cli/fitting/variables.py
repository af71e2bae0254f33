"""Which columns of a run table are the variables of a law beyond N, D, C and L."""

from collections.abc import Iterable, Mapping

from scaling_cli.core.formulas import Formula, FormulaError
from scaling_cli.core.laws import names_below
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.headers import Header, is_variable, usual_role
from scaling_cli.files.sections import shown
from scaling_cli.files.tables import open_table
from scaling_cli.fit.forms import DEFAULT_FORM, Form, law_and_relation, preset_form
from scaling_cli.fitting.requests import COLUMNS, Request

_LETTERS = {word: letter for letter, word in COLUMNS.items() if letter != "L"}


def with_variables(request: Request) -> tuple[Request, tuple[str, ...]]:
    """Return the request with the columns of the variables that its form uses, and notes to go with them.

    A column that the user names comes first. Standard input can be read only once, so that nothing is looked for there.

    Raises: FileError for a variable that could be one of several columns; InputError for a law with no loss to fit.
    """
    of_form = variables_of_formula(request.formula) if request.formula is not None else variables_of(request.form)
    if request.runs == "-":
        return request, _unsought(name for name in of_form if name not in request.columns)
    found = found_columns(request, of_form)
    return request._replace(columns={**request.columns, **found}), column_notes(found)


def measured(form: Form, columns: Mapping[str, str]) -> Form:
    """Return the form with variables that stand for whatever is scaled bound to what the user has them measured by.

    A saved law of x in FLOPs would else be asked with tokens: x becomes N, D or C where its column is of that, and else
    has no default.
    """
    variables = dict(form.law.variables)
    for name in columns.keys() & variables.keys():
        if isinstance(variables[name].default, Formula) and not is_variable(name):
            letter = _LETTERS.get(usual_role(columns[name]))
            variables[name] = variables[name]._replace(unit="", default=Formula(letter) if letter else None)
    return form._replace(law=form.law._replace(variables=variables))


def found_columns(request: Request, names: Iterable[str]) -> dict[str, str]:
    """Return the columns of those variables that the user has named none for."""
    wanted = [name for name in names if name not in request.columns]
    if not wanted or request.runs == "-":
        return {}
    with open_table(request.runs) as table:
        header = Header(table.path, table.header)
    places = {name: header.variable(name) for name in wanted}
    return {name: header.names[place] for name, place in places.items() if place is not None}


def column_notes(found: dict[str, str]) -> tuple[str, ...]:
    """Say which columns were taken for variables under another name."""
    return tuple(f"{name}: column {shown(column)}" for name, column in found.items() if column != name)


def _unsought(names: Iterable[str]) -> tuple[str, ...]:
    """Say which variables nobody has looked for."""
    said = "standard input is read once, without a look for {0}: --columns {0}=COLUMN says which it is"
    return tuple(said.format(name) for name in names)


def variables_of(form: str | None) -> list[str]:
    """Return the variables that the loss of a preset, or its named relation, rests on."""
    name, relation = law_and_relation(form or DEFAULT_FORM)
    law = load_law(name)
    if not law.variables:
        return []
    below = names_below(law, [preset_form(law, [*COLUMNS, *law.variables], relation=relation).relation])
    return [variable for variable in law.variables if variable in below]


def variables_of_formula(text: str) -> list[str]:
    """Return the names in a formula that mean one variable in every law; of other names only the table says."""
    try:
        return [name for name in Formula(text).names if is_variable(name)]
    except FormulaError:
        return []  # whoever reads it in earnest says what is wrong
