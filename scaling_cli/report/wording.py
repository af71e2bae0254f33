"""What every face says of a finding or a change: the same words, each on one line, clean and not too long."""

from collections.abc import Iterable
from pathlib import Path, PurePath

from scaling_cli.core.findings import TOTAL, WARN, Change, Checked, Finding
from scaling_cli.core.policies import QUANTITIES
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.text import clean_line

NAME, SENTENCE = 120, 1000
"""Most characters of a name and of a sentence. Ours: longer ones are pasted text, and a face holds many of them."""


def severity(finding: Finding) -> str:
    """Return what other programs call the level of a finding: error or warning."""
    return "warning" if finding.level == WARN else "error"


def shorten(text: str, most: int = SENTENCE) -> str:
    r"""Return text on one line, clean, and cut where it is longer than `most` characters.

    >>> shorten("a\nb" + "c" * 10, 8)
    'a bcc...'
    """
    line = clean_line(text[: 2 * most])  # white space that runs together may take up to as much again
    return line if len(line) <= most and len(text) <= 2 * most else f"{line[: most - 3]}..."


def title(finding: Finding) -> str:
    """Return the rule and the run of a finding."""
    return f"{shorten(finding.rule, NAME)}: {shorten(finding.run, NAME)}"


def sentences(finding: Finding) -> list[str]:
    """Return the finding in words and, where one is known, the remedy."""
    said = [shorten(text) for text in (finding.message, finding.remedy)]
    return [text for text in said if text] or ["the rule is not kept"]


def place(finding: Finding, checked: Checked) -> tuple[str, int]:
    """Return the file, relative to the working directory where it lies in it, and the line, 0 where there is none."""
    file = finding.file or checked.file
    if file in ("", "-"):
        return "", 0
    path, here = PurePath(file), Path.cwd()
    inside = path.is_absolute() and path.is_relative_to(here)
    return (path.relative_to(here) if inside else path).as_posix(), max(finding.line, 0)


def is_failure(finding: Finding, checked: Checked) -> bool:
    """Whether a finding failed the check: denied, or a warning where there are only warnings."""
    alone = all(each.level == WARN for each in checked.findings)
    return not checked.passed and (alone or finding.level != WARN)


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "run"), count(2, "run")
    ('1 run', '2 runs')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(value: float | None, quantity: str) -> str:
    """Return a value as its quantity is shown."""
    known = QUANTITIES.get(quantity)
    return known.shown(value) if known else format_quantity(value, "figure")


def relative(change: Change) -> str:
    """Return by what share a quantity changed: +12.3 %; a dash where there is none."""
    text = format_quantity(change.change_ratio, "percent")
    return f"+{text}" if text[0].isdigit() and change.change_ratio else text


def change_line(change: Change) -> str:
    """Return one change in words: total flops: 1e22 to 1.2e22 (+20.0 %)."""
    old, new = ("none" if value is None else shown(value, change.quantity) for value in (change.old, change.new))
    share = "" if change.change_ratio is None else f" ({relative(change)})"
    return f"{shorten(change.run, NAME)} {shorten(change.quantity, NAME)}: {old} to {new}{share}"


def totals_first(changes: Iterable[Change]) -> list[Change]:
    """Return the changes, those of the sum before those of single runs."""
    return sorted(changes, key=lambda change: change.run != TOTAL)
