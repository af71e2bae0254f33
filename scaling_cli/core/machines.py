"""What compute costs on a machine: accelerator-hours, days, dollars, energy. Training FLOPs in, and back."""

import math
from typing import NamedTuple

from scaling_cli.core.duals import Value
from scaling_cli.core.hardware import Accelerator
from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import InputError

SECONDS_PER_HOUR = 3600.0
HOURS_PER_DAY = 24.0
WATTS_PER_MEGAWATT = 1e6
MFU = 0.35
"""Model FLOPs utilisation where none is given: our choice among published runs, 0.21 (GPT-3) to 0.56 (TinyLlama)."""
MFU_RANGE = (0.25, 0.45)
USUAL_PRECISIONS = ("bf16", "fp16")  # what training runs in, where the accelerator has it
BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5}


class Machine(NamedTuple):
    """So many accelerators at a utilisation and a price.

    Fields:
        accelerator: which.
        precision: whose dense peak counts.
        mfu: model FLOPs utilisation, against the dense peak.
        mfu_given: whether it was given; otherwise MFU_RANGE shows as an interval.
        gpus: how many; None where not given, and then there are no days.
        price: dollars per accelerator-hour; None where not given, and then there are no dollars. These three may be
            arrays.
        price_note: where the price is from.
    """

    accelerator: Accelerator
    precision: str
    mfu: Value = MFU
    mfu_given: bool = False
    gpus: Value | None = None
    price: Value | None = None
    price_note: str = ""

    @property
    def flops_per_hour(self) -> Value:
        """Training FLOPs that one accelerator gets done in an hour."""
        return self.accelerator.peak(self.precision) * self.mfu * SECONDS_PER_HOUR

    def per_flop(self, name: str) -> Value | None:
        """Return how much of gpu_hours, days, dollars or energy_mwh one training FLOP takes; None where unknown."""
        hours = 1.0 / self.flops_per_hour
        if name == "gpu_hours":
            return hours
        if name == "days":
            return None if self.gpus is None else hours / self.gpus / HOURS_PER_DAY
        if name == "dollars":
            return None if self.price is None else hours * self.price
        power = self.accelerator.tdp_w
        return None if power is None else hours * power / WATTS_PER_MEGAWATT

    def at(self, mfu: float) -> "Machine":
        """Return the same machine at another utilisation."""
        return self._replace(mfu=mfu)

    def notes(self) -> tuple[str, ...]:
        """Say what its costs rest on."""
        card, said = self.accelerator, []
        peak = format_quantity(card.peak(self.precision) / 1e12, "number")
        how = (
            "as given"
            if self.mfu_given
            else f"assumed; {MFU_RANGE[0]} to {MFU_RANGE[1]} is usual, and ranges of what it takes are theirs"
        )
        mfu = f"{self.mfu:.4g}, {how}" if isinstance(self.mfu, float) else "several values"
        said.append(f"{card.name}: {peak} TFLOP/s dense in {self.precision}, at a utilisation (MFU) of {mfu}")
        if card.note:
            said.append(f"{card.name}: {card.note}")
        if card.verified.startswith("unverified"):
            said.append(f"{card.name}: its figures are unverified")
        if card.tdp_w is not None:
            said.append(
                f"energy is {card.tdp_w:g} W (TDP) x hours of the {card.unit or 'card'}s alone: no host, no cooling"
            )
        return (*said, self.price_note) if self.price_note else tuple(said)


COSTS = ("gpu_hours", "days", "dollars", "energy_mwh")
NEEDS = {"days": "--gpus", "dollars": "--price"}


def machine(
    accelerator: Accelerator,
    *,
    gpus: Value | None = None,
    mfu: Value | None = None,
    price: Value | None = None,
    precision: str | None = None,
) -> Machine:
    """Return a machine, each of its numbers checked.

    Raises: InputError for a count that is not whole, a utilisation outside 0 to 1, a price below zero, or a precision
        that the accelerator lacks.
    """
    if gpus is not None and not _all((gpus >= 1.0) & (gpus % 1.0 == 0.0)):
        raise InputError(
            f"the number of accelerators (--gpus) is {_shown(gpus)}", "expected a whole number, 1 or more: --gpus 512"
        )
    if mfu is not None:
        check_utilisation(mfu)
    if price is not None:
        check_price(price, "--price")
    if precision is None:
        precision = next(
            (name for name in USUAL_PRECISIONS if name in accelerator.flops_per_second), USUAL_PRECISIONS[0]
        )
    accelerator.peak(precision)
    return Machine(accelerator, precision, MFU if mfu is None else mfu, mfu is not None, gpus, price)


def check_price(price: Value, option: str) -> None:
    """Raise InputError unless a price is finite and not below zero."""
    if not _all((price >= 0.0) & (price < math.inf)):
        expected = f"expected dollars per accelerator-hour, 0 or more: {option} 2.50"
        raise InputError(f"the price ({option}) is {_shown(price)}", expected)


def check_utilisation(mfu: Value, option: str = "--mfu") -> None:
    """Raise InputError unless a utilisation is above 0 and at most 1."""
    if isinstance(mfu, float) and 2.0 <= mfu <= 100.0:
        raise InputError(
            f"{option}: the utilisation (MFU) is {mfu:g}", f"expected a share up to 1: did you mean {mfu / 100.0:g}?"
        )
    if not _all((mfu > 0.0) & (mfu <= 1.0)):
        expected = "expected a share above 0 and up to 1: 0.4, or 40%"
        raise InputError(f"{option}: the utilisation (MFU) is {_shown(mfu)}", expected)


def _all(condition: Value) -> bool:
    return condition if isinstance(condition, bool) else bool(condition.all())


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else "an array with elements that it can not be"


def cost(machine: Machine, name: str, flops: Value) -> Value:
    """Return gpu_hours, days, dollars or energy_mwh of training FLOPs; None where the machine does not say."""
    rate = machine.per_flop(name)
    return None if rate is None else flops * rate
