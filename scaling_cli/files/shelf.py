"""A folder of presets of one kind (accelerators, known models), and how names find them.

As for laws, a JSON file beside the folder remembers every preset in a form that is read without YAML, keyed by the
checksum of its file, so that an edited preset is read again. Written by `python -m scaling_cli.files`.
"""

import json
import math
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Generic, Protocol, TypeVar

from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import PRESETS, is_file
from scaling_cli.files.presets import NAME, SCHEMA
from scaling_cli.files.reading import read_text, write_text
from scaling_cli.files.sections import Section, shown
from scaling_cli.files.values import Block, pack, unpack

Entry = Mapping[str, object]
MOST_NEAR = 6  # names that a message suggests
ALWAYS = ("schema", "id", "name", "aliases", "note")  # keys of every preset here

_SEPARATORS = re.compile(r"[\s_/@()-]+")
_UNNEEDED = re.compile(r"(?<![0-9]) | (?![0-9])")


class Named(Protocol):
    """What stands on a shelf: it has an id and further names."""

    @property
    def id(self) -> str:
        """The name of its file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that finds it."""


Item = TypeVar("Item", bound=Named)


class Shelf(Generic[Item]):
    """The shipped presets of one kind.

    Args:
        kind: the folder under presets/, and the command that lists it.
        noun: what one of them is called in messages.
        read: from the parsed file to what it describes; raises FileError naming the key.
        needs: keys that a shipped preset must have.
    """

    def __init__(self, kind: str, noun: str, *, read: Callable[[Section], Item], needs: Sequence[str]) -> None:
        self.kind, self.noun, self.read, self.needs = kind, noun, read, needs
        self.folder = os.path.join(PRESETS, kind)
        self.memory = os.path.join(PRESETS, f"{kind}.json")

    def ids(self) -> list[str]:
        """Return the ids of all shipped presets, sorted."""
        return sorted(name.removesuffix(".yaml") for name in os.listdir(self.folder) if name.endswith(".yaml"))

    def load(self, name: str) -> Item:
        """Return a preset by any of its names, or by file.

        Raises: InputError for an unknown or ambiguous name; FileError for a file that is wrong.
        """
        remembered = self._remembered()
        found = self._find(name, remembered)
        if found is None and is_file(name):
            return self.parse(read_text(name), name)
        if found is None:
            found = self._find(name, self.entries())  # a preset edited since
        if found is None:
            raise self._unknown(name)
        return self._load(found, remembered)

    def load_all(self) -> list[Item]:
        """Return every shipped preset, by id."""
        remembered = self._remembered()
        return [self._load(item_id, remembered) for item_id in self.ids()]

    def parse(self, text: str, path: str, *, shipped: bool = False) -> Item:
        """Return what the text of a preset file describes.

        Args:
            text: the file's text.
            path: where it came from, for messages.
            shipped: whether it is one of ours, which must name its source and carry its file's name.
        """
        from scaling_cli.files.strict_yaml import parse_yaml  # what is remembered needs no YAML

        return self._from(parse_yaml(text, path), path, shipped)

    def entries(self) -> dict[str, Entry]:
        """Return what is remembered of every preset, by id, brought up to date."""
        remembered = self._remembered()
        return {item_id: self._entry(item_id, remembered) for item_id in self.ids()}

    def write(self) -> None:
        """Write the file that remembers anew, from the folder alone."""
        entries = {item_id: self._entry(item_id, {}) for item_id in self.ids()}
        text = json.dumps(entries, indent=1, ensure_ascii=False)
        write_text(self.memory, f"{text}\n", force=True)

    def names(self) -> list[str]:
        """Return every id and alias, for completion."""
        return sorted(
            {str(name) for entry in self.entries().values() for name in _names(entry) if NAME.fullmatch(name)}
        )

    def _from(self, block: Block, path: str, shipped: bool) -> Item:
        top = Section(block, path)
        _check_head(top)
        if shipped:
            _check_shipped(top, self.needs)
        return self.read(top)

    def _load(self, item_id: str, remembered: Mapping[str, Entry]) -> Item:
        path = os.path.join(self.folder, f"{item_id}.yaml")
        text = read_text(path)
        entry = remembered.get(item_id, {})
        packed = unpack(str(entry["preset"])) if entry.get("checksum") == zlib.crc32(text.encode()) else None
        return self._from(packed, path, True) if isinstance(packed, Block) else self.parse(text, path, shipped=True)

    def _entry(self, item_id: str, remembered: Mapping[str, Entry]) -> Entry:
        path = os.path.join(self.folder, f"{item_id}.yaml")
        text = read_text(path)
        checksum = zlib.crc32(text.encode())
        entry = remembered.get(item_id, {})
        if entry.get("checksum") == checksum:
            return entry
        from scaling_cli.files.strict_yaml import parse_yaml  # only for a preset edited since

        block = parse_yaml(text, path)
        return {"checksum": checksum, "names": list(self._from(block, path, True).names), "preset": pack(block)}

    def _find(self, name: str, entries: Mapping[str, Entry]) -> str | None:
        wanted = name_key(name)
        for item_id, entry in entries.items():
            if any(name_key(each) == wanted for each in _names(entry)):
                return item_id if os.path.isfile(os.path.join(self.folder, f"{item_id}.yaml")) else None
        return None

    def _unknown(self, name: str) -> InputError:
        by_key = {name_key(each): _names(entry)[0] for entry in self.entries().values() for each in _names(entry)}
        wanted = name_key(name)
        near = list(dict.fromkeys(item_id for key, item_id in by_key.items() if wanted and key.startswith(wanted)))
        lists = f"`scaling {self.kind}` lists them all; your own is a file ending in .yaml"
        if len(near) > 1:
            more = " ..." if len(near) > MOST_NEAR else ""
            said = f"it could be {', '.join(near[:MOST_NEAR])}{more}"
            return InputError(f"{name[:64]!r} names more than one {self.noun}", said, lists)
        near = near or list(dict.fromkeys(by_key[key] for key in get_close_matches(wanted, by_key, n=3, cutoff=0.6)))
        hints = [f"did you mean {' or '.join(near)}?"] if near else []
        return InputError(f"no {self.noun} is named {name[:64]!r}", *hints, lists)

    def _remembered(self) -> dict[str, Entry]:
        try:
            with open(self.memory, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def name_key(name: str) -> str:
    """Return what two spellings of a name share: no case, and no separators but between two digits.

    >>> name_key("Llama-3.1 405B"), name_key("llama2_7b"), name_key("llama 27b")
    ('llama3.1 405b', 'llama2 7b', 'llama27b')
    """
    return _UNNEEDED.sub("", _SEPARATORS.sub(" ", name.lower()).strip())


def amount(top: Section, key: str, *, most: float = math.inf) -> float | None:
    """Return the number above zero under a key; None where it is absent."""
    if key not in top:
        return None
    value = top.number(key)
    if not 0.0 < value <= most:
        ends = "above zero" if most == math.inf else f"above zero, at most {most:g}"
        top.fail(key, f"is {value:g}: expected a number {ends}")
    return value


def whole(top: Section, key: str) -> int | None:
    """Return the whole number above zero under a key; None where it is absent."""
    value = amount(top, key)
    if value is not None and not value.is_integer():
        top.fail(key, f"is {shown(top.block[key])}: expected a whole number")
    return None if value is None else int(value)


def _names(entry: Entry) -> list[str]:
    names = entry.get("names")
    return [str(name) for name in names] if isinstance(names, list) else []


def _check_head(top: Section) -> None:
    if "schema" in top and top.number("schema") != SCHEMA:
        top.fail("schema", f"is {shown(top.block['schema'])}: this version reads schema {SCHEMA}")
    if not top.text("id"):
        top.fail("id" if "id" in top else "", "has no id: expected a name such as my-own")
    for key, name in (("id", top.text("id")), *(("aliases", alias) for alias in top.texts("aliases"))):
        if not NAME.fullmatch(name):
            top.fail(key, f"is {name[:40]!r}: expected a name of a-z 0-9 . _ -, at most 64 characters")


def _check_shipped(top: Section, needs: Sequence[str]) -> None:
    stem = os.path.splitext(os.path.basename(top.path))[0]
    if top.text("id") != stem:
        top.fail("id", f"is {top.text('id')!r} in a file named {stem}")
    for key in needs:
        if top.block.get(key) in (None, ""):
            top.fail("", f"has no {key}: a shipped preset says it")
