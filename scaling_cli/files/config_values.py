"""The values of one model's config.json: sizes and switches, checked; where absent, what they mean in its family."""

from collections.abc import Mapping
from typing import NoReturn

from scaling_cli.errors import FileError
from scaling_cli.files.families import KEYS, Family

MOST = 10**8  # of any size: a hundred times the widest and the largest vocabulary that we know of
MOST_LAYERS = 10_000


class Values:
    """The keys of a config and what they mean in its family.

    Args:
        block: the parsed mapping of the model.
        path: the file, for messages.
        family: how the family reads it.
        section: where the mapping stands: '' or 'text_config.'.

    Fields:
        assumed: the keys of sizes that the file does not have, with the family's default.
    """

    def __init__(self, block: Mapping[str, object], path: str, family: Family, *, section: str = "") -> None:
        self.block = block
        self.path = path
        self.family = family
        self.section = section
        self.assumed: dict[str, int] = {}

    def fail(self, key: str, problem: str, *hints: str) -> NoReturn:
        """Raise FileError at a key."""
        raise FileError(self.path, f"{self.section}{key} {problem}", *hints)

    def key(self, role: str) -> str:
        """Return the key in the file that holds a quantity, or its own key where none does."""
        keys = self.family.keys.get(role) or KEYS.get(role, (role,))
        return next((key for key in keys if key in self.block), keys[-1])

    def size(self, role: str) -> int:
        """Return a quantity that must have a number."""
        value = self.optional(role)
        if value is None:
            key = self.key(role)
            self.fail(key, "is null" if key in self.block else "is missing", "expected a whole number of at least 1")
        return value

    def optional(self, role: str) -> int | None:
        """Return a quantity; None where it is null, absent without a default, or the family does not read it."""
        if role not in self.family.defaults:
            return None
        default = self.family.defaults[role]
        key = self.key(role)
        if key not in self.block and default is not None:
            self.assumed[key] = default
        return self.whole(key, default, least=0 if role in self.family.may_be_zero else 1)

    def whole(self, key: str, default: int | None, *, least: int = 1) -> int | None:
        """Return the whole number under a key of the file; None for null."""
        value = self.block.get(key, default)
        most = MOST_LAYERS if "layer" in key else MOST
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fail(key, f"is {shown(value)}", f"expected a whole number from {least} to {most}")
        return value

    def flag(self, key: str | bool, default: bool = False) -> bool:
        """Return a switch of the file, or one that always stands so; null is off."""
        if isinstance(key, bool):
            return key
        value = self.block.get(key, default)
        if value is not None and not isinstance(value, bool):
            self.fail(key, f"is {shown(value)}", "expected true or false")
        return bool(value)

    def list(self, key: str) -> list[object]:
        """Return a list of the file, empty where it is absent or null."""
        value = self.block.get(key)
        if value is not None and not isinstance(value, list):
            self.fail(key, f"is {shown(value)}", "expected a list")
        return value or []


def shown(value: object) -> str:
    """Return a value as a message may show it, cut short and without what a terminal could act on."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a whole number of {value.bit_length()} bits"
    return ascii(value)[:40]
