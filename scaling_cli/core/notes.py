"""What an answer should be read with: how far outside the runs behind it, on what assumptions, how uncertain."""

import math
from collections.abc import Iterable, Iterator, Mapping

from scaling_cli.core.duals import Value
from scaling_cli.core.laws import QUANTITIES, Law, names_below
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.sweeps import is_array

BARELY = 1.005  # a factor that three digits would show as 1
SLACK = 1e-9  # rounding of an answer that lies on the end of a range


def listed(names: Iterable[str]) -> str:
    """Return one name or more as a sentence has them.

    >>> listed(["params", "tokens", "loss"])
    'params, tokens and loss'
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def point(flops: Value, params: Value, tokens: Value, loss: Value) -> dict[str, Value]:
    """Return the quantities of an answer by letter, without those that are None."""
    values = {"C": flops, "N": params, "D": tokens, "L": loss}
    return {letter: value for letter, value in values.items() if value is not None}


def experimented(law: Law, relations: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the experimented range of the relations together, low and high by letter."""
    ranges: dict[str, tuple[float, float]] = {}
    for name in relations:
        for letter, (low, high) in law.relations[name].valid.items():
            old = ranges.get(letter, (low, high))
            ranges[letter] = (max(old[0], low), min(old[1], high))
    return ranges


def range_notes(law: Law, relations: list[str], known: Mapping[str, Value]) -> tuple[str, ...]:
    """Say by what factor an answer lies outside the experimented range of the relations it rests on."""
    ranges = experimented(law, relations)
    parts = []
    for letter, value in known.items():
        low, high = ranges.get(letter, (-math.inf, math.inf))
        word = QUANTITIES.get(letter, letter)
        if is_array(value):
            beyond = int(((value > high) | (value < low)).sum())
            parts += [f"{word} of {beyond} in {value.size} answers"] if beyond else []
            continue
        kind = word if letter in QUANTITIES else "number"
        if value > high * (1.0 + SLACK):
            parts.append(f"{word} {_times(value, high)}above {format_quantity(high, kind)}")
        elif value < low * (1.0 - SLACK):
            parts.append(f"{word} {_times(low, value)}below {format_quantity(low, kind)}")
    return (f"{law.id}: outside the experimented range: {', '.join(parts)}",) if parts else ()


def _times(larger: float, smaller: float) -> str:
    factor = larger / smaller if smaller > 0.0 else math.inf
    if factor < BARELY:
        return "just "
    return f"{format_quantity(factor, 'ratio')}x " if factor < math.inf else ""


def unanswered(law: Law, *answers: Value) -> Iterator[str]:
    """Count the elements of arrays of answers where one of them is missing."""
    arrays = [answer for answer in answers if answer is not None and is_array(answer)]
    if arrays:
        missing = int(sum(array * 0.0 != 0.0 for array in arrays).astype(bool).sum())
        if missing:
            yield f"{law.id}: no answer for {missing} of {arrays[0].size} elements, which are NaN"


def assumptions(law: Law, settings: Mapping[str, float], relations: Iterable[str]) -> Iterator[str]:
    """Name the variables that the relations rest on and that the user left at their numbers."""
    below = names_below(law, relations)
    for name, variable in law.variables.items():
        if isinstance(variable.default, float) and name in below and name not in settings:
            meaning = f" ({variable.meaning})" if variable.meaning else ""
            yield f"{law.id}: assumes {name} = {variable.default:g}{meaning}; --set {name}=... changes it"


def missing_interval(law: Law, relations: Iterable[str]) -> Iterator[str]:
    """Say why printed standard errors give no interval."""
    uncertain = [law.relations[name].uncertainty for name in relations]
    if any("standard_errors" in u and not {"covariance", "draws"} & u.keys() for u in uncertain):
        yield (
            f"{law.id}: its source prints standard errors without their covariance, which give no interval for N: "
            "the coefficients move together"
        )
