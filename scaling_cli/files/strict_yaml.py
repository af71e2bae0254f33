"""YAML as data and nothing else: PyYAML's event stream with the scalar rules of YAML 1.2.

PyYAML's constructors are not used: to them 1e22 is text, `no` is false, the last of two equal keys wins, and a few
hundred bytes of aliases fill the memory. The only importer of yaml.
"""

import math
import re
from typing import NoReturn

import yaml

from scaling_cli.errors import FileError
from scaling_cli.files.values import Block, Items, Number, Value

_LOADER = getattr(yaml, "CLoader", yaml.Loader)
_MAX_DEPTH, _MAX_VALUES, _MAX_CHARACTERS = 16, 20_000, 4096  # characters of one key or value

# control characters, surrogates, byte order marks, line breaks of YAML 1.1; tabs and directives divide the two loaders
_REFUSED = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
    r"|(?<![^\r\n])%(?!YAML +1\.2\s)"
)
# YAML 1.2.2, section 10.3.2 (core schema); what none of these matches is text
_PLAIN = re.compile(
    r"""(?P<constant>null|Null|NULL|~||true|True|TRUE|false|False|FALSE)
    |(?P<radix>0x[0-9a-fA-F]+|0o[0-7]+)
    |(?P<infinite>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    |(?P<padded>[-+]?0[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)
    |(?P<number>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)""",
    re.VERBOSE,
)
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
_SYNTAX_HINT = "quote text that holds ': ' or starts with a special character"
_FAULTS = {"radix": "is not decimal", "infinite": "is not finite", "padded": "has a leading zero"}


def parse_yaml(text: str, path: str) -> Block:
    """Return the mapping that a YAML text holds; `yes`, 1_000 and dates in it are text.

    Args:
        text: one document, as `reading.read_text` gives it.
        path: where it came from, for messages.
    Raises: FileError with path, line and key: syntax, anchors, merge keys, tags, duplicate or non-string keys, a second
        document, numbers that a float cannot hold, more than 20 000 values, 16 levels or 4096 characters in one value.
    """
    text = text.removeprefix("\ufeff")
    if refused := _REFUSED.search(text):
        problem, line = f"character {_shown(refused[0])} is not allowed here", text.count("\n", 0, refused.start()) + 1
        raise FileError(path, problem, "expected printable text, with blanks for tabs", line=line)
    try:
        return _Walk(text, path).document()
    except yaml.MarkedYAMLError as error:
        began = error.context_mark
        hint = f"{error.context} that starts on line {began.line + 1}" if began else _SYNTAX_HINT
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FileError(path, _shown(str(error.problem)), hint, line=line) from None
    except (ValueError, OverflowError):  # of the pure-Python loader alone
        raise FileError(path, "an escape is beyond U+10FFFF") from None


class _Walk:
    """One pass over the events of a text."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.events = yaml.parse(text, Loader=_LOADER)
        self.trail: list[str] = []  # keys and positions from the top to the value at hand
        self.values = 0

    def document(self) -> Block:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise FileError(self.path, "is empty", "expected a mapping: key, colon, value")
        root = self.value(first := next(self.events))
        if not isinstance(root, Block):
            self.fail(first, "expected a mapping: key, colon, value")
        next(self.events)  # the document ends
        if not isinstance(after := next(self.events), yaml.StreamEndEvent):
            self.fail(after, "a second document starts here", "expected one")
        return root

    def value(self, event: yaml.Event) -> Value:
        self.require_plain_data(event)
        self.values += 1
        if self.values > _MAX_VALUES:
            self.fail(event, f"more than {_MAX_VALUES} values")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if len(self.trail) >= _MAX_DEPTH:
            self.fail(event, f"nested deeper than the limit of {_MAX_DEPTH} levels")
        return self.block(event) if isinstance(event, yaml.MappingStartEvent) else self.items(event)

    def block(self, start: yaml.Event) -> Block:
        block = Block(_line(start))
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, block)
            block.lines[key] = _line(event)
            self.trail.append(key)
            block[key] = self.value(next(self.events))
            self.trail.pop()
        return block

    def items(self, start: yaml.Event) -> Items:
        items = Items(_line(start))
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.lines.append(_line(event))
            self.trail.append(str(len(items.lines)))
            items.append(self.value(event))
            self.trail.pop()
        return items

    def key(self, event: yaml.Event, block: Block) -> str:
        self.require_plain_data(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.fail(event, "keys must be strings", "found a list or a mapping")
        key = event.value
        if event.implicit[0] and key == "<<":
            self.fail(event, "merge keys are not allowed", "write the keys out")
        if event.implicit[0] and _PLAIN.fullmatch(key):
            self.fail(event, f"keys must be strings, not {_shown(key) or 'empty'}", "quote it")
        if key in block:
            self.fail(event, f"duplicate key {_shown(key)}", f"first on line {block.lines[key]}")
        return key

    def scalar(self, event: yaml.ScalarEvent) -> Number | str | bool | None:
        text = event.value
        if not event.implicit[0] or not (match := _PLAIN.fullmatch(text)):
            return text  # quoted, a block of text, or like nothing else
        kind = str(match.lastgroup)
        if kind == "constant":
            return _CONSTANTS[text.lower()]
        if kind in _FAULTS:
            self.fail(
                event,
                f"{_shown(text)} {_FAULTS[kind]}",
                "write it as a decimal number, or quote it where text is meant",
            )
        number = Number(text)
        if math.isinf(number) or (not number and re.match(r"[-+0.]*[1-9]", text)):
            problem = "overflows" if number else "underflows to zero"
            self.fail(event, f"{_shown(text)} {problem}", "expected 0, or a size from 4.95e-324 to 1.797e308")
        return number

    def require_plain_data(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            self.fail(event, "anchors and aliases are not allowed", "write the value out")
        if getattr(event, "tag", None) is not None:
            self.fail(event, "tags are not allowed", "quote what is text")
        text = getattr(event, "value", "")
        if len(text) > _MAX_CHARACTERS:
            self.fail(event, f"longer than {_MAX_CHARACTERS} characters")
        if re.search("[\ud800-\udfff]", text):  # from an escape; the C loader refuses those by itself
            self.fail(event, "an escape stands for half a character", "write the character itself")

    def fail(self, event: yaml.Event, message: str, *hints: str) -> NoReturn:
        where = f"{_shown('.'.join(self.trail))}: " if self.trail else ""
        raise FileError(self.path, f"{where}{message}", *hints, line=_line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _shown(text: str) -> str:
    """Text that is short and holds nothing a terminal would obey."""
    short = text if len(text) <= 80 else f"{text[:60]}...{text[-17:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)
