"""The options that choose among the rows of a catalogue: limits in the one grammar NAME=VALUE, and an order."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from scaling_cli.cli.options import pairs
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.core.rows import Row, in_order, within
from scaling_cli.errors import InputError

KINDS = ("flops", "params", "tokens")  # numbers that may carry their own units

Min = Annotated[
    list[str],
    typer.Option("--min", metavar="NAME=VALUE", help="Rows whose number NAME is at least VALUE; repeatable."),
]
Max = Annotated[
    list[str],
    typer.Option("--max", metavar="NAME=VALUE", help="Rows whose number NAME is at most VALUE; repeatable."),
]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="NAME", help="Order by NAME, smallest first; -NAME is largest first."),
]


def limits(texts: Sequence[str], option: str) -> dict[str, float]:
    """Return repeated NAME=VALUE limits as numbers by name."""
    found = pairs(option, list(texts))
    return {
        name: parse_quantity(text, name if name in KINDS else "number", f"{option} {name}")
        for name, text in found.items()
    }


def choose(
    rows: Sequence[Row],
    *,
    least: Sequence[str] = (),
    most: Sequence[str] = (),
    sort: str | None = None,
    words: Mapping[str, str | None] | None = None,
) -> Sequence[Row]:
    """Return the rows that keep within limits and carry the given words, in order.

    Args:
        rows: the whole catalogue.
        least: texts of --min.
        most: texts of --max.
        sort: text of --sort.
        words: texts of further options by the key that they speak of; compared without case.

    Raises: InputError for a limit or an order by an unknown name, or a word that no row carries.
    """
    chosen = within(rows, least=limits(least, "--min"), most=limits(most, "--max"))
    for key, word in (words or {}).items():
        if word is not None:
            _require_word(rows, key, word)
            chosen = [row for row in chosen if str(row[key]).lower() == word.lower()]
    return in_order(chosen, sort) if sort is not None else chosen


def _require_word(rows: Sequence[Row], key: str, word: str) -> None:
    known = sorted({str(row[key]) for row in rows if row[key]}, key=str.lower)
    if word.lower() not in map(str.lower, known):
        raise InputError(f"--{key} is {word[:40]!r}", f"expected one of {', '.join(known)}")
