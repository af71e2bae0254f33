"""Draws beside a preset, and a covariance in it: what is read, and what is refused with file and line."""

import io
from pathlib import Path

import pytest

from scaling_cli.core.laws import Draws
from scaling_cli.errors import FileError
from scaling_cli.files import draws
from scaling_cli.files.draws import checksum, parse_draws
from scaling_cli.files.presets import read_law

TABLE = "A,alpha\n400.0,0.35\n4.1e2,.34\n+390,3.6e-1\n"
PRESET = """\
id: mine
coefficients: {{alpha: 0.35}}
relations:
  loss:
    formula: E + A / N**alpha
    coefficients: {{E: 1.8, A: 400}}
    uncertainty:
      {uncertainty}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """A preset with its draws."""
    return write(tmp_path)


def write(folder: Path, table: str = TABLE, uncertainty: str = "", *, name: str = "mine.csv", sha256: str = "") -> Path:
    stated = f"draws: {{file: {name}, sha256: '{sha256 or checksum(table)}'}}"
    (folder / "mine.csv").write_text(table, newline="")
    (folder / "mine.yaml").write_text(PRESET.format(uncertainty=uncertainty or stated))
    return folder / "mine.yaml"


def refusal(path: Path | str) -> str:
    with pytest.raises(FileError) as caught:
        read_law(str(path))
    return str(caught.value)


class TestFile:
    def test_rows_by_name(self, preset: Path) -> None:
        rows = ((400.0, 0.35), (410.0, 0.34), (390.0, 0.36))
        assert read_law(str(preset)).draws == Draws(("A", "alpha"), rows, "loss", 0.9, "refits")

    def test_the_level_is_that_of_the_relation(self, tmp_path: Path) -> None:
        stated = f"{{level: 0.5, draws: {{file: mine.csv, sha256: {checksum(TABLE)}x}}}}".replace("x}", "}")
        law = read_law(str(write(tmp_path, uncertainty=stated)))
        assert law.draws
        assert law.draws.level == 0.5

    def test_other_line_ends(self, tmp_path: Path) -> None:
        table = TABLE.replace("\n", "\r\n").removesuffix("\r\n")
        law = read_law(str(write(tmp_path, table)))
        assert law.draws
        assert (law.draws.names, len(law.draws.rows)) == (("A", "alpha"), 3)

    def test_a_preset_named_without_its_folder(self, preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(preset.parent)
        assert read_law("mine.yaml").draws == read_law(str(preset)).draws

    def test_a_link_to_a_preset(self, preset: Path, tmp_path: Path) -> None:
        (tmp_path / "links").mkdir()
        link = tmp_path / "links" / "mine.yaml"
        link.symlink_to(preset)
        assert read_law(str(link)).draws
        (tmp_path / "links" / "mine.csv").write_text("A\n1\n")  # what lies beside the link goes first
        assert "has sha256" in refusal(link)

    def test_it_is_missing(self, preset: Path) -> None:
        (preset.parent / "mine.csv").unlink()
        assert refusal(preset) == (
            f"{preset.parent / 'mine.csv'}: no such file or directory\n"
            f"  {preset} names it as its draws: bring it back, or save the law again"
        )

    def test_it_is_another_one(self, preset: Path) -> None:
        (preset.parent / "mine.csv").write_text(TABLE + "1,1\n")
        message = refusal(preset)
        assert (
            f"mine.csv: has sha256 {checksum(TABLE + '1,1' + chr(10))}, not {checksum(TABLE)}, which {preset} states"
            in message
        )
        assert "save the law again" in message

    def test_another_text_for_its_checksum_is_quoted_whole(self, tmp_path: Path) -> None:
        """With a sign that it goes on."""
        message = refusal(write(tmp_path, sha256="xyz" * 30))
        assert ", not 'xyzxyz" in message
        assert "xyz'..., which " in message or "x'..., which " in message or "xy'..., which " in message

    def test_an_upper_case_checksum_is_one(self, tmp_path: Path) -> None:
        assert read_law(str(write(tmp_path, sha256=checksum(TABLE).upper()))).draws

    @pytest.mark.parametrize("name", ["../mine.csv", "/etc/passwd", "a/b.csv", "'a\\b.csv'", "..", ".", "''", "~"])
    def test_names_that_lead_elsewhere(self, tmp_path: Path, name: str) -> None:
        message = refusal(write(tmp_path, name=name))
        assert "mine.yaml line 8: relations.loss.uncertainty.draws.file is" in message
        assert "expected the bare name of a file beside the preset" in message

    def test_standard_input_has_nothing_beside_it(self, preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(preset.read_bytes())))
        assert "name the preset as a file" in refusal("-")

    def test_no_checksum(self, tmp_path: Path) -> None:
        message = refusal(write(tmp_path, uncertainty="draws: {file: mine.csv}"))
        assert f"has sha256 {checksum(TABLE)}, not ''" in message


class TestTable:
    @pytest.mark.parametrize(
        ("text", "problem", "line"),
        [
            ("A,A\n1,2\n", "has the header 'A,A'", 1),
            ("A,\n1,2\n", "has the header 'A,'", 1),
            ("\n1\n", "has the header ''", 1),
            ("A,B\n1,2\n1\n", "has 1 values", 3),
            ("A,B\n1,2\n1,2,3\n", "has 3 values", 3),
            ("A,B\n1,2\n\n1,2\n", "has 1 values", 3),
            ("A\n1\nnan\n", "is 'nan'", 3),
            ("A\n1\n2\n-inf\n", "is '-inf'", 4),
            ("A\n1e999\n", "is '1e999'", 2),
            ("A\n1_000\n", "is '1_000'", 2),
            ("A\n٣\n", "is '٣'", 2),
            ("A\n1,5\n", "has 2 values", 2),
            ("A\none\n", "is 'one'", 2),
            ('A\n"1"\n', "is '\"1\"'", 2),
        ],
    )
    def test_what_is_wrong_and_where(self, text: str, problem: str, line: int) -> None:
        with pytest.raises(FileError) as caught:
            parse_draws(text, "mine.csv")
        assert str(caught.value).startswith(f"mine.csv line {line}: {problem}")

    @pytest.mark.parametrize("text", ["A", "A\n", ""])
    def test_no_draws(self, text: str) -> None:
        with pytest.raises(FileError, match="has 0 draws|has the header"):
            parse_draws(text, "mine.csv")

    def test_as_many_as_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(draws, "MOST_ROWS", 3)
        assert len(parse_draws("A\n1\n2\n3\n", "mine.csv").rows) == 3
        with pytest.raises(FileError, match="has 4 draws"):
            parse_draws("A\n1\n2\n3\n4\n", "mine.csv")

    @pytest.mark.parametrize("name", ["gamma", "E2", "N", "loss"])
    def test_a_name_that_is_no_coefficient(self, tmp_path: Path, name: str) -> None:
        message = refusal(write(tmp_path, TABLE.replace("alpha", name)))
        assert f"mine.csv line 1: {name!r} is no coefficient of loss" in message


class TestCovariance:
    GOOD = "{level: 0.8, covariance: {names: [A, alpha], rows: [[2500, 0.9], [0.9, 0.0004]]}}"

    def test_it_becomes_draws(self, tmp_path: Path) -> None:
        law = read_law(str(write(tmp_path, uncertainty=self.GOOD)))
        assert law.draws
        assert (law.draws.names, law.draws.relation, law.draws.level) == (("A", "alpha"), "loss", 0.8)
        assert len(law.draws.rows) == 1000
        assert law == read_law(str(tmp_path / "mine.yaml"))

    def test_draws_go_before_it(self, tmp_path: Path) -> None:
        both = self.GOOD.replace("{level", f"{{draws: {{file: mine.csv, sha256: '{checksum(TABLE)}'}}, level")
        law = read_law(str(write(tmp_path, uncertainty=both)))
        assert law.draws
        assert (len(law.draws.rows), law.draws.level) == (3, 0.8)

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("[A, alpha]", "[A, gamma]", "covariance.names has 'gamma'"),
            ("[A, alpha]", "[A, A]", "covariance.names has 'A'"),
            ("[A, alpha]", "[]", "covariance.rows are not 0 rows"),
            ("[A, alpha]", "[A]", "covariance.rows are not 1 rows of 1 numbers"),
            ("0.0004]]", "0.0004], [1, 1]]", "covariance.rows are not 2 rows of 2 numbers"),
            ("[0.9, 0.0004]", "[0.9, one]", "covariance.rows has a row that is no list of numbers"),
            ("[0.9, 0.0004]", "0.9", "covariance.rows has a row that is no list of numbers"),
            ("[0.9, 0.0004]", "[0.8, 0.0004]", "are no covariance: its elements 2, 1 and 1, 2 differ"),
            ("2500", "25", "are no covariance: row 2 makes it indefinite"),
            ("2500", "1e12", "are no covariance: its standard deviations are far beyond"),
            ("0.8", "1.0", "uncertainty.level is 1"),
            ("0.8", "80", "uncertainty.level is 80"),
        ],
    )
    def test_what_is_none(self, tmp_path: Path, old: str, new: str, problem: str) -> None:
        assert self.GOOD.count(old) == 1
        message = refusal(write(tmp_path, uncertainty=self.GOOD.replace(old, new)))
        assert "mine.yaml line 8: relations.loss.uncertainty" in message
        assert problem in message

    def test_two_relations_cannot_both_state_it(self, tmp_path: Path) -> None:
        path = write(tmp_path, uncertainty=self.GOOD)
        path.write_text(
            path.read_text()
            + "  other:\n    formula: A * alpha * N\n    coefficients: {A: 1}\n"
            "    uncertainty: {covariance: {names: [A], rows: [[1]]}}\n".replace("A", "A2")
        )
        path.write_text(path.read_text().replace("A * alpha", "A2 * alpha"))
        assert "other.uncertainty stands beside that of loss" in refusal(path)


class TestManifest:
    def test_texts_and_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text(
            "id: a\nrelations: {loss: {formula: 2 / N}}\nmanifest: {seed: 1, delta: 1e-3, form: x, big: 1e22}\n"
        )
        manifest = read_law(str(path)).manifest
        assert manifest == {"seed": 1, "delta": 1e-3, "form": "x", "big": 1e22}
        assert [type(value) for value in manifest.values()] == [int, float, str, float]

    @pytest.mark.parametrize("value", ["[1]", "{a: 1}", "~", "true"])
    def test_nothing_else(self, tmp_path: Path, value: str) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text(f"id: a\nrelations: {{loss: {{formula: 2 / N}}}}\nmanifest: {{x: {value}}}\n")
        assert "mine.yaml line 3: manifest.x is" in refusal(path)
        assert "expected text or a number" in refusal(path)
