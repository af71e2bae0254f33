"""A formula and its partial derivatives by every coefficient at once, element-wise over runs and over a batch of fits.

Reverse differentiation over the formula's tree with repeated parts computed once: the cost of all partial derivatives
is a small multiple of the formula's own, however many coefficients there are. Values may be duals, which gives exact
second derivatives.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scaling_cli.core.duals import FUNCTIONS, Dual, Value, cos, log, sin
from scaling_cli.core.formulas import Node, names_in

Array = Any
LOG = "log of "  # prefix of the names under which logarithms of data columns are given


def with_log_columns(tree: Node, columns: Sequence[str]) -> Node:
    """Return the tree with powers of data columns written as exponentials of their logarithms, which are cheaper.

    `N**alpha` becomes `exp(alpha * [log of N])`; the logarithm is a column of its own, computed once.
    """
    if tree[0] in ("num", "name"):
        return tree
    branches = [with_log_columns(branch, columns) for branch in tree[1:]]
    if tree[0] == "**" and branches[0][0] == "name" and branches[0][1] in columns and branches[1][0] != "num":
        return ("exp", ("*", branches[1], ("name", LOG + branches[0][1])))
    return (tree[0], *branches)


class Tape:
    """A tree laid out as steps, each distinct part once.

    Args:
        tree: the formula.
        wanted: the names by which derivatives are taken.
    """

    def __init__(self, tree: Node, wanted: Sequence[str]) -> None:
        self.wanted = tuple(wanted)
        self.steps: list[tuple[str, tuple[Any, ...]]] = []
        self.active: list[bool] = []
        self._places: dict[Node, int] = {}
        self._lay(tree)
        self.needed = tuple(dict.fromkeys(names_in(tree)))

    def _lay(self, tree: Node) -> int:
        if tree in self._places:
            return self._places[tree]
        leaf = tree[0] in ("num", "name")
        arguments: tuple[Any, ...] = tree[1:] if leaf else tuple(self._lay(branch) for branch in tree[1:])
        self.steps.append((tree[0], arguments))
        self.active.append(tree[1] in self.wanted if leaf else any(self.active[place] for place in arguments))
        self._places[tree] = len(self.steps) - 1
        return len(self.steps) - 1

    def values(self, given: Mapping[str, Value]) -> list[Value]:
        """Return the value of every step; the last is the formula's."""
        found: list[Value] = []
        for kind, arguments in self.steps:
            if kind == "num":
                found.append(arguments[0])
            elif kind == "name":
                found.append(given[arguments[0]])
            else:
                found.append(_VALUES[kind](*(found[place] for place in arguments)))
        return found

    def gradient(self, given: Mapping[str, Value]) -> tuple[Value, list[Value]]:
        """Return the formula's value and its partial derivatives by the wanted names, in their order.

        Args:
            given: data columns as (n,), coefficients as (batch, 1), or duals of these.

        Returns: (batch, n) and a list of arrays that broadcast to (batch, n).
        """
        values = self.values(given)
        adjoints: list[Value] = [None] * len(self.steps)
        adjoints[-1] = 1.0
        for i in range(len(self.steps) - 1, -1, -1):
            kind, places = self.steps[i]
            if adjoints[i] is None or not self.active[i] or kind in ("num", "name"):
                continue
            wants = [self.active[place] for place in places]
            for place, part in zip(
                places, _PARTIALS[kind](wants, values[i], *(values[p] for p in places)), strict=True
            ):
                if part is not None:
                    share = part if isinstance(adjoints[i], float) and adjoints[i] == 1.0 else adjoints[i] * part
                    adjoints[place] = share if adjoints[place] is None else adjoints[place] + share
        found = {step[1][0]: adjoints[i] for i, step in enumerate(self.steps) if step[0] == "name"}
        return values[-1], [0.0 if found.get(name) is None else found[name] for name in self.wanted]


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, float) and base <= 0.0:
        base = np.float64(base)
    return FUNCTIONS["exp"](exponent * log(base)) if isinstance(exponent, Dual) else _plain_power(base, exponent)


def _plain_power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Dual):
        result = base.value**exponent
        return Dual(result, exponent * base.value ** (exponent - 1.0) * base.slope)
    return base**exponent


_VALUES: dict[str, Callable[..., Value]] = {
    **FUNCTIONS,
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


def _choice(smallest: bool) -> Callable[..., tuple[Value, ...]]:
    def partials(wants: list[bool], result: Value, *values: Value) -> tuple[Value, ...]:
        plain = [value.value if isinstance(value, Dual) else value for value in values]
        best = plain[0]
        index: Value = 0
        for i, value in enumerate(plain[1:], 1):
            better = value < best if smallest else value > best
            best, index = np.where(better, value, best), np.where(better, i, index)
        return tuple((index == i) * 1.0 if wants[i] else None for i in range(len(values)))

    return partials


def _one(partial: Callable[[Value, Value], Value]) -> Callable[..., tuple[Value]]:
    return lambda wants, result, a: (partial(a, result),)


_PARTIALS: dict[str, Callable[..., tuple[Value, ...]]] = {
    "+": lambda wants, result, a, b: (1.0 if wants[0] else None, 1.0 if wants[1] else None),
    "-": lambda wants, result, a, b: (1.0 if wants[0] else None, -1.0 if wants[1] else None),
    "*": lambda wants, result, a, b: (b if wants[0] else None, a if wants[1] else None),
    "/": lambda wants, result, a, b: (1.0 / b if wants[0] else None, -result / b if wants[1] else None),
    "**": _power_partials,
    "neg": _one(lambda a, result: -1.0),
    "exp": _one(lambda a, result: result),
    "log": _one(lambda a, result: 1.0 / a),
    "log10": _one(lambda a, result: 1.0 / (a * np.log(10.0))),
    "sqrt": _one(lambda a, result: 0.5 / result),
    "sin": _one(lambda a, result: cos(a)),
    "cos": _one(lambda a, result: -sin(a)),
    "atan": _one(lambda a, result: 1.0 / (1.0 + a * a)),
    "min": _choice(smallest=True),
    "max": _choice(smallest=False),
}
