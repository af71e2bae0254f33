"""Budgets told as machines: "512xH100 for 30d @40%", "30.84M H100-hours @40%". Text in, its parts out."""

import re
from typing import NamedTuple

from scaling_cli.core.machines import HOURS_PER_DAY, check_utilisation
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import InputError

_CHIP = r"(?P<chip>[A-Za-z][A-Za-z0-9 ._-]*?)"
_SHARE = r"(?:@ *(?P<share>[0-9.]+) *(?P<percent>%?))?"
# as texts: re compiles and keeps them when they are first needed, which most plans never do
_FLEET = rf"(?P<count>[0-9._]+[kKmM]?) *[xX*] *{_CHIP} +for +(?P<time>[0-9._]+) *(?P<unit>[A-Za-z]+) *{_SHARE}"
_HOURS = rf"(?P<hours>[0-9._eE+]+ *[kKmMbB]?) +{_CHIP}[ -](?:gpu[ -]?)?hours? *{_SHARE}"
_TELLS = r"\bfor\b|@|hours?\b|^[0-9._]+[kKmM]? *[xX*] *[A-Za-z]"
# hours in a unit of time; a month or a year is no fixed number of hours, so it is not here
HOURS = {"h": 1.0, "d": HOURS_PER_DAY, "w": 7.0 * HOURS_PER_DAY, "min": 1.0 / 60.0, "s": 1.0 / 3600.0}
_WORDS = {
    "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    "minute": "min", "minutes": "min", "mins": "min", "second": "s", "seconds": "s", "sec": "s",
}  # fmt: skip
EXPECTED = "expected compute: 1e22, '512xH100 for 30d @40%' or '30.84M H100-hours @40%'"
MOST = 100  # characters


class MachineBudget(NamedTuple):
    """An accelerator by name, its hours, how many at once, and the utilisation; None where the text does not say."""

    chip: str
    gpu_hours: float
    gpus: float | None = None
    mfu: float | None = None


def is_machine_budget(text: str) -> bool:
    """Whether a text speaks of a machine rather than of FLOPs.

    >>> is_machine_budget("512xH100 for 30d"), is_machine_budget("3640 PF-days")
    (True, False)
    """
    return (
        len(text) <= MOST and bool(re.search(_TELLS, text)) and "flop" not in text.lower() and "pf" not in text.lower()
    )


def parse_machine_budget(text: str, name: str) -> MachineBudget:
    """Return what a machine budget says.

    Args:
        text: such as "512xH100 for 30d @40%".
        name: how it was given, for messages.

    Raises: InputError naming what is wrong.

    >>> parse_machine_budget("512xH100 for 30d @40%", "--flops")
    MachineBudget(chip='H100', gpu_hours=368640.0, gpus=512.0, mfu=0.4)
    """
    bare = " ".join(text.split())
    fleet, hours = re.fullmatch(_FLEET, bare), re.fullmatch(_HOURS, bare, re.IGNORECASE)
    found = fleet or hours
    if found is None:
        raise InputError(f"{name} is {ascii(text[:MOST])}, which is no amount of compute", EXPECTED)
    mfu = _share(found["share"], bool(found["percent"]), name)
    if hours:
        return MachineBudget(hours["chip"], _above_zero(hours["hours"], f"{name}: the hours"), None, mfu)
    count = _above_zero(found["count"], f"{name}: the number of accelerators")
    time = _above_zero(found["time"], f"{name}: the time") * _unit(found["unit"], name)
    return MachineBudget(found["chip"], count * time, count, mfu)


def _unit(word: str, name: str) -> float:
    unit = _WORDS.get(word.lower(), word)
    if unit not in HOURS:
        hint = "expected d for days, h for hours, w for weeks or min for minutes"
        raise InputError(f"{name}: the time is in {word[:20]!r}, which is no unit of time here", hint)
    return HOURS[unit]


def _above_zero(text: str, name: str) -> float:
    value = parse_quantity(text, "number", name)
    if value <= 0.0:
        raise InputError(f"{name} is {text}", "expected a number greater than zero")
    return value


def _share(text: str | None, percent: bool, name: str) -> float | None:
    if text is None:
        return None
    value = parse_quantity(text, "number", f"{name}: the utilisation") / (100.0 if percent else 1.0)
    check_utilisation(value, name)
    return value
