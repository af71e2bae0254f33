"""Every benchmark says how it is called, and does nothing else when that is all that is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if "\ndef main() -> None:" in path.read_text("utf-8"))
pytestmark = pytest.mark.skipif(os.name != "posix", reason="memory is measured as POSIX systems tell it")
NUMBERED = ["arrays.py", "calibration.py", "fit_speed.py", "reading.py", "startup.py"]


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / argv[0]), *argv[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str) -> None:
    ran = run(name, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"usage: {name}")
    assert f"python benchmarks/{name}" in ran.stdout


@pytest.mark.parametrize(
    ("name", "number"), [*((name, "many") for name in NUMBERED), ("arrays.py", "0"), ("arrays.py", "inf")]
)
def test_no_number(name: str, number: str) -> None:
    ran = run(name, number)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    assert number in ran.stderr


def test_every_form_is_fitted() -> None:
    """The longest table of `fit_speed.py`, with two refits."""
    script = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import fit_speed; fit_speed.forms(2)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["default", "besiroglu-2024"]
    assert all(float(line.split()[-1]) > 0.0 for line in lines[2:])


def test_every_script_is_listed() -> None:
    assert set(NUMBERED) < set(SCRIPTS)
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"`{name}`" in readme for name in SCRIPTS)
