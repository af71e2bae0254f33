"""A budget as it is written down: named runs, each by what is known of it, and a policy. Data only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scaling_cli.core.policies import Policy

KNOWNS = ("flops", "params", "tokens", "loss")


class Field(NamedTuple):
    """One thing that a file may say of a run.

    Fields:
        name: the key.
        kind: how it is written: a kind of `parse_quantity`, share, text, file, price, limits or settings.
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
        Field("inference_price", "number", "Dollars per accelerator-hour of inference: 1.80."),
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
    """

    name: str
    law: str = DEFAULT_LAW
    settings: Mapping[str, float] = {}
    known: Mapping[str, float | str] = {}
    config: str = ""
    budget: Mapping[str, Any] = {}
    line: int = 0


class Sheet(NamedTuple):
    """A budget: its runs and its policy; `file` is empty where it came from the command line."""

    specs: tuple[Spec, ...]
    policy: Policy = Policy()
    file: str = ""
