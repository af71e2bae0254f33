"""Formulas: what may be written, what is refused and why, and that a formula means what Python's own text means."""

import math

import numpy as np
import pytest

from scaling_cli.core.duals import FUNCTIONS, Dual
from scaling_cli.core.formulas import (
    CONSTANTS,
    MAX_BRACKETS,
    MAX_CHARACTERS,
    MAX_NESTING,
    Formula,
    FormulaError,
    compile_tree,
    names_in,
    parse,
    substitute,
)


def value(text: str, **values: float) -> float:
    return compile_tree(parse(text))(values)


def refusal(text: str) -> str:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    return str(caught.value)


MEANINGS = {
    "1.69 + 406.4 / N**0.34 + 410.7 / D**0.28": 1.69 + 406.4 / 7e10**0.34 + 410.7 / 1.4e12**0.28,
    "-N**2": -(7e10**2),
    "(-2)**2": 4.0,
    "2**-1": 0.5,
    "2**3**2": 512.0,
    "1 - 2 - 3": -4.0,
    "2 / 4 / 8": 0.0625,
    "+N": 7e10,
    "- -N": 7e10,
    "1_000": 1000.0,
    "0.1e2": 10.0,
    " 2 ": 2.0,
    "(1 +\n 2)": 3.0,
    "1 + 2 # three": 3.0,
    "exp(1)": math.e,
    "log(100)": math.log(100.0),
    "log10(1000)": math.log10(1000.0),
    "sqrt(2)": math.sqrt(2.0),
    "sin(2)": math.sin(2.0),
    "cos(2)": math.cos(2.0),
    "atan(2)": math.atan(2.0),
    "min(3, 1, 2)": 1.0,
    "max(3, 1, 2)": 3.0,
    "max(min(N, D), 1)": 7e10,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_means(text: str) -> None:
    """Written out by hand, so that a shared misreading would show."""
    assert value(text, N=7e10, D=1.4e12) == MEANINGS[text]


def test_every_function_is_tried_above() -> None:
    """A new function needs a meaning."""
    assert {name for text in MEANINGS for name in FUNCTIONS if f"{name}(" in text} == set(FUNCTIONS)


def test_constants() -> None:
    """A PF-day is 1e15 FLOP/s for a day."""
    assert {"PF": 1e15 * 86400, "pi": math.pi} == CONSTANTS


def test_a_formula_knows_its_text_and_names() -> None:
    """Names stand in order of appearance, each once; blanks are evened out."""
    formula = Formula("  E +  A / N**alpha\t+ E ")
    assert formula.text == "E + A / N**alpha + E"
    assert formula.names == ("E", "A", "N", "alpha")
    assert names_in(formula.tree) == ["E", "A", "N", "alpha", "E"]
    assert repr(formula) == "Formula('E + A / N**alpha + E')"


def test_constant_parts_are_folded() -> None:
    """What does not depend on a name is worked out once, at the start."""
    assert parse("2 * (3 + 4)") == ("num", 14.0)
    assert parse("N * (2 + 1)") == ("*", ("name", "N"), ("num", 3.0))
    assert parse("min(2, 1) * exp(0)") == ("num", 1.0)


def test_substitution_folds_what_becomes_constant() -> None:
    """Filling in coefficients leaves a smaller tree; a name may become a name."""
    tree = substitute(parse("A * B / N**alpha"), {
        "A": ("num", 2.0), "B": ("num", 3.0), "N": ("name", "N"), "alpha": ("num", 1.0),
    })  # fmt: skip
    assert tree == ("/", ("num", 6.0), ("**", ("name", "N"), ("num", 1.0)))
    with pytest.raises(FormulaError, match="division by zero"):
        substitute(parse("A / B"), {"A": ("num", 1.0), "B": ("num", 0.0)})


NOT_ALLOWED = {
    "E + A / N^alpha": "'^' is not allowed in a formula; write ** for a power",
    "N < 3": "a comparison is not allowed in a formula",
    "N == D": "a comparison is not allowed in a formula",
    "1 if N else 2": "a conditional is not allowed in a formula",
    "[N]": "a list is not allowed in a formula",
    "[N for N in D]": "a loop is not allowed in a formula",
    "max(N for N in D)": "max takes two or more values, not 1",
    "max(1, (N for N in D))": "a loop is not allowed in a formula",
    "N.real": "an attribute ('.') is not allowed in a formula",
    "N[0]": "an index ('[ ]') is not allowed in a formula",
    "f'{N}'": "an f-string is not allowed in a formula",
    "lambda: N": "a lambda is not allowed in a formula",
    "N and D": "and, or is not allowed in a formula",
    "(N, D)": "a tuple is not allowed in a formula",
    "{'N': D}": "a dictionary is not allowed in a formula",
    "N // 2": "'//' is not allowed in a formula",
    "N % 2": "'%' is not allowed in a formula",
    "N | D": "bitor is not allowed in a formula",
    "N << 2": "lshift is not allowed in a formula",
    "N @ D": "matmult is not allowed in a formula",
    "{N}": "set is not allowed in a formula",
    "(N := 2)": "namedexpr is not allowed in a formula",
    "max(*N, 2)": "starred is not allowed in a formula",
    "not N": "unaryop is not allowed in a formula",
    "~N": "unaryop is not allowed in a formula",
}
CALLS = "only exp log log10 sqrt min max sin cos atan can be called in a formula"
NOT_CALLED = [
    *("__import__('os').system('true')", "eval('1')", "N(2)", "math.exp(1)", "exp(1)(2)", "(exp)(x=1)"),
    *("min(1, 2, key=abs)", "exp(**N)", "tan(1)", "abs(N)", "pow(2, 3)", "().__class__()", "Exp(1)"),
]
WRONG_COUNTS = {
    "exp()": "exp takes one value, not 0",
    "exp(1, 2)": "exp takes one value, not 2",
    "log(8, 2)": "log takes one value, not 2",
    "min()": "min takes two or more values, not 0",
    "max(1)": "max takes two or more values, not 1",
}
NOT_VALUES = ["'N'", "b'N'", "True", "None", "...", "1j", "2 + 3j", "N + 'a'"]
NO_VALUE = {
    "1/0": "has a division by zero",
    "N + 1 / (2 - 2)": "has a division by zero",
    "0**-1": "has a division by zero",
    "log(0)": "log of 0 leaves the domain of log",
    "log10(-1)": "log10 of -1 leaves the domain of log10",
    "sqrt(-2)": "sqrt of -2 leaves the domain of sqrt",
    "sin(1e308 * 10)": "overflows a double",
    "(-8)**(1/3)": "** of -8, 0.333333 is not a finite number",
    "9**9**9": "overflows a double",
    "exp(1000)": "overflows a double",
    "1e308 * 10": "overflows a double",
    "1e308 + 1e308": "overflows a double",
    "1e999": "overflows a double",
    "9" * 400: "overflows a double",
}
NO_FORMULA = [
    *("", " ", "E +", "(", ")", "E A", "2N", "E + A / N**", "E = 2", "N;D", "import os", "yield", "1 +* 2", "log("),
    *("0777", "\0", "E\0", "\ud800", "\u00d7", "N \u2212 1", "1..2", "'", "N$", "`N`", "a?b:c", "%s", "\\"),
    *("E +\nA", "print 1"),
]


@pytest.mark.parametrize("text", NOT_ALLOWED)
def test_refuses_syntax(text: str) -> None:
    """By name, so that one knows what to take out."""
    assert refusal(text) == NOT_ALLOWED[text]


@pytest.mark.parametrize("text", NOT_CALLED)
def test_refuses_calls(text: str) -> None:
    """Nothing but the nine functions, by their plain names."""
    assert refusal(text) == CALLS


@pytest.mark.parametrize("text", WRONG_COUNTS)
def test_refuses_counts_of_values(text: str) -> None:
    """log(8, 2) is Python's log to a base, not ours."""
    assert refusal(text) == WRONG_COUNTS[text]


@pytest.mark.parametrize("text", NOT_VALUES)
def test_refuses_values(text: str) -> None:
    """Texts, truth values and complex numbers are none."""
    assert refusal(text).startswith("only numbers and names are values in a formula, not ")


@pytest.mark.parametrize("text", NO_VALUE)
def test_refuses_constants_without_a_value(text: str) -> None:
    """Said when the formula is read, not when it is used."""
    assert refusal(text).endswith(NO_VALUE[text])


@pytest.mark.parametrize("text", NO_FORMULA)
def test_refuses_what_is_no_formula(text: str) -> None:
    """With an example of one."""
    message = refusal(text)
    assert message.startswith("cannot parse ")
    assert message.endswith(": expected such as E + A / N**alpha")
    assert message.isprintable()


def test_a_long_text_is_cut_in_the_message() -> None:
    """At 60 characters."""
    assert refusal("E + " * 100) == f"cannot parse '{('E + ' * 100)[:57]}...': expected such as E + A / N**alpha"


HOSTILE = [
    "9**9**9**9**9", "9" * MAX_CHARACTERS, "0x" + "f" * 900, "1e" + "9" * 900, "a**" * 300 + "a", "-" * 900 + "a",
    "not " * 240 + "a", "lambda:" * 140 + "a", "a if a else " * 80 + "a", "(" * 900, "[" * 900, "f(" * 450,
    "(" * 400 + "a" + ")" * 400, "a+" * 499 + "a", "a." * 499 + "a", "a[" * 400 + "]" * 400,
    "exp(" * 200 + "a" + ")" * 200, "f'{" * 300, "'" * 999, "a" * (MAX_CHARACTERS + 1), " " * 10**6,
    "a+" * 10**6, "~" * 999, "+ " * 499 + "a", "a and " * 160 + "a", "a<" * 499 + "a", "\\\n" * 400,
    "#" * 999, "\x0c" * 999, "_" * 999 + "(",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_text_is_refused_at_once(text: str) -> None:
    """Neither a crash of the parser nor a number with a million digits."""
    message = refusal(text)
    assert len(message) < 300


def test_limits_are_where_they_are_said_to_be() -> None:
    """The last text that fits is read, the next one is refused."""
    assert parse("1" + " " * (MAX_CHARACTERS - 1)) == ("num", 1.0)
    assert refusal("1" + " " * MAX_CHARACTERS) == f"is longer than {MAX_CHARACTERS} characters"
    assert value("(" * MAX_BRACKETS + "a" + ")" * MAX_BRACKETS, a=1.0) == 1.0
    deeper = f"is nested deeper than {MAX_BRACKETS} levels"
    assert refusal("(" * (MAX_BRACKETS + 1) + "a" + ")" * (MAX_BRACKETS + 1)) == deeper
    assert value("-" * MAX_BRACKETS + "a", a=1.0) == 1.0
    assert refusal("- " * (MAX_BRACKETS + 1) + "a") == deeper
    assert value("+".join("a" * (MAX_NESTING + 1)), a=1.0) == MAX_NESTING + 1
    assert refusal("+".join("a" * (MAX_NESTING + 2))) == f"is nested deeper than {MAX_NESTING} levels"


@pytest.mark.parametrize("name", ["log", "log10", "sqrt"])
def test_outside_its_domain_a_function_raises(name: str) -> None:
    """On floats; an array has NaN there instead."""
    with pytest.raises(ValueError, match="math domain error|expected"):
        value(f"{name}(a)", a=-1.0)


def test_powers_stay_real() -> None:
    """Python's own power turns complex or raises; ours raises either way."""
    assert value("a**b", a=-2.0, b=3.0) == -8.0
    with pytest.raises(ValueError, match="math domain error"):
        value("a**b", a=-8.0, b=1 / 3)
    with pytest.raises(ZeroDivisionError):
        value("a**b", a=0.0, b=-0.5)
    with pytest.raises(OverflowError):
        value("a**b", a=1e300, b=2.0)


@pytest.mark.parametrize("text", ["(1 + (D / 1e9)**(1 / f))**(-0.1 * f)", "((D / 1e9)**(1 / f) + 1)**(-0.1 * f)"])
def test_a_sharp_break_does_not_overflow(text: str) -> None:
    """Its limit without width is max(1, D / 1e9)**-0.1; 1000**1000 alone is beyond a double."""
    for width in (1e-3, 1e-12):
        assert value(text, f=width, D=1e12) == pytest.approx(1000.0**-0.1, rel=1e-12)
        assert value(text, f=width, D=1e7) == 1.0
    found = compile_tree(parse(text))({"f": 1e-3, "D": np.array([1e7, 1e9, 1e12])})
    assert found == pytest.approx(np.array([1.0, 2.0**-1e-4, 1000.0**-0.1]), rel=1e-12)
    slope = compile_tree(parse(text))({"f": 1e-3, "D": Dual(1e12, 1.0)}).slope
    assert slope == pytest.approx(-0.1 * 1000.0**-0.1 / 1e12, rel=1e-12)


def test_one_and_a_power_of_zero_keep_their_value() -> None:
    assert value("(1 + x**2)**0.5", x=0.0) == 1.0
    assert value("(1 + x**2)**0.5", x=-3.0) == pytest.approx(math.sqrt(10.0), rel=1e-15)
