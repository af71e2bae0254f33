"""What the README says on CI, read from it: GitLab's job run on scratch repositories, the hook's lines, exit codes."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("\n## In CI\n") :].split("\n## ")[1]
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)]
JOB = BLOCKS[1]["budget"]
Repository = Any  # of conftest.py
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def job(repository: Repository, tmp_path: Path) -> Repository:
    """A repository whose origin is itself, and pip that installs nothing."""
    repository.git("clone", "-q", "--bare", str(repository.path), "origin", cwd=tmp_path)
    repository.git("remote", "add", "origin", str(tmp_path / "origin"))
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=tmp_path / "origin")
    repository.tool("pip", "exit 0")
    return repository


def run(job: Repository, base: str) -> Done:
    """Run the script as GitLab's runner does: its lines one after another, the first that fails is the end."""
    assert JOB["rules"] == [{"if": "$CI_MERGE_REQUEST_IID"}]
    assert all(isinstance(line, str) for line in JOB["script"])
    script = "\n".join(["set -eo pipefail", *JOB["script"]])
    done: Done = job.call("bash", "-c", script, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    return done


def test_a_config_that_the_budget_names_is_read_as_the_base_has_it(job: Repository) -> None:
    """A quarter more layers, and no change of the budget."""
    base = job.git("rev-parse", "HEAD")
    job.commit(config__json=json.dumps(job.config | {"num_hidden_layers": 40}))
    done = run(job, base)
    assert done.returncode == 1, done.stderr
    report = (job.path / JOB["artifacts"]["reports"]["junit"]).read_text(encoding="utf-8")
    assert 'failures="1"' in report


def test_a_change_within_the_policy_passes_again_and_again(job: Repository) -> None:
    base = job.git("rev-parse", "HEAD")
    job.commit(scaling__yaml=job.budget.replace("300B", "310B"))
    for _ in range(2):
        done = run(job, base)
        assert done.returncode == 0, done.stderr
        assert "nothing to compare with" not in done.stdout


def test_a_shallow_clone_fetches_its_base(job: Repository, tmp_path: Path) -> None:
    base = job.git("rev-parse", "HEAD")
    job.commit(scaling__yaml=job.budget.replace("300B", "400B"))
    job.git("push", "-q", "origin", "main")
    job.git("clone", "-q", "--depth=1", (tmp_path / "origin").as_uri(), "clone", cwd=tmp_path)
    job.path = tmp_path / "clone"
    done = run(job, base)
    assert done.returncode == 1, done.stderr
    assert "max_increase" in (job.path / "budget.xml").read_text(encoding="utf-8")


def test_a_new_budget_passes_and_says_so(job: Repository) -> None:
    job.git("rm", "-q", "scaling.yaml")
    base = job.commit(other="x")
    job.git("push", "-q", "origin", "main")
    job.commit(scaling__yaml=job.budget)
    done = run(job, base)
    assert (done.returncode, "nothing to compare with" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("word", ["fetch", "worktree"])
def test_what_fails_in_git_is_no_new_budget(job: Repository, word: str) -> None:
    base = job.git("rev-parse", "HEAD")
    job.break_git(word)
    done = run(job, base)
    assert done.returncode == 128
    assert not (job.path / "budget.xml").exists()


def test_a_base_that_origin_does_not_have_is_no_new_budget(job: Repository) -> None:
    assert run(job, "1" * 40).returncode not in (0, 1)


def test_the_hook_that_is_named_is_there() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert f"`id: {hook['id']}`" in SECTION
    (args,) = re.findall(r"`args: (\[.*?\])`", SECTION)
    assert yaml.safe_load(args)[1:] == ["--fail-on", "warn"]


def test_the_inputs_and_outputs_named_are_those_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    for kind in ("inputs", "outputs"):
        (said,) = re.findall(rf"# {kind}: (.*)", SECTION)
        assert re.findall(r"[a-z-]+", re.sub(r"\(.*?\)", "", said)) == list(action[kind])


def test_every_command_that_answers_no_is_named_at_exit_code_1() -> None:
    (said,) = re.findall(r"^- Exit codes: .*?1 answered no (.*?); 2 the question", README, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"`([a-z -]+)`", said)) == {"check", "diff --fail-on", "laws check", "fit --verify"}


@pytest.mark.parametrize("shown", re.findall(r"^```console\n\$ (.*?)^```$", README, re.DOTALL | re.MULTILINE))
def test_what_commands_are_shown_to_print(shown: str) -> None:
    """Up to "..." the output is that of the command, but for where lines end."""
    command, _, text = shown.partition("\n")
    argv = shlex.split(command.replace("scaling", f"{shlex.quote(sys.executable)} -m scaling_cli", 1))
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    said = text.partition("\n...")[0].split()
    assert len(said) > 10
    assert done.stdout.split()[: len(said)] == said


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200
