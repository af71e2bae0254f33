"""What is fitted: a loss form of a preset, or a formula of the user's, with coefficients fixed, tied or free."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from scaling_cli.core.formulas import CONSTANTS, Formula, FormulaError, Node, names_in, substitute
from scaling_cli.core.laws import QUANTITIES, Law, Relation, Variable, names_below
from scaling_cli.errors import InputError
from scaling_cli.fit.problems import Coefficient
from scaling_cli.fit.starts import DEFAULT_START, linear_names

DEFAULT_FORM = "hoffmann-2022-approach-3-rounded"  # E + A / N**alpha + B / D**beta, with everybody's names
MOST_NAMES = 2000
COLUMN = "a column of the runs"  # what a saved law says of a variable that only the user's formula knows


class Form(NamedTuple):
    """A form ready to meet data.

    `tree` is the prediction, of data columns and free coefficients; `free` the coefficients to find, `settled` what
    the others are (a number, or a tree of free ones); `law` and `relation` give the fitted law its shape, and
    `flops` how it counts training FLOPs: as 6ND where None.
    """

    name: str
    tree: Node
    free: tuple[Coefficient, ...]
    settled: Mapping[str, Node]
    law: Law
    relation: str
    flops: Relation | None = None


def preset_form(law: Law, columns: Sequence[str], *, relation: str = "") -> Form:
    """Return a preset's loss with all its coefficients free, starting from the published ones and keeping their sign.

    A published zero or less keeps none, and neither does the logarithm of a constant, such as ln_E in exp(ln_E).

    Args:
        law: the preset, or a form without constants.
        columns: what the runs have, by the names that formulas use: N, D, U, ...
        relation: which relation is fitted; empty for its loss, under whatever name it has one.

    Raises: InputError when the law has no such relation, or needs a column that the runs lack.
    """
    relation = relation or _only_loss(law)
    if relation not in law.relations:
        raise InputError(f"{law.id} has no {relation} to fit", f"its relations: {', '.join(law.relations)}")
    mine = law.relations[relation]
    coefficients = {**mine.coefficients, **law.coefficients}
    tree = _Expander(law, coefficients, columns).relation(mine)
    in_tree = set(names_in(tree))
    used = [name for name in coefficients if name in in_tree]
    starts = [coefficients[name] or DEFAULT_START for name in used]
    signed = set(used) - _logarithms(tree)
    free = [
        Coefficient(name, start, positive=start > 0.0 and name in signed)
        for name, start in zip(used, starts, strict=True)
    ]
    return Form(law.id if relation == "loss" else f"{law.id} {relation}", tree, tuple(free), {}, law, relation)


def _logarithms(tree: Node) -> set[str]:
    """Return the names that stand nowhere but as terms of an exponential: their sign says nothing of the formula's."""
    inside, everywhere = Counter(_exponents(tree)), Counter(names_in(tree))
    return {name for name, count in inside.items() if count == everywhere[name]}


def _exponents(tree: Node) -> Iterator[str]:
    """Yield the names that are terms of what exp is taken of or a number is raised to, once for each place."""
    if tree[0] in ("num", "name"):
        return
    if tree[0] == "exp" or (tree[0] == "**" and tree[1][0] == "num"):
        yield from (str(term[1]) for term in terms_of(tree[-1]) if term[0] == "name")
    for branch in tree[1:]:
        yield from _exponents(branch)


def terms_of(tree: Node) -> Iterator[Node]:
    """Yield the terms of a sum of sums, whatever their signs."""
    if tree[0] in ("+", "-", "neg"):
        for branch in tree[1:]:
            yield from terms_of(branch)
    else:
        yield tree


def alone(form: Form) -> set[str]:
    """Return the free coefficients in which predictions are linear whatever the others are: no term has two of them."""
    free = {coefficient.name for coefficient in form.free}
    terms = [(term, free & set(names_in(term))) for term in terms_of(form.tree)]
    together = {name for _, names in terms if len(names) > 1 for name in names}
    bent = {name for term, names in terms for name in names if not linear_names(term, (name,))}
    return free - together - bent


def law_and_relation(text: str) -> tuple[str, str]:
    """Return what a form is called in two parts: a law, and which of its relations; empty where it is its loss.

    >>> law_and_relation("kaplan-2020 loss_unlimited_params")
    ('kaplan-2020', 'loss_unlimited_params')
    >>> law_and_relation("my runs/law.yaml")
    ('my runs/law.yaml', '')
    """
    law, _, relation = text.strip().rpartition(" ")
    return (law.strip(), relation) if law and relation.isidentifier() else (text.strip(), "")


def losses_of(law: Law) -> list[str]:
    """Return the relations of a law that give a loss: of runs, or of the best runs of each budget."""
    names = ("loss", "optimal_loss")
    return [name for name, relation in law.relations.items() if name in names or relation.gives == "loss"]


def _only_loss(law: Law) -> str:
    """Return the name of a law's loss: of any run, or else of the best of each budget, where it has one."""
    losses = losses_of(law)
    of_all = [name for name in losses if name != "optimal_loss"] or losses
    if "loss" in losses or len(of_all) == 1:
        return "loss" if "loss" in losses else of_all[0]
    if not losses:
        raise InputError(f"{law.id} has no loss to fit", f"its relations: {', '.join(law.relations)}")
    several = " or ".join(f"--form '{law.id} {name}'" for name in losses)
    raise InputError(f"{law.id} has {len(of_all)} losses to fit", f"name one: {several}")


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
        formula = _in_letters(Formula(text), columns)
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
    known = {*names, *QUANTITIES, *CONSTANTS}
    others = {name: Variable(name, meaning=COLUMN) for name in formula.names if name not in known}
    return Form("formula", tree, free, {}, Law("fit", {target: relation}, variables=others), target)


def _in_letters(formula: Formula, columns: Sequence[str]) -> Formula:
    """Return the formula with N, D, C and L where it has the words that mean them: laws are written in letters."""
    words = {word: letter for letter, word in QUANTITIES.items() if word in columns and letter in columns}
    return Formula(re.sub(r"[^\W\d]\w*", lambda found: words.get(found[0], found[0]), formula.text))


def settle(form: Form, fixed: Mapping[str, str], starts: Mapping[str, float]) -> Form:
    """Return the form with coefficients fixed (`alpha=0.35`), tied (`alpha=beta`) or started elsewhere.

    Raises: InputError for a name that is no coefficient, a circle, or a start that its sign forbids.
    """
    names = [coefficient.name for coefficient in form.free]
    for option, given in (("--fix", fixed), ("--start", starts)):
        for name in given:
            if name not in names:
                problem = f"{option} names {name}, which is no coefficient"
                close = [f"did you mean {near}?" for near in get_close_matches(name, names, n=1)]
                raise InputError(problem, *close, f"the coefficients: {', '.join(names)}")
    settled = {
        name: _settled(name, text, [other for other in names if other not in fixed]) for name, text in fixed.items()
    }
    free = [_started(coefficient, starts) for coefficient in form.free if coefficient.name not in settled]
    if not free:
        raise InputError("every coefficient is fixed", "leave one free")
    inside = {name: settled.get(name, ("name", name)) for name in names_in(form.tree)}
    return form._replace(tree=substitute(form.tree, inside), free=tuple(free), settled=settled)


def _settled(name: str, text: str, others: Sequence[str]) -> Node:
    if not text.strip():
        raise InputError(f"--fix {name} has no value", "expected a number or coefficients: --fix alpha=beta")
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


def opposed(form: Form) -> list[str]:
    """Return the coefficients fixed below zero that the law keeps above."""
    below = [name for name, tree in form.settled.items() if tree[0] == "num" and tree[1] < 0.0]
    published = {**form.law.relations[form.relation].coefficients, **form.law.coefficients}
    if not any(published.get(name) for name in below):
        return []  # a formula of the user's says nothing of signs
    kept = preset_form(form.law, [*QUANTITIES, *form.law.variables], relation=form.relation).free
    return [coefficient.name for coefficient in kept if coefficient.positive and coefficient.name in below]


def defaults_behind(form: Form, names: Sequence[str]) -> list[Variable]:
    """Return the variables that runs could have, stand at their defaults, and meet the named coefficients in a term."""
    below = names_below(form.law, [form.relation])
    used = set(names_in(form.tree))
    found = []
    for variable in form.law.variables.values():
        if variable.name in below - used and variable.default is not None:
            tree = preset_form(form.law, [*QUANTITIES, *used, variable.name], relation=form.relation).tree
            if set(names) & _in_terms_of(tree, variable.name):
                found.append(variable)
    return found


def written_default(variable: Variable) -> str:
    """Return the default of a variable as text."""
    default = variable.default
    return f"{default:g}" if isinstance(default, float | int) else "" if default is None else default.text


def _in_terms_of(tree: Node, name: str) -> set[str]:
    """Return every name in the terms of a sum that have this one."""
    found = (set(names_in(term)) for term in terms_of(tree))
    return set().union(*(names for names in found if name in names))


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
