"""What the tests of commands share: running one in this process."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scaling_cli.cli.app import main
from scaling_cli.fitting import Request, fit_runs, save_fit

RUNS = Path(__file__).parents[2] / "examples" / "runs.csv"


class Ran(NamedTuple):
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of JSON."""
        found: list[dict[str, Any]] = json.loads(self.out)["rows"]
        return found


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `scaling` in this process."""

    def run(*argv: str, stdin: str | bytes = "") -> Ran:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as caught:
            main()
        return Ran(int(caught.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a saved fit of the example's runs."""
    folder = tmp_path_factory.mktemp("saved")
    save_fit(fit_runs(Request(str(RUNS), draws=40)), str(folder / "mine.yaml"))
    return folder


@pytest.fixture
def mine(saved: Path, tmp_path: Path) -> str:
    """Return the path of a saved fit that a test may spoil."""
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return str(tmp_path / "mine.yaml")
