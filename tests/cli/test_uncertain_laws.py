"""Laws with draws on the command line: intervals in every format, and nothing of them where no law carries draws."""

import csv
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli import library
from scaling_cli.cli.app import main
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Law, Relation
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.saving import save_law

ENDS = ("flops", "params", "tokens", "tokens_per_param", "loss")
PARTS = ("loss", "irreducible", "loss_from_params", "loss_from_tokens")
Ask = Callable[..., str]


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A saved fit with 50 draws."""
    law, source = load_law("besiroglu-2024-refit")._replace(id="mine"), random.Random(3)
    values = law.relations["loss"].coefficients
    rows = tuple(tuple((v or 0.0) * source.gauss(1.0, 0.01) for v in values.values()) for _ in range(50))
    save_law(law, str(tmp_path / "mine.yaml"), draws=Draws(tuple(values), rows), manifest={"runs used": 240})
    return str(tmp_path / "mine.yaml")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `scaling` in this process; return what it prints."""

    def run(*argv: str) -> str:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert not caught.value.code, err
        return out

    return run


def rows_of(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)["rows"]
    return rows


QUESTIONS = {
    "plan": ("plan", "--flops", "1e24"),
    "compare": ("compare", "--flops", "1e23", "--decades", "1"),
    "loss": ("loss", "--params", "7B", "--tokens", "1T"),
}


@pytest.mark.parametrize("command", QUESTIONS)
def test_rows_have_the_ends_beside_the_value(command: str, mine: str, ask: Ask) -> None:
    ends = PARTS if command == "loss" else ENDS
    for row in rows_of(ask(*QUESTIONS[command], "--law", mine, "-f", "json")):
        keys = list(row)
        for name in ends:
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
            assert keys[keys.index(name) + 1 :][:2] == [f"{name}_low", f"{name}_high"]
        assert row["loss_low"] < row["loss_high"]
        assert any(note == "mine: low and high are the 90 % interval over 50 refits" for note in row["notes"])
        assert "low" not in row


@pytest.mark.parametrize("command", QUESTIONS)
def test_rows_of_other_laws_have_null(command: str, mine: str, ask: Ask) -> None:
    rows = rows_of(ask(*QUESTIONS[command], "--law", mine, "--law", "chinchilla", "-f", "json"))
    assert len({tuple(row) for row in rows}) == 1
    other = [row for row in rows if row["law"] == "hoffmann-2022"]
    assert {row[key] for row in other for key in row if key.endswith(("_low", "_high"))} == {None}


@pytest.mark.parametrize("fmt", ["json", "csv", "table", "markdown"])
@pytest.mark.parametrize("command", QUESTIONS)
def test_without_draws_there_is_no_trace_of_them(command: str, fmt: str, ask: Ask) -> None:
    text = ask(*QUESTIONS[command], "--law", "besiroglu-2024-refit", "-f", fmt)
    for trace in ("_low", "_high", '"low"', "nterval", "manifest"):
        assert trace not in text


def test_csv_has_the_columns_of_json(mine: str, ask: Ask) -> None:
    question = (*QUESTIONS["plan"], "--law", mine, "--law", "chinchilla")
    table = list(csv.DictReader(io.StringIO(ask(*question, "-f", "csv"))))
    rows = rows_of(ask(*question, "-f", "json"))
    assert list(table[0]) == list(rows[0])
    assert float(table[0]["params_low"]) == rows[0]["params_low"]
    assert table[1]["params_low"] == ""


@pytest.mark.parametrize("fmt", ["table", "markdown"])
def test_tables_show_intervals_in_words(fmt: str, mine: str, ask: Ask) -> None:
    text = ask("plan", "--flops", "1e24", "--law", mine, "--law", "chinchilla", "-f", fmt)
    intervals = text[text.index("Intervals") :]
    line = next(line for line in intervals.splitlines() if "90 %" in line)
    assert line.count(" to ") == 4  # the budget is given
    assert "1e24" in line
    assert "hoffmann-2022" not in intervals[: intervals.index("ote")]
    row = rows_of(ask("plan", "--flops", "1e24", "--law", mine, "-f", "json"))[0]
    assert f"{row['params_low'] / 1e9:.3g}B to" in line


@pytest.mark.parametrize("fmt", ["table", "markdown"])
def test_a_diagnosis_shows_the_interval_of_the_loss(fmt: str, mine: str, ask: Ask) -> None:
    question = ("diagnose", "--params", "70B", "--tokens", "300B")
    text = ask(*question, "--law", mine, "--law", "chinchilla", "-f", fmt)
    line = next(line for line in text[text.index("Intervals") :].splitlines() if "90 %" in line)
    row = rows_of(ask(*question, "--law", mine, "-f", "json"))[0]
    assert f"{row['loss_low']:.4f} to {row['loss_high']:.4f}" in line
    assert "Intervals" not in ask(*question, "--law", "chinchilla", "-f", fmt)


def test_the_library_says_the_same(mine: str, ask: Ask) -> None:
    (row,) = rows_of(ask("plan", "--loss", "2.1", "--law", mine, "-f", "json"))
    answer = library.plan(mine, loss=2.1)
    assert {name: row[f"{name}_low"] for name in ENDS} == answer.low
    assert {name: row[f"{name}_high"] for name in ENDS} == answer.high
    (row,) = rows_of(ask(*QUESTIONS["loss"], "--law", mine, "-f", "json"))
    assert row["loss_high"] == library.predict_loss(mine, params="7B", tokens="1T").high["loss"]
    rungs = library.compare(mine, flops=1e23, decades=1)
    rows = rows_of(ask(*QUESTIONS["compare"], "--law", mine, "-f", "json"))
    assert [row["params_low"] for row in rows] == [rung.plan.low["params"] for rung in rungs]


def test_the_same_question_gives_the_same_bytes(mine: str, ask: Ask) -> None:
    first, second = (ask(*QUESTIONS["compare"], "--law", mine, "-f", "json") for _ in range(2))
    assert first == second


def test_show_tells_of_draws_and_manifest(mine: str, ask: Ask) -> None:
    text = ask("laws", "show", mine)
    assert "90 % intervals over 50 refits of E, A, B, alpha, beta" in text
    assert "runs used" in text
    shown = json.loads(ask("laws", "show", mine, "-f", "json"))["law"]
    assert shown["manifest"] == {"runs used": 240}
    assert shown["relations"]["loss"]["uncertainty"]["draws"]["file"].startswith("mine.draws-")
    assert json.loads(ask("laws", "show", "chinchilla", "-f", "json"))["law"]["manifest"] == {}


RUN = """
import sys
from scaling_cli.cli.app import main
sys.argv[0] = "scaling"
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""
OF_DRAWS = {f"scaling_cli.{name}" for name in ("core.intervals", "core.covariances", "files.draws", "files.saving")}


def modules(*argv: str) -> set[str]:
    """Return what a successful command has imported when it ends."""
    done = subprocess.run([sys.executable, "-c", RUN, *argv], capture_output=True, text=True, timeout=20)
    code, *names = done.stderr.split()
    assert code == "0", done.stderr
    return set(names)


def test_a_law_without_draws_loads_nothing_of_them() -> None:
    assert not modules("plan", "--flops", "1e22", "-f", "json") & (OF_DRAWS | {"hashlib", "random"})
    assert not modules("plan", "--flops", "1e22", "--law", "besiroglu-2024", "-f", "json") & OF_DRAWS


def test_a_law_with_draws_needs_no_numpy(mine: str) -> None:
    loaded = modules("plan", "--flops", "1e22", "--law", mine, "-f", "json")
    assert {"scaling_cli.core.intervals", "scaling_cli.files.draws"} <= loaded
    assert not {"numpy", "scipy", "rich"} & loaded


@pytest.mark.parametrize("fmt", ["table", "json", "csv", "markdown"])
def test_a_loss_of_params_alone_is_asked_for_without_tokens(fmt: str, tmp_path: Path, ask: Ask) -> None:
    path, source = str(tmp_path / "mine.yaml"), random.Random(3)
    loss = Relation("loss", Formula("E + A / N**alpha"), {"E": 1.8, "A": 400.0, "alpha": 0.34})
    rows = tuple((1.8 * source.gauss(1.0, 0.01), 400.0, 0.34) for _ in range(50))
    save_law(Law("mine", {"loss": loss}), path, draws=Draws(("E", "A", "alpha"), rows))
    question = ("loss", "--params", "7B", "--law", path, "--law", "chinchilla")
    assert "hoffmann-2022 needs --params and --tokens" in ask(*question, "-f", fmt).replace("\\", "")
    row, other = rows_of(ask(*question, "-f", "json"))
    assert (row["tokens"], row["flops"], row["loss_from_tokens"], other["loss"]) == (None, None, 0.0, None)
    assert row["loss_low"] < row["loss"] < row["loss_high"]
    assert row["loss"] == library.predict_loss(path, params="7B").loss
