"""Findings and errors of a budget file stand at the key that they speak of, in block style as well."""

from pathlib import Path

import pytest

from scaling_cli.checks import check_file
from scaling_cli.core.sheets import deciding_line
from scaling_cli.errors import FileError, NoAnswer, ScalingError

BLOCK = """\
defaults:
  gpu: h100
runs:
  big:
    law: chinchilla
    params: 70B
    tokens: 15T
    gpus: 512
    price: 2.50
policy:
  each:
    deny:
      max:
        {limit}
  total:
    deny:
      max:
        flops: 1e30
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scaling.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def line_of(tmp_path: Path, limit: str, old: str = "", new: str = "") -> tuple[int, ...]:
    found = check_file(write(tmp_path, BLOCK.format(limit=limit).replace(old, new))).findings
    return tuple(finding.line for finding in found)


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        ("params: 7B", 6),
        ("tokens: 1T", 7),
        ("dollars: 1", 6),  # not what the run says itself: the first of its knowns
        ("days: 1", 6),
        ("memory: 1GB", 6),
        ("loss: 0.1", 6),
    ],
)
def test_a_finding_stands_at_the_key_that_decides(limit: str, line: int, tmp_path: Path) -> None:
    assert line_of(tmp_path, limit) == (line,)


def test_a_finding_on_the_sum_stands_at_its_limit(tmp_path: Path) -> None:
    assert line_of(tmp_path, "params: 80B", "1e30", "1e20") == (18,)


def test_a_run_planned_up_to_its_limits_decides_by_them(tmp_path: Path) -> None:
    text = BLOCK.replace("    params: 70B\n    tokens: 15T\n", "    max:\n      days: 30\n")
    (finding,) = check_file(write(tmp_path, text.format(limit="dollars: 1"))).findings
    assert finding.line == 6
    (finding,) = check_file(write(tmp_path, text.format(limit="days: 1"))).findings
    assert finding.line == 7


@pytest.mark.parametrize(
    ("keys", "quantity", "line"),
    [
        ({"params": 3, "flops": 4}, "tokens", 4),
        ({"params": 3, "flops": 4}, "params", 3),
        ({"config": 3, "tokens": 4}, "params", 3),
        ({"config": 3, "tokens": 4}, "dollars", 4),
        ({"config": 3, "gpu": 2}, "dollars", 3),
        ({"gpu": 2}, "dollars", 0),
        ({"config": 3, "tokens": 4}, "memory_bytes", 3),
        ({"tokens": 4, "params": 5}, "memory_bytes", 5),
        ({"params": 3, "unique_tokens": 4, "tokens": 5}, "epochs", 4),
        ({"params": 3, "tokens": 5}, "epochs", 5),
        ({"max": 3, "max params": 4, "max days": 5}, "params", 4),
        ({"max": 3, "max params": 4, "max days": 5}, "days", 5),
        ({"max": 3, "max params": 4, "max days": 5}, "dollars", 3),
        ({"max": 3, "max memory": 4}, "memory_bytes", 4),
        ({"max": 3, "max days": 4, "min": 5, "min params": 6}, "params", 6),
        ({"flops": 2, "max": 3, "max params": 4}, "params", 4),
        ({"params": 1, "tokens": 2, "max": 3, "max dollars": 4}, "dollars", 1),  # two knowns leave no choice
    ],
)
def test_which_key_decides(keys: dict[str, int], quantity: str, line: int) -> None:
    assert deciding_line(keys, quantity) == line


WRONG = {
    ("law: chinchilla", "law: nosuch"): (5, "runs.big: law: no law has the preset name 'nosuch'"),
    ("law: chinchilla", "law: nosuch.yaml"): (5, "runs.big: law: "),
    ("law: chinchilla", "set: {nosuch: 1}"): (5, "runs.big: set: hoffmann-2022 has no variable nosuch"),
    ("gpu: h100", "gpu: h1000"): (2, "runs.big: gpu: unknown accelerator"),
    ("gpus: 512", "gpus: 0.5"): (8, "accelerators (gpus) is 0.5"),
    ("gpus: 512", "gpus: 512\n    gpu: h1000"): (9, "runs.big: gpu: unknown accelerator"),
    ("price: 2.50", "price: nosuch.yaml"): (9, "runs.big: price: "),
    ("tokens: 15T", "loss: 0.1"): (7, "runs.big: "),
    ("params: 70B\n", "config: nosuch.json\n"): (6, "runs.big: config: "),
    ("    params: 70B\n    tokens: 15T", "    max:\n      days: 30\n      dollars: -5"): (8, "max: {dollars: -5}"),
    ("    params: 70B\n    tokens: 15T", "    max:\n      days: 30\n      dollars: much"): (8, "'much'"),
    ("policy:\n", "policy:\n  laws: [chinchilla, nosuch]\n"): (11, "policy.laws: no law has the preset name"),
    ("policy:\n", "policy:\n  laws: [chinchilla, hoffmann-2022]\n"): (
        11,
        "policy.laws: chinchilla and hoffmann-2022 are",
    ),
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change[1].split("\n")[-1].strip())
def test_an_error_stands_at_its_key(change: tuple[str, str], tmp_path: Path) -> None:
    line, message = WRONG[change]
    path = write(tmp_path, BLOCK.format(limit="dollars: 1").replace(*change))
    with pytest.raises(ScalingError) as caught:
        check_file(path)
    assert isinstance(caught.value, NoAnswer if "loss" in change[1] else FileError)
    assert str(caught.value).startswith(f"{path} line {line}: ")
    assert message in str(caught.value)
    assert "--" not in str(caught.value)


def test_a_file_that_is_not_there_is_named_by_its_run_and_key(tmp_path: Path) -> None:
    path = write(tmp_path, BLOCK.format(limit="dollars: 1").replace("params: 70B", "config: nosuch.json"))
    with pytest.raises(FileError, match=r"scaling\.yaml line 6: runs\.big: config: .*nosuch\.json: no such file"):
        check_file(path)


def test_a_file_says_its_hints_as_a_file(tmp_path: Path) -> None:
    limit = BLOCK.format(limit="dollars: 1")
    for change, hint in {
        ("    price: 2.50\n", ""): "give gpu: h100, price: 2.50",
        ("dollars: 1\n", "lifetime_dollars: 1\n"): "give inference_tokens: 2T",
        ("  gpu: h100\n", "  precision: bf16\n"): "name it: gpu: h100",
    }.items():
        with pytest.raises(FileError) as caught:
            check_file(write(tmp_path, limit.replace(*change)))
        assert hint in str(caught.value)


def test_a_file_without_a_limit_is_told_how_to_write_one(tmp_path: Path) -> None:
    path = write(tmp_path, "runs: {a: {params: 7B, tokens: 1T}}\npolicy:\n  each:\n    deny:\n")
    with pytest.raises(FileError, match="no limit is given") as caught:
        check_file(path)
    assert "policy: {each: {deny: {max: {dollars: 1M}}}}" in str(caught.value)
    assert "--" not in str(caught.value)
