"""How architectures look: their sizes, their exact counts, and by what rules either came about."""

from collections.abc import Iterable, Sequence

from scaling_cli.core.architectures import Architecture, Counts
from scaling_cli.core.shapes import Proposal
from scaling_cli.report.report import Column, Report, Row, Table

# whole numbers are shown whole: the kind is text
SIZES = [
    Column("layers", "layers"),
    Column("width", "width"),
    Column("heads", "heads"),
    Column("kv_heads", "kv heads"),
    Column("head_dim", "head dim"),
    Column("ffn", "ffn"),
    Column("vocab", "vocab"),
    Column("tied", "tied head"),
]
EXPERTS = [Column("experts", "experts"), Column("experts_per_token", "per token"), Column("expert_ffn", "expert ffn")]
EXACT = ("params_total", "params_non_embedding", "params_active")
COUNTS = [
    Column("params_total", "total params", "text", "count"),
    Column("params_non_embedding", "non-embedding", "text", "count"),
    Column("params_active", "active", "text", "count"),
    Column("flops_per_token", "training", "flops", "FLOPs per token"),
    Column("flops_per_token_causal", "causal", "flops", "FLOPs per token"),
    Column("flops_per_token_6n", "6N", "flops", "FLOPs per token"),
    Column("ratio_to_6n", "training / 6N", "number"),
]
DEFINITIONS = (
    "non-embedding: less the tables of tokens and positions and an untied output head (Kaplan et al. 2020, "
    "arXiv:2001.08361, section 2.1); active: less the experts that a token does not pass through; 6N: N is active",
    "training FLOPs: 3 x 2 for each multiply-add of the matrices that a token passes through, the output head among "
    "them, and of attention over the whole sequence or its window (Hoffmann et al. 2022, arXiv:2203.15556, appendix "
    "F; Chowdhery et al. 2022, arXiv:2204.02311, appendix B); the embedding look-up, norms and softmax have none; "
    "causal: attention to earlier tokens only (Kaplan et al. 2020, table 1)",
)


def count_report(configs: Sequence[tuple[str, str, Architecture, Sequence[str]]], counts: Sequence[Counts]) -> Report:
    """Return the report of `scaling count`.

    Args:
        configs: for each model the file, the family, the architecture and what is to be said of it.
        counts: for each model what it costs.
    """
    rows = [
        {
            "config": path,
            "model_type": family,
            **_sizes(shape),
            **_experts(shape),
            **cost._asdict(),
            "notes": list(notes),
        }
        for (path, family, shape, notes), cost in zip(configs, counts, strict=True)
    ]
    names = [Column("config", "config"), Column("model_type", "family")]
    said = [f"{path}: {note}" for path, _, _, notes in configs for note in notes]
    return Report(
        "scaling.count/1", rows, [*said, _context_note(counts), *DEFINITIONS], _tables(rows, names, names[:1])
    )


def shape_report(proposals: Sequence[Proposal], rules: Iterable[str]) -> Report:
    """Return the report of `scaling shape`."""
    rows = [
        {**_sizes(proposal.shape), **proposal.counts._asdict(), "difference": proposal.difference}
        for proposal in proposals
    ]
    names = [Column("layers", "layers"), Column("width", "width")]
    counted = [proposal.counts for proposal in proposals]
    tables = _tables(rows, [Column("difference", "from the params asked for", "percent")], names)
    return Report("scaling.shape/1", rows, [*rules, _context_note(counted), *DEFINITIONS], tables)


def _sizes(shape: Architecture) -> dict[str, object]:
    return {
        "layers": shape.layers,
        "width": shape.width,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "ffn": shape.ffn,
        "vocab": shape.vocab,
        "tied": shape.tied,
    }


def _experts(shape: Architecture) -> dict[str, object]:
    experts = shape.experts
    return {
        "experts": experts.held if experts else None,
        "experts_per_token": experts.per_token if experts else None,
        "expert_ffn": experts.ffn if experts else None,
    }


def _tables(rows: Sequence[Row], first: Sequence[Column], names: Sequence[Column]) -> list[Table]:
    """Return the sizes, and the counts beside what names each row."""
    routed = any(row.get("experts") for row in rows)
    exact = [{**row, **{key: _grouped(row[key]) for key in EXACT}} for row in rows]
    sizes = [*first, *SIZES, *(EXPERTS if routed else ())]
    return [Table("Sizes", sizes, rows), Table("Exact counts", [*names, *COUNTS], exact)]


def _grouped(value: object) -> str:
    return f"{value:,}"


def _context_note(counts: Sequence[Counts]) -> str:
    lengths = ", ".join(str(length) for length in dict.fromkeys(cost.context for cost in counts))
    return (
        f"FLOPs are for sequences of {lengths} tokens (by default the model's longest, at most 2048); --context sets it"
    )
