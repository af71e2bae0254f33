"""A fit's manifest: what was asked, of which runs, what came out, and with what; and the question read back from it.

The question is written field by field (`objective: huber-log`), a mapping of it name by name (`fix.alpha: beta`), so
that a manifest stays texts and numbers that people can read. What a field of `Request` has as a default is written
too: another version may have another default.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from scaling_cli.core.runs import Runs
from scaling_cli.errors import FileError
from scaling_cli.files.draws import MOST_ROWS
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import DEFAULT_FORM
from scaling_cli.fit.objectives import DELTA
from scaling_cli.fit.tolerances import arithmetic
from scaling_cli.fitting.requests import Request, has_threshold

Manifest = Mapping[str, str | float]
ELSEWHERE = ("runs", "at")  # where the runs lie may change, and predictions are questions to the law
KINDS: Mapping[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"), int: ((int,), "a whole number"), float: ((int, float), "a number"),
}  # fmt: skip
PARAMETRIC = Request._field_defaults["method"]  # the method that has a formula
LARGEST = {"draws": MOST_ROWS, "seed": 2**62}  # as the command takes them


def manifest_of(request: Request, fit: Fit, runs: Runs) -> dict[str, str | float]:
    """Return what it takes to work a fit out again, and what came out."""
    return {
        "runs": runs.path, "sha256": runs.sha256, "rows_read": runs.read, "rows_used": runs.used,
        **question_of(request), "formula": fit.law.relations[fit.form.relation].text,
        "value": fit.value, "starts": fit.certificate.starts, "starts_agreeing": fit.certificate.starts_agreeing,
        "gradient_norm": fit.certificate.gradient_norm, "condition_number": fit.certificate.condition_number,
        **versions(),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Return what a fit is worked out with; `arithmetic` is the last digits of this machine's."""
    return {
        "scaling": version("scaling-cli"), "python": platform.python_version(), "numpy": version("numpy"),
        "scipy": version("scipy"), "arithmetic": arithmetic(),
    }  # fmt: skip


def question_of(request: Request) -> dict[str, str | float]:
    """Return what is asked, field by field, but for what lies `ELSEWHERE`."""
    asked: dict[str, Any] = request._asdict()
    if request.formula is None:
        asked["form"] = request.form or DEFAULT_FORM
    if has_threshold(request) and request.delta is None:
        asked["delta"] = DELTA
    found: dict[str, str | float] = {}
    for field, value in asked.items():
        if isinstance(value, Mapping):
            found.update({f"{field}.{name}": inner for name, inner in value.items()})
        elif value is not None and field not in ELSEWHERE:
            found[field] = value
    return found


def request_of(manifest: Manifest, runs: str, *, path: str) -> Request:
    """Return the question that a manifest answers, put to a file of runs.

    Args:
        manifest: of a saved fit.
        runs: the file of runs.
        path: the preset, for messages.

    Raises: FileError for a manifest that no fit has written.
    """
    asked: dict[str, Any] = {}
    for field, hint in get_type_hints(Request).items():
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
        if get_origin(hint) is Mapping:
            names = [key.partition(".")[2] for key in manifest if key.startswith(f"{field}.")]
            asked[field] = {name: fact(manifest, f"{field}.{name}", kinds[-1], path=path) for name in names}
        elif field in manifest and field not in ELSEWHERE:
            asked[field] = fact(manifest, field, kinds[0], path=path)
    if "form" in asked:
        asked.pop("formula", None)  # there to be read: the form has it
    elif "formula" not in asked and asked.get("method", PARAMETRIC) == PARAMETRIC:
        raise _incomplete(path, "formula")
    request = Request(runs, **asked)
    return request if has_threshold(request) or request.delta != DELTA else request._replace(delta=None)


def fact(manifest: Manifest, key: str, kind: type, *, path: str) -> Any:
    """Return a text or a number of a manifest.

    Raises: FileError where it is missing or of another kind.
    """
    if key not in manifest:
        raise _incomplete(path, key)
    value = manifest[key]
    kinds, words = KINDS[kind]
    if not isinstance(value, kinds) or (key in LARGEST and value not in range(LARGEST[key] + 1)):
        limit = f" from 0 to {LARGEST[key]}" if key in LARGEST else ""
        raise FileError(path, f"manifest.{key} is {value!r:.40}", f"expected {words}{limit}, as the fit wrote it")
    return value


def _incomplete(path: str, key: str) -> FileError:
    return FileError(path, f"has no manifest.{key}", "expected a preset that `scaling fit --save` wrote")
