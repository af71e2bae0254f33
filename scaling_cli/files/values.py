"""What a file of ours holds once it is read: mappings, lists, numbers with their digits, and where each stands."""

import json
from typing import Any, Self, TypeAlias

Value: TypeAlias = "Block | Items | Number | str | bool | None"

_NUMBER = ""  # the key that marks a number in packed text; no YAML key of ours is empty


class Number(float):
    """A finite number; `text` is its digits as written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read a decimal number."""
        number = super().__new__(cls, text)
        number.text = text
        return number


class Block(dict[str, Value]):
    """A mapping; `line` is where it starts and `lines` where each key stands, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Items(list[Value]):
    """A list; `line` is where it starts and `lines` where each item stands, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def pack(value: Value) -> str:
    """Return a value as JSON text that keeps the digits of numbers and forgets the lines."""
    return json.dumps(_marked(value), ensure_ascii=False, separators=(",", ":"))


def unpack(text: str) -> Value:
    """Return the value that `pack` wrote."""
    return _unmarked(json.loads(text))


def _marked(value: Value) -> object:
    match value:
        case Block():
            return {key: _marked(inner) for key, inner in value.items()}
        case Items():
            return [_marked(inner) for inner in value]
        case Number(text=text):
            return {_NUMBER: text}
    return value


def _unmarked(value: Any) -> Value:
    if isinstance(value, dict):
        if _NUMBER in value:
            return Number(value[_NUMBER])
        block = Block(1)
        for key, inner in value.items():
            block[key] = _unmarked(inner)
        return block
    if isinstance(value, list):
        items = Items(1)
        items.extend(_unmarked(inner) for inner in value)
        return items
    return value if isinstance(value, str | bool) else None
