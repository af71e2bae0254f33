"""The column names of a run table: which column a word means, and the usual names of params, tokens, flops and loss."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from scaling_cli.core.runs import COMPUTE, unit_in
from scaling_cli.errors import FileError
from scaling_cli.files.sections import shown

# the second are taken only where none of the usual is there: another count, another loss, letters that mean many things
# the last only where none of these is there: they may be sums over tokens
_USUAL, _SECOND, _LAST = 0, 1, 2
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
        "final_val_loss final_validation_loss final_eval_loss final_test_loss val_loss_final validation_loss_final "
        "eval_loss_final loss_val loss_valid loss_validation loss_eval loss_test loss_final"
    ),
    (_SECOND, "params"): (
        "non_embedding_params params_non_embedding non_embedding_parameters parameters_non_embedding non_embed_params n"
    ),
    (_SECOND, "tokens"): "d",
    (_SECOND, "flops"): "c",
    (_SECOND, "loss"): "train_loss training_loss loss_train final_train_loss train_loss_final l",
    (_LAST, "loss"): (
        "nll nll_loss val_nll eval_nll test_nll cross_entropy cross_entropy_loss val_cross_entropy eval_cross_entropy "
        "test_cross_entropy ce_loss val_ce_loss eval_ce_loss test_ce_loss"
    ),
}
_VARIABLES = {  # of laws, by the names that laws give them
    "U": "U unique_tokens n_unique_tokens num_unique_tokens tokens_unique unique_train_tokens unique_token_count",
    "experts": "experts n_experts num_experts expert_count number_of_experts",
    "active_params": "active_params n_active_params num_active_params params_active active_parameters",
}
_MEASURES = {  # of what a model predicts, by how their columns' names end, ^ before it: words, formula, unit
    **dict.fromkeys(("ppl", "perplexity"), ("perplexity", "log({})", "token")),
    **dict.fromkeys(("bpb", "bitsperbyte"), ("bits per byte", "{}*log(2)", "byte")),
    **dict.fromkeys(("bpt", "bitspertoken"), ("bits per token", "{}*log(2)", "token")),
    **dict.fromkeys(("bpc", "bitspercharacter", "bitsperchar"), ("bits per character", "{}*log(2)", "character")),
    **dict.fromkeys(("lossbits", "lossinbits", "^bits"), ("in bits, logarithms to base 2", "{}*log(2)", "token")),
}
# the last part of a nested name says little alone: data.size, optim.d, and what is counted of a batch or a test set
_VAGUE = {"size", "compute"}
_ELSEWHERE = {
    "batch", "microbatch", "step", "device", "sec", "second", "eval", "val", "valid", "validation", "test", "dev",
}  # fmt: skip
_PREFIX = re.compile(r"(?:config|params|metrics|summary)[./](?=.)", re.IGNORECASE)  # of W&B and of MLflow exports
_CHARTED = re.compile(r" - .*__(MIN|MAX)$")
_LISTED = 20  # columns named in a message
_LONGEST = 80  # characters of a name whose spelling in a formula is told


class Header:
    """The column names of a table.

    Args:
        path: the table, for messages.
        names: its column names, in order.

    Raises: FileError for the file that a chart of W&B exports: steps down, runs across, no params.
    """

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self.path = path
        self.names = names
        self._letters = [_letters(name) for name in names]
        self._bare = [_letters(_PREFIX.sub("", name, count=1)) for name in names]
        self._last = [_last_part(name) for name in names]
        self._refuse_chart()

    def position(self, name: str) -> int | None:
        """Return the column that a name means, by its text or else by its letters; None if there is none.

        Raises: FileError if it could be one of several.
        """
        if name in self.names:
            return self.names.index(name)
        letters = _letters(name)
        pairs = enumerate(zip(self._letters, self._bare, strict=True))
        found = [i for i, both in pairs if letters and letters in both]
        return self._only(found, name) if found else None

    def recognised(self, role: str) -> int | None:
        """Return the column that a usual name gives a role, else the last part of a nested one; None if there is none.

        Raises: FileError if it could be one of several.
        """
        usual = [i for i, letters in enumerate(self._bare) if _KNOWN.get(letters) == (role, _USUAL)]
        nested = [i for i, letters in enumerate(self._bare) if letters not in _KNOWN and self._is_nested(i, role)]
        second = [i for i, letters in enumerate(self._bare) if _KNOWN.get(letters) == (role, _SECOND)]
        rivals = [] if any(not self._last[i][1] for i in usual) else nested  # of a name that is nested itself
        last = [i for i, letters in enumerate(self._bare) if _KNOWN.get(letters) == (role, _LAST)]
        found = sorted({*usual, *rivals} if usual else {*second, *nested}) or last
        return self._only(found, role) if found else None

    def variable(self, name: str) -> int | None:
        """Return the column of a variable of a law: by its own name, else by a usual one; None if there is none.

        Raises: FileError if it could be one of several.
        """
        position = self.position(name)
        if position is not None:
            return position
        usual = set(map(_letters, [name, *_VARIABLES.get(name, "").split()]))
        found = [i for i, letters in enumerate(self._bare) if letters in usual]
        found = found or [i for i, (_, last) in enumerate(self._last) if len(last) > 1 and last in usual]
        return self._only(found, name) if found else None

    def find(self, *words: str) -> list[int]:
        """Return the columns that bear one of the words, if any."""
        return [i for i, letters in enumerate(self._bare) if letters in words]

    def fail_missing(self, name: str) -> NoReturn:
        """Raise the FileError for a column that is not there."""
        role = usual_role(name)
        close = [column for column in self.names if role and role in _letters(column)]
        close = (close or get_close_matches(name, self.names, n=1))[:3]
        hints = [f"is it {' or '.join(map(shown, close))}?"] if close else []
        hints += self.other_measures(self.names) if role == "loss" else []
        hints += self.spellings(name)
        if role:
            usual = ", ".join(_NAMES[_USUAL, role].split()[:5])
            unit = unit_in(close[0]) if len(close) == 1 and len(close[0]) <= _LONGEST else None
            example = f"{spelt(close[0])}*1e{unit[1]}" if unit else "NAME"
            hints.append(f"expected one named {usual} ..., or say which it is: --columns {role}={example}")
        if role in COMPUTE:
            hints.append("of params, tokens and flops any two are enough: C = 6ND gives the third")
        listed = ", ".join(map(shown, filter(None, self.names[:_LISTED])))
        more = ", ..." if len(self.names) > _LISTED else ""
        what = f"for {name}" if role else shown(name)
        raise FileError(self.path, f"has no column {what}", *hints, f"its columns: {listed or 'none'}{more}")

    def spellings(self, text: str) -> list[str]:
        """Say how the column names are written in a formula that hold, or stand in, a text that is no formula."""
        odd = [name for name in self.names if not name.isidentifier() and 0 < len(name) <= _LONGEST and _letters(name)]
        meant = [name for name in odd if name in text] or [name for name in odd if text in re.split(r"\W+", name)]
        return [f"in a formula {shown(name)} is written {spelt(name)}" for name in meant[:3]]

    def other_measures(self, names: Sequence[str]) -> list[str]:
        """Say how the loss is read from the first of some columns that holds another measure of it."""
        said = "is it {}? --columns 'loss={}' reads nats per {}"
        return [
            said.format(words, formula.format(spelt(name)), unit)
            for name in names
            for ending, (words, formula, unit) in _MEASURES.items()
            if len(name) <= _LONGEST and f"^{_letters(name)}".endswith(ending)
        ][:1]

    def _is_nested(self, position: int, role: str) -> bool:
        """Whether the last part of a nested name is a usual name of a role: config.data.tokens."""
        above, last = self._last[position]
        if len(last) < 2 or last in _VAGUE or _KNOWN.get(last) not in ((role, _USUAL), (role, _SECOND)):
            return False
        return role == "loss" or _ELSEWHERE.isdisjoint(above)

    def _only(self, found: Sequence[int], name: str) -> int:
        if len(found) > 1:
            names = [self.names[i] for i in found]
            example = names[0] if names[0].isprintable() else "NAME"
            problem = f"{name} could be {' or '.join(map(shown, names))}"
            raise FileError(self.path, problem, f"say which it is: --columns {name}={example}")
        return found[0]

    def _refuse_chart(self) -> None:
        charted = list(filter(_CHARTED.search, self.names)) or self.names[1:]
        if charted and all(" - " in name for name in charted):
            raise FileError(
                self.path,
                f"is a W&B chart export, with columns such as {shown(charted[0])}: it has no params",
                "expected one row for each run: in the runs table of the W&B project, choose Export, CSV",
            )


def usual_role(name: str) -> str:
    """Return the role that a usual name has; '' for any other name.

    >>> usual_role("Model Size"), usual_role("valid/loss"), usual_role("learning_rate")
    ('params', 'loss', '')
    """
    return _KNOWN.get(_letters(name), ("", _USUAL))[0]


def is_variable(name: str) -> bool:
    """Return whether a name is one that means the same variable in every law: U is unique tokens."""
    return name in _VARIABLES


def spelt(name: str) -> str:
    """Return a column name as formulas and conditions have it; its letters find it again.

    >>> spelt("config.data.tokens"), spelt("Params (M)"), spelt("loss")
    ('config_data_tokens', 'Params_M', 'loss')
    """
    words = re.sub(r"\W+", "_", name).strip("_")
    return next((text for text in (name, words, f"_{words}") if text.isidentifier()), name)


def _last_part(name: str) -> tuple[set[str], str]:
    """Return the words above the last part of a nested name, and that part; nothing where it is not nested."""
    *above, last = re.split(r"[./]", _PREFIX.sub("", name, count=1))
    words = {word for part in above for word in re.split(r"[\W_]+", part.casefold())}
    return words, _letters(last) if above else ""


def _letters(name: str) -> str:
    """Return a name in lower case without blanks and punctuation; a single capital stays one."""
    letters = re.sub(r"[\W_]+", "", name)
    return letters if len(letters) == 1 else letters.casefold()


_KNOWN = {_letters(name): (role, rank) for (rank, role), names in _NAMES.items() for name in names.split()}
