"""What the columns of a run table mean: quantities as columns, as formulas of columns, or derived by C = 6ND."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_cli.core.compute import other_factor, training_flops
from scaling_cli.core.formulas import CONSTANTS, Formula, FormulaError, compile_tree
from scaling_cli.core.runs import COMPUTE, ROLES
from scaling_cli.errors import InputError
from scaling_cli.files.headers import Header, spelt, usual_role
from scaling_cli.files.sections import shown

Key = int | str  # the position of a column in the table, or the name of a quantity


class Definition(NamedTuple):
    """How to work out a quantity: a function of other ones, or the only one as it stands where function is None."""

    inputs: tuple[Key, ...]
    function: Callable[..., float] | None = None


class Columns:
    """The quantities that are defined on the columns of a table.

    `definitions` holds what has been asked for, each after what it rests on; `sources` the columns that usual names
    have found; `derived` the quantities worked out by 6ND.

    Args:
        header: the column names.
        chosen: what the user says: for a quantity the name of a column, or a formula of columns.
        recompute: whether flops are 6ND whatever the table says.
    """

    def __init__(self, header: Header, chosen: Mapping[str, str], *, recompute: bool = False) -> None:
        self.header = header
        self.chosen = chosen
        self.definitions: dict[str, Definition] = {}
        self.sources: dict[str, int] = {}
        self.derived: list[str] = []
        self._recompute = recompute
        self._under_way: list[str] = []

    def define(self, name: str) -> None:
        """Define a quantity that is asked for: what the user says, a usual name, 6ND, or simply a column.

        Raises: FileError for a name that the table lacks or that could be one of several columns; InputError for a
            formula that cannot be read or goes in a circle.
        """
        if name in self.definitions:
            return
        if name in self._under_way:
            raise InputError(f"{shown(name)} is worked out from itself", "expected a formula of columns of the table")
        self._under_way.append(name)
        try:
            self.definitions[name] = self._definition(name)
        finally:
            self._under_way.pop()

    def key(self, name: str) -> Key:
        """Return where the numbers of a name in a formula come from; see `define`."""
        recomputed = name == "flops" and self._recompute
        if name in self.header.names and name not in self.chosen and not recomputed:
            return self.column(name)
        if name in self.chosen or name in ROLES:
            self.define(name)
            return name
        role = usual_role(name)
        if not role or self.header.position(name) is not None:
            return self.column(name)
        return self.header.fail_missing(name) if role in self._under_way else self.key(role)

    def column(self, name: str) -> int:
        """Return the position of the column that a name means: by its text, its letters, or as a usual name.

        Raises: FileError if there is none, or if it could be one of several.
        """
        position = self.header.position(name)
        if position is None and (role := usual_role(name)):
            position = self.header.recognised(role)
        return self.header.fail_missing(name) if position is None else position

    def positions(self, key: Key) -> set[int]:
        """Return the columns that a quantity rests on."""
        if isinstance(key, int):
            return {key}
        return {position for other in self.definitions[key].inputs for position in self.positions(other)}

    def place(self, name: str) -> int:
        """Return the position of the column that a quantity is as it stands; -1 where it is worked out."""
        known = self.definitions.get(name)
        first = known.inputs[0] if known and known.inputs and known.function is None else -1
        return first if isinstance(first, int) else -1

    def kind(self, position: int) -> str:
        """Return the kind of quantity in the cells of a column: a role, or number."""
        plain = [role for role in ROLES if self.definitions.get(role) == Definition((position,))]
        return (plain or ["number"])[0]

    def source(self, role: str) -> str:
        """Return a formula that reads a role that the table or the user gives."""
        text = self.chosen.get(role, role).strip()
        return spelt(text) if text in self.header.names else text

    def heading(self, role: str) -> str:
        """Return the name of the column that a role is as it stands; '' where it is worked out."""
        return self.header.names[position] if (position := self.place(role)) >= 0 else ""

    def _definition(self, name: str) -> Definition:
        if name in self.chosen:
            return self._formula(name, self.chosen[name])
        if name in ROLES:
            return self._role(name)
        if self.header.position(name) is None and re.search(r"[-+*/(]", name):
            return self._formula(name, name)
        return Definition((self.key(name),))

    def _formula(self, name: str, text: str) -> Definition:
        """Return a name's definition as a column or a formula of columns, in which the name itself is a column."""
        if text.strip() in self.header.names:
            return Definition((self.column(text.strip()),))
        try:
            formula = Formula(text)
        except FormulaError as error:
            expected = "expected the name of a column, or a formula of columns"
            raise InputError(f"{shown(name)}: {error}", expected, *self.header.spellings(text)) from None
        known = {other: value for other, value in CONSTANTS.items() if other not in self.header.names}
        names = [other for other in formula.names if other not in known]
        keys = tuple(self.column(other) if other == name else self.key(other) for other in names)
        if formula.tree[0] == "name" and keys:
            return Definition(keys)
        function = compile_tree(formula.tree)
        return Definition(keys, lambda *values: function(known | dict(zip(names, values, strict=True))))

    def _role(self, role: str) -> Definition:
        """Return a role's definition as the column that bears a usual name, or by 6ND from two others."""
        recompute = role == "flops" and self._recompute
        if not recompute and (position := self.header.recognised(role)) is not None:
            self.sources[role] = position
            return Definition((position,))
        others = tuple(other for other in COMPUTE if other != role)
        missing = [other for other in others if other not in self.chosen and self.header.recognised(other) is None]
        if role not in COMPUTE or missing:
            self.header.fail_missing(missing[0] if recompute else role)
        for other in others:
            self.define(other)
        self.derived.append(role)
        if role == "flops":
            return Definition(others, training_flops)
        return Definition(others, lambda known, flops: other_factor(flops, known))
