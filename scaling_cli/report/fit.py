"""How a fit looks: coefficients with their intervals, what is behind them, and what they predict."""

from collections.abc import Mapping
from shlex import quote
from typing import TYPE_CHECKING

from scaling_cli.core.askable import first_question
from scaling_cli.report.catalogue import law_object
from scaling_cli.report.report import Column, Report, Row, Table

if TYPE_CHECKING:
    from scaling_cli.fit.frontiers import FrontierAnswer
    from scaling_cli.fit.predictions import Answer, Prediction

COEFFICIENTS = [
    Column("name", "coefficient"),
    Column("value", "value", "figure"),
    Column("se", "standard error", "number"),
    Column("low", "90 % low", "figure"),
    Column("high", "90 % high", "figure"),
]
PREDICTIONS = [
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("params", "params N", "params", "count"),
    Column("params_low", "N low", "params", "count"),
    Column("params_high", "N high", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("tokens_low", "D low", "tokens", "count"),
    Column("tokens_high", "D high", "tokens", "count"),
]
LOSSES = [
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("loss", "loss L", "loss", "runs' unit"),
    Column("loss_low", "L low", "loss", "runs' unit"),
    Column("loss_high", "L high", "loss", "runs' unit"),
    Column("new_loss_low", "new run low", "loss", "runs' unit"),
    Column("new_loss_high", "new run high", "loss", "runs' unit"),
    Column("plain_loss_low", "plain low", "loss", "runs' unit"),
    Column("plain_loss_high", "plain high", "loss", "runs' unit"),
]
INSIDE = "refits take their own best N and D, and a new run those of the fit: plain intervals may end inside those of L"
ANY_SPLIT = "the law rests on flops alone: any split of a budget has the same loss"
NO_REFITS = "without refits a law through minima has no intervals: --draws 1000 refits"
PLURALS = {"model size": "model sizes", "number of tokens": "numbers of tokens", "budget": "budgets", "": ""}
LEVEL = 0.9  # of every interval
ABOUT = [Column("what", "what"), Column("value", "value")]


def fit_report(answer: "Answer", *, saved: str | None = None) -> Report:
    """Return the report of `scaling fit`."""
    rows = coefficient_rows(answer)
    exponents = [exponent._asdict() for exponent in answer.exponents]
    shown = [*rows, *({**row, "name": f"exponent {row['name']}", "se": None} for row in exponents)]
    tables = [
        Table("", COEFFICIENTS, shown),
        Table("", ABOUT, _about(answer)),
        *prediction_tables(answer, _remark(answer)),
    ]
    objective = answer.fit.objective
    extra = {
        "exponents": exponents,
        "objective": {"name": objective.name, "delta": objective.delta, "value": answer.fit.value},
        **shared_keys(answer),
    }
    return Report("scaling.fit/1", rows, fit_notes(answer, saved, answer.fit.form.relation), tables, extra)


def coefficient_rows(answer: "Answer | FrontierAnswer") -> list[Row]:
    """Return a row per coefficient, with its standard error and interval."""
    fit = answer.fit
    columns = (fit.names, fit.values, fit.spread.errors, fit.spread.low, fit.spread.high)
    return [
        {"name": name, "value": float(value), "se": float(error), "low": float(low), "high": float(high)}
        for name, value, error, low, high in zip(*columns, strict=True)
    ]


def prediction_tables(answer: "Answer | FrontierAnswer", remark: str = "") -> list[Table]:
    """Return the optimum of each budget asked for, and what a run there would reach; nothing where none is asked."""
    rows = _predictions(answer)
    if not rows:
        return []
    if all(row["params"] is None for row in rows):
        return [Table("The loss, and that of one new run, 90 % intervals", LOSSES, rows, ANY_SPLIT)]
    return [
        Table("The optimum, 90 % intervals", PREDICTIONS, rows),
        Table("Its loss, and that of one new run there, 90 % intervals", LOSSES, rows, remark),
    ]


def _remark(answer: "Answer") -> str:
    """Say why a plain interval, which has the noise of a run besides, ends inside that of the loss; '' where none does.

    The least loss of each refit is what the loss has an interval of: it may move more than the loss at one N and D.
    """
    return INSIDE if any(_ends_inside(prediction) for prediction in answer.predictions) else ""


def _ends_inside(prediction: "Prediction") -> bool:
    ends = ((prediction.plain_loss_low, prediction.loss_low), (prediction.loss_high, prediction.plain_loss_high))
    return any(inner is not None and outer is not None and inner > outer for inner, outer in ends)


def fit_notes(answer: "Answer | FrontierAnswer", saved: str | None, relation: str = "loss") -> list[str]:
    """Return what to read a fit of a relation with."""
    notes = [*answer.runs.notes, *answer.fit.notes, *_held_note(answer)]
    if saved:
        question = first_question(answer.law, relation, splits=bool(answer.exponents))
        notes.append(f"saved as {saved}: {question.format(quote(saved))}")
    return notes + [note for prediction in answer.predictions for note in prediction.notes]


def shared_keys(answer: "Answer | FrontierAnswer") -> dict[str, object]:
    """Return the keys of the JSON that every method has."""
    dropped = [{"reason": d.reason, "count": d.count, "rows": list(d.rows)} for d in answer.runs.dropped]
    predictions = _predictions(answer)
    return {
        "runs": {"read": answer.runs.read, "used": answer.runs.used, "dropped": dropped},
        "certificate": answer.fit.certificate._asdict(),
        "intervals": {"source": answer.fit.spread.source, "level": LEVEL, "draws": len(answer.fit.draws)},
        "predictions": predictions,
        "held_out": answer.held._asdict() if predictions else None,
        "law": law_object(answer.law),
    }


def _predictions(answer: "Answer | FrontierAnswer") -> list[Row]:
    return [{**prediction._asdict(), "notes": list(prediction.notes)} for prediction in answer.predictions]


def _held_note(answer: "Answer | FrontierAnswer") -> list[str]:
    """Say what the interval of a new run is made of."""
    held = answer.held
    if not (answer.predictions or held.is_few) or (held.is_few and answer.law.frontier):  # the fit says so itself
        return []
    if answer.law.frontier and not len(answer.fit.draws):
        return [NO_REFITS]
    words = f"{held.scales} {held.kind if held.scales == 1 else PLURALS[held.kind]}"
    if not held.is_known:
        why = f"a point estimate: the runs have {words}, fewer than three, which do not show how the law goes on"
        if not held.scales:
            why = "a point estimate: neither sizes nor budgets of the runs are known, to see how the law goes on"
        elif not held.is_few:
            why = f"no interval of a new run: of {words} none can be held out and leave enough for a law"
        plain = any(prediction.plain_loss_low is not None for prediction in answer.predictions)
        return [f"{why}; plain intervals take it on trust" if plain else why]
    plural = "" if held.freedom == 1 else "s"
    times = f"{held.ratio:.3g}"
    errors = "no larger than what" if held.ratio == 1.0 else "about what" if times == "1" else f"{times} times what"
    how = f"Student's t, {held.freedom} degree{plural} of freedom"
    return [
        f"with the largest {held.freedom} of {words} held out, errors were {errors} the fit to the rest expects; "
        f"intervals of a new run include that ({how}), plain ones do not"
    ]


def _about(answer: "Answer") -> list[Row]:
    fit, certificate = answer.fit, answer.fit.certificate
    flops = {"flops": answer.law.relations["flops"].text} if "flops" in answer.law.relations else {}
    lines: Mapping[str, object] = {
        "formula": answer.law.relations[fit.form.relation].text,
        **flops,
        "objective": f"{fit.objective.name}, {fit.value:.13g}",
        "optimum": f"{_level(answer)}; {certificate.starts_agreeing} of {certificate.starts} starts end there",
        "condition number": f"{certificate.condition_number:.2g}",
        "runs": f"{answer.runs.used} used of {answer.runs.read} read",
        "intervals": f"{fit.spread.source}, {len(fit.draws)} {fit.kind}" if len(fit.draws) else fit.spread.source,
    }
    return [{"what": what, "value": value} for what, value in lines.items()]


def _level(answer: "Answer") -> str:
    """Say why the optimum is one: the slopes that single runs give the objective cancel there."""
    fit = answer.fit
    if fit.certificate.converged and fit.is_exact:
        return "certain: the law goes through every run, to rounding"
    sure, only = ("certain", "") if fit.certificate.converged else ("not certain", " only")
    if fit.certificate.converged and fit.certificate.starts > fit.certificate.starts_agreeing == 1:
        sure = "a minimum, perhaps not the lowest"
    return f"{sure}: the slopes of single runs cancel{only} to {fit.certificate.gradient_norm:.1e} of their size"
