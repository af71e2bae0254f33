"""Formulas written another way, for speed: what data alone decide becomes a column; products of powers one exponential.

`A / N**alpha` with a positive A, whose inner value is a, becomes `exp(a + alpha * [-log N])`: one exponential and no
division, with the negative logarithm a column that is computed once. And `1 - exp(u)` becomes `-expm1(u)`, for a small
u is all digits: where only those that rounding leaves count, a fit finds its optimum in them. And
the logarithm of `1 + exp(u)` becomes `softplus(u)`, so that the power of a sharp break does not overflow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_cli.core.formulas import Node, compile_tree, names_in

Array = Any
LARGE = 20.0  # exponent from which powers of ordinary numbers may overflow


class Rewriter:
    """Rewrites trees over one set of data; `parts` are the columns that it made, by name, as trees of data.

    Args:
        data: columns as (n,) arrays; every other name is a coefficient.
    """

    def __init__(self, data: Mapping[str, Array]) -> None:
        self.data = data
        self.parts: dict[str, Node] = {}

    def rewrite(self, tree: Node) -> Node:
        """Return a tree of the same value, of columns, parts and coefficients."""
        if tree[0] in ("num", "name"):
            return tree
        if self._is_data(tree):
            return self._part(tree)
        if tree[0] == "**" and _is_no_small_number(tree[2]) and self._may_take_log(*tree[1:]):
            return ("exp", ("*", self.rewrite(tree[2]), self._log(tree[1])))
        if tree[0] in ("*", "/") and self._is_power(tree) and self._has_log(tree):
            return ("exp", self._log(tree))
        return _stable((tree[0], *(self.rewrite(branch) for branch in tree[1:])))

    def columns(self, data: Mapping[str, Array]) -> dict[str, Array]:
        """Return data with the parts beside them."""
        with np.errstate(all="ignore"):
            return {**data, **{name: compile_tree(tree)(data) for name, tree in self.parts.items()}}

    def _part(self, tree: Node) -> Node:
        name = repr(tree)
        self.parts[name] = tree
        return ("name", name)

    def _is_data(self, tree: Node) -> bool:
        names = set(names_in(tree))
        return bool(names) and names <= self.data.keys()

    def _is_positive(self, tree: Node) -> bool:
        with np.errstate(all="ignore"):
            return bool(np.all(compile_tree(tree)(self.data) > 0.0))

    def _may_take_log(self, base: Node, exponent: Node) -> bool:
        """Return whether the base is above zero, or else must be for the power to have a value."""
        if self._is_data(base) or self._is_data(exponent):  # data may be whole numbers
            return self._has_log(base)
        return bool(base[0] != "num" or base[1] > 0.0)

    def _is_power(self, tree: Node) -> bool:
        """Return whether a factor is an exponential in which data and coefficients meet."""
        if tree[0] in ("*", "/"):
            return self._is_power(tree[1]) or self._is_power(tree[2])
        mixed = bool(self.data.keys() & set(names_in(tree))) and not self._is_data(tree)
        return bool(mixed and (tree[0] == "exp" or (tree[0] == "**" and tree[2][0] != "num")))

    def _has_log(self, tree: Node) -> bool:
        """Return whether the logarithm needs no logarithm of coefficients."""
        if self._is_data(tree):
            return self._is_positive(tree)
        if tree[0] in ("*", "/"):
            return self._has_log(tree[1]) and self._has_log(tree[2])
        if tree[0] == "**":
            return self._has_log(tree[1])
        return bool(tree[0] == "exp" or (tree[0] == "num" and tree[1] > 0.0))

    def _log(self, tree: Node, *, negative: bool = False) -> Node:
        """Return the logarithm of a tree, or its negative."""
        if self._is_data(tree):
            log: Node = ("log", tree)
            return self._part(("neg", log) if negative else log)
        if tree[0] == "num":
            return ("num", float(-np.log(tree[1]) if negative else np.log(tree[1])))
        if tree[0] in ("*", "/") and self._has_log(tree):
            other = negative is not (tree[0] == "/")
            return ("+", self._log(tree[1], negative=negative), self._log(tree[2], negative=other))
        if tree[0] == "**" and self._has_log(tree[1]):
            return ("*", self.rewrite(tree[2]), self._log(tree[1], negative=negative))
        plain = self.rewrite(tree[1]) if tree[0] == "exp" else _stable(("log", self.rewrite(tree)))
        return ("neg", plain) if negative else plain


def _is_no_small_number(exponent: Node) -> bool:
    return bool(exponent[0] != "num" or abs(exponent[1]) > LARGE)


def _stable(tree: Node) -> Node:
    """Return the tree without steps that lose digits or overflow where the whole does not."""
    one: Node = ("num", 1.0)
    if tree[0] == "-" and tree[1] == one and tree[2][0] == "exp":
        return ("neg", ("expm1", tree[2][1]))
    if tree[0] == "-" and tree[1][0] == "exp" and tree[2] == one:
        return ("expm1", tree[1][1])
    if tree[0] == "log" and (inside := _above_one(tree[1])):
        return ("softplus", inside)
    if tree[0] == "**" and tree[2][0] == "num" and (inside := _above_one(tree[1])):
        return ("exp", ("*", tree[2], ("softplus", inside)))
    return tree


def _above_one(tree: Node) -> Node | None:
    """Return u of 1 + exp(u)."""
    if tree[0] == "+" and ("num", 1.0) in tree[1:]:
        other = tree[2] if tree[1] == ("num", 1.0) else tree[1]
        return other[1] if other[0] == "exp" else None
    return None
