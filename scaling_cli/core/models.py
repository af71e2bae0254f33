"""Known models: what was trained on how much, with the source of each figure, and where that lies on a law. No loading.

N, wherever compute follows from it, is the active parameters: of a mixture of experts, those that a token meets.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaling_cli.core.compute import training_flops
from scaling_cli.core.laws import Law
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import Settings
from scaling_cli.errors import NoAnswer

MIXTURE = "moe"
KINDS = (
    "dense", MIXTURE, "enc-dec", "encoder", "vision", "vision-language", "cnn", "diffusion", "speech", "protein",
    "undisclosed",
)  # fmt: skip
SIX_ND = "6 N_active D"
LETTERS = {
    "P": "the primary paper, read in a full-text copy",
    "C": "the authors' model card, README or repository",
    "Q": "quoted with its place by somebody who read the primary source",
    "K": "counted from the configuration: unique trainable parameters, tied weights once",
    "H": "total of the tensors on the Hugging Face Hub, which can hold more than the model",
    "S": "secondary",
    "E": "Epoch AI's data",
    "M": "from memory",
}
"""How a figure was read; several letters joined by + where several ways agree."""


class KnownModel(NamedTuple):
    """A trained model. None where a figure is unknown; `letters` says for each figure how it was read (see LETTERS).

    `params` counts all parameters, `active_params` those that a token meets (None for a mixture of experts that does
    not tell); `flops_published` is a count, and `flops_basis` how it was come by; `accelerators` is how many of
    `hardware`, `accelerator_hours` their hours; `mfu` is the published model FLOPs utilisation, a fraction of the
    dense peak, found at `mfu_where`; `sources_agreeing` counts independent sources of the main figures (1 is
    unconfirmed).
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    org: str = ""
    date: str = ""
    kind: str = "dense"
    params: float | None = None
    active_params: float | None = None
    tokens: float | None = None
    flops_published: float | None = None
    flops_basis: str = ""
    hardware: str = ""
    accelerators: int | None = None
    accelerator_hours: float | None = None
    mfu: float | None = None
    mfu_where: str = ""
    letters: Mapping[str, str] = {}
    ref: str = ""
    sources_agreeing: int | None = None
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that means this model."""
        return (self.id, self.name, *self.aliases)

    @property
    def flops_6nd(self) -> float | None:
        """6 x active params x tokens, FLOPs; twice too much for an encoder-decoder, whose tokens cross one half."""
        if self.active_params is None or self.tokens is None:
            return None
        return float(training_flops(self.active_params, self.tokens))

    @property
    def flops(self) -> float | None:
        """Training FLOPs, a count: as published, else 6 x active params x tokens."""
        return self.flops_6nd if self.flops_published is None else self.flops_published

    @property
    def basis(self) -> str | None:
        """How `flops` was come by."""
        if self.flops_published is not None:
            return self.flops_basis or "published"
        return None if self.flops_6nd is None else SIX_ND

    @property
    def tokens_per_param(self) -> float | None:
        """Tokens per active parameter."""
        return None if self.active_params is None or self.tokens is None else self.tokens / self.active_params


class Placement(NamedTuple):
    """A model beside the law's own split of the same flops. None without tokens, or where the law has no answer."""

    model: KnownModel
    law: str
    frontier_params: float | None = None
    frontier_tokens: float | None = None
    params_ratio: float | None = None
    notes: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    def row(self) -> dict[str, object]:
        """Return the placement as a row of `scaling models`."""
        model = self.model
        return {
            "id": model.id, "name": model.name, "org": model.org, "date": model.date, "kind": model.kind,
            "params": model.params, "active_params": model.active_params, "tokens": model.tokens,
            "flops": model.flops, "flops_basis": model.basis, "flops_6nd": model.flops_6nd,
            "tokens_per_param": model.tokens_per_param,
            "law": self.law, "frontier_params": self.frontier_params, "frontier_tokens": self.frontier_tokens,
            "params_ratio": self.params_ratio,
            "hardware": model.hardware or None, "accelerators": model.accelerators,
            "accelerator_hours": model.accelerator_hours, "mfu": model.mfu, "mfu_where": model.mfu_where or None,
            "letters": dict(model.letters), "ref": model.ref or None, "sources_agreeing": model.sources_agreeing,
            "aliases": list(model.aliases),
            "notes": [note for note in (model.note, *self.notes, *self.outside) if note],
        }  # fmt: skip


def place_models(models: Iterable[KnownModel], law: Law, settings: Settings | None = None) -> list[Placement]:
    """Return each model beside the split that a law gives the same flops.

    Args:
        models: known models; those without tokens (images, undisclosed) are not placed.
        law: the law.
        settings: values of the law's variables, such as {"U": 1e11}.

    Returns: placements in the models' order; `params_ratio` is active params over the law's params, so above 1 a model
        is larger, and trained on fewer tokens, than the law would have it.
    Raises: InputError for a variable that the law does not declare.
    """
    planner = Planner(law, settings)
    return [_place(model, planner) for model in models]


def _place(model: KnownModel, planner: Planner) -> Placement:
    unplaced = Placement(model, planner.law.id)
    if model.tokens is None or model.flops is None:
        return unplaced
    try:
        plan = planner.plan({"flops": model.flops})
    except NoAnswer as error:
        return unplaced._replace(notes=(error.message,))
    if plan.params is None or plan.tokens is None:
        return unplaced._replace(notes=plan.notes)
    ratio = None if model.active_params is None else model.active_params / plan.params
    return Placement(model, planner.law.id, plan.params, plan.tokens, ratio, outside=plan.outside)
