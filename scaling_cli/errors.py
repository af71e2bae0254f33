"""Every error that `scaling` raises on purpose. Imports nothing.

ScalingError            the base; the command line prints it and exits with `exit_code`
├── InputError          a value given by the caller is wrong (exit 2)
├── FileError           a preset, run or budget file is wrong; names file and line (exit 2)
└── NoAnswer            the question is sound and has no answer (exit 3)
"""


class ScalingError(Exception):
    """An error with a message for people: what is wrong, what was expected, what to try next.

    Args:
        message: what is wrong, with the value; lower case, no full stop.
        hints: further lines: what was expected, with the unit; the next thing to try.
    """

    exit_code = 2

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message, *hints)
        self.message = message
        self.hints = hints

    def __str__(self) -> str:
        return "\n  ".join((self.message, *self.hints))


class InputError(ScalingError):
    """A value given by the caller is wrong."""


class FileError(ScalingError):
    """A file is wrong.

    Args:
        path: the file, as the user named it.
        message: what is wrong, naming the key.
        hints: further lines.
        line: 1-based line of the offending key or value, where known.
    """

    def __init__(self, path: str, message: str, *hints: str, line: int | None = None) -> None:
        where = path if line is None else f"{path} line {line}"
        super().__init__(f"{where}: {message}", *hints)
        self.path = path
        self.line = line


class NoAnswer(ScalingError):
    """The question is sound and has no answer: out of reach, not identifiable, overflow."""

    exit_code = 3
