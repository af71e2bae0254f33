"""The GitHub action: read as GitHub reads it, its own shell run on a scratch repository with a base and a head."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
BASH, GIT = shutil.which("bash"), shutil.which("git")
needs_shell = pytest.mark.skipif(not (BASH and GIT), reason="needs bash and git")

BUDGET = """\
defaults: {gpu: h100, gpus: 256, price: 2.50}
runs:
  small: {params: 1B, tokens: 40B}
  base: {config: config.json, tokens: 300B}
policy:
  each:
    deny:
      max: {days: 30, params: 10B}
    warn:
      min: {tokens_per_param: 20}
  total:
    deny:
      max_increase: {flops: 10%}
"""
CONFIG = {
    **{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32},
    **{"intermediate_size": 11008, "vocab_size": 32000, "tie_word_embeddings": False},
}
# what `python3 -m venv` and pip would make, without the network
VENV = f"""\
#!{BASH}
set -eu
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!{BASH}
if [ "$1" = -m ]; then printf '%s\\n' "$@" > "$RUNNER_TEMP/installed"; else exec "{sys.executable}" "$@"; fi
END
cat > "$3/bin/scaling" <<'END'
#!{BASH}
exec "{sys.executable}" -m scaling_cli "$@"
END
chmod +x "$3/bin/python" "$3/bin/scaling"
"""


class Done(NamedTuple):
    code: int
    outputs: dict[str, str]
    summary: str
    log: str
    err: str


class Scratch:
    """A repository, and a runner that runs the action's steps in it as GitHub does."""

    def __init__(self, home: Path) -> None:
        self.repo, self.temp = home / "repo", home / "runner temp"
        self.temp.mkdir()
        tools = home / "tools"
        tools.mkdir()
        (tools / "python3").write_text(VENV, encoding="utf-8")
        (tools / "python3").chmod(0o755)
        who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITHUB_"))},
            **{"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull, **who},
            **{"RUNNER_TEMP": str(self.temp), "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_ACTIONS": "true"},
        }
        self.git("init", "-q", "-b", "main", str(self.repo), cwd=home)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.repo, env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.repo / name.replace("__", ".")).write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "budget")
        return self.git("rev-parse", "HEAD")

    def run(self, **inputs: str) -> Done:
        given = {name: str(value["default"]) for name, value in ACTION["inputs"].items()}
        given |= {"baseline": ""} | {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {f"inputs.{name}": value for name, value in given.items()}
        summary, log, err, code = self.temp / "summary", "", "", 0
        summary.write_text("")
        for step in STEPS:
            output = self.temp / f"output-{step['id']}"
            output.write_text("")
            env = {name: fill(str(text), known) for name, text in step.get("env", {}).items()}
            env |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
            script = self.temp / "step.sh"
            script.write_text(step["run"], encoding="utf-8")
            command = [str(BASH), "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
            done = subprocess.run(
                command, cwd=self.repo, env=self.env | env, capture_output=True, text=True, timeout=60
            )
            log, err, code = log + done.stdout, err + done.stderr, done.returncode
            known |= {f"steps.{step['id']}.outputs.{key}": text for key, text in read_outputs(output).items()}
            if code:
                break
        outputs = {name: fill(str(of["value"]), known) for name, of in ACTION["outputs"].items()}
        return Done(code, outputs, summary.read_text(encoding="utf-8"), log, err)


def fill(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda match: known.get(match[1], ""), text)


def read_outputs(path: Path) -> dict[str, str]:
    """Return the file commands of a step: name=value, and name<<MARK, lines, MARK."""
    found: dict[str, str] = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, heredoc, mark = line.partition("<<")
        if heredoc:
            found[name] = "\n".join(iter(lambda: next(lines), mark))  # noqa: B023  read at once
        else:
            name, equals, found[name] = line.partition("=")
            assert equals
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = Scratch(tmp_path)
    made.commit(scaling__yaml=BUDGET, config__json=json.dumps(CONFIG))
    return made


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


def test_the_hook_for_pre_commit_runs_the_command() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("scaling-check", "python", False)
    assert [hook["entry"], *hook["args"]] == ["scaling check", "scaling.yaml"]
    assert re.search(hook["files"], "budgets/scaling.yaml")
    assert not re.search(hook["files"], "scaling.yaml.md")


# --- what its shell does ---


@needs_shell
def test_an_increase_fails_with_annotation_outputs_and_summary(scratch: Scratch) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.commit(scaling__yaml=BUDGET.replace("300B", "400B"))
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
    assert "<code>base</code> | <code>tokens</code> | 300B | 400B | +33.3 %" in done.summary
    assert scratch.git("status", "--porcelain") == ""
    installed = (scratch.temp / "installed").read_text(encoding="utf-8").split("\n")
    assert installed[:3] == ["-m", "pip", "install"]
    assert str(ROOT) in installed


@needs_shell
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
    assert rows == [("small-7b", "150B | 300B | +100.0 %")]
    assert float(done.outputs["increase"]) == pytest.approx(6 * 7e9 * 150e9 / (float(done.outputs["flops"]) - 6.3e21))


@needs_shell
def test_a_change_within_the_policy_passes(scratch: Scratch) -> None:
    """A branch's name will do, and the config that the budget names is read as the baseline had it."""
    scratch.git("checkout", "-q", "-b", "change")
    scratch.commit(config__json=json.dumps(CONFIG | {"num_hidden_layers": 34}))
    done = scratch.run(baseline="main")
    assert (done.code, done.outputs["passed"]) == (0, "true"), done.err
    assert 0.05 < float(done.outputs["increase"]) < 0.0625
    assert "::error" not in done.log


@needs_shell
@pytest.mark.parametrize("baseline", ["", "none", "0" * 40, "empty"])
def test_a_new_budget_has_no_increase(scratch: Scratch, baseline: str) -> None:
    scratch.git("checkout", "-q", "--orphan", "empty")
    scratch.git("rm", "-q", "-r", "--cached", ".")
    scratch.git("commit", "-q", "--allow-empty", "-m", "nothing")
    scratch.git("checkout", "-q", "-f", "main")
    done = scratch.run(baseline=baseline)
    assert (done.code, done.outputs["passed"], done.outputs["increase"]) == (0, "true", ""), done.err
    assert ("scaling-diff" in done.summary) == bool(baseline)


@needs_shell
@pytest.mark.parametrize(("fmt", "ending", "start"), [("sarif", ".sarif", "{"), ("junit", ".xml", "<?xml")])
def test_other_formats_go_to_a_file(scratch: Scratch, fmt: str, ending: str, start: str) -> None:
    done = scratch.run(format=fmt, fail_on="warn")
    assert (done.code, done.log) == (0, ""), done.err
    assert done.outputs["report"].endswith(ending)
    assert Path(done.outputs["report"]).read_text(encoding="utf-8").startswith(start)


@needs_shell
def test_a_shallow_clone_fetches_its_baseline(scratch: Scratch, tmp_path: Path) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.commit(scaling__yaml=BUDGET.replace("300B", "310B"))
    scratch.git("config", "uploadpack.allowAnySHA1InWant", "true")
    scratch.git("clone", "-q", "--depth=1", scratch.repo.as_uri(), "clone", cwd=tmp_path)
    scratch.repo = tmp_path / "clone"
    done = scratch.run(baseline=base)
    assert done.code == 0, done.log + done.err
    assert float(done.outputs["increase"]) == pytest.approx(0.0327, abs=1e-3)


@needs_shell
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
    assert done.outputs["passed"] == ""
    assert not list(scratch.repo.glob("spliced*"))


@needs_shell
def test_hostile_names_reach_no_command_and_no_output(scratch: Scratch) -> None:
    name = '"x\\n::set-output name=passed::true\\n</code>|@bob $(touch spliced) ~x"'
    scratch.commit(scaling__yaml=BUDGET.replace("  small:", f"  {name}:").replace("40B", "4B"))
    done = scratch.run(fail_on="warn")
    assert (done.code, done.outputs["passed"]) == (1, "false"), done.err
    assert all(re.match("::(warning|notice) ", line) for line in done.log.splitlines())
    assert not list(scratch.repo.glob("spliced*"))
    (row,) = [line for line in done.summary.splitlines() if "set-output" in line and line.startswith("| warning")]
    assert row.count("|") == 9
    assert "@bob" not in row


@pytest.mark.parametrize("fmt", ["markdown", "github", "junit", "sarif"])
def test_any_encoding_of_stdout_will_do(tmp_path: Path, fmt: str) -> None:
    (tmp_path / "scaling.yaml").write_text(
        BUDGET.replace("{config: config.json", "{params: 7B").replace("small", "smäll"), encoding="utf-8"
    )
    command = [sys.executable, "-m", "scaling_cli", "check", "scaling.yaml", "--baseline", "none", "--format", fmt]
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"sm(\\xe4|&#228;|\\u00e4)ll", done.stdout)
