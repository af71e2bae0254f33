"""What the columns of a run table mean: the usual names of params, tokens, flops and loss, and what the user says."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from scaling_cli.core.compute import other_factor, training_flops
from scaling_cli.core.formulas import CONSTANTS, Formula, FormulaError, compile_tree
from scaling_cli.core.runs import COMPUTE, ROLES
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.sections import shown

Key = int | str  # the position of a column in the table, or the name of what is worked out from columns

# the second are taken only where none of the usual is there: another count, another loss, letters that mean many things
_USUAL, _SECOND = 0, 1
_NAMES = {
    (_USUAL, "params"): (
        "params N n_params num_params parameters model_size size param params_count param_count n_parameters "
        "num_parameters model_params model_parameters total_params total_parameters params_total trainable_params"
    ),
    (_USUAL, "tokens"): (
        "tokens D n_tokens num_tokens tokens_seen token_count total_tokens train_tokens training_tokens tokens_trained "
        "num_tokens_seen tokens_processed consumed_tokens seen_tokens num_input_tokens_seen"
    ),
    (_USUAL, "flops"): (
        "flops C train_flops total_flops compute flop n_flops num_flops training_flops total_training_flops total_flos "
        "train/total_flos train_compute training_compute total_compute"
    ),
    (_USUAL, "loss"): (
        "loss L val_loss eval_loss test_loss valid_loss validation_loss dev_loss heldout_loss final_loss "
        "final_val_loss final_validation_loss final_eval_loss final_test_loss val_loss_final "
        "validation_loss_final eval_loss_final loss_val loss_valid loss_validation loss_eval loss_test loss_final"
    ),
    (_SECOND, "params"): (
        "non_embedding_params params_non_embedding non_embedding_parameters parameters_non_embedding non_embed_params n"
    ),
    (_SECOND, "tokens"): "d",
    (_SECOND, "flops"): "c",
    (_SECOND, "loss"): "train_loss training_loss loss_train final_train_loss train_loss_final l",
}
_PREFIX = re.compile(r"(?:config|params|metrics|summary)[./](?=.)", re.IGNORECASE)  # of W&B and of MLflow exports


class Definition(NamedTuple):
    """How to work out a quantity: a function of other ones, or of the only one as it is where function is None."""

    inputs: tuple[Key, ...]
    function: Callable[..., float] | None = None


class Columns:
    """The columns of one table, and the quantities defined on them.

    `definitions` holds what has been asked for, each after what it rests on; `sources` the usual names that were
    found; `derived` the quantities worked out by 6ND.

    Args:
        path: the table, for messages.
        header: its column names.
        chosen: what the user says: for a quantity the name of a column, or a formula of columns.
        recompute: whether flops are 6ND whatever the table says.
    """

    def __init__(self, path: str, header: Sequence[str], chosen: Mapping[str, str], *, recompute: bool = False) -> None:
        self.path = path
        self.header = header
        self.chosen = chosen
        self.recompute = recompute
        self.definitions: dict[str, Definition] = {}
        self.sources: dict[str, int] = {}
        self.derived: list[str] = []
        self._under_way: list[str] = []
        self._letters = [_letters(_PREFIX.sub("", name, count=1)) for name in header]
        self._refuse_chart()

    def define(self, name: str) -> None:
        """Define a quantity that is asked for: what the user says, a usual name, 6ND, or simply a column.

        Raises: FileError for a name that the table lacks or that could be one of several columns; InputError for a
            formula that cannot be read or goes in a circle.
        """
        if name in self.definitions:
            return
        if name in self._under_way:
            raise InputError(
                f"--columns: {name} is worked out from itself", "expected a formula of columns of the table"
            )
        self._under_way.append(name)
        try:
            self.definitions[name] = self._chosen(name) if name in self.chosen else self._given(name)
        finally:
            self._under_way.pop()

    def key(self, name: str) -> Key:
        """Return where the numbers of a name in a formula come from; see `define`."""
        stands_for_itself = name in self.header and not (name == "flops" and self.recompute)
        if name not in self.chosen and (stands_for_itself or name not in ROLES):
            return self.column(name)
        self.define(name)
        return name

    def has(self, role: str) -> bool:
        """Return whether the user or the table gives a role."""
        return role in self.chosen or self._recognised(role) is not None

    def column(self, name: str) -> int:
        """Return the position of the column that a name means: by its text, its letters, or as a usual name."""
        if name in self.header:
            return self.header.index(name)
        letters = _letters(name)
        found = [
            i for i, column in enumerate(self.header) if letters and letters in (_letters(column), self._letters[i])
        ]
        role = _role(name)
        if not found and role and (position := self._recognised(role)) is not None:
            return position
        return self._only(found, name) if found else self._missing(name)

    def positions(self, key: Key) -> set[int]:
        """Return the columns that a quantity rests on."""
        if isinstance(key, int):
            return {key}
        return {position for other in self.definitions[key].inputs for position in self.positions(other)}

    def is_plain(self, name: str) -> bool:
        """Return whether a quantity is a column as it stands."""
        inputs, function = self.definitions[name]
        return function is None and isinstance(inputs[0], int)

    def source(self, role: str) -> str:
        """Return a formula that reads a role that the table or the user gives."""
        text = self.chosen.get(role, role).strip()
        return re.sub(r"\W", "_", text) if text in self.header else text

    def find(self, *names: str) -> list[int]:
        """Return the columns that bear one of the names, if any."""
        return [i for i, letters in enumerate(self._letters) if letters in names]

    def kind(self, position: int) -> str:
        """Return the kind of quantity that the cells of a column are: a role, or number."""
        name = self.header[position]
        direct = [role for role in ROLES if self.chosen.get(role) == name or self.sources.get(role) == position]
        return (direct or ["number"])[0]

    def _recognised(self, role: str) -> int | None:
        for rank in (_USUAL, _SECOND):
            found = [i for i, letters in enumerate(self._letters) if _KNOWN.get(letters) == (role, rank)]
            if found:
                self.sources[role] = self._only(found, role)
                return self.sources[role]
        return None

    def _only(self, found: Sequence[int], name: str) -> int:
        if len(found) > 1:
            names = [self.header[i] for i in found]
            raise FileError(
                self.path,
                f"{name} could be {' or '.join(map(shown, names))}",
                f"say which: --columns {name}={names[0] if names[0].isprintable() else '...'}",
            )
        return found[0]

    def _chosen(self, name: str) -> Definition:
        text = self.chosen[name].strip()
        if text in self.header:
            return Definition((self.header.index(text),))
        try:
            formula = Formula(text)
        except FormulaError as error:
            raise InputError(
                f"--columns {name}: {error}", "expected the name of a column, or a formula of columns"
            ) from None
        known = {other: value for other, value in CONSTANTS.items() if other not in self.header}
        names = [other for other in formula.names if other not in known]
        keys = tuple(self.column(other) if other == name else self.key(other) for other in names)
        if formula.tree[0] == "name" and keys:
            return Definition(keys)
        function = compile_tree(formula.tree)
        return Definition(keys, lambda *values: function(known | dict(zip(names, values, strict=True))))

    def _given(self, name: str) -> Definition:
        if name not in ROLES:
            return Definition((self.column(name),))
        recompute = name == "flops" and self.recompute
        if not recompute and (position := self._recognised(name)) is not None:
            return Definition((position,))
        others = tuple(other for other in COMPUTE if other != name)
        missing = [other for other in others if not self.has(other)]
        if name not in COMPUTE or missing:
            self._missing(missing[0] if recompute else name)
        for other in others:
            self.define(other)
        self.derived.append(name)
        return Definition(
            others, training_flops if name == "flops" else lambda known, flops: other_factor(flops, known)
        )

    def _missing(self, name: str) -> int:
        what, hints = shown(name), []
        if role := _role(name):
            what, usual = f"for {name}", ", ".join(_NAMES[_USUAL, role].split()[:5])
            hints.append(f"expected one named {usual} ..., or say which it is: --columns {role}=NAME")
        if role in COMPUTE:
            hints.append("of params, tokens and flops any two are enough: C = 6ND gives the third")
        elif close := get_close_matches(name, self.header, n=1):
            hints.append(f"did you mean {shown(close[0])}?")
        listed = ", ".join(column if column.isprintable() else shown(column) for column in self.header[:20] if column)
        more = ", ..." if len(self.header) > 20 else ""
        raise FileError(self.path, f"has no column {what}", *hints, f"its columns: {listed[:400]}{more}")

    def _refuse_chart(self) -> None:
        """Refuse the file that the chart of a W&B metric exports: steps down, runs across, and no params."""
        charted = [name for name in self.header if re.search(r" - .*__(MIN|MAX)$", name)] or self.header[1:]
        if charted and all(" - " in name for name in charted):
            raise FileError(
                self.path,
                f"is a W&B chart export, with columns such as {shown(charted[0])}: it has no params",
                "expected one row for each run: in the runs table of the W&B project, choose Export, CSV",
            )


def _letters(name: str) -> str:
    """Return a name in lower case without blanks and punctuation; a single capital stays one."""
    letters = re.sub(r"[\W_]+", "", name)
    return letters if len(letters) == 1 else letters.casefold()


def _role(name: str) -> str:
    """Return the role that a usual name has; '' for any other name."""
    return _KNOWN.get(_letters(name), ("", 0))[0]


_KNOWN = {_letters(name): (role, rank) for (rank, role), names in _NAMES.items() for name in names.split()}
