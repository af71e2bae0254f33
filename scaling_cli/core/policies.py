"""What a budget may be held to: the quantities of a run, the forms of a limit, and rules made of both. Data and texts.

One table each of quantities and forms: the reader of files, the JSON Schema, the check and its messages all follow it.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple

from scaling_cli.core.findings import DENY, WARN
from scaling_cli.core.quantities import format_apart, format_quantity, parse_quantity
from scaling_cli.errors import InputError

LEVELS = (DENY, WARN)
ALIASES = {"memory": "memory_bytes", "energy": "energy_mwh"}
TEN = 10.0  # below it a share may be meant in percent or as a factor: 1.5; ours
PARSED = {"amount": "number", "share": "number"}  # kinds that `parse_quantity` calls otherwise
KEPT = 1e-9  # relative: by so much a limit may be missed through rounding
SHOWN = {"amount": "count", "number": "ratio", "share": "percent"}


class Quantity(NamedTuple):
    """One number of a run that a rule may hold.

    Fields:
        name: its name in files, rows and messages.
        kind: how it is written: flops, params, tokens, loss, bytes, amount, number or share.
        meaning: in words, with the unit.
        sums: whether the runs of a budget add up in it.
        needs: what a run must say to have it, as options; empty where its law decides.
        least: the smallest limit that makes sense.
    """

    name: str
    kind: str
    meaning: str
    sums: bool = False
    needs: str = ""
    least: float = 0.0

    def shown(self, value: float | None) -> str:
        """Return a value as messages and tables show it."""
        return format_quantity(value, SHOWN.get(self.kind, self.kind))

    def shown_apart(self, value: float, other: float) -> tuple[str, str]:
        """Return two values as `shown`, but with as many digits as it takes to tell them apart."""
        return format_apart(value, other, SHOWN.get(self.kind, self.kind))


EXCESS = "loss above the least at the same compute with unlimited data, in the law's unit"
MEMORY = "bytes of the weights, in serve_precision (bf16 where it is not given)"
TWO_LAWS = "two laws to compare: --law chinchilla --law openai"
MACHINE, SERVED = "--gpu h100", "--inference-tokens 2T"

QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("flops", "flops", "training compute, FLOPs", True),
        Quantity("gpu_hours", "amount", "accelerator-hours of training", True, MACHINE),
        Quantity("days", "number", "days of training, one run after another in the sum", True, f"{MACHINE} --gpus 512"),
        Quantity("dollars", "amount", "dollars of training", True, f"{MACHINE} --price 2.50"),
        Quantity("energy_mwh", "number", "MWh of the accelerators alone", True, "a --gpu whose power is known"),
        Quantity("loss", "loss", "loss, in the law's unit"),
        Quantity("excess_loss", "loss", EXCESS),
        Quantity("waste", "share", "share of the compute that the best split would save, if data had no limit"),
        Quantity("params", "params", "parameters, as the law counts them"),
        Quantity("tokens", "tokens", "training tokens, repeats included", True),
        Quantity("tokens_per_param", "number", "training tokens per parameter"),
        Quantity("epochs", "number", "passes over the unique tokens; 1 where no unique_tokens are given"),
        Quantity("memory_bytes", "bytes", MEMORY, False, "--config config.json"),
        Quantity("lifetime_flops", "flops", "FLOPs of training and inference", True, SERVED),
        Quantity(
            "lifetime_dollars", "amount", "dollars of training and inference", True, f"{SERVED} {MACHINE} --price 2.50"
        ),
        Quantity("extrapolation", "number", "factor beyond the range that the law was tried on", least=1.0),
        Quantity("disagreement", "number", "largest / least optimal params of the policy's laws", False, TWO_LAWS, 1.0),
    )
}
OPTIMA = ("params", "tokens", "tokens_per_param", "loss")  # what a law's optimum at the same compute says


class Form(NamedTuple):
    """A way to bound a quantity: from above or below, by itself or relative to a baseline or an optimum."""

    name: str
    meaning: str
    is_max: bool = True
    relative_to: str = ""

    def quantities(self, *, of_total: bool) -> list[str]:
        """Return the quantities that it may bound, in each run or in the sum."""
        if self.relative_to == "optimum":
            return [] if of_total else list(OPTIMA)
        return [name for name, quantity in QUANTITIES.items() if quantity.sums or not of_total]


FORMS = {
    form.name: form
    for form in (
        Form("max", "at most"),
        Form("min", "at least", False),
        Form("max_increase", "at most so much more than in the baseline: 10%", True, "baseline"),
        Form("max_of_optimum", "at most so many times the law's optimum at the same compute: 1.5", True, "optimum"),
        Form("min_of_optimum", "at least so many times the law's optimum at the same compute: 0.5", False, "optimum"),
    )
}


class Rule(NamedTuple):
    """One limit: `limit` is in the unit of the quantity, or a share or factor of what its form is relative to."""

    level: str
    form: str
    quantity: str
    limit: float
    line: int = 0

    @property
    def name(self) -> str:
        """The rule as findings name it."""
        return f"{self.form} {self.quantity}"

    @property
    def is_max(self) -> bool:
        """Whether it bounds from above."""
        return FORMS[self.form].is_max

    def end(self, reference: float) -> float:
        """Return the limit in the unit of the quantity; `reference` is the baseline's or the optimum's value."""
        relative_to = FORMS[self.form].relative_to
        if relative_to == "baseline":
            return reference * (1.0 + self.limit)
        return reference * self.limit if relative_to else self.limit


Rules = tuple[Rule, ...]


class Policy(NamedTuple):
    """What each run must keep, what the sum must keep, and what single runs must keep instead.

    Fields:
        each, total: the rules.
        runs: rules of single runs by name; one replaces the rule of `each` of the same level, form and quantity.
        laws: names of the laws whose disagreement counts.
        laws_line: where they stand in their file; 0 where there is none.
    """

    each: Rules = ()
    total: Rules = ()
    runs: Mapping[str, Rules] = {}
    laws: tuple[str, ...] = ()
    laws_line: int = 0

    def of(self, run: str) -> Rules:
        """Return the rules that a run must keep."""
        own = self.runs.get(run, ())
        replaced = {rule[:3] for rule in own}
        return (*(rule for rule in self.each if rule[:3] not in replaced), *own)

    @property
    def rules(self) -> Rules:
        """Every rule."""
        return (*self.each, *(rule for rules in self.runs.values() for rule in rules), *self.total)


def breaks(value: float, end: float, rule: Rule) -> bool:
    """Whether a value misses the end of a rule by more than rounding; what is no number always does."""
    slack = KEPT * abs(end)
    return not (value <= end + slack if rule.is_max else value >= end - slack)


def find_quantity(name: str, form: str, *, where: str, of_total: bool = False) -> Quantity:
    """Return a quantity that a form may bound, by name.

    Args:
        name: of the quantity, or an alias.
        form: one of FORMS.
        where: how it was given, for messages.
        of_total: whether the sum over runs is bounded.

    Raises: InputError for another name, with the nearest.
    """
    allowed = FORMS[form].quantities(of_total=of_total)
    found = ALIASES.get(name, name)
    if found in allowed:
        return QUANTITIES[found]
    scope = " of the sum over all runs" if of_total else ""
    close = get_close_matches(name, allowed, n=1)
    hints = [f"did you mean {close[0]}?"] if close else []
    raise InputError(
        f"{where}: no quantity{scope} that {form} can hold", *hints, f"expected one of {', '.join(allowed)}"
    )


def parse_limit(text: str, quantity: Quantity, *, form: str, name: str) -> float:
    """Return the limit that a text says, in the unit of its quantity, or as a share or factor of its reference.

    Args:
        text: such as "5M", "30B", "20%".
        quantity: what is bounded.
        form: one of FORMS.
        name: how the limit was given, for messages.

    Raises: InputError for anything but a finite number of that kind.

    >>> parse_limit("10%", QUANTITIES["flops"], form="max_increase", name="max_increase flops")
    0.1
    """
    relative_to = FORMS[form].relative_to
    if relative_to == "optimum":
        return parse_share(text, name, most=None)
    if relative_to:
        return parse_share(text, name, grows=True)
    value = parse_amount(text, quantity, name)
    if value < quantity.least:
        raise InputError(f"{name} is {value:g}", f"expected {quantity.meaning}: {quantity.least:g} or more")
    return value


def parse_amount(text: str, quantity: Quantity, name: str) -> float:
    """Return the value that a text says, in the unit of its quantity: "5M", "$5M", "80GB", "20%".

    Raises: InputError for anything but a finite number of that kind; `name` is how it was given.
    """
    if quantity.kind == "share":
        return parse_share(text, name)
    if quantity.name.endswith("dollars"):
        return parse_dollars(text, name)
    kind = "number" if quantity.name == "excess_loss" else PARSED.get(quantity.kind, quantity.kind)
    return parse_quantity(text, kind, name)


def parse_dollars(text: str, name: str) -> float:
    """Return dollars, written 2.50 or $2.50; `name` is how they were given, for messages."""
    return parse_quantity(text.strip().removeprefix("$"), "number", name)


def parse_share(text: str, name: str, *, most: float | None = 1.0, grows: bool = False) -> float:
    """Return a share, written 20% or 0.2.

    Args:
        text: the share.
        name: how it was given, for messages.
        most: what it may be without the sign, lest 20 be taken for 2000 %; None for any.
        grows: whether more than 100 % makes sense, so that 1.5 could be meant as 150 %.
    """
    is_percent = text.strip().endswith("%")
    number = parse_quantity(text.strip().removesuffix("%"), "number", name)
    if number < 0.0:
        raise InputError(f"{name} is {text.strip()}", "expected a share of 0 or more, such as 10%")
    if not is_percent and most is not None and number > most:
        meant = f"{number:g}% or {100.0 * number:g}%" if grows and number < TEN else f"{number:g}%"
        raise InputError(f"{name} is {number:g}", f"expected a share up to 1, or in percent: did you mean {meant}?")
    return number / 100.0 if is_percent else number
