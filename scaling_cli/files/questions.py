"""What is asked of a run table, put in terms of its columns."""

import contextlib
import re
from collections.abc import Sequence
from difflib import get_close_matches

from scaling_cli.core.conditions import Condition
from scaling_cli.core.formulas import FormulaError
from scaling_cli.core.runs import COMPUTE, ROLES
from scaling_cli.errors import InputError, ScalingError
from scaling_cli.files.columns import Columns, Key
from scaling_cli.files.sections import shown

ROW = "row"  # in a condition, from 1 below the header, as messages count
_ASSIGNED = re.compile(r"""'[^']*'|"[^"]*"|(?<![<>=!])(?P<one>=)(?!=)""")  # a quoted text, or = alone


class Question:
    """Quantities that are asked for, and rows.

    Fields:
        names, target: the quantities that each run must have; of these, the one that rows may lack.
        weights: the one that says how much a run counts; '' where each counts alike.
        beside: further ones that the table or the user gives.
        compared, labels: where the condition's numbers come from, and the columns that are read as text.
        counts_rows: whether the condition asks for the number of a row, since no column is named so.
        states: the columns in which trackers say how a run ended.
    """

    def __init__(
        self, columns: Columns, needed: Sequence[str], *, extra: Sequence[str], where: str, weights: str, group: str
    ) -> None:
        self.columns = columns
        self.group = group
        self.weights = weights
        self.names = tuple(dict.fromkeys((*needed, *extra, *filter(None, [weights]))))
        self.target = needed[-1] if needed else ""
        for name in self.names:
            columns.define(name)
        self._refuse_target_among(needed[:-1])
        self.condition = _condition(where, columns)
        compared = self.condition.names if self.condition else ()
        self.counts_rows = ROW in compared and ROW not in columns.chosen and columns.header.position(ROW) is None
        self.compared: dict[str, Key] = {
            name: columns.key(name) for name in compared if name != ROW or not self.counts_rows
        }
        texts = (*(self.condition.labels if self.condition else ()), *filter(None, [group]))
        self.labels = {name: columns.column(name) for name in texts}
        self._define_rest()
        self.beside = tuple(name for name in columns.definitions if name not in self.names)
        self.states = columns.header.find("state", "status")

    def kinds(self) -> dict[int, str]:
        """Return the columns to be read as numbers, and the kind of quantity in each."""
        keys: list[Key] = [*self.columns.definitions, *self.compared.values()]
        positions = sorted({position for key in keys for position in self.columns.positions(key)})
        return {position: self.columns.kind(position) for position in positions}

    def _refuse_target_among(self, others: Sequence[str]) -> None:
        """Refuse to predict a column from itself, whatever names it goes by."""
        for name in others:
            if self.columns.positions(name) == self.columns.positions(self.target):
                itself = "itself" if name == self.target else f"{shown(name)}: both are {self._columns_of(name)}"
                raise InputError(
                    f"{shown(self.target)} is to be predicted from {itself}",
                    "expected a formula of other columns than the one it predicts; --target names that one",
                )

    def _columns_of(self, name: str) -> str:
        names = self.columns.header.names
        return " and ".join(shown(names[position]) for position in sorted(self.columns.positions(name)))

    def _define_rest(self) -> None:
        """Define what else the user or the table gives; refuse what the user gives and nothing asks for."""
        columns = self.columns
        for name in columns.chosen:
            if name in ROLES:
                columns.define(name)
            elif name not in columns.definitions:
                close = get_close_matches(name, {*ROLES, *self.names}, n=1)
                hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join({*ROLES, *self.names})}"
                raise InputError(f"--columns {shown(name)}: nothing asks for it", hint)
        if any(name in columns.definitions for name in COMPUTE):
            for name in COMPUTE:
                with contextlib.suppress(ScalingError):  # nobody asked for it
                    columns.define(name)


def _condition(where: str, columns: Columns) -> Condition | None:
    try:
        return Condition(where) if where.strip() else None
    except FormulaError as error:
        raise InputError(f"--where: {error}", *_equality(where), *columns.header.spellings(where)) from None


def _equality(where: str) -> list[str]:
    """Say how equality is written where a sign of it stands alone."""
    doubled = _ASSIGNED.sub(lambda found: "==" if found["one"] else found[0], where)
    if doubled == where:
        return []
    return [f"equality is written ==: {doubled}" if doubled.isprintable() else "equality is written =="]
