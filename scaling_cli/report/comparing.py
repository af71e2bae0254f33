"""How a comparison of forms looks: best first, with what is wrong with each."""

from typing import TYPE_CHECKING

from scaling_cli.report.report import Column, Report, Row, Table

if TYPE_CHECKING:
    from scaling_cli.fit.comparing import Comparison, Contender

FORM = Column("form", "form")
RANKING = [
    FORM,
    Column("free", "free coefficients", "ratio"),
    Column("held_out_error", "held-out error", "ratio", "%"),
    Column("held_out_bias", "held-out bias", "ratio", "%"),
    Column("delta_aic", "delta AIC", "number"),
]
COEFFICIENTS = [FORM, Column("formula", "formula"), Column("coefficients", "coefficients")]


def forms_report(comparison: "Comparison") -> Report:
    """Return the report of `scaling fit --compare`."""
    held_out = max((cut.held_out for cut in comparison.cuts), default=0)
    scores = [one.criterion.aic for one in comparison.contenders if one.criterion.aic is not None]
    least = min(scores, default=None)
    name = comparison.objective.name
    rows = [_row(one, least, held_out=held_out, objective=name) for one in comparison.contenders]
    unit, factor = ("%", 100.0) if comparison.objective.log else ("runs' unit", 1.0)
    shown = [_shown(row, one.free, factor) for row, one in zip(rows, comparison.contenders, strict=True)]
    residuals = [
        FORM,
        Column("residual_sd", "residual sd", "ratio", unit),
        Column("residual_skew", "skew", "ratio"),
        Column("residual_trend", "trend", "ratio", f"{unit} per decade"),
        Column("residual_trend_t", "t of trend", "ratio"),
        Column("residual_correlation", "neighbours' correlation", "ratio"),
    ]
    fitted = [row for row in rows if row["coefficients"]]
    left = [row for row in shown if row["coefficients"]]
    tables = [Table("", RANKING, shown), Table("", COEFFICIENTS, fitted), Table("Residuals", residuals, left)]
    notes = [*comparison.notes, f"AIC by the {comparison.density} likelihood, which belongs to {name}"]
    notes += [f"{one.form}: {note}" for one in comparison.contenders for note in one.notes]
    cuts = [{comparison.size: cut.size, "fitted": cut.fitted, "held_out": cut.held_out} for cut in comparison.cuts]
    ranked_by = "held_out_error" if cuts else "aicc"
    return Report(
        "scaling.fit.compare/1", rows, notes, tables,
        {"ranked_by": ranked_by, "density": comparison.density, "cuts": cuts},
    )  # fmt: skip


def _row(one: "Contender", least: float | None, *, held_out: int, objective: str) -> Row:
    aic, left = one.criterion.aic, one.pattern
    return {
        "form": one.form,
        "formula": one.formula,
        "coefficients": dict(one.coefficients) or None,
        "held_out_error": one.held_out_error,
        "held_out_bias": one.held_out_bias,
        "held_out_runs": held_out if one.held_out_error is not None else None,
        "aic": aic,
        "aicc": one.criterion.aicc,
        "delta_aic": None if aic is None or least is None else aic - least,
        "objective": objective,
        "residual_sd": left.sd if left else None,
        "residual_skew": left.skew if left else None,
        "residual_trend": left.trend if left else None,
        "residual_trend_t": left.trend_t if left else None,
        "residual_correlation": left.correlation if left else None,
        "largest_scale": left.largest if left else None,
        "converged": one.converged if one.coefficients else None,
        "notes": list(one.notes),
    }


def _shown(row: Row, free: int, factor: float) -> Row:
    """Return the row as tables have it: logarithms in percent, and how many coefficients are free."""
    found = {**row, "free": free or None}
    scales = {"held_out_error": 100.0, "held_out_bias": 100.0, "residual_sd": factor, "residual_trend": factor}
    for key, scale in scales.items():
        value = row[key]
        found[key] = value * scale if isinstance(value, float) else None
    return found
