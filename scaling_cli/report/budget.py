"""How a plan's machine, data, life and the price of each demand look."""

from collections.abc import Sequence

from scaling_cli.core.hardware import BYTES_PER_GIB
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.report import Column, Row, Table

LAW = Column("law", "law")
COSTS = [
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("gpu_hours", "training", "count", "accelerator-hours"),
    Column("days", "time", "ratio", "days"),
    Column("dollars", "cost", "count", "dollars"),
    Column("energy_mwh", "energy", "ratio", "MWh"),
    Column("memory_bytes", "weights", "ratio", "GiB"),
    Column("unique_tokens", "unique tokens", "tokens", "count"),
    Column("epochs", "epochs", "ratio", "D / U"),
    Column("inference_tokens", "served", "tokens", "tokens"),
    Column("lifetime_flops", "over its life", "flops", "FLOPs"),
    Column("lifetime_dollars", "over its life", "count", "dollars"),
]
PRICES = [
    LAW,
    Column("demand", "without"),
    Column("loss_without", "loss L", "loss", "same unit"),
    Column("loss_cost", "costs in loss", "loss", "same unit"),
    Column("flops_without", "compute C", "flops", "FLOPs"),
    Column("flops_back", "C that buys it back", "flops", "FLOPs"),
]


def budget_tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    """Return what plans take and what their demands cost; nothing where nothing was asked."""
    asked = [column for column in COSTS[1:] if any(row[column.key] is not None for row in rows)]
    if any(row.get("flops_low") is not None and row["gpu_hours"] is not None for row in rows):
        asked.insert(0, COSTS[0])
    shown = [{**row, **{column.key: _ranged(row, column) for column in asked}} for row in rows]
    columns = [column._replace(kind="text") for column in asked]
    tables = (Table("What it takes", [LAW, *columns], shown),) if asked else ()
    prices = [{"law": row["law"], **price} for row in rows for price in _prices(row)]
    return (*tables, Table("What each demand costs", PRICES, prices)) if prices else tables


def _prices(row: Row) -> list[Row]:
    prices = row["prices"]
    return prices if isinstance(prices, list) else []


def _ranged(row: Row, column: Column) -> str:
    """Return a value, with its range where the utilisation is assumed."""
    value, low, high = (row.get(key) for key in (column.key, f"{column.key}_low", f"{column.key}_high"))
    if column.key == "memory_bytes" and isinstance(value, float):
        value /= BYTES_PER_GIB
    text = format_quantity(value if isinstance(value, float) else None, column.kind)
    if not isinstance(low, float) or not isinstance(high, float):
        return text
    ends = [format_quantity(end, column.kind) for end in (low, high)]
    return text if ends == [text, text] else f"{text} ({ends[0]} to {ends[1]})"
