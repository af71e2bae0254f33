"""The faces that a check or a diff shows to other programs: markdown, GitHub annotations, JUnit, SARIF."""

from scaling_cli.core.findings import Checked, Difference
from scaling_cli.errors import InputError
from scaling_cli.report.annotations import annotate_check, annotate_diff
from scaling_cli.report.comment import comment_check, comment_diff
from scaling_cli.report.junit import junit_check, junit_diff
from scaling_cli.report.sarif import sarif_check, sarif_diff

_FACES = {
    "markdown": (comment_check, comment_diff),
    "github": (annotate_check, annotate_diff),
    "junit": (junit_check, junit_diff),
    "sarif": (sarif_check, sarif_diff),
}
FACES = tuple(_FACES)


def render_check(checked: Checked, fmt: str) -> str:
    """Return the result of a check as markdown, github, junit or sarif; every line ends.

    Foreign text (names, messages, paths) is inert in each: it shows, and does nothing.

    Raises: InputError for another format.
    """
    _refuse_unknown(fmt)
    return _FACES[fmt][0](checked)


def render_diff(found: Difference, fmt: str) -> str:
    """Return what changed between two budgets, and what that breaks, as markdown, github, junit or sarif.

    Raises: InputError for another format.
    """
    _refuse_unknown(fmt)
    return _FACES[fmt][1](found)


def _refuse_unknown(fmt: str) -> None:
    if fmt not in _FACES:
        raise InputError(f"no format named {fmt[:40]!r}", f"expected one of {', '.join(_FACES)}")
