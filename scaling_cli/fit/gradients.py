"""A formula and its partial derivatives by every coefficient at once, element-wise over runs and over a batch of fits.

Reverse differentiation over the formula's tree with repeated parts computed once: the cost of all partial derivatives
is a small multiple of the formula's own, however many coefficients there are. Values may be duals, which gives exact
second derivatives.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scaling_cli.core.duals import FUNCTIONS, Dual, Value, cos, exp, log, sin, softplus
from scaling_cli.core.formulas import Node

Array = Any
ONE = 1.0  # a partial derivative that needs no multiplication, known by identity


class Tape:
    """A tree laid out as steps, each distinct part once.

    Args:
        tree: the formula.
        wanted: the names by which derivatives are taken.
    """

    def __init__(self, tree: Node, wanted: Sequence[str]) -> None:
        self.wanted = tuple(wanted)
        self.numbers: list[Value] = []  # of every step: its number, or None
        self.names: dict[str, int] = {}
        self.steps: list[tuple[int, str, tuple[int, ...]]] = []
        self._places: dict[Node, int] = {}
        self._active: list[bool] = []
        self._lay(tree)
        self._forward = [(place, _VALUES[kind], places) for place, kind, places in self.steps]
        self._backward = [
            (place, _PARTIALS[kind], [self._active[p] for p in places], places)
            for place, kind, places in reversed(self.steps)
            if self._active[place]
        ]

    def _lay(self, tree: Node) -> int:
        if tree in self._places:
            return self._places[tree]
        leaf = tree[0] in ("num", "name")
        places = () if leaf else tuple(self._lay(branch) for branch in tree[1:])
        place = self._places[tree] = len(self.numbers)
        self.numbers.append(tree[1] if tree[0] == "num" else None)
        self._active.append(tree[1] in self.wanted if leaf else any(self._active[p] for p in places))
        if tree[0] == "name":
            self.names[tree[1]] = place
        elif not leaf:
            self.steps.append((place, tree[0], places))
        return place

    def values(self, given: Mapping[str, Value]) -> list[Value]:
        """Return the value of every step; the last is the formula's."""
        found = self.numbers.copy()
        for name, place in self.names.items():
            found[place] = given[name]
        with np.errstate(over="ignore"):  # of a part, such as a sharp break's power: the whole may still be finite
            for place, function, places in self._forward:
                found[place] = function(*[found[p] for p in places])
        return found

    def gradient(self, given: Mapping[str, Value]) -> tuple[Value, list[Value]]:
        """Return the formula's value and its partial derivatives by the wanted names, in their order.

        Args:
            given: data columns as (n,), coefficients as (batch, 1), or duals of these.

        Returns: (batch, n) and a list of arrays that broadcast to (batch, n).
        """
        values = self.values(given)
        adjoints: list[Value] = [None] * len(values)
        adjoints[-1] = ONE
        for place, partials, wants, places in self._backward:
            adjoint = adjoints[place]
            if adjoint is None:
                continue
            parts = partials(wants, values[place], *[values[p] for p in places])
            for p, part in zip(places, parts, strict=True):
                if part is not None:
                    share = adjoint if part is ONE else part if adjoint is ONE else adjoint * part
                    adjoints[p] = share if adjoints[p] is None else adjoints[p] + share
        found = [adjoints[self.names[name]] if name in self.names else None for name in self.wanted]
        return values[-1], [0.0 if adjoint is None else adjoint for adjoint in found]


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, float) and base <= 0.0:
        base = np.float64(base)
    return FUNCTIONS["exp"](exponent * log(base)) if isinstance(exponent, Dual) else _plain_power(base, exponent)


def _plain_power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Dual):
        result = base.value**exponent
        return Dual(result, exponent * base.value ** (exponent - 1.0) * base.slope)
    return base**exponent


def _expm1(a: Value) -> Value:
    """Return exp(a) - 1 without the loss of digits near zero; formulas are rewritten to it."""
    return Dual(np.expm1(a.value), exp(a.value) * a.slope) if isinstance(a, Dual) else np.expm1(a)


_VALUES: dict[str, Callable[..., Value]] = {
    **FUNCTIONS,
    "expm1": _expm1,
    "softplus": softplus,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": _power,
    "neg": lambda a: -a,
}


def _power_partials(wants: list[bool], result: Value, base: Value, exponent: Value) -> tuple[Value, Value]:
    by_base = exponent * _power(base, exponent - 1.0) if wants[0] else None
    return by_base, result * log(base) if wants[1] else None


def _choice(wants: list[bool], result: Value, *values: Value) -> tuple[Value, ...]:
    """Return which value was taken, of equal ones the first: 1 there and 0 elsewhere."""
    taken = result.value if isinstance(result, Dual) else result
    parts: list[Value] = []
    left: Value = 1.0
    for value, wanted in zip(values, wants, strict=True):
        mine = ((value.value if isinstance(value, Dual) else value) == taken) * left
        parts.append(mine if wanted else None)
        left = left - mine
    return tuple(parts)


def _one(partial: Callable[[Value, Value], Value]) -> Callable[..., tuple[Value]]:
    return lambda wants, result, a: (partial(a, result),)


_PARTIALS: dict[str, Callable[..., tuple[Value, ...]]] = {
    "+": lambda wants, result, a, b: (ONE if wants[0] else None, ONE if wants[1] else None),
    "-": lambda wants, result, a, b: (ONE if wants[0] else None, -1.0 if wants[1] else None),
    "*": lambda wants, result, a, b: (b if wants[0] else None, a if wants[1] else None),
    "/": lambda wants, result, a, b: (1.0 / b if wants[0] else None, -result / b if wants[1] else None),
    "**": _power_partials,
    "neg": _one(lambda a, result: -1.0),
    "exp": _one(lambda a, result: result),
    "expm1": _one(lambda a, result: exp(a)),
    "softplus": _one(lambda a, result: exp(a - result)),
    "log": _one(lambda a, result: 1.0 / a),
    "log10": _one(lambda a, result: 1.0 / (a * np.log(10.0))),
    "sqrt": _one(lambda a, result: 0.5 / result),
    "sin": _one(lambda a, result: cos(a)),
    "cos": _one(lambda a, result: -sin(a)),
    "atan": _one(lambda a, result: 1.0 / (1.0 + a * a)),
    "min": _choice,
    "max": _choice,
}
