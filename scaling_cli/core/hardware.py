"""What an accelerator is: dense peaks by precision, memory, bandwidth, power, and where each was read. No loading."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaling_cli.errors import InputError

PRECISIONS = ("bf16", "fp16", "fp8")
BYTES_PER_GIB = 2**30


class Accelerator(NamedTuple):
    """One accelerator, per `unit`: what one of them is (a card, a chip, a GPU of two on a board).

    `flops_per_second` are dense peaks by precision: figures with 2:4 sparsity are twice these, and a precision that the
    hardware lacks is absent. None where nothing is known, never a default. `verified` says who was read (vendor,
    secondary, unverified), `trap` what people get wrong, and `note` what a short name means.
    """

    id: str
    name: str
    vendor: str = ""
    unit: str = ""
    aliases: tuple[str, ...] = ()
    flops_per_second: Mapping[str, float] = {}
    memory_gib: float | None = None
    bandwidth_bytes_per_second: float | None = None
    tdp_w: float | None = None
    source: str = ""
    verified: str = "unverified"
    sources_agreeing: int | None = None
    trap: str = ""
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that means this accelerator, with and without its vendor."""
        bare = (self.id, self.name, *self.aliases)
        return (*bare, *(f"{self.vendor} {name}" for name in bare if self.vendor))

    @property
    def memory_bytes(self) -> float | None:
        """Memory in bytes, of binary GiB."""
        return None if self.memory_gib is None else self.memory_gib * BYTES_PER_GIB

    def peak(self, precision: str) -> float:
        """Return the dense peak at a precision, FLOP/s.

        Raises: InputError where the accelerator has none, naming those that it has.

        >>> Accelerator("v100", "V100", flops_per_second={"fp16": 125e12}).peak("fp16")
        125000000000000.0
        """
        if precision not in self.flops_per_second:
            has = ", ".join(self.flops_per_second) or "none"
            raise InputError(
                f"{self.name} has no known dense peak at {precision[:40]!r}",
                f"expected a precision that it has: {has}",
                f"`scaling hardware --precision {PRECISIONS[0]}` lists accelerators by precision",
            )
        return self.flops_per_second[precision]

    def row(self) -> dict[str, object]:
        """Return the accelerator as a row of `scaling hardware`: `bf16_flops_per_second` and so on, None if absent."""
        peaks = {f"{name}_flops_per_second": self.flops_per_second.get(name) for name in PRECISIONS}
        facts = self._asdict()
        del facts["flops_per_second"]
        head = ("id", "name", "vendor", "unit")
        return {**{key: facts.pop(key) for key in head}, **peaks, **facts, "aliases": list(self.aliases)}


def with_precision(accelerators: Iterable[Accelerator], precision: str | None) -> list[Accelerator]:
    """Return the accelerators that have a dense peak at a precision; all where it is None.

    Raises: InputError for a precision that no accelerator of the catalogue is described at.
    """
    if precision is None:
        return list(accelerators)
    if precision.lower() not in PRECISIONS:
        raise InputError(f"--precision is {precision[:40]!r}", f"expected one of {', '.join(PRECISIONS)}")
    return [each for each in accelerators if precision.lower() in each.flops_per_second]
