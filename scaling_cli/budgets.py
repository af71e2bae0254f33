"""Budgets as people have them: a machine and days, dollars, limited data, inference demand; in words, to demands."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scaling_cli.core.answers import Plan
from scaling_cli.core.compute import training_flops
from scaling_cli.core.demands import ALIASES, SERVED, Demands, Limit, Serving, check_limits, check_time
from scaling_cli.core.duals import Value
from scaling_cli.core.hardware import Accelerator
from scaling_cli.core.laws import Law
from scaling_cli.core.machine_budgets import MachineBudget, is_machine_budget, parse_machine_budget
from scaling_cli.core.machines import BYTES, SECONDS_PER_HOUR, Machine, check_price, check_utilisation, machine
from scaling_cli.core.mixtures import check_stored
from scaling_cli.core.policies import QUANTITIES, parse_amount, parse_dollars, parse_share
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.core.relations import Settings
from scaling_cli.core.repeats import Decay
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.hardware import load_accelerator
from scaling_cli.files.prices import find_price

Quantity = float | str | Value
REPEATS = "muennighoff-2023"  # whose decay constants hold for laws that say nothing of repeats
KINDS = {
    "flops": "flops", "params": "params", "tokens": "tokens", "loss": "loss", "memory_bytes": "bytes",
    "lifetime_flops": "flops", "optimal_params": "params", "optimal_loss": "loss", "flops_same_loss": "flops",
    "unique_tokens": "tokens", "inference_tokens": "tokens",
}  # fmt: skip


class Budget(NamedTuple):
    """What a plan must respect, as the options of `scaling plan` say it; None and empty where nothing is asked.

    Quantities are numbers, texts as people write them, or arrays.

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


def plan_budget(
    laws: Sequence[Law], known: Mapping[str, Quantity | None], settings: Settings, given: Mapping[str, Any]
) -> list[Plan]:
    """Return each law's plan within a budget; a law that cannot answer says why in its notes.

    Args:
        laws: the laws.
        known: what is known of flops, params, tokens and loss: numbers, texts, arrays; None where it is not.
        settings: values of the laws' variables.
        given: fields of Budget; and `stored`, all the params of a config, where there is one.

    Raises: InputError and NoAnswer as `plan_within` and `demands_of`.
    """
    flops = known.get("flops")
    stored = given.get("stored")
    asked = Budget(**{name: value for name, value in given.items() if name != "stored"})
    amount, demands = demands_of(asked, flops if isinstance(flops, str) else None, stored=stored)
    values = {
        name: parse_quantity(value, name, f"--{name}") if isinstance(value, str) else value
        for name, value in known.items()
        if value is not None and not (name == "flops" and amount is not None)
    }
    if amount is not None:
        values = {"flops": amount, **values}
    from scaling_cli.core.within import plan_laws_within  # a check of given runs asks for none

    if demands.is_constrained and (demands.arrays or any(map(_is_array, values.values()))):
        from scaling_cli.core.batches import plan_arrays  # most questions are single

        return [plan_arrays(law, values, settings, demands, decay()) for law in laws]
    return plan_laws_within(laws, values, settings, demands, decay())


def decay() -> Decay:
    """Return how repeats lose their worth: R_D and R_N of Muennighoff et al. 2023."""
    constants = load_law(REPEATS).coefficients
    return Decay(float(constants["R_D"] or 0.0), float(constants["R_N"] or 0.0))


def demands_of(
    budget: Budget, flops: str | None = None, *, stored: float | None = None
) -> tuple[Value | None, Demands]:
    """Return the compute that a text says, if it says any, and the demands.

    Args:
        budget: the options.
        flops: text of --flops: an amount, or a machine and a time.
        stored: all the params of a config, a count; no limit on memory moves those, so they are held to it here.

    Raises: InputError for a wrong value, or for values that contradict each other, naming both; NoAnswer where the
        weights of a config break a limit on memory.
    """
    hours = parse_machine_budget(flops, "--flops") if flops is not None and is_machine_budget(flops) else None
    mine = _machine(budget, hours)
    amount = None if flops is None else _flops(flops, hours, mine)
    limits = (*_limits(budget.most, is_max=True), *_limits(budget.least, is_max=False))
    check_limits(limits)
    serving = _serving(budget, limits)
    demands = Demands(
        limits if stored is None else check_stored(limits, stored, serving.precision),
        _count(budget.unique_tokens, "--unique-tokens"),
        _count(budget.inference_tokens, "--inference-tokens"),
        mine,
        serving,
        stored,
        hours_given=hours is not None,
    )
    if hours is not None and mine is not None:
        check_time(limits, hours.gpu_hours, mine.gpus)
    for limit in demands.sought_limits:
        demands.factor(limit.name)  # what it rests on must be there before any law is asked
    return amount, demands


def _machine(budget: Budget, hours: MachineBudget | None) -> Machine | None:
    """Return the machine that --gpu, --flops or --mfu-from names."""
    past = None if budget.mfu_from is None else parse_run(budget.mfu_from)
    names = {"--flops": hours.chip if hours else None, "--gpu": budget.gpu}
    cards = {option: _card(name, option) for option, name in names.items() if name is not None}
    if len({card.id for card in cards.values()}) > 1:
        raise InputError(f"--flops names {names['--flops']} and --gpu {names['--gpu']}", "name one accelerator")
    card = next(iter(cards.values()), _card(past.chip, "--mfu-from") if past else None)
    if card is None:
        _refuse_without_machine(budget)
        return None
    gpus = _number(budget.gpus, "number", "--gpus")
    if isinstance(gpus, float) and hours is not None and hours.gpus not in (None, gpus):
        raise InputError(f"--flops has {hours.gpus:g} accelerators and --gpus is {gpus:g}", "give one of them")
    if gpus is None and hours is not None:
        gpus = hours.gpus
    given = budget.price
    price, note = find_price(given, card) if isinstance(given, str) else (_number(given, "number", "--price"), "")
    mfu = _mfu(budget, hours, past)
    return machine(card, gpus=gpus, mfu=mfu, price=price, precision=budget.precision)._replace(price_note=note)


def _card(name: str, option: str) -> Accelerator:
    try:
        return load_accelerator(name)
    except InputError as error:
        raise InputError(f"{option}: unknown accelerator: {error.message}", *error.hints) from error


def _mfu(budget: Budget, hours: MachineBudget | None, past: "PastRun | None") -> Value | None:
    given = {
        "--mfu": _share(budget.mfu, "--mfu"),
        "--flops": hours.mfu if hours else None,
        "--mfu-from": past.mfu(budget.precision) if past else None,
    }
    said = {option: value for option, value in given.items() if value is not None}
    if len(said) > 1:
        raise InputError(f"the utilisation is given by {' and '.join(said)}", "give it once")
    return next(iter(said.values()), None)


def _refuse_without_machine(budget: Budget) -> None:
    for option in ("gpus", "price", "mfu", "precision", "inference_mfu", "inference_price"):
        if getattr(budget, option) is not None:
            raise InputError(f"--{option.replace('_', '-')} is given without a machine", "name it: --gpu h100")


def _flops(text: str, hours: MachineBudget | None, mine: Machine | None) -> Value:
    if hours is None or mine is None:
        return parse_quantity(text, "flops", "--flops")
    return hours.gpu_hours * mine.flops_per_hour


def _serving(budget: Budget, limits: tuple[Limit, ...]) -> Serving:
    precision = budget.serve_precision
    if precision is None and any(limit.name == "memory_bytes" for limit in limits):
        precision = SERVED
    if precision is not None and precision not in BYTES:
        raise InputError(f"--serve-precision is {precision[:20]!r}", f"expected one of {', '.join(BYTES)}")
    mfu = _share(budget.inference_mfu, "--inference-mfu")
    if mfu is not None:
        check_utilisation(mfu, "--inference-mfu")
    price = _dollars(budget.inference_price, "--inference-price")
    if price is not None:
        check_price(price, "--inference-price")
    return Serving(precision, mfu, price)


def _limits(values: Mapping[str, Quantity], *, is_max: bool) -> list[Limit]:
    """Return limits from values by name; those in words keep them for messages."""
    option = "--max" if is_max else "--min"
    found = []
    for name, value in values.items():
        called = ALIASES.get(name, name)
        where = f"{option} {name}"
        if isinstance(value, str) and called in QUANTITIES:
            number: Value | None = parse_amount(value, QUANTITIES[called], where)
        else:
            number = _number(value, KINDS.get(called, "number"), where)
        found.append(Limit(called, number, is_max, f"{option} {name}={value}" if isinstance(value, str) else ""))
    return found


def _share(value: Quantity | None, option: str) -> Value | None:
    return parse_share(value, option, most=None) if isinstance(value, str) else _number(value, "number", option)


def _dollars(value: Quantity | None, option: str) -> Value | None:
    return parse_dollars(value, option) if isinstance(value, str) else _number(value, "number", option)


def _count(value: Quantity | None, option: str) -> Value | None:
    """Return a number of tokens.

    Raises: InputError unless it is finite and above zero.
    """
    count = _number(value, "tokens", option)
    if count is None or (isinstance(count, float) and count > 0.0) or (_is_array(count) and (count > 0.0).all()):
        return count
    raise InputError(f"{option} is {count}", "expected a count of tokens above zero: 300B")


def _number(value: Quantity | None, kind: str, name: str) -> Value | None:
    """Return a quantity as a float, or as an array of floats.

    Raises: InputError for what is no finite number.
    """
    if value is None or isinstance(value, str):
        return None if value is None else parse_quantity(value, kind, name)
    try:
        number: Any = value.astype(float) if hasattr(value, "astype") and _is_array(value) else float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is {value!r:.40}", "expected a number, a text or an array of numbers") from error
    finite = abs(number) < float("inf")
    if isinstance(value, bool) or not (finite if isinstance(finite, bool) else finite.all()):
        raise InputError(f"{name} is {value!r:.40}", "expected finite numbers")
    return number


def _is_array(value: object) -> bool:
    return hasattr(value, "__array_ufunc__") and getattr(value, "shape", ()) != ()


class PastRun(NamedTuple):
    """A run of the past, from which utilisation follows: params, tokens, and hours on an accelerator."""

    params: float
    tokens: float
    gpu_hours: float
    chip: str

    def mfu(self, precision: str | None) -> float:
        """Return its model FLOPs utilisation by 6ND against the dense peak."""
        card: Accelerator = load_accelerator(self.chip)
        peak = card.peak(machine(card, precision=precision).precision)
        return float(training_flops(self.params, self.tokens)) / (self.gpu_hours * SECONDS_PER_HOUR * peak)


def parse_run(text: str) -> PastRun:
    """Return the run that a text says.

    Raises: InputError unless it has params, tokens and accelerator-hours.

    >>> parse_run("405B params, 15.6T tokens, 30.84M h100-hours").chip
    'h100'
    """
    found: dict[str, float] = {}
    hours: MachineBudget | None = None
    for part in (part.strip() for part in text.split(",")):
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
