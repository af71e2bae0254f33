"""stdout and stderr without surprises: a reader that has gone is no error, a full disk is; foreign text is inert."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from scaling_cli.errors import ScalingError
from scaling_cli.report.text import clean


class Guarded:
    """A stream that remembers a failure to write, and is silent where its reader has gone away."""

    def __init__(self, stream: TextIO, name: str, change: Callable[[str], str] | None = None) -> None:
        self._stream = stream
        self._name = name
        self._change = change
        self.failure = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        changed = self._change(text) if self._change else text
        return self._guard(lambda: self._stream.write(changed)) or 0

    def flush(self) -> None:
        """Flush what was written."""
        self._guard(self._stream.flush)

    def _guard(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except BrokenPipeError:
            self._silence()
        except OSError as error:
            self._silence()
            self.failure = f"cannot write to {self._name}: {error.strerror}"
        return None

    def _silence(self) -> None:
        # Python flushes again at exit; give it somewhere to put the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def inert(text: str) -> str:
    """Return text whose only control characters are line ends and tabs, in the letters stderr can show."""
    lines = "\n".join("\t".join(clean(part) for part in line.split("\t")) for line in text.split("\n"))
    encoding = getattr(sys.__stderr__, "encoding", None) or "ascii"
    return lines.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Put guards in front of stdout and stderr.

    Raises: ScalingError when stdout is closed or could not be written.
    """
    stdout, stderr = sys.stdout, sys.stderr
    if stderr is not None:
        sys.stderr = cast(TextIO, Guarded(stderr, "stderr", inert))
    try:
        if stdout is None:
            raise ScalingError("cannot write to stdout: it is closed")
        guard = Guarded(stdout, "stdout")
        sys.stdout = cast(TextIO, guard)
        try:
            yield
        finally:
            guard.flush()
            if guard.failure:  # whoever wrote may have passed over it, and an exit must not hide it
                raise ScalingError(guard.failure)
    finally:
        sys.stdout, sys.stderr = stdout, stderr
