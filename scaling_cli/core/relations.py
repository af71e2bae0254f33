"""One relation of a law as a function of N, D, C and L: every other name resolved and folded into constants."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from scaling_cli.core import duals
from scaling_cli.core.formulas import CONSTANTS, Formula, FormulaError, Function, Node, compile_tree, substitute
from scaling_cli.core.laws import QUANTITIES, Law, Minimum, Relation
from scaling_cli.core.search import find_minimum
from scaling_cli.errors import InputError, NoAnswer

Settings = Mapping[str, float]


class Bound:
    """A relation with its coefficients and variables filled in. Call it with the quantities in `inputs`.

    Accepts floats, arrays and duals. On floats it raises ArithmeticError or ValueError where the formula has no value.
    """

    __slots__ = ("function", "inputs", "steps", "tree")

    def __init__(self, tree: Node, steps: dict[str, tuple[Node | None, Function]], inputs: frozenset[str]) -> None:
        self.tree = tree
        self.steps = steps
        self.inputs = inputs
        self.function = compile_tree(tree)

    def __call__(self, **quantities: duals.Value) -> duals.Value:
        """Return the relation's value at the quantities."""
        values: dict[str, Any] = quantities
        for name, (_, function) in self.steps.items():
            values[name] = function(values)
        return self.function(values)

    @property
    def sub_formulas(self) -> dict[str, Node | None]:
        """The trees of its steps by name; None for a search."""
        return {name: tree for name, (tree, _) in self.steps.items()}


def bind(law: Law, name: str, settings: Settings) -> Bound:
    """Return a relation of the law as a function.

    Args:
        law: the law.
        name: the relation.
        settings: values of declared variables, which replace their defaults.

    Raises: InputError when a variable without default is not set; NoAnswer when a constant was never published or a
        constant part of the formula has no value.
    """
    return _Binder(law, settings, frozenset()).bind(law.relations[name])


class _Binder:
    """Resolves the names of one relation; `free` are names that a minimum searches over."""

    def __init__(self, law: Law, settings: Settings, free: frozenset[str]) -> None:
        self.law = law
        self.settings = settings
        self.free = free
        self.steps: dict[str, tuple[Node | None, Function]] = {}
        self.inputs: set[str] = set()
        self.resolved: dict[str, Node | None] = {}

    def bind(self, relation: Relation) -> Bound:
        """Return the relation with every name resolved."""
        try:
            tree = self.tree_of(relation)
        except RecursionError as error:
            raise InputError(f"{self.law.id}: {relation.name} rests on too long a chain of sub-formulas") from error
        return Bound(tree, self.steps, frozenset(self.inputs))

    def tree_of(self, relation: Relation) -> Node:
        if isinstance(relation.formula, Minimum):
            return self.minimum(relation, relation.formula)
        return self.filled(relation.formula, relation.coefficients, relation.name)

    def filled(self, formula: Formula, local: Mapping[str, float | None], where: str) -> Node:
        trees = {name: self.resolve(name, local) for name in formula.names}
        try:
            return substitute(formula.tree, trees)
        except FormulaError as error:
            raise NoAnswer(f"{self.law.id}: {where} = {formula.text} {error}") from error

    def resolve(self, name: str, local: Mapping[str, float | None]) -> Node:
        law = self.law
        if name in self.free:
            return ("name", name)
        if name in CONSTANTS:
            return ("num", CONSTANTS[name])
        if name in self.settings and name in law.variables:
            return ("num", self.settings[name])
        for constants in (local, law.coefficients):
            if name in constants:
                return self.published(name, constants[name])
        if name in QUANTITIES:
            self.inputs.add(name)
            return ("name", name)
        return self.step(name)

    def published(self, name: str, value: float | None) -> Node:
        if value is None:
            raise NoAnswer(f"{self.law.id} is a form: its source prints no value of {name}", "fit one from your runs")
        return ("num", value)

    def step(self, name: str) -> Node:
        """Resolve a sub-formula, a variable's default or another relation, each computed once."""
        if name in self.resolved:
            known = self.resolved[name]
            if known is None:
                raise InputError(f"{self.law.id}: {name} is defined by itself")
            return known
        self.resolved[name] = None
        tree = self.definition(name)
        if tree[0] not in ("num", "name"):
            self.steps[name] = (tree, compile_tree(tree))
            tree = ("name", name)
        self.resolved[name] = tree
        return tree

    def definition(self, name: str) -> Node:
        if name in self.law.let:
            return self.filled(self.law.let[name], {}, name)
        if name in self.law.relations:
            return self.tree_of(self.law.relations[name])
        variable = self.law.variables[name]
        if variable.default is None:
            meaning = f" ({variable.meaning})" if variable.meaning else ""
            raise InputError(
                f"{self.law.id} needs {name}{meaning}", f"give it, in {variable.unit or 'its unit'}: --set {name}=..."
            )
        if isinstance(variable.default, Formula):
            return self.filled(variable.default, {}, name)
        return ("num", variable.default)

    def minimum(self, relation: Relation, best: Minimum) -> Node:
        """Add a step that searches; the inner formula is bound apart, since it is evaluated many times."""
        inner = _Binder(self.law, self.settings, self.free | {best.variable})
        tree = inner.filled(best.formula, relation.coefficients, relation.name)
        bound = Bound(tree, inner.steps, frozenset(inner.inputs))
        self.inputs |= inner.inputs
        key = f"minimum of {relation.name}"
        self.steps[key] = (None, _searcher(bound, best, f"{self.law.id}: {relation.name}"))
        return ("name", key)


def _searcher(bound: Bound, best: Minimum, where: str) -> Callable[[Mapping[str, duals.Value]], float]:
    low, high = math.log(best.low), math.log(best.high)

    def search(values: Mapping[str, duals.Value]) -> float:
        point = {name: values[name] for name in bound.inputs}
        x = find_minimum(lambda x: bound(**point, **{best.variable: duals.exp(x)}), low, high)
        if x is None:
            raise NoAnswer(f"{where} has no minimum for {best.variable} between {best.low:g} and {best.high:g}")
        return math.exp(x)

    return search
