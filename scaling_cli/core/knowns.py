"""What a question to a planner may know: flops, params, tokens, loss; one or two of them."""

import math
from collections.abc import Mapping
from typing import Any

from scaling_cli.core.duals import Value, library_of
from scaling_cli.errors import InputError, NoAnswer

KNOWNS = ("flops", "params", "tokens", "loss")


def check_knowns(known: Mapping[str, Value]) -> dict[str, Value]:
    """Return one or two of the four in their order, as floats or as arrays of one shape.

    Raises: InputError for none or more than two, or for a value that is not positive and finite.
    """
    if not known:
        raise InputError("nothing is known", "give one or two of --flops, --params, --tokens, --loss: --flops 1e22")
    if len(known) > 2:
        options = " ".join(f"--{name}" for name in known)
        hint = "flops, params and tokens are tied by C = 6ND, and the loss follows: give two of them"
        raise InputError(f"{options} are {len(known)} knowns where two decide the rest", hint)
    arrays = [value for value in known.values() if not isinstance(value, int | float)]
    if arrays:
        return _broadcast(known, library_of(arrays[0]))
    values = {name: float(known[name]) for name in KNOWNS if name in known}
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"{name} is {value!r}", "expected a finite number greater than zero")
    return values


def _broadcast(known: Mapping[str, Value], xp: Any) -> dict[str, Value]:
    names = [name for name in KNOWNS if name in known]
    values = dict(
        zip(names, xp.broadcast_arrays(*(xp.asarray(known[name], dtype=float) for name in names)), strict=True)
    )
    for name, value in values.items():
        if value.size == 0 or not (xp.isfinite(value) & (value > 0.0)).all():
            raise InputError(f"{name} has elements that are not", "expected finite numbers greater than zero")
    return values


def check_sizes(law: str, **sizes: float) -> None:
    """Raise NoAnswer unless each size is positive and finite."""
    for name, value in sizes.items():
        if not 0.0 < value < math.inf:
            problem = "overflow" if value == math.inf else "underflow" if value == 0.0 else f"come out as {value:.4g}"
            raise NoAnswer(
                f"{law}: the {name} {problem}", "expected a finite number greater than zero; ask nearer its range"
            )
