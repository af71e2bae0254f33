"""The least changes that bring a run within a rule, in words: each changes one thing and leaves the rest.

Amounts are rounded away from what the run has now, so that what is printed keeps the rule. Where no change is known, or
none exists, nothing is said.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from scaling_cli.core.cases import Basis, Case, disagreement
from scaling_cli.core.machines import BYTES
from scaling_cli.core.notes import experimented
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.search import find_bracket, find_root
from scaling_cli.core.surface import LARGEST
from scaling_cli.errors import NoAnswer

DIGITS = 3  # that messages show
SAME = 1e-12  # relative: rounding of an amount that is a round number
HERE, ON_THESE, AT_SAME = "at this size", "on these tokens", "at the same compute"
GROWTH = 1.01  # factor of compute over which the slope of a disagreement is taken
SECANTS, CLOSE = 8, 1e-6


class Miss(NamedTuple):
    """A run that misses a limit: which quantity, its value, and the target in its unit."""

    case: Case
    basis: Basis
    quantity: str
    value: float
    target: float
    is_max: bool

    def number(self, name: str) -> float:
        """Return a number that every planned run has."""
        return float(self.case.numbers[name] or math.nan)


def remedy(case: Case, quantity: str, target: float, *, is_max: bool, of_optimum: bool = False) -> str:
    """Return the least changes that take a run's quantity to a target, in words; empty where none is known.

    Args:
        case: the run.
        quantity: one of QUANTITIES.
        target: the limit, in the unit of the quantity.
        is_max: whether it bounds from above.
        of_optimum: whether it came from the optimum at the run's compute, which therefore stays.
    """
    value = case.numbers.get(quantity)
    if case.basis is None or value is None or target <= 0.0:
        return ""
    ways = _at_same_compute if of_optimum else WAYS[quantity]
    found: list[str] = []
    with suppress(NoAnswer, ArithmeticError, ValueError):
        found.extend(ways(Miss(case, case.basis, quantity, value, target, is_max)))
    return ", or ".join(found)


def _compute(miss: Miss) -> Iterator[str]:
    """Fewer FLOPs; where days are limited, more accelerators."""
    factor = miss.target / miss.value
    machine = miss.basis.demands.machine
    if miss.quantity == "days" and machine is not None and machine.gpus:
        gpus = (math.ceil if miss.is_max else math.floor)(machine.gpus / factor * (1.0 - SAME if miss.is_max else 1.0))
        if gpus >= 1:
            yield f"{gpus} accelerators instead of {machine.gpus:g}"
    flops = miss.number("flops")
    if {"params", "tokens"} & set(miss.basis.given) and "loss" not in miss.basis.given:
        surface = miss.basis.surface
        yield _instead(miss, "tokens", surface.tokens_for(flops * factor, miss.number("params")), HERE)
        yield _instead(miss, "params", surface.params_for(flops * factor, miss.number("tokens")), ON_THESE)
    else:
        yield _instead(miss, "flops", flops * factor, "")


def _size(miss: Miss) -> Iterator[str]:
    yield _instead(miss, miss.quantity, miss.target, "")


def _ratio(miss: Miss) -> Iterator[str]:
    if "flops" in miss.basis.given:
        yield from _at_same_compute(miss)
        return
    yield _instead(miss, "tokens", miss.target * miss.number("params"), HERE)
    yield _instead(miss, "params", miss.number("tokens") / miss.target, ON_THESE)


def _loss(miss: Miss) -> Iterator[str]:
    surface, silent = miss.basis.surface, True
    if not {"params", "tokens"} & set(miss.basis.given):
        yield _instead(miss, "flops", miss.basis.planner.frontier.flops_for_loss(miss.target), "")
        return
    with suppress(NoAnswer):
        yield _instead(miss, "tokens", surface.tokens_at_loss(miss.number("params"), miss.target), HERE)
        silent = False
    with suppress(NoAnswer):
        yield _instead(miss, "params", surface.params_at_loss(miss.number("tokens"), miss.target), ON_THESE)
        silent = False
    if silent:
        yield "neither more tokens nor more params alone reach it"


def _excess(miss: Miss) -> Iterator[str]:
    """Another split of the same compute, whose loss is above the least by no more than the target."""
    if not miss.is_max:
        return
    planner, flops = miss.basis.planner, miss.number("flops")
    if miss.quantity == "waste":
        loss = planner.surface_frontier.loss(flops * (1.0 - miss.target))
    else:
        loss = planner.surface_frontier.loss(flops) + miss.target
    yield _split_at_loss(miss, loss)


def _split_at_loss(miss: Miss, loss: float) -> str:
    surface, flops, params = miss.basis.surface, miss.number("flops"), miss.number("params")
    best = surface.optimal_params(flops)
    least = surface.loss_of(best, surface.tokens_for(flops, best))
    if loss < least:
        return "no split of this compute keeps it with these unique tokens"
    low, high = surface.params_range(flops, loss, best)
    return _split(miss, high if params > best else low)


def _at_same_compute(miss: Miss) -> Iterator[str]:
    surface, flops = miss.basis.surface, miss.number("flops")
    if miss.quantity == "loss":
        yield _split_at_loss(miss, miss.target)
    elif miss.quantity == "params":
        yield _split(miss, miss.target)
    elif miss.quantity == "tokens":
        yield _split(miss, surface.params_for(flops, miss.target))
    else:
        start = math.log(miss.number("params"))
        ratio: Callable[[float], float] = lambda x: math.log(surface.tokens_for(flops, math.exp(x)) / miss.target) - x  # noqa: E731
        found = find_bracket(ratio, start, lowest=0.0, highest=LARGEST)
        if found is not None:
            yield _split(miss, math.exp(find_root(ratio, *found)))


def _split(miss: Miss, params: float) -> str:
    rounded = away(params, miss.number("params"))
    tokens = miss.basis.surface.tokens_for(miss.number("flops"), rounded)
    return f"{_shown(rounded, 'params')} params on {_shown(tokens, 'tokens')} tokens {AT_SAME}"


def _epochs(miss: Miss) -> Iterator[str]:
    unique = miss.basis.demands.unique_tokens
    if unique is not None:
        new = _shown(away(miss.number("tokens") / miss.target, unique), "tokens")
        yield f"{new} unique tokens instead of {_shown(unique, 'tokens')}"
        yield _instead(miss, "tokens", miss.target * unique, "")


def _memory(miss: Miss) -> Iterator[str]:
    each = miss.target / miss.number("params")
    fitting = [name for name, bytes_each in BYTES.items() if bytes_each <= each] if miss.is_max else []
    if fitting:
        yield f"weights served in {max(fitting, key=BYTES.__getitem__)}"
    yield _instead(miss, "params", miss.number("params") * miss.target / miss.value, "")


def _lifetime(miss: Miss) -> Iterator[str]:
    """Fewer tokens served; fewer params, to which both parts are proportional under 6ND."""
    served = float(miss.basis.demands.inference_tokens or math.nan)
    training = miss.number("flops" if miss.quantity == "lifetime_flops" else "dollars")
    rest = (miss.target - training) / (miss.value - training) * served
    if rest > 0.0:
        yield f"{_shown(away(rest, served), 'tokens')} inference tokens instead of {_shown(served, 'tokens')}"
    if "flops" not in miss.basis.planner.law.relations:
        yield _instead(miss, "params", miss.number("params") * miss.target / miss.value, ON_THESE)


def _extrapolation(miss: Miss) -> Iterator[str]:
    """What lies too far beyond the range, and how far it may."""
    if not miss.is_max:
        return
    words = {"C": "flops", "N": "params", "D": "tokens"}
    planner = miss.basis.planner
    ranges = experimented(planner.law, planner.relations_used())
    needed = []
    for letter, name in words.items():
        low, high = ranges.get(letter, (0.0, math.inf))
        end = min(max(miss.number(name), low / miss.target), high * miss.target)
        if end != miss.number(name):
            needed.append(_instead(miss, name, end, ""))
    yield " and ".join(needed)


def _disagreement(miss: Miss) -> Iterator[str]:
    """The compute at which the laws agree so far: by secants, exact in one step for power laws."""
    if not miss.is_max:
        return
    spread: Callable[[float], float] = lambda x: math.log(  # noqa: E731
        (disagreement(miss.basis.compared, math.exp(x)) or math.nan) / miss.target
    )
    x = math.log(miss.number("flops"))
    before, there = x + math.log(GROWTH), spread(x)
    at_before = spread(before)
    for _ in range(SECANTS):
        if abs(there) < CLOSE:
            yield _instead(miss, "flops", math.exp(x), "")
            return
        before, x, at_before = x, x - there * (x - before) / (there - at_before), there
        there = spread(x)


WAYS: dict[str, Callable[[Miss], Iterator[str]]] = {
    **dict.fromkeys(("flops", "gpu_hours", "days", "dollars", "energy_mwh"), _compute),
    **dict.fromkeys(("params", "tokens"), _size),
    **dict.fromkeys(("excess_loss", "waste"), _excess),
    **dict.fromkeys(("lifetime_flops", "lifetime_dollars"), _lifetime),
    "loss": _loss,
    "tokens_per_param": _ratio,
    "epochs": _epochs,
    "memory_bytes": _memory,
    "extrapolation": _extrapolation,
    "disagreement": _disagreement,
}


def _instead(miss: Miss, name: str, new: float, where: str) -> str:
    old = miss.number(name)
    noun = "FLOPs" if name == "flops" else name
    return f"{_shown(away(new, old), name)} {noun} instead of {_shown(old, name)} {where}".rstrip()


def away(new: float, old: float) -> float:
    """Return a new amount rounded to the digits that messages show, away from the old one.

    >>> away(70.06e9, 90e9), away(70.01e9, 50e9)
    (70000000000.0, 70100000000.0)
    """
    power = math.floor(math.log10(new)) - DIGITS + 1
    scaled = new / 10.0**power
    digits = math.floor(scaled * (1.0 + SAME)) if new < old else math.ceil(scaled * (1.0 - SAME))
    return float(f"{digits}e{power}")


def _shown(value: float, name: str) -> str:
    return format_quantity(value, name)
