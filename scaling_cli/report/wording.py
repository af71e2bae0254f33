"""What every face says of a finding or a change: the same words, each on one line, clean and not too long."""

from collections.abc import Iterable
from pathlib import Path, PurePath

from scaling_cli.core.findings import (
    ADDED,
    CHANGED,
    DENY,
    REMOVED,
    SAME,
    TOTAL,
    WARN,
    Change,
    Checked,
    Finding,
)
from scaling_cli.core.policies import QUANTITIES
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.text import clean_line

NAME, SENTENCE = 120, 1000
"""Most characters of a name and of a sentence. Ours: longer ones are pasted text, and a face holds many of them."""


def severity(finding: Finding, checked: Checked) -> str:
    """Return what other programs call a finding: an error where it fails the check, else a warning."""
    return "error" if checked.counts(finding) else "warning"


def mark(finding: Finding, checked: Checked) -> str:
    """Return the severity, with the policy's level where the one does not follow from the other."""
    usual = "error" if finding.level == DENY else "warning"
    word = severity(finding, checked)
    return word if word == usual and checked.fail_on == DENY else f"{word} ({shorten(finding.level, NAME)})"


def verdict(checked: Checked) -> str:
    """Return the verdict with the number of findings: failed: 3 findings in 4 runs."""
    word = "passed" if checked.passed else "failed"
    if is_counted_otherwise(checked):
        return f"{word}: {tally(checked)}"
    return f"{word}: {count(len(checked.findings), 'finding')} in {count(checked.runs, 'run')}"


def tally(checked: Checked) -> str:
    """Return how many findings there are, and which of them count where that is not as usual."""
    runs = count(checked.runs, "run")
    levels = [finding.level for finding in checked.findings]
    denied, warned = (levels.count(level) for level in (DENY, WARN))
    if not is_counted_otherwise(checked):
        return f"{count(denied, 'error')}, {count(warned, 'warning')} in {runs}"
    number = f"{count(len(levels), 'finding')} ({denied} {DENY}, {warned} {WARN}) in {runs}"
    return f"{number}{counted(checked)}: --fail-on {checked.fail_on}"


def counted(checked: Checked) -> str:
    """Return which findings count, after a comma, where that is not as usual."""
    if not is_counted_otherwise(checked):
        return ""
    return ", all counted" if checked.fail_on == WARN else ", none counted"


def is_counted_otherwise(checked: Checked) -> bool:
    """Whether there are findings, and others than the denied ones fail the check, or none does."""
    return bool(checked.findings) and checked.fail_on != DENY


def remarks(checked: Checked) -> list[str]:
    """Return the notes of a check, and before them which findings count where that is not as usual."""
    return [verdict(checked)] * is_counted_otherwise(checked) + list(checked.notes)


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


def shown_pair(value: float | None, limit: float | None, quantity: str) -> tuple[str, str]:
    """Return a value and its limit as their quantity is shown, with digits enough to tell them apart."""
    known = QUANTITIES.get(quantity)
    if known is None or value is None or limit is None:
        return shown(value, quantity), shown(limit, quantity)
    return known.shown_apart(value, limit)


def absolute(change: Change) -> str:
    """Return by how much a quantity changed, +3.9e23, or what became of it: added, now known, same."""
    if change.status != CHANGED:
        return change.status
    text = shown(change.change, change.quantity)
    return f"+{text}" if change.change is not None and change.change > 0.0 and text != "-" else text


def relative(change: Change) -> str:
    """Return by what share a quantity changed: +12.3 %; a dash where there is none."""
    text = format_quantity(change.change_ratio, "percent")
    return f"+{text}" if text[0].isdigit() and change.change_ratio else text


def change_line(change: Change) -> str:
    """Return one change in words: total flops: 1e22 to 1.2e22 (+2e21, +20.0 %), or b flops: 1e22 (added)."""
    old, new = (shown(value, change.quantity) for value in (change.old, change.new))
    values = f"{old} to {new}"
    if change.status not in (CHANGED, SAME):
        values = new if change.old is None else old
    share = "" if change.change_ratio is None else f", {relative(change)}"
    return f"{shorten(change.run, NAME)} {shorten(change.quantity, NAME)}: {values} ({absolute(change)}{share})"


def summary(changes: Iterable[Change]) -> str:
    """Return how many runs changed, came and went: 1 run changed, 2 added; or that nothing changed."""
    became: dict[str, str] = {}
    for change in changes:
        if change.run != TOTAL and change.status != SAME:
            became[change.run] = change.status if change.status in (ADDED, REMOVED) else CHANGED
    found = list(became.values())
    numbers = [(found.count(word), word) for word in (CHANGED, ADDED, REMOVED) if word in found]
    if not numbers:
        return "nothing changed"
    (first, word), *others = numbers
    return ", ".join([f"{count(first, 'run')} {word}", *(f"{number} {other}" for number, other in others)])


def totals_first(changes: Iterable[Change]) -> list[Change]:
    """Return the changes, those of the sum before those of single runs."""
    return sorted(changes, key=lambda change: change.run != TOTAL)
