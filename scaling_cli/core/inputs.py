"""The inputs of a run that may be changed one at a time: what each is now, the run with another, and how to say it."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from scaling_cli.core.cases import Basis, Case
from scaling_cli.core.demands import ALIASES, FORMATS
from scaling_cli.core.machine_budgets import parse_machine_budget
from scaling_cli.core.machines import HOURS_PER_DAY
from scaling_cli.core.nearest import away, away_loss, away_whole
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.sheets import Spec

SPLIT = "split"  # of the same compute, where params and tokens are given
LEAST = {"flops": 1.0, "params": 1.0, "tokens": 1.0, "unique_tokens": 1.0, "inference_tokens": 1.0, "gpus": 1.0}
LARGEST = {"loss": math.log(256e3)}  # nats per token: that of guessing among as many entries as vocabularies have; ours
GIGA = 1e9
SIDES = {"most": "max", "least": "min"}  # how the limits of a run's budget are written
ROUNDED = {"gpus": away_whole, "loss": away_loss}
FORMATTED = {
    **FORMATS, "unique_tokens": "tokens", "inference_tokens": "tokens",
    **dict.fromkeys(("gpu_hours", "dollars", "lifetime_dollars"), "count"),
}  # fmt: skip
NOUNS = {
    "flops": "FLOPs", "params": "params", "tokens": "tokens", "gpus": "accelerators",
    "unique_tokens": "unique tokens", "inference_tokens": "inference tokens",
}  # fmt: skip
HELD = {"flops": "at the same compute", "params": "at this size", "tokens": "on these tokens", "loss": "at that loss"}
ORDER = ("flops", "tokens", "params", "loss")


class Input(NamedTuple):
    """One input that a run was given.

    Fields:
        key: as it is given: flops, gpus, "max days"; SPLIT for params and tokens together.
        old: what it is, in the unit of its quantity.
        name: the quantity, which says how it is rounded and shown.
        put: takes an amount to the run that has it instead.
        words: takes an amount to the words for that change.
        beside: what it is given together with, if anything: flops, params, tokens or loss.
    """

    key: str
    old: float
    name: str
    put: Callable[[float], Spec]
    words: Callable[[float], str]
    beside: str = ""

    def rounded(self, amount: float) -> float:
        """Return an amount as it can be shown, away from what there is; 0 where it is too small or too large."""
        found = ROUNDED.get(self.name, away)(amount, self.old)
        return found if LEAST.get(self.name, 0.0) <= found <= LARGEST.get(self.name, math.inf) else 0.0


def inputs_of(case: Case) -> Iterator[Input]:
    """Yield what a planned run was given and might be given otherwise, amounts first that are not its knowns."""
    if case.basis is not None:
        yield from _of_budget(case.basis)
        yield from _of_limits(case.basis)
        yield from _of_knowns(case, case.basis)


def split_of(case: Case) -> Input | None:
    """Return the split of the same compute of a run of given params and tokens; None of others."""
    basis = case.basis
    if basis is None or basis.spec.config or set(basis.spec.known) != {"params", "tokens"}:
        return None
    flops, spec = float(case.numbers["flops"] or math.nan), basis.spec

    def sizes(params: float) -> dict[str, float | str]:
        tokens = basis.surface.tokens_for(flops, params)
        return {"params": params, "tokens": float(f"{tokens:.2e}")}  # as it is shown

    def put(params: float) -> Spec:
        return spec._replace(known=sizes(params))

    def words(params: float) -> str:
        n, d = (format_quantity(value, name) for name, value in sizes(params).items())
        return f"{n} params on {d} tokens {HELD['flops']}"

    return Input(SPLIT, float(case.numbers["params"] or math.nan), "params", put, words)


def _of_budget(basis: Basis) -> Iterator[Input]:
    """Yield the accelerators, the unique tokens and the inference tokens."""
    spec, demands = basis.spec, basis.demands
    machine = demands.machine
    amounts = {
        "gpus": machine.gpus if machine is not None and spec.budget.get("gpus") is not None else None,
        "unique_tokens": demands.unique_tokens,
        "inference_tokens": demands.inference_tokens,
    }
    for key, old in amounts.items():
        if old is not None:
            yield Input(key, float(old), key, partial(_with_part, spec, key), partial(_instead, key, float(old)))


def _of_limits(basis: Basis) -> Iterator[Input]:
    """Yield the limits that the run is planned within."""
    spec = basis.spec
    limits = {(limit.name, limit.is_max): float(limit.value) for limit in basis.demands.sought_limits}
    for part, side in SIDES.items():
        texts: Mapping[str, Any] = spec.budget.get(part) or {}
        for key in texts:
            name = ALIASES.get(key, key)
            old = limits.get((name, side == "max"))
            if old is not None:
                words = partial(_instead, f"{side} {key}", old)
                yield Input(f"{side} {key}", old, name, partial(_with_limit, spec, part, key), words)


def _of_knowns(case: Case, basis: Basis) -> Iterator[Input]:
    """Yield flops, tokens, params and loss, as far as the run says them; params that a config says among them."""
    spec = basis.spec
    given: dict[str, float | str] = dict(spec.known)
    if spec.config:
        given["params"] = float(case.numbers["params"] or math.nan)
    for key in ORDER:
        beside = next((name for name in given if name != key), "")
        old = given.get(key)
        if isinstance(old, str):
            yield _time(spec, old, beside)
        elif old is not None:
            yield Input(key, old, key, partial(_with_known, spec, key), partial(_instead, key, old), beside)


def _time(spec: Spec, text: str, beside: str) -> Input:
    """Return the time of compute that is told as a machine: "512xH100 for 30d @40%", "30.84M H100-hours"."""
    budget = parse_machine_budget(text, "--flops")
    share = "".join(text.partition("@")[1:])

    def said(amount: float) -> str:
        if budget.gpus is None:
            return f"{format_quantity(amount, 'count')} {budget.chip}-hours {share}".rstrip()
        return f"{budget.gpus:.0f}x{budget.chip} for {amount:.6g}d {share}".rstrip()

    def put(amount: float) -> Spec:
        return _with_known(spec, "flops", said(amount))

    def words(amount: float) -> str:
        return f"{said(amount)} instead of {text.strip()}"

    old = budget.gpu_hours if budget.gpus is None else budget.gpu_hours / budget.gpus / HOURS_PER_DAY
    return Input("flops", old, "time", put, words, beside)


def _with_known(spec: Spec, key: str, value: float | str) -> Spec:
    """Return a run with another known; params stand in place of a config."""
    return spec._replace(known={**spec.known, key: value}, config="" if key == "params" else spec.config)


def _with_part(spec: Spec, part: str, value: Any) -> Spec:
    return spec._replace(budget={**spec.budget, part: value})


def _with_limit(spec: Spec, part: str, key: str, value: float) -> Spec:
    return _with_part(spec, part, {**spec.budget[part], key: value})


def _instead(key: str, old: float, new: float) -> str:
    """Return in words that an input becomes another: "4B params instead of 7B", "max days 20 instead of 30"."""
    if key == "loss":
        return f"a loss of {_shown(key, new)} instead of {_shown(key, old)}"
    if key in NOUNS:
        amount = _shown(key, new)
        noun = NOUNS[key].removesuffix("s") if amount == "1" else NOUNS[key]
        return f"{amount} {noun} instead of {_shown(key, old)}"
    return f"{key} {_shown(key, new)} instead of {_shown(key, old)}"


def _shown(key: str, value: float) -> str:
    name = key.partition(" ")[2] or key
    name = ALIASES.get(name, name)
    if name == "gpus":
        return f"{value:.0f}"
    return f"{value / GIGA:.6g} GB" if name == "memory_bytes" else format_quantity(value, FORMATTED.get(name, "figure"))
