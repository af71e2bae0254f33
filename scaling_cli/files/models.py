"""The shipped known models, and a model in a file of the user's. The schema is presets/README.md."""

import re

from scaling_cli.core.models import KINDS, LETTERS, MIXTURE, KnownModel
from scaling_cli.files.sections import Section
from scaling_cli.files.shelf import ALWAYS, Shelf, amount, whole

FIGURES = ("params", "tokens", "flops", "accelerator_hours", "mfu")  # what `letters` speaks of
KEYS = (
    *ALWAYS, *FIGURES, "org", "date", "kind", "active_params", "flops_basis", "hardware", "accelerators", "mfu_where",
    "letters", "ref", "sources_agreeing",
)  # fmt: skip
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")


def load_model(name: str) -> KnownModel:
    """Return a known model by id, name, alias (in any spelling of case, blanks, dashes and underscores) or file.

    Args:
        name: such as gpt-3-175b, "Llama 3.1 405B", gpt3, or a file ending in .yaml.

    Raises: InputError for an unknown or ambiguous name, with the nearest ones; FileError for a file that is wrong.

    >>> load_model("gpt3").tokens
    300000000000.0
    """
    return MODELS.load(name)


def load_models() -> list[KnownModel]:
    """Return every shipped model, by id."""
    return MODELS.load_all()


def _model(top: Section) -> KnownModel:
    top.allow(KEYS)
    kind, date = top.text("kind", "dense"), top.text("date")
    if kind not in KINDS:
        top.fail("kind", f"is {kind[:40]!r}: expected one of {', '.join(KINDS)}")
    if date and not _DATE.fullmatch(date):
        top.fail("date", f"is {date[:40]!r}: expected a year or a month, such as 2024-07")
    params = amount(top, "params")
    return KnownModel(
        id=top.text("id"),
        name=top.text("name") or top.text("id"),
        aliases=top.texts("aliases"),
        org=top.text("org"),
        date=date,
        kind=kind,
        params=params,
        active_params=_active(top, kind, params),
        tokens=amount(top, "tokens"),
        flops_published=amount(top, "flops"),
        flops_basis=top.text("flops_basis"),
        hardware=top.text("hardware"),
        accelerators=whole(top, "accelerators"),
        accelerator_hours=amount(top, "accelerator_hours"),
        mfu=amount(top, "mfu", most=1.0),
        mfu_where=top.text("mfu_where"),
        letters=_letters(top),
        ref=top.text("ref"),
        sources_agreeing=whole(top, "sources_agreeing"),
        note=top.text("note"),
    )


def _active(top: Section, kind: str, params: float | None) -> float | None:
    active = amount(top, "active_params")
    if active is not None and kind != MIXTURE:
        top.fail(
            "active_params", f"stands in a model of kind {kind}: only a mixture of experts (kind: {MIXTURE}) has it"
        )
    if active is not None and params is not None and active > params:
        top.fail("active_params", f"is {active:g}: expected at most params, {params:g}")
    return active if kind == MIXTURE else params


def _letters(top: Section) -> dict[str, str]:
    letters = top.section("letters").allow(FIGURES)
    for key in letters:
        if key not in top:
            letters.fail(key, f"says how a figure was read that is not there: add {key}, or take it out")
        if not set(letters.text(key).split("+")) <= LETTERS.keys():
            letters.fail(key, f"is {letters.text(key)[:40]!r}: expected letters of {', '.join(LETTERS)}, joined by +")
    return {key: letters.text(key) for key in letters}


MODELS = Shelf("models", "model", read=_model, needs=("schema", "name", "org", "date", "kind", "letters"))
