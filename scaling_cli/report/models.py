"""The catalogue of known models, and where each lies beside a law's own split of the same compute."""

from collections.abc import Sequence

from scaling_cli.core.laws import Law
from scaling_cli.core.models import LETTERS, KnownModel, Placement
from scaling_cli.report.report import Column, Report, Row, Table

FEW = 5  # models up to which the notes speak of each
COLUMNS = [
    Column("name", "model"),
    Column("date", "date"),
    Column("kind", "kind"),
    Column("params", "params N", "params", "count"),
    Column("active_params", "active N", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("flops_basis", "C is"),
    Column("tokens_per_param", "D/N", "ratio", "tokens per active param"),
    Column("frontier_params", "frontier N", "params", "count"),
    Column("frontier_tokens", "frontier D", "tokens", "count"),
    Column("params_ratio", "N / frontier N", "ratio", "factor"),
]
HARDWARE = [
    Column("name", "model"),
    Column("hardware", "trained on"),
    Column("accelerators", "accelerators", "number", "count"),
    Column("accelerator_hours", "accelerator time", "count", "hours"),
    Column("mfu", "published MFU", "percent", "of dense peak"),
    Column("mfu_where", "MFU from"),
]


def models_report(rows: Sequence[Row], placements: Sequence[Placement], law: Law) -> Report:
    """Return the report of `scaling models`.

    Args:
        rows: the rows to show, as `Placement.row` gives them.
        placements: the placements that they come from.
        law: the law that they are placed beside.
    """
    by_id = {each.model.id: each for each in placements}
    shown = [by_id[str(row["id"])] for row in rows]
    notes = [*_conventions(law), *_outside(shown, law), *_refusals(shown, law)]
    tables = [Table("", COLUMNS, rows)]
    if len(rows) > FEW:
        notes.append(
            "`scaling models NAME` tells hardware, MFU and sources of each; JSON and CSV have them all, with a letter "
            "for how each figure was read"
        )
    else:
        trained = [row for row in rows if any(row[key] for key in ("hardware", "accelerators", "mfu"))]
        tables += [Table("Trained on", HARDWARE, trained)] if trained else []
        notes += [note for each in shown for note in _about(each.model)]
    return Report("scaling.models/1", rows, notes, tuple(tables))


def _conventions(law: Law) -> list[str]:
    domain = "" if law.domain == "text" else f", and is a law of {law.domain}"
    return [
        "C is the published training compute, else 6 x active params x tokens: the column beside it says which; "
        "published figures can count attention, recomputation or billed hours",
        f"{law.id} counts {law.params_kind} params{domain}; D/N and N / frontier N take active params, embeddings in "
        "unless the model's note says otherwise; above 1 a model is larger than the law's own split of the same C",
    ]


def _outside(shown: Sequence[Placement], law: Law) -> list[str]:
    outside = [each.model.name for each in shown if each.outside]
    if not outside:
        return []
    which = ", ".join(outside) if len(outside) <= FEW else f"{len(outside)} of {len(shown)} models"
    return [f"{law.id}: outside its experimented range: {which}"]


def _refusals(shown: Sequence[Placement], law: Law) -> list[str]:
    reasons = dict.fromkeys(note for each in shown for note in each.notes)
    return [
        f"{law.id}: no answer, {reason.removeprefix(f'{law.id} ').removeprefix(f'{law.id}: ')}" for reason in reasons
    ]


def _about(model: KnownModel) -> list[str]:
    read = ", ".join(f"{key} {letters}" for key, letters in model.letters.items())
    used = {letter for letters in model.letters.values() for letter in letters.split("+")}
    meaning = "; ".join(f"{letter}: {text}" for letter, text in LETTERS.items() if letter in used)
    agreeing = f"; independent sources that agree: {model.sources_agreeing}" if model.sources_agreeing else ""
    parts = (model.ref, model.note, f"{read} ({meaning}){agreeing}" if read else "")
    return [f"{model.name}: {part}" for part in parts if part]
