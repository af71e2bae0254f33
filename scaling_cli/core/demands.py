"""What is asked of a plan beyond its law: limits, limited data, inference, a machine; and the numbers these concern."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from scaling_cli.core.duals import Value
from scaling_cli.core.machines import BYTES, COSTS, NEEDS, Machine
from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import InputError

INFERENCE_FLOPS = 2.0
"""FLOPs per param and token of a forward pass. Source: Kaplan et al. 2020, table 1; Sardana et al. 2024, section 2."""

# what a limit bounds: params, tokens, tokens per param, training compute, lifetime compute or dollars, loss
KINDS = {
    "params": "params", "memory_bytes": "params", "tokens": "tokens", "epochs": "tokens", "tokens_per_param": "ratio",
    "flops": "compute", **dict.fromkeys(COSTS, "compute"), "lifetime_flops": "lifetime",
    "lifetime_dollars": "dollars", "loss": "loss",
}  # fmt: skip
ALIASES = {"memory": "memory_bytes", "energy": "energy_mwh"}
FORMATS = {
    "params": "params", "tokens": "tokens", "flops": "flops", "lifetime_flops": "flops", "loss": "loss",
    "memory_bytes": "count",
}  # fmt: skip


class Serving(NamedTuple):
    """How a model will be served: the precision of its weights, utilisation, dollars an hour; None where not given."""

    precision: str | None = None
    mfu: float | None = None
    price: float | None = None


class Limit(NamedTuple):
    """One side of a limit: `--max name=value` or `--min name=value`."""

    name: str
    value: Value
    is_max: bool
    said: str = ""

    @property
    def text(self) -> str:
        """The limit as the user would write it."""
        if self.said:
            return self.said
        shown = (
            self.value
            if not isinstance(self.value, float)
            else format_quantity(self.value, FORMATS.get(self.name, "figure"))
        )
        return f"--{'max' if self.is_max else 'min'} {self.name}={shown}"


class Demands(NamedTuple):
    """What a plan must respect. Counts are tokens; None and empty where nothing is asked.

    Fields:
        limits: on numbers of the plan's row.
        unique_tokens: U; tokens beyond it are repeats.
        inference_tokens: tokens that the model will read and write in its life.
        machine: what it is trained on.
        serving: how it is served.
        hours_given: whether the compute follows from hours on the machine, so that the utilisation moves it.
    """

    limits: tuple[Limit, ...] = ()
    unique_tokens: Value | None = None
    inference_tokens: Value | None = None
    machine: Machine | None = None
    serving: Serving = Serving()
    hours_given: bool = False

    @property
    def is_constrained(self) -> bool:
        """Whether anything here moves the answer, rather than only pricing it."""
        return bool(self.limits) or self.unique_tokens is not None or self.inference_tokens is not None

    def without(self, limit: Limit) -> "Demands":
        """Return the same without one limit."""
        return self._replace(limits=tuple(other for other in self.limits if other is not limit))

    def factor(self, name: str) -> Value:
        """Return the value of a number per unit of what it bounds: dollars per training FLOP, bytes per parameter.

        Raises: InputError when what the number rests on was not given.
        """
        if name in COSTS:
            return self._cost_factor(name)
        if name == "memory_bytes":
            return BYTES[self.serving.precision or "bf16"]
        if name == "epochs":
            if self.unique_tokens is None:
                raise InputError("a limit on epochs needs the unique tokens", "give --unique-tokens 300B")
            return 1.0 / self.unique_tokens
        return 1.0

    def _cost_factor(self, name: str) -> float:
        if self.machine is None:
            raise InputError(f"a limit on {name} needs a machine", "name it: --gpu h100")
        rate = self.machine.per_flop(name)
        if rate is None:
            wanted = NEEDS.get(name)
            why = f"give {wanted}" if wanted else f"the power of {self.machine.accelerator.name} is not known"
            raise InputError(f"a limit on {name} needs more of the machine", why)
        return rate

    def lifetime_weights(self) -> tuple[float, float]:
        """Return what a training FLOP and an inference FLOP cost: one each, or dollars where both prices are known."""
        dollars = self.dollar_weights()
        return dollars if dollars and (self.serving.mfu or self.serving.price) else (1.0, 1.0)

    def dollar_weights(self) -> tuple[float, float] | None:
        """Return the dollars of a training FLOP and of an inference FLOP; None where a price is not known."""
        if self.machine is None or self.machine.price is None:
            return None
        training = self.machine.per_flop("dollars")
        if training is None:
            return None
        mfu = self.serving.mfu or self.machine.mfu
        price = self.machine.price if self.serving.price is None else self.serving.price
        card = self.machine.accelerator
        precision = (
            self.serving.precision if self.serving.precision in card.flops_per_second else self.machine.precision
        )
        inference = self.machine._replace(precision=precision or self.machine.precision, mfu=mfu, price=price)
        return training, inference.per_flop("dollars") or 0.0


def check_limits(limits: tuple[Limit, ...]) -> None:
    """Raise InputError for a limit on an unknown number, or for two that contradict each other, naming both."""
    for limit in limits:
        if limit.name not in KINDS:
            raise InputError(
                f"{limit.text} is on no number that a plan can keep", f"expected one of {', '.join(KINDS)}"
            )
        if isinstance(limit.value, float) and not 0.0 < limit.value < math.inf:
            raise InputError(f"{limit.text}", "expected a finite number greater than zero")
    for low in limits:
        for high in limits:
            if not low.is_max and high.is_max and low.name == high.name and _is_above(low.value, high.value):
                raise InputError(f"{low.text} and {high.text} contradict each other", "no plan keeps both: change one")


def _is_above(low: Value, high: Value) -> bool:
    above = low > high
    return bool(above) if isinstance(above, bool) else bool(above.any())


def parse_limit(name: str, value: Value, *, is_max: bool) -> Limit:
    """Return a limit, its name read as people write it."""
    return Limit(ALIASES.get(name, name), value, is_max)


def limits_of(most: Mapping[str, Value], least: Mapping[str, Value]) -> tuple[Limit, ...]:
    """Return limits from values by name, checked."""
    found = (
        *(parse_limit(name, value, is_max=True) for name, value in most.items()),
        *(parse_limit(name, value, is_max=False) for name, value in least.items()),
    )
    check_limits(found)
    return found
