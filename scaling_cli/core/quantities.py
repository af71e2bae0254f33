"""Quantities as people write and read them: "70B", "3640 PF-days", "5.76e23" <-> float.

The only place that knows suffixes and units. Nothing here knows a law, a file or a table.
`B` is 1e9 and `m` is a million wherever they stand; letters are read without case.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_cli.errors import InputError

PF_DAY = 8.64e19
"""FLOPs in one PF-day: 1e15 * 24 * 3600. Source: Kaplan et al. 2020, arXiv:2001.08361, section 1.3."""

HOURS_PER_DAY = 24
MAX_LENGTH = 100  # characters of a value; more is a pasted file, and int() and re get slow or raise
MAX_ECHO = 40  # characters of a value shown in a message

# Powers of ten.
SUFFIXES = {
    "": 0, "k": 3, "m": 6, "b": 9, "t": 12, "mn": 6, "bn": 9, "tn": 12,
    "thousand": 3, "million": 6, "billion": 9, "trillion": 12,
}  # fmt: skip
SI_LETTERS = {"g": 9, "p": 15, "e": 18, "z": 21, "y": 24}
SI_WORDS = {"kilo": 3, "mega": 6, "giga": 9, "tera": 12, "peta": 15, "exa": 18, "zetta": 21, "yotta": 24}
FLOP_PREFIXES = SUFFIXES | SI_LETTERS | SI_WORDS

BYTE_UNITS = {"b": 1.0, "bytes": 1.0} | {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgt", 1)
    for end, base in (("b", 1000.0), ("ib", 1024.0))
}

SHARES = ("percent", "over")  # kinds that are shown a hundredfold
MOST_DIGITS = 17  # tell any two doubles apart
_COUNTS = {"T": 1e12, "B": 1e9, "M": 1e6, "k": 1e3, "": 1.0}
_PERCENT, _NONE = {" %": 0.01}, {"": 1.0}
_BYTES = {" TB": 1e12, " GB": 1e9, " MB": 1e6, " kB": 1e3}

_DIGITS = r"\d+(?:_\d+)*"
_NUMBER = re.compile(
    rf"(?P<mantissa>[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS}))"
    rf"(?:e(?P<exponent>[+-]?{_DIGITS}))?\s*(?P<unit>.*)",
    re.IGNORECASE | re.DOTALL,  # ASCII alone reaches it
)
_FLOP_UNIT = re.compile(
    r"(?P<prefix>[a-z]*?) ?(?P<unit>flops?|f)(?P<rate> ?/ ?(?:s|sec|second)| per second)?"
    r"(?:[ -]?(?:(?P<days>d|days?)|(?P<hours>h|hours?)))?"
)


class _Kind(NamedTuple):
    """What a kind of quantity is called, how to write one, and the words that may follow it."""

    what: str
    expected: str
    nouns: tuple[str, ...] = ()


_KINDS = {
    "flops": _Kind(
        "an amount of compute",
        "expected training FLOPs, a count above zero: 1e22, 5.76e23 FLOPs, 1 ZFLOPs, 3640 PF-days",
    ),
    "params": _Kind(
        "a number of parameters",
        "expected a count of parameters above zero: 70B, 350M, 7e9",
        ("param", "params", "parameter", "parameters"),
    ),
    "tokens": _Kind(
        "a number of tokens",
        "expected a count of training tokens above zero: 1.4T, 300B, 15 trillion",
        ("token", "tokens"),
    ),
    "bytes": _Kind("an amount of memory", "expected an amount of memory above zero: 80GiB, 80GB, 640 GB"),
    "loss": _Kind("a number", "expected a loss above zero, in the units of the law (usually nats per token): 1.94"),
    "number": _Kind("a number", "expected a finite number: 0.5, 3e-4, 200k"),
}


def parse_quantity(text: str, kind: str, name: str) -> float:
    """Return the number that a person wrote.

    Args:
        text: the value as given, such as "70B" or "3640 PF-days".
        kind: flops (FLOPs, a count), params, tokens (counts) or loss: finite and above zero;
            number: any finite number.
        name: how the value was given, for messages, such as "--flops".

    Returns:
        FLOPs, a count, a loss, or the plain number.

    Raises:
        InputError: text is not such a quantity.

    >>> parse_quantity("70B", "params", "--params")
    70000000000.0
    >>> parse_quantity("5 PF-days", "flops", "--flops")
    4.32e+20
    """
    try:
        _check_text(text)
        return _read_value(text.strip(), kind)
    except InputError as problem:
        expected = _KINDS[kind].expected
        raise InputError(f"{name} is {_echo(text)}, {problem.message}", expected, *problem.hints) from None


def _echo(text: str) -> str:
    """Return text in quotes, cut short, with everything that a terminal could act on escaped."""
    shown = ascii(text[:MAX_ECHO])
    return shown if len(text) <= MAX_ECHO else f"{shown}..."


def _check_text(text: str) -> None:
    """Refuse text that cannot be a quantity of any kind."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"not a short piece of text but {len(text)} characters", "write a large number as 1e22")
    bare = text.strip()
    if not bare:
        raise InputError("an empty value")
    if not bare.isascii():
        raise InputError("not plain ASCII text", "write the digits 0-9 and plain letters; 6e23 for a power of ten")
    if re.search(r"\d,\d", bare):
        raise InputError("which has commas", "write 1000000 without commas, 1.5e22 with a decimal point")
    if bare.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        raise InputError("not a finite number")


def _read_value(text: str, kind: str) -> float:
    """Return the value of stripped, short ASCII text."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise InputError(f"not {_KINDS[kind].what}")
    power, factor = _read_unit(" ".join(number["unit"].lower().split()), kind)
    # One decimal number, so that 1.1T is the double nearest to 1.1e12 and not 1.1 times 1e12.
    value = float(f"{number['mantissa']}e{int(number['exponent'] or 0) + power}") * factor
    if not math.isfinite(value):
        raise InputError("too large to be a finite number", "the largest is about 1.8e308")
    if value == 0 and re.search("[1-9]", number["mantissa"]):
        raise InputError("too small to tell from zero", "the smallest is about 1e-308")
    if value <= 0 and kind != "number":
        raise InputError("but it must be greater than zero")
    return value


def _read_unit(unit: str, kind: str) -> tuple[int, float]:
    """Return the power of ten and the factor that a lower-case unit stands for."""
    words = unit.split()
    if words and words[-1] in _KINDS[kind].nouns:
        words.pop()
    suffix = " ".join(words)
    if suffix in SUFFIXES and (kind not in ("loss", "bytes") or not suffix):
        return SUFFIXES[suffix], 1.0
    if kind == "bytes" and unit in BYTE_UNITS:
        return 0, BYTE_UNITS[unit]
    flop_unit = _FLOP_UNIT.fullmatch(unit)
    if kind != "flops" or flop_unit is None or flop_unit["prefix"] not in FLOP_PREFIXES:
        raise InputError(f"not {_KINDS[kind].what}")
    return _read_flop_unit(flop_unit)


def _read_flop_unit(unit: re.Match[str]) -> tuple[int, float]:
    """Return the power of ten and the factor of an amount: ZFLOPs, PF-days, EFLOP/s-hours."""
    power = FLOP_PREFIXES[unit["prefix"]]
    if unit["days"] or unit["hours"]:
        peta = FLOP_PREFIXES["peta"]
        return power - peta, PF_DAY if unit["days"] else PF_DAY / HOURS_PER_DAY
    if unit["rate"]:
        raise InputError(
            "a rate where an amount of compute is needed",
            "say for how long: 5 PFLOP/s for a day is 5 PF-days",
        )
    if unit["unit"] == "f":
        raise InputError("which needs a unit", "write PFLOPs for an amount, PF-days for a rate kept up for days")
    return power, 1.0


def format_quantity(value: float | str | None, kind: str) -> str:
    """Return a value as a table shows it; rounded, so never for JSON or CSV.

    Args:
        value: a number in the units of its kind, or text, which is returned as it is.
        kind: params, tokens or count (9.09B); flops (5.76e23); loss (1.9366); ratio (20.2);
            number (up to four digits); figure (up to six); percent (a fraction: 0.123 is 12.3 %); over (the same,
            never 0.0 % but for 0); bytes (14.0 GB); text.

    Returns:
        The text; "-" where there is no value or it is not finite.

    >>> format_quantity(999.6e6, "params"), format_quantity(5.76e23, "flops")
    ('1B', '5.76e23')
    """
    if value is None:
        return "-"
    if isinstance(value, str) or kind == "text":
        return str(value)
    shown = 100 * value if kind in SHARES else value
    return _FORMATS[kind](shown) if math.isfinite(shown) else "-"


def format_apart(value: float, other: float, kind: str) -> tuple[str, str]:
    """Return two numbers as `format_quantity` does, but with as many digits as it takes to tell them apart.

    >>> format_apart(7.0001e9, 7e9, "params"), format_apart(15.0, 4.0, "ratio")
    (('7.0001B', '7B'), ('15', '4'))
    """
    texts = format_quantity(value, kind), format_quantity(other, kind)
    digits = 3
    while texts[0] == texts[1] != "-" and value != other and digits < MOST_DIGITS:
        digits += 1
        unit, scale = _unit_of(max(abs(value), abs(other)), kind)
        texts = _format_plain(value / scale, digits) + unit, _format_plain(other / scale, digits) + unit
    return texts


def _unit_of(value: float, kind: str) -> tuple[str, float]:
    """Return the unit or suffix in which a kind shows a value, and what it stands for."""
    counts = dict.fromkeys(("params", "tokens", "count"), _COUNTS)
    units = {"bytes": _BYTES, "percent": _PERCENT, "over": _PERCENT, **counts}.get(kind, _NONE)
    return _largest_unit(value, units)


def _largest_unit(value: float, units: Mapping[str, float]) -> tuple[str, float]:
    """Return the largest unit of which there is a whole one, else the smallest."""
    *larger, smallest = units.items()
    return next(((unit, scale) for unit, scale in larger if value >= scale), smallest)


def _format_count(value: float) -> str:
    """Three digits and a suffix; e-notation beyond trillions."""
    rounded = float(f"{value:.2e}")  # rounding first makes 999.6M 1B, not 1000M
    for suffix in "TBMk":
        scaled = rounded / 10 ** SUFFIXES[suffix.lower()]
        if abs(scaled) >= 1000:
            return f"{value:.2e}".replace("e+", "e")
        if abs(scaled) >= 1:
            return f"{scaled:.3g}{suffix}"
    return _format_plain(rounded, 3)


def _format_scientific(value: float, digits: int = 3) -> str:
    """Up to that many digits in the shortest e-notation: 1e22, 5.76e23."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _format_plain(value: float, digits: int) -> str:
    """Up to that many digits without an exponent, from 0.001 to below 100000; else e-notation."""
    rounded = float(f"{value:.{digits - 1}e}")
    plain = rounded == 0 or 1e-3 <= abs(rounded) < 1e5
    return f"{rounded:z.{max(digits, 6)}g}" if plain else _format_scientific(value, digits)


def _format_fixed(value: float, decimals: int) -> str:
    """That many decimals; e-notation where a fixed point would run on."""
    return f"{value:z.{decimals}f}" if abs(value) < 1e5 else _format_scientific(value)


def _format_percent(value: float) -> str:
    """One decimal, or one digit where that would show nothing: 12.3 %, 0.02 %."""
    return f"{value:.1g} %" if 0.005 <= abs(value) < 0.05 else f"{_format_fixed(value, 1)} %"


def _format_over(value: float) -> str:
    """As a percentage, but what is not 0 is never shown as 0.0 %."""
    return f"{_format_plain(value, 1)} %" if 0.0 < abs(value) < 0.05 else _format_percent(value)


def _format_bytes(value: float) -> str:
    """One decimal and a unit, a power of 1000: 14.0 GB, 0.4 kB."""
    unit, scale = _largest_unit(abs(value), _BYTES)
    return _format_fixed(value / scale, 1) + unit


_FORMATS: dict[str, Callable[[float], str]] = {
    "params": _format_count,
    "tokens": _format_count,
    "count": _format_count,
    "flops": _format_scientific,
    "loss": lambda value: _format_fixed(value, 4),
    "ratio": lambda value: _format_plain(value, 3),
    "number": lambda value: _format_plain(value, 4),
    "figure": lambda value: _format_plain(value, 6),
    "percent": _format_percent,
    "over": _format_over,
    "bytes": _format_bytes,
}
