"""What a law is: relations between quantities, with coefficients, source, range and published figures. No loading."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from scaling_cli.core.formulas import CONSTANTS, Formula

QUANTITIES = {"N": "params", "D": "tokens", "C": "flops", "L": "loss"}
UNITS = {
    "loss": "loss", "params": "params", "tokens": "tokens", "flops": "FLOPs", "learning_rate": "",
    "tokens_per_param": "tokens per param",
}  # fmt: skip

STATUSES = ("primary", "reproduced", "secondary", "fitted", "memory")
KINDS = ("reproduce", "data", "errata")


class Variable(NamedTuple):
    """A quantity beyond N, D, C and L. `default` is None where the user must give it."""

    name: str
    unit: str = ""
    default: float | Formula | None = None
    meaning: str = ""


class Minimum(NamedTuple):
    """The value of `variable` between `low` and `high` at which `formula` is least."""

    formula: Formula
    variable: str
    low: float
    high: float


class Relation(NamedTuple):
    """One formula of a law. A coefficient is None where the source prints the form without the number."""

    name: str
    formula: Formula | Minimum
    coefficients: Mapping[str, float | None] = {}
    digits: Mapping[str, str] = {}
    status: str = ""
    where: str = ""
    valid: Mapping[str, tuple[float, float]] = {}
    uncertainty: Mapping[str, object] = {}
    unit: str = ""
    meaning: str = ""
    gives: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The formula as text."""
        if isinstance(self.formula, Minimum):
            best = self.formula
            return f"the {best.variable} in [{best.low:g}, {best.high:g}] that minimises {best.formula.text}"
        return self.formula.text

    @property
    def names(self) -> tuple[str, ...]:
        """Every name its formula uses."""
        return self.formula.formula.names if isinstance(self.formula, Minimum) else self.formula.names


class Figure(NamedTuple):
    """A published number: `of` at `given` (or at the answer to `plan`) is `expect` within a relative tolerance."""

    of: str
    expect: float
    tolerance: float
    given: Mapping[str, float] = {}
    plan: Mapping[str, float] = {}
    per: Mapping[str, float] = {}
    kind: str = "reproduce"
    where: str = ""
    note: str = ""


class Draws(NamedTuple):
    """Refits of a law: coefficients by name, a set of values in each row.

    Fields:
        names: coefficients of the law, or of the relation that states the draws.
        rows: finite values in the order of `names`; a row is one refit.
        relation: which relation states them.
        level: the share of the rows that an interval holds.
        origin: what a row is, in the plural.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    relation: str = "loss"
    level: float = 0.9
    origin: str = "refits"


class Law(NamedTuple):
    """Relations that belong together, with everything their source says of them."""

    id: str
    relations: Mapping[str, Relation]
    title: str = ""
    aliases: tuple[str, ...] = ()
    source: Mapping[str, object] = {}
    conventions: Mapping[str, str] = {}
    variables: Mapping[str, Variable] = {}
    coefficients: Mapping[str, float | None] = {}
    digits: Mapping[str, str] = {}
    let: Mapping[str, Formula] = {}
    frontier: Mapping[str, str] = {}
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    supersedes: str = ""
    superseded_by: str = ""
    draws: Draws | None = None
    manifest: Mapping[str, str | float] = {}

    @property
    def params_kind(self) -> str:
        """What N counts: total, non_embedding, active, ..."""
        return self.conventions.get("params", "unstated")

    @property
    def domain(self) -> str:
        """What the models are trained on: text, image, ..."""
        return self.conventions.get("domain", "text")

    @property
    def is_form(self) -> bool:
        """Whether it is a form only: constants are named, and none was published."""
        values = [value for _, _, value in self.constants()]
        return bool(values) and all(value is None for value in values)

    def constants(self) -> Iterator[tuple[str | None, str, float | None]]:
        """Yield (relation or None where shared, name, value) of every coefficient."""
        for name, value in self.coefficients.items():
            yield None, name, value
        for relation in self.relations.values():
            for name, value in relation.coefficients.items():
                yield relation.name, name, value

    def with_constant(self, relation: str | None, name: str, value: float) -> "Law":
        """Return the law with one coefficient changed."""
        if relation is None:
            return self._replace(coefficients={**self.coefficients, name: value})
        changed = self.relations[relation]
        changed = changed._replace(coefficients={**changed.coefficients, name: value})
        return self._replace(relations={**self.relations, relation: changed})

    def with_draw(self, i: int) -> "Law":
        """Return the law with the coefficients of one of its draws, counted from 0, and without draws of its own."""
        if self.draws is None:
            return self
        drawn = dict(zip(self.draws.names, self.draws.rows[i], strict=True))
        relation = self.relations[self.draws.relation]
        local = {name: drawn.get(name, value) for name, value in relation.coefficients.items()}
        shared = {name: drawn.get(name, value) for name, value in self.coefficients.items()}
        relations = {**self.relations, relation.name: relation._replace(coefficients=local)}
        return self._replace(coefficients=shared, relations=relations, draws=None)


def names_below(law: Law, roots: Iterable[str]) -> set[str]:
    """Return every name that the roots (relations, sub-formulas, variables) rest on, themselves included."""
    seen: set[str] = set()
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in law.let:
            queue.extend(law.let[name].names)
        elif name in law.relations:
            queue.extend(law.relations[name].names)
        elif name in law.variables and isinstance(default := law.variables[name].default, Formula):
            queue.extend(default.names)
    return seen


def check_names(law: Law) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (path of keys, problem) for each name that is undeclared, declared twice or unused."""
    yield from _check_declarations(law)
    shared = {*QUANTITIES, *CONSTANTS, *law.coefficients, *law.variables, *law.relations}
    used = {r.formula.variable for r in law.relations.values() if isinstance(r.formula, Minimum)}
    earlier: set[str] = set()
    for name, formula in law.let.items():
        yield from _check_formula(("let", name), formula.names, shared | earlier, used)
        earlier.add(name)
    for relation in law.relations.values():
        keys = ("relations", relation.name)
        yield from _check_formula(
            (*keys, "formula"), relation.names, shared | earlier | set(relation.coefficients), used
        )
        for name in relation.coefficients:
            if name not in relation.names:
                yield (*keys, "coefficients", name), f"coefficient {name} is not used by the formula"
    yield from _check_defaults(law, shared | earlier, used)
    for section in ("coefficients", "let", "variables"):
        for name in getattr(law, section):
            if name not in used:
                yield (section, name), f"{name} is not used by any relation"


def _check_formula(
    path: tuple[str, ...], names: tuple[str, ...], known: set[str], used: set[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in names:
        used.add(name)
        if name not in known:
            yield path, f"unknown name {name} in the formula: declare it under coefficients, variables or let"


def _check_defaults(law: Law, known: set[str], used: set[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for variable in law.variables.values():
        if isinstance(variable.default, Formula):
            yield from _check_formula(("variables", variable.name, "default"), variable.default.names, known, used)


def _check_declarations(law: Law) -> Iterator[tuple[tuple[str, ...], str]]:
    taken = {**dict.fromkeys(QUANTITIES, "a quantity"), **dict.fromkeys(CONSTANTS, "a constant")}
    sections: dict[str, Iterable[str]] = {
        "coefficients": law.coefficients, "variables": law.variables, "let": law.let, "relations": law.relations,
    }  # fmt: skip
    for section, names in sections.items():
        for name in names:
            if name in taken:
                yield (section, name), f"{name} is already {taken[name]}"
            taken[name] = f"declared under {section}"
    for relation in law.relations.values():
        for name in relation.coefficients:
            if name in taken:
                yield ("relations", relation.name, "coefficients", name), f"{name} is already {taken[name]}"
