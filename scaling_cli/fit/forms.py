"""What is fitted: a loss form of a preset, or a formula of the user's, with coefficients fixed, tied or free."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.formulas import CONSTANTS, Formula, FormulaError, Node, names_in, substitute
from scaling_cli.core.laws import QUANTITIES, Law, Relation
from scaling_cli.errors import InputError
from scaling_cli.fit.problems import Coefficient

DEFAULT_FORM = "hoffmann-2022-approach-3-rounded"  # E + A / N**alpha + B / D**beta, with everybody's names
DEFAULT_START = 1.0
MOST_NAMES = 2000


class Form(NamedTuple):
    """A form ready to meet data.

    `tree` is the prediction, of data columns and free coefficients; `free` the coefficients to find, `settled` what
    the others are (a number, or a tree of free ones); `law` and `relation` give the fitted law its shape.
    """

    name: str
    tree: Node
    free: tuple[Coefficient, ...]
    settled: Mapping[str, Node]
    law: Law
    relation: str


def preset_form(law: Law, columns: Sequence[str], *, relation: str = "loss") -> Form:
    """Return a preset's loss with all its coefficients free, starting from the published ones and keeping their sign.

    Args:
        law: the preset, or a form without constants.
        columns: what the runs have, by the names that formulas use: N, D, U, ...
        relation: which relation is fitted.

    Raises: InputError when the law has no such relation, or needs a column that the runs lack.
    """
    if relation not in law.relations:
        raise InputError(f"{law.id} has no {relation} to fit", f"its relations: {', '.join(law.relations)}")
    mine = law.relations[relation]
    coefficients = {**mine.coefficients, **law.coefficients}
    tree = _Expander(law, coefficients, columns).relation(mine)
    in_tree = set(names_in(tree))
    used = [name for name in coefficients if name in in_tree]
    starts = [coefficients[name] or DEFAULT_START for name in used]
    free = [Coefficient(name, start, positive=start > 0.0) for name, start in zip(used, starts, strict=True)]
    return Form(law.id, tree, tuple(free), {}, law, relation)


def formula_form(text: str, columns: Sequence[str], *, positive: Sequence[str] | None, target: str) -> Form:
    """Return a formula whose names are data where the runs have them and coefficients otherwise.

    Args:
        text: the formula.
        columns: the names of data.
        positive: coefficients kept positive; None for none, empty for all.
        target: what the formula predicts.

    Raises: InputError when the formula cannot be understood or has no free coefficient.
    """
    try:
        formula = Formula(text)
    except FormulaError as error:
        raise InputError(f"--formula {error}", "expected such as 'E + A / N**alpha + B / D**beta'") from error
    names = [name for name in formula.names if name not in columns and name not in CONSTANTS]
    for name in positive or ():
        if name not in names:
            raise InputError(
                f"--positive names {name}, which is no coefficient", f"the coefficients: {', '.join(names)}"
            )
    kept = set(names if positive is not None and not positive else positive or ())
    tree = substitute(
        formula.tree,
        {name: ("num", CONSTANTS[name]) if name in CONSTANTS else ("name", name) for name in formula.names},
    )
    free = tuple(Coefficient(name, DEFAULT_START, name in kept) for name in names)
    relation = Relation(target, formula, dict.fromkeys(names, None))
    return Form("formula", tree, free, {}, Law("fit", {target: relation}), target)


def settle(form: Form, fixed: Mapping[str, str], starts: Mapping[str, float]) -> Form:
    """Return the form with coefficients fixed (`alpha=0.35`), tied (`alpha=beta`) or started elsewhere.

    Raises: InputError for a name that is no coefficient, a circle, or a start that its sign forbids.
    """
    names = [coefficient.name for coefficient in form.free]
    for option, given in (("--fix", fixed), ("--start", starts)):
        for name in given:
            if name not in names:
                problem = f"{option} names {name}, which is no coefficient"
                raise InputError(problem, f"the coefficients: {', '.join(names)}")
    settled = {
        name: _settled(name, text, [other for other in names if other not in fixed]) for name, text in fixed.items()
    }
    free = [_started(coefficient, starts) for coefficient in form.free if coefficient.name not in settled]
    if not free:
        raise InputError("every coefficient is fixed", "leave one free")
    inside = {name: settled.get(name, ("name", name)) for name in names_in(form.tree)}
    return form._replace(tree=substitute(form.tree, inside), free=tuple(free), settled=settled)


def _settled(name: str, text: str, others: Sequence[str]) -> Node:
    try:
        tree = Formula(text).tree
    except FormulaError as error:
        raise InputError(f"--fix {name} {error}", "expected a number or coefficients: --fix alpha=beta") from error
    for other in names_in(tree):
        if other not in others:
            raise InputError(f"--fix {name}={text} uses {other}", "expected a number or free coefficients")
    return tree


def _started(coefficient: Coefficient, starts: Mapping[str, float]) -> Coefficient:
    start = starts.get(coefficient.name, coefficient.start)
    if coefficient.positive and start <= 0.0:
        raise InputError(f"--start {coefficient.name}={start:g}", "this coefficient is kept positive")
    return coefficient._replace(start=start)


class _Expander:
    """Writes a relation out in data columns and coefficients."""

    def __init__(self, law: Law, coefficients: Mapping[str, float | None], columns: Sequence[str]) -> None:
        self.law = law
        self.coefficients = coefficients
        self.columns = columns
        self.known: dict[str, Node] = {}

    def relation(self, relation: Relation) -> Node:
        if not isinstance(relation.formula, Formula):
            raise InputError(f"{self.law.id}: {relation.name} is itself a minimum and cannot be fitted")
        tree = self.written(relation.formula)
        if len(names_in(tree)) > MOST_NAMES:
            raise InputError(f"{self.law.id}: {relation.name} is too large to fit when written out")
        return tree

    def written(self, formula: Formula) -> Node:
        return substitute(formula.tree, {name: self.name(name) for name in formula.names})

    def name(self, name: str) -> Node:
        if name not in self.known:
            self.known[name] = self.definition(name)
        return self.known[name]

    def definition(self, name: str) -> Node:
        law = self.law
        if name in self.columns or name in self.coefficients:
            return ("name", name)
        if name in CONSTANTS:
            return ("num", CONSTANTS[name])
        if name in law.let:
            return self.written(law.let[name])
        if name in law.relations:
            return self.relation(law.relations[name])
        variable = law.variables.get(name)
        if variable is not None and isinstance(variable.default, Formula):
            return self.written(variable.default)
        if variable is not None and variable.default is not None:
            return ("num", variable.default)
        what = QUANTITIES.get(name) or (variable.meaning if variable else name)
        raise InputError(f"{law.id} needs a column of {name} ({what})", f"name it: --columns {name}=COLUMN")
