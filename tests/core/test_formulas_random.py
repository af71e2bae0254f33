"""Random formulas against Python itself, and random text against the parser."""

import math
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scaling_cli.core.duals import FUNCTIONS
from scaling_cli.core.formulas import MAX_CHARACTERS, FormulaError, compile_tree, parse

SCOPE = {
    "exp": math.exp, "log": math.log, "log10": math.log10, "sqrt": math.sqrt, "min": min, "max": max,
    "sin": math.sin, "cos": math.cos, "atan": math.atan,
}  # fmt: skip
# floats, since an integer of ours is one too, and Python would keep it exact
NUMBER = st.sampled_from(["0.0", "1.0", "2.0", "0.5", "3.25", "1e3", "1e-3", "7_0.0"])
LEAF = st.one_of(NUMBER, st.sampled_from(["a", "b", "c"]))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(" ".join)
    unary = st.sampled_from([name for name in FUNCTIONS if name not in ("min", "max")])
    return st.one_of(
        pairs,
        pairs.map("({})".format),
        inner.map("-{}".format),
        st.builds("{}({})".format, unary, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
    )


TEXT = st.recursive(LEAF, _grown, max_leaves=12)
VALUE = st.sampled_from([0.25, 1.0, 3.0, 12.5, -2.0, 1e6])


@settings(max_examples=400, deadline=None)
@given(TEXT, VALUE, VALUE, VALUE)
def test_means_what_python_means(text: str, a: float, b: float, c: float) -> None:
    """The same text handed to Python itself, here alone: precedence, associativity, value to the last bit."""
    assume(len(text) <= MAX_CHARACTERS)
    values = {"a": a, "b": b, "c": c}
    try:
        expected = eval(text, {"__builtins__": {}}, SCOPE | values)
    except (ArithmeticError, ValueError, TypeError):  # TypeError: min of a complex number
        expected = None
    try:
        found = compile_tree(parse(text))(values)
    except FormulaError:
        assert any(digit in text for digit in "0123456789")  # only a constant part is refused before it has values
        return
    except (ArithmeticError, ValueError):
        found = None
    if expected is None or isinstance(expected, complex):
        assert found is None
    elif math.isfinite(expected):
        assert found == expected


PIECES = [
    *("N", "D", "1", "2.5", "1e9", "+", "-", "*", "/", "**", "(", ")", ",", ".", "[", "]", "{", "}", "=", ":", "'"),
    *('"', " ", "\n", "\0", "#", "\\", "exp", "min", "log", "lambda", "if", "else", "not", "in", "for", "await", "~"),
    *("@", "f'"),
]
NEARLY = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), NEARLY, st.text("()-+~*aN1.,", max_size=80)))
@example("\ud800")
@example("0" * 999 + "1")
@example("1_")
@example("é = 1")
def test_any_text_is_read_or_refused(text: str) -> None:
    """A traceback would be our bug; what is read is a tree of the whitelist."""
    try:
        tree = parse(text)
    except FormulaError:
        return
    assert not set(_kinds(tree)) - {"num", "name", "neg", "+", "-", "*", "/", "**", *FUNCTIONS}


def _kinds(tree: tuple[Any, ...]) -> list[str]:
    if tree[0] in ("num", "name"):
        return [tree[0]]
    return [tree[0], *(kind for branch in tree[1:] for kind in _kinds(branch))]
