"""How the verification of a saved fit looks."""

from typing import TYPE_CHECKING

from scaling_cli.report.report import Column, Report, Row, Table

if TYPE_CHECKING:
    from scaling_cli.fitting.verifying import Verification

COLUMNS = [
    Column("what", "what"),
    Column("saved", "saved", "figure"),
    Column("got", "got", "figure"),
    Column("difference", "difference", "number", "relative"),
    Column("tolerance", "tolerance", "number", "relative"),
    Column("verdict", "verdict"),
]
CHECKSUM = 12  # digits that people compare


def verification_report(verification: "Verification") -> Report:
    """Return the report of `scaling fit --verify`."""
    rows: list[Row] = [
        {
            "what": each.what,
            "saved": each.saved,
            "got": each.got,
            "difference": each.difference,
            "tolerance": each.tolerance,
            "verdict": "holds" if each.holds else "differs",
        }
        for each in verification.comparisons
    ]
    shown = [{**row, "saved": _short(row, "saved"), "got": _short(row, "got")} for row in rows]
    versions = {name: {"saved": saved, "now": now} for name, (saved, now) in verification.versions.items()}
    extra = {"preset": verification.preset, "runs": verification.runs, "versions": versions}
    return Report("scaling.fit.verify/1", rows, verification.notes, [Table("", COLUMNS, shown)], extra)


def _short(row: Row, key: str) -> object:
    value = row[key]
    return value[:CHECKSUM] if isinstance(value, str) and str(row["what"]).startswith("sha256") else value
