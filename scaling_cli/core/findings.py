"""What a check of a budget finds, and what changed between two budgets. Data only."""

from collections.abc import Mapping
from typing import NamedTuple

DENY, WARN = "deny", "warn"
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
    """

    findings: tuple[Finding, ...]
    passed: bool
    totals: Mapping[str, float | None]
    runs: int
    file: str = ""
    notes: tuple[str, ...] = ()
    plans: tuple[Mapping[str, float | str | None], ...] = ()


class Change(NamedTuple):
    """One quantity of one run, or of the sum, before and after; None where the run was not there or has no value."""

    run: str
    quantity: str
    old: float | None
    new: float | None
    change: float | None
    change_ratio: float | None
