"""What a check says beside its findings: what its runs note, each thing once, and where an assumption decides."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from scaling_cli.core.cases import Case
from scaling_cli.core.demands import Demands
from scaling_cli.core.findings import TOTAL
from scaling_cli.core.machines import COSTS, MFU_RANGE
from scaling_cli.core.policies import FORMS, QUANTITIES, Policy, Rule, breaks

MOST_NOTES, NAMED = 20, 3  # notes, and runs named in one; ours
_NUMBER = re.compile(r"(?<![\w.-])\d[\w.+-]*")  # 5.88e23, 70B, 4.38x; not the 2022 of hoffmann-2022


def gather(cases: Sequence[Case]) -> Iterator[str]:
    """Yield what the runs note: each kind once, with the runs it is true of and the numbers of the largest of them."""
    runs: dict[str, list[tuple[Case, str]]] = {}
    for case in cases:
        for note in case.notes:
            runs.setdefault(_kind(note), []).append((case, note))
    for said in list(runs.values())[:MOST_NOTES]:
        yield _said(said) if len(cases) > 1 else said[0][1]
    if len(runs) > MOST_NOTES:
        yield f"{len(runs) - MOST_NOTES} more kinds of notes: `scaling plan` gives them run by run"


def named(names: Sequence[str]) -> str:
    """Return up to three names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _kind(note: str) -> str:
    """Return a note without its numbers, and without the details behind a second colon: of whom it says what."""
    return ": ".join(_NUMBER.sub("#", note).split(": ")[:2])


def _said(noted: Sequence[tuple[Case, str]]) -> str:
    names = list(dict.fromkeys(case.name for case, _ in noted))
    who = f"{len(names)} runs ({named(names)})" if len(names) > NAMED else named(names)
    case, note = max(noted, key=lambda each: each[0].numbers["flops"] or 0.0)
    differ = len({each for _, each in noted}) > 1
    return f"{who} (numbers of {case.name}): {note}" if differ else f"{who}: {note}"


# an assumed utilisation


class Doubt(NamedTuple):
    """A run, or the sum, that a usual utilisation takes across a limit: its name, and its value there."""

    name: str
    value: float


Doubts = dict[tuple[Rule, float], list[Doubt]]


def on_assumed_mfu(cases: Sequence[Case], policy: Policy) -> Iterator[str]:
    """Yield which limits on costs the assumed utilisation decides: kept at it and not at a usual one, or the reverse.

    Args:
        cases: the runs; those whose utilisation is given, or whose hours are, do not move.
        policy: the rules; those relative to a baseline move with it.
    """
    doubts: Doubts = {}
    for mfu in MFU_RANGE:
        for case in cases:
            for rule in filter(_is_on_costs, policy.of(case.name)):
                _doubt(doubts, (rule, mfu), case.name, [case])
        for rule in filter(_is_on_costs, policy.total):
            _doubt(doubts, (rule, mfu), TOTAL, cases)
    for (rule, mfu), found in doubts.items():
        yield _in_doubt(rule, mfu, found, alone=len(cases) == 1)


def _is_on_costs(rule: Rule) -> bool:
    return rule.quantity in COSTS and not FORMS[rule.form].relative_to


def _doubt(doubts: Doubts, key: tuple[Rule, float], name: str, of: Iterable[Case]) -> None:
    """Add a run, or the sum, to those that a utilisation takes across a rule."""
    rule, mfu = key
    known = [(case, value) for case in of if (value := case.numbers[rule.quantity]) is not None]
    here, there = sum(value for _, value in known), sum(value * _factor(case, mfu) for case, value in known)
    if breaks(here, rule.limit, rule) != breaks(there, rule.limit, rule):
        doubts.setdefault(key, []).append(Doubt(name, there))


def _factor(case: Case, mfu: float) -> float:
    """Return by what a run's costs are multiplied at another utilisation; 1 where that moves its compute instead."""
    demands = case.basis.demands if case.basis else Demands()
    machine = demands.machine
    if (
        machine is None
        or machine.mfu_given
        or demands.hours_given
        or any(each.name in COSTS for each in demands.limits)
    ):
        return 1.0
    return float(machine.mfu / mfu)


def _in_doubt(rule: Rule, mfu: float, found: Sequence[Doubt], *, alone: bool) -> str:
    quantity = QUANTITIES[rule.quantity]
    kept = "would not be kept" if breaks(found[0].value, rule.limit, rule) else "would be kept"
    values = [quantity.shown_apart(doubt.value, rule.limit)[0] for doubt in found]
    runs = values if alone else [f"{doubt.name} {value}" for doubt, value in zip(found, values, strict=True)]
    allowed = f"{'at most' if rule.is_max else 'at least'} {quantity.shown(rule.limit)}"
    return f"at a utilisation (MFU) of {mfu}, {rule.name} {kept}: {named(runs)} (expected {allowed})"
