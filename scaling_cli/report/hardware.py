"""The catalogue of accelerators: peaks, memory, bandwidth, power, and what people get wrong about each."""

from collections.abc import Sequence

from scaling_cli.core.hardware import PRECISIONS
from scaling_cli.report.report import Column, Report, Row, Table

FEW = 5  # accelerators up to which the notes speak of each
SCALES = {f"{name}_flops_per_second": 1e12 for name in PRECISIONS} | {"bandwidth_bytes_per_second": 1e9}
COLUMNS = [
    Column("id", "accelerator"),
    Column("vendor", "vendor"),
    Column("unit", "one is a"),
    *(Column(f"{name}_flops_per_second", f"{name}, dense", "number", "TFLOP/s") for name in PRECISIONS),
    Column("memory_gib", "memory", "number", "GiB"),
    Column("bandwidth_bytes_per_second", "bandwidth", "number", "GB/s"),
    Column("tdp_w", "power", "number", "W"),
    Column("verified", "read from"),
]


def hardware_report(rows: Sequence[Row]) -> Report:
    """Return the report of `scaling hardware`.

    Args:
        rows: rows of accelerators, as `Accelerator.row` gives them.
    """
    shown = [{key: _scaled(key, value) for key, value in row.items()} for row in rows]
    notes = [
        "peaks are dense: figures with 2:4 sparsity are twice these; - is a precision that the hardware lacks, or a "
        "figure that was not found",
        "memory is in GiB, as sold or, where clearly less, as devices report it; one is what the figures count: "
        "boards and superchips hold several, and a chip may show as several devices",
    ]
    if len(rows) > FEW:
        notes.append("`scaling hardware NAME` tells the source and the trap of each; JSON and CSV have them all")
    else:
        notes += [note for row in rows for note in _about(row)]
    return Report("scaling.hardware/1", rows, notes, (Table("", COLUMNS, shown),))


def _scaled(key: str, value: object) -> object:
    return value / SCALES[key] if key in SCALES and isinstance(value, float) else value


def _about(row: Row) -> list[str]:
    agreeing = f", {row['sources_agreeing']} sources agree on the peaks" if row["sources_agreeing"] else ""
    parts = {
        "": row["note"],
        "trap: ": row["trap"],
        "source: ": f"{row['source']} ({row['verified']}{agreeing})" if row["source"] else "none given",
    }
    return [f"{row['id']}: {lead}{text}" for lead, text in parts.items() if text]
