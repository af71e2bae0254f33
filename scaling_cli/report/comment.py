"""Markdown for a step summary or a comment: a hidden marker to find it again, and never longer than a comment may be.

Foreign text is inert: every mark is an entity (unlike a backslash, the same in a cell and out of it), and a zero-width
space breaks what GitHub and GitLab make of plain text after markdown is done: mentions, references, links, emoji.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from scaling_cli.core.findings import Change, Checked, Difference, Finding
from scaling_cli.core.policies import QUANTITIES
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.wording import (
    NAME,
    absolute,
    count,
    mark,
    place,
    relative,
    sentences,
    shorten,
    shown,
    shown_pair,
    summary,
    tally,
    totals_first,
)

CHECK_MARKER, DIFF_MARKER = "<!-- scaling-check -->", "<!-- scaling-diff -->"
LIMIT = 65_536
"""Most characters of a GitHub comment, by the message that refuses longer ones; a step summary may have 1 MiB."""
NOTES = 20  # most notes in full; ours

# "$" would open a formula on GitHub, whose documentation writes it so
_MARKS = {mark: f"&#{ord(mark)};" for mark in "\\`*_[]|~#&<>^!"} | {"$": "<span>$</span>"}
_ESCAPES = str.maketrans(_MARKS | {"\u200b": "&#8203;"})
_BREAKS = re.compile(r"(?<=[@#!~])(?=\S)|(?<=:)(?=[\w/+-])|(?<=www)(?=\.)", re.IGNORECASE)


def comment_check(checked: Checked) -> str:
    """Return verdict, sums, findings and notes, with the last findings left out where they do not fit."""
    heading = f"### Budget {'passes' if checked.passed else 'fails'}: {tally(checked)}"
    return _findings([CHECK_MARKER, heading, *_totals(checked)], checked, LIMIT)


def comment_diff(found: Difference) -> str:
    """Return the rules that the change breaks and what changed, the sums first; the last are left out as needed."""
    heading = f"### Budget: {summary(found.changes)}"
    if found.broken:
        heading += f", {count(len(found.broken), 'new finding')}"
    head = [DIFF_MARKER, heading]
    if found.broken:
        head = [_findings(head, found.checked._replace(notes=()), LIMIT // 4)]
    if found.changes:
        head.append(_table_head(["run", "quantity", "before", "after", "change", "of before"]))
    rows = [_change_row(change) for change in totals_first(found.changes)]
    return _fit(head, rows, "change", found.notes)


def _findings(head: Sequence[str], checked: Checked, room: int) -> str:
    """Return the blocks of the head, as many findings as fit in so many characters, and the notes."""
    if checked.findings:
        titles = ["", "run", "rule", "is", "limit", "over by", "where", "why, and what would do"]
        head = [*head, _table_head(titles)]
    rows = [_finding_row(finding, checked) for finding in checked.findings]
    return _fit(head, rows, "finding", checked.notes, room=room)


def _totals(checked: Checked) -> list[str]:
    given = {name: value for name, value in checked.totals.items() if value is not None}
    if not given:
        return []
    rows = [_row([_code(name), _inert(shown(value, name)), _meaning(name)]) for name, value in given.items()]
    return [_table_head(["sum", "value", "of"]) + "".join(rows).rstrip("\n")]


def _finding_row(finding: Finding, checked: Checked) -> str:
    file, line = place(finding, checked)
    quantity = finding.rule.rpartition(" ")[2]
    where = _code(file) + (f" line {line}" if line else "") if file else ""
    over = format_quantity(finding.over, "over")
    values = [_inert(text) for text in (*shown_pair(finding.value, finding.limit, quantity), over)]
    said = _inert("; ".join(sentences(finding)))
    return _row([_inert(mark(finding, checked)), _code(finding.run), _code(finding.rule), *values, where, said])


def _change_row(change: Change) -> str:
    values = (
        shown(change.old, change.quantity),
        shown(change.new, change.quantity),
        absolute(change),
        relative(change),
    )
    return _row([_code(change.run), _code(change.quantity), *map(_inert, values)])


def _meaning(name: str) -> str:
    return _inert(QUANTITIES[name].meaning) if name in QUANTITIES else ""


def _fit(head: Sequence[str], rows: Sequence[str], noun: str, notes: Sequence[str], *, room: int = LIMIT) -> str:
    """Return the blocks of the head, as many rows as fit below its last, and the notes."""
    start = "\n\n".join(block.rstrip("\n") for block in head) + "\n"
    end = _notes(notes)
    kept = _count_fitting(rows, room - len(start) - len(end) - NAME)  # room to say what is left out
    cut = f"\n{count(len(rows) - kept, f'more {noun}')} left out for length.\n" if kept < len(rows) else ""
    return f"{start}{''.join(rows[:kept])}{cut}{end}"


def _notes(notes: Sequence[str]) -> str:
    """Return the notes, folded, in a quarter of the length; nothing where there are none."""
    if not notes:
        return ""
    lines = [f"- note: {_inert(shorten(note))}\n" for note in notes[:NOTES]]
    kept = _count_fitting(lines, LIMIT // 4)
    more = f"- {count(len(notes) - kept, 'more note')}\n" if kept < len(notes) else ""
    return f"\n<details><summary>{count(len(notes), 'note')}</summary>\n\n{''.join(lines[:kept])}{more}\n</details>\n"


def _count_fitting(lines: Sequence[str], room: int) -> int:
    """Return how many of the lines, from the first, have room in so many characters."""
    lengths = accumulate(len(line) for line in lines)
    return sum(length <= room for length in lengths)


def _table_head(titles: Sequence[str]) -> str:
    return _row(titles) + _row(["---"] * len(titles))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _code(name: str) -> str:
    """Return a name as code, where no mention is made of it; entities hold in the element, not in backticks."""
    return f"<code>{_inert(shorten(name, NAME))}</code>"


def _inert(text: str) -> str:
    return _BREAKS.sub("\u200b", text).translate(_ESCAPES)
