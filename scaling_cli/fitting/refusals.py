"""What a refusal of runs adds to its reason: names that may have been meant for columns, and the rows that are left."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os.path import commonprefix

from scaling_cli.core.runs import Runs, left_of
from scaling_cli.errors import NoAnswer
from scaling_cli.files.headers import usual_role
from scaling_cli.fit.forms import Form
from scaling_cli.fitting.requests import COLUMNS, Request, column_names, data_names

FEWEST_LETTERS = 3  # of a name that resembles another wherever it stands; ours: c beside C is no slip


@contextmanager
def explained(runs: Runs, *hints: str) -> Iterator[None]:
    """Add hints to a refusal of runs, and how many rows are left where not all are.

    Raises: NoAnswer as it is raised inside.
    """
    try:
        yield
    except NoAnswer as error:
        left = [left_of(runs)] if runs.used < runs.read else []
        raise NoAnswer(error.message, *hints, *left, *error.hints) from error


def resembling(request: Request, form: Form) -> Mapping[str, str]:
    """Return what to say of the coefficients of the user's formula that resemble the name of a column."""
    if request.formula is None:
        return {}
    used = {*data_names(form), request.target, next((k for k, word in COLUMNS.items() if word == request.target), "")}
    columns = [name for name in column_names(request) if len(name) > 1 or name not in used]
    why = "" if request.runs == "-" else ", since no column is named so"
    near = {coefficient.name: _nearest(coefficient.name, columns) for coefficient in form.free}
    return {
        name: f"{name} is taken as a coefficient{why}; is it {column}?"
        for name, column in near.items()
        if column and column != request.target
    }


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
