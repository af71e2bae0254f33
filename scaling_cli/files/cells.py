"""Cells of a run table to numbers: what people write in them, what they leave empty, and what is no number."""

import contextlib
import math
import sys
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import NoReturn, cast

from scaling_cli.core.quantities import parse_quantity
from scaling_cli.core.runs import ROLES, first_bad
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.columns import Columns, Key
from scaling_cli.files.sections import shown
from scaling_cli.files.tables import COMMENT, Cell, Table

MISSING = {"", "-", "na", "n/a", "#n/a", "null", "none"}
QUOTED = 1000  # texts of numbers that can be no quantity, kept for messages; whoever meets one needs the first


class Cells:
    """The wanted cells of a table; rows are counted from 0.

    Fields:
        numbers, texts: by the position of the column. What is missing or no number is NaN.
        faults: by column and row, a text that is no number.
        odd: by column and row, the first texts of numbers that are not finite and above zero.
        hashes: of each whole row.
        marked: the rows that begin with #.
    """

    def __init__(self, table: Table, kinds: Mapping[int, str], *, labels: Collection[int]) -> None:
        self.numbers: dict[int, list[float]] = {position: [] for position in kinds}
        self.texts: dict[int, list[str]] = {position: [] for position in labels}
        self.faults: dict[tuple[int, int], str] = {}
        self.odd: dict[tuple[int, int], str] = {}
        self.hashes = array("q")
        self.marked: list[int] = []
        wanted = list({**self.numbers, **self.texts})
        for block in table.read(wanted):
            for position, cells in zip(wanted, block.columns, strict=True):
                if position in kinds:
                    self.numbers[position] += self._numbers(cells, position, kind=kinds[position])
                if position in labels:
                    self.texts[position] += [sys.intern(str(cell).strip()) for cell in cells]
            self.marked += [len(self) + i for i in block.marked]
            self.hashes.extend(block.hashes)

    def __len__(self) -> int:
        return len(self.hashes)

    def _numbers(self, cells: Sequence[Cell], position: int, *, kind: str) -> list[float]:
        numbers: list[float] = []
        with contextlib.suppress(ValueError, OverflowError):
            numbers += map(float, cells)
        if len(numbers) < len(cells) or not _are_ascii(cells):
            found = [cell if isinstance(cell, float) else _number(str(cell), kind) for cell in cells]
            faults = [i for i, number in enumerate(found) if number is None]
            self.faults.update(((position, len(self) + i), str(cells[i]).strip()) for i in faults)
            numbers = [math.nan if number is None else number for number in found]
        self._keep_odd(numbers, cells, position, positive=kind in ROLES)
        return numbers

    def _keep_odd(self, numbers: Sequence[float], cells: Sequence[Cell], position: int, *, positive: bool) -> None:
        """Keep how numbers are written that a message may have to quote."""
        if len(self.odd) < QUOTED and (first := first_bad(numbers, positive=positive)) is not None:
            for i in range(first, len(numbers)):
                if not math.isfinite(numbers[i]) or (positive and numbers[i] <= 0.0):
                    self.odd[position, len(self) + i] = str(cells[i]).strip()


def _are_ascii(cells: Sequence[Cell]) -> bool:
    with contextlib.suppress(TypeError):
        return "".join(cast(Sequence[str], cells)).isascii()  # fast, where all are texts
    return all(cell.isascii() for cell in cells if isinstance(cell, str))


@lru_cache(2**16)  # sizes are few and steps repeat from run to run
def _number(text: str, kind: str) -> float | None:
    """Return what a cell says: NaN where it is missing or not finite, None where it is no number."""
    text = text.strip()
    with contextlib.suppress(ValueError):
        if text.isascii():  # float() reads digits of every script
            return float(text)
    if text.lower() in MISSING:
        return math.nan
    with contextlib.suppress(InputError):
        return parse_quantity(text, kind, "")
    return None  # an error only if the row is used


class Quantities:
    """What the definitions of a table's quantities give, row by row; NaN where they give nothing.

    Args:
        columns: the definitions.
        cells: the numbers they rest on.
    """

    def __init__(self, columns: Columns, cells: Cells) -> None:
        self._columns = columns
        self._cells = cells
        self._values: dict[Key, list[float]] = {position: values for position, values in cells.numbers.items()}
        for name, (inputs, function) in columns.definitions.items():
            lists = [self._values[key] for key in inputs]
            self._values[name] = lists[0] if function is None else _apply(function, lists, count=len(cells))

    def __getitem__(self, key: Key) -> list[float]:
        return self._values[key]

    def is_missing(self, key: Key, row: int) -> bool:
        """Return whether a quantity has no finite value in a row because a cell is empty, nan or inf.

        Raises: FileError where a cell holds something else that is no number.
        """
        positions = self._columns.positions(key)
        for position in positions:
            self.require_number(position, row)
        return not all(math.isfinite(self._values[position][row]) for position in positions)

    def require_number(self, position: int, row: int, hint: str = "") -> None:
        """Refuse a cell that is neither a number nor empty."""
        if (position, row) in self._cells.faults:
            name, kind = self._columns.header.names[position], self._columns.kind(position)
            self._fail(name, row, text=self._cells.faults[position, row], kind=kind, hint=hint)

    def refuse(self, name: str, row: int) -> NoReturn:
        """Raise the FileError for a quantity that has no value, or one that cannot be, in a row."""
        self.is_missing(name, row)
        value = self._values[name][row]
        text = self._cells.odd.get((self._columns.place(name), row), f"{value:.9g}")
        kind = name if name in ROLES else "number"
        condition = f"{name} < 1e99" if value == math.inf else f"{name} > 0"
        hint = f'--where "{condition}" leaves out the rows that have none' if name in ROLES else ""
        self._fail(name, row, text=text, kind=kind, hint=hint)

    def _fail(self, name: str, row: int, *, text: str, kind: str, hint: str) -> NoReturn:
        place = f"row {row + 1}: {name if name.isidentifier() else shown(name)}"
        hints: tuple[str, ...] = ()
        message = f"{place} is {text}"
        try:
            parse_quantity(text, kind, place)
        except InputError as error:
            message, hints = error.message, error.hints
        comment = COMMENT if text.startswith("#") else ""
        raise FileError(self._columns.header.path, message, *hints, *filter(None, [comment, hint]))


def _apply(function: Callable[..., float], lists: Sequence[Sequence[float]], *, count: int) -> list[float]:
    """Return a function of columns as a column; NaN where it has no value."""
    if not lists:
        return [function()] * count
    try:
        return list(map(function, *lists))
    except (ArithmeticError, ValueError):
        return [_value(function, row) for row in zip(*lists, strict=True)]


def _value(function: Callable[..., float], row: Sequence[float]) -> float:
    try:
        return function(*row)
    except (ArithmeticError, ValueError):
        return math.nan
