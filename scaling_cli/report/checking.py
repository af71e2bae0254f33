"""How a check and a difference of budgets look as table, JSON and CSV."""

from scaling_cli.core.findings import DENY, TOTAL, Change, Checked, Difference
from scaling_cli.report.report import Column, Report, Row, Table
from scaling_cli.report.wording import absolute, counted, shown, shown_pair, summary, verdict

SHORT = ("run", "rule", "level", "value", "limit", "over", "file", "line", "message", "remedy")
MOST_ROWS = 200  # of a table for people
FINDINGS = [
    Column("run", "run"),
    Column("level", "level"),
    Column("rule", "rule"),
    Column("value", "value"),
    Column("limit", "limit"),
    Column("over", "missed by", "over", "of the limit"),
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
    worst_first = rows if len(rows) <= MOST_ROWS else sorted(rows, key=lambda row: row["level"] != DENY)
    found = [_shown(row) for row in worst_first[:MOST_ROWS]]
    title = f"Findings: {'passed' if checked.passed else 'failed'}{counted(checked)}"
    tables = [Table(title, FINDINGS, found)] if rows else []
    tables.append(_plans(checked))
    left_out = max(len(rows), checked.runs) > MOST_ROWS
    more = [f"the tables show {MOST_ROWS} findings and runs at most: `--format json` and csv list all"] * left_out
    extra = {
        "passed": checked.passed,
        "fail_on": checked.fail_on,
        "rules": checked.rules,
        "totals": checked.totals,
        "runs": checked.runs,
        "plans": checked.plans,
    }
    notes = [verdict(checked), *checked.notes, *more]
    return Report("scaling.check/1", rows, notes, tables, extra, keys=SHORT)


def diff_report(found: Difference) -> Report:
    """Return the report of `scaling diff`."""
    rows = [change._asdict() for change in found.changes]
    tables = [Table("", CHANGES, [_shown_change(change) for change in found.changes])]
    extra = {"broken": [finding._asdict() for finding in found.broken], "plans": found.plans}
    notes = [*broken_notes(found), summary(found.changes), *found.notes]
    return Report("scaling.diff/1", rows, notes, tables, extra, keys=Change._fields)


def broken_notes(found: Difference) -> list[str]:
    """Return which rules the change breaks, a sentence each."""
    return [f"{finding.run} breaks {finding.rule} ({finding.level}): {finding.message}" for finding in found.broken]


def _plans(checked: Checked) -> Table:
    """Return the runs and their sum, without columns that nobody has."""
    rows: list[Row] = list(checked.plans[:MOST_ROWS])
    columns = [column for column in PLANS if any(row[column.key] is not None for row in rows)]
    if checked.runs > 1:
        rows.append({"run": TOTAL, **checked.totals})
    return Table("What the runs take", columns, rows)


def _shown(row: Row) -> Row:
    """Return a finding with its numbers as their quantity is shown."""
    value, limit = shown_pair(_number(row["value"]), _number(row["limit"]), str(row["rule"]).split()[-1])
    return {**row, "value": value, "limit": limit}


def _shown_change(change: Change) -> Row:
    old, new = (shown(value, change.quantity) for value in (change.old, change.new))
    return {**change._asdict(), "old": old, "new": new, "change": absolute(change)}


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
