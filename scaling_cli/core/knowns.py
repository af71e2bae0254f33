"""What a question to a planner may know: flops, params, tokens, loss; one or two of them."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, SupportsFloat

from scaling_cli.core.duals import Value, library_of
from scaling_cli.core.laws import Law
from scaling_cli.errors import InputError, NoAnswer

KNOWNS = ("flops", "params", "tokens", "loss")


def check_knowns(known: Mapping[str, Value]) -> dict[str, Value]:
    """Return one or two of the four in their order, as floats or as arrays of one shape.

    Raises: InputError for none or more than two, or for a value that is not positive and finite.
    """
    if not known:
        raise InputError("nothing is known", "give one or two of --flops, --params, --tokens, --loss: --flops 1e22")
    for name in known:
        if name not in KNOWNS:
            raise InputError(f"{name} is not a known", f"expected one or two of {', '.join(KNOWNS)}")
    if len(known) > 2:
        options = ", ".join(f"--{name}" for name in known)
        hint = "flops, params and tokens are tied by C = 6ND, and the loss follows: give two of them"
        raise InputError(f"{options} are {len(known)} knowns where two decide the rest", hint)
    return check_counts({name: known[name] for name in KNOWNS if name in known})


def check_counts(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values as floats, or as arrays of one shape where one of them is an array.

    Raises: InputError for a value that is not positive and finite.
    """
    arrays = [value for value in values.values() if hasattr(value, "__array_ufunc__") and hasattr(value, "shape")]
    if any(array.shape != () for array in arrays):
        return _broadcast(values, library_of(arrays[0]))
    found = {name: number(name, value) for name, value in values.items()}
    for name, value in found.items():
        if value <= 0.0:
            raise InputError(f"{name} is {value!r}", "expected a finite number greater than zero")
    return found


def number(name: str, value: object) -> float:
    """Return a number as a float.

    Raises: InputError for anything but a finite number.
    """
    found = math.nan
    if isinstance(value, SupportsFloat) and not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):
            found = float(value)
    if not math.isfinite(found):
        raise InputError(f"{name} is {value!r:.40}", "expected a finite number")
    return found


def check_settings(law: Law, settings: Mapping[str, float] | None) -> dict[str, float]:
    """Return the settings of a law's variables as floats.

    Raises: InputError for a variable that the law does not declare, or a value that is no finite number.
    """
    for name in settings or {}:
        if name not in law.variables:
            raise InputError(f"{law.id} has no variable {name}", f"its variables: {', '.join(law.variables) or 'none'}")
    return {name: number(name, value) for name, value in (settings or {}).items()}


def _broadcast(values: Mapping[str, Value], xp: Any) -> dict[str, Value]:
    try:
        given = [xp.asarray(value) for value in values.values()]
        if any(array.dtype.kind not in "iuf" for array in given):
            raise ValueError("not all of them are numbers")
        arrays = xp.broadcast_arrays(*(array.astype(float) for array in given))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{' and '.join(values)} do not go together: {error}", "expected numbers and arrays of one shape"
        ) from error
    for name, value in zip(values, arrays, strict=True):
        if value.size == 0 or not (xp.isfinite(value) & (value > 0.0)).all():
            raise InputError(f"{name} has elements that are not, or none", "expected finite numbers greater than zero")
    return dict(zip(values, arrays, strict=True))


def check_sizes(law: str, **sizes: float) -> None:
    """Raise NoAnswer unless each size is positive and finite."""
    for name, value in sizes.items():
        if not 0.0 < value < math.inf:
            problem = "overflow" if value == math.inf else "underflow" if value == 0.0 else f"come out as {value:.4g}"
            raise NoAnswer(
                f"{law}: the {name} {problem}", "expected a finite number greater than zero; ask nearer its range"
            )
