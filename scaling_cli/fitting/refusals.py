"""What a refusal of runs adds to its reason: names that may have been meant for columns, and the rows that are left."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os.path import commonprefix

from scaling_cli.core.runs import Runs, left_of
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.columns import Columns
from scaling_cli.files.headers import Header, usual_role
from scaling_cli.files.tables import open_table
from scaling_cli.fit.forms import Form
from scaling_cli.fitting.requests import COLUMNS, Request, column_names, data_names

FEWEST_LETTERS = 3  # of a name that resembles another wherever it stands; ours: c beside C is no slip


@contextmanager
def explained(runs: Runs, target: str, said: Mapping[str, str] | None = None) -> Iterator[None]:
    """Add to a refusal of runs what may be behind it, and how many rows are left where not all are.

    Args:
        runs: the runs that are fitted.
        target: what is fitted to them.
        said: what is to be said of coefficients, by name; of those that the refusal names it comes first.

    Raises: NoAnswer for the one that is raised inside.
    """
    try:
        yield
    except NoAnswer as error:
        left = [left_of(runs)] if runs.used < runs.read else []
        lines = list((said or {}).values())
        named = [text for name, text in (said or {}).items() if name in re.findall(r"\w+", error.message)]
        values = runs.columns[target]
        same = [f"every {target} is {values[0]:.6g}"] if values[1:] and min(values) == max(values) else []
        first = [*same, *named][:1] or [error.message]
        rest = [line for line in [*lines, error.message] if line not in first]
        raise NoAnswer(*first, *rest, *left, *error.hints) from error


def resembling(request: Request, form: Form) -> Mapping[str, str]:
    """Return what to say of the coefficients of the user's formula that resemble the name of a column."""
    if request.formula is None:
        return {}
    used = {*data_names(form), request.target, next((k for k, word in COLUMNS.items() if word == request.target), "")}
    unknown = _unknown(request)
    columns = [name for name in column_names(request) if name not in unknown and (len(name) > 1 or name not in used)]
    why = "" if request.runs == "-" else ", since no column is named so"
    near = {coefficient.name: _nearest(coefficient.name, columns) for coefficient in form.free}
    return {
        name: f"{name} is taken as a coefficient{why}; is it {column}?"
        for name, column in near.items()
        if column and column not in {request.target, *unknown}
    }


def _unknown(request: Request) -> set[str]:
    """Return the names of quantities that the table does not give; nobody looks into standard input, read once."""
    if request.runs == "-":
        return set()
    with open_table(request.runs) as table:
        columns = Columns(Header(table.path, table.header), request.columns, recompute=bool(request.flops_from))
    return {name for pair in COLUMNS.items() for name in pair if not _gives(columns, pair[1])}


def _gives(columns: Columns, name: str) -> bool:
    try:
        columns.define(name)
    except (FileError, InputError):
        return False
    return True


def clear(said: Mapping[str, str]) -> list[str]:
    """Return what is to be said of coefficients though the runs determine them: not of single letters."""
    return [text for name, text in said.items() if len(name) >= FEWEST_LETTERS]


def _nearest(name: str, columns: Sequence[str]) -> str:
    """Return the column whose name is the same but for case, means the same, or is one edit away; '' if there is none.

    A digit more is no slip: loss0 is a loss.
    """
    same = [column for column in columns if column.casefold() == name.casefold()]
    meant = [usual_role(name)] if len(name) > 1 else []
    close = [column for column in columns if len(name) >= FEWEST_LETTERS and _are_one_edit_apart(name, column)]
    return next(filter(None, [*same, *meant, *(column for column in close if column != name.rstrip("0123456789"))]), "")


def _are_one_edit_apart(one: str, other: str) -> bool:
    """Whether a letter more, less or changed, or two that change places, make one name of the other.

    >>> [_are_one_edit_apart("tokens", other) for other in ("tokns", "tokenss", "tolens", "otkens", "token_")]
    [True, True, True, True, True]
    >>> [_are_one_edit_apart("tokens", other) for other in ("tokens", "tkn", "params")]
    [False, False, False]
    """
    start = len(commonprefix([one, other]))
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and a[1::-1] + a[2:] == b
    return (a != b) and (swapped or b[1:] == a or a[1:] == b or a[1:] == b[1:])
