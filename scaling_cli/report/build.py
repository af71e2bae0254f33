"""One function per kind of answer: what it says in full, and the columns in which people read it."""

from collections.abc import Iterable, Mapping, Sequence

from scaling_cli.core.answers import UNCERTAIN as PLAN_ENDS
from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import Rung, Spread
from scaling_cli.core.laws import Law
from scaling_cli.core.losses import UNCERTAIN as LOSS_ENDS
from scaling_cli.core.losses import Loss
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.budget import budget_tables
from scaling_cli.report.report import Column, Report, Row, Table

LAW = Column("law", "law")
FLOPS = Column("flops", "compute C", "flops", "FLOPs")
PARAMS = Column("params", "params N", "params", "count")
TOKENS = Column("tokens", "tokens D", "tokens", "count")
RATIO = Column("tokens_per_param", "D/N", "ratio", "tokens per param")
RANGED = ("flops", "gpu_hours", "days", "dollars", "energy_mwh")  # what an assumed utilisation leaves open
HIDDEN = ("outside", "answered", "low", "high", "ranged")


def plan_report(plans: Sequence[Plan], laws: Sequence[Law]) -> Report:
    """Return the report of `scaling plan`."""
    ends = [*_ends(laws, PLAN_ENDS), *(name for name in RANGED if any(name in plan.low for plan in plans))]
    rows = [_row(plan, law, ends) for plan, law in zip(plans, laws, strict=True)]
    rows.sort(key=lambda row: (row["domain"] != "text", str(row["domain"]), str(row["params_kind"])))
    shown = [row for row in rows if row["answered"]]
    columns = [LAW, FLOPS, PARAMS, TOKENS, RATIO, _loss_column(laws, plans)]
    if any(plan.optimal_params is not None for plan in plans):
        columns += [
            Column("optimal_params", "optimal N", "params", "count"),
            Column("optimal_loss", "its loss", "loss", "same unit"),
            Column("flops_same_loss", "C for the same loss", "flops", "FLOPs"),
            Column("waste", "waste", "percent", "of C"),
        ]
    tables = _grouped(shown, columns) + interval_tables(shown, columns[1:6], laws) + _relation_tables(shown, laws)
    return _report("scaling.plan/1", rows, tables + budget_tables(shown), plans)


def loss_report(losses: Sequence[Loss], laws: Sequence[Law]) -> Report:
    """Return the report of `scaling loss`."""
    ends = _ends(laws, LOSS_ENDS)
    rows = [_row(loss, law, ends) for loss, law in zip(losses, laws, strict=True)]
    unit = _unit(laws, losses)
    columns = [
        LAW, PARAMS, TOKENS, FLOPS,
        Column("loss", "loss L", "loss", unit),
        Column("irreducible", "irreducible", "loss", unit),
        Column("loss_from_params", "due to N", "loss", unit),
        Column("loss_from_tokens", "due to D", "loss", unit),
    ]  # fmt: skip
    shown = [row for row in rows if row["answered"]]
    tables = _grouped(shown, columns) + interval_tables(shown, columns[4:], laws)
    return _report("scaling.loss/1", rows, tables, losses)


def compare_report(rungs: Sequence[Rung], spreads: Sequence[Spread], laws: Mapping[str, Law]) -> Report:
    """Return the report of `scaling compare`."""
    rows = []
    ends = _ends(laws.values(), PLAN_ENDS)
    for rung in rungs:
        growth = {key: getattr(rung, key) for key in ("params_growth", "tokens_growth", "loss_gain")}
        rows.append({**_row(rung.plan, laws[rung.plan.law], ends), **growth})
    columns = [
        LAW, FLOPS, PARAMS, TOKENS, RATIO,
        _loss_column(list(laws.values()), [rung.plan for rung in rungs]),
        Column("params_growth", "N per x10", "ratio", "factor"),
        Column("tokens_growth", "D per x10", "ratio", "factor"),
        Column("loss_gain", "next x10 buys", "loss", "loss"),
    ]  # fmt: skip
    shown = [row for row in rows if row["answered"]]
    tables = _grouped(shown, columns) + interval_tables(shown, columns[1:6], laws.values())
    spread_rows = [spread._asdict() for spread in spreads]
    several = [row for row in spread_rows if int(row["laws"]) > 1]
    if several:
        for row in several:
            row["spread"] = row["params_max"] / row["params_min"]
        tables = (*tables, Table("Where the laws disagree", _SPREAD, several))
        spread_rows = [{key: row[key] for key in Spread._fields} for row in spread_rows]
    last = {rung.plan.law: rung.plan for rung in rungs}  # the top of each ladder says the most
    report = _report("scaling.compare/1", rows, tables, list(last.values()))
    return report._replace(extra={"spread": spread_rows})


_SPREAD = [
    FLOPS,
    Column("params_kind", "N counts"),
    Column("domain", "domain"),
    Column("laws", "laws", "number", "count"),
    Column("params_min", "least N", "params", "count"),
    Column("params_median", "median N", "params", "count"),
    Column("params_max", "largest N", "params", "count"),
    Column("spread", "largest / least", "ratio", "factor"),
]


def _ends(laws: Iterable[Law], names: Sequence[str]) -> Sequence[str]:
    """Return the quantities whose intervals the rows tell: none where no law carries draws."""
    return names if any(law.draws for law in laws) else ()


def _row(answer: Plan | Loss, law: Law, ends: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {}
    for key, value in answer._asdict().items():
        row[key] = value
        if key in ends:
            row[f"{key}_low"], row[f"{key}_high"] = answer.low.get(key), answer.high.get(key)
    if isinstance(answer, Plan):
        row["prices"] = [price._asdict() for price in answer.prices]
    row["notes"] = [*answer.notes, *answer.outside]
    row["params_kind"], row["domain"] = law.params_kind, law.domain
    return row


def _report(
    schema: str, rows: Iterable[Mapping[str, object]], tables: Sequence[Table], answers: Sequence[Plan | Loss]
) -> Report:
    data = [{key: value for key, value in row.items() if key not in HIDDEN} for row in rows]
    return Report(schema, data, notes_of(answers), tables)


def notes_of(answers: Sequence[Plan | Loss]) -> list[str]:
    """Return what the answers note, each thing once, with the laws that it is true of; refusals last."""
    laws_by_note: dict[tuple[bool, str], list[str]] = {}
    for answer in answers:
        for note in (*answer.notes, *answer.outside):
            text = note.removeprefix(f"{answer.law}: ").removeprefix(f"{answer.law} ")
            laws = laws_by_note.setdefault((not answer.answered, text), [])
            if answer.law not in laws:
                laws.append(answer.law)
    return [
        f"{', '.join(laws)}: {'no answer, ' if refused else ''}{text}"
        for (refused, text), laws in sorted(laws_by_note.items(), key=lambda item: item[0][0])
    ]


def _grouped(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[Table, ...]:
    """Return a table for each domain and kind of params, so that like stands beside like."""
    groups: dict[tuple[object, object], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["domain"], row["params_kind"]), []).append(row)
    if len(groups) == 1:
        return (Table("", columns, list(rows)),)
    return tuple(Table(f"{domain}, N counts {kind}", columns, group) for (domain, kind), group in groups.items())


def interval_tables(rows: Sequence[Row], columns: Sequence[Column], laws: Iterable[Law]) -> tuple[Table, ...]:
    """Return the intervals of the answers that have them: `8.2B to 10.1B`."""
    levels = {law.id: f"{100.0 * law.draws.level:g} %" for law in laws if law.draws}
    lines: list[Row] = []
    for row in rows:
        if row["law"] in levels and any(row.get(f"{column.key}_low") is not None for column in columns):
            cells = {column.key: _interval(row, column) for column in columns}
            lines.append({"law": row["law"], "level": levels[str(row["law"])], **cells})
    texts = [column._replace(kind="text") for column in columns]
    return (Table("Intervals", [LAW, Column("level", "level"), *texts], lines),) if lines else ()


def _interval(row: Row, column: Column) -> str:
    ranged = row.get("ranged")
    if isinstance(ranged, tuple) and column.key in ranged:
        return format_quantity(None, column.kind)
    low, high = (row.get(f"{column.key}_{side}") for side in ("low", "high"))
    if not isinstance(low, float) or not isinstance(high, float):
        return format_quantity(None, column.kind)
    ends = [format_quantity(end, column.kind) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _relation_tables(rows: Sequence[Row], laws: Sequence[Law]) -> tuple[Table, ...]:
    """Return what else one law says at the answer; for several laws it stays in the JSON."""
    if len(rows) != 1 or len(laws) != 1:
        return ()
    values = rows[0]["relations"]
    if not isinstance(values, Mapping) or not values:
        return ()
    lines: list[Row] = []
    for name, value in values.items():
        relation = laws[0].relations[name]
        lines.append({"quantity": name, "value": value, "unit": relation.unit, "meaning": relation.meaning})
    columns = [
        Column("quantity", "also by this law"),
        Column("value", "value", "number"),
        Column("unit", "unit"),
        Column("meaning", "meaning"),
    ]
    return (Table("", columns, lines),)


def _loss_column(laws: Sequence[Law], answers: Sequence[Plan]) -> Column:
    return Column("loss", "loss L", "loss", _unit(laws, answers))


def _unit(laws: Sequence[Law], answers: Sequence[Plan | Loss]) -> str:
    with_loss = {answer.law for answer in answers if answer.loss is not None}
    units = {law.conventions.get("loss", "") for law in laws if law.id in with_loss}
    (unit,) = units if len(units) == 1 else ("",)
    return unit.split(",")[0].split("(")[0].split(";")[0].strip() or (
        "each law's unit" if len(laws) > 1 else "the law's unit"
    )
