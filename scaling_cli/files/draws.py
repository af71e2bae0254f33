"""The draws of a law: a CSV file beside its preset, or normal draws from a covariance in it."""

import hashlib
import math
import os
import re

from scaling_cli.core.covariances import normal_draws
from scaling_cli.core.laws import Draws, Law, Relation
from scaling_cli.errors import FileError
from scaling_cli.files.reading import read_text
from scaling_cli.files.sections import Section, shown
from scaling_cli.files.values import Items, Number

LEVEL = 0.9  # of intervals, where the preset names none
MOST_ROWS = 20_000
MOST_BYTES = 2**24


def with_draws(law: Law, relations: Section) -> Law:
    """Return the law with the draws that one of its relations states; draws go before a covariance.

    Args:
        law: the law as its preset has it.
        relations: the preset's section of that name.

    Raises: FileError naming the line of what is wrong, in the preset or in the file of draws.
    """
    stating = [name for name in relations if {"draws", "covariance"} & law.relations[name].uncertainty.keys()]
    section = relations.section(stating[-1]).section("uncertainty")
    if len(stating) > 1:
        section.fail("", f"stands beside that of {stating[0]}: one relation states the draws of the whole law")
    level = section.number("level") if "level" in section else LEVEL
    if not 0.0 < level < 1.0:
        section.fail("level", f"is {level:g}: expected a share between 0 and 1, such as 0.9")
    read = _from_file if "draws" in section else _from_covariance
    return law._replace(draws=read(law, law.relations[stating[0]], section)._replace(level=level))


def _from_file(law: Law, relation: Relation, uncertainty: Section) -> Draws:
    section = uncertainty.section("draws")
    path = _path(section)
    if not os.path.lexists(path):
        hint = f"{section.path} names it as its draws: bring it back, or save the law again"
        raise FileError(path, "no such file or directory", hint)
    text = read_text(path, limit=MOST_BYTES)
    stated, actual = section.text("sha256"), checksum(text)
    if stated.lower() != actual:
        raise FileError(
            path, f"has sha256 {actual}, not {_hexadecimal(stated)}, which {section.path} states",
            "save the law again, or bring back the file that belongs to it",
        )  # fmt: skip
    draws = parse_draws(text, path)
    for name in draws.names:
        if _estimate(law, relation, name) is None:
            raise FileError(path, f"{shown(name)} is no coefficient of {relation.name} in {section.path}", line=1)
    origin = "normal draws from its covariance" if "covariance" in uncertainty else draws.origin
    return draws._replace(relation=relation.name, origin=origin)


def _path(section: Section) -> str:
    """Return where the file lies: beside the preset, or beside the target of a link to it."""
    name = section.text("file")
    if name in ("", ".", "..") or "\\" in name or os.path.basename(name) != name:
        section.fail("file", f"is {shown(name)}: expected the bare name of a file beside the preset")
    if section.path == "-":
        section.fail("file", "lies beside the preset, and standard input lies nowhere", "name the preset as a file")
    here = os.path.join(os.path.dirname(section.path), name)
    there = os.path.join(os.path.dirname(os.path.realpath(section.path)), name)
    return there if os.path.exists(there) and not os.path.exists(here) else here


def _hexadecimal(stated: str) -> str:
    """Return a stated checksum as a message shows it: whole, or as any text where it is none."""
    return stated if re.fullmatch(r"[0-9a-fA-F]{1,64}", stated) else shown(stated)


def checksum(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_draws(text: str, path: str) -> Draws:
    """Return the draws in CSV text: a header of names, then finite numbers.

    Raises: FileError naming file and line.
    """
    header, *lines = text.removesuffix("\n").split("\n")
    names = tuple(name.strip() for name in header.split(","))
    if "" in names or len(set(names)) < len(names):
        raise FileError(path, f"has the header {shown(header)}", "expected names of coefficients, each once", line=1)
    if not 0 < len(lines) <= MOST_ROWS:
        raise FileError(path, f"has {len(lines)} draws", f"expected 1 to {MOST_ROWS}, a line each, below the header")
    return Draws(names, tuple(_row(line, len(names), path, i) for i, line in enumerate(lines, 2)))


def _row(line: str, width: int, path: str, number: int) -> tuple[float, ...]:
    cells = line.split(",")
    if len(cells) != width:
        raise FileError(path, f"has {len(cells)} values", f"expected {width}, one below each name", line=number)
    try:
        row = tuple(map(float, cells))
    except ValueError:
        row = (math.nan,)
    if not line.isascii() or "_" in line or not all(map(math.isfinite, row)):
        raise FileError(path, f"is {shown(line)}", "expected finite numbers, with commas between them", line=number)
    return row


def _from_covariance(law: Law, relation: Relation, uncertainty: Section) -> Draws:
    section = uncertainty.section("covariance")
    names = section.texts("names")
    values = [_estimate(law, relation, name) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None or names.count(name) > 1:
            section.fail("names", f"has {shown(name)}: expected coefficients of {relation.name}, each once")
    rows = [_numbers(section, row) for row in section.items("rows")]
    if not names or len(rows) != len(names) or any(len(row) != len(names) for row in rows):
        section.fail("rows", f"are not {len(names)} rows of {len(names)} numbers, as many as there are names")
    try:
        return normal_draws(names, [value or 0.0 for value in values], rows, relation=relation.name, level=LEVEL)
    except ValueError as error:
        section.fail("rows", f"are no covariance: {error}")


def _numbers(section: Section, row: object) -> list[float]:
    if not isinstance(row, Items) or not all(isinstance(value, Number) for value in row):
        section.fail("rows", "has a row that is no list of numbers: expected such as [[4.0, 0.1], [0.1, 0.01]]")
    return [float(value) for value in row if isinstance(value, Number)]


def _estimate(law: Law, relation: Relation, name: str) -> float | None:
    return law.coefficients.get(name, relation.coefficients.get(name))
