"""A budget as it is written down: named runs, each by what is known of it, and a policy."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scaling_cli.core.policies import ALIASES, Policy

KNOWNS = ("flops", "params", "tokens", "loss")


class Field(NamedTuple):
    """One thing that a file may say of a run.

    Fields:
        name: the key.
        kind: how it is written: a kind of `parse_quantity`, share, text, file, price, dollars, limits or settings.
        meaning: in words.
    """

    name: str
    kind: str
    meaning: str


FIELDS = {
    field.name: field
    for field in (
        Field("flops", "flops", "Training compute: 1e22, '3640 PF-days', or a machine and a time: 512xH100 for 30d."),
        Field("params", "params", "Parameters, as the law counts them: 70B."),
        Field("tokens", "tokens", "Training tokens, repeats included: 1.4T."),
        Field("loss", "loss", "Target loss, in the law's unit: 1.94."),
        Field("config", "file", "The model's config.json, whose exact parameters count; beside this file."),
        Field("law", "file", "Id or alias of a law, or a YAML file beside this one: chinchilla (the default)."),
        Field("set", "settings", "Values of the law's own variables: {c_over_cmin: 1}."),
        Field("gpu", "file", "Accelerator, by name or file: h100."),
        Field("gpus", "number", "How many of them at once: 512."),
        Field("precision", "text", "Whose dense peak counts: bf16, fp16, fp8."),
        Field("mfu", "share", "Model FLOPs utilisation of the dense peak: 40% (0.35 where it is not given)."),
        Field("mfu_from", "text", "A run to take the utilisation from: 405B params, 15.6T tokens, 30.84M h100-hours."),
        Field("price", "price", "Dollars per accelerator-hour, or a YAML file of prices beside this one: 2.50."),
        Field("unique_tokens", "tokens", "Tokens that there are; more are repeats: 300B."),
        Field("inference_tokens", "tokens", "Tokens that the model will read and write in its life: 2T."),
        Field("serve_precision", "text", "Precision of the weights when served: bf16, fp8, int4."),
        Field("inference_mfu", "share", "Utilisation of inference: 20%."),
        Field("inference_price", "dollars", "Dollars per accelerator-hour of inference: 1.80."),
        Field("max", "limits", "What to spend up to, where the law plans the run: {days: 30}."),
        Field("min", "limits", "What the planned run must have at least: {tokens_per_param: 20}."),
    )
}
ELSEWHERE = ("law", "set", "config")  # of a run, and neither known of it nor a field of Budget
DEFAULTS = tuple(name for name in FIELDS if name not in (*KNOWNS, "config", "max", "min"))
DEFAULT_LAW = "chinchilla"


class Spec(NamedTuple):
    """One run as it was given.

    Fields:
        name: of the run.
        law: id, alias or file.
        settings: values of the law's variables.
        known: of flops, params, tokens and loss; flops may be the text of a machine and a time.
        config: the file whose params count; empty where there is none.
        budget: fields of `budgets.Budget`.
        line: where it stands in its file, from 1; 0 where there is none.
        lines: where each of its keys stands, those of the defaults too; `max days` is the days below its max.
    """

    name: str
    law: str = DEFAULT_LAW
    settings: Mapping[str, float] = {}
    known: Mapping[str, float | str] = {}
    config: str = ""
    budget: Mapping[str, Any] = {}
    line: int = 0
    lines: Mapping[str, int] = {}


class Sheet(NamedTuple):
    """A budget: its runs and its policy; `file` is empty where it came from the command line."""

    specs: tuple[Spec, ...]
    policy: Policy = Policy()
    file: str = ""


DECIDING = {
    "params": ("params", "config"), "memory_bytes": ("params", "config"), "epochs": ("unique_tokens", "tokens"),
}  # fmt: skip
"""Which keys decide a quantity, the first first, where that is not the key of its name."""


def deciding_line(lines: Mapping[str, int], quantity: str) -> int:
    """Return the line of the key that decides a quantity of a run: its own, else the first known of the run.

    A limit of the run's own decides where the law plans the run, not where two knowns leave no choice.

    Args:
        lines: of the run's keys, as Spec has them.
        quantity: one of QUANTITIES.

    Returns: the line, from 1; 0 where the run has no such key.
    """
    names = (quantity, *(alias for alias, name in ALIASES.items() if name == quantity))
    is_fixed = sum(key in lines for key in (*KNOWNS, "config")) > 1
    limits = () if is_fixed else tuple(f"{side} {name}" for side in ("max", "min") for name in names)
    keys = (*DECIDING.get(quantity, (quantity,)), *limits, *KNOWNS, "config", "max")
    return next((lines[key] for key in keys if key in lines), 0)


_AS_KEYS = (
    (r"--law ([\w.-]+) --law ([\w.-]+)", r"laws: [\1, \2]"),
    (r"(?<=\d) (?=--)", ", "),
    (r"--(max|min) (\w+)=([^\s,;]*\w%?)", r"\1: {\2: \3}"),
    (r"--([a-z][a-z-]*) (?=[^\s]*\d)", r"--\1: "),
)
_OPTION = re.compile(r"--([a-z][a-z-]*)")


def as_keys(text: str) -> str:
    """Return words on options in the language of a file.

    >>> as_keys("--mfu-from and --mfu are both given"), as_keys("give --gpu h100 --price 2.50, or --max days=9")
    ('mfu_from and mfu are both given', 'give gpu: h100, price: 2.50, or max: {days: 9}')
    """
    for pattern, key in _AS_KEYS:
        text = re.sub(pattern, key, text)
    return _OPTION.sub(lambda option: option[1].replace("-", "_"), text)


def key_named(text: str, lines: Mapping[str, int]) -> str:
    """Return the first key of a run that a message on options speaks of; empty where there is none.

    >>> key_named("--max days is 'x', not a number", {"gpu": 3, "max": 4, "max days": 5})
    'max days'
    """
    for option in re.finditer(r"--([a-z][a-z-]*)(?: (\w+))?", text):
        key = option[1].replace("-", "_")
        for name in (f"{key} {option[2]}", key):
            if name in lines:
                return name
    return ""
