"""How a check and a difference of budgets look as table, JSON and CSV."""

from collections.abc import Sequence

from scaling_cli.core.findings import DENY, TOTAL, Change, Checked, Finding
from scaling_cli.core.policies import QUANTITIES
from scaling_cli.report.report import Column, Report, Row, Table

SHORT = ("run", "rule", "level", "value", "limit", "over", "file", "line", "message", "remedy")
MOST_ROWS = 200  # of a table for people
FINDINGS = [
    Column("run", "run"),
    Column("level", "level"),
    Column("rule", "rule"),
    Column("value", "value"),
    Column("limit", "limit"),
    Column("over", "missed by", "percent", "of the limit"),
    Column("remedy", "least change"),
]
PLANS = [
    Column("run", "run"),
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("params", "params N", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("loss", "loss L", "loss", "the law's unit"),
    Column("days", "time", "ratio", "days"),
    Column("dollars", "cost", "count", "dollars"),
]
CHANGES = [
    Column("run", "run"),
    Column("quantity", "quantity"),
    Column("old", "before"),
    Column("new", "after"),
    Column("change", "change"),
    Column("change_ratio", "change", "percent", "of before"),
]


def check_report(checked: Checked) -> Report:
    """Return the report of `scaling check`."""
    rows = [{key: getattr(finding, key) for key in SHORT} for finding in checked.findings]
    verdict = "passed" if checked.passed else "failed"
    count = f"{len(rows)} finding{'s' * (len(rows) != 1)} in {checked.runs} run{'s' * (checked.runs != 1)}"
    worst_first = rows if len(rows) <= MOST_ROWS else sorted(rows, key=lambda row: row["level"] != DENY)
    shown = [_shown(row) for row in worst_first[:MOST_ROWS]]
    tables = [Table(f"Findings: {verdict}", FINDINGS, shown)] if rows else []
    tables.append(_plans(checked))
    left_out = max(len(rows), checked.runs) > MOST_ROWS
    more = [f"the tables show {MOST_ROWS} findings and runs at most: `--format json` and csv list all"] * left_out
    extra = {"passed": checked.passed, "totals": checked.totals, "runs": checked.runs, "plans": checked.plans}
    return Report("scaling.check/1", rows, [f"{verdict}: {count}", *checked.notes, *more], tables, extra)


def diff_report(changes: Sequence[Change], broken: Sequence[Finding], plans: Sequence[Row]) -> Report:
    """Return the report of `scaling diff`."""
    rows = [change._asdict() for change in changes]
    tables = [Table("", CHANGES, [_shown_change(change) for change in changes])]
    extra = {"broken": [finding._asdict() for finding in broken], "plans": plans}
    return Report("scaling.diff/1", rows, diff_notes(changes, broken), tables, extra)


def diff_notes(changes: Sequence[Change], broken: Sequence[Finding]) -> list[str]:
    """Return what to say beside changes: which rules they break, or that there are none."""
    notes = [f"{finding.run} breaks {finding.rule} ({finding.level}): {finding.message}" for finding in broken]
    return notes if any(change.change != 0.0 for change in changes) else [*notes, "nothing changed"]


def _plans(checked: Checked) -> Table:
    """Return the runs and their sum, without columns that nobody has."""
    rows: list[Row] = list(checked.plans[:MOST_ROWS])
    columns = [column for column in PLANS if any(row[column.key] is not None for row in rows)]
    if checked.runs > 1:
        rows.append({"run": TOTAL, **checked.totals})
    return Table("What the runs take", columns, rows)


def _shown(row: Row) -> Row:
    """Return a finding with its numbers as their quantity is shown."""
    quantity = QUANTITIES[str(row["rule"]).split()[-1]]
    numbers = {key: quantity.shown(_number(row[key])) for key in ("value", "limit")}
    return {**row, **numbers}


def _shown_change(change: Change) -> Row:
    quantity = QUANTITIES[change.quantity]
    sign = "+" if (change.change or 0.0) > 0.0 else ""
    old, new, by = (quantity.shown(value) for value in (change.old, change.new, change.change))
    is_known = (change.old is None, change.new is None)
    by = {(True, False): "added", (False, True): "removed"}.get(is_known, sign + by)
    return {**change._asdict(), "old": old, "new": new, "change": by}


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
