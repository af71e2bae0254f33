"""Strict YAML: what is text, what is a number, and everything that is refused."""

import copy
import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaling_cli.errors import FileError
from scaling_cli.files import strict_yaml
from scaling_cli.files.strict_yaml import Block, Items, Number, Value, parse_yaml

LOADERS = [pytest.param(yaml.Loader, id="python")]
if hasattr(yaml, "CLoader"):
    LOADERS.append(pytest.param(yaml.CLoader, id="c"))


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test that asks for this runs with PyYAML's C loader and without it."""
    monkeypatch.setattr(strict_yaml, "_LOADER", request.param)


def parse_with(loader: object, text: str) -> Block | FileError:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_yaml, "_LOADER", loader)
        try:
            return parse_yaml(text, "law.yaml")
        except FileError as error:
            return error


def scalar(text: str) -> Value:
    return parse_yaml(f"E: {text}\n", "law.yaml")["E"]


def refusal(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        parse_yaml(text, "law.yaml")
    return caught.value


def shape(value: Value) -> object:
    """All that a caller can see: values, their types, digits and lines."""
    if isinstance(value, Block):
        return "block", value.line, value.lines, {key: shape(item) for key, item in value.items()}
    if isinstance(value, Items):
        return "items", value.line, value.lines, [shape(item) for item in value]
    return type(value), value, value.text if isinstance(value, Number) else None


NUMBERS = {
    1e22: ["1e22", "1E22", "1e+22", "1.e22", "1.0e22", "1.0e+22", "+1e22", "10e21"],
    1.5e9: ["1.5e9", "1.5e+9", "1500000000", "1500000000.0"],
    -1e5: ["-1e5", "-100000", "-100000."],
    0.5: ["+.5", ".5", "0.5", "5e-1", "5.0e-1", "5e-01"],
    -0.5: ["-.5", "-0.5"],
    0.0: ["0", "0.0", "-0", "+0", "0.", ".0", "0e5", "0e-999", "0.000e999"],
    406.4: ["406.4"],
    2024.0: ["2024"],
    1e300: ["1" + "0" * 300],
    5e-324: ["4.95e-324", "5e-324"],
    1.7976931348623157e308: ["1.7976931348623157e308"],
}
WORDS = """
yes Yes YES no No NO on On ON off Off OFF y n t N Y tRUE truely nULL none ~~ inf -inf nan NaN Infinity +.nan
1_000_000 1__0 1_000.5 0b101 0x 0xg -0x10 0o8 0O17 1:30 12:30:45 1:30.5 -1:30 1.2.3 1,5 6ND 2203.15556v1 ٣ 1e٣
2024-01-01 2024-13-01 2001-12-14t21:59:43.10-05:00 = << . -. + e5 .e5 1e 1e+
"""
SENTENCES = ["1 000", "null null", "E + A / N**alpha"]
QUOTED = ['"1e22"', "'1e22'", "'true'", "'~'", '""', "''", '"08"', '".nan"', "'0x10'", '"1e400"']


@pytest.mark.usefixtures("loader")
class TestScalars:
    @pytest.mark.parametrize(("expected", "text"), [(value, text) for value in NUMBERS for text in NUMBERS[value]])
    def test_a_number_is_its_value_and_its_digits(self, expected: float, text: str) -> None:
        value = scalar(text)
        assert type(value) is Number
        assert (float(value), value.text) == (expected, text)

    @pytest.mark.parametrize("text", [*WORDS.split(), *SENTENCES])
    def test_what_only_yaml_1_1_interprets_is_text(self, text: str) -> None:
        assert scalar(text) == text

    @pytest.mark.parametrize("text", QUOTED)
    def test_quotes_make_text(self, text: str) -> None:
        assert scalar(text) == text[1:-1]

    @pytest.mark.parametrize("style", ["|", ">", "|-", ">-"])
    def test_blocks_of_text_are_text(self, style: str) -> None:
        assert str(scalar(f"{style}\n  1e22")).strip() == "1e22"
        assert type(scalar(f"{style}\n  1e22")) is str

    @pytest.mark.parametrize("text", ["true", "True", "TRUE"])
    def test_true(self, text: str) -> None:
        assert scalar(text) is True

    @pytest.mark.parametrize("text", ["false", "False", "FALSE"])
    def test_false(self, text: str) -> None:
        assert scalar(text) is False

    @pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL", "# nothing"])
    def test_nothing(self, text: str) -> None:
        assert scalar(text) is None

    @pytest.mark.parametrize(
        ("text", "expected"), [('"\\e[2J"', "\x1b[2J"), ('"\\x00"', "\0"), ('"\\u202e"', "\u202e"), ('"\\t"', "\t")]
    )
    def test_escapes_in_quotes_are_text(self, text: str, expected: str) -> None:
        assert scalar(text) == expected


ALIASES = "a0: &a0 [x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
MERGES = "a0: &a0 {k0: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k{i}: 1}}\n" for i in range(1, 30))
REFUSED = {
    "alias bomb": (ALIASES, "anchors and aliases are not allowed", 1),
    "merge bomb": (MERGES, "anchors", 1),
    "self-reference": ("a: &a [*a]\n", "anchors", 1),
    "anchor on a number": ("a: &a 1\n", "anchors", 1),
    "anchor on a mapping": ("a: &a {b: 1}\n", "anchors", 1),
    "anchor on a key": ("x: 1\n&a b: 1\n", "anchors", 2),
    "alias as a key": ("x: 1\n? *a\n: 1\n", "anchors", 2),
    "unknown alias": ("E: *x\n", "anchors", 1),
    "merge key": ("<<: {A: 1}\n", "merge keys", 1),
    "merge key below": ("a:\n  <<: {A: 1}\n", "merge keys", 2),
    "local tag": ("E: !vendor 1\n", "tags are not allowed", 1),
    "bare tag": ("E: ! 1\n", "tags", 1),
    "tag of text": ("E: !!str 1\n", "tags", 1),
    "tag that fits nothing": ("E: !!bool maybe\n", "tags", 1),
    "tag with nothing": ("E: !!int ''\n", "tags", 1),
    "python tag": ("E: !!python/object/apply:os.system [id]\n", "tags", 1),
    "tag on a mapping": ("x: 1\nE: !!map {a: 1}\n", "tags", 2),
    "tag on a list": ("E: !!seq [a]\n", "tags", 1),
    "tag on a key": ("!!str E: 1\n", "tags", 1),
    "duplicate key": ("E: 1.69\nE: 1.82\n", "duplicate key E", 2),
    "duplicate key in braces": ("{a: 1, a: 2}\n", "duplicate key a", 1),
    "duplicate key, one quoted": ("a: 1\n'a': 2\n", "duplicate key a", 2),
    "duplicate key, deep": ("a:\n  b:\n    c: 1\n    c: 2\n", "a.b: duplicate key c", 4),
    "number key": ("1: x\n", "keys must be strings", 1),
    "endless number key": ("? " + "1" * 2000 + "\n: 1\n", "keys must be strings", 1),
    "list key": ("? [a, b]\n: 1\n", "keys must be strings", 1),
    "mapping key": ("{{a: 1}: 1}\n", "keys must be strings", 1),
    "null key": ("~: 1\n", "keys must be strings", 1),
    "empty key": ("?\n: 1\n", "keys must be strings", 1),
    "bool key": ("true: 1\n", "keys must be strings", 1),
    "nan key": (".nan: 1\n", "keys must be strings", 1),
    "hex key": ("0x10: 1\n", "keys must be strings", 1),
    "NaN": ("E: .nan\n", "finite", 1),
    "infinity": ("A: 1\nE: .inf\n", "E: .inf is not finite", 2),
    "negative infinity": ("E: -.INF\n", "finite", 1),
    "overflow": ("E: 1e400\n", "overflows", 1),
    "overflow with a sign": ("E: 1.0e+400\n", "overflows", 1),
    "negative overflow": ("E: -1e999999999999\n", "overflows", 1),
    "overflow by digits": ("E: " + "9" * 400 + "\n", "overflows", 1),
    "underflow": ("E: 1e-400\n", "underflows", 1),
    "negative underflow": ("E: -.0001e-399\n", "underflows", 1),
    "underflow by digits": ("E: 0." + "0" * 400 + "1\n", "underflows", 1),
    "leading zero": ("E: 08\n", "leading zero", 1),
    "leading zero, octal in YAML 1.1": ("E: 010\n", "leading zero", 1),
    "leading zero with a sign": ("E: -08.5e3\n", "leading zero", 1),
    "two zeros": ("E: 00\n", "leading zero", 1),
    "hexadecimal": ("E: 0x10\n", "write it as a decimal number", 1),
    "octal": ("E: 0o17\n", "write it as a decimal number", 1),
    "endless hexadecimal": ("E: 0x" + "f" * 3000, "number", 1),
    "endless digits": ("E: " + "9" * 5000, "E: longer than 4096 characters", 1),
    "endless text": ("E: '" + "x" * 4097 + "'", "longer", 1),
    "endless key": ("x: 1\n? " + "k" * 4097 + "\n: 1\n", "longer", 2),
    "many items": ("E: [" + "1," * 30_000 + "1]", "more than 20000 values", 1),
    "many keys": ("".join(f"k{i}: 1\n" for i in range(20_000)), "values", 20_000),
    "deep lists": ("a: " + "[" * 16 + "]" * 16 + "\n", "nested deeper than the limit of 16 levels", 1),
    "deep mappings": ("".join(f"{' ' * i}a:\n" for i in range(16)) + " " * 16 + "a: 1\n", "nested", 17),
    "deeper than a stack": ("[" * 200_000 + "]" * 200_000, "limit", 1),
    "deep mixture": ("a: " + "[{a: " * 50_000, "nested", 1),
    "deep dashes": ("a:\n " + "- " * 50_000, "nested", 2),
    "unclosed list": ("E: [1, 2\n", "expected", 2),
    "unclosed braces": ("x: 1\nE: {a: 1\n", "expected", 3),
    "unclosed quote": ("E: 'x\n", "quoted scalar", 2),
    "two colons": ("E: a: b\n", "mapping values are not allowed", 1),
    "reserved character": ("E: @x\n", "token", 1),
    "text after a mapping": ("a: 1\nb\n", "expected", 3),
    "second document": ("a: 1\n---\nb: 2\n", "second document", 2),
    "empty second document": ("a: 1\n---\n", "second document", 2),
    "key after the end": ("a: 1\n...\nb: 2\n", "expected", 3),
    "syntax error after the mapping": ("a: 1\n]\n", "expected", 2),
    "empty": ("", "is empty", None),
    "blank": (" \n\n", "is empty", None),
    "only a comment": ("# only a comment\n", "is empty", None),
    "only a mark": ("---\n", "expected a mapping", 2),
    "list": ("- a\n", "expected a mapping", 1),
    "text": ("hello world\n", "expected a mapping", 1),
    "null": ("~\n", "expected a mapping", 1),
    "NUL": ("E: \0", "character \\x00", 1),
    "escape character": ("x: 1\nE: \x1b[2J\n", "character \\x1b", 2),
    "C1 control": ("E: \x9b\n", "character \\x9b", 1),
    "lone surrogate": ("E: \ud800\n", "character \\ud800", 1),
    "byte order mark inside": ("E: a\ufeffb\n", "character \\ufeff", 1),
    "line separator": ("E: a\u2028b: 1\n", "character \\u2028", 1),
    "next line": ("E: a\x85b: 1\n", "character \\x85", 1),
    "tab before a key": ("E:\n\ta: 1\n", "tab", 2),
    "tab before a comment": ("E: 1\t# one\n", "tab", 1),
    "tag directive": ("%TAG ! tag:x.org,2000:\n---\na: 1\n", "character %", 1),
    "unknown directive": ("# x\n%FOO bar\n---\na: 1\n", "character %", 2),
    "YAML of the past": ("%YAML 1.1\n---\na: 1\n", "character %", 1),
    "version without end": ("%YAML 1." + "9" * 5000 + "\n---\na: 1\n", "character %", 1),
    "directive after a lone carriage return": ("a: 1\r%FOO\r", "character %", 1),
    "escaped surrogate": ('E: "\\ud800"\n', "escape", 1),
    "escape beyond Unicode": ('E: "\\U00110000"\n', "escape", None),
    "escape beyond integers": ('E: "\\UFFFFFFFF"\n', "escape", None),
}


@pytest.mark.usefixtures("loader")
class TestRefusals:
    @pytest.mark.parametrize(("text", "words", "line"), REFUSED.values(), ids=REFUSED)
    def test_message_names_file_line_and_fault(self, text: str, words: str, line: int | None) -> None:
        error = refusal(text)
        assert str(error).startswith("law.yaml")
        assert words in str(error)
        if line is not None:
            assert error.line == line
        assert str(error).isascii()
        assert str(error).replace("\n", "").isprintable()
        assert len(str(error)) < 400

    def test_message_names_the_way_to_the_value(self) -> None:
        text = "relations:\n  loss:\n    valid:\n      N: [1e7, 1e999]\n"
        assert str(refusal(text)).startswith("law.yaml line 4: relations.loss.valid.N.2: 1e999 overflows")

    def test_message_names_where_the_first_of_two_keys_is(self) -> None:
        assert refusal("a: 1\nb: 2\na: 3\n").hints == ("first on line 1",)

    def test_message_says_where_an_open_list_began(self) -> None:
        assert "starts on line 2" in str(refusal("x: 1\nE: [1\n\n\n"))

    def test_long_keys_and_values_are_cut(self) -> None:
        assert len(str(refusal(f"{'k' * 500}: {{{'j' * 500}: {'9' * 999}}}"))) < 400

    def test_nothing_a_terminal_obeys_is_echoed(self) -> None:
        text = '"\\e[2J\\u202e": 1\n"\\e[2J\\u202e": 1\n'
        assert "duplicate key \\x1b[2J\\u202e" in str(refusal(text))


@pytest.mark.usefixtures("loader")
class TestLimits:
    """What stands just inside each limit is accepted."""

    def test_depth(self) -> None:
        value: Value = parse_yaml("a: " + "[" * 15 + "]" * 15, "law.yaml")["a"]
        for _ in range(14):
            assert isinstance(value, Items)
            value = value[0]
        assert value == []

    def test_values(self) -> None:
        items = parse_yaml("E: [" + "1," * 19_998 + "]", "law.yaml")["E"]
        assert isinstance(items, Items)
        assert len(items) == 19_998  # and the list, and the mapping around it

    def test_characters(self) -> None:
        assert scalar("x" * 4096) == "x" * 4096
        assert parse_yaml(f"? {'k' * 4096}\n: 1\n", "law.yaml") == {"k" * 4096: 1}


@pytest.mark.usefixtures("loader")
class TestShape:
    TEXT = """\
# a comment
schema: 1
arxiv: "2203.15556"

relations:
  loss:
    formula: E + A / N**alpha
    coefficients: {E: 1.69, A: 406.40}
    valid:
      N:
      - 1e7

      - 16e9
    note: >-
      one
      line
nothing:
"""

    def test_values(self) -> None:
        loss = {
            "formula": "E + A / N**alpha",
            "coefficients": {"E": 1.69, "A": 406.4},
            "valid": {"N": [1e7, 1.6e10]},
            "note": "one line",
        }
        expected = {"schema": 1, "arxiv": "2203.15556", "relations": {"loss": loss}, "nothing": None}
        assert parse_yaml(self.TEXT, "law.yaml") == expected

    def test_lines(self) -> None:
        root = parse_yaml(self.TEXT, "law.yaml")
        assert (root.line, root.lines) == (2, {"schema": 2, "arxiv": 3, "relations": 5, "nothing": 17})
        relations = root["relations"]
        assert isinstance(relations, Block)
        loss = relations["loss"]
        assert isinstance(loss, Block)
        assert (loss.line, loss.lines) == (7, {"formula": 7, "coefficients": 8, "valid": 9, "note": 14})
        coefficients, valid = loss["coefficients"], loss["valid"]
        assert isinstance(coefficients, Block)
        assert isinstance(valid, Block)
        assert (coefficients.line, coefficients.lines) == (8, {"E": 8, "A": 8})
        sizes, last = valid["N"], coefficients["A"]
        assert isinstance(sizes, Items)
        assert (sizes.line, sizes.lines) == (11, [11, 13])
        assert isinstance(last, Number)
        assert last.text == "406.40"

    @pytest.mark.parametrize("newline", ["\r\n", "\r"])
    def test_line_ends_of_other_systems_mean_the_same(self, newline: str) -> None:
        there = parse_yaml(self.TEXT.replace("\n", newline), "law.yaml")
        assert shape(there) == shape(parse_yaml(self.TEXT, "law.yaml"))

    @pytest.mark.parametrize("start", ["\ufeff", "---\n", "%YAML 1.2\n---\n", "# é😀\n%YAML 1.2 # x\n--- # y\n"])
    def test_harmless_beginnings_are_accepted(self, start: str) -> None:
        assert parse_yaml(start + "a: 1\n", "law.yaml") == {"a": 1}

    @pytest.mark.parametrize("end", ["...\n", "\n\n", "# end", "...\n# end\n"])
    def test_harmless_ends_are_accepted(self, end: str) -> None:
        assert parse_yaml("a: 1\n" + end, "law.yaml") == {"a": 1}

    @pytest.mark.parametrize(
        "key", ["N", "y", "no", "on", "=", "1_000", "2024-01-01", "'1'", '"~"', "'<<'", "''", "é", "😀"]
    )
    def test_keys_that_are_strings_are_accepted(self, key: str) -> None:
        assert parse_yaml(f"{key}: 1\n", "law.yaml") == {key.strip("'\""): 1}

    def test_a_percent_sign_in_a_text_is_no_directive(self) -> None:
        assert parse_yaml("a: 50%\nb: |\n  %FOO\n", "law.yaml") == {"a": "50%", "b": "%FOO\n"}

    def test_an_empty_mapping_is_a_mapping(self) -> None:
        assert parse_yaml("{}", "law.yaml") == {}


def test_a_number_survives_copying() -> None:
    number = copy.deepcopy(scalar("1.690"))
    assert isinstance(number, Number)
    assert (number, number.text) == (1.69, "1.690")


# pieces of YAML, so that chance finds more than syntax errors
PIECES = st.sampled_from(
    [*"abE1-?:,[]{}'\"|>#!&*%@`\\ \n\r~=<.é\u2028\ud800", "\n  ", "\n    ", " #"]
    + [*(": ", "- ", "? ", ", ", "a: ", "*a", "&a ", "!!", "<<: ", "---\n", "...\n", "%YAML 1.2\n")]
    + [*("1e22", "08", ".nan", "0x1", "null", "\\x41", '"\\u', '"\\U')]
)
YAML_LIKE = st.lists(PIECES, max_size=30).map("".join)


@pytest.mark.parametrize("loader_class", LOADERS)
@settings(deadline=None)
@given(text=st.text() | YAML_LIKE | YAML_LIKE.map("a: ".__add__))
@example(text="E: " + "9" * 4096)
@example(text="E: 2024-13-01")
@example(text="E: \udcff")
@example(text="E: !%ff x")
@example(text='E: "\\U7fffffff"')
def test_any_text_is_a_mapping_or_a_file_error(loader_class: object, text: str) -> None:
    answer = parse_with(loader_class, text)
    assert isinstance(answer, Block) or str(answer).startswith("law.yaml")


@pytest.mark.skipif(not hasattr(yaml, "CLoader"), reason="PyYAML without its C loader")
@settings(deadline=None)
@given(text=YAML_LIKE.map("a: ".__add__) | YAML_LIKE)
@example(text=TestShape.TEXT)
@example(text="a: |\n  x\n\n  y\n\nb: >+\n  z\n\n\nc: 'd\n\n  e'\n")
@example(text="a: [b, {c: d}, {e}, ]\n? f\n? g\n: h\n")
@example(text='{"a":1,"b":[true,null,"é\\u00e9"]}')
def test_both_loaders_read_the_same(text: str) -> None:
    """They may differ in what they refuse (`[a? b]` in Python, `[a:]` in C), never in what a text says."""
    answers = [parse_with(loader_class, text) for loader_class in (yaml.CLoader, yaml.Loader)]
    c, python = answers
    if isinstance(c, Block) and isinstance(python, Block):
        assert shape(c) == shape(python)


TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=40)
NUMERALS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMERALS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@pytest.mark.parametrize("loader_class", LOADERS)
@settings(deadline=None)
@given(data=st.dictionaries(TEXTS, VALUES, max_size=5))
def test_json_is_read_as_json(loader_class: object, data: dict[str, object]) -> None:
    assert parse_with(loader_class, json.dumps(data)) == data
