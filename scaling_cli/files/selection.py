"""Which rows of a run table count: those asked for, with a finite target and some weight, and no copy of another."""

import math
from collections.abc import Sequence

from scaling_cli.core.conditions import Condition
from scaling_cli.core.formulas import FormulaError
from scaling_cli.core.runs import Dropped
from scaling_cli.errors import FileError
from scaling_cli.files.cells import Cells, Quantities
from scaling_cli.files.questions import ROW, Question

OUTSIDE = "outside --where"
WEIGHTLESS = "weight 0"


class Selection:
    """The rows of a table that a question is about, counted from 0, and what was left out for which reason.

    Args:
        question: what is asked.
        cells: the table.
        quantities: what its definitions give.

    Raises: FileError for a row on which the condition has no answer, or whose target is neither a number nor missing.
    """

    def __init__(self, question: Question, cells: Cells, *, quantities: Quantities) -> None:
        self.rows: Sequence[int] = range(len(cells))
        self.dropped: list[Dropped] = []
        if question.condition:
            self._leave_out(_outside(question.condition, question, cells=cells, quantities=quantities), OUTSIDE)
        if question.target:
            self._leave_out(self._without(question.target, quantities), f"no finite {question.target}")
        if question.weights:
            weights = quantities[question.weights]
            self._leave_out([row for row in self.rows if weights[row] == 0.0], WEIGHTLESS)
        self._leave_out(self._duplicates(question, cells, quantities=quantities), "exact duplicate of an earlier row")

    def _leave_out(self, out: Sequence[int], reason: str) -> None:
        if out:
            gone = set(out)
            self.rows = [row for row in self.rows if row not in gone]
            self.dropped.append(Dropped(reason, len(out), tuple(row + 1 for row in out)))

    def _without(self, target: str, quantities: Quantities) -> list[int]:
        values = quantities[target]
        if all(map(math.isfinite, values)):
            return []
        return [row for row in self.rows if not math.isfinite(values[row]) and quantities.is_missing(target, row)]

    def _duplicates(self, question: Question, cells: Cells, *, quantities: Quantities) -> list[int]:
        if len(set(cells.hashes)) == len(cells):
            return []
        lists = [quantities[name] for name in question.names]
        seen: set[tuple[float, ...]] = set()
        out = []
        for row in self.rows:
            mark = (cells.hashes[row], *(values[row] for values in lists))  # no chance that a hash alone could take
            if mark in seen:
                out.append(row)
            seen.add(mark)
        return out


def _outside(condition: Condition, question: Question, *, cells: Cells, quantities: Quantities) -> list[int]:
    """Return the rows that do not satisfy the condition."""
    columns = question.columns
    used = set().union(*map(columns.positions, question.compared.values()))
    for position, row in cells.faults:
        if position in used:
            quantities.require_number(position, row, "a text is compared in quotes: subset == 'hot'")
    lists: list[Sequence[float | str]] = [quantities[key] for key in question.compared.values()]
    lists += [cells.texts[question.labels[name]] for name in condition.labels]
    names = [*question.compared, *condition.labels]
    if question.counts_rows:
        names.append(ROW)
        lists.append(range(1, len(cells) + 1))
    out = []
    for row, *values in zip(range(len(cells)), *lists, strict=True):
        try:
            if not condition.holds(dict(zip(names, values, strict=True))):
                out.append(row)
        except FormulaError as error:
            raise FileError(columns.header.path, f"row {row + 1}: --where {error}") from None
    return out
