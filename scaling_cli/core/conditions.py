"""Text such as `flops < 1e21 and subset == 'hot'` to a test of one row. The formula language, and what it compares.

A condition compares formulas (`< <= > >= == !=`, chains too) or a column with a quoted text (`== !=`), and joins such
comparisons with `and`, `or` and `not`. Whether a name is a number or a text follows from what it is compared with.
Numbers may end in K, M, B or T (mn, bn, tn), as cells may: `params < 400M`.
A missing number (NaN) is neither above, below nor equal to anything.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scaling_cli.core.formulas import (
    CONSTANTS,
    MAX_CHARACTERS,
    FormulaError,
    Node,
    check_depth,
    compile_tree,
    convert,
    evaluate,
    names_in,
    read_syntax,
    substitute,
)
from scaling_cli.core.quantities import SUFFIXES

Row = Mapping[str, float | str]
Test = Callable[[Row], bool]

EXAMPLE = "flops < 1e21 and subset == 'hot'"

# a quoted text, which stays as it is, or a number with a suffix, which is no syntax of formulas
_HUMAN = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|"""
    r"(?<![\w.])(?P<mantissa>\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e(?P<exponent>[+-]?\d+))? ?(?P<suffix>k|[mbt]n?)\b",
    re.IGNORECASE | re.ASCII,
)
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_REFUSED: dict[type[ast.cmpop], str] = {ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Condition:
    """A parsed condition: its text, the `names` it reads as numbers and the `labels` it reads as text.

    Args:
        text: such as "flops < 1e21 and subset == 'hot'".

    Raises: FormulaError for anything outside the language.

    >>> Condition("1e9 <= params < 1e10").holds({"params": 7e9})
    True
    """

    __slots__ = ("_test", "labels", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        tree = _clause(read_syntax(_without_suffixes(text), EXAMPLE), 0)
        used = list(_names(tree))
        self.names = tuple(dict.fromkeys(name for kind, name in used if kind == "number"))
        self.labels = tuple(dict.fromkeys(name for kind, name in used if kind == "label"))
        for name in self.names:
            if name in self.labels:
                raise FormulaError(f"compares {name} with a text and uses it as a number")
        self._test = _compile(tree)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def holds(self, row: Row) -> bool:
        """Return whether a row satisfies the condition.

        Args:
            row: a float for each of `names`, a text for each of `labels`.

        Raises: FormulaError where a formula has no value for this row: 1/0, log(0).
        """
        return evaluate(self._test, row)


def _without_suffixes(text: str) -> str:
    """Return a condition with 400e6 where it has 400M; one that is too long to be read as it is."""
    return text if len(text) > MAX_CHARACTERS else _HUMAN.sub(_in_digits, text)


def _in_digits(found: re.Match[str]) -> str:
    """Return a number with a suffix as Python writes it: 400M as 400e6; a quoted text as it is."""
    if not found["suffix"]:
        return found[0]
    return f"{found['mantissa']}e{int(found['exponent'] or 0) + SUFFIXES[found['suffix'].lower()]}"


def _clause(node: ast.expr, depth: int) -> Node:
    check_depth(depth)
    match node:
        case ast.BoolOp(op=joined, values=values):
            return ("and" if isinstance(joined, ast.And) else "or", *(_clause(value, depth + 1) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ("not", _clause(operand, depth + 1))
        case ast.Compare(left=left, ops=comparisons, comparators=others):
            pairs = zip([left, *others], comparisons, others, strict=False)
            return ("and", *(_comparison(first, how, second, depth=depth + 1) for first, how, second in pairs))
    _formula(node, depth)
    raise FormulaError("has a value where a comparison is expected, such as flops < 1e21")


def _comparison(left: ast.expr, how: ast.cmpop, right: ast.expr, *, depth: int) -> Node:
    if type(how) in _REFUSED:
        raise FormulaError(f"'{_REFUSED[type(how)]}' is not allowed in a condition; write == and or")
    symbol = _COMPARISONS[type(how)]
    if not (_is_text(left) or _is_text(right)):
        return (symbol, _formula(left, depth), _formula(right, depth))
    column, text = (right, left) if _is_text(left) else (left, right)
    if symbol not in ("==", "!="):
        raise FormulaError(f"{symbol} does not compare with a text: expected == or !=")
    if not (isinstance(column, ast.Name) and isinstance(text, ast.Constant)):
        raise FormulaError("only a column is compared with a text, such as subset == 'hot'")
    return (symbol, ("label", column.id), ("text", text.value))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _formula(node: ast.expr, depth: int) -> Node:
    tree = convert(node, depth)
    known = {name: ("num", value) for name, value in CONSTANTS.items()}
    return substitute(tree, {name: known.get(name, ("name", name)) for name in names_in(tree)})


def _names(tree: Node) -> Iterator[tuple[str, str]]:
    if tree[0] in ("and", "or", "not"):
        for clause in tree[1:]:
            yield from _names(clause)
    elif tree[1][0] == "label":
        yield ("label", tree[1][1])
    else:
        yield from (("number", name) for side in tree[1:] for name in names_in(side))


def _compile(tree: Node) -> Test:
    if tree[0] in ("and", "or"):
        every = all if tree[0] == "and" else any
        tests = [_compile(clause) for clause in tree[1:]]
        return tests[0] if len(tests) == 1 else lambda row: every(test(row) for test in tests)
    if tree[0] == "not":
        test = _compile(tree[1])
        return lambda row: not test(row)
    compare, left, right = _OPERATORS[tree[0]], tree[1], tree[2]
    if left[0] == "label":
        name, text = left[1], right[1]
        return lambda row: compare(row[name], text)
    first, second = compile_tree(left), compile_tree(right)
    return lambda row: compare(first(row), second(row))
