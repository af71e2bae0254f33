"""What is going on, for people who wait: one line on stderr, gone when the work is done; silent where nobody looks."""

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import Self

AFTER = 1.0  # seconds of silence: what is quicker needs no line
EVERY = 0.25  # seconds between two lines


class Progress:
    """A context in which a terminal shows how far some work is; call it with how many are just done, from any thread.

    Args:
        label: what is going on, in ASCII.
        things: what is counted.
        total: how many there are to do; 0 where nobody knows.
        after: what comes when all of them are done.
    """

    def __init__(self, label: str, things: str = "", total: int = 0, *, after: str = "what is left") -> None:
        self._label = label
        self._things = things
        self._total = total
        self._after = after
        self._done = self._first = 0
        self._began = self._since = self._last = time.monotonic()
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Self:
        if sys.__stderr__ is not None and sys.__stderr__.isatty():
            self._thread.start()
        return self

    def __call__(self, count: int) -> None:
        """Say that so many more are done."""
        with self._lock:
            self._done += count
            self._last = time.monotonic()
            if not self._first:  # what came before, such as reading, says nothing of the pace
                self._first, self._since = self._done, self._last

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def line(self) -> str:
        """What the terminal shows."""
        now = time.monotonic()
        if not self._done:
            return f"{self._label}: {now - self._began:.0f} s so far"
        if not self._total:
            return f"{self._label}: {self._done} {self._things}"
        if self._done >= self._total:
            since = f"{now - self._last:.0f} s so far"
            return f"{self._label}: {self._total} {self._things} done; {self._after}: {since}"
        line = f"{self._label}: {self._done} of {self._total} {self._things}"
        if self._done == self._first:
            return line
        left = (self._total - self._done) * (now - self._since) / (self._done - self._first)
        return f"{line}, {left:.0f} s left"

    def _show(self) -> None:
        """Write the line until the end, over itself, and erase it."""
        shown, wait = 0, AFTER
        while not self._end.wait(wait):
            line, wait = self.line, EVERY
            _write(f"\r{line:{shown}}")
            shown = max(shown, len(line))
        if shown:
            _write(f"\r{'':{shown}}\r")


def _write(text: str) -> None:
    # past the guard of stderr, which makes a carriage return inert; the text is ours alone
    if sys.__stderr__ is not None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that has gone, a closed stream
            sys.__stderr__.write(text)
            sys.__stderr__.flush()
