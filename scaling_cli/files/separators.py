"""Where the header of a table stands, and what separates its fields: what people and spreadsheets put before it."""

import re
from collections.abc import Iterable, Iterator, Sequence

from scaling_cli.errors import FileError
from scaling_cli.files.sections import shown

EXAMPLE = "params,tokens,loss"
SEPARATORS = "\t,;|"  # of those that split a header into equally many names the first is its own
Line = tuple[int, str]  # counted from 1


def opening_of(lines: Iterator[Line]) -> list[Line]:
    """Return the first line that says something; where a row of numbers follows comments, the last of them before it.

    numpy writes a header so: `# params,loss`. The line is '' where there is none.
    """
    comment = None
    for number, line in lines:
        if line.isspace():
            continue
        if not line.lstrip().startswith("#"):
            has_header = comment is None or not are_numbers(line.split(_mark_in(line)))
            return [(number, line)] if comment is None or has_header else [comment, (number, line)]
        comment = number, line
    return [(1, "")]


def separator_of(first: str, rest: Iterable[str], path: str) -> tuple[str, str]:
    """Return what separates the fields of a table, and its header line.

    Args:
        first: the line that opens it: the header, or before it what Excel reads, `sep=;`.
        rest: the lines below it, of which the header is taken where it is there.
        path: the table, for messages.

    Raises: FileError for a table without a header, or with another separator.
    """
    said = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)
    if said:
        first = next((line for line in rest if not line.isspace()), "")
    if not first:
        raise FileError(path, "is empty", f"expected a header and a row for each run: {EXAMPLE}")
    separator = said[1] if said else _mark_in(first)
    _check_separator(separator, first.strip(), path)
    return separator, first


def _mark_in(line: str) -> str:
    """Return the separator that splits a line into the most names; a comma where none does."""
    names = {mark: sum(map(bool, map(str.strip, line.split(mark)))) for mark in SEPARATORS}
    most = max(SEPARATORS, key=names.__getitem__)
    return most if names[most] > 1 else ","


def _check_separator(separator: str, header: str, path: str) -> None:
    """Refuse a header whose fields are separated by what is no separator here."""
    problem = ""
    if separator not in SEPARATORS:
        problem = f"has fields separated by {shown(separator)}: its header is {shown(header)}"
    elif separator not in header and (found := re.search(r"(?<=\w)(?: +|:)(?=\w)", header)):
        other = "blanks" if found[0].isspace() else shown(found[0])
        problem = f"has fields separated by {other}: its header is {shown(header)}"
    elif separator == header[:1] == "|":
        problem = "is a Markdown table"
    if problem:
        raise FileError(path, problem, f"expected commas, tabs, semicolons or | between them: {EXAMPLE}")


def are_numbers(fields: Sequence[str]) -> bool:
    """Whether fields are a row of numbers rather than names."""
    return sum(map(_is_number, map(str.strip, fields))) * 2 > len(fields)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return name[-1].isdigit()  # not nan, inf
