"""Rows of a catalogue: which of them keep within limits, and in what order."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from scaling_cli.errors import InputError

Row = Mapping[str, object]
Limits = Mapping[str, float]


def within(rows: Sequence[Row], *, least: Limits, most: Limits) -> list[Row]:
    """Return the rows whose numbers keep within limits; a row that does not know a limited number is left out.

    Args:
        rows: one catalogue, all with the same keys.
        least: the smallest values allowed, by key.
        most: the largest values allowed, by key.

    Raises: InputError for a key that no row has a number under.

    >>> within([{"tokens": 1.0}, {"tokens": None}, {"tokens": 3.0}], least={"tokens": 2.0}, most={})
    [{'tokens': 3.0}]
    """
    numeric = [
        key for key in (rows[0] if rows else ()) if all(row[key] is None or _is_number(row[key]) for row in rows)
    ]
    for option, limits in (("--min", least), ("--max", most)):
        for name in limits if rows else ():
            _require(name, numeric, f"{option} {name[:40]}: the rows have no such number")
    return [row for row in rows if _keeps(row, least, 1.0) and _keeps(row, most, -1.0)]


def in_order(rows: Sequence[Row], name: str) -> list[Row]:
    """Return rows by the value under a key, smallest first; `-name` puts the largest first, and unknown comes last.

    Raises: InputError for a key that the rows do not have, or that is neither a number nor a text.
    """
    key = name.removeprefix("-")
    sortable = [key for key in (rows[0] if rows else ()) if all(_is_plain(row[key]) for row in rows)]
    if rows:
        _require(key, sortable, f"--sort is {name[:40]!r}: the rows have no such number or text")
    known = sorted((row for row in rows if row[key] is not None), key=lambda row: _rank(row[key]))
    if name.startswith("-"):
        known.reverse()
    return known + [row for row in rows if row[key] is None]


def _require(name: str, known: Sequence[str], problem: str) -> None:
    if name not in known:
        close = get_close_matches(name, known, n=2)
        hint = [f"did you mean {' or '.join(close)}?"] if close else []
        raise InputError(problem, *hint, f"expected one of {', '.join(known)}")


def _keeps(row: Row, limits: Limits, sign: float) -> bool:
    return all(
        isinstance(value := row[name], int | float) and sign * value >= sign * end for name, end in limits.items()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    return value is None or _is_number(value) or isinstance(value, str)


def _rank(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value).lower())
