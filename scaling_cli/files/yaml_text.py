"""Plain data to YAML that people like to read and `strict_yaml` reads back as it was. No dumper: ours is smaller.

The data: mappings, lists and tuples, texts, ints, finite floats, None, and `Number`, whose digits stay as they are.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping

from scaling_cli.errors import InputError
from scaling_cli.files.values import Number

STEP = "  "
WIDTH = 120 - 2 * len(STEP)  # of a line, less the margin of most lines
PLAIN = (1e-4, 1e6)  # sizes between which a number is written without an exponent

_IN_FLOW = frozenset("[]{},:#")
_OTHER_VALUES = frozenset(("null", "true", "false", "yes", "no", "on", "off"))  # to some reader or other


def yaml_text(data: Mapping[str, object], *, deep: Mapping[str, int]) -> str:
    """Return a mapping as YAML text.

    Args:
        data: the mapping.
        deep: for keys of the top, how many levels below them stand on lines of their own; the rest is written as
            `{...}` and `[...]` where it fits on a line.

    Raises: InputError for a number that is not finite.
    """
    lines: list[str] = []
    for key, value in data.items():
        lines.extend(_entry(key, value, deep.get(key, 0)))
    return "\n".join(lines) + "\n"


def _entry(key: str, value: object, deep: int) -> Iterator[str]:
    """Yield the lines of `key: value`, from the margin."""
    yield from _value(f"{_text(key, flow=False)}:", value, deep)


def _value(lead: str, value: object, deep: int) -> Iterator[str]:
    """Yield the lines of a value behind its key or dash."""
    whole = _flow(value) if isinstance(value, Mapping | list | tuple) else _scalar(value, flow=False)
    line = f"{lead} {whole}"
    if isinstance(value, str) and len(line) > WIDTH and _can_fold(value):
        yield f"{lead} >-"
        yield from (STEP + line for line in _folded(value))
    elif not isinstance(value, Mapping | list | tuple) or not value or (deep <= 0 and len(line) <= WIDTH):
        yield line
    elif isinstance(value, Mapping):
        yield lead
        for key, inner in value.items():
            yield from (STEP + line for line in _entry(key, inner, deep - 1))
    else:
        yield lead
        for inner in value:
            yield from (STEP + line for line in _item(inner))


def _item(value: object) -> Iterator[str]:
    """Yield the lines of an item of a list."""
    if isinstance(value, Mapping) and len(_flow(value)) > WIDTH - len(STEP):
        lines = [line for key, inner in value.items() for line in _entry(key, inner, 0)]
        yield f"- {lines[0]}"
        yield from (STEP + line for line in lines[1:])
    elif isinstance(value, list | tuple):
        yield f"- {_flow(value)}"
    else:
        yield from _value("-", value, 0)


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key, flow=True)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, flow=True)


def _scalar(value: object, *, flow: bool) -> str:
    if isinstance(value, str):
        return _text(value, flow=flow)
    if isinstance(value, Number):
        return value.text
    if value is None:
        return "~"
    if isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value):
        return _number(float(value)) if isinstance(value, float) else str(int(value))
    raise InputError(f"{value!r:.40} cannot be written", "expected text or a finite number")


def _number(value: float) -> str:
    """Return the shortest text that reads as this number.

    >>> _number(2048.0), _number(1.4e12), _number(-1e-05), _number(0.1)
    ('2048', '1.4e12', '-1e-5', '0.1')
    """
    shortest = repr(value).removesuffix(".0")
    if value == 0.0 or PLAIN[0] <= abs(value) < PLAIN[1]:
        return shortest
    mantissa, _, exponent = shortest.partition("e")
    sign, (whole, _, fraction) = mantissa[: mantissa.startswith("-")], mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).rstrip("0")
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{len(whole) - 1 + int(exponent or 0)}"


def _text(text: str, *, flow: bool) -> str:
    """Return text as it is where nothing else could be read in it, else in double quotes."""
    special = (flow and not _IN_FLOW.isdisjoint(text)) or ": " in text or " #" in text or text.endswith((":", " "))
    if text[:1].isalpha() and text.isprintable() and not special and text.lower() not in _OTHER_VALUES:
        return text
    return re.sub(r"[^ -~]", _escaped, json.dumps(text, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return character if character.isprintable() else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _can_fold(text: str) -> bool:
    return text.isprintable() and "  " not in text and text.strip() == text


def _folded(text: str) -> Iterator[str]:
    """Yield text in lines, which `>-` joins again with blanks."""
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > WIDTH - len(STEP):
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
