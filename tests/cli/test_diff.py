"""`scaling diff` as people and pipelines ask it: argv in; exit code, stdout and stderr out."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from scaling_cli.cli.app import main
from scaling_cli.cli.checked_output import FORMATS

OLD = """\
runs:
  a: {params: 7B, tokens: 140B}
  gone: {params: 1B, tokens: 20B}
policy: {each: {deny: {max: {flops: 1e22}}}}
"""
NEW = """\
runs:
  a: {params: 7B, tokens: 280B}
  new: {params: 2B, tokens: 40B}
policy: {each: {deny: {max: {flops: 1e22}}, warn: {max_increase: {tokens: 50%}}}}
"""
ROW_KEYS = ["run", "quantity", "old", "new", "change", "change_ratio"]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Ran]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        return Ran(int(caught.value.code or 0), *capsys.readouterr())

    return run


def rows(ran: Ran) -> dict[tuple[str, str], dict[str, float]]:
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["schema"] == "scaling.diff/1"
    assert all(list(row) == ROW_KEYS for row in data["rows"])
    return {(row["run"], row["quantity"]): row for row in data["rows"]}


def test_runs_and_sum_before_and_after(ask: Ask) -> None:
    found = rows(ask("diff", "old.yaml", "new.yaml", "-f", "json"))
    assert found["a", "tokens"]["change_ratio"] == pytest.approx(1.0)
    assert ("a", "params") not in found
    assert found["a", "loss"]["change"] < 0.0
    assert found["new", "flops"]["old"] is None
    assert found["gone", "flops"]["new"] is None
    assert found["total", "flops"]["old"] == pytest.approx(6 * (7e9 * 1.4e11 + 1e9 * 2e10))


@pytest.mark.parametrize("command", ["check", "diff"])
def test_saved_answers_stand_for_their_files(ask: Ask, command: str, tmp_path: Path) -> None:
    for name in ("old", "new"):
        argv = (
            ("check", f"{name}.yaml", "--baseline", "none") if command == "check" else ("diff", "none", f"{name}.yaml")
        )
        (tmp_path / f"{name}.json").write_text(ask(*argv, "-f", "json").out)
    assert rows(ask("diff", "old.json", "new.json", "-f", "json")) == rows(
        ask("diff", "old.yaml", "new.yaml", "-f", "json")
    )


def test_nothing_changed(ask: Ask) -> None:
    ran = ask("diff", "old.yaml", "old.yaml")
    assert ran.code == 0
    assert "nothing changed" in ran.out
    assert {run for run, _ in rows(ask("diff", "old.yaml", "old.yaml", "-f", "json"))} == {"total"}


def test_from_nothing_and_to_nothing(ask: Ask) -> None:
    assert all(row["old"] is None for row in rows(ask("diff", "none", "new.yaml", "-f", "json")).values())
    assert all(row["new"] is None for row in rows(ask("diff", "new.yaml", "none", "-f", "json")).values())


def test_it_fails_only_on_the_rules_that_are_named(ask: Ask) -> None:
    assert ask("diff", "old.yaml", "new.yaml").code == 0
    assert ask("diff", "old.yaml", "new.yaml", "--fail-on", "max flops").code == 1
    assert ask("diff", "old.yaml", "new.yaml", "--fail-on", "max_increase tokens").code == 1
    assert ask("diff", "old.yaml", "new.yaml", "--fail-on", "warn").code == 1
    assert ask("diff", "new.yaml", "new.yaml", "--fail-on", "deny", "--fail-on", "warn").code == 0
    ran = ask("diff", "old.yaml", "new.yaml", "--fail-on", "max flops", "-f", "json")
    (broken,) = json.loads(ran.out)["broken"]
    assert (broken["run"], broken["rule"], broken["line"]) == ("a", "max flops", 2)
    assert "a breaks max flops" in json.loads(ran.out)["notes"][0]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("old.yaml", "new.yaml", "--fail-on", "max dollars"), "expected deny, warn or a rule of new.yaml: max flops"),
        (("old.yaml", "none", "--fail-on", "max flops"), "it has none"),
        (("old.yaml", "gone.yaml"), "no such file"),
        (("old.yaml", "new.yaml", "-f", "xml"), "no format named"),
    ],
)
def test_wrong_questions(ask: Ask, argv: tuple[str, ...], message: str) -> None:
    ran = ask("diff", *argv)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_answers(ask: Ask, fmt: str) -> None:
    pytest.importorskip("scaling_cli.report.faces", reason="the further formats are not there")
    ran = ask("diff", "old.yaml", "new.yaml", "-f", fmt, "--fail-on", "max flops")
    assert ran.code == 1
    assert "gone" in ran.out or fmt == "sarif"
    assert ran.out.endswith("\n")


def test_csv_has_the_rows_of_json(ask: Ask) -> None:
    table = list(csv.DictReader(io.StringIO(ask("diff", "old.yaml", "new.yaml", "-f", "csv").out)))
    assert [(row["run"], row["quantity"]) for row in table] == list(
        rows(ask("diff", "old.yaml", "new.yaml", "-f", "json"))
    )
