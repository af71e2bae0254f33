"""Tables on disk: which formats are read, what they become, and what is refused with which words."""

import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from scaling_cli.errors import FileError
from scaling_cli.files import streams, tables
from scaling_cli.files.streams import MAX_LINE, open_text
from scaling_cli.files.tables import BLOCK, MAX_COLUMNS, Cell, open_table

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


class Read(NamedTuple):
    header: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    hashes: list[int]
    sha256: str


def read(path: Path | str, content: str | bytes | None = None) -> Read:
    if content is not None:
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    with open_table(str(path)) as table:
        blocks = list(table.read(range(len(table.header))))
        rows = [row for block in blocks for row in zip(*block.columns, strict=True)]
        return Read(table.header, rows, [code for block in blocks for code in block.hashes], table.sha256())


def refusal(path: Path | str, content: str | bytes | None = None) -> str:
    with pytest.raises(FileError) as caught:
        read(path, content)
    return str(caught.value).removeprefix(str(path)).removeprefix(": ").strip()


def peak_of(act: Callable[[], object]) -> int:
    """Return the most memory in use during an act, bytes."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.csv"


ROWS = [("r0", "1e8", "3.5"), ("r1", "2e8", "3.2")]
SAME = {
    "commas": "name,params,loss\nr0,1e8,3.5\nr1,2e8,3.2\n",
    "tabs": "name\tparams\tloss\nr0\t1e8\t3.5\nr1\t2e8\t3.2\n",
    "a tab at the end": "name,params,loss\t\nr0,1e8,3.5\nr1,2e8,3.2\n",
    "semicolons": "name;params;loss\nr0;1e8;3.5\nr1;2e8;3.2\n",
    "quotes": '"name","params","loss"\n"r0","1e8","3.5"\n"r1","2e8","3.2"\n',
    "blanks": " name , params,loss \nr0, 1e8, 3.5\nr1, 2e8, 3.2\n",
    "blank lines": "\n  \nname,params,loss\n\nr0,1e8,3.5\n\n\nr1,2e8,3.2\n\n",
    "no last line end": "name,params,loss\nr0,1e8,3.5\nr1,2e8,3.2",
    "windows": "name,params,loss\r\nr0,1e8,3.5\r\nr1,2e8,3.2\r\n",
    "old mac": "name,params,loss\rr0,1e8,3.5\rr1,2e8,3.2\r",
    "byte order mark": "\ufeffname,params,loss\nr0,1e8,3.5\nr1,2e8,3.2\n",
    "pipes": "name|params|loss\nr0|1e8|3.5\nr1|2e8|3.2\n",
    "a word of Excel": "sep=;\nname;params;loss\nr0;1e8;3.5\nr1;2e8;3.2\n",
    "the same in quotes": '\ufeff"sep=,"\r\nname,params,loss\r\nr0,1e8,3.5\r\nr1,2e8,3.2\r\n',
    "comments": "# my runs, of 2024\n#\n\nname,params,loss\nr0,1e8,3.5\nr1,2e8,3.2\n",
    "a comment and the word": "# my runs\nsep=|\nname|params|loss\nr0|1e8|3.5\nr1|2e8|3.2\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=list(SAME))
def test_one_table_written_in_many_ways(path: Path, text: str) -> None:
    found = read(path, text)
    assert found.header == ("name", "params", "loss")
    assert found.rows == ROWS
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_quotes_hold_what_separates(path: Path) -> None:
    """Commas, line ends and quotes themselves; a text is not changed otherwise."""
    found = read(path, 'name,loss\n"a, ""b""\nc",1\n=cmd|\' /C calc\'!A0,2\né😀\u2028x,3\n')
    assert found.rows == [('a, "b"\nc', "1"), ("=cmd|' /C calc'!A0", "2"), ("é😀\u2028x", "3")]


def test_rows_are_told_apart_by_their_hash(path: Path) -> None:
    found = read(path, "a,b\n1,2\n2,1\n1,2\n")
    assert found.hashes[0] == found.hashes[2] != found.hashes[1]


def test_only_the_wanted_columns_are_given(path: Path) -> None:
    path.write_text("a,b,c\n1,2,3\n4,5,6\n")
    with open_table(str(path)) as table:
        assert [block.columns for block in table.read([2, 0])] == [[("3", "6"), ("1", "4")]]


def test_long_tables_come_in_blocks(path: Path) -> None:
    count = 2 * BLOCK + 1
    found = read(path, "i\n" + "".join(f"{i}\n" for i in range(count)))
    assert found.rows == [(str(i),) for i in range(count)]


JSON_LINES = [
    {"params": 1e8, "loss": 3.5, "done": True, "name": "r0", "config": {"lr": 1e-3, "model": {"width": 64}}},
    {"params": 200000000, "name": "r1", "loss": None, "tags": ["a", 1]},
]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "runs"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    """Known by its brace, not by its name; what is inside an object gets its name, what is absent is empty."""
    found = read(tmp_path / name, "\n" + "\n\n".join(map(json.dumps, JSON_LINES)) + "\n")
    assert found.header == ("params", "loss", "done", "name", "config.lr", "config.model.width", "tags")
    assert found.rows == [(1e8, 3.5, "true", "r0", 1e-3, 64, ""), (200000000, "", "", "r1", "", "", "['a', 1]")]


def test_json_rows_are_copies_in_any_order_of_their_names(path: Path) -> None:
    """1 is 1.0; a name that is absent is not one whose cell is empty."""
    lines = ['{"a": 1, "b": 2}', ' {"b": 2.0, "a": 1} ', '{"a": 2, "b": 1}', '{"a": 1}', '{"a": 1, "b": null}']
    first, *others = read(path, "\n".join(lines) + "\n").hashes
    assert others[0] == first
    assert len({first, *others}) == 4


def test_json_names_that_stand_twice_are_named(path: Path) -> None:
    assert "read: 'b' stands in it twice" in refusal(path, '{"a": 1, "b": {"c": 2}, "b": 3}\n')


def test_json_numbers_that_json_does_not_know(path: Path) -> None:
    (row,) = read(path, '{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e999}\n').rows
    assert row == ("NaN", "Infinity", "-Infinity", math.inf)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1}\n[1]\n', 2),
        ('\n{"a": 1}\n\n{"a": \n', 4),
        ("{}{}\n", 1),
        ("{\n", 1),
        ('{"a": 1}\n' + '{"a":' * 100_000 + "\n", 2),
        ('{"a": 1}\n"text"\n', 2),
        ('{"a": 1, "a": 2}\n', 1),
        ('{"b": 1}\n{"a": {"b": 1}, "a": {"c": 2}}\n', 2),
        ('{"a": ' + "9" * 5000 + "}\n", 1),
        ('{"a": 1}, {"a": 2}\n', 1),
        ('{"a": 1}\n{"a": 1}x\n', 2),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_no_json_object(path: Path, text: str, line: int) -> None:
    message = refusal(path, text)
    assert message.startswith(f"line {line}: is not a JSON object")
    assert "\n  expected JSON Lines" in message


@pytest.mark.parametrize(
    "text",
    [
        '{"' + "x" * 10**6 + '": {' + ",".join(f'"{i}": 1' for i in range(100_000)) + "}}",
        '{"x":' * 900 + "{" + ",".join(f'"{i}": 1' for i in range(9_000)) + "}" + "}" * 900,
        "{" + ",".join(f'"{i}": 1' for i in range(MAX_COLUMNS + 1)) + "}",
        "\n".join(f'{{"{i}": 1}}' for i in range(10 * MAX_COLUMNS)),
    ],
    ids=["long", "deep", "wide", "ragged"],
)
def test_names_that_would_fill_the_memory(path: Path, text: str) -> None:
    path.write_text(text)
    assert peak_of(lambda: refusal(path)) < 2e8


def test_a_json_array_is_not_json_lines(path: Path) -> None:
    assert "from an array: jq -c" in refusal(path, '[{"params": 1e8}]')
    assert "from an array: jq -c" in refusal(path, '[\n  {"params": 1e8}\n]')


def test_a_header_may_begin_with_a_hash(path: Path) -> None:
    """As numpy.savetxt writes it, and as an index is called: what follows is no header."""
    assert read(path, "# params,loss\n1e8,3.5\n2e8,3.2\n").header == ("# params", "loss")
    assert read(path, "#,params,loss\n1,1e8,3.5\n").header == ("#", "params", "loss")
    assert read(path, "# runs\n# params,loss\n1e8,3.5\n").rows == [("1e8", "3.5")]


def test_json_lines_below_a_comment(path: Path) -> None:
    found = read(path, '# mine\n\n{"a": 1}\n{"a": 2}\n')
    assert (found.header, found.rows) == (("a",), [(1,), (2,)])
    assert refusal(path, '# mine\n\n{"a": 1}\n{"a"\n').startswith("line 4: is not a JSON object")
    said = refusal(path, '{"a": 1}\n#{"a": 2}\n')
    assert said == "line 2: is not a JSON object\n  it begins with #: comments stand before the first run alone"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("params tokens loss\n1e8 1e9 3\n", "blanks"),
        ("params   tokens   loss\n1e8   1e9   3\n", "blanks"),
        ("params:tokens:loss\n1e8:1e9:3\n", "':'"),
        ("sep=:\nparams:tokens:loss\n1e8:1e9:3\n", "':'"),
        ("| params | tokens | loss |\n|---|---|---|\n| 1e8 | 1e9 | 3 |\n", "Markdown"),
    ],
)
def test_fields_separated_by_something_else(path: Path, text: str, separator: str) -> None:
    message = refusal(path, text)
    assert separator in message
    assert "commas, tabs, semicolons or |" in message


REFUSED = {
    "": "is empty",
    "# a comment\n": "is empty",
    "sep=;\n": "is empty",
    "\n \n": "is empty",
    "1e9,1e10,2.5\n2e9,2e10,2.4\n": "has no header: its first line begins '1e9'",
    "r0,1e8,1e9,3.67\nr1,1e8,4e9,3.25\n": "has no header: its first line begins 'r0'",
    "a,b,a\n1,2,3\n": "has a duplicate column 'a'",
    "a,b\n1,2,3\n": "row 1 has 3 fields, and the header 2",
    "a,b\n1,2\n\n1\n": "row 2 has 1 field, and the header 2",
    "a,b\n1,\n,\n1,2,\n": "row 3 has 3 fields, and the header 2",
    'a,b\n1,2\n3,"4\n5,6\n': 'row 2 has a quote (") that is never closed',
    'a,b\n1,2\n"3"4,5\n': "row 2 has text after a closing quote",
    'a,"b\n1,2\n': 'the header has a quote (") that is never closed',
    "a,b\n1," + "x" * 200_000 + "\n": "row 1 has a field of more than 131072 characters",
    'a,b\n1,2\n3,"' + "4,5\n" * 100_000: "row 2 has a field of more than 131072 characters",
    ",".join(f"c{i}" for i in range(MAX_COLUMNS + 1)) + "\n": f"has {MAX_COLUMNS + 1} columns",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_is_no_table(path: Path, text: str) -> None:
    message = refusal(path, text)
    assert message.startswith(REFUSED[text])
    assert message.isascii()
    assert "\x1b" not in message


def test_rows_are_counted_across_blocks_and_blank_lines(path: Path) -> None:
    good = "1,2\n\n" * (BLOCK + 10)
    assert refusal(path, f"a,b\n{good}1,2,3\n").startswith(f"row {BLOCK + 11} has 3 fields")
    assert refusal(path, f'a,b\n{good}1,"2\n').startswith(f"row {BLOCK + 11} has a quote")


def test_nameless_columns_may_be_several(path: Path) -> None:
    """As the index of a data frame, or after a last comma."""
    assert read(path, ",loss,\n0,2.5,\n").header == ("", "loss", "")


@pytest.mark.parametrize("cut", [0, 1, 8190, 8191, 8192, 8193, 20_000])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"\0", "NUL is not a character of a text"),
        (b"\xff", "byte 0xff is not UTF-8"),
        (b"\xc3", "byte 0xc3 is not UTF-8"),
    ],
)
def test_what_is_no_text(path: Path, cut: int, bad: bytes, words: str) -> None:
    """Wherever it stands to the pieces in which a file is read; the line is right."""
    before = b"a,b\n" + b"1,2\n" * (cut // 4)
    assert refusal(path, before + bad + b"\n3,4\n").startswith(f"line {cut // 4 + 2}: {words}")


@pytest.mark.parametrize("shift", range(4))
def test_a_character_that_two_pieces_share(path: Path, shift: int) -> None:
    text = "x" * shift + "😀" * 20_000
    path.write_text(text, encoding="utf-8")
    with open_text(str(path), limit=10**6) as (lines, data):
        assert lines.read() == text
        assert data.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_character_that_the_end_cuts(path: Path) -> None:
    assert refusal(path, b"a\n1\n\xf0\x9f\x98").startswith("line 3: byte 0xf0 is not UTF-8")


def test_binary_files(path: Path) -> None:
    """The hint says what has been taken for text."""
    assert "gzip: unpack it first" in refusal(path, gzip.compress(b"a,b\n1,2\n"))
    assert "it is UTF-16: save it as UTF-8" in refusal(path, "a,b\n1,2\n".encode("utf-16"))
    assert "export the table as CSV" in refusal(path, b"PK\x03\x04\x14\x00\x06")
    assert "ends in .parquet" in refusal(path, b"PAR1\x15\x04\x15\x00")


def test_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_BYTES", 10_000)
    text = "i\n" + "1\n" * 4_999
    assert len(read(path, text).rows) == 4_999
    assert refusal(path, text + "1\n") == "is larger than the limit of 9.76562 KiB"


@pytest.mark.parametrize("start", ["", "a,b\n1,2\n", "{}\n"])
def test_an_endless_line_is_not_held(path: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.setattr(streams, "MAX_LINE", 2**20)
    assert MAX_LINE > 2**20
    path.write_text(start + "x" * 2**22)
    assert peak_of(lambda: refusal(path)) < 2**23
    assert refusal(path) == f"line {start.count(chr(10)) + 1}: is longer than 1 MiB"


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "missing.csv") == "no such file or directory"

    def test_directory(self, tmp_path: Path) -> None:
        assert refusal(tmp_path).startswith("is a directory")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
    def test_no_permission(self, path: Path) -> None:
        path.write_text("a\n1\n")
        path.chmod(0)
        assert "permission" in refusal(path)

    @POSIX
    @pytest.mark.parametrize("name", ["/dev/zero", "pipe.csv", "pipe.parquet"])
    def test_what_would_never_end(self, tmp_path: Path, name: str) -> None:
        if name.startswith("pipe"):
            os.mkfifo(tmp_path / name)
        assert refusal(tmp_path / name).startswith("is not a regular file")

    @POSIX
    def test_symlinks(self, tmp_path: Path) -> None:
        (tmp_path / "loop.csv").symlink_to("loop.csv")
        assert "symbolic" in refusal(tmp_path / "loop.csv")
        (tmp_path / "link.csv").symlink_to("runs.csv")
        (tmp_path / "runs.csv").write_text("a\n1\n")
        assert read(tmp_path / "link.csv").rows == [("1",)]

    @pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
    def test_impossible_names(self, name: str) -> None:
        with pytest.raises(FileError), open_table(name):
            pass

    @pytest.mark.parametrize("text", [SAME["commas"], '{"name": "r0"}\n'])
    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="ascii"))
        found = read("-")
        assert found.rows[0][0] == "r0"
        assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert not sys.stdin.buffer.closed

    def test_standard_input_in_messages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1\n")))
        assert refusal("-").startswith("standard input: row 1 has 1 field")
        monkeypatch.setattr(sys, "stdin", None)
        assert refusal("-").startswith("standard input: is closed")

    @POSIX
    def test_no_descriptor_is_left_open(self, path: Path) -> None:
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        for text in ("a,b\n1\n", "", "a\n1\n", "{\n"):
            path.write_text(text)
            with contextlib.suppress(FileError):
                read(path)
        assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


class TestParquet:
    def test_without_pyarrow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        message = refusal(tmp_path / "runs.parquet", b"PAR1")
        assert message.startswith("is a Parquet file, which needs pyarrow")
        assert 'pip install "scaling-cli[parquet]"' in message

    def test_values(self, tmp_path: Path) -> None:
        arrow = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "runs.parquet"
        columns = {"params": [10**8, None], "loss": [3.5, math.nan], "done": [True, None], "name": ["a", "b"]}
        parquet.write_table(arrow.table(columns), path)
        found = read(path)
        assert found.header == ("params", "loss", "done", "name")
        assert found.rows[0] == (10**8, 3.5, "true", "a")
        assert found.rows[1][0] == found.rows[1][2] == ""
        assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_what_is_none(self, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow.parquet", reason="the extra [parquet] is not installed")
        assert refusal(tmp_path / "runs.pq", b"PAR1 no").startswith("is not a Parquet file that can be read")
