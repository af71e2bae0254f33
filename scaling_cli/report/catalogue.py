"""The catalogue of laws, one law in full, and the verdicts on its published figures."""

from collections.abc import Mapping, Sequence

from scaling_cli.core.figures import Verdict
from scaling_cli.core.laws import Law
from scaling_cli.report.report import Column, Report, Row, Table

CHECK_COLUMNS = [
    Column("law", "law"), Column("relation", "figure"), Column("kind", "kind"), Column("given", "at"),
    Column("expected", "published", "number"), Column("got", "got", "number"),
    Column("difference", "difference", "percent"), Column("tolerance", "tolerance", "percent"),
    Column("verdict", "verdict"), Column("where", "where"),
]  # fmt: skip


def laws_report(entries: Mapping[str, Mapping[str, object]]) -> Report:
    """Return the report of `scaling laws`."""
    keys = (
        "title",
        "year",
        "params_kind",
        "domain",
        "relations",
        "status",
        "figures",
        "constants",
        "constants_checked",
    )
    rows: list[Row] = [{"id": law_id, **{key: entry[key] for key in keys}} for law_id, entry in entries.items()]
    shown: list[Row] = [
        {**entry, "id": law_id, "aliases": ", ".join(_texts(entry["aliases"]))} for law_id, entry in entries.items()
    ]
    columns = [
        Column("id", "law"), Column("aliases", "also called"), Column("year", "year", "text"),
        Column("params_kind", "N counts"), Column("domain", "domain"),
        Column("figures", "figures", "number"), Column("constants_checked", "constants checked", "number"),
        Column("constants", "of", "number"), Column("status", "status"),
    ]  # fmt: skip
    notes = [
        "a constant is checked when changing it by 10 % makes a published figure fail; "
        "`scaling laws show LAW` tells more, `scaling laws check LAW` runs its figures"
    ]
    return Report("scaling.laws/1", rows, notes, (Table("", columns, shown),))


def check_report(verdicts: Sequence[tuple[Law, Verdict]], unverified: Sequence[str]) -> Report:
    """Return the report of `scaling laws check`."""
    rows: list[Row] = [_check_row(law, verdict) for law, verdict in verdicts]
    failing = sum(not verdict.holds for _, verdict in verdicts)
    notes = [f"{verdict.figure.of} of {law.id}: {verdict.problem}" for law, verdict in verdicts if verdict.problem]
    notes += [f"{law_id}: unverified, no published figure" for law_id in unverified]
    notes.append(
        f"{len(verdicts)} published figures: {len(verdicts) - failing} hold, {failing} fail; an erratum holds when the law misses it"
    )
    shown: list[Row] = [{**row, "given": _point(row["given"])} for row in rows]
    tables = (Table("", CHECK_COLUMNS, shown),) if rows else ()
    return Report("scaling.laws.check/1", rows, notes, tables)


def _check_row(law: Law, verdict: Verdict) -> Row:
    figure = verdict.figure
    given: dict[str, object] = {**figure.given, **figure.plan}
    if figure.per:
        given["per"] = dict(figure.per)
    return {
        "law": law.id, "relation": figure.of, "kind": figure.kind, "given": given, "expected": figure.expect,
        "got": verdict.got, "difference": verdict.difference, "tolerance": figure.tolerance,
        "verdict": verdict.word, "where": figure.where,
    }  # fmt: skip


def law_report(
    law: Law, entry: Mapping[str, object], held: Sequence[tuple[str | None, str]], digits: Sequence[Row]
) -> Report:
    """Return the report of `scaling laws show`: source, conventions, relations, constants and what holds them."""
    about: list[Row] = [{"what": what, "value": value} for what, value in _about(law, entry) if value]
    relations: list[Row] = [
        {"relation": r.name, "formula": r.text, "status": r.status, "where": r.where, "range": _ranges(r.valid)}
        for r in law.relations.values()
    ]
    constants: list[Row] = [
        {
            "relation": relation or "all",
            "constant": name,
            "value": _digits(law, relation, name),
            "checked": "yes" if (relation, name) in held else "no",
        }
        for relation, name, _ in law.constants()
    ]
    tables = [
        Table(law.title or law.id, [Column("what", ""), Column("value", "")], about),
        Table("Relations", [Column(k, k) for k in ("relation", "formula", "status", "where", "range")], relations),
        Table(
            "Constants, with the digits of their source",
            [
                Column("relation", "relation"),
                Column("constant", "constant"),
                Column("value", "value"),
                Column("checked", "held by a figure"),
            ],
            constants,
        ),
    ]
    if law.variables:
        variables: list[Row] = [
            {"variable": v.name, "unit": v.unit, "default": _default(v.default), "meaning": v.meaning}
            for v in law.variables.values()
        ]
        tables.append(
            Table(
                "Variables (--set NAME=VALUE)",
                [Column(k, k) for k in ("variable", "unit", "default", "meaning")],
                variables,
            )
        )
    if digits:
        columns = [
            Column("constant", "constant"),
            Column("value", "printed"),
            Column("low", "optimal N, digit low", "params", "count"),
            Column("high", "optimal N, digit high", "params", "count"),
            Column("change", "change", "percent", "of N"),
        ]
        tables.append(Table("How far half a unit of the last printed digit moves the optimum", columns, digits))
    extra = {"law": law_object(law), "digits": list(digits)}
    return Report("scaling.laws.show/1", relations, list(law.notes), tuple(tables), extra)


def law_object(law: Law) -> dict[str, object]:
    """Return a law as plain data, in the words of its preset."""
    relations = {}
    for name, r in law.relations.items():
        relations[name] = {
            "formula": r.text,
            "coefficients": dict(r.coefficients),
            "status": r.status,
            "where": r.where,
            "valid": {k: list(v) for k, v in r.valid.items()},
            "uncertainty": dict(r.uncertainty),
        }
    return {
        "id": law.id, "title": law.title, "aliases": list(law.aliases), "source": dict(law.source), "conventions": dict(law.conventions),
        "coefficients": dict(law.coefficients), "let": {k: f.text for k, f in law.let.items()},
        "variables": {v.name: {"unit": v.unit, "default": v.default if isinstance(v.default, float | None) else v.default.text, "meaning": v.meaning} for v in law.variables.values()},
        "relations": relations, "frontier": dict(law.frontier), "notes": list(law.notes),
    }  # fmt: skip


def _about(law: Law, entry: Mapping[str, object]) -> list[tuple[str, object]]:
    source = law.source
    where = f"arXiv:{source['arxiv']}" if source.get("arxiv") else source.get("url")
    return [
        ("id", law.id), ("also called", ", ".join(law.aliases)), ("source", ", ".join(str(source[k]) for k in ("authors", "year", "title") if source.get(k))),
        ("at", where), ("read from", source.get("read")), *((f"{k}", v) for k, v in law.conventions.items()),
        ("frontier", ", ".join(f"{k} by {v}" for k, v in law.frontier.items()) or ("minimum of loss at fixed flops" if "loss" in law.relations else "")),
        ("let", "; ".join(f"{name} = {formula.text}" for name, formula in law.let.items())),
        ("status", entry["status"]), ("constants", f"{entry['constants_checked']} of {entry['constants']} held by {entry['figures']} published figures"),
        ("supersedes", law.supersedes), ("superseded by", law.superseded_by),
    ]  # fmt: skip


def _digits(law: Law, relation: str | None, name: str) -> str:
    digits = law.digits if relation is None else law.relations[relation].digits
    return digits.get(name, "not published")


def _default(default: object) -> str:
    if default is None:
        return "must be given"
    return f"{default:g}" if isinstance(default, float) else str(getattr(default, "text", default))


def _ranges(valid: Mapping[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in valid.items())


def _point(given: object) -> str:
    if not isinstance(given, Mapping):
        return ""
    return ", ".join(
        f"{k} x{next(iter(v.values())):g}" if isinstance(v, Mapping) else f"{k}={v:g}" for k, v in given.items()
    )


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
