"""How the diagnostics of a fit look: a table for each question, a plot of the residuals, and everything in JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.report import Column, Plot, Report, Row, Table

if TYPE_CHECKING:
    from scaling_cli.fit.diagnostics import Diagnostics, Residuals

PERCENT = 100.0
RUN_KEYS = ("params", "tokens", "observed", "predicted", "residual", "leverage", "influence", "refitted")
RUNS = [
    Column("row", "row", "ratio"),
    Column("params", "params N", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("observed", "observed", "loss"),
    Column("predicted", "predicted", "loss"),
]
CASES = [
    Column("case", "fit"),
    Column("runs", "runs", "ratio"),
    Column("params", "params N", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("loss", "loss L", "loss"),
    Column("a", "a in N ~ C**a", "number"),
    Column("change", "change", "percent"),
]
LOSS_CASES = [*CASES[:2], Column("answer", "loss L", "loss"), CASES[-1]]
DIMENSIONS = [
    Column("variable", "power of"),
    Column("exponent", "exponent", "number"),
    Column("dimension", "dimension", "ratio"),
    Column("dimension_low", "low", "ratio"),
    Column("dimension_high", "high", "ratio"),
]


def with_diagnostics(report: Report, diagnostics: "Diagnostics") -> Report:
    """Return the report of a fit with its diagnostics below, under the JSON key `diagnostics`."""
    rows = list(_runs(diagnostics.residuals))
    in_table = sorted(range(len(rows)), key=diagnostics.residuals.rows.__getitem__)
    cases = [_case(case._asdict()) for case in diagnostics.cases]
    dimensions = [{**one._asdict(), "notes": list(one.notes)} for one in diagnostics.dimensions]
    found: Row = {
        "answer": diagnostics.answer,
        "flops": diagnostics.flops,
        "residuals": [rows[i] for i in in_table],
        "pattern": diagnostics.pattern._asdict(),
        "strongest_run": None if diagnostics.strongest is None else rows[diagnostics.strongest],
        "sensitivity": cases,
        "extrapolation": diagnostics.distance._asdict() if diagnostics.distance else None,
        "valley": diagnostics.valley._asdict() if diagnostics.valley else None,
        "intrinsic_dimension": dimensions,
        "notes": list(diagnostics.notes),
    }
    tables = [
        _run_table(diagnostics, rows),
        Table(f"{_asked(diagnostics)}, fitted otherwise", _case_columns(diagnostics), cases),
        Table("Intrinsic dimension of the data, as the theory reads the exponents", DIMENSIONS, dimensions),
    ]
    notes = [*report.notes, *_notes(diagnostics, rows), *_reasons(cases, dimensions)]
    return report._replace(
        tables=[*report.tables, *tables], notes=notes, extra={**report.extra, "diagnostics": found},
        plots=[*report.plots, *_plots(diagnostics)],
    )  # fmt: skip


def _runs(residuals: "Residuals") -> Iterable[Row]:
    """Yield every run as a row."""
    count = len(residuals.rows)
    columns: list[Sequence[object]] = [residuals.rows]
    for key in RUN_KEYS:
        values = getattr(residuals, key)
        columns.append([None] * count if values is None else values.tolist())
    return (dict(zip(("row", *RUN_KEYS), values, strict=True)) for values in zip(*columns, strict=True))


def _case(case: Mapping[str, object]) -> Row:
    split = case["split"]
    return {
        **{key: value for key, value in case.items() if key not in ("split", "notes")},
        **(split._asdict() if hasattr(split, "_asdict") else {}),
        "notes": case["notes"],
    }


def _case_columns(diagnostics: "Diagnostics") -> list[Column]:
    return CASES if diagnostics.answer == "params" else LOSS_CASES


def _run_table(diagnostics: "Diagnostics", rows: Sequence[Row]) -> Table:
    """Return the runs with the largest residuals."""
    unit, factor = ("%", PERCENT) if diagnostics.log else ("runs' unit", 1.0)
    shown = [{**rows[i], "residual": factor * float(diagnostics.residuals.residual[i])} for i in diagnostics.worst]
    columns = [
        *RUNS,
        Column("residual", "residual", "ratio", unit),
        Column("leverage", "leverage", "ratio"),
        Column("influence", f"{diagnostics.answer} without it", "percent"),
    ]
    return Table("Largest residuals", columns, shown)


def _plots(diagnostics: "Diagnostics") -> list[Plot]:
    table = diagnostics.residuals
    if not len(table.sizes):
        return []
    unit, factor = ("%", PERCENT) if diagnostics.log else ("runs' unit", 1.0)
    title = f"Residuals ({unit}, prediction above run is up) against log10 {diagnostics.size}"
    return [Plot(title, table.sizes.tolist(), (factor * table.residual).tolist())]


def _asked(diagnostics: "Diagnostics") -> str:
    if diagnostics.answer == "params" and diagnostics.flops is not None:
        return f"Optimum of {format_quantity(diagnostics.flops, 'flops')} FLOPs"
    return "Loss of the largest run"


def _notes(diagnostics: "Diagnostics", rows: Sequence[Row]) -> Iterable[str]:
    """Yield what one sentence says better than a table."""
    asked = _asked(diagnostics)
    if diagnostics.strongest is not None:
        run = rows[diagnostics.strongest]
        moves = _percent(float(diagnostics.residuals.influence[diagnostics.strongest]))
        yield f"{asked}: the run of row {run['row']} moves it most; without it {diagnostics.answer} changes by {moves}"
    if (valley := diagnostics.valley) is not None:
        low, high = (format_quantity(factor, "ratio") for factor in (valley.low_factor, valley.high_factor))
        ends = " to ".join(format_quantity(end, "params") for end in (valley.params_low, valley.params_high))
        yield f"{asked}: N from x{low} to x{high} ({ends}) costs less than {PERCENT * valley.share:.3g} % of the loss"
    if (distance := diagnostics.distance) is not None:
        spread = f", {distance.deviations:.3g} standard deviations from their middle" if distance.deviations else ""
        largest = format_quantity(distance.largest_flops, "flops")
        count = f"{distance.decades:.3g}"
        decades = f"{count} decade{'' if count == '1' else 's'}"
        yield f"{asked}: {decades} beyond the largest run ({largest} FLOPs){spread}"
    yield from _pattern_notes(diagnostics)
    yield from diagnostics.notes


def _pattern_notes(diagnostics: "Diagnostics") -> Iterable[str]:
    left = diagnostics.pattern
    unit, factor = (" %", PERCENT) if diagnostics.log else ("", 1.0)
    found = [f"standard deviation {factor * left.sd:.3g}{unit}"]
    if left.skew is not None:
        found.append(f"skew {left.skew:.3g}")
    if left.trend is not None and left.trend_t is not None:
        found.append(f"trend {factor * left.trend:.3g}{unit} per decade (t {left.trend_t:.3g})")
    if left.correlation is not None:
        found.append(f"correlation of neighbours in {diagnostics.size} {left.correlation:.3g}")
    yield f"residuals: {', '.join(found)}"
    if left.largest:
        yield f"at the largest scale the fit stays {left.largest} the runs"


def _reasons(cases: Iterable[Row], dimensions: Iterable[Row]) -> Iterable[str]:
    for name, rows in (("case", cases), ("variable", dimensions)):
        for row in rows:
            notes = row["notes"]
            for note in notes if isinstance(notes, list | tuple) else ():
                yield f"{'intrinsic dimension, ' if name == 'variable' else ''}{row[name]}: {note}"
    for row in dimensions:
        if row["source"]:
            yield f"intrinsic dimension, {row['variable']}: {row['source']}"


def _percent(share: float) -> str:
    return f"{'+' if share > 0 else ''}{format_quantity(share, 'percent')}"
