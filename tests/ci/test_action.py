"""The GitHub action: read as GitHub reads it, its own shell run on a scratch repository with a base and a head."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
Scratch = Any  # of conftest.py


# --- what the file says ---


def test_steps_take_values_from_the_environment_alone() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        assert step["shell"] == "bash"
        assert step["run"].startswith("set -euo pipefail\n")
        assert "${{" not in step["run"]
    given = " ".join(str(value) for step in STEPS for value in step.get("env", {}).values())
    assert set(re.findall(r"inputs\.([a-z-]+)", given)) == set(ACTION["inputs"])


def test_inputs_and_outputs_are_those_agreed() -> None:
    assert list(ACTION["inputs"]) == ["file", "baseline", "format", "fail-on"]
    assert list(ACTION["outputs"]) == ["passed", "flops", "dollars", "increase", "report"]
    assert ACTION["inputs"]["baseline"]["default"] == "${{ github.event.pull_request.base.sha }}"
    for value in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert value["description"]


# --- what its shell does ---


def test_an_increase_fails_with_annotation_outputs_and_summary(scratch: Scratch) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.commit(scaling__yaml=scratch.budget.replace("300B", "400B"))
    done = scratch.run(baseline=base)
    assert done.code == 1, done.err
    assert re.search(r"^::error file=scaling.yaml,line=13,title=max_increase flops%3A total::", done.log, re.MULTILINE)
    assert done.outputs["passed"] == "false"
    # 6ND of 1B on 40B, and of Llama 7B (6738415616 parameters) on 400B against 300B
    before, after = (6 * (1e9 * 40e9 + 6738415616 * tokens) for tokens in (300e9, 400e9))
    assert float(done.outputs["flops"]) == pytest.approx(after)
    assert float(done.outputs["increase"]) == pytest.approx(after / before - 1)
    assert float(done.outputs["dollars"]) > 0
    assert done.outputs["report"] == ""
    assert re.findall(r"^<!-- (.*) -->$", done.summary, re.MULTILINE) == ["scaling-check", "scaling-diff"]
    assert re.search(r"<code>base</code> \| <code>tokens</code> \| 300B \| 400B \|.* \+33.3 %", done.summary)
    assert scratch.git("status", "--porcelain") == ""
    installed = (scratch.temp / "installed").read_text(encoding="utf-8").split("\n")
    assert installed[:3] == ["-m", "pip", "install"]
    assert str(ROOT) in installed


def test_the_example_in_two_commits(scratch: Scratch) -> None:
    """Each finding stands at its line of the example, and the diff shows the run that changed."""
    text = (ROOT / "examples" / "scaling.yaml").read_text(encoding="utf-8")
    head = text.replace("small-7b: {params: 7B, tokens: 150B}", "small-7b: {params: 7B, tokens: 300B}")
    assert head != text
    base = scratch.commit(scaling__yaml=text)
    scratch.commit(scaling__yaml=head)
    done = scratch.run(baseline=base)
    assert (done.code, done.outputs["passed"]) == (1, "false"), done.err
    found = re.findall(r"^::(\w+) file=scaling.yaml,line=(\d+),title=(.*?)::", done.log, re.MULTILINE)
    lines = {number: line.split(":")[0].strip() for number, line in enumerate(head.splitlines(), 1)}
    assert [(level, title, lines[int(number)]) for level, number, title in found] == [
        ("error", "max dollars%3A main-70b", "main-70b"),
        ("error", "max extrapolation%3A int8-60b", "int8-60b"),
        ("warning", "max epochs%3A code-3b", "code-3b"),
    ]
    rows = re.findall(r"^\| <code>(\S+)</code> \| <code>tokens</code> \| (.*) \|$", done.summary, re.MULTILINE)
    assert [(run, *cells.split(" | ")[:2], cells.split(" | ")[-1]) for run, cells in rows] == [
        ("small-7b", "150B", "300B", "+100.0 %")
    ]
    assert float(done.outputs["increase"]) == pytest.approx(6 * 7e9 * 150e9 / (float(done.outputs["flops"]) - 6.3e21))


def test_a_change_within_the_policy_passes(scratch: Scratch) -> None:
    """A branch's name will do, and the config that the budget names is read as the baseline had it."""
    scratch.git("checkout", "-q", "-b", "change")
    scratch.commit(config__json=json.dumps(scratch.config | {"num_hidden_layers": 34}))
    done = scratch.run(baseline="main")
    assert (done.code, done.outputs["passed"]) == (0, "true"), done.err
    assert 0.05 < float(done.outputs["increase"]) < 0.0625
    assert "::error" not in done.log


@pytest.mark.parametrize("baseline", ["", "none", "0" * 40, "empty"])
def test_a_new_budget_has_no_increase(scratch: Scratch, baseline: str) -> None:
    scratch.git("checkout", "-q", "--orphan", "empty")
    scratch.git("rm", "-q", "-r", "--cached", ".")
    scratch.git("commit", "-q", "--allow-empty", "-m", "nothing")
    scratch.git("checkout", "-q", "-f", "main")
    done = scratch.run(baseline=baseline)
    assert (done.code, done.outputs["passed"], done.outputs["increase"]) == (0, "true", ""), done.err
    assert ("scaling-diff" in done.summary) == bool(baseline)


@pytest.mark.parametrize(("fmt", "ending", "start"), [("sarif", ".sarif", "{"), ("junit", ".xml", "<?xml")])
def test_other_formats_go_to_a_file(scratch: Scratch, fmt: str, ending: str, start: str) -> None:
    done = scratch.run(format=fmt, fail_on="warn")
    assert (done.code, done.log) == (0, ""), done.err
    assert done.outputs["report"].endswith(ending)
    assert Path(done.outputs["report"]).read_text(encoding="utf-8").startswith(start)


def test_a_shallow_clone_fetches_its_baseline(scratch: Scratch, tmp_path: Path) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.commit(scaling__yaml=scratch.budget.replace("300B", "310B"))
    scratch.git("config", "uploadpack.allowAnySHA1InWant", "true")
    scratch.git("clone", "-q", "--depth=1", scratch.workspace.as_uri(), "clone", cwd=tmp_path)
    scratch.workspace = tmp_path / "clone"
    done = scratch.run(baseline=base)
    assert done.code == 0, done.log + done.err
    assert float(done.outputs["increase"]) == pytest.approx(0.0327, abs=1e-3)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"file": "none.yaml"}, "none.yaml"),
        ({"format": "xml"}, "format is xml%3A"),
        ({"fail_on": "$(touch spliced)"}, "--fail-on is"),
        ({"baseline": "--output=spliced"}, "expected a commit"),
        ({"baseline": "$(touch spliced)"}, "no baseline"),
        ({"file": "x.yaml; touch spliced"}, "touch spliced"),
        ({"file": "x\n::notice::y"}, "notice"),
    ],
)
def test_what_is_wrong_is_one_annotation_and_nothing_is_spliced(
    scratch: Scratch, inputs: dict[str, str], said: str
) -> None:
    done = scratch.run(**inputs)
    assert done.code == 2
    (line,) = done.log.splitlines()
    assert line.startswith("::error title=scaling check::")
    assert said.replace("%3A", ":") in line
    assert done.outputs["passed"] == "false"
    # the same words, in a block of code that no line of theirs can end
    heading, empty, *block = done.summary.rstrip("\n").split("\n")
    assert (heading, empty) == ("### scaling check: error", "")
    assert all(text.startswith("    ") for text in block)
    assert unescaped(line.split("::", 2)[2]) == "\n".join(text[4:] for text in block)
    assert not list(scratch.workspace.glob("spliced*"))


def unescaped(text: str) -> str:
    """Return the text of an annotation as the runner reads it."""
    return text.replace("%0A", "\n").replace("%25", "%")


def test_where_no_answer_exists_the_step_says_so(scratch: Scratch) -> None:
    """Chinchilla's loss has a floor of 1.69, so no size has a loss of 1.5; exit code 3 is kept."""
    scratch.commit(scaling__yaml="runs: {a: {loss: 1.5}}\npolicy: {each: {deny: {max: {flops: 1e25}}}}\n")
    done = scratch.run()
    assert (done.code, done.outputs["passed"]) == (3, "false")
    assert "runs.a" in done.summary
    assert done.log.startswith("::error title=scaling check::")


def test_a_crash_is_an_error(scratch: Scratch) -> None:
    scratch.repository.tool("scaling", "echo Traceback >&2; exit 1")
    done = scratch.run()
    assert (done.code, done.outputs["passed"]) == (2, "false")
    assert "    Traceback\n" in done.summary


def test_where_the_install_fails_the_budget_has_not_passed(scratch: Scratch) -> None:
    scratch.repository.tool("python3", "exit 1")
    done = scratch.run()
    assert (done.code, done.outputs["passed"], done.outputs["flops"]) == (1, "false", "")


def test_hostile_names_reach_no_command_and_no_output(scratch: Scratch) -> None:
    name = '"x\\n::set-output name=passed::true\\n</code>|@bob $(touch spliced) ~x"'
    scratch.commit(scaling__yaml=scratch.budget.replace("  small:", f"  {name}:").replace("40B", "4B"))
    done = scratch.run(fail_on="warn")
    assert (done.code, done.outputs["passed"]) == (1, "false"), done.err
    assert all(re.match("::(error|warning|notice) ", line) for line in done.log.splitlines())
    assert not list(scratch.workspace.glob("spliced*"))
    (row,) = [
        line for line in done.summary.splitlines() if "set-output" in line and re.match(r"\| (error|warning)", line)
    ]
    assert row.count("|") == 9
    assert "@bob" not in row


@pytest.mark.parametrize("fmt", ["markdown", "github", "junit", "sarif"])
def test_any_encoding_of_stdout_will_do(tmp_path: Path, fmt: str) -> None:
    (tmp_path / "scaling.yaml").write_text(
        "runs: {smäll: {params: 1B, tokens: 4B}}\npolicy: {each: {warn: {min: {tokens_per_param: 20}}}}\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "scaling_cli", "check", "scaling.yaml", "--baseline", "none", "--format", fmt]
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"sm(\\xe4|&#228;|\\u00e4)ll", done.stdout)
