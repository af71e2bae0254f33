"""The distinct loss forms of the shipped presets that a table of runs has the columns for."""

from collections.abc import Iterator, Sequence

from scaling_cli.core.formulas import Node, names_in
from scaling_cli.core.laws import QUANTITIES, Law, names_below
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import law_ids, load_law
from scaling_cli.fit.forms import DEFAULT_FORM, Form, losses_of, preset_form
from scaling_cli.fitting.requests import data_names

SIZES = {"N", "D", "C"}


def distinct_forms(columns: Sequence[str]) -> list[Form]:
    """Return every loss form once, whatever its coefficients are called, the usual one first.

    Args:
        columns: what the runs have, by the names that formulas use: N, D, C, U, ...
    """
    found: dict[str, Form] = {}
    for law in _shipped():
        mine = [name for name in columns if name in QUANTITIES or name in law.variables]  # x may be a part of another
        for form in _forms_of(law, mine):
            found.setdefault(shape(form.tree, {coefficient.name for coefficient in form.free}), form)
    return list(found.values())


def shipped_variables() -> list[str]:
    """Return the variables beyond N, D, C and L that any of these forms may have."""
    losses = [(law, names_below(law, losses_of(law))) for law in _shipped()]
    return list(dict.fromkeys(name for law, below in losses for name in law.variables if name in below))


def _shipped() -> list[Law]:
    """Return the shipped laws, the usual one first, and those of texts before others."""
    laws = [load_law(name) for name in dict.fromkeys([DEFAULT_FORM, *law_ids()])]
    return sorted(laws, key=lambda law: law.domain != "text")


def _forms_of(law: Law, columns: Sequence[str]) -> Iterator[Form]:
    """Yield the forms of a law's relations that give the loss of a run."""
    for name in losses_of(law):
        try:
            form = preset_form(law, columns, relation=name)
        except InputError:
            continue  # it needs a column that the runs lack
        data = set(data_names(form))
        by_compute = "C" in data and {"N", "D"} <= set(columns)  # a law of the best runs of each budget, not of all
        if form.free and data and data <= set(columns) and not by_compute and not _leans(law, name, columns):
            yield form


def _leans(law: Law, relation: str, columns: Sequence[str]) -> bool:
    """Whether a form of N, D or C has a further variable that the runs lack, so that its default would stand in."""
    missing = [name for name in law.variables if name not in columns]
    data = set(data_names(preset_form(law, [*columns, *missing], relation=relation)))
    return bool(data & SIZES) and bool(data & set(missing))


def shape(tree: Node, coefficients: set[str]) -> str:
    """Return what a formula looks like whatever its coefficients are called and in whatever order its terms stand.

    >>> from scaling_cli.core.formulas import parse
    >>> one = shape(parse("E + A / N**a"), {"E", "A", "a"})
    >>> one == shape(parse("k / N**p + exp(q)"), {"k", "p", "q"})
    True
    """
    plain = _without_exponentials(tree, coefficients)
    numbers: dict[str, str] = {}

    def written(node: Node, known: bool) -> str:
        if node[0] == "num":
            return repr(node[1])
        if node[0] == "name":
            if node[1] not in coefficients:
                return str(node[1])
            return numbers.setdefault(node[1], f"?{len(numbers)}") if known else "?"
        branches = _operands(node) if node[0] in "+*" else list(node[1:])
        if node[0] in "+*":
            branches.sort(key=lambda branch: written(branch, False))
        return f"({node[0]} {' '.join(written(branch, known) for branch in branches)})"

    return written(plain, True)


def _operands(node: Node) -> list[Node]:
    """Return the terms of a sum of sums, or the factors of a product of products."""
    return [part for branch in node[1:] for part in (_operands(branch) if branch[0] == node[0] else [branch])]


def _without_exponentials(tree: Node, coefficients: set[str]) -> Node:
    """Return the tree with exp(c) written as c where a coefficient stands nowhere else."""
    inside = list(_exponents(tree))
    replaced = {name for name in coefficients if 0 < inside.count(name) == names_in(tree).count(name)}

    def plain(node: Node) -> Node:
        if node[0] in ("num", "name"):
            return node
        if node[0] == "exp" and node[1][0] == "name" and node[1][1] in replaced:
            return ("name", node[1][1])
        return (node[0], *map(plain, node[1:]))

    return plain(tree)


def _exponents(tree: Node) -> Iterator[str]:
    if tree[0] == "exp" and tree[1][0] == "name":
        yield tree[1][1]
    elif tree[0] not in ("num", "name"):
        for branch in tree[1:]:
            yield from _exponents(branch)
