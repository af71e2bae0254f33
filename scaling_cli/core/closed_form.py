"""The optimal split without a search, for losses that grow with A/N**alpha + B/D**beta.

Covers every additive law (Hoffmann et al. 2022, eq. 4), Kaplan's L(N, D) (2020, eq. 1.5) and powers of such sums,
with flops any product of powers of N and D.
"""

from typing import NamedTuple

from scaling_cli.core.duals import Value, power
from scaling_cli.core.formulas import Node


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


def power_split(loss: Node, flops: Node) -> PowerSplit | None:
    """Return the split that minimises loss at fixed flops, where it is a power law.

    With flops = k N**p D**q the minimum of A N**-alpha + B D**-beta satisfies
    N**(alpha + p beta/q) = (alpha A q) / (beta B p) * (C/k)**(beta/q).
    """
    terms = _two_terms(loss)
    budget = _monomial(flops)
    if terms is None or budget is None or min(budget) <= 0.0:
        return None
    (big_a, alpha, _), (big_b, _, beta) = terms
    k, p, q = budget
    alpha, beta = -alpha, -beta
    total = alpha + p * beta / q
    exponent = beta / q / total
    prefactor = (alpha * big_a * q / (beta * big_b * p)) ** (1.0 / total) * k**-exponent
    return PowerSplit(prefactor, exponent)


def _two_terms(tree: Node) -> tuple[Monomial, Monomial] | None:
    """Return (A N**-alpha, B D**-beta) if the tree is an increasing function of their sum."""
    terms = [term for term in _summands(tree) if term[0] != "num"]
    if len(terms) == 1 and terms[0][0] == "**" and terms[0][2][0] == "num" and terms[0][2][1] > 0.0:
        return _two_terms(terms[0][1])
    if len(terms) != 2:
        return None
    found = [_monomial(term) for term in terms]
    of_params = next((m for m in found if m and m.coefficient > 0.0 > m.params and m.tokens == 0.0), None)
    of_tokens = next((m for m in found if m and m.coefficient > 0.0 > m.tokens and m.params == 0.0), None)
    return (of_params, of_tokens) if of_params and of_tokens else None


def _summands(tree: Node) -> list[Node]:
    if tree[0] == "+":
        return _summands(tree[1]) + _summands(tree[2])
    return [tree]


def _monomial(tree: Node) -> Monomial | None:
    match tree:
        case ("num", value):
            return Monomial(value, 0.0, 0.0)
        case ("name", "N"):
            return Monomial(1.0, 1.0, 0.0)
        case ("name", "D"):
            return Monomial(1.0, 0.0, 1.0)
        case ("**", base, ("num", exponent)):
            inner = _monomial(base)
            if inner is None or inner.coefficient <= 0.0:
                return None
            return Monomial(inner.coefficient**exponent, inner.params * exponent, inner.tokens * exponent)
        case ("*" | "/" as operator, left, right):
            a, b = _monomial(left), _monomial(right)
            if a is None or b is None or (operator == "/" and b.coefficient == 0.0):
                return None
            sign = 1.0 if operator == "*" else -1.0
            return Monomial(a.coefficient * b.coefficient**sign, a.params + sign * b.params, a.tokens + sign * b.tokens)
    return None
