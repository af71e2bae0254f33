"""Values as the text of a cell, and foreign text made inert. Every string for people passes here."""

import re
from collections.abc import Callable, Mapping

from scaling_cli.core.quantities import format_quantity

INVISIBLE = (  # inside [...] of a pattern
    "\x7f-\x9f"  # DEL and C1: 0x9b opens a terminal escape like ESC [
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u2028\u2029\ufff9-\ufffb"  # line and paragraph ends, annotations
    "\ud800-\udfff"  # lone surrogates, which no file can hold
)
"""Beyond C0, the characters that act or hide: besides those named, Unicode's Default_Ignorable_Code_Point
(zero width, direction marks, fillers, variation selectors, tags)."""

_HOSTILE = re.compile(f"[\x00-\x1f{INVISIBLE}]")

_ASCII = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "…": "...", "±": "+/-", "≈": "~", "≤": "<=", "≥": ">=", "→": "->"}
    | {"‘": "'", "’": "'", "“": '"', "”": '"', "·": "*", "\xa0": " "}
)


def clean(text: str) -> str:
    r"""Return text with every character that acts or hides written as an escape.

    Source: Unicode Technical Reports 36 and 39 (bidirectional and invisible characters).

    >>> clean("a\x1b[2J")
    'a\\x1b[2J'
    """
    return _HOSTILE.sub(_escape, text)


def clean_line(text: str) -> str:
    """Return text on one line, white space run together, and clean."""
    return clean(" ".join(text.split()))


def to_ascii(text: str) -> str:
    """Return text in ASCII: look-alikes where they are customary, else escapes."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def format_cell(value: object, kind: str) -> str:
    """Return a value of a row as people read it: numbers rounded by their kind, text clean.

    >>> format_cell({"N": 7e10, "tied": True}, "text")
    'N=7e10; tied=yes'
    """
    return clean(join_parts(value, lambda part: _format_part(part, kind)))


def join_parts(value: object, format_part: Callable[[object], str]) -> str:
    """Return a value as one text; lists become 'a; b', mappings 'key=a; key=b'."""
    match value:
        case [*parts]:
            return "; ".join(join_parts(part, format_part) for part in parts)
        case Mapping():
            return "; ".join(f"{key}={join_parts(part, format_part)}" for key, part in value.items())
        case _:
            return format_part(value)


def _format_part(value: object, kind: str) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return format_quantity(value, "number" if kind == "text" else kind)
        case None | int():
            return format_quantity(value, kind)
        case _:
            return str(value)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
