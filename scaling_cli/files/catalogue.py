"""The shipped presets: which there are, how names and aliases find them, and how well each is held by figures.

`presets/catalogue.json` remembers what takes long to work out: which constants a published figure holds, and each
preset in a form that is read without YAML. It is keyed by the checksum of each file, so an edited preset is read and
worked out again, never answered from memory. Written by `python -m scaling_cli.files`.
"""

import json
import os
import zlib
from difflib import get_close_matches

from scaling_cli.core.figures import checked_constants
from scaling_cli.core.laws import Law
from scaling_cli.errors import InputError
from scaling_cli.files.presets import NAME, law_from, parse_law, read_law
from scaling_cli.files.reading import read_text, write_text
from scaling_cli.files.values import Block, pack, unpack

Entry = dict[str, object]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = os.path.join(_PACKAGE, "presets")
# a wheel carries the presets inside the package; a checkout and an editable install have them beside it
PRESETS = _INSTALLED if os.path.isdir(_INSTALLED) else os.path.join(os.path.dirname(_PACKAGE), "presets")
LAWS = os.path.join(PRESETS, "laws")
LIKE = 0.65  # of two names, by difflib: at 0.6 nope is like openai; ours
CATALOGUE = os.path.join(PRESETS, "catalogue.json")


def law_ids() -> list[str]:
    """Return the ids of all shipped laws, sorted."""
    return sorted(name.removesuffix(".yaml") for name in os.listdir(LAWS) if name.endswith(".yaml"))


def load_law(name: str) -> Law:
    """Return a law by id, alias or file.

    Args:
        name: an id such as hoffmann-2022, an alias such as chinchilla, or a file (see `is_file`).

    Raises: InputError for an unknown name, with the nearest ones; FileError for a file that is wrong.

    >>> load_law("chinchilla").id
    'hoffmann-2022'
    """
    if is_file(name):
        return read_law(name)
    remembered = _remembered()
    return _load(_resolve(name, remembered), remembered)


def is_file(name: str) -> bool:
    """Whether a name means a file: it has a separator, ends in .yaml or .yml, or is '-' (stdin)."""
    return name == "-" or "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))


def _load(law_id: str, remembered: dict[str, Entry]) -> Law:
    path = os.path.join(LAWS, f"{law_id}.yaml")
    text = read_text(path)
    entry = remembered.get(law_id, {})
    packed = unpack(str(entry["preset"])) if entry.get("checksum") == zlib.crc32(text.encode()) else None
    return law_from(packed, path, shipped=True) if isinstance(packed, Block) else parse_law(text, path, shipped=True)


def _resolve(name: str, remembered: dict[str, Entry]) -> str:
    if NAME.fullmatch(name) and os.path.isfile(os.path.join(LAWS, f"{name}.yaml")):
        return name
    aliases = _aliases_of(remembered)
    if name in aliases:
        return aliases[name]
    aliases = _aliases_of(catalogue())  # a preset edited since
    if name in aliases:
        return aliases[name]
    close = get_close_matches(name.lower(), [*law_ids(), *aliases], n=3, cutoff=LIKE)
    hints = [f"Did you mean {' or '.join(close)}?"] if close else []
    if not NAME.fullmatch(name):
        hints.append("expected an id or alias of a-z 0-9 . _ -, or a file ending in .yaml")
    raise InputError(f"no law has the preset name {name[:64]!r}", *hints, "`scaling laws` lists them all")


def law_names() -> list[str]:
    """Return every id and alias, for completion."""
    return sorted({*law_ids(), *_aliases_of(catalogue())})


def load_all() -> list[Law]:
    """Return every shipped law that has constants, by id."""
    remembered = _remembered()
    laws = [_load(law_id, remembered) for law_id in law_ids()]
    return [law for law in laws if not law.is_form]


def catalogue() -> dict[str, Entry]:
    """Return what is known of every shipped law, by id: title, year, figures, constants, checked constants."""
    remembered = _remembered()
    entries: dict[str, Entry] = {}
    for law_id in law_ids():
        path = os.path.join(LAWS, f"{law_id}.yaml")
        text = read_text(path)
        checksum = zlib.crc32(text.encode())
        entry = remembered.get(law_id, {})
        entries[law_id] = entry if entry.get("checksum") == checksum else _worked_out(text, path, checksum)
    return entries


def _worked_out(text: str, path: str, checksum: int) -> Entry:
    from scaling_cli.files.strict_yaml import parse_yaml  # only for a preset edited since the catalogue was written

    law = parse_law(text, path, shipped=True)
    return {"checksum": checksum, **describe(law), "preset": pack(parse_yaml(text, path))}


def describe(law: Law) -> Entry:
    """Return the catalogue's entry of a law."""
    constants = [value for _, _, value in law.constants() if value is not None]
    checked = len(checked_constants(law))
    return {
        "aliases": list(law.aliases),
        "title": law.title,
        "year": law.source.get("year"),
        "params_kind": law.params_kind,
        "domain": law.domain,
        "relations": list(law.relations),
        "status": _status(law, len(constants), checked),
        "figures": len(law.figures),
        "constants": len(constants),
        "constants_checked": checked,
    }


def _status(law: Law, constants: int, checked: int) -> str:
    if law.is_form:
        return "form, no constants published"
    if checked == 0:
        return "transcribed, not reproduced" if law.source else "unverified"
    return "reproduced" if checked == constants else "partly reproduced"


def _aliases_of(entries: dict[str, Entry]) -> dict[str, str]:
    found = {}
    for law_id, entry in entries.items():
        aliases = entry.get("aliases")
        if isinstance(aliases, list):
            found.update({str(alias): law_id for alias in aliases})
    return found


def _remembered() -> dict[str, Entry]:
    try:
        with open(CATALOGUE, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_catalogue() -> None:
    """Bring catalogue.json up to date with the presets."""
    write_text(CATALOGUE, json.dumps(catalogue(), indent=1, ensure_ascii=False) + "\n", force=True)
