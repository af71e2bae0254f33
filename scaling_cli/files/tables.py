"""Tables on disk: CSV, TSV, JSON Lines and Parquet to blocks of cells. Knows no column's meaning."""

import contextlib
import csv
import hashlib
import importlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, TextIO

from scaling_cli.errors import FileError
from scaling_cli.files.reading import name_of, read_bytes
from scaling_cli.files.sections import shown
from scaling_cli.files.separators import EXAMPLE, are_numbers, opening_of, separator_of
from scaling_cli.files.streams import open_text

Cell = str | int | float

MAX_BYTES = 2**30  # of a table
MAX_COLUMNS = 10_000
MAX_NAME = 200  # characters of the name of what is in an object inside an object
COMMENT = "it begins with #: comments stand before the header alone, remove it"
BLOCK = 256  # with more at a time, Python's garbage collector looks at each of them


class Block(NamedTuple):
    """Some rows of a table: the wanted columns, a hash of each whole row, and which rows begin with #, from 0."""

    columns: Sequence[Sequence[Cell]]
    hashes: list[int]
    marked: Sequence[int] = ()


class Table(NamedTuple):
    """A table that is open: its column names, and how to read it, once.

    Fields:
        path: the file, for messages.
        header: the column names, stripped; a nameless column is ''.
        read: from the positions of the wanted columns to blocks of rows.
        sha256: the checksum of the bytes read so far.
    """

    path: str
    header: tuple[str, ...]
    read: Callable[[Sequence[int]], Iterator[Block]]
    sha256: Callable[[], str]


@contextlib.contextmanager
def open_table(path: str) -> Iterator[Table]:
    """Open a table; '-' is standard input.

    What begins with a brace is JSON Lines; else the first line is a header and says by what its fields are separated:
    tabs, commas, semicolons or |. Excel may say so in a line before it, `sep=;`; lines before it that begin with # are
    comments. Parquet is known by its extension.

    Raises: FileError, here or while reading, naming the row: for what is no table, and what `read_text` refuses.
    """
    if path.lower().endswith((".parquet", ".pq")):
        yield _parquet(path)
        return
    with open_text(path, limit=MAX_BYTES) as (text, data):
        lines = enumerate(text, 1)
        opening = opening_of(lines)
        if opening[-1][1].lstrip().startswith(("{", "[")):
            header, read = _json_lines(itertools.chain(opening, lines), name_of(path))
        else:
            header, read = _delimited([line for _, line in opening], text, path=name_of(path))
        yield Table(name_of(path), header, read, lambda: data.sha256)


def _delimited(
    opening: Sequence[str], text: TextIO, *, path: str
) -> tuple[tuple[str, ...], Callable[..., Iterator[Block]]]:
    first, *others = opening
    delimiter, first = separator_of(first, text, path)
    lines = itertools.chain([first], others, text)
    rows = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        header = tuple(name.strip() for name in next(rows))
    except csv.Error as error:
        _fail_syntax(error, "the header", path=path)
    _check_header(header, path)
    return header, lambda wanted: _row_blocks(rows, header, path=path, wanted=wanted)


def _check_header(header: Sequence[str], path: str) -> None:
    """Refuse a header that is a row of numbers, or that has a name twice, or far too many."""
    if len(header) > MAX_COLUMNS:
        raise FileError(path, f"has {len(header)} columns", f"expected at most {MAX_COLUMNS}")
    if are_numbers(header):
        raise FileError(path, f"has no header: its first line begins {shown(header[0])}", f"expected such as {EXAMPLE}")
    seen: set[str] = set()
    for name in filter(None, header):
        if name in seen:
            raise FileError(path, f"has a duplicate column {shown(name)}", "rename or remove one of them")
        seen.add(name)


def _row_blocks(
    rows: Iterator[list[str]], header: Sequence[str], *, path: str, wanted: Sequence[int]
) -> Iterator[Block]:
    done = 0
    while True:
        block: list[list[str]] = []
        fault = None
        try:
            block.extend(itertools.islice(rows, BLOCK))
        except csv.Error as error:
            fault = error  # the rows before it are in the block
        ended = not block
        if set(map(len, block)) != {len(header)}:
            block = _checked(block, len(header), path=path, done=done)
        done += len(block)
        if fault:
            _fail_syntax(fault, f"row {done + 1}", path=path)
        if ended:
            return
        columns = list(zip(*block, strict=True)) or [()] * len(header)
        yield Block([columns[i] for i in wanted], list(map(hash, map(tuple, block))), _marked(columns[0]))


def _marked(cells: Sequence[str]) -> Sequence[int]:
    """Return which cells begin with #, but for those of a spreadsheet that have no value: #N/A."""
    if "#" not in "".join(cells):  # one look at most blocks
        return ()
    return [i for i, cell in enumerate(cells) if cell.startswith("#") and cell.strip().lower() != "#n/a"]


def _checked(block: list[list[str]], width: int, *, path: str, done: int) -> list[list[str]]:
    """Return the rows that are not blank lines; refuse the first that differs from the header in length."""
    block = [row for row in block if len(row) > 1 or len(row) == width or "".join(row).strip()]
    for i, row in enumerate(block):
        if len(row) != width:
            fields = "field" if len(row) == 1 else "fields"
            hint = "a comma inside a value needs quotes around the value" if len(row) > width else "is a value missing?"
            hint = COMMENT if row[0].startswith("#") else hint
            raise FileError(path, f"row {done + i + 1} has {len(row)} {fields}, and the header {width}", hint)
    return block


def _fail_syntax(error: csv.Error, place: str, *, path: str) -> NoReturn:
    message = str(error)
    if "field limit" in message:
        limit = csv.field_size_limit()
        raise FileError(path, f"{place} has a field of more than {limit} characters", "is a quote left open?") from None
    if "end of data" in message:
        raise FileError(path, f'{place} has a quote (") that is never closed', "close it, or remove it") from None
    hint = 'a quote (") inside a quoted value is written twice'
    raise FileError(path, f"{place} has text after a closing quote", hint) from None


def _json_lines(lines: Iterator[tuple[int, str]], path: str) -> tuple[tuple[str, ...], Callable[..., Iterator[Block]]]:
    rows: list[dict[str, Cell]] = []
    names: dict[str, Cell] = {}  # in the order of their first row; the cells are of no use
    for number, line in lines:
        if not line.isspace():
            rows.append(_object(line.strip(), path=path, number=number))
            names.update(rows[-1])
            if len(names) > MAX_COLUMNS:
                break
    header = tuple(names)
    _check_header(header, path)

    def read(wanted: Sequence[int]) -> Iterator[Block]:
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            columns = [[row.get(name, "") for row in block] for name in map(header.__getitem__, wanted)]
            yield Block(columns, [hash(frozenset(row.items())) for row in block])

    return header, read


def _object(line: str, *, path: str, number: int) -> dict[str, Cell]:
    problem = "is not a JSON object"
    try:
        value, end = _decode(line)
        if isinstance(value, dict) and end == len(line):
            return value
    except (json.JSONDecodeError, RecursionError):
        pass
    except ValueError as error:
        problem = f"is not a JSON object to be read: {error}"
    if line.startswith("#"):
        raise FileError(path, problem, "it begins with #: comments stand before the first run alone", line=number)
    hint = 'expected JSON Lines, an object for each run on its line: {"params": 7e9, "tokens": 1.4e12, "loss": 2.1}'
    raise FileError(path, problem, hint, "from an array: jq -c '.[]' runs.json", line=number)


def _flat(pairs: list[tuple[str, Any]]) -> dict[str, Cell]:
    """Return the cells of an object whose own objects are flat already: {"config": {"n": 1}} has config.n."""
    cells: dict[str, Any] = {sys.intern(key): value for key, value in pairs}
    if len(cells) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"{shown(twice)} stands in it twice")
    if not _NO_CELLS.isdisjoint(map(type, cells.values())):
        cells = _expanded(cells)
    if len(cells) > MAX_COLUMNS:
        raise ValueError(f"more than {MAX_COLUMNS} names")
    return cells


def _expanded(values: dict[str, Any]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            for inner, cell in value.items():
                cells[_joined(key, inner)] = cell
        else:
            cells[key] = _cell(value) if type(value) in _NO_CELLS else value
    return cells


@lru_cache(2**14)  # rows have the same names
def _joined(outer: str, inner: str) -> str:
    name = f"{outer}.{inner}"
    if len(name) > MAX_NAME:  # the outer part is written once and held once for each inner name
        raise ValueError(f"a name of more than {MAX_NAME} characters")
    return sys.intern(name)


_NO_CELLS = {dict, list, bool, type(None)}  # what JSON has besides texts and numbers
_decode = json.JSONDecoder(object_pairs_hook=_flat, parse_constant=str).raw_decode


def _cell(value: object) -> Cell:
    if isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return str(value).lower() if isinstance(value, bool) else value
    return "" if value is None else str(value)


def _parquet(path: str) -> Table:
    data = read_bytes(path, limit=MAX_BYTES)
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        hint = 'pip install "scaling-cli[parquet]", or write the table as CSV'
        raise FileError(path, "is a Parquet file, which needs pyarrow to be read", hint) from None
    try:
        table = parquet.read_table(arrow.BufferReader(data))
    except (OSError, ValueError, NotImplementedError) as error:
        raise FileError(path, f"is not a Parquet file that can be read: {shown(str(error))}") from None
    header = tuple(name.strip() for name in table.column_names)
    _check_header(header, path)

    def read(wanted: Sequence[int]) -> Iterator[Block]:
        for batch in table.to_batches(max_chunksize=BLOCK):
            columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
            hashes = list(map(hash, zip(*columns, strict=True)))
            yield Block([columns[i] for i in wanted], hashes)

    return Table(path, header, read, hashlib.sha256(data).hexdigest)
