"""Text such as `E + A / N**alpha` to a checked tree to a function. The only parser of formulas.

The text is parsed once against a whitelist of syntax and becomes a tree of tuples; the tree becomes a chain of
closures. Nothing is ever handed to Python as code. A tree is `("num", x)`, `("name", n)`, `(operator, left, right)`,
`("neg", a)` or `(function, argument, ...)`.
"""

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeVar

from scaling_cli.core.duals import FUNCTIONS, Value, power, power_above_one
from scaling_cli.core.quantities import PF_DAY

Node = tuple[Any, ...]
Function = Callable[[Mapping[str, Value]], Value]
_Answer = TypeVar("_Answer")

MAX_CHARACTERS = 1000
MAX_NESTING = 100
MAX_BRACKETS = 30
CONSTANTS = {"PF": PF_DAY, "pi": math.pi}

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_REFUSED = {
    ast.BitXor: "'^'", ast.Compare: "a comparison", ast.IfExp: "a conditional",
    ast.List: "a list", ast.ListComp: "a loop", ast.GeneratorExp: "a loop", ast.Attribute: "an attribute ('.')",
    ast.Subscript: "an index ('[ ]')", ast.JoinedStr: "an f-string", ast.Lambda: "a lambda", ast.BoolOp: "and, or",
    ast.Tuple: "a tuple", ast.Dict: "a dictionary", ast.FloorDiv: "'//'", ast.Mod: "'%'",
}  # fmt: skip
_INSTEAD: dict[type[ast.AST], str] = {ast.BitXor: "; write ** for a power"}


class FormulaError(ValueError):
    """A formula that cannot be accepted; the message says why."""


class Formula:
    """A parsed formula: its text, its tree and the names it uses, in order of appearance."""

    __slots__ = ("names", "text", "tree")

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.tree = parse(text)
        self.names = tuple(dict.fromkeys(names_in(self.tree)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.tree == other.tree and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"


def parse(text: str) -> Node:
    """Return the tree of a formula.

    Raises: FormulaError for anything outside the whitelist, within milliseconds whatever the text.
    """
    return convert(read_syntax(text, "E + A / N**alpha"))


def read_syntax(text: str, example: str) -> ast.expr:
    """Return Python's syntax tree of an expression, which is nothing yet that may be trusted.

    Raises: FormulaError for what is too long, too deep or no expression; the message ends in the example.
    """
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(f"is longer than {MAX_CHARACTERS} characters")
    _check_nesting(text)
    try:
        with warnings.catch_warnings():  # the tokenizer warns of odd literals on stderr
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"cannot parse {shorten(text)!r}: expected such as {example}") from error


def shorten(text: str) -> str:
    """Return text cut to 60 characters for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def _check_nesting(text: str) -> None:
    depth = run = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        run = run + 1 if character in "+-~" else run if character.isspace() else 0
        if depth > MAX_BRACKETS or run > MAX_BRACKETS:
            raise FormulaError(f"is nested deeper than {MAX_BRACKETS} levels")


def convert(node: ast.AST, depth: int = 0) -> Node:
    """Return the tree of a piece of syntax that stands `depth` levels deep.

    Raises: FormulaError for anything but numbers, names, arithmetic and the known functions.
    """
    check_depth(depth)
    match node:
        case ast.Constant(value=value):
            return ("num", _number(value))
        case ast.Name(id=name):
            return ("name", name)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return fold((_OPERATORS[type(operator)], convert(left, depth + 1), convert(right, depth + 1)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return fold(("neg", convert(operand, depth + 1)))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return convert(operand, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _convert_call(name, args, depth)
        case ast.Call():
            raise FormulaError(f"only {' '.join(FUNCTIONS)} can be called in a formula")
    refused = type(node.op) if isinstance(node, ast.BinOp) else type(node)
    problem = f"{_REFUSED.get(refused, refused.__name__.lower())} is not allowed in a formula"
    raise FormulaError(problem + _INSTEAD.get(refused, ""))


def check_depth(depth: int) -> None:
    """Refuse a piece of syntax that stands too deep."""
    if depth > MAX_NESTING:
        raise FormulaError(f"is nested deeper than {MAX_NESTING} levels")


def _convert_call(name: str, args: list[ast.expr], depth: int) -> Node:
    several = name in ("min", "max")
    if len(args) < 2 if several else len(args) != 1:
        raise FormulaError(f"{name} takes {'two or more values' if several else 'one value'}, not {len(args)}")
    return fold((name, *(convert(argument, depth + 1) for argument in args)))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormulaError(f"only numbers and names are values in a formula, not {value!r:.20}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise FormulaError(f"{str(value)[:20]} overflows a double")
    return number


def names_in(tree: Node) -> list[str]:
    """Return every name a tree uses, in order of appearance, repeats included."""
    if tree[0] == "name":
        return [tree[1]]
    if tree[0] == "num":
        return []
    return [name for branch in tree[1:] for name in names_in(branch)]


def fold(tree: Node) -> Node:
    """Return the tree with a constant in place of an operation on constants.

    Raises: FormulaError when that constant does not exist (1/0, log(0), 9**9**9).
    """
    if tree[0] in ("num", "name") or any(branch[0] != "num" for branch in tree[1:]):
        return tree
    try:
        value = compile_tree(tree)({})
    except ZeroDivisionError as error:
        raise FormulaError("has a division by zero") from error
    except OverflowError as error:
        raise FormulaError("overflows a double") from error
    except ValueError as error:
        problem = "is not a finite number" if tree[0] == "**" else f"leaves the domain of {tree[0]}"
        raise FormulaError(f"{tree[0]} of {', '.join(f'{b[1]:g}' for b in tree[1:])} {problem}") from error
    if not math.isfinite(value):
        raise FormulaError("overflows a double")
    return ("num", value)


def substitute(tree: Node, trees: Mapping[str, Node]) -> Node:
    """Return the tree with each name replaced by its tree, folded.

    Raises: FormulaError when a constant part does not exist (1/0, log(0)).
    """
    if tree[0] == "num":
        return tree
    if tree[0] == "name":
        return trees[tree[1]]
    return fold((tree[0], *(substitute(branch, trees) for branch in tree[1:])))


def compile_tree(tree: Node) -> Function:
    """Return the tree as a function of a mapping of names to floats, arrays or duals."""
    kind = tree[0]
    if kind == "num":
        constant = tree[1]
        return lambda values: constant
    if kind == "name":
        return itemgetter(tree[1])
    if kind == "**" and (inside := _power_in_sum(tree[1])):
        base, exponent, outer = (compile_tree(branch) for branch in (*inside, tree[2]))
        return lambda values: power_above_one(base(values), exponent(values), outer(values))
    branches = [compile_tree(branch) for branch in tree[1:]]
    if kind in _ARITHMETIC:
        return _ARITHMETIC[kind](*branches)
    function = FUNCTIONS[kind]
    if len(branches) == 1:
        (argument,) = branches
        return lambda values: function(argument(values))
    return lambda values: function(*(branch(values) for branch in branches))


def _power_in_sum(tree: Node) -> tuple[Node, Node] | None:
    """Return base and exponent of 1 + base**exponent, in either order."""
    one: Node = ("num", 1.0)
    if tree[0] != "+" or one not in tree[1:]:
        return None
    other = tree[2] if tree[1] == one else tree[1]
    return other[1:] if other[0] == "**" else None


def evaluate(function: Callable[[Mapping[str, Any]], _Answer], values: Mapping[str, Any]) -> _Answer:
    """Return what a compiled formula or condition makes of plain numbers.

    Raises: FormulaError where it has no value there: 1/0, log(0), beyond a double.
    """
    try:
        return function(values)
    except ZeroDivisionError as error:
        raise FormulaError("has a division by zero") from error
    except OverflowError as error:
        raise FormulaError("overflows a double") from error
    except ValueError as error:
        raise FormulaError("leaves the domain of a function or a power") from error


_ARITHMETIC: dict[str, Callable[..., Function]] = {
    "+": lambda left, right: lambda values: left(values) + right(values),
    "-": lambda left, right: lambda values: left(values) - right(values),
    "*": lambda left, right: lambda values: left(values) * right(values),
    "/": lambda left, right: lambda values: left(values) / right(values),
    "**": lambda left, right: lambda values: power(left(values), right(values)),
    "neg": lambda argument: lambda values: -argument(values),
}
