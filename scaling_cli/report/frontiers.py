"""How power laws through minima look: their coefficients, the minima, and what they predict."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scaling_cli.report.fit import ABOUT, COEFFICIENTS, coefficient_rows, fit_notes, prediction_tables, shared_keys
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
    fit, rows = answer.fit, coefficient_rows(answer)
    minima = [minimum._asdict() for minimum in fit.minima.rows]
    tables = [
        Table("", COEFFICIENTS, rows), Table("", ABOUT, _about(answer)),
        Table("Minima, 90 % intervals", MINIMA, minima), *prediction_tables(answer),
    ]  # fmt: skip
    extra = {
        "method": fit.method,
        "exponents": [exponent._asdict() for exponent in answer.exponents],
        "objective": {"name": OBJECTIVE, "delta": None, "value": fit.line.value},
        "minima": minima,
        "scatter": {"minima": fit.line.scatter, "loss": fit.loss_scatter, "noise": fit.noise},
        **shared_keys(answer),
    }
    return Report("scaling.fit/1", rows, fit_notes(answer, saved), tables, extra)


def _about(answer: "FrontierAnswer") -> list[Row]:
    fit, certificate = answer.fit, answer.fit.certificate
    moved = "ln N" if fit.minima.flops_are_exact else "ln C"
    bracketed = sum(minimum.bracketed for minimum in fit.minima.rows)
    lines: Mapping[str, object] = {
        "method": fit.method,
        "formula": "; ".join(f"{name} = {relation.text}" for name, relation in answer.law.relations.items()),
        "objective": OBJECTIVE,
        "optimum": f"closed form: the slopes of single minima cancel to {certificate.gradient_norm:.1e} of their size",
        "condition number": f"{certificate.condition_number:.2g}",
        "minima": f"{bracketed} bracketed of {len(fit.minima.rows)}",
        "scatter of minima": f"{fit.line.scatter:.3g} in {moved}, beyond their noise",
        "noise of runs": f"{100.0 * fit.noise:.2g} % of the loss, around their {WHAT[fit.method]}",
        "runs": f"{answer.runs.used} used of {answer.runs.read} read",
        "intervals": f"{fit.spread.source}, {len(fit.draws)} refits" if len(fit.draws) else fit.spread.source,
    }
    return [{"what": what, "value": value} for what, value in lines.items()]
