"""The library: each function answers what the command of the same name answers, on numbers, text or numpy arrays."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import Rung, climb, loss_by_law, plan_law
from scaling_cli.core.duals import Value
from scaling_cli.core.figures import Verdict, check_figure
from scaling_cli.core.laws import Law
from scaling_cli.core.losses import Loss
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.files.catalogue import load_all, load_law

if TYPE_CHECKING:
    from scaling_cli.core.diagnosis import Diagnosis

Quantity = float | str | Value
Settings = Mapping[str, float]


def plan(
    law: Law | str = "chinchilla",
    *,
    settings: Settings | None = None,
    **known: Quantity,
) -> Plan:
    """Return what a law says of one or two of flops, params, tokens and loss; it solves for the rest.

    Args:
        law: a law, an id, an alias or a YAML file.
        settings: values of the law's own variables, such as {"U": 1e11} for unique tokens.
        known: flops, params, tokens, loss: numbers, text such as "70B", or arrays that broadcast together.

    Returns: Plan, with arrays where an array was given; elements without an answer are NaN.
    Raises: InputError for a wrong question; NoAnswer when no answer exists.

    >>> plan("chinchilla", flops=1.21e20).params
    1000000000.0
    """
    return plan_law(_law(law), {name: _number(value, name) for name, value in known.items()}, settings or {})


def predict_loss(
    law: Law | str = "chinchilla", *, params: Quantity, tokens: Quantity, settings: Settings | None = None
) -> Loss:
    """Return the loss of params trained on tokens, and its parts: irreducible, due to params, due to tokens.

    Args:
        law: a law, an id, an alias or a YAML file.
        params: N as the law counts it; a number, text or an array.
        tokens: D; a number, text or an array.
        settings: values of the law's own variables.

    >>> round(predict_loss("hoffmann-2022-approach-3-rounded", params="70B", tokens="1.4T").loss, 4)
    1.9366
    """
    return loss_by_law(_law(law), _number(params, "params"), _number(tokens, "tokens"), settings or {})


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
        load_all() if laws == "all" else [_law(law) for law in ([laws] if isinstance(laws, str | Law) else laws)]
    )
    return climb(chosen, _number(flops, "flops"), decades, settings or {})


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

    return diagnose_law(_law(law), Subject("", _number(params, "params"), _number(tokens, "tokens")), settings or {})


def check_law(law: Law | str) -> list[Verdict]:
    """Return the verdict on every published figure of a law."""
    chosen = _law(law)
    return [check_figure(chosen, figure) for figure in chosen.figures]


def _law(law: Law | str) -> Law:
    return load_law(law) if isinstance(law, str) else law


def _number(value: Quantity, name: str) -> Value:
    return (
        parse_quantity(value, name if name in ("flops", "params", "tokens", "loss") else "number", name)
        if isinstance(value, str)
        else value
    )
