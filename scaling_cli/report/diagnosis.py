"""How a diagnosis looks: the numbers, and a paragraph of plain words for each law."""

from collections.abc import Iterator, Sequence

from scaling_cli.core.diagnosis import ABOUT_RIGHT, LITTLE_RATIO, LITTLE_WASTE, TOO_LARGE, TOO_SMALL, Diagnosis, Subject
from scaling_cli.core.laws import Law
from scaling_cli.core.quantities import format_quantity
from scaling_cli.report.build import interval_tables, notes_of
from scaling_cli.report.report import Column, Report, Row, Table

LAW = Column("law", "law")
COLUMNS = [
    LAW,
    Column("params_kind", "N counts"),
    Column("params", "params N", "params", "count"),
    Column("tokens", "tokens D", "tokens", "count"),
    Column("flops", "compute C", "flops", "FLOPs"),
    Column("frontier_params", "frontier N", "params", "count"),
    Column("frontier_tokens", "frontier D", "tokens", "count"),
    Column("params_ratio", "N / frontier N", "ratio", "factor"),
]
LOSS = Column("loss", "loss L", "loss", "the law's unit")
SURFACE = [
    LAW,
    LOSS,
    Column("optimal_params", "optimal N", "params", "count"),
    Column("optimal_loss", "its loss", "loss", "same unit"),
    Column("flops_same_loss", "C for the same loss", "flops", "FLOPs"),
    Column("params_same_loss", "its N", "params", "count"),
    Column("waste", "waste", "percent", "of C"),
]
VERDICT = [LAW, Column("verdict", "verdict"), Column("words", "what that means")]
RULE = (
    f"about right: it wastes at most {100 * LITTLE_WASTE:g} % of its compute on the law's loss surface, or lies within "
    f"a factor of {LITTLE_RATIO:g} of the split that the law states, or between the two; the thresholds are ours, and "
    "such a factor costs about 1 % on the loss surface of Hoffmann et al. 2022"
)
SERVING = (
    "a token served takes 2 FLOPs per param (Kaplan et al. 2020, arXiv:2001.08361, table 1), and counts as much as a "
    "training FLOP; the model that it is compared with reaches the same loss with the least training compute"
)
SHARED = ("law", "params", "tokens", "flops", "loss")
TRADE_OFF = ("optimal_params", "optimal_loss", "flops_same_loss", "waste")


def diagnosis_report(diagnoses: Sequence[Diagnosis], laws: Sequence[Law], subject: Subject) -> Report:
    """Return the report of `scaling diagnose`; one diagnosis for each of the laws."""
    uncertain = any(law.draws for law in laws)
    rows = [_row(each, law, uncertain) for each, law in zip(diagnoses, laws, strict=True)]
    rows.sort(key=lambda row: (row["domain"] != "text", str(row["domain"]), str(row["params_kind"])))
    shown = [row for row in rows if row["verdict"]]
    words = {each.plan.law: "; ".join(_words(each)) for each in diagnoses if each.verdict}
    told = [{**row, "words": words[str(row["law"])]} for row in shown]
    columns = list(COLUMNS)
    if any(row["domain"] != "text" for row in shown):
        columns.insert(1, Column("domain", "domain"))
    notes = [*subject.notes, *notes_of([each.plan for each in diagnoses]), RULE]
    if any(each.breakeven_tokens is not None for each in diagnoses):
        notes.append(SERVING)
    surfaces = [row for row in shown if row["loss"] is not None]
    tables = [Table(subject.name, columns, shown)]
    tables += [Table("By the loss surface", SURFACE, surfaces)] if surfaces else []
    tables += interval_tables(shown, [LOSS], laws)
    return Report("scaling.diagnose/1", rows, notes, (*tables, Table("Verdict", VERDICT, told)))


def _row(diagnosis: Diagnosis, law: Law, uncertain: bool) -> Row:
    plan = diagnosis.plan
    row: dict[str, object] = {key: getattr(plan, key) for key in SHARED}
    if uncertain:
        row["loss_low"], row["loss_high"] = plan.low.get("loss"), plan.high.get("loss")
    row |= {key: getattr(diagnosis, key) for key in ("frontier_params", "frontier_tokens", "params_ratio")}
    row |= {key: getattr(plan, key) for key in TRADE_OFF}
    row |= {key: value for key, value in diagnosis._asdict().items() if key not in ("plan", *row)}
    row["model"] = diagnosis.model or None
    row["notes"] = [*plan.notes, *plan.outside]
    row["params_kind"], row["domain"] = law.params_kind, law.domain
    return row


def _words(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the clauses of a paragraph: how far off, what it wastes, what would repair it or what it is good for."""
    yield _size(diagnosis)
    if diagnosis.plan.waste is not None:
        yield _waste(diagnosis)
    if diagnosis.verdict == ABOUT_RIGHT:
        return
    yield from _repair(diagnosis) if diagnosis.verdict == TOO_LARGE else _purpose(diagnosis)


def _size(diagnosis: Diagnosis) -> str:
    plan, ratio = diagnosis.plan, diagnosis.params_ratio
    if ratio is None:
        return (
            f"{_count(plan.params)} params, where the loss surface of {plan.law} has its minimum at "
            f"{_count(plan.optimal_params)}"
        )
    return (
        f"{_count(plan.params)} is {format_quantity(ratio, 'ratio')}x the {_count(diagnosis.frontier_params)} params "
        f"that {plan.law} puts into {_flops(plan.flops)} FLOPs"
    )


def _waste(diagnosis: Diagnosis) -> str:
    plan = diagnosis.plan
    share = format_quantity(plan.waste, "percent")
    same = f"the same loss takes {_flops(plan.flops_same_loss)} FLOPs with {_count(diagnosis.params_same_loss)} params"
    if diagnosis.verdict == TOO_LARGE:
        return f"{same}: {share} of the compute is wasted"
    if diagnosis.verdict == TOO_SMALL:
        return f"{same}: {share} of the compute is spent on being small"
    if plan.waste is not None and plan.waste <= LITTLE_WASTE:
        return f"{share} of the compute is wasted"
    least = f"on its loss surface alone, whose minimum is at {_count(plan.optimal_params)}"
    return f"{least}, {same}, {share} less: no more than the law's two optima differ"


def _repair(diagnosis: Diagnosis) -> Iterator[str]:
    plan = diagnosis.plan
    if diagnosis.repair_flops is not None and plan.flops is not None:
        more = format_quantity(diagnosis.repair_flops / plan.flops, "ratio")
        yield (
            f"kept at {_count(plan.params)} it wants {_count(diagnosis.repair_tokens)} tokens, "
            f"{_flops(diagnosis.repair_flops)} FLOPs, {more}x the compute"
        )
    if diagnosis.frontier_params is not None:
        gain = diagnosis.loss_gain or 0.0
        lower = f", for a loss {format_quantity(gain, 'loss')} lower" if gain > 0.0 else ""
        yield f"the same compute would train {_split(diagnosis)}{lower}"


def _purpose(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.breakeven_tokens is None:
        yield "over-trained: more training compute for fewer params to serve"
    else:
        yield (
            f"over-trained: {_flops(diagnosis.extra_flops)} FLOPs more in training buy "
            f"{_count(diagnosis.params_saved)} fewer params to serve, which pays once it has served "
            f"{_count(diagnosis.breakeven_tokens)} tokens"
        )
    if diagnosis.frontier_params is not None:
        yield f"for training alone the same compute fits {_split(diagnosis)}"


def _split(diagnosis: Diagnosis) -> str:
    return f"{_count(diagnosis.frontier_params)} params on {_count(diagnosis.frontier_tokens)} tokens"


def _count(value: float | None) -> str:
    return format_quantity(value, "count")


def _flops(value: float | None) -> str:
    return format_quantity(value, "flops")
