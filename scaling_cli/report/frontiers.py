"""How power laws through minima look: their coefficients, the minima, and what they predict."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from scaling_cli.report.catalogue import law_object
from scaling_cli.report.fit import ABOUT, COEFFICIENTS, LOSSES, PREDICTIONS, held_note
from scaling_cli.report.report import Column, Report, Row, Table

if TYPE_CHECKING:
    from scaling_cli.fit.frontiers import FrontierAnswer

MINIMA = [
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("runs", "runs", "number"),
    Column("params", "params N", "params", "count"),
    Column("params_low", "N low", "params", "count"),
    Column("params_high", "N high", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("loss", "loss L", "loss", "runs' unit"),
    Column("loss_low", "L low", "loss", "runs' unit"),
    Column("loss_high", "L high", "loss", "runs' unit"),
    Column("bracketed", "bracketed"),
    Column("reason", "reason"),
]
OBJECTIVE = "ls-log-weighted"
WHAT = {"isoflop": "valley", "envelope": "curve"}


def frontier_report(answer: "FrontierAnswer", *, saved: str | None = None) -> Report:
    """Return the report of `scaling fit --method isoflop` or `envelope`."""
    fit = answer.fit
    rows = [
        {"name": name, "value": float(value), "se": float(error), "low": float(low), "high": float(high)}
        for name, value, error, low, high in zip(
            fit.names, fit.values, fit.spread.errors, fit.spread.low, fit.spread.high, strict=True
        )
    ]
    minima = [minimum._asdict() for minimum in fit.minima.rows]
    predictions = [{**prediction._asdict(), "notes": list(prediction.notes)} for prediction in answer.predictions]
    tables = [
        Table("", COEFFICIENTS, rows), Table("", ABOUT, _about(answer)),
        Table("Minima, 90 % intervals", MINIMA, minima),
    ]  # fmt: skip
    if predictions:
        tables += [
            Table("The optimum, 90 % intervals", PREDICTIONS, predictions),
            Table("Its loss, and that of one new run there, 90 % intervals", LOSSES, predictions),
        ]
    notes = [*answer.runs.notes, *fit.notes, *held_note(answer)]
    if saved:
        notes.append(f"saved as {saved}: scaling plan --law {saved} --flops 1e22")
    notes += [note for prediction in answer.predictions for note in prediction.notes]
    return Report("scaling.fit/1", rows, notes, tables, _extra(answer, minima, predictions))


def _extra(answer: "FrontierAnswer", minima: Sequence[Row], predictions: Sequence[Row]) -> dict[str, object]:
    fit = answer.fit
    return {
        "method": fit.method,
        "exponents": [exponent._asdict() for exponent in answer.exponents],
        "objective": {"name": OBJECTIVE, "delta": None, "value": fit.line.value},
        "runs": {
            "read": answer.runs.read,
            "used": answer.runs.used,
            "dropped": [{"reason": d.reason, "count": d.count, "rows": list(d.rows)} for d in answer.runs.dropped],
        },
        "certificate": fit.certificate._asdict(),
        "minima": minima,
        "scatter": {"minima": fit.line.scatter, "loss": fit.loss_scatter, "noise": fit.noise},
        "predictions": predictions,
        "held_out": answer.held._asdict() if predictions else None,
        "law": law_object(answer.law),
    }


def _about(answer: "FrontierAnswer") -> list[Row]:
    fit, certificate = answer.fit, answer.fit.certificate
    moved = "ln N" if fit.minima.flops_are_exact else "ln C"
    bracketed = sum(minimum.bracketed for minimum in fit.minima.rows)
    lines: Mapping[str, object] = {
        "method": fit.method,
        "formula": "; ".join(f"{name} = {relation.text}" for name, relation in answer.law.relations.items()),
        "objective": f"{OBJECTIVE}, {fit.line.value:.13g}",
        "optimum": f"closed form: relative gradient {certificate.gradient_norm:.1e}",
        "condition number": f"{certificate.condition_number:.2g}",
        "minima": f"{bracketed} bracketed of {len(fit.minima.rows)}",
        "scatter of minima": f"{fit.line.scatter:.3g} in {moved}, beyond their noise",
        "noise of runs": f"{100.0 * fit.noise:.2g} % of the loss, around their {WHAT[fit.method]}",
        "runs": f"{answer.runs.used} used of {answer.runs.read} read",
        "intervals": f"{fit.spread.source}, {len(fit.draws)} refits" if len(fit.draws) else fit.spread.source,
    }
    return [{"what": what, "value": value} for what, value in lines.items()]
