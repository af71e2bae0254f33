"""Budgets as people have them: a machine and days, dollars, limited data, inference demand; texts in, demands out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scaling_cli.core.answers import Plan
from scaling_cli.core.compute import training_flops
from scaling_cli.core.demands import ALIASES, Demands, Limit, Serving, limits_of
from scaling_cli.core.duals import Value
from scaling_cli.core.hardware import Accelerator
from scaling_cli.core.laws import Law
from scaling_cli.core.machine_budgets import MachineBudget, is_machine_budget, parse_machine_budget
from scaling_cli.core.machines import BYTES, SECONDS_PER_HOUR, Machine, check_utilisation, machine
from scaling_cli.core.quantities import format_quantity, parse_quantity
from scaling_cli.core.relations import Settings
from scaling_cli.core.repeats import Decay
from scaling_cli.core.within import plan_laws_within
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.hardware import load_accelerator
from scaling_cli.files.prices import find_price

Quantity = float | str | Value
REPEATS = "muennighoff-2023"  # whose decay constants hold for laws that say nothing of repeats
KINDS = {
    "flops": "flops", "params": "params", "tokens": "tokens", "loss": "loss", "memory_bytes": "bytes",
    "lifetime_flops": "flops",
}  # fmt: skip


class Budget(NamedTuple):
    """What a plan must respect, as the options of `scaling plan` say it; None and empty where nothing is asked.

    Fields:
        gpu, gpus, precision: the accelerator by name, how many, whose dense peak counts.
        mfu, mfu_from: model FLOPs utilisation, or a run to take it from (see `parse_run`).
        price: dollars per accelerator-hour, or a file of prices.
        most, least: limits by the name of a number of the plan.
        unique_tokens, inference_tokens: tokens that are not repeats; tokens read and written in the model's life.
        serve_precision, inference_mfu, inference_price: how the model is served.
    """

    gpu: str | None = None
    gpus: Quantity | None = None
    precision: str | None = None
    mfu: Quantity | None = None
    mfu_from: str | None = None
    price: Quantity | None = None
    most: Mapping[str, Quantity] = {}
    least: Mapping[str, Quantity] = {}
    unique_tokens: Quantity | None = None
    inference_tokens: Quantity | None = None
    serve_precision: str | None = None
    inference_mfu: Quantity | None = None
    inference_price: Quantity | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything is asked at all."""
        return self != Budget()


def plan_budget(
    laws: Sequence[Law], texts: Mapping[str, str | None], settings: Settings, given: Mapping[str, Any]
) -> list[Plan]:
    """Return each law's plan within a budget; a law that cannot answer says why in its notes.

    Args:
        laws: the laws.
        texts: what is known of flops, params, tokens and loss, as texts.
        settings: values of the laws' variables.
        given: fields of Budget.

    Raises: InputError and NoAnswer as `plan_within`.
    """
    amount, demands = demands_of(Budget(**given), texts.get("flops"))
    known = {
        name: parse_quantity(text, name, f"--{name}")
        for name, text in texts.items()
        if text is not None and name != "flops"
    }
    if amount is not None:
        known = {"flops": amount, **known}
    return plan_laws_within(laws, known, settings, demands, decay())


def decay() -> Decay:
    """Return how repeats lose their worth: R_D and R_N of Muennighoff et al. 2023."""
    constants = load_law(REPEATS).coefficients
    return Decay(float(constants["R_D"] or 0.0), float(constants["R_N"] or 0.0))


def demands_of(budget: Budget, flops: str | None = None) -> tuple[float | None, Demands]:
    """Return the compute that a text says, if it says any, and the demands.

    Args:
        budget: the options.
        flops: text of --flops: an amount, or a machine and a time.

    Raises: InputError for a wrong value, or for values that contradict each other, naming both.
    """
    hours = parse_machine_budget(flops, "--flops") if flops is not None and is_machine_budget(flops) else None
    mine = _machine(budget, hours)
    amount = None if flops is None else _flops(flops, hours, mine)
    limits = limits_of(_limits(budget.most, "--max"), _limits(budget.least, "--min"))
    demands = Demands(
        limits,
        _number(budget.unique_tokens, "tokens", "--unique-tokens"),
        _number(budget.inference_tokens, "tokens", "--inference-tokens"),
        mine,
        _serving(budget, limits),
        hours_given=hours is not None,
    )
    if hours is not None and mine is not None:
        _check_time(hours, mine, limits)
    for limit in limits:
        demands.factor(limit.name)  # what it rests on must be there before any law is asked
    return amount, demands


def _machine(budget: Budget, hours: MachineBudget | None) -> Machine | None:
    """Return the machine that --gpu, --flops or --mfu-from names."""
    past = None if budget.mfu_from is None else parse_run(budget.mfu_from)
    names = {"--flops": hours.chip if hours else None, "--gpu": budget.gpu}
    cards = {option: load_accelerator(name) for option, name in names.items() if name is not None}
    if len({card.id for card in cards.values()}) > 1:
        raise InputError(f"--flops names {names['--flops']} and --gpu {names['--gpu']}", "name one accelerator")
    card = next(iter(cards.values()), load_accelerator(past.chip) if past else None)
    if card is None:
        _refuse_without_machine(budget)
        return None
    gpus = _number(budget.gpus, "number", "--gpus")
    if gpus is not None and hours is not None and hours.gpus not in (None, gpus):
        raise InputError(f"--flops has {hours.gpus:g} accelerators and --gpus is {gpus:g}", "give one of them")
    if gpus is None and hours is not None:
        gpus = hours.gpus
    price, note = find_price(budget.price, card) if isinstance(budget.price, str) else (budget.price, "")
    mfu = _mfu(budget, hours, past)
    return machine(card, gpus=gpus, mfu=mfu, price=price, precision=budget.precision)._replace(price_note=note)


def _mfu(budget: Budget, hours: MachineBudget | None, past: "PastRun | None") -> float | None:
    given = {
        "--mfu": _number(budget.mfu, "number", "--mfu"),
        "--flops": hours.mfu if hours else None,
        "--mfu-from": past.mfu(budget.precision) if past else None,
    }
    said = {option: value for option, value in given.items() if value is not None}
    if len(said) > 1:
        raise InputError(f"the utilisation is given by {' and '.join(said)}", "give it once")
    return next(iter(said.values()), None)


def _refuse_without_machine(budget: Budget) -> None:
    for option in ("gpus", "price", "mfu", "precision"):
        if getattr(budget, option) is not None:
            raise InputError(f"--{option} is given without a machine", "name it: --gpu h100")


def _flops(text: str, hours: MachineBudget | None, mine: Machine | None) -> float:
    if hours is None or mine is None:
        return parse_quantity(text, "flops", "--flops")
    return hours.gpu_hours * mine.flops_per_hour


def _check_time(hours: MachineBudget, mine: Machine, limits: tuple[Limit, ...]) -> None:
    """Raise InputError where a budget of hours and a limit on time exclude each other, naming both."""
    given = {"gpu_hours": hours.gpu_hours, "days": hours.gpu_hours / hours.gpus / 24.0 if hours.gpus else None}
    for limit in limits:
        takes = given.get(limit.name)
        if takes is not None and (takes > limit.value if limit.is_max else takes < limit.value):
            said = f"--flops says {format_quantity(takes, 'figure')} {limit.name}"
            raise InputError(f"{said}, and {limit.text} does not allow that", "change one of the two")


def _serving(budget: Budget, limits: tuple[Limit, ...]) -> Serving:
    precision = budget.serve_precision
    if precision is None and any(limit.name == "memory_bytes" for limit in limits):
        precision = "bf16"
    if precision is not None and precision not in BYTES:
        raise InputError(f"--serve-precision is {precision[:20]!r}", f"expected one of {', '.join(BYTES)}")
    mfu = _number(budget.inference_mfu, "number", "--inference-mfu")
    if mfu is not None:
        check_utilisation(mfu)
    price = _number(budget.inference_price, "number", "--inference-price")
    if price is not None and price < 0.0:
        raise InputError(f"--inference-price is {price:g}", "expected dollars per accelerator-hour, 0 or more")
    return Serving(precision, mfu, price)


def _limits(texts: Mapping[str, Quantity], option: str) -> dict[str, Value]:
    return {
        name: _number(value, KINDS.get(ALIASES.get(name, name), "number"), f"{option} {name}")
        for name, value in texts.items()
    }


def _number(value: Quantity | None, kind: str, name: str) -> Value | None:
    return parse_quantity(value, kind, name) if isinstance(value, str) else value


class PastRun(NamedTuple):
    """A run of the past, from which utilisation follows: params, tokens, and hours on an accelerator."""

    params: float
    tokens: float
    gpu_hours: float
    chip: str

    def mfu(self, precision: str | None) -> float:
        """Return its model FLOPs utilisation by 6ND against the dense peak."""
        card: Accelerator = load_accelerator(self.chip)
        peak = machine(card, precision=precision).accelerator.peak(machine(card, precision=precision).precision)
        return float(training_flops(self.params, self.tokens)) / (self.gpu_hours * SECONDS_PER_HOUR * peak)


def parse_run(text: str) -> PastRun:
    """Return the run that a text says.

    Raises: InputError unless it has params, tokens and accelerator-hours.

    >>> parse_run("405B params, 15.6T tokens, 30.84M h100-hours").chip
    'h100'
    """
    parts = [part.strip() for part in text.split(",")]
    found: dict[str, float] = {}
    hours: MachineBudget | None = None
    for part in parts:
        kind = next((kind for kind in ("params", "tokens") if part.endswith((kind, kind[:-1]))), "")
        if kind:
            found[kind] = parse_quantity(part, kind, "--mfu-from")
        else:
            hours = parse_machine_budget(part, "--mfu-from")
    if hours is None or len(found) < 2:
        raise InputError(
            f"--mfu-from is {ascii(text[:60])}", "expected such as '405B params, 15.6T tokens, 30.84M h100-hours'"
        )
    return PastRun(found["params"], found["tokens"], hours.gpu_hours, hours.chip)
