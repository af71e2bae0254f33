"""The library: each function answers what the command of the same name answers, on numbers, text or numpy arrays."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import Rung, climb, loss_by_law, plan_law
from scaling_cli.core.duals import Value
from scaling_cli.core.figures import Verdict, check_figure
from scaling_cli.core.knowns import number
from scaling_cli.core.laws import Law
from scaling_cli.core.losses import Loss
from scaling_cli.core.machine_budgets import is_machine_budget
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import load_all, load_law

if TYPE_CHECKING:
    from scaling_cli.core.diagnosis import Diagnosis

Quantity = float | str | Value
Settings = Mapping[str, float]
BUDGET = (
    "gpu", "gpus", "precision", "mfu", "mfu_from", "price", "most", "least", "unique_tokens", "inference_tokens",
    "serve_precision", "inference_mfu", "inference_price",
)  # fmt: skip
LIMITS, NAMES = ("most", "least"), ("gpu", "precision", "mfu_from", "serve_precision")  # of BUDGET: not numbers


def plan(
    law: Law | str = "chinchilla",
    *,
    settings: Settings | None = None,
    **asked: Quantity | Mapping[str, Quantity],
) -> Plan:
    """Return what a law says of one or two of flops, params, tokens and loss; it solves for the rest.

    Args:
        law: a law, an id, an alias or a YAML file.
        settings: values of the law's own variables, such as {"U": 1e11} for unique tokens.
        asked: flops, params, tokens, loss; and what the plan must respect: gpu, gpus, price, mfu, mfu_from, precision,
            most and least (limits by name, such as {"days": 30}), unique_tokens, inference_tokens, serve_precision,
            inference_mfu, inference_price, active_params, as the options of `scaling plan`. Numbers, text such as
            "70B", or arrays that broadcast together.

    Returns: Plan, with arrays where an array was given; elements without an answer are NaN, and demands have no prices.
    Raises: InputError for a wrong question; NoAnswer when no answer exists.

    >>> plan("chinchilla", flops=1.21e20).params
    1000000000.0
    >>> plan("chinchilla", gpu="h100", gpus=1, mfu=0.5, most={"gpu_hours": 10}).gpu_hours
    10.0
    """
    chosen, settings = _law(law), _settings(settings)
    known: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    active = asked.pop("active_params", None)
    if active is not None:
        asked, settings = _with_active(chosen, asked, settings, active)
    for name, value in asked.items():
        if name not in BUDGET:
            known[name] = value
        elif value is not None:
            budget[name] = _of_budget(name, value)
    if not budget and not (isinstance(flops := known.get("flops"), str) and is_machine_budget(flops)):
        return plan_law(chosen, {name: _number(value, name) for name, value in known.items()}, settings)
    from scaling_cli.budgets import plan_budget  # most look-ups have no budget

    return plan_budget([chosen], known, settings or {}, budget)[0]


def _with_active(
    law: Law, asked: Mapping[str, Any], settings: Settings, active: Any
) -> tuple[dict[str, Any], dict[str, float]]:
    from scaling_cli.core.mixtures import params_of_active  # few laws are of mixtures

    if "params" in asked:
        raise InputError("params and active_params are both given", "give one of them: the law says the other")
    active = number("active_params", _number(active, "params"))
    params, settings = params_of_active([law], active, settings)
    return {**asked, "params": params}, settings


def predict_loss(
    law: Law | str = "chinchilla",
    *,
    params: Quantity | None = None,
    tokens: Quantity | None = None,
    settings: Settings | None = None,
) -> Loss:
    """Return the loss of params trained on tokens, and its parts: irreducible, due to params, due to tokens.

    Args:
        law: a law, an id, an alias or a YAML file.
        params: N as the law counts it; a number, text or an array. May be left out where the loss does not rest on it.
        tokens: D; likewise.
        settings: values of the law's own variables.

    >>> round(predict_loss("hoffmann-2022-approach-3-rounded", params="70B", tokens="1.4T").loss, 4)
    1.9366
    """
    n = None if params is None else _number(params, "params")
    d = None if tokens is None else _number(tokens, "tokens")
    return loss_by_law(_law(law), n, d, _settings(settings))


def compare(
    laws: Iterable[Law | str] | Law | str, *, flops: float | str, decades: int = 3, settings: Settings | None = None
) -> list[Rung]:
    """Return each law's plans at flops, 10 flops, ... 10**decades flops, with what the next x10 buys.

    Args:
        laws: laws, ids, aliases or files; "all" for every shipped law.
        flops: the first budget.
        decades: how many x10 steps to climb.
        settings: values of variables of some of the laws.
    """
    chosen: Sequence[Law] = (
        load_all() if laws == "all" else [_law(law) for law in (laws if _is_several(laws) else [laws])]
    )
    return climb(chosen, _number(flops, "flops"), decades, _settings(settings))


def diagnose(
    law: Law | str = "chinchilla", *, params: float | str, tokens: float | str, settings: Settings | None = None
) -> "Diagnosis":
    """Return whether params on tokens are too large or too small for their compute, what that wastes and its repair.

    Args:
        law: a law, an id, an alias or a YAML file.
        params: N as the law counts it; a number or text, for one model.
        tokens: D; a number or text.
        settings: values of the law's own variables.

    >>> diagnose("chinchilla", params="280B", tokens="300B").verdict
    'too large'
    """
    from scaling_cli.core.diagnosis import Subject, diagnose_law  # other questions need no models and machines

    subject = Subject("", _number(params, "params"), _number(tokens, "tokens"))
    return diagnose_law(_law(law), subject, _settings(settings))


def check_law(law: Law | str) -> list[Verdict]:
    """Return the verdict on every published figure of a law."""
    chosen = _law(law)
    return [check_figure(chosen, figure) for figure in chosen.figures]


def _law(law: object) -> Law:
    if isinstance(law, Law):
        return law
    if isinstance(law, str):
        return load_law(law)
    raise InputError(f"the law is {law!r:.40}", "expected a Law, or the name of one: 'chinchilla', 'mine.yaml'")


def _is_several(laws: object) -> TypeGuard[Iterable[object]]:
    return isinstance(laws, Iterable) and not isinstance(laws, str | Law)


def _settings(settings: object) -> Settings:
    if settings is None or isinstance(settings, Mapping):
        return settings or {}
    raise InputError(f"settings is {settings!r:.40}", "expected values by the name of a variable: {'U': 1e11}")


def _of_budget(name: str, value: object) -> object:
    kind, example = (Mapping, "limits by name: {'days': 30}") if name in LIMITS else (str, "a name: 'h100'")
    if name in (*LIMITS, *NAMES) and not isinstance(value, kind):
        raise InputError(f"{name} is {value!r:.40}", f"expected {example}")
    return value


def _number(value: Quantity, name: str) -> Value:
    return (
        parse_quantity(value, name if name in ("flops", "params", "tokens", "loss") else "number", name)
        if isinstance(value, str)
        else value
    )
