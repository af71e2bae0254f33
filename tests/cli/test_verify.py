"""`scaling fit --verify`, asked as people ask it: a saved fit and its runs in; exit code, stdout and stderr out."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.fitting import verify_fit

RUNS = Path(__file__).parents[2] / "examples" / "runs.csv"
FORMATS = ("table", "json", "csv", "markdown")
KEYS = ["what", "saved", "got", "difference", "tolerance", "verdict"]


Ran = Any  # code, out and err: see conftest
Ask = Callable[..., Ran]


@pytest.fixture
def ask(ask: Ask) -> Ask:
    """Run `scaling fit` in this process."""
    return partial(ask, "fit")


def spoil(path: str, old: str, new: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new), encoding="utf-8")


def test_what_holds_is_answered_with_zero(ask: Ask, mine: str) -> None:
    ran = ask("--verify", mine, str(RUNS), "-f", "json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["schema"] == "scaling.fit.verify/1"
    assert all(list(row) == KEYS for row in found["rows"])
    assert {row["verdict"] for row in found["rows"]} == {"holds"}
    assert found["notes"][-1] == f"{len(found['rows'])} of {len(found['rows'])} hold"
    assert list(found["versions"]) == ["scaling", "python", "numpy", "scipy", "arithmetic"]
    assert all(version["saved"] == version["now"] for version in found["versions"].values())


def test_what_differs_is_answered_with_one(ask: Ask, mine: str) -> None:
    spoil(mine, "alpha: 0.3", "alpha: 0.4")
    ran = ask(str(RUNS), "--verify", mine, "-f", "json")
    assert (ran.code, ran.err) == (1, "")
    rows = json.loads(ran.out)["rows"]
    (row,) = [row for row in rows if row["verdict"] != "holds"]
    assert (row["what"], row["verdict"]) == ("coefficient alpha", "differs")
    assert row["saved"] == pytest.approx(row["got"] + 0.1)
    assert row["difference"] == pytest.approx(0.1 / row["saved"])
    assert row["tolerance"] < 1e-6


def test_runs_that_have_changed(ask: Ask, mine: str) -> None:
    ran = ask("--verify", mine, "-", stdin=RUNS.read_bytes() + b"new,1e9,2e10,2.9\n")
    assert ran.code == 1
    assert "the runs are not those of the fit: sha256" in " ".join(ran.out.split())


def test_runs_from_standard_input(ask: Ask, mine: str) -> None:
    assert ask("--verify", mine, "-", stdin=RUNS.read_bytes()).code == 0


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_has_every_comparison(ask: Ask, mine: str, format_: str) -> None:
    ran = ask("--verify", mine, str(RUNS), "--format", format_)
    assert ran.code == 0
    comparisons = verify_fit(mine, str(RUNS)).comparisons
    assert ran.err == (f"note: {len(comparisons)} of {len(comparisons)} hold\n" if format_ == "csv" else "")
    for comparison in comparisons:
        assert comparison.what in ran.out


@pytest.mark.parametrize(
    "argv",
    [
        ("--seed", "0"),
        ("--draws", "40"),
        ("--form", "chinchilla"),
        ("--formula", "E + A / N**a"),
        ("--objective", "ls"),
        ("--where", "loss < 3"),
        ("--fix", "alpha=beta", "--columns", "loss=ppl"),
        ("--at", "1e22"),
        ("--save", "other.yaml", "--force"),
    ],
    ids=" ".join,
)
def test_what_the_manifest_settles_is_refused(ask: Ask, mine: str, argv: tuple[str, ...]) -> None:
    """Even where it says what the manifest says: another question would be another fit."""
    ran = ask("--verify", mine, str(RUNS), *argv)
    assert (ran.code, ran.out) == (2, "")
    assert all(option in ran.err for option in argv if option.startswith("--"))


def test_a_preset_without_manifest(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "law.yaml").write_text("id: law\nrelations: {loss: {formula: 2 / N}}\n", encoding="utf-8")
    ran = ask("--verify", str(tmp_path / "law.yaml"), str(RUNS))
    assert (ran.code, ran.out) == (2, "")
    assert "law.yaml: has no manifest" in ran.err


@pytest.mark.parametrize(("preset", "runs"), [("none.yaml", str(RUNS)), ("mine.yaml", "none.csv")])
def test_files_that_are_not_there(ask: Ask, mine: str, preset: str, runs: str) -> None:
    ran = ask("--verify", str(Path(mine).with_name(preset)), runs)
    assert (ran.code, ran.out) == (2, "")
    assert "none." in ran.err


def test_refits_that_do_not_belong_to_the_preset(ask: Ask, mine: str) -> None:
    (draws,) = Path(mine).parent.glob("*.csv")
    draws.write_text(draws.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    ran = ask("--verify", mine, str(RUNS))
    assert (ran.code, ran.out) == (2, "")
    assert "has sha256" in ran.err


def test_a_fit_that_fails_now(ask: Ask, mine: str) -> None:
    few = b"".join(RUNS.read_bytes().splitlines(keepends=True)[:4])
    ran = ask("--verify", mine, "-", stdin=few)
    assert (ran.code, ran.out) == (3, "")
    assert "3 runs cannot determine 5 coefficients" in ran.err
