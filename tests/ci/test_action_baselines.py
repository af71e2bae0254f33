"""What the action compares with: the file as the base has it, wherever it lies; never nothing without a word."""

import json
from pathlib import Path
from typing import Any

import pytest

Scratch = Any  # of conftest.py
MORE = 6 * 6738415616 * 100e9 / (6 * (1e9 * 40e9 + 6738415616 * 300e9))  # of FLOPs: Llama 7B on 400B against 300B


@pytest.fixture
def raised(scratch: Scratch) -> str:
    """The base, under a commit that raises the FLOPs by a third."""
    base: str = scratch.git("rev-parse", "HEAD")
    scratch.commit(scaling__yaml=scratch.budget.replace("300B", "400B"))
    return base


def rise(done: Any) -> float:
    """Return the increase that the action gives out."""
    return float(done.outputs["increase"] or "nan")


# --- where the file lies ---


def test_an_absolute_path_in_the_workspace_is_compared(scratch: Scratch, raised: str) -> None:
    done = scratch.run(file=str(scratch.workspace / "scaling.yaml"), baseline=raised)
    assert (done.code, done.outputs["passed"]) == (1, "false"), done.err
    assert float(done.outputs["increase"]) == pytest.approx(MORE)
    assert done.log.startswith("::error file=scaling.yaml,line=13,")


def test_a_workspace_behind_a_link_is_compared(scratch: Scratch, raised: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(scratch.workspace)
    done = scratch.run(file=str(tmp_path / "link" / "scaling.yaml"), baseline=raised)
    assert (done.code, rise(done)) == (1, pytest.approx(MORE)), done.log


def test_a_path_as_windows_writes_it_is_compared(scratch: Scratch) -> None:
    files = {"plans/scaling__yaml": scratch.budget.replace("config.json", "../config.json")}
    base = scratch.commit(**files)
    scratch.commit(**{name: text.replace("300B", "400B") for name, text in files.items()})
    scratch.env["RUNNER_OS"] = "Windows"
    done = scratch.run(file="plans\\scaling.yaml", baseline=base)
    assert (done.code, rise(done)) == (1, pytest.approx(MORE)), done.log


@pytest.mark.parametrize("prefix", ["", "{workspace}/"])
def test_a_checkout_in_a_folder_of_the_workspace_is_compared(scratch: Scratch, raised: str, prefix: str) -> None:
    """As `actions/checkout` with `path: repo` makes it."""
    scratch.workspace = scratch.workspace.parent
    file = prefix.format(workspace=scratch.workspace) + "repo/scaling.yaml"
    done = scratch.run(file=file, baseline=raised)
    assert (done.code, rise(done)) == (1, pytest.approx(MORE)), done.log
    assert done.log.startswith("::error file=repo/scaling.yaml,line=13,")


@pytest.mark.parametrize("name", ["other/scaling.yaml", "no such folder/scaling.yaml"])
def test_a_path_outside_the_workspace_is_no_new_budget(scratch: Scratch, tmp_path: Path, name: str) -> None:
    """Not even where it lies in a repository of its own."""
    scratch.git("clone", "-q", str(scratch.workspace), "other", cwd=tmp_path)
    base = scratch.git("rev-parse", "HEAD")
    done = scratch.run(file=str(tmp_path / name), baseline=base)
    assert (done.code, done.outputs["passed"]) == (2, "false")
    assert "outside the workspace" in done.log
    assert "outside the workspace" in done.summary


def test_a_sparse_checkout_is_compared(scratch: Scratch) -> None:
    """The base is read whole, whatever part of it is checked out."""
    text = scratch.budget.replace("config.json", "../models/config.json")
    files = {"plans/scaling__yaml": text, "models/config__json": json.dumps(scratch.config)}
    base = scratch.commit(**files)
    scratch.commit(**files | {"plans/scaling__yaml": text.replace("config: ../models/config.json", "params: 9B")})
    scratch.git("sparse-checkout", "set", "--no-cone", "/plans/")
    assert not (scratch.workspace / "models").exists()
    done = scratch.run(file="plans/scaling.yaml", baseline=base)
    assert (done.code, rise(done)) == (1, pytest.approx(0.32, abs=0.02)), done.log


# --- a file that the base has under another name, or not at all ---


def test_a_renamed_budget_is_compared_with_its_older_name(scratch: Scratch) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.git("rm", "-q", "scaling.yaml")
    text = scratch.budget.replace("300B", "400B").replace("config.json", "../config.json")
    scratch.commit(**{"über plans/budget__yaml": text})
    done = scratch.run(file="über plans/budget.yaml", baseline=base)
    assert (done.code, rise(done)) == (1, pytest.approx(MORE)), done.log
    said = f"über plans/budget.yaml is scaling.yaml in the baseline {base}"
    assert f"::notice title=scaling check::{said}" in done.log.splitlines()
    assert said in done.summary


def test_a_budget_that_the_base_does_not_have_is_told_of(scratch: Scratch) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.git("rm", "-q", "scaling.yaml")
    scratch.commit(
        budget__yaml="runs: {a: {params: 9B, tokens: 9T}}\n" + scratch.relative.replace("  total", "policy:\n  total")
    )
    done = scratch.run(file="budget.yaml", baseline=base)
    assert (done.code, done.outputs["increase"]) == (0, "")
    said = f"the baseline {base} has no budget.yaml"
    assert f"::warning title=scaling check::{said}" in done.log
    assert f"    {said}" in done.summary


@pytest.mark.parametrize(("baseline", "told"), [("", False), ("none", False), ("0" * 40, True)])
def test_only_a_baseline_that_was_asked_for_is_missed(scratch: Scratch, baseline: str, told: bool) -> None:
    done = scratch.run(baseline=baseline)
    assert done.code == 0
    assert ("::warning title=scaling check::" in done.log) == told


@pytest.mark.parametrize("word", ["--show-prefix", "--show-toplevel", "read-tree", "checkout-index", "diff-tree"])
def test_what_fails_in_git_is_no_new_budget(scratch: Scratch, word: str) -> None:
    base = scratch.git("rev-parse", "HEAD")
    scratch.commit(new__yaml="runs: {a: {params: 1B, tokens: 9B}}\npolicy: {each: {deny: {max: {params: 2B}}}}\n")
    assert scratch.run(file="new.yaml", baseline=base).code == 0
    scratch.repository.break_git(word)
    done = scratch.run(file="new.yaml", baseline=base)
    assert (done.code, done.outputs["passed"]) == (2, "false"), done.log
    assert "broken" in done.log


# --- a base that cannot be read ---


@pytest.fixture(params=["budget", "config"])
def broken(request: pytest.FixtureRequest, scratch: Scratch) -> tuple[str, str]:
    """A base whose budget, or config, is wrong, and where; the head repairs it."""
    if request.param == "budget":
        return scratch.commit(scaling__yaml=scratch.budget.replace("300B", "plenty")), "scaling.yaml line 4:"
    return scratch.commit(config__json="{"), "config.json"


def test_a_base_that_cannot_be_read_holds_what_is_relative_to_it(scratch: Scratch, broken: tuple[str, str]) -> None:
    """A limit on increases cannot be held, which is no pass; the message is of the baseline and how to go on."""
    base, where = broken
    scratch.commit(scaling__yaml=scratch.budget, config__json=json.dumps(scratch.config))
    done = scratch.run(baseline=base)
    assert (done.code, done.outputs["passed"]) == (2, "false")
    for text in (done.log, done.summary):
        assert f"the baseline {base}:{where}" in text
        assert "max_increase flops has no baseline to compare with" in text
        assert "give this step a baseline that can be read" in text
        assert str(scratch.temp) not in text


def test_a_base_that_cannot_be_read_is_a_warning_without(scratch: Scratch, broken: tuple[str, str]) -> None:
    """Where nothing is relative to the base, the change that repairs it passes, and says what was not compared."""
    base, where = broken
    text = scratch.budget.replace(scratch.relative, "")
    scratch.commit(scaling__yaml=text, config__json=json.dumps(scratch.config))
    done = scratch.run(baseline=base)
    assert (done.code, done.outputs["passed"], done.outputs["increase"]) == (0, "true", ""), done.log
    (warning,) = [line for line in done.log.splitlines() if line.startswith("::warning title=scaling check::")]
    assert f"the baseline {base}:{where}" in warning
    assert f"the baseline {base}:{where}" in done.summary
    assert "scaling-diff" not in done.summary
    scratch.commit(scaling__yaml=text.replace("1B", "11B"))
    assert scratch.run(baseline=base).code == 1  # what is absolute holds
