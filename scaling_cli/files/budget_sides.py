"""What `scaling check` and `scaling diff` read: a budget file, or the JSON that either of them has saved."""

import json
import re
import sys
from collections.abc import Collection, Mapping
from typing import NamedTuple, NoReturn

from scaling_cli.core.findings import TOTAL, Finding
from scaling_cli.core.policies import FORMS, LEVELS, QUANTITIES
from scaling_cli.core.sheets import Sheet
from scaling_cli.errors import FileError
from scaling_cli.files.reading import name_of, read_text, too_large

MOST_SAVED, MOST_WRITTEN = 2**24, 2**18  # bytes
_IS_SAVED = re.compile(r'\s*\{\s*"schema":\s*"scaling\.')  # a budget may be written as JSON too
SCHEMAS = ("scaling.check/1", "scaling.diff/1")
SAVE = "save one with `scaling check FILE --format json`"
SIGNED = ("loss", "excess_loss", "waste")  # a law's loss may have any sign, and rounding gives the others one
MAY_BE_ZERO = ("dollars", "lifetime_dollars")  # a price may be 0
Numbers = Mapping[str, float | None]


class Saved(NamedTuple):
    """A saved answer.

    Fields:
        runs: their numbers by quantity, by name.
        file: where it stands.
        findings: of a saved check; None where a difference was saved, which holds only those that it was asked for.
        rules: names of the rules that the check was held to.
    """

    runs: Mapping[str, Numbers]
    file: str = ""
    findings: tuple[Finding, ...] | None = None
    rules: tuple[str, ...] = ()


def read_side(path: str) -> Sheet | Saved:
    """Return what a file holds.

    Args:
        path: a budget file, or JSON of `scaling check` or `scaling diff`; '-' is standard input.

    Raises: FileError for a file that is wrong.
    """
    text = read_text(path, limit=MOST_SAVED)
    if _IS_SAVED.match(text):
        return parse_saved(text, name_of(path))
    if len(text) > MOST_WRITTEN:
        raise too_large(path, MOST_WRITTEN)
    from scaling_cli.files.budget_files import parse_budget

    return parse_budget(text, name_of(path))


def parse_saved(text: str, path: str) -> Saved:
    """Return what a saved answer holds; see `read_side`."""
    try:
        top = json.loads(text, parse_constant=lambda name: _refuse(path, f"holds {name}, which is no JSON"))
    except json.JSONDecodeError as error:
        raise FileError(path, f"is not JSON: {error.msg}", "expected a saved answer", line=error.lineno) from None
    except (RecursionError, ValueError):
        _refuse(path, "is nested too deeply, or has a number of thousands of digits")
    if not isinstance(top, dict) or top.get("schema") not in SCHEMAS:
        _refuse(path, "is no saved answer of `scaling check` or `scaling diff`")
    runs = _runs(top.get("plans"), path)
    if top["schema"] != SCHEMAS[0]:
        return Saved(runs, path)
    rows, rules = top.get("rows"), top.get("rules", [])
    if not isinstance(rows, list):
        _refuse(path, "has no list of findings")
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        _refuse(path, "has no list of rules, which are texts")
    findings = tuple(_finding(row, (*runs, TOTAL), path, place) for place, row in enumerate(rows, 1))
    return Saved(runs, path, findings, tuple(dict.fromkeys((*rules, *(finding.rule for finding in findings)))))


def _runs(plans: object, path: str) -> dict[str, Numbers]:
    if not isinstance(plans, list):
        _refuse(path, "has no list of plans")
    runs: dict[str, Numbers] = {}
    for place, plan in enumerate(plans, 1):
        name = plan.get("run") if isinstance(plan, dict) else None
        if not isinstance(name, str) or name in runs:
            _refuse(path, f"plan {place} has no run of its own")
        if not name.strip() or name == TOTAL:
            _refuse(path, f"holds a run named {name!r}, which no budget may have")
        runs[name] = {key: _amount(plan.get(key), path, key, place) for key in QUANTITIES}
    if not runs:
        hint = "give one that holds runs; 'none' in place of a file says that there is no budget"
        raise FileError(path, "holds no run", hint)
    return runs


def _amount(value: object, path: str, key: str, place: int) -> float | None:
    """Return a number of a run, in the range of its quantity."""
    name = f"{key} of plan {place}"
    number, least = _number(value, path, name), QUANTITIES[key].least
    if number is None or key in SIGNED or number > least or (number == least and (least or key in MAY_BE_ZERO)):
        return number
    expected = f"{least:g} or more" if least or key in MAY_BE_ZERO else "above zero"
    raise FileError(path, f"{name} is {number:g}: expected {QUANTITIES[key].meaning}, {expected}", SAVE)


def _finding(row: object, runs: Collection[str], path: str, place: int) -> Finding:
    if not isinstance(row, dict):
        _refuse(path, f"finding {place} is none")
    if row.get("run") not in runs:
        _refuse(path, f"finding {place} is of a run that is not there")
    rule = row.get("rule")
    form, _, quantity = rule.partition(" ") if isinstance(rule, str) else ("", "", "")
    if form not in FORMS or quantity not in QUANTITIES:
        _refuse(path, f"finding {place} has no rule such as 'max dollars'")
    if row.get("level") not in LEVELS:
        _refuse(path, f"finding {place} has no level: expected one of {', '.join(LEVELS)}")
    of = f"of finding {place}"
    value, limit, over = (_number(row.get(key), path, f"{key} {of}") for key in ("value", "limit", "over"))
    file, message, remedy = (_text(row.get(key, ""), path, f"{key} {of}") for key in ("file", "message", "remedy"))
    line = _line(row.get("line", 0), path, of)
    return Finding(row["run"], f"{form} {quantity}", row["level"], value, limit, over, file, line, message, remedy)


def _line(value: object, path: str, of: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _refuse(path, f"line {of} is no line: expected a count from 1, or 0")
    return value


def _text(value: object, path: str, name: str) -> str:
    return value if isinstance(value, str) else _refuse(path, f"{name} is no text")


def _number(value: object, path: str, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < sys.float_info.max:
        _refuse(path, f"{name} is no finite number")
    return float(value)


def _refuse(path: str, problem: str) -> NoReturn:
    raise FileError(path, problem, SAVE)
