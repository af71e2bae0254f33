"""What changed between two budgets, run by run and in the sum, and which rules the change breaks."""

from collections.abc import Iterator, Mapping, Sequence

from scaling_cli.core.cases import Case, Numbers, optimum_of
from scaling_cli.core.checking import breaks, find, totals
from scaling_cli.core.findings import TOTAL, Change, Finding
from scaling_cli.core.policies import FORMS, Policy, Rule

COMPARED = ("flops", "params", "tokens", "loss", "gpu_hours", "days", "dollars")
SUMMED = ("flops", "gpu_hours", "days", "dollars")
SAME = 1e-12  # relative: rounding of a number that was saved and read


def differences(base: Mapping[str, Numbers], head: Mapping[str, Numbers]) -> tuple[Change, ...]:
    """Return what changed: of each run its changed quantities, runs of head first, then removed ones, then the sums.

    Args:
        base: the numbers of the runs by name, before.
        head: after.
    """
    names = dict.fromkeys((*head, *base))
    found = [change for name in names for change in _of_run(name, base.get(name, {}), head.get(name, {}))]
    old, new = totals(base.values()), totals(head.values())
    sums = (_change(TOTAL, name, old[name], new[name]) for name in SUMMED)
    return (*found, *(change for change in sums if (change.old, change.new) != (None, None)))


def _of_run(name: str, old: Numbers, new: Numbers) -> Iterator[Change]:
    for quantity in COMPARED:
        change = _change(name, quantity, old.get(quantity), new.get(quantity))
        if not _is_same(change.old, change.new):
            yield change


def _is_same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(new - old) <= SAME * abs(old)


def _change(run: str, quantity: str, old: float | None, new: float | None) -> Change:
    if old is None or new is None:
        return Change(run, quantity, old, new, None, None)
    return Change(run, quantity, old, new, new - old, (new - old) / old if old else None)


def newly_broken(
    base: Sequence[Case], head: Sequence[Case], *, policy: Policy, names: frozenset[str], file: str = ""
) -> tuple[Finding, ...]:
    """Return the findings on head that base, held to the same rules, does not have.

    Args:
        base: the runs before.
        head: the runs after.
        policy: head's rules; increases are told from base.
        names: of the rules, or levels, that count.
        file: where head's runs stand.
    """
    before = {case.name: case for case in base}
    numbers = {case.name: case.numbers for case in base}
    sums = totals(numbers.values())
    found = []
    for finding in find(head, policy, baseline=numbers, file=file):
        if not names & {finding.rule, finding.level}:
            continue
        of_total = finding.run == TOTAL
        rules = policy.total if of_total else policy.of(finding.run)
        rule = next(rule for rule in rules if (rule.name, rule.level) == (finding.rule, finding.level))
        case = None if of_total else before.get(finding.run)
        value = sums[rule.quantity] if of_total else case.numbers[rule.quantity] if case else None
        if not _was_broken(rule, value, case):
            found.append(finding)
    return tuple(found)


def _was_broken(rule: Rule, value: float | None, case: Case | None) -> bool:
    """Whether the old value breaks a rule; an increase is always new."""
    relative_to = FORMS[rule.form].relative_to
    reference = optimum_of(case, rule.quantity) if relative_to == "optimum" and case else 0.0
    if value is None or reference is None or relative_to == "baseline":
        return False
    return breaks(value, rule.end(reference), rule)
