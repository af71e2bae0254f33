"""What is asked of a plan beyond its law: limits, limited data, inference, a machine; and the numbers these concern."""

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from scaling_cli.core.duals import Value
from scaling_cli.core.machines import BYTES, COSTS, HOURS_PER_DAY, NEEDS, Machine
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError

INFERENCE_FLOPS = 2.0
"""FLOPs per param and token of a forward pass. Source: Kaplan et al. 2020, table 1; Sardana et al. 2024, section 2."""

# what a limit bounds: params, tokens, tokens per param, training compute, lifetime compute or dollars, loss
KINDS = {
    "params": "params", "memory_bytes": "params", "tokens": "tokens", "epochs": "tokens", "tokens_per_param": "ratio",
    "flops": "compute", **dict.fromkeys(COSTS, "compute"), "lifetime_flops": "lifetime",
    "lifetime_dollars": "dollars", "loss": "loss",
}  # fmt: skip
LEAST_ANYWAY = ("loss", "lifetime", "dollars")  # what a plan makes least, so that a limit from below only checks it
CHECKED = ("optimal_params", "optimal_loss", "flops_same_loss", "waste", "unique_tokens", "inference_tokens")
LIFETIMES = ("lifetime_flops", "lifetime_dollars")
SERVED = "bf16"  # what weights are kept in where nobody says
ALIASES = {"memory": "memory_bytes", "energy": "energy_mwh"}
FORMATS = {
    "params": "params", "tokens": "tokens", "flops": "flops", "lifetime_flops": "flops", "loss": "loss",
    "memory_bytes": "count",
}  # fmt: skip


class Serving(NamedTuple):
    """How a model will be served: the precision of its weights, utilisation, dollars an hour; None where not given."""

    precision: str | None = None
    mfu: Value | None = None
    price: Value | None = None


class Limit(NamedTuple):
    """One side of a limit: `--max name=value` or `--min name=value`."""

    name: str
    value: Value
    is_max: bool
    said: str = ""

    @property
    def kind(self) -> str:
        """What it bounds (see KINDS), or "checked": what follows from the best plan and can only be looked at."""
        kind = KINDS.get(self.name, "checked")
        return "checked" if kind in LEAST_ANYWAY and not self.is_max else kind

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
        stored: all the params that memory holds, where a config says them; else memory is that of N.
        hours_given: whether the compute follows from hours on the machine, so that the utilisation moves it.
    """

    limits: tuple[Limit, ...] = ()
    unique_tokens: Value | None = None
    inference_tokens: Value | None = None
    machine: Machine | None = None
    serving: Serving = Serving()
    stored: float | None = None
    hours_given: bool = False

    @property
    def is_constrained(self) -> bool:
        """Whether anything here moves the answer, rather than only pricing it."""
        return bool(self.limits) or self.unique_tokens is not None or self.inference_tokens is not None

    @property
    def sought_limits(self) -> tuple[Limit, ...]:
        """The limits that a plan is sought within."""
        return tuple(limit for limit in self.limits if limit.kind != "checked")

    @property
    def arrays(self) -> list[Value]:
        """The values that are arrays."""
        found: list[Value] = []

        def take(array: Value) -> Value:
            found.append(array)
            return array

        self.mapped(take)
        return found

    @property
    def zero(self) -> Value:
        """0.0, or an array of zeros of the shape of what is asked."""
        return next((0.0 * array for array in self.arrays), 0.0)

    def mapped(self, change: Callable[[Value], Value]) -> "Demands":
        """Return the same with each array changed."""

        def of(value: Value) -> Value:
            return value if value is None or not is_array(value) else change(value)

        def parts(thing: Any, *names: str) -> Any:
            return thing._replace(**{name: of(getattr(thing, name)) for name in names})

        demands: Demands = parts(self, "unique_tokens", "inference_tokens")
        return demands._replace(
            limits=tuple(parts(limit, "value") for limit in self.limits),
            machine=None if self.machine is None else parts(self.machine, "mfu", "gpus", "price"),
            serving=parts(self.serving, "mfu", "price"),
        )

    @property
    def training_only(self) -> "Demands":
        """The same without inference, and without limits on what it takes."""
        limits = tuple(limit for limit in self.limits if limit.name not in LIFETIMES)
        return self._replace(limits=limits, inference_tokens=None)

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
            return BYTES[self.serving.precision or SERVED]
        if name == "epochs" and self.unique_tokens is None:
            raise InputError("a limit on epochs needs the unique tokens", "give --unique-tokens 300B")
        if name in LIFETIMES and self.inference_tokens is None:
            raise InputError(f"a limit on {name} needs the inference tokens", "give --inference-tokens 2T")
        if name == "lifetime_dollars" and self.dollar_weights() is None:
            raise InputError(f"a limit on {name} needs a price", "give --gpu h100 --price 2.50")
        return 1.0 / self.unique_tokens if name == "epochs" and self.unique_tokens is not None else 1.0

    def _cost_factor(self, name: str) -> Value:
        if self.machine is None:
            raise InputError(f"a limit on {name} needs a machine", "name it: --gpu h100")
        rate = self.machine.per_flop(name)
        if rate is None:
            wanted = NEEDS.get(name)
            why = f"give {wanted}" if wanted else f"the power of {self.machine.accelerator.name} is not known"
            raise InputError(f"a limit on {name} needs more of the machine", why)
        if isinstance(rate, float) and rate == 0.0:
            raise InputError(f"a limit on {name} bounds nothing at a price of 0", "give --price 2.50, or another limit")
        return rate

    def lifetime_weights(self) -> tuple[Value, Value]:
        """Return what a training FLOP and an inference FLOP cost: one each, or dollars where inference has its own."""
        dollars = self.dollar_weights()
        apart = self.serving.mfu is not None or self.serving.price is not None
        return dollars if dollars and apart else (1.0, 1.0)

    def dollar_weights(self) -> tuple[Value, Value] | None:
        """Return the dollars of a training FLOP and of an inference FLOP; None where a price is not known."""
        machine, serving, precision = self.machine, self.serving, self.serving.precision
        if machine is None or machine.price is None:
            return None
        known = machine.accelerator.flops_per_second
        served = machine._replace(
            precision=precision if precision and precision in known else machine.precision,
            mfu=machine.mfu if serving.mfu is None else serving.mfu,
            price=machine.price if serving.price is None else serving.price,
        )  # fmt: skip
        return machine.per_flop("dollars"), served.per_flop("dollars")


def check_limits(limits: tuple[Limit, ...]) -> None:
    """Raise InputError for a limit on an unknown number, or for two that contradict each other, naming both."""
    for limit in limits:
        _check_limit(limit)
    for low in limits:
        for high in limits:
            if not low.is_max and high.is_max and low.name == high.name and _is_above(low.value, high.value):
                raise InputError(f"{low.text} and {high.text} contradict each other", "no plan keeps both: change one")


def check_time(limits: tuple[Limit, ...], gpu_hours: float, gpus: Value | None) -> None:
    """Raise InputError where a budget of accelerator-hours and a limit on time exclude each other, naming both."""
    given = {"gpu_hours": gpu_hours, "days": gpu_hours / gpus / HOURS_PER_DAY if isinstance(gpus, float) else None}
    for limit in limits:
        takes = given.get(limit.name)
        if takes is None or not isinstance(limit.value, float):
            continue
        if takes > limit.value if limit.is_max else takes < limit.value:
            said = f"--flops says {format_quantity(takes, 'figure')} {limit.name}"
            raise InputError(f"{said}, and {limit.text} does not allow that", "change one of the two")


def _check_limit(limit: Limit) -> None:
    names = (*KINDS, *CHECKED)
    if limit.name not in names:
        near = get_close_matches(limit.name, names, 1)
        guess = (f"did you mean {near[0]}?",) if near else ()
        raise InputError(
            f"{limit.text} is on no number that a plan has to keep", *guess, f"expected one of {', '.join(names)}"
        )
    if not isinstance(limit.value, float):
        if not ((limit.value > 0.0) & (limit.value < math.inf)).all():
            side = "max" if limit.is_max else "min"
            raise InputError(f"--{side} {limit.name} has elements that are not finite and above zero")
    elif not (0.0 < limit.value < math.inf or limit.value == 0.0 and limit.name in CHECKED):
        raise InputError(f"{limit.text} can not be kept", "expected a finite number greater than zero")


def _is_above(low: Value, high: Value) -> bool:
    """Whether one limit lies above another; elements of arrays get no answer instead."""
    return isinstance(low, float) and isinstance(high, float) and low > high


def limits_of(most: Mapping[str, Value], least: Mapping[str, Value]) -> tuple[Limit, ...]:
    """Return limits from values by name, names read as people write them, checked."""
    found = (
        *(Limit(ALIASES.get(name, name), value, True) for name, value in most.items()),
        *(Limit(ALIASES.get(name, name), value, False) for name, value in least.items()),
    )
    check_limits(found)
    return found
