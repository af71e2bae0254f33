"""What a check of a budget finds, and what changed between two budgets. Data only."""

from collections.abc import Mapping
from typing import NamedTuple

DENY, WARN = "deny", "warn"
COUNTED = {DENY: (DENY,), WARN: (DENY, WARN), "never": ()}
"""Which levels fail a check, by what `--fail-on` says."""
ADDED, REMOVED, CHANGED, SAME = "added", "removed", "changed", "same"
KNOWN, UNKNOWN = "now known", "no longer known"
TOTAL = "total"  # the name under which the sum over all runs appears


class Finding(NamedTuple):
    """One rule that one run, or the sum of all, does not keep.

    Fields:
        run: the run's name, or TOTAL.
        rule: the rule, such as `max dollars`, `min tokens_per_param` or `max_increase flops`.
        level: DENY or WARN.
        value, limit: what is and what may be, in the unit of the quantity; None where there is no value.
        over: by what share the limit is missed: 0.1 is 10 % beyond it; None where there is no value.
        file, line: where the run, or the key that offends, stands; line counts from 1, 0 where it is not from a file.
        message: the finding in words.
        remedy: the least change that would satisfy the rule, in words; empty where none is known.
    """

    run: str
    rule: str
    level: str
    value: float | None
    limit: float | None
    over: float | None
    file: str = ""
    line: int = 0
    message: str = ""
    remedy: str = ""


class Checked(NamedTuple):
    """The result of a check: its findings, whether it passes, and the sums over all runs by name of quantity.

    `plans` are the numbers of the runs: `run`, the name, and each quantity by name, None where it has no value.
    `fail_on` says from which level a finding failed the check; `rules` are the names of those that it was held to.
    """

    findings: tuple[Finding, ...]
    passed: bool
    totals: Mapping[str, float | None]
    runs: int
    file: str = ""
    notes: tuple[str, ...] = ()
    plans: tuple[Mapping[str, float | str | None], ...] = ()
    fail_on: str = DENY
    rules: tuple[str, ...] = ()

    def counts(self, finding: Finding) -> bool:
        """Whether a finding fails the check."""
        return finding.level in COUNTED[self.fail_on]


class Change(NamedTuple):
    """One quantity of one run, or of the sum, before and after; None where the run was not there or has no value.

    `status` tells these apart: ADDED or REMOVED, where the run came or went; KNOWN or UNKNOWN, where it has a value
    now, or none any more; else CHANGED or, for sums, SAME.
    """

    run: str
    quantity: str
    old: float | None
    new: float | None
    change: float | None
    change_ratio: float | None
    status: str = CHANGED


class Difference(NamedTuple):
    """What changed between two budgets, which rules of the new one that breaks, and the numbers of its runs.

    `file` is where the new one stands; `notes` say what the rules were judged by.
    """

    changes: tuple[Change, ...]
    broken: tuple[Finding, ...] = ()
    plans: tuple[Mapping[str, float | str | None], ...] = ()
    file: str = ""
    notes: tuple[str, ...] = ()

    @property
    def checked(self) -> Checked:
        """The broken rules as a check finds them; each of them fails, whatever its level."""
        return Checked(self.broken, not self.broken, {}, len(self.plans), self.file, self.notes, fail_on=WARN)
