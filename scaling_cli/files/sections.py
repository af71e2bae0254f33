"""One mapping of a file with its place: typed look-ups whose errors name file, line and key."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import NoReturn

from scaling_cli.errors import FileError
from scaling_cli.files.values import Block, Items, Number, Value

SHOWN = 40  # characters of a value in a message, quotes included


class Section:
    """A mapping of the file, or the empty one where the key is absent.

    Args:
        block: the parsed mapping.
        path: the file, for messages.
        keys: where the mapping stands, such as ("relations", "loss").
    """

    def __init__(self, block: Block, path: str, keys: tuple[str, ...] = ()) -> None:
        self.block = block
        self.path = path
        self.keys = keys

    def __contains__(self, key: str) -> bool:
        return key in self.block

    def __iter__(self) -> Iterator[str]:
        return iter(self.block)

    def fail(self, key: str, problem: str, *hints: str) -> NoReturn:
        """Raise FileError at a key of this mapping."""
        name = ".".join((*self.keys, key) if key else self.keys) or "the file"
        raise FileError(self.path, f"{name} {problem}", *hints, line=self.block.lines.get(key, self.block.line))

    def allow(self, known: tuple[str, ...]) -> "Section":
        """Refuse any key outside `known`."""
        for key in self.block:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"the keys here: {', '.join(known)}"
                self.fail(key, "is not a key of this section", hint)
        return self

    def section(self, key: str) -> "Section":
        """Return the mapping under a key."""
        value = self.block.get(key)
        if value is None:
            return Section(Block(self.block.lines.get(key, self.block.line)), self.path, (*self.keys, key))
        if not isinstance(value, Block):
            self.fail(key, f"is {shown(value)}: expected a mapping such as {{name: value}}")
        return Section(value, self.path, (*self.keys, key))

    def sections(self, key: str) -> list["Section"]:
        """Return the mappings listed under a key."""
        found = []
        for i, value in enumerate(self.items(key)):
            if not isinstance(value, Block):
                self.fail(key, f"item {i + 1} is {shown(value)}: expected a mapping")
            found.append(Section(value, self.path, (*self.keys, f"{key}[{i + 1}]")))
        return found

    def items(self, key: str) -> list[Value]:
        """Return the list under a key, empty where it is absent."""
        value = self.block.get(key)
        if value is None:
            return []
        if not isinstance(value, Items):
            self.fail(key, f"is {shown(value)}: expected a list such as [one, two]")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return the text under a key; a number or a truth value stands for its own text."""
        value = self.block.get(key)
        if value is None:
            return default
        if isinstance(value, Number):
            return value.text
        if isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            self.fail(key, f"is {shown(value)}: expected text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under a key; one text stands for a list of one."""
        if isinstance(self.block.get(key), str):
            return (self.text(key),)
        found = []
        for i, value in enumerate(self.items(key)):
            if not isinstance(value, str):
                self.fail(key, f"item {i + 1} is {shown(value)}: expected text")
            found.append(value)
        return tuple(found)

    def number(self, key: str) -> float:
        """Return the number under a key."""
        if key not in self.block:
            self.fail("", f"has no {key}")
        value = self.block[key]
        if not isinstance(value, Number):
            self.fail(key, f"is {shown(value)}: expected a number")
        return float(value)

    def numbers(self) -> dict[str, float]:
        """Return the whole mapping as numbers by name."""
        return {key: self.number(key) for key in self.block}

    def facts(self) -> dict[str, str | float]:
        """Return the whole mapping as texts and numbers by name; whole numbers as int."""
        found: dict[str, str | float] = {}
        for key, value in self.block.items():
            if isinstance(value, Number):
                found[key] = int(value.text) if value.text.lstrip("+-").isdecimal() else float(value)
            elif isinstance(value, str):
                found[key] = value
            else:
                self.fail(key, f"is {shown(value)}: expected text or a number")
        return found

    def interval(self, key: str) -> tuple[float, float]:
        """Return [low, high] under a key."""
        values = self.items(key)
        if len(values) != 2 or not all(isinstance(value, Number) for value in values):
            self.fail(key, f"is {shown(self.block[key])}: expected [low, high]")
        low, high = (float(value) for value in values if isinstance(value, Number))
        if low > high:
            self.fail(key, f"is [{low:g}, {high:g}]: expected [low, high]")
        return low, high


def shown(value: Value) -> str:
    """Return a value as a message may show it."""
    match value:
        case None:
            return "empty"
        case Number(text=text):
            return text[:40]
        case Block() | Items():
            return "a mapping" if isinstance(value, Block) else "a list"
    quoted = repr(value)
    if len(quoted) <= SHOWN or not isinstance(value, str):
        return quoted[:SHOWN]
    kept = next(k for k in range(SHOWN - 2, -1, -1) if len(repr(value[:k])) <= SHOWN)
    return f"{value[:kept]!r}..."
