"""A counted config as laws see it: N by what each counts, and where its experts are not those that a law assumes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scaling_cli.core.architectures import Architecture, count
from scaling_cli.core.diagnosis import params_by_kind
from scaling_cli.core.laws import Law
from scaling_cli.core.mixtures import ACTIVE, EVERY_EXPERT
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.relations import Settings

EXPERTS = ("experts", "expansion", "sparsity")  # variables by which the laws of mixtures tell experts
TOTAL = "total"


class Counted(NamedTuple):
    """The exact params of a model that a file describes.

    Fields:
        path: the file, for messages.
        shape: the architecture.
        by_kind: N by what a law counts.
        open_points: what the file leaves open.
    """

    path: str
    shape: Architecture
    by_kind: dict[str, float]
    open_points: tuple[str, ...] = ()

    @property
    def stored(self) -> float:
        """All the params, which memory holds; a count."""
        return self.by_kind[EVERY_EXPERT]

    @property
    def is_mixture(self) -> bool:
        """Whether a token meets some of the params only."""
        return self.by_kind[ACTIVE] < self.stored

    def params_for(self, law: Law) -> float:
        """Return N as a law counts it; of a mixture, for a law of dense models, what a token meets."""
        return self.by_kind.get(law.params_kind, self.by_kind[TOTAL])

    def notes(self, laws: Sequence[Law], settings: Settings) -> Iterator[str]:
        """Yield which of its params stand for N of laws that count alike, and what laws assume of its experts."""
        params = self.params_for(laws[0])
        kind = laws[0].params_kind if laws[0].params_kind in self.by_kind else TOTAL
        if self.is_mixture and kind == TOTAL:
            kind = ACTIVE
        rest = f"; {format_quantity(self.stored, 'params')} in all" if self.is_mixture and params < self.stored else ""
        yield f"{self.path}: {format_quantity(params, 'params')} params ({kind}{rest}), counted from the file"
        yield from (f"{self.path}: {note}" for note in self.open_points)
        for law in laws:
            yield from self._other_experts(law, settings)

    def _other_experts(self, law: Law, settings: Settings) -> Iterator[str]:
        """Say what a law assumes of experts where nobody set it: definitions differ, so none is set from the file."""
        experts = self.shape.experts
        for name in EXPERTS:
            variable = law.variables.get(name)
            if experts and variable and isinstance(variable.default, float) and name not in settings:
                here = f"{experts.held} experts in a routed layer, of which a token meets {experts.per_token}"
                assumed = f"{law.id} assumes {name} = {variable.default:g}"
                yield f"{self.path}: {here}; {assumed}: --set {name}=... changes it"


def count_shape(path: str, shape: Architecture, open_points: Sequence[str] = ()) -> Counted:
    """Return the exact params of an architecture; `open_points` are what its file leaves open."""
    return Counted(path, shape, params_by_kind(count(shape)), tuple(open_points))
