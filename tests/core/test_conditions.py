"""Conditions: what may be written, what is refused and why, and that a condition means what Python's own text means."""

import math
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaling_cli.core.conditions import Condition
from scaling_cli.core.formulas import MAX_CHARACTERS, MAX_NESTING, FormulaError, parse

ROW = {"N": 7e9, "D": 1.4e12, "a": 1.0, "nan": math.nan, "subset": "hot", "name": "run 1"}


def holds(text: str, **values: float | str) -> bool:
    return Condition(text).holds(ROW | values)


def outcome(text: str) -> str:
    """Return what came of any text at all: yes, no, or the refusal."""
    try:
        condition = Condition(text)
        row = ROW | dict.fromkeys(condition.names, 1.0) | dict.fromkeys(condition.labels, "hot")
        return "yes" if condition.holds(row) else "no"
    except FormulaError as error:
        return f"refused: {error}"


def refusal(text: str) -> str:
    with pytest.raises(FormulaError) as caught:
        Condition(text)
    return str(caught.value)


TRUE = [
    *("N < 8e9", "N <= 7e9", "N > 6e9", "N >= 7e9", "N == 7e9", "N != 1", "1e9 < N < 1e10", "1 < 2 < N < D != 3"),
    *("D / N == 200", "log10(N) > 9", "6*N*D < PF * 1000", "a < pi", "min(N, D) == N"),
    *("subset == 'hot'", '"hot" == subset', "subset != 'cold'", "name == 'run 1'", "not subset == 'cold'"),
    *("N < 1 or a == 1", "not N < 1", "not (N < 1 or a > 1)", "N > 1 and subset == 'hot'", "a == 1 or N < 1 and N > 2"),
    *("not a == 2 and a == 1", "nan != 1", "nan != nan", "not nan < 1", " a == 1 "),
    *("N < 8B", "N<=7 B", "7000M == N", "D == 1.4T", "D == 1.4e3b", "N > .5K", "N >= 7_000m and name == 'run 1'"),
    *("(a ==\n1)", "a == 1 # all", "-a < 0", "not not a == 1", "subset == 'cold' or subset == 'hot'"),
]  # fmt: skip
FALSE = [
    *(
        "N < 7e9",
        "N > 7e9",
        "N == 1",
        "N != 7e9",
        "1e9 < N < 2e9",
        "subset == 'Hot'",
        "subset == ''",
        "subset != 'hot'",
    ),
    *("N < 1 and subset == 'hot'", "not a == 1", "a == 1 and not a == 1", "nan < 1", "nan > 1", "nan == nan", "1 > 2"),
]


@pytest.mark.parametrize("text", TRUE)
def test_holds(text: str) -> None:
    assert holds(text) is True


@pytest.mark.parametrize("text", FALSE)
def test_does_not_hold(text: str) -> None:
    assert holds(text) is False


def test_names_are_sorted_into_numbers_and_texts() -> None:
    """In order of appearance, each once; constants are no names."""
    condition = Condition(" N < 1e21 * pi and subset == 'hot' and D/N > PF or split != 'x' and subset != 'y' ")
    assert condition.names == ("N", "D")
    assert condition.labels == ("subset", "split")
    assert condition.text == condition.text.strip()
    assert repr(Condition("a < 1")) == "Condition('a < 1')"


REFUSED = {
    "N": "has a value where a comparison is expected, such as flops < 1e21",
    "1": "has a value where a comparison is expected, such as flops < 1e21",
    "N and a == 1": "has a value where a comparison is expected, such as flops < 1e21",
    "not N": "has a value where a comparison is expected, such as flops < 1e21",
    "True": "only numbers and names are values in a formula, not True",
    "'hot'": "only numbers and names are values in a formula, not 'hot'",
    "subset < 'hot'": "< does not compare with a text: expected == or !=",
    "'a' < subset": "< does not compare with a text: expected == or !=",
    "N + 1 == 'hot'": "only a column is compared with a text, such as subset == 'hot'",
    "'hot' == 'hot'": "only a column is compared with a text, such as subset == 'hot'",
    "a == 'x' and a < 2": "compares a with a text and uses it as a number",
    "subset in ('hot', 'cold')": "'in' is not allowed in a condition; write == and or",
    "subset not in N": "'not in' is not allowed in a condition; write == and or",
    "N is a": "'is' is not allowed in a condition; write == and or",
    "N is not a": "'is not' is not allowed in a condition; write == and or",
    "(N < 1) == (a < 1)": "a comparison is not allowed in a formula",
    "(N < 1) + 1 < 2": "a comparison is not allowed in a formula",
    "N < 1 if a else 2": "a conditional is not allowed in a formula",
    "N ^ 2 < 1": "'^' is not allowed in a formula; write ** for a power",
    "subset == b'hot'": "only numbers and names are values in a formula, not b'hot'",
    "subset == f'hot'": "an f-string is not allowed in a formula",
    "a.b == 1": "an attribute ('.') is not allowed in a formula",
    "open('x') == 1": "only exp log log10 sqrt min max sin cos atan can be called in a formula",
    "1/0 < a": "has a division by zero",
    "9**9**9 > a": "overflows a double",
    "(a := 1) < 2": "namedexpr is not allowed in a formula",
}
NO_CONDITION = [
    "",
    " ",
    "N <",
    "N = 1",
    "a && b",
    "N < 70Q",
    "N < 7e9B2",
    "subset == 'hot",
    "a <> 1",
    "a == 1;",
    "\0",
    "\ud800 < 1",
    "N < 1 and",
    "!a",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    assert refusal(text) == REFUSED[text]


@pytest.mark.parametrize("text", NO_CONDITION)
def test_refuses_what_is_no_condition(text: str) -> None:
    """With an example of one."""
    message = refusal(text)
    assert message.startswith("cannot parse ")
    assert message.endswith(": expected such as flops < 1e21 and subset == 'hot'")
    assert message.isprintable()


def test_a_suffix_in_a_text_is_a_text() -> None:
    row = {"size": "400M", "params": 4e8, "M": 1.0}
    for text in ("size == '400M'", 'size == "400M" and params == 400M', "size != '\\'400M' and M == 1"):
        assert Condition(text).holds(row)
        assert repr(text) in repr(Condition(text))


def test_a_suffix_that_overflows() -> None:
    assert refusal("N < 1e999T") == "inf overflows a double"
    assert "longer than" in refusal("N < " + "1" * MAX_CHARACTERS + "M")


@pytest.mark.parametrize("text", ["N < 1", "subset == 'hot'", "N < 1 and a < 1", "not N < 1"])
def test_a_formula_still_has_none_of_it(text: str) -> None:
    with pytest.raises(FormulaError, match="not allowed in a formula"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / (a - 1) > 0", "has a division by zero"),
        ("log(a - 1) > 0", "leaves the domain of a function or a power"),
        ("(-a) ** 0.5 > 0", "leaves the domain of a function or a power"),
        ("exp(N) > 0", "overflows a double"),
    ],
)
def test_a_row_without_an_answer(text: str, message: str) -> None:
    """The same words for a constant part, which is refused at once."""
    condition = Condition(text)
    with pytest.raises(FormulaError) as caught:
        condition.holds(ROW)
    assert str(caught.value) == message


def test_later_clauses_wait_for_the_earlier_ones() -> None:
    assert holds("a != 1 and 1 / (a - 1) > 0") is False


HOSTILE = [
    "not " * 240 + "a < 1", "a<" * 499 + "a", "a < 1 and " * 99 + "a < 1", "(" * 400 + "a < 1" + ")" * 400, "~" * 999,
    "a == '" + "x" * MAX_CHARACTERS + "'", "-" * 900 + "a < 1", "9**9**9**9 < a", "a+" * 490 + "a < 1", "((((a" * 50,
    "a < 1 or (" * 90 + "a < 1" + ")" * 90,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_text_is_read_or_refused_at_once(text: str) -> None:
    start = time.perf_counter()
    assert len(outcome(text)) < 300
    assert time.perf_counter() - start < 0.5


def test_nesting_is_limited() -> None:
    """`not` nests without brackets."""
    assert holds("not " * (MAX_NESTING - 1) + "a == 2") is bool(MAX_NESTING % 2 == 0)
    assert refusal("not " * (MAX_NESTING + 1) + "a == 2") == f"is nested deeper than {MAX_NESTING} levels"


NUMBER = st.sampled_from(["N", "a", "1", "2.5", "N / 2", "(a + 1)", "-a", "min(a, N)", "1e9"])
TEXTS = st.sampled_from(["subset == 'hot'", "subset != 'hot'", "'cold' == subset", 'name == "run 1"'])
CHAIN = st.lists(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBER), min_size=1, max_size=3
).flatmap(lambda rest: NUMBER.map(lambda first: " ".join([first, *(f"{symbol} {right}" for symbol, right in rest)])))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
    return st.one_of(joined, joined.map("({})".format), inner.map("not {}".format))


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.one_of(CHAIN, TEXTS), _grown, max_leaves=8), st.sampled_from([0.5, 1.0, 2.5, 3e9, -1.0]))
def test_means_what_python_means(text: str, a: float) -> None:
    """The same text handed to Python itself, here alone: precedence, chains, short cuts."""
    row = ROW | {"a": a}
    if len(text) <= MAX_CHARACTERS:
        assert Condition(text).holds(row) is eval(text, {"__builtins__": {}, "min": min}, row)


PIECES = [
    *("N", "a", "subset", "'hot'", "<", ">", "==", "!=", "and", "or", "not", "in", "is", "(", ")", "1", "'", " "),
    *("=", "\0", "[", ":", "lambda", "~", "if", "else", "\\", "#", "\n"),
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join)))
@example("a == '\ud800'")
@example("a<" * 400 + "a")
def test_any_text_is_read_or_refused(text: str) -> None:
    """A traceback would be our bug."""
    assert outcome(text) in ("yes", "no") or outcome(text).startswith("refused: ")
