"""Every entry of bad_inputs.yaml, put to the real command: the right exit, a message that helps, never a traceback.

What could hang, exhaust memory or depend on the process (files, environment, generated input) runs in a process of
its own; the rest runs `main` in this one, and a sample of each kind in both.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from scaling_cli.cli.app import main

Entry = dict[str, Any]
CORPUS = Path(__file__).with_name("bad_inputs.yaml").read_text(encoding="utf-8")
ENTRIES: list[Entry] = yaml.safe_load(CORPUS)["entries"]
HANG = 10  # seconds until a process counts as hung
BOMBS = {"Y01", "Y02", "Y03", "F02", "F04", "F05", "F10"}
SAMPLE = {"Q21", "Q50", "V01", "V02", "V06", "Y83", "S12", "S15", "F42", "P09", "N02", "N05", "C14", "C25"}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
COEFFICIENTS = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
FILES = [entry for entry in ENTRIES if entry["via"] == "fs" and "stdout" not in entry["input"]]
STREAMS = [entry for entry in ENTRIES if entry["via"] == "fs" and "stdout" in entry["input"]]
ENVIRONMENTS = [entry for entry in ENTRIES if entry["via"] == "env"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX files")
CLEARED = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "LC_ALL", "PYTHONIOENCODING", "PYTHONOPTIMIZE")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def id_of(entry: Entry) -> str:
    return str(entry["id"])


Run = Callable[..., Ran]


def run_process(*argv: str, env: dict[str, str] | None = None, **options: Any) -> Ran:
    clean = {name: value for name, value in os.environ.items() if name not in CLEARED}
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "scaling_cli", *argv]
    done = subprocess.run(command, env={**clean, **(env or {})}, timeout=HANG, stdin=subprocess.DEVNULL, **streams)
    return Ran(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return Ran(int(caught.value.code or 0), out, err)

    return run


def judge(entry: Entry, ran: Ran) -> None:
    expect = entry["expect"]
    assert ran.code == expect["exit"], ran.err
    assert "Traceback" not in ran.err
    assert not CONTROL.search(ran.err)
    said = ran.err if expect["outcome"] == "error" else ran.out + ran.err
    assert expect.get("message_has", "").lower() in said.lower()
    if expect["outcome"] == "error":
        assert ran.out == ""
        assert ran.err.strip()
    else:
        assert "\x1b" not in ran.out
        assert ran.out.strip()


def generated(recipe: Entry) -> bytes:
    if "bytes_hex" in recipe:
        return bytes.fromhex(recipe["bytes_hex"])
    middle = recipe.get("text", "") + recipe.get("repeat", "") * recipe.get("times", 0)
    text = recipe.get("prefix", "") + middle + recipe.get("suffix", "")
    rest = [generated(recipe[key]) for key in ("then", "finally") if key in recipe]
    return b"".join([str(text).encode(), *rest])


def given(entry: Entry) -> bytes:
    return generated(entry["generate"]) if "generate" in entry else entry["input"].encode()


def preset(entry: Entry) -> bytes:
    if entry["via"] == "preset_yaml":
        return given(entry)
    formula = given(entry).decode()
    used = {name: value for name, value in COEFFICIENTS.items() if re.search(rf"\b{name}\b", formula)}
    law = {"schema": 1, "id": "t", "relations": {"loss": {"formula": formula, "coefficients": used}}}
    return json.dumps(law).encode()  # a JSON document is a YAML document


def cases(*vias: str) -> list[Any]:
    """Return (entry, whether in a process of its own); samples twice."""
    found = []
    for entry in (entry for entry in ENTRIES if entry["via"] in vias):
        ways = (True, False) if entry["id"] in SAMPLE else (entry["id"] in BOMBS or "generate" in entry,)
        found += [pytest.param(entry, alone, id=f"{entry['id']}-{'process' if alone else 'here'}") for alone in ways]
    return found


@pytest.mark.parametrize(("entry", "alone"), cases("flag"))
def test_flag(entry: Entry, alone: bool, run_here: Run) -> None:
    recipe = entry.get("generate")
    option, text = (recipe["flag"], generated(recipe).decode()) if recipe else entry["input"]
    ran = (run_process if alone else run_here)("plan", option, text, "--format", "json")
    judge(entry, ran)
    if "value" in entry["expect"]:
        assert json.loads(ran.out)["rows"][0][option.removeprefix("--")] == entry["expect"]["value"]
    else:
        assert option in ran.err
        assert len(ran.err) < 1000


@pytest.mark.parametrize(("entry", "alone"), cases("argv", "law_name"))
def test_arguments(entry: Entry, alone: bool, run_here: Run) -> None:
    by_name = entry["via"] == "law_name"
    argv = ["plan", "--flops", "1e22", f"--law={entry['input']}"] if by_name else entry["input"]
    judge(entry, (run_process if alone else run_here)(*argv))


@pytest.mark.parametrize(("entry", "alone"), cases("preset_yaml", "formula"))
def test_preset(entry: Entry, alone: bool, run_here: Run, tmp_path: Path) -> None:
    run = run_process if alone else run_here
    path = tmp_path / "law.yaml"
    path.write_bytes(preset(entry))
    ran = run("plan", "--flops", "1e22", "--law", str(path))
    judge(entry, ran)
    if entry["expect"]["exit"] == 2:
        assert str(path) in ran.err
        judge(entry, run("laws", "check", str(path)))


@pytest.mark.parametrize(("entry", "alone"), cases("runs_csv"))
def test_runs(entry: Entry, alone: bool, run_here: Run, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(given(entry))
    ran = (run_process if alone else run_here)("fit", str(path), "--draws", "50")
    judge(entry, ran)
    if entry["expect"]["exit"] == 2:
        assert path.name in ran.err


def make_file(description: dict[str, str], folder: Path) -> str:
    """Set up what an entry describes and return the path to name."""
    match description:
        case {"path": path, "mode": mode}:
            (folder / path).write_text("id: t\n")
            (folder / path).chmod(int(mode, 8))
        case {"fifo": path}:
            os.mkfifo(folder / path)
        case {"symlink_loop": path}:
            (folder / path).symlink_to(path)
        case {"path": path}:
            pass
    return path


@POSIX
@pytest.mark.parametrize("entry", FILES, ids=id_of)
def test_file(entry: Entry, tmp_path: Path) -> None:
    if "mode" in entry["input"] and os.geteuid() == 0:
        pytest.skip("root may read every file, so no permission can be missing")
    path = make_file(entry["input"], tmp_path)
    for command in (["laws", "check"], ["fit"]):
        ran = run_process(*command, path if os.sep in path else f"./{path}", cwd=tmp_path)
        judge(entry, ran)
        assert path in ran.err


@POSIX
@pytest.mark.parametrize("entry", STREAMS, ids=id_of)
def test_stdout(entry: Entry) -> None:
    if entry["input"]["stdout"] == "closed pipe":
        reader, out = os.pipe()
        os.close(reader)
    else:
        out = os.open(entry["input"]["stdout"], os.O_WRONLY)
    try:
        ran = run_process("laws", stdout=out)
    finally:
        os.close(out)
    assert ran.code == entry["expect"]["exit"]
    assert entry["expect"].get("message_has", "") in ran.err
    assert "Traceback" not in ran.err
    assert bool(ran.err) == (ran.code != 0)


@pytest.mark.parametrize("entry", ENVIRONMENTS, ids=id_of)
def test_environment(entry: Entry) -> None:
    env = entry["input"]
    for argv in (["plan", "--flops", "1e22"], ["--help"]):
        ran = run_process(*argv, env=env)
        judge(entry, ran)
        assert ran.err == ""
        assert ran.out.isascii() or "ascii" not in env.values()
    if "stdout_has" in entry["expect"]:
        assert entry["expect"]["stdout_has"] in run_process("plan", "--help", env=env).out.lower()


def test_the_corpus_is_read_whole() -> None:
    assert len({entry["id"] for entry in ENTRIES}) == len(ENTRIES) > 100
    assert {entry["via"] for entry in ENTRIES} == {
        "flag",
        "argv",
        "law_name",
        "preset_yaml",
        "formula",
        "runs_csv",
        "fs",
        "env",
    }
