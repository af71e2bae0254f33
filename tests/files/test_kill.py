"""`scaling fit --save`, killed at each of its steps on the disk: the old preset or the new one, never anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaling_cli.cli.app import main
from scaling_cli.files.presets import read_law
from scaling_cli.files.saving import save_law

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")

RUNS = Path(__file__).parents[2] / "examples" / "runs.csv"
FIT = ("scaling", "fit", str(RUNS), "--draws", "20", "--save", "mine.yaml")
# The first argument is a folder. Of that, copy 0 sees a SIGKILL in place of the command's first use of the disk (of a
# write, half is done before), copy 1 in place of the second, and so on until a command reaches its end.
KILL_AT_EACH_STEP = """
import itertools, os, shutil, signal, sys
import scaling_cli.fitting, scaling_cli.report.fit
from scaling_cli.cli.app import main

def deadly(act, count, last):
    def act_or_die(*arguments, **options):
        if next(count) < last:
            return act(*arguments, **options)
        if act.__name__ == "write":
            act(arguments[0], arguments[1][: len(arguments[1]) // 2])
        with open(f"{start}.steps", "a") as steps:
            print(act.__name__, file=steps)
        os.kill(os.getpid(), signal.SIGKILL)
    return act_or_die

def run(folder, last):
    os.chdir(folder)
    count = itertools.count()
    for name in ("open", "write", "fsync", "close", "chmod", "rename", "replace", "unlink", "listdir"):
        setattr(os, name, deadly(getattr(os, name), count, last))
    main()

start, sys.argv = sys.argv[1], sys.argv[2:]
for last in itertools.count():
    folder = f"{start}-{last:03}"
    shutil.copytree(start, folder)
    child = os.fork() or run(folder, last)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))
    assert os.WTERMSIG(status) == signal.SIGKILL
"""
ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a fork has no other threads


def run_here(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr(sys, "argv", list(argv))
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def kill_at_each_step(start: Path, *argv: str) -> tuple[list[Path], list[str]]:
    """Return the folders that the killed commands leave, then that of one which was not; and where each was killed."""
    command = [sys.executable, "-W", "ignore", "-c", KILL_AT_EACH_STEP, str(start), *argv]
    done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    folders = sorted(start.parent.glob(f"{start.name}-*"))
    return folders, Path(f"{start}.steps").read_text().split()


def content(folder: Path) -> tuple[bytes, bytes] | None:
    """Return a preset and the draws that it names; None where there is no preset."""
    path = folder / "mine.yaml"
    if not path.exists():
        return None
    relation = read_law(str(path)).relations["loss"]
    return path.read_bytes(), (folder / relation.uncertainty["draws"]["file"]).read_bytes()


def check_a_folder(folder: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left can be used, and does not harm a later save, which leaves no other draws."""
    monkeypatch.chdir(folder)
    found = content(folder)
    if found:
        assert run_here(monkeypatch, "scaling", "plan", "--flops", "1e22", "--law", "mine.yaml") == 0
    save_law(read_law(str(new / "mine.yaml")), "mine.yaml", force=found is not None)
    assert content(folder) == content(new)
    assert len(list(folder.glob("mine.draws-*"))) == 1
    assert run_here(monkeypatch, "scaling", "plan", "--flops", "1e22", "--law", "mine.yaml") == 0


def test_of_a_first_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    folders, steps = kill_at_each_step(tmp_path / "empty", *FIT)
    new = content(folders[-1])
    assert new
    assert {"open", "write", "fsync", "close", "replace", "listdir"} <= set(steps)
    assert steps.count("write") == steps.count("replace") == 2  # the draws and the preset
    found = [content(folder) for folder in folders]
    appears = found.index(new)
    assert found == [None] * appears + [new] * (len(found) - appears)
    for folder in folders[:-1]:
        check_a_folder(folder, folders[-1], monkeypatch)


def test_of_a_save_over_an_old_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "saved").mkdir()
    monkeypatch.chdir(tmp_path / "saved")
    assert run_here(monkeypatch, *FIT, "--seed", "1") == 0
    old = content(tmp_path / "saved")
    folders, steps = kill_at_each_step(tmp_path / "saved", *FIT, "--force")
    new = content(folders[-1])
    assert old != new
    assert steps.count("write") == steps.count("replace") == 2
    assert steps[-1] == "unlink"  # of the old draws, when all is done
    found = [content(folder) for folder in folders]
    appears = found.index(new)
    assert 0 < appears < len(found) - 1
    assert found == [old] * appears + [new] * (len(found) - appears)
    for folder in folders[:-1]:
        check_a_folder(folder, folders[-1], monkeypatch)
