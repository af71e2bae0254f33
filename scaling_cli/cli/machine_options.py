"""The options that say what a budget is made of: a machine, limits, limited data, inference. Values stay texts."""

from typing import Annotated

import typer

from scaling_cli.core.laws import Law
from scaling_cli.core.machine_budgets import is_machine_budget
from scaling_cli.core.quantities import format_quantity, parse_quantity
from scaling_cli.errors import InputError

Text = str | None

Max = Annotated[
    list[str],
    typer.Option("--max", metavar="NAME=VALUE", help="At most: params=8B, dollars=200k; repeatable."),
]
Min = Annotated[
    list[str], typer.Option("--min", metavar="NAME=VALUE", help="At least: tokens_per_param=20; repeatable.")
]
ActiveParams = Annotated[
    Text,
    typer.Option(
        "--active-params",
        metavar="N",
        help="Params that one token sees, for laws of mixtures of experts, not --params.",
    ),
]
UniqueTokens = Annotated[
    Text, typer.Option("--unique-tokens", metavar="U", help="Tokens that there are; more are repeats: 300B.")
]
InferenceTokens = Annotated[
    Text,
    typer.Option("--inference-tokens", metavar="D", help="Tokens that the model will read and write in its life: 2T."),
]


def complete_accelerators(incomplete: str) -> list[str]:
    """Return the accelerators whose names begin so."""
    from scaling_cli.files.hardware import HARDWARE

    return [name for name in HARDWARE.names() if name.startswith(incomplete.lower())]


Gpu = Annotated[
    Text, typer.Option("--gpu", metavar="NAME", autocompletion=complete_accelerators, help="Accelerator: h100.")
]
Gpus = Annotated[Text, typer.Option("--gpus", metavar="COUNT", help="How many of them at once: 512.")]
Price = Annotated[
    Text, typer.Option("--price", metavar="DOLLARS", help="Dollars per accelerator-hour, or a YAML file of prices.")
]
Mfu = Annotated[
    Text, typer.Option("--mfu", metavar="SHARE", help="Model FLOPs utilisation of the dense peak: 0.4 (default 0.35).")
]
MfuFrom = Annotated[
    Text,
    typer.Option(
        "--mfu-from", metavar="RUN", help="Take it from a run: '405B params, 15.6T tokens, 30.84M h100-hours'."
    ),
]
Precision = Annotated[Text, typer.Option("--precision", metavar="NAME", help="Whose dense peak: bf16, fp16, fp8.")]
ServePrecision = Annotated[
    Text, typer.Option("--serve-precision", metavar="NAME", help="Of the weights when served: bf16, fp8, int4.")
]
InferenceMfu = Annotated[
    Text, typer.Option("--inference-mfu", metavar="SHARE", help="Utilisation of inference, where dollars decide.")
]
InferencePrice = Annotated[
    Text, typer.Option("--inference-price", metavar="DOLLARS", help="Dollars per accelerator-hour of inference.")
]


def budget(**given: object) -> dict[str, object]:
    """Return what was given of the options here."""
    return {name: value for name, value in given.items() if value not in (None, {})}


def is_machine(flops: str | None) -> bool:
    """Whether --flops speaks of a machine."""
    return flops is not None and is_machine_budget(flops)


def amount(text: str, option: str) -> tuple[float, str]:
    """Return the training FLOPs that a text says, and a note on the machine that it speaks of; '' where it is of none.

    Raises: InputError for what is no amount of compute, an unknown accelerator, or a utilisation above 1.
    """
    if not is_machine_budget(text):
        return parse_quantity(text, "flops", option), ""
    from scaling_cli.core.machine_budgets import parse_machine_budget
    from scaling_cli.core.machines import machine
    from scaling_cli.files.hardware import load_accelerator

    hours = parse_machine_budget(text, option)
    try:
        card = load_accelerator(hours.chip)
    except InputError as error:
        raise InputError(f"{option}: unknown accelerator: {error.message}", *error.hints) from error
    mine = machine(card, gpus=hours.gpus, mfu=hours.mfu)
    flops = float(hours.gpu_hours * mine.flops_per_hour)
    return flops, f"{option} {text}: {format_quantity(flops, 'flops')} FLOPs; {mine.notes()[0]}"


def with_active(
    laws: list[Law], known: dict[str, str | None], settings: dict[str, float], active: str | None
) -> tuple[dict[str, str | None], dict[str, float]]:
    """Return what is known and the settings, with the params that --active-params says."""
    if active is None:
        return known, settings
    from scaling_cli.core.mixtures import params_of_active

    if known["params"] is not None:
        raise InputError("--params and --active-params are both given", "give one of them: the law says the other")
    params, settings = params_of_active(laws, parse_quantity(active, "params", "--active-params"), settings)
    return {**known, "params": repr(params)}, settings
