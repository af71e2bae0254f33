"""The hook for pre-commit: its entry run as git runs it, at real commits of a scratch repository."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
Repository = Any  # of conftest.py
Done = subprocess.CompletedProcess[str]


def install(repository: Repository, *args: str) -> None:
    """Make the entry the hook of git, with args as pre-commit appends them."""
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {shlex.join([*shlex.split(HOOK['entry']), *(args or HOOK['args'])])}\n")
    hook.chmod(0o755)


def commit(repository: Repository, *words: str, **files: str) -> Done:
    """Commit files under the hook; nothing of it may stay in the temporary folder or in the repository."""
    repository.write(**files)
    done: Done = repository.call("git", "commit", "-q", "-m", "change", *words)
    assert not list(repository.temp.iterdir())
    status = repository.git("status", "--porcelain", "--untracked-files=all")
    assert all(line[0] in "AMRD" for line in status.splitlines()), status
    return done


def test_every_commit_is_checked_whatever_it_touches() -> None:
    assert (HOOK["id"], HOOK["language"]) == ("scaling-check", "python")
    assert HOOK["always_run"] is True
    assert HOOK["pass_filenames"] is False
    assert HOOK["args"] == ["scaling.yaml"]
    assert not {"files", "types", "types_or", "exclude", "stages"} & set(HOOK)


def test_an_increase_over_head_is_refused(repository: Repository) -> None:
    install(repository)
    done = commit(repository, scaling__yaml=repository.budget.replace("300B", "400B"))
    assert done.returncode == 1, done.stderr
    assert "max_increase flops" in done.stderr + done.stdout
    done = commit(repository, scaling__yaml=repository.budget.replace("300B", "310B"))
    assert done.returncode == 0, done.stderr


def test_a_config_that_the_budget_names_counts(repository: Repository) -> None:
    """A quarter more layers, and no change of the budget."""
    install(repository)
    done = commit(repository, config__json=json.dumps(repository.config | {"num_hidden_layers": 40}))
    assert done.returncode == 1, done.stderr


def test_args_name_another_file_and_options(repository: Repository) -> None:
    text = "runs: {a: {params: 1B, tokens: 4B}}\npolicy: {each: {warn: {max: {dollars: 1, params: 2B}}}}\n"
    text = text.replace("dollars: 1, ", "")
    install(repository, "plans/my budget.yml", "--fail-on", "warn")
    assert commit(repository, **{"plans/my budget__yml": text}).returncode == 0
    done = commit(repository, **{"plans/my budget__yml": text.replace("1B", "3B")})
    assert done.returncode == 1, done.stderr
    install(repository, "plans/my budget.yml")
    assert commit(repository).returncode == 0


def test_options_alone_are_of_the_default_file(repository: Repository) -> None:
    install(repository, "--fail-on", "warn")
    done = commit(repository, scaling__yaml=repository.budget.replace("40B", "4B"))
    assert done.returncode == 1, done.stderr
    install(repository)
    assert commit(repository).returncode == 0


def test_a_missing_file_is_an_error(repository: Repository) -> None:
    install(repository, "plans/budget.yaml")
    done = commit(repository, other="x")
    assert done.returncode != 0
    assert "plans/budget.yaml: no such file" in done.stderr


def test_the_first_commit_has_nothing_to_compare_with(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "new")
    install(repository)
    assert commit(repository).returncode == 0


def test_a_new_budget_has_nothing_to_compare_with(repository: Repository) -> None:
    install(repository, "new.yaml")
    assert commit(repository, new__yaml=repository.budget).returncode == 0
    assert commit(repository, new__yaml=repository.budget.replace("300B", "400B")).returncode == 1


@pytest.mark.parametrize("name", ["new.yaml", "über plans/new.yaml"])
def test_a_renamed_budget_is_compared_with_its_older_name(repository: Repository, name: str) -> None:
    install(repository, name)
    text = repository.budget.replace("300B", "400B")
    repository.git("rm", "-q", "scaling.yaml")
    text = text.replace("config.json", "../config.json") if "/" in name else text
    done = commit(repository, **{name: text})
    assert done.returncode == 1, done.stderr


def test_a_linked_worktree_and_all_of_it_at_once(repository: Repository, tmp_path: Path) -> None:
    """Git hands its hooks an index and a folder of its own there."""
    install(repository)
    repository.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    repository.path = tmp_path / "linked"
    (repository.path / "scaling.yaml").write_text(repository.budget.replace("300B", "400B"), encoding="utf-8")
    assert repository.call("git", "commit", "-q", "-a", "-m", "x").returncode == 1
    (repository.path / "scaling.yaml").write_text(repository.budget.replace("300B", "310B"), encoding="utf-8")
    assert repository.call("git", "commit", "-q", "-a", "-m", "x").returncode == 0


def test_a_head_that_cannot_be_read_is_named_with_the_way_on(repository: Repository) -> None:
    repository.commit(scaling__yaml=repository.budget.replace("300B", "plenty"))
    install(repository)
    done = commit(repository, scaling__yaml=repository.budget)
    assert done.returncode == 1  # git's own
    assert "in HEAD, with which max_increase compares:\nerror: scaling.yaml line 4:" in done.stderr
    assert "SKIP=scaling-check git commit" in done.stderr
    assert commit(repository, scaling__yaml=repository.budget.replace(repository.relative, "")).returncode == 0


@pytest.mark.parametrize("word", ["ls-files", "rev-parse", "ls-tree", "diff-index", "read-tree", "checkout-index"])
def test_what_fails_in_git_is_no_pass(repository: Repository, word: str) -> None:
    repository.write(scaling__yaml=repository.budget.replace("300B", "310B"))
    install(repository)
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    assert repository.call(str(hook)).returncode == 0
    repository.break_git(word)
    done = repository.call(str(hook))
    assert done.returncode not in (0, 1)
    assert "broken" in done.stderr
    assert not list(repository.temp.iterdir())


def test_nothing_is_spliced(repository: Repository) -> None:
    name = "a $(touch spliced) \"'`touch spliced`.yaml"
    install(repository, name)
    assert commit(repository, **{name.replace(".", "__"): repository.budget}).returncode == 0
    assert commit(repository, **{name.replace(".", "__"): repository.budget.replace("300B", "4T")}).returncode == 1
    assert not list(repository.path.glob("spliced*"))
