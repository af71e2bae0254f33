"""Whoever waits at a terminal is told how far it is; nobody else is, and an interruption leaves nothing behind."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaling_cli.cli import progress as module
from scaling_cli.cli.progress import Progress

RUNS = str(Path(__file__).parents[2] / "examples" / "runs.csv")
HANG = 30  # seconds until a process counts as hung
MOST = "20000"  # refits: seconds of work
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX terminals and signals")


class Screen(io.StringIO):
    """A terminal that remembers everything, and says when something is on it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = threading.Event()
        self.wanted = ":"

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        if self.wanted in self.getvalue():
            self.seen.set()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    found = Screen()
    monkeypatch.setattr(sys, "__stderr__", found)
    monkeypatch.setattr(module, "AFTER", 0.0)
    monkeypatch.setattr(module, "EVERY", 0.001)
    return found


def on_screen(text: str) -> str:
    """Return what a terminal shows after a line of text with carriage returns."""
    shown = ""
    for part in text.split("\r"):
        shown = part + shown[len(part) :]
    return shown.rstrip(" ")


def test_what_is_done_of_what_there_is(screen: Screen) -> None:
    screen.wanted = "fitting: 75 of 100 refits, "
    with Progress("fitting", "refits", 100) as progress:
        progress(50)
        progress(25)
        assert screen.seen.wait(HANG)
        assert re.search(r"75 of 100 refits, \d+ s left", screen.getvalue())
        assert "\n" not in screen.getvalue()
    assert on_screen(screen.getvalue()) == ""


def test_what_comes_after_all_is_done(screen: Screen) -> None:
    screen.wanted = "done; "
    with Progress("fitting", "refits", 100, after="intervals") as progress:
        progress(50)
        progress(50)
        assert screen.seen.wait(HANG)
    shown = screen.getvalue()
    assert re.search(r"fitting: 100 refits done; intervals: \d+ s so far", shown)
    assert "100 of 100" not in shown
    assert " 0 s left" not in shown


def test_time_where_nothing_is_counted(screen: Screen) -> None:
    with Progress("planning"):
        assert screen.seen.wait(HANG)
    assert "planning: 0 s so far" in screen.getvalue()
    assert on_screen(screen.getvalue()) == ""


def test_a_shorter_line_hides_a_longer_one(screen: Screen) -> None:
    with Progress("fitting", "refits", 10_000) as progress:
        assert screen.seen.wait(HANG)
        screen.seen.clear()
        screen.wanted = "9999 of"
        progress(9999)
        assert screen.seen.wait(HANG)
    assert "fitting: 9999 of 10000 refits" in screen.getvalue()
    assert on_screen(screen.getvalue()) == ""


def test_the_line_goes_when_the_work_fails(screen: Screen) -> None:
    def interrupted() -> None:
        with Progress("fitting"):
            assert screen.seen.wait(HANG)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert screen.getvalue().endswith("\r")
    assert on_screen(screen.getvalue()) == ""


def test_what_is_quick_is_silent(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER", HANG)
    with Progress("fitting", "refits", 10) as progress:
        progress(10)
    assert screen.getvalue() == ""


def test_a_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stderr__", pipe := io.StringIO())
    monkeypatch.setattr(module, "AFTER", 0.0)
    threads = threading.active_count()
    with Progress("fitting", "refits", 10) as progress:
        progress(5)
        assert threading.active_count() == threads
    assert pipe.getvalue() == ""


def test_without_stderr_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stderr__", None)
    with Progress("fitting") as progress:
        progress(1)


def test_a_terminal_that_has_gone_is_no_error(screen: Screen) -> None:
    with Progress("fitting"):
        assert screen.seen.wait(HANG)
        screen.close()


# a real terminal, and a real Ctrl-C


def pieces(source: int) -> Iterator[str]:
    """Yield what a terminal is sent, until its other end is closed."""
    while True:
        try:
            data = os.read(source, 65536)
        except OSError:  # Linux: the other end is closed
            return
        if not data:
            return
        yield data.decode()


def many_runs(path: Path) -> str:
    """Write the example's runs many times over, with losses a little apart, so that refits take long."""
    header, *rows = Path(RUNS).read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *(f"{row}{i}" for i in range(30) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


@posix
@pytest.mark.parametrize("old", ["", "old"])
def test_an_interrupted_fit_leaves_everything_as_it_was(tmp_path: Path, old: str) -> None:
    """Exit code 130, no traceback, an empty line on the terminal, no new file and no changed one."""
    import pty

    saved = tmp_path / "mine.yaml"
    if old:
        saved.write_text(old, encoding="utf-8")
    outside, inside = pty.openpty()
    argv = ["fit", many_runs(tmp_path / "runs.csv"), "--draws", MOST, "--save", str(saved), "--force"]
    command = [sys.executable, "-m", "scaling_cli", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=inside, stdin=subprocess.DEVNULL) as process:
        os.close(inside)
        sent = ""
        for piece in pieces(outside):
            if f"of {MOST} refits" not in sent and f"of {MOST} refits" in sent + piece:
                process.send_signal(signal.SIGINT)
            sent += piece
        assert process.wait(timeout=HANG) == 130
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(outside)
    assert f"of {MOST} refits" in sent
    assert "\n" not in sent
    assert on_screen(sent) == ""
    assert {path.name for path in tmp_path.iterdir()} == {"runs.csv", *(["mine.yaml"] if old else [])}
    assert not old or saved.read_text(encoding="utf-8") == old
