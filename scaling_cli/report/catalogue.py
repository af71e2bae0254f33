"""The catalogue of laws, one law in full, and the verdicts on its published figures."""

from collections.abc import Mapping, Sequence

from scaling_cli.core.digits import DigitEffect
from scaling_cli.core.figures import Verdict
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law
from scaling_cli.report.report import Column, Report, Row, Table

LAWS_KEYS = (
    "title", "year", "params_kind", "domain", "relations", "status", "figures", "constants", "constants_checked",
)  # fmt: skip
LAWS_COLUMNS = [
    Column("id", "law"),
    Column("aliases", "also called"),
    Column("year", "year"),
    Column("params_kind", "N counts"),
    Column("domain", "domain"),
    Column("figures", "figures", "number"),
    Column("constants_checked", "constants checked", "number"),
    Column("constants", "of", "number"),
    Column("status", "status"),
]
CHECK_COLUMNS = [
    Column("law", "law"),
    Column("relation", "figure"),
    Column("kind", "kind"),
    Column("given", "at"),
    Column("expected", "published", "figure"),
    Column("got", "got", "figure"),
    Column("difference", "difference", "percent"),
    Column("tolerance", "tolerance", "percent"),
    Column("verdict", "verdict"),
    Column("where", "where"),
]
DIGIT_COLUMNS = [
    Column("constant", "constant"),
    Column("value", "printed"),
    Column("flops", "at C", "flops", "FLOPs"),
    Column("low", "N, half a unit lower", "params", "count"),
    Column("high", "N, half a unit higher", "params", "count"),
    Column("change", "change", "percent", "of N"),
]


def laws_report(entries: Mapping[str, Row]) -> Report:
    """Return the report of `scaling laws`."""
    rows = [{"id": law_id, **{key: entry[key] for key in LAWS_KEYS}} for law_id, entry in entries.items()]
    shown = [{**entry, "id": law_id} for law_id, entry in entries.items()]
    notes = [
        "a constant is checked when changing it by 10 % makes a published figure fail; "
        "`scaling laws show LAW` tells more, `scaling laws check LAW` runs its figures"
    ]
    return Report("scaling.laws/1", rows, notes, (Table("", LAWS_COLUMNS, shown),))


def check_report(verdicts: Sequence[tuple[Law, Verdict]], unverified: Sequence[str]) -> Report:
    """Return the report of `scaling laws check`."""
    rows = [_check_row(law, verdict) for law, verdict in verdicts]
    failing = sum(not verdict.holds for _, verdict in verdicts)
    notes = [f"{law.id}: {verdict.figure.of}: {verdict.problem}" for law, verdict in verdicts if verdict.problem]
    if unverified:
        notes.append(f"{', '.join(unverified)}: unverified, no published figure")
    total = f"{len(verdicts)} published figures: {len(verdicts) - failing} hold, {failing} fail"
    notes.append(f"{total}; an erratum holds when the law misses the printed figure")
    shown = [{**row, "given": _point(verdict)} for row, (_, verdict) in zip(rows, verdicts, strict=True)]
    return Report("scaling.laws.check/1", rows, notes, (Table("", CHECK_COLUMNS, shown),))


def law_report(
    law: Law, entry: Row, held: Sequence[tuple[str | None, str]], effects: Sequence[DigitEffect], *, values: Row
) -> Report:
    """Return the report of `scaling laws show`: source, conventions, relations, constants and what holds them.

    Args:
        law: the law.
        entry: its line in the catalogue.
        held: (relation, name) of the constants that a published figure holds.
        effects: how far the printed digits let the optimum move.
        values: values of the relations that depend on nothing.
    """
    digits = [effect._asdict() for effect in effects]
    relations = [_relation_row(law, name, values.get(name)) for name in law.relations]
    about = [{"what": what, "value": value} for what, value in _about(law, entry).items() if value]
    tables = [
        Table(law.title or law.id, _plain_columns("what", "value"), about),
        Table(
            "Relations",
            [*_plain_columns("relation", "formula", "status", "where", "range"), *_value_column(values)],
            relations,
        ),
        Table(
            "Constants, with the digits of their source",
            _plain_columns("relation", "constant", "value", "held by a figure"),
            _constants(law, held),
        ),
    ]
    if law.variables:
        tables.append(
            Table(
                "Variables (--set NAME=VALUE)",
                _plain_columns("variable", "unit", "default", "meaning"),
                _variables(law),
            )
        )
    if law.manifest:
        facts = [{"manifest": name, "value": str(value)} for name, value in law.manifest.items()]
        tables.append(Table("How it came about", _plain_columns("manifest", "value"), facts))
    if digits:
        tables.append(Table("How far half a unit of the last printed digit moves the optimum", DIGIT_COLUMNS, digits))
    return Report(
        "scaling.laws.show/1", relations, list(law.notes), tuple(tables), {"law": law_object(law), "digits": digits}
    )


def law_object(law: Law) -> dict[str, object]:
    """Return a law as plain data, in the words of its preset."""
    return {
        "id": law.id,
        "title": law.title,
        "aliases": list(law.aliases),
        "source": dict(law.source),
        "conventions": dict(law.conventions),
        "variables": {name: _variable_object(law, name) for name in law.variables},
        "coefficients": dict(law.coefficients),
        "let": {name: formula.text for name, formula in law.let.items()},
        "relations": {name: _relation_object(law, name) for name in law.relations},
        "frontier": dict(law.frontier),
        "notes": list(law.notes),
        "manifest": dict(law.manifest),
    }


def _relation_object(law: Law, name: str) -> dict[str, object]:
    relation = law.relations[name]
    return {
        "formula": relation.text,
        "coefficients": dict(relation.coefficients),
        "status": relation.status,
        "where": relation.where,
        "valid": {letter: list(ends) for letter, ends in relation.valid.items()},
        "uncertainty": dict(relation.uncertainty),
        "unit": relation.unit,
        "meaning": relation.meaning,
    }


def _variable_object(law: Law, name: str) -> dict[str, object]:
    variable = law.variables[name]
    default = variable.default.text if isinstance(variable.default, Formula) else variable.default
    return {"unit": variable.unit, "default": default, "meaning": variable.meaning}


def _check_row(law: Law, verdict: Verdict) -> dict[str, object]:
    figure = verdict.figure
    given: dict[str, object] = {**figure.given, **figure.plan}
    if figure.per:
        given["per"] = dict(figure.per)
    return {
        "law": law.id,
        "relation": figure.of,
        "kind": figure.kind,
        "given": given,
        "expected": figure.expect,
        "got": verdict.got,
        "difference": verdict.difference,
        "tolerance": figure.tolerance,
        "verdict": verdict.word,
        "where": figure.where,
    }


def _point(verdict: Verdict) -> str:
    """Write where a figure stands: `C=1e+22`, or `C=1e+22, per C x10`."""
    figure = verdict.figure
    parts = [f"{name}={value:g}" for name, value in {**figure.given, **figure.plan}.items()]
    return ", ".join([*parts, *(f"per {name} x{factor:g}" for name, factor in figure.per.items())])


def _about(law: Law, entry: Row) -> dict[str, object]:
    source = law.source
    minimum = "minimum of loss at fixed flops" if "loss" in law.relations else ""
    return {
        "id": law.id,
        "also called": ", ".join(law.aliases),
        "source": ", ".join(str(source[key]) for key in ("authors", "year", "title") if source.get(key)),
        "at": f"arXiv:{source['arxiv']}" if source.get("arxiv") else source.get("url"),
        "read from": source.get("read"),
        **law.conventions,
        "frontier": ", ".join(f"{what} by {name}" for what, name in law.frontier.items()) or minimum,
        "let": "; ".join(f"{name} = {formula.text}" for name, formula in law.let.items()),
        "status": entry["status"],
        "checked": "{constants_checked} of {constants} constants, by {figures} published figures".format(**entry),
        "uncertainty": "; ".join(_uncertainty(law)),
        "supersedes": law.supersedes,
        "superseded by": law.superseded_by,
    }


def _uncertainty(law: Law) -> list[str]:
    said = []
    if law.draws:
        names = ", ".join(law.draws.names)
        said.append(f"{100.0 * law.draws.level:g} % intervals over {len(law.draws.rows)} {law.draws.origin} of {names}")
    for relation in law.relations.values():
        uncertainty = relation.uncertainty
        level = f"{uncertainty['level']:.0%} interval " if isinstance(uncertainty.get("level"), float) else ""
        intervals, errors = uncertainty.get("intervals"), uncertainty.get("standard_errors")
        if isinstance(intervals, Mapping):
            said += [f"{level}{name} {low:g} to {high:g}" for name, (low, high) in intervals.items()]
        if isinstance(errors, Mapping):
            said += [f"{name} standard error {error:g}" for name, error in errors.items()]
            said.append("standard errors without their covariance give no interval for N: A and alpha move together")
    return said


def _relation_row(law: Law, name: str, value: object) -> dict[str, object]:
    relation = law.relations[name]
    ranges = ", ".join(f"{letter} {low:g} to {high:g}" for letter, (low, high) in relation.valid.items())
    row = {
        "relation": name,
        "formula": relation.text,
        "status": relation.status,
        "where": relation.where,
        "range": ranges,
    }
    return {**row, "value": value}


def _value_column(values: Row) -> list[Column]:
    return [Column("value", "value", "number")] if values else []


def _constants(law: Law, held: Sequence[tuple[str | None, str]]) -> list[Row]:
    rows: list[Row] = []
    for relation, name, _ in law.constants():
        digits = law.digits if relation is None else law.relations[relation].digits
        checked = "yes" if (relation, name) in held else "no"
        value = digits.get(name, "not published")
        rows.append({"relation": relation or "all", "constant": name, "value": value, "held by a figure": checked})
    return rows


def _variables(law: Law) -> list[Row]:
    rows: list[Row] = []
    for variable in law.variables.values():
        default = variable.default
        text = "must be given" if default is None else default.text if isinstance(default, Formula) else f"{default:g}"
        rows.append({"variable": variable.name, "unit": variable.unit, "default": text, "meaning": variable.meaning})
    return rows


def _plain_columns(*keys: str) -> list[Column]:
    return [Column(key, key) for key in keys]
