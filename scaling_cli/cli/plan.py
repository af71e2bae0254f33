"""`scaling plan`."""

from typing import TYPE_CHECKING

from scaling_cli.cli import machine_options as machines
from scaling_cli.cli import options
from scaling_cli.cli.output import check_format, refuse_outside, show
from scaling_cli.cli.progress import Progress
from scaling_cli.core.answers import Plan
from scaling_cli.core.laws import Law
from scaling_cli.errors import InputError

if TYPE_CHECKING:
    from scaling_cli.core.counted import Counted

HELP = """Split a compute budget into params and tokens, or solve for whatever is missing.

Give one or two of --flops, --params, --tokens and --loss; or none, and limits to spend up to: --gpu h100 --gpus 512
--max days=30. Compute is FLOPs, or a machine and a time: "512xH100 for 30d @40%".

\b
Example: scaling plan --flops 1e22 --law chinchilla --law openai
"""


def plan(
    flops: options.Flops = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    loss: options.Loss = None,
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    most: machines.Max = [],  # noqa: B006
    least: machines.Min = [],  # noqa: B006
    config: options.Config = None,
    active_params: machines.ActiveParams = None,
    unique_tokens: machines.UniqueTokens = None,
    inference_tokens: machines.InferenceTokens = None,
    gpu: machines.Gpu = None,
    gpus: machines.Gpus = None,
    price: machines.Price = None,
    mfu: machines.Mfu = None,
    mfu_from: machines.MfuFrom = None,
    precision: machines.Precision = None,
    serve_precision: machines.ServePrecision = None,
    inference_mfu: machines.InferenceMfu = None,
    inference_price: machines.InferencePrice = None,
    strict: options.Strict = False,
    format_: options.Format = "table",
) -> None:
    """Answer one question about one or several laws."""
    from scaling_cli.report.build import plan_report

    check_format(format_)
    laws = options.laws(law)
    budget = machines.budget(
        gpu=gpu, gpus=gpus, price=price, mfu=mfu, mfu_from=mfu_from, precision=precision,
        most=options.pairs("--max", most), least=options.pairs("--min", least),
        unique_tokens=unique_tokens, inference_tokens=inference_tokens, serve_precision=serve_precision,
        inference_mfu=inference_mfu, inference_price=inference_price,
    )  # fmt: skip
    known = {"flops": flops, "params": params, "tokens": tokens, "loss": loss}
    settings = options.settings(set_)
    notes: tuple[str, ...] = ()
    if config is not None:
        counted = _counted(config, laws, {"--params": params, "--active-params": active_params})
        known["params"], notes = repr(counted.params_for(laws[0])), tuple(counted.notes(laws, settings))
        budget |= {"stored": counted.stored} if budget or machines.is_machine(flops) else {}
    with Progress("planning"):
        plans = _plans(laws, *machines.with_active(laws, known, settings, active_params), budget)
    plans = [plan._replace(notes=(*notes, *plan.notes)) for plan in plans]
    if strict:
        refuse_outside(plans)
    show(plan_report(plans, laws), format_)


def _plans(
    laws: list[Law], texts: dict[str, str | None], settings: dict[str, float], budget: dict[str, object]
) -> list[Plan]:
    if not budget and not machines.is_machine(texts["flops"]):
        from scaling_cli.core.comparisons import plan_laws

        return plan_laws(laws, options.known_quantities(**texts), settings)
    from scaling_cli.budgets import plan_budget

    return plan_budget(laws, texts, settings, budget)


def _counted(path: str, laws: list[Law], others: dict[str, str | None]) -> "Counted":
    """Return the params of a config.json.

    Raises: InputError when N is given otherwise too, or when the laws count differently.
    """
    from scaling_cli.core.counted import count_shape
    from scaling_cli.core.quantities import format_quantity
    from scaling_cli.files.configs import read_config

    for option, text in others.items():
        if text is not None:
            raise InputError(f"--config and {option} are both given", "each says how many params: leave out one")
    config = read_config(path)
    counted = count_shape(path, config.shape, config.notes)
    found = {law.params_kind: counted.params_for(law) for law in laws}
    if len(set(found.values())) > 1:
        shown = "; ".join(f"{kind}: {format_quantity(value, 'params')}" for kind, value in found.items())
        raise InputError(f"the laws count the params of {path} differently: {shown}", "ask one law at a time")
    return counted
