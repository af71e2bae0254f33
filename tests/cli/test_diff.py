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
ROW_KEYS = ["run", "quantity", "old", "new", "change", "change_ratio", "status"]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Ran]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    (tmp_path / "bare.yaml").write_text("runs: {a: {params: 7B, tokens: 280B}}\n")
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
        (("old.yaml", "none", "--fail-on", "deny"), "it has none"),
        (("old.yaml", "bare.yaml", "--fail-on", "deny"), "bare.yaml holds no rules"),
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


# a rule that the change breaks, in every format


def test_a_broken_rule_is_an_error_in_every_format(ask: Ask) -> None:
    said = {fmt: ask("diff", "old.yaml", "new.yaml", "--fail-on", "deny", "-f", fmt) for fmt in FORMATS}
    assert {ran.code for ran in said.values()} == {1}
    assert 'failures="1"' in said["junit"].out
    assert said["github"].out.startswith("::error file=new.yaml,line=2,title=max flops%3A a::")
    levels = [result["level"] for result in json.loads(said["sarif"].out)["runs"][0]["results"]]
    assert levels.count("error") == 1
    assert ", 1 new finding\n" in said["markdown"].out
    assert said["csv"].err.startswith("note: a breaks max flops (deny): flops is ")
    assert "breaks" not in said["csv"].out
    assert all(ran.err == "" for fmt, ran in said.items() if fmt != "csv")


def test_what_was_kept_says_nothing_on_stderr(ask: Ask) -> None:
    assert ask("diff", "new.yaml", "new.yaml", "--fail-on", "deny", "-f", "csv").err == ""


# what became of runs and numbers


def test_runs_are_counted_once(ask: Ask) -> None:
    text = ask("diff", "old.yaml", "new.yaml", "-f", "markdown").out
    assert "### Budget: 1 run changed, 1 added, 1 removed\n" in text
    assert ask("diff", "old.yaml", "old.yaml", "-f", "markdown").out.count("nothing changed") == 1


def test_a_price_that_is_added_adds_no_run(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "priced.yaml").write_text(OLD.replace("runs:", "defaults: {gpu: h100, price: 2}\nruns:"))
    found = rows(ask("diff", "old.yaml", "priced.yaml", "-f", "json"))
    assert {row["status"] for (_, quantity), row in found.items() if quantity == "dollars"} == {"now known"}
    back = rows(ask("diff", "priced.yaml", "old.yaml", "-f", "json"))
    assert back["total", "dollars"]["status"] == "no longer known"
    text = ask("diff", "old.yaml", "priced.yaml").out
    assert "added" not in text
    assert "note: 2 runs changed" in text


def test_dollars_that_a_change_costs_are_in_the_comment(ask: Ask, tmp_path: Path) -> None:
    for name in ("old", "new"):
        text = (tmp_path / f"{name}.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(text.replace("runs:", "defaults: {gpu: h100, price: 2}\nruns:"))
    row = rows(ask("diff", "old.yaml", "new.yaml", "-f", "json"))["total", "dollars"]
    assert f"| +{row['change'] / 1e3:.3g}k |" in ask("diff", "old.yaml", "new.yaml", "-f", "markdown").out


# which rules were broken before

OPTIMUM = """\
runs: {a: {params: 70B, tokens: 140B}, b: {params: %s, tokens: 140B}}
policy: {each: {deny: {max_of_optimum: {params: 1.5}}}}
"""
DISAGREE = """\
runs: {a: {params: 7B, tokens: 140B}}
policy: {laws: [%s], each: {deny: {max: {disagreement: 1.01}}}}
"""


@pytest.fixture
def save(ask: Ask, tmp_path: Path) -> Callable[[str, str], str]:
    """Write a budget and the check of it as JSON; return the name of the latter."""

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.yaml").write_text(text)
        (tmp_path / f"{name}.json").write_text(ask("check", f"{name}.yaml", "--baseline", "none", "-f", "json").out)
        return f"{name}.json"

    return write


@pytest.mark.parametrize(("base", "head"), [("yaml", "yaml"), ("json", "yaml"), ("yaml", "json"), ("json", "json")])
def test_saved_or_not_the_same_rules_are_broken(
    ask: Ask, save: Callable[[str, str], str], base: str, head: str
) -> None:
    """Run a is as much too large as before; b has become so."""
    save("before", OPTIMUM % "1B")
    save("after", OPTIMUM % "90B")
    argv = ("--fail-on", "deny", "-f", "json")
    assert ask("diff", f"after.{base}", f"after.{head}", *argv).code == 0
    ran = ask("diff", f"before.{base}", f"after.{head}", *argv)
    assert [(finding["run"], finding["rule"]) for finding in json.loads(ran.out)["broken"]] == [
        ("b", "max_of_optimum params")
    ], ran.err


@pytest.mark.parametrize("base", ["few.yaml", "few.json"])
def test_a_change_of_the_policy_alone_breaks_nothing(ask: Ask, save: Callable[[str, str], str], base: str) -> None:
    """Both sides are held to the new laws."""
    save("few", DISAGREE % "chinchilla, hoffmann-2022-approach-3")
    save("many", DISAGREE % "chinchilla, openai")
    ran = ask("diff", base, "many.yaml", "--fail-on", "max disagreement")
    assert ran.code == 0, ran.out
    assert "nothing changed" in ran.out


def test_a_saved_head_needs_findings_to_fail_on(ask: Ask, save: Callable[[str, str], str], tmp_path: Path) -> None:
    save("after", OPTIMUM % "90B")
    (tmp_path / "diff.json").write_text(ask("diff", "none", "after.yaml", "-f", "json").out)
    assert ask("diff", "none", "after.json", "--fail-on", "max_of_optimum params").code == 1
    ran = ask("diff", "none", "diff.json", "--fail-on", "deny")
    assert (ran.code, ran.out) == (2, "")
    assert "give the budget file with its policy, or JSON of `scaling check`" in ran.err
    ran = ask("diff", "none", "after.json", "--fail-on", "max flops")
    assert (ran.code, ran.out) == (2, "")
    assert "a rule of after.json: max_of_optimum params" in ran.err


def test_short_names_and_rules_that_are_not_named(ask: Ask, tmp_path: Path) -> None:
    """Dollars have no price here, and nobody asked."""
    (tmp_path / "new.yaml").write_text(NEW.replace("flops: 1e22", "flops: 1e22, dollars: 5M, memory: 10GB"))
    assert ask("diff", "none", "new.yaml", "--fail-on", "max memory").code == 1
    assert ask("diff", "new.yaml", "new.yaml", "--fail-on", "max flops").code == 0
    ran = ask("diff", "new.yaml", "new.yaml", "--fail-on", "max dollars")
    assert ran.code == 2
    assert "a limit on dollars needs more of the run" in ran.err
