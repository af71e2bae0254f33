"""The optimal split without a search, for losses that grow with A/N**alpha + B/D**beta.

Covers every additive law (Hoffmann et al. 2022, eq. 4), Kaplan's L(N, D) (2020, eq. 1.5) and powers of such sums,
with flops any product of powers of N and D.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from scaling_cli.core.duals import Value, power
from scaling_cli.core.formulas import Node

MOST_TERMS = 8
Steps = Mapping[str, Node | None]  # sub-formulas by name; None where one is a search
NO_STEPS: Steps = {}


class Monomial(NamedTuple):
    """coefficient * N**params * D**tokens."""

    coefficient: float
    params: float
    tokens: float


class PowerSplit(NamedTuple):
    """The optimal params as prefactor * C**exponent."""

    prefactor: float
    exponent: float

    def params(self, flops: Value) -> Value:
        """Return the optimal params for a budget."""
        return self.prefactor * power(flops, self.exponent)


def power_split(
    loss: Node, flops: Node, loss_steps: Steps = NO_STEPS, flops_steps: Steps = NO_STEPS
) -> PowerSplit | None:
    """Return the split that minimises loss at fixed flops, where it is a power law.

    With flops = k N**p D**q the minimum of A N**-alpha + B D**-beta satisfies
    N**(alpha + p beta/q) = (alpha A q) / (beta B p) * (C/k)**(beta/q).

    Args:
        loss: the tree of the loss, of N, D and named sub-formulas.
        flops: the tree of the FLOPs, of the same.
        loss_steps: the sub-formulas of loss.
        flops_steps: the sub-formulas of flops.
    """
    try:
        terms = _Reader(loss_steps).two_terms(loss)
        budget = _Reader(flops_steps).monomial(flops)
        split = _solve(*terms, budget) if terms and budget else None
    except (ArithmeticError, ValueError, RecursionError):
        return None  # constants beyond a double: left to the search
    usable = split is not None and 0.0 < split.prefactor < math.inf and 0.0 < split.exponent < math.inf
    return split if usable else None


def _solve(of_params: Monomial, of_tokens: Monomial, budget: Monomial) -> PowerSplit | None:
    k, p, q = budget
    if min(budget) <= 0.0:
        return None
    alpha, beta = -of_params.params, -of_tokens.tokens
    total = alpha + p * beta / q
    exponent = beta / q / total
    ratio = (alpha * of_params.coefficient * q) / (beta * of_tokens.coefficient * p)
    return PowerSplit(float(ratio ** (1.0 / total) * k**-exponent), exponent)


class _Reader:
    """Reads a tree as sums and products of powers; each named sub-formula once, however often it is used."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.known: dict[str, Monomial | None] = {}

    def two_terms(self, tree: Node) -> tuple[Monomial, Monomial] | None:
        """Return (A N**-alpha, B D**-beta) if the tree is an increasing function of their sum."""
        summands = self.summands(tree, MOST_TERMS)
        terms = [term for term in summands or [] if term[0] != "num"]
        if len(terms) == 1 and terms[0][0] == "**" and terms[0][2][0] == "num" and terms[0][2][1] > 0.0:
            return self.two_terms(terms[0][1])
        if len(terms) != 2:
            return None
        found = [self.monomial(term) for term in terms]
        of_params = next((m for m in found if m and m.coefficient > 0.0 > m.params and m.tokens == 0.0), None)
        of_tokens = next((m for m in found if m and m.coefficient > 0.0 > m.tokens and m.params == 0.0), None)
        return (of_params, of_tokens) if of_params and of_tokens else None

    def summands(self, tree: Node, most: int) -> list[Node] | None:
        """Return the terms of a sum, sub-formulas opened; None if there are more than so many."""
        tree = self.opened(tree)
        if tree[0] != "+":
            return [tree]
        left = self.summands(tree[1], most)
        right = self.summands(tree[2], most) if left else None
        both = left + right if left and right else None
        return both if both and len(both) <= most else None

    def opened(self, tree: Node) -> Node:
        """Return what a name stands for."""
        step = self.steps.get(tree[1]) if tree[0] == "name" else None
        return tree if step is None else self.opened(step)

    def monomial(self, tree: Node) -> Monomial | None:
        """Return the tree as coefficient * N**p * D**q, where it is one."""
        match tree:
            case ("num", value):
                return Monomial(value, 0.0, 0.0)
            case ("name", "N"):
                return Monomial(1.0, 1.0, 0.0)
            case ("name", "D"):
                return Monomial(1.0, 0.0, 1.0)
            case ("name", name):
                if name not in self.known:
                    step = self.steps.get(name)
                    self.known[name] = self.monomial(step) if step is not None else None
                return self.known[name]
            case ("**", base, ("num", exponent)):
                inner = self.monomial(base)
                if inner is None or inner.coefficient <= 0.0:
                    return None
                return Monomial(inner.coefficient**exponent, inner.params * exponent, inner.tokens * exponent)
            case ("*" | "/" as operator, left, right):
                return _combined(operator, self.monomial(left), self.monomial(right))
        return None


def _combined(operator: str, a: Monomial | None, b: Monomial | None) -> Monomial | None:
    if a is None or b is None or (operator == "/" and b.coefficient == 0.0):
        return None
    sign = 1.0 if operator == "*" else -1.0
    return Monomial(a.coefficient * b.coefficient**sign, a.params + sign * b.params, a.tokens + sign * b.tokens)
