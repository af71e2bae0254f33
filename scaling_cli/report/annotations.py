"""GitHub workflow commands: one line each, which the runner turns into an annotation.

Escapes as in @actions/core, `command.ts`: %, CR and LF everywhere, : and , in properties too. GitHub shows at most 10
errors, 10 warnings and 10 notices of one step, so notes share one notice.
"""

from collections.abc import Sequence

from scaling_cli.core.findings import Checked, Difference, Finding
from scaling_cli.report.wording import (
    change_line,
    count,
    place,
    remarks,
    sentences,
    severity,
    shorten,
    summary,
    title,
    totals_first,
)

MOST = 10  # of each level, in one step
LINES = 20  # of one notice; ours

_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def annotate_check(checked: Checked) -> str:
    """Return an annotation for each finding, as many as GitHub shows, and one with the notes and what was cut."""
    lines, cut = _annotate_findings(checked)
    return "".join([*lines, _notice("scaling check", [*cut, *remarks(checked)])])


def annotate_diff(found: Difference) -> str:
    """Return an error for each broken rule, and one annotation with the changes, those of the sum first."""
    lines, cut = _annotate_findings(found.checked)
    said = [change_line(change) for change in totals_first(found.changes)]
    return "".join([*lines, _notice("scaling diff", [*cut, summary(found.changes), *said, *found.notes])])


def _annotate_findings(checked: Checked) -> tuple[list[str], list[str]]:
    """Return the annotations, and what to say of those that GitHub would not show."""
    lines, cut = [], []
    for level in ("error", "warning"):
        found = [each for each in checked.findings if severity(each, checked) == level]
        lines += [_annotate(finding, checked) for finding in found[:MOST]]
        if len(found) > MOST:
            more = count(len(found) - MOST, f"more {level}")
            cut.append(f"{more} not shown: GitHub shows {MOST} of one step; other formats list all")
    return lines, cut


def _annotate(finding: Finding, checked: Checked) -> str:
    file, line = place(finding, checked)
    properties = {"file": file, "line": str(line) if file and line else "", "title": title(finding)}
    return _command(severity(finding, checked), properties, sentences(finding))


def _notice(title: str, said: Sequence[str]) -> str:
    """Return a notice of some lines; nothing where there are none."""
    if not said:
        return ""
    rest = [f"and {count(len(said) - LINES, 'more line')}"] if len(said) > LINES else []
    return _command("notice", {"title": title}, [*said[:LINES], *rest])


def _command(name: str, properties: dict[str, str], lines: Sequence[str]) -> str:
    """Return one workflow command; an empty property is left out."""
    given = [f"{key}={shorten(value).translate(_PROPERTY)}" for key, value in properties.items() if value]
    message = "\n".join(shorten(line) for line in lines).translate(_MESSAGE)
    return f"::{name} {','.join(given)}::{message}\n"
