"""Preset files that are wrong, one thing at a time: what is said, and on which line."""

from pathlib import Path

import pytest

from scaling_cli.core.laws import Law
from scaling_cli.errors import FileError
from scaling_cli.files.presets import parse_law

GOOD = Path(__file__).with_name("good_law.yaml").read_text(encoding="utf-8")


def law(text: str, path: str = "mine.yaml", *, shipped: bool = False) -> Law:
    return parse_law(text, path, shipped=shipped)


def refusal(text: str, path: str = "mine.yaml", *, shipped: bool = False) -> FileError:
    with pytest.raises(FileError) as caught:
        law(text, path, shipped=shipped)
    assert caught.value.exit_code == 2
    return caught.value


def changed(old: str, new: str) -> str:
    """The good file with one thing changed."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def line_of(text: str, mark: str) -> int:
    (line,) = [i for i, row in enumerate(text.splitlines(), 1) if mark in row]
    return line


UNKNOWN_KEYS = [
    ("title: My law", "titel: My law", "titel is not a key of this section", "did you mean title?"),
    ("schema: 1", "schema: 1\nformulas: {}", "formulas is not a key of this section", "the keys here: schema, id,"),
    ("    where: eq. 1", "    were: eq. 1", "relations.loss.were is not a key", "did you mean where?"),
    ("unit: bits, default: 16", "unit: bits, defualt: 16", "variables.P.defualt is not a key", "did you mean default?"),
    ("frontier: {params:", "frontier: {param:", "frontier.param is not a key", "did you mean params?"),
    ("loss: nats per token", "los: nats per token", "conventions.los is not a key", "did you mean loss?"),
    ("year: 2024, title: Mine", "yaer: 2024, title: Mine", "source.yaer is not a key", "did you mean year?"),
    ("kind: data}", "kin: data}", "checks[2].kin is not a key", "did you mean kind?"),
    ("{level: 0.8, int", "{levle: 0.8, int", "relations.loss.uncertainty.levle is not a key", "did you mean level?"),
]


@pytest.mark.parametrize(("old", "new", "message", "hint"), UNKNOWN_KEYS)
def test_unknown_keys(old: str, new: str, message: str, hint: str) -> None:
    """With the key that was meant, or all of them."""
    text = changed(old, new)
    error = refusal(text)
    mark = new.splitlines()[-1].strip()
    assert error.line == line_of(text, mark)
    assert error.message.startswith(f"mine.yaml line {error.line}: {message}")
    assert error.hints[0].startswith(hint)


WRONG = {
    # names
    "unknown name": ("B / more**beta", "B / more**betta", "relations.loss.formula: unknown name betta in the formula"),
    "unknown name in let": ("fresh: min(U, D)", "fresh: min(V, D)", "let.fresh: unknown name V in the formula"),
    "later let": ("fresh: min(U, D)", "fresh: min(U, D) + 0 * more", "let.fresh: unknown name more in the formula"),
    "let of itself": ("fresh: min(U, D)", "fresh: min(U, fresh)", "let.fresh: unknown name fresh in the formula"),
    "unknown name in default": ("default: D,", "default: DD,", "variables.U.default: unknown name DD in the formula"),
    "unused coefficient": (
        "{beta: 0.28}",
        "{beta: 0.28, gamma: 1}",
        "coefficients.gamma: gamma is not used by any rel",
    ),
    "unused own coefficient": (
        "{k: 0.1}",
        "{k: 0.1, j: 1}",
        "relations.optimal_params.coefficients.j: coefficient j is",
    ),
    "unused let": (
        "fresh: min(U, D)",
        "fresh: min(U, D)\n  spare: N * 2",
        "let.spare: spare is not used by any relation",
    ),
    "unused variable": ("fresh: min(U, D)", "fresh: min(D, D)", "variables.U: U is not used by any relation"),
    "shadowed quantity": ("  fresh: min(U, D)", "  N: min(U, D)\n  fresh: N", "let.N: N is already a quantity"),
    "shadowed constant": ("{beta: 0.28}", "{beta: 0.28, pi: 3}", "coefficients.pi: pi is already a constant"),
    "shadowed coefficient": (
        "{k: 0.1}",
        "{k: 0.1, beta: 1}",
        "relations.optimal_params.coefficients.beta: beta is already",
    ),
    "shadowed variable": ("fresh: min(U, D)", "P: min(U, D)", "let.P: P is already declared under variables"),
    "shadowed relation": (
        "  more: fresh",
        "  loss: fresh * 1\n  more: loss * fresh",
        "relations.loss: loss is already decl",
    ),
    "name of a coefficient": ("{beta: 0.28}", '{beta: 0.28, "b-c": 1}', "coefficients.b-c is not a name for formulas"),
    "name of a variable": ("  P: {", "  P 2: {", "variables.P 2 is not a name for formulas"),
    "name of a relation": ("  loss:\n", "  the loss:\n", "relations.the loss is not a name for formulas"),
    # formulas
    "no formula": ("    formula: k * sqrt(C)\n", "", "relations.optimal_params has no formula: expected such as"),
    "bad formula": (
        "k * sqrt(C)",
        "k ^ sqrt(C)",
        "relations.optimal_params.formula (formula) '^' is not allowed in a formula; write ** for a power",
    ),
    "broken formula": ("k * sqrt(C)", "k * sqrt(C", "relations.optimal_params.formula (formula) cannot parse"),
    "bad let": ("fresh: min(U, D)", "fresh: median(U, D)", "let.fresh (formula) only exp log"),
    "list for a formula": ("k * sqrt(C)", "[k, C]", "relations.optimal_params.formula is a list: expected text"),
    "constant without a value": (
        "k * sqrt(C)",
        "k * (C + 1 / (1 - 1))",
        "relations.optimal_params.formula (formula) has a divi",
    ),
    # numbers and texts
    "text for a number": (
        "{k: 0.1}",
        "{k: lots}",
        "relations.optimal_params.coefficients.k is 'lots': expected a number",
    ),
    "mapping for a number": (
        "{k: 0.1}",
        "{k: {a: 1}}",
        "relations.optimal_params.coefficients.k is a mapping: expected a",
    ),
    "infinite number": ("{k: 0.1}", "{k: .inf}", "relations.optimal_params.coefficients.k: .inf is not finite"),
    "list for text": ("title: My law", "title: [My, law]", "title is a list: expected text"),
    "text for a mapping": (
        "coefficients: {beta: 0.28}",
        "coefficients: 0.28",
        "coefficients is 0.28: expected a mapping",
    ),
    "text for a list": ("notes: [One,", "aliases: {a: 1}\nnotes: [One,", "aliases is a mapping: expected a list"),
    "number in a list of texts": ("notes: [One,", "notes: [1,", "notes item 1 is 1: expected text"),
    "status": (
        "status: memory",
        "status: guessed",
        "relations.optimal_params.status is 'guessed': expected one of prim",
    ),
    "schema": ("schema: 1", "schema: 2", "schema is 2: this version reads schema 1"),
    "year": ("year: 2024", "year: last", "source.year is 'last': expected a number"),
    "name": ("id: mine", "id: My Law", "id is 'My Law': expected a name of a-z 0-9 . _ -, at most 64"),
    "alias": ("notes: [One,", "aliases: [a b]\nnotes: [One,", "aliases is 'a b': expected a name"),
    # intervals
    "interval upside down": (
        "{N: [1e7, 1e10]}",
        "{N: [1e10, 1e7]}",
        "relations.loss.valid.N is [1e+10, 1e+07]: expected [low",
    ),
    "interval of three": (
        "{N: [1e7, 1e10]}",
        "{N: [1, 2, 3]}",
        "relations.loss.valid.N is a list: expected [low, high]",
    ),
    "interval of text": (
        "{N: [1e7, 1e10]}",
        "{N: [low, high]}",
        "relations.loss.valid.N is a list: expected [low, high]",
    ),
    "interval of a number": ("{N: [1e7, 1e10]}", "{N: 1e7}", "relations.loss.valid.N is 1e7: expected a list"),
    "range of a stranger": ("valid: {N: [1e7", "valid: {Q: [1e7", "relations.loss.valid.Q"),
    "uncertainty of a stranger": (
        "{alpha: [0.33, 0.35]}",
        "{gamma: [1, 2]}",
        "relations.loss.uncertainty.intervals.gamma",
    ),
    # frontier
    "frontier of a stranger": (
        "{params: optimal_params}",
        "{params: best}",
        "frontier.params is 'best': expected the name of",
    ),
    "frontier of two": (
        "{params: optimal_params}",
        "{params: optimal_params, tokens: loss}",
        "frontier.tokens stands beside",
    ),
    # checks
    "check of a stranger": (
        "{of: loss, given",
        "{of: los, given",
        "checks[1].of is 'los': expected a relation of this law",
    ),
    "check of an answer": ("{of: loss, given", "{of: tokens, given", "checks[1].of is 'tokens': expected a relation"),
    "check kind": ("kind: data", "kind: dates", "checks[2].kind is 'dates': expected one of reproduce, data, errata"),
    "check at a stranger": (
        "{N: 1e9, D: 1e11}",
        "{N: 1e9, E: 1}",
        "checks[1].given.E is neither one of N, D, C, L nor a var",
    ),
    "check both ways": ("given: {N: 1e9", "plan: {C: 1e21}, given: {N: 1e9", "checks[1].plan stands beside given"),
    "check per two": (
        "per: {C: 10}, given: {C: 1e21}",
        "per: {C: 10, N: 2}, given: {C: 1, N: 1}",
        "checks[2].per expected one",
    ),
    "check per another": (
        "per: {C: 10}, given: {C: 1e21}",
        "per: {N: 10}, given: {C: 1}",
        "checks[2].per expected one name",
    ),
    "check without tolerance": ("expect: 2.38, tolerance: 0.01", "expect: 2.38", "checks[1] has no tolerance"),
    "check without expect": ("expect: 2.38, tolerance: 0.01", "tolerance: 0.01", "checks[1] has no expect"),
    "check tolerance": (
        "expect: 2.38, tolerance: 0.01",
        "expect: 2.38, tolerance: 0",
        "checks[1].tolerance expected a rel",
    ),
    "check of zero": (
        "expect: 2.38, tolerance: 0.01",
        "expect: 0, tolerance: 0.01",
        "checks[1].tolerance expected a relat",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(name: str) -> None:
    """The key in full, and the line on which it stands."""
    old, new, message = WRONG[name]
    text = changed(old, new)
    error = refusal(text)
    prefix = f"mine.yaml line {error.line}: "
    assert error.message.startswith(prefix + message)
    assert "\n" not in error.message


LINES = {
    "unknown name": "formula: E + A / N**alpha",
    "unused own coefficient": "coefficients: {k: 0.1, j: 1}",
    "later let": "fresh: min(U, D) + 0 * more",
    "shadowed variable": "P: min(U, D)",
    "bad formula": "formula: k ^ sqrt(C)",
    "text for a number": "coefficients: {k: lots}",
    "status": "status: guessed",
    "interval upside down": "valid: {N: [1e10, 1e7]}",
    "frontier of two": "frontier: {params",
    "check kind": "kind: dates",
    "check without tolerance": "expect: 2.38, where",
    "name of a relation": "the loss:",
}


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str) -> None:
    """Where to look, for one of each kind."""
    old, new, _ = WRONG[name]
    text = changed(old, new)
    assert refusal(text).line == line_of(text, LINES[name])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml: is empty"),
        ("id: mine\n", "mine.yaml line 1: the file has no relations"),
        ("id: mine\nrelations: {}\n", "mine.yaml line 2: relations has no relations: expected at least one"),
        ("id: mine\nrelations:\n", "mine.yaml line 2: relations has no relations"),
        ("relations: {loss: {formula: 1 + 1 / N + 1 / D}}\n", "mine.yaml line 1: the file has no id: expected a name"),
        ("id: mine\nrelations: {loss: 1 / N}\n", "mine.yaml line 2: relations.loss is '1 / N': expected a mapping"),
        ("id: mine\nrelations: [loss]\n", "mine.yaml line 2: relations is a list: expected a mapping"),
        ("id: mine\nrelations:\n  loss:\n", "relations.loss has no formula"),
        ("- id\n", "mine.yaml line 1: expected a mapping"),
    ],
)
def test_files_that_lack_something(text: str, message: str) -> None:
    """Said at the place where it is missing."""
    assert message in refusal(text).message


# shipped presets


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: mine", "id: yours", "id is 'yours' in a file named mine"),
        ("authors: Me, ", "", "source has no authors: a shipped preset names its source"),
        ("year: 2024, ", "", "source has no year"),
        ("year: 2024, title: Mine", "year: 2024", "source has no title"),
        ("    status: memory\n", "", "relations.optimal_params has no status: a shipped relation says how and where"),
        ("    where: somewhere\n", "", "relations.optimal_params has no where"),
    ],
)
def test_what_only_shipped_presets_need(old: str, new: str, message: str) -> None:
    """A user's own file may leave it out."""
    text = changed(old, new)
    assert message in refusal(text, shipped=True).message
    assert law(text).relations
