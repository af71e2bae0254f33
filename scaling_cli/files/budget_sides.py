"""What `scaling check` and `scaling diff` read: a budget file, or the JSON that either of them has saved."""

import json
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from scaling_cli.core.policies import QUANTITIES
from scaling_cli.core.sheets import Sheet
from scaling_cli.errors import FileError
from scaling_cli.files.reading import name_of, read_text, too_large

MOST_SAVED, MOST_WRITTEN = 2**24, 2**18  # bytes
_IS_SAVED = re.compile(r'\s*\{\s*"schema":\s*"scaling\.')  # a budget may be written as JSON too
SCHEMAS = ("scaling.check/1", "scaling.diff/1")
Numbers = Mapping[str, float | None]


class Saved(NamedTuple):
    """The runs of a saved answer: their numbers by quantity, by name; and the file."""

    runs: Mapping[str, Numbers]
    file: str = ""


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
    """Return the runs of a saved answer; see `read_side`."""
    try:
        top = json.loads(text, parse_constant=lambda name: _refuse(path, f"holds {name}, which is no JSON"))
    except json.JSONDecodeError as error:
        raise FileError(path, f"is not JSON: {error.msg}", "expected a saved answer", line=error.lineno) from None
    except (RecursionError, ValueError):
        _refuse(path, "is nested too deeply, or has a number of thousands of digits")
    if not isinstance(top, dict) or top.get("schema") not in SCHEMAS:
        _refuse(path, "is no saved answer of `scaling check` or `scaling diff`")
    plans = top.get("plans")
    if not isinstance(plans, list):
        _refuse(path, "has no list of plans")
    runs: dict[str, Numbers] = {}
    for place, plan in enumerate(plans, 1):
        name = plan.get("run") if isinstance(plan, dict) else None
        if not isinstance(name, str) or name in runs:
            _refuse(path, f"plan {place} has no run of its own")
        runs[name] = {key: _number(plan.get(key), path, f"{key} of plan {place}") for key in QUANTITIES}
    return Saved(runs, path)


def _number(value: object, path: str, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < sys.float_info.max:
        _refuse(path, f"{name} is no finite number")
    return float(value)


def _refuse(path: str, problem: str) -> NoReturn:
    raise FileError(path, problem, "save one with `scaling check FILE --format json`")
