"""Mixtures of experts: what active params mean to a law, and what a law can say of serving and storing one."""

from collections.abc import Sequence

from scaling_cli.core.demands import SERVED, Demands, Limit
from scaling_cli.core.laws import Law
from scaling_cli.core.machines import BYTES
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.relations import Settings, bind
from scaling_cli.errors import InputError, NoAnswer

VARIABLE, TOTAL = "active_params", "total_params"
EVERY_EXPERT, ACTIVE = "total_with_experts", "active"


def params_of_active(laws: Sequence[Law], active: float, settings: Settings) -> tuple[float, dict[str, float]]:
    """Return the params of a model with so many active ones, as laws count N, and the settings with them.

    A law that counts active params takes them as they are; one that says how many params they are in all takes those.

    Args:
        laws: that all count the same.
        active: parameters that one token sees, a count.
        settings: values of the laws' variables.

    Raises: InputError where a law does not tell active params from total, or laws differ in what they count.
    """
    found = {law.id: _params(law, active, settings) for law in laws}
    if len(set(found.values())) > 1:
        raise InputError(f"{' and '.join(found)} count different params", "ask them one by one with --active-params")
    declare = any(VARIABLE in law.variables for law in laws)
    return next(iter(found.values())), {**settings, **({VARIABLE: active} if declare else {})}


def _params(law: Law, active: float, settings: Settings) -> float:
    if law.params_kind == ACTIVE:
        return active
    if VARIABLE in law.variables and TOTAL in law.relations:
        return float(bind(law, TOTAL, {**settings, VARIABLE: active})())
    raise InputError(
        f"{law.id} counts {law.params_kind.replace('_', ' ')} params and does not tell active from total ones",
        "name a law of mixtures of experts, such as ludziejewski-2025 or krajewski-2024",
    )


def check_countable(law: Law, demands: Demands) -> None:
    """Raise NoAnswer where a demand needs params that N does not count: active ones to serve, all of them to store."""
    check_served(law, demands)
    if demands.serving.precision is not None and law.params_kind == ACTIVE and demands.stored is None:
        problem = f"{law.id} counts active params, and memory holds every expert: its weights can not be counted"
        raise NoAnswer(problem, "leave out the memory and --serve-precision, or name a law that counts total params")


def check_served(law: Law, demands: Demands) -> None:
    """Raise NoAnswer where inference is asked of a law whose N counts experts that a token does not meet."""
    if demands.inference_tokens is not None and law.params_kind == EVERY_EXPERT:
        problem = f"{law.id} counts every expert, and a token passes through some: its inference can not be counted"
        raise NoAnswer(problem, "leave out --inference-tokens, or name a law that counts active params")


def check_stored(limits: tuple[Limit, ...], stored: float, precision: str | None) -> tuple[Limit, ...]:
    """Return the limits that are not on memory, once the weights of a config keep those.

    Raises: NoAnswer where they do not.
    """
    hint = "change the limit, or how the weights are kept: --serve-precision int4"
    size = stored * BYTES[precision or SERVED]
    for limit in limits:
        if limit.name == "memory_bytes" and (size > limit.value if limit.is_max else size < limit.value):
            shown = f"{format_quantity(size, 'bytes')} in {precision or SERVED}"
            raise NoAnswer(f"all the weights of the config take {shown}, which breaks {limit.text}", hint)
    return tuple(limit for limit in limits if limit.name != "memory_bytes")
