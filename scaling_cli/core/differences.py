"""What changed between two budgets, run by run and in the sum, and which rules the change breaks.

The old budget is held to the policy of the new one, its laws included: a change of the policy alone breaks nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.cases import Case, Numbers, disagreement, optimum_of
from scaling_cli.core.checking import find, totals
from scaling_cli.core.findings import (
    ADDED,
    CHANGED,
    KNOWN,
    REMOVED,
    SAME,
    TOTAL,
    UNKNOWN,
    Change,
    Difference,
    Finding,
)
from scaling_cli.core.policies import ALIASES, FORMS, LEVELS, Policy, Rule, Rules, breaks
from scaling_cli.errors import InputError, NoAnswer

COMPARED = ("flops", "params", "tokens", "loss", "gpu_hours", "days", "dollars")
SUMMED = ("flops", "gpu_hours", "days", "dollars")
RATED = ("gpu_hours", "days", "dollars", "energy_mwh")  # in proportion to FLOPs, on one machine at one price
RATED_BY = ("gpu_hours", "flops")  # the first that both sides say
ROUNDING = 1e-12  # relative: of a number that was saved and read


class Side(NamedTuple):
    """A budget with its runs planned, or as it was saved.

    Fields:
        cases: the runs.
        policy: the rules; none where it was saved.
        file: where it stands.
        findings: of a saved check; None where there are none to go by.
        rules: names of the rules that a saved check was held to.
    """

    cases: tuple[Case, ...] = ()
    policy: Policy = Policy()
    file: str = ""
    findings: tuple[Finding, ...] | None = None
    rules: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, Numbers]:
        """The numbers of the runs by name."""
        return {case.name: case.numbers for case in self.cases}

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The rules that it is, or was, held to, each once."""
        return tuple(dict.fromkeys((*(rule.name for rule in self.policy.rules), *self.rules)))


def compare(base: Side, head: Side, *, fail_on: Sequence[str] = ()) -> Difference:
    """Return what changed between two budgets, and which of the named rules that breaks.

    Args:
        base: the budget before.
        head: the budget after.
        fail_on: names of head's rules, such as "max dollars", or levels.

    Raises: InputError for a rule that head does not have; as `find` where one cannot be judged.
    """
    names = named_rules(head, fail_on)
    priced, notes = fill_rates(base, head, _only(head.policy, names).rules)
    broken = newly_broken(priced, head, names) if names else ()
    plans = tuple({"run": case.name, **case.numbers} for case in head.cases)
    return Difference(differences(base.numbers, head.numbers), broken, plans, head.file, notes)


def differences(base: Mapping[str, Numbers], head: Mapping[str, Numbers]) -> tuple[Change, ...]:
    """Return what changed: of each run its changed quantities, runs of head first, then removed ones, then the sums.

    Args:
        base: the numbers of the runs by name, before.
        head: after.
    """
    names = dict.fromkeys((*head, *base))
    found = [change for name in names for change in _of_run(name, base.get(name), head.get(name))]
    old, new = (totals(side.values()) if side else None for side in (base, head))
    sums = (_change(TOTAL, name, old, new) for name in SUMMED)
    return (*found, *(change for change in sums if (change.old, change.new) != (None, None)))


def _of_run(name: str, old: Numbers | None, new: Numbers | None) -> Iterator[Change]:
    for quantity in COMPARED:
        change = _change(name, quantity, old, new)
        if change.status != SAME:
            yield change


def _change(run: str, quantity: str, base: Numbers | None, head: Numbers | None) -> Change:
    """Return what became of a quantity; None stands for a run, or a budget, that is not there."""
    old, new = (side.get(quantity) if side else None for side in (base, head))
    if old is not None and new is not None:
        ratio = (new - old) / old if old else None
        return Change(run, quantity, old, new, new - old, ratio, SAME if _is_same(old, new) else CHANGED)
    if old is new:
        return Change(run, quantity, None, None, None, None, SAME)
    status = (KNOWN if base else ADDED) if old is None else (UNKNOWN if head else REMOVED)
    return Change(run, quantity, old, new, None, None, status)


def _is_same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(new - old) <= ROUNDING * abs(old)


# rules


def named_rules(head: Side, fail_on: Iterable[str]) -> frozenset[str]:
    """Return names of rules, or levels, as the policy has them; aliases of quantities are known.

    Raises: InputError for a rule that head does not have, or where it has none to go by.
    """
    known = head.rule_names
    names = frozenset(_plain_name(text) for text in fail_on)
    for given in fail_on:
        if not known or _plain_name(given) not in (*known, *LEVELS):
            raise InputError(f"--fail-on is {given[:40]!r}", *_hints(head))
    return names


def _plain_name(text: str) -> str:
    """Return the name of a rule with one space in it, and its quantity by its full name."""
    *form, quantity = text.split() or [""]
    return " ".join((*form, ALIASES.get(quantity, quantity)))


def _hints(head: Side) -> tuple[str, ...]:
    where = head.file or "the head"
    if head.cases and not head.rule_names and head.findings is None and not head.policy.rules:
        return (f"{where} holds no rules", "give the budget file with its policy, or JSON of `scaling check`")
    return (f"expected deny, warn or a rule of {where}: {', '.join(head.rule_names) or 'it has none'}",)


def newly_broken(base: Side, head: Side, names: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings on head that base, held to the same rules, does not have.

    Args:
        base: the budget before.
        head: the budget after; increases are told from base.
        names: of the rules, or levels, that count; no other rule is looked at.
    """
    found = head.findings
    if found is None:
        found = tuple(find(head.cases, _only(head.policy, names), baseline=base.numbers, file=head.file))
    before, after = (_by_name(side) for side in (base, head))
    known = {finding[:3] for finding in base.findings or ()}
    broken = []
    for finding in found:
        if not names & {finding.rule, finding.level}:
            continue
        old, new = before.get(finding.run), after[finding.run]
        was = old is not None and _was_broken(finding, old, new, head.policy)
        if was is None:  # the numbers do not tell
            was = finding[:3] in known or _is_unchanged(old, new, finding.rule.split()[-1])
        if not was:
            broken.append(finding)
    return tuple(broken)


def _only(policy: Policy, names: frozenset[str]) -> Policy:
    """Return a policy without the rules that are named neither by rule nor by level."""

    def kept(rules: Rules) -> Rules:
        return tuple(rule for rule in rules if names & {rule.name, rule.level})

    runs = {name: kept(rules) for name, rules in policy.runs.items()}
    return policy._replace(each=kept(policy.each), total=kept(policy.total), runs=runs)


def _by_name(side: Side) -> dict[str, Case]:
    """Return the runs by name, and their sum, which is one more where there are any."""
    total = {TOTAL: Case(TOTAL, totals(side.numbers.values()))} if side.cases else {}
    return {case.name: case for case in side.cases} | total


def _was_broken(finding: Finding, old: Case, new: Case, policy: Policy) -> bool | None:
    """Whether the old numbers break the rule of a finding; None where they do not tell."""
    rule = _rule_of(finding, policy)
    if rule is None:
        return None
    if FORMS[rule.form].relative_to == "baseline":
        return False  # an increase over base itself
    held = _under_law_of(new, old)
    value = held.numbers.get(rule.quantity)
    reference = optimum_of(held, rule.quantity) if FORMS[rule.form].relative_to else 0.0
    return None if value is None or reference is None else breaks(value, rule.end(reference), rule)


def _rule_of(finding: Finding, policy: Policy) -> Rule | None:
    """Return the rule that a finding is of; of a saved one, None where its limit was relative."""
    rules = policy.total if finding.run == TOTAL else policy.of(finding.run)
    for rule in rules:
        if (rule.name, rule.level) == (finding.rule, finding.level):
            return rule
    form, quantity = finding.rule.split()
    if FORMS[form].relative_to or finding.limit is None:
        return None
    return Rule(finding.level, form, quantity, finding.limit)


def _under_law_of(new: Case, old: Case) -> Case:
    """Return a run that was saved without its law as the law, and the laws compared, of the new one see it."""
    flops = old.numbers.get("flops")
    if old.basis is not None or new.basis is None or flops is None:
        return old
    try:
        spread = disagreement(new.basis.compared, flops)
    except NoAnswer:
        spread = None
    return old._replace(numbers={**old.numbers, "disagreement": spread}, basis=new.basis)


def _is_unchanged(old: Case | None, new: Case, quantity: str) -> bool:
    """Whether a run has the same numbers, above all in one quantity."""
    numbers = old.numbers if old else {}
    return all(_is_same(numbers.get(name), new.numbers.get(name)) for name in (*COMPARED, quantity))


def fill_rates(base: Side, head: Side, rules: Rules) -> tuple[Side, tuple[str, ...]]:
    """Return base with the costs that it does not say worked out from its compute, and a note where there are any.

    A price that is added must not make a limit on an increase impossible to judge: what a run took before is its hours,
    or else its FLOPs, at the rate of the same run now, or of all runs now where it is gone.

    Args:
        base: the budget before.
        head: the budget after.
        rules: those that must be judged; what no limit on an increase needs is left alone.
    """
    limited = {rule.quantity for rule in rules if FORMS[rule.form].relative_to == "baseline"}
    needed = [name for name in RATED if name in limited]
    now = _by_name(head)
    filled = base._replace(cases=tuple(_filled(case, now, needed) for case in base.cases))
    told = [name for name in needed if _count(filled, name) > _count(base, name)]
    if not told:
        return base, ()
    what = f"the baseline does not say all of its {', '.join(told)}"
    return filled, (f"{what}: what it leaves out is its hours, or FLOPs, at the rates of this budget",)


def _filled(case: Case, now: Mapping[str, Case], needed: Iterable[str]) -> Case:
    """Return a run with the costs that it does not say in the proportion that the same run, or the sum, has now."""
    like = now.get(case.name) or now.get(TOTAL)
    ratios = [_ratio(case.numbers.get(name), like.numbers.get(name)) for name in RATED_BY] if like else []
    ratio = next((ratio for ratio in ratios if ratio is not None), None)
    if like is None or ratio is None:
        return case
    lacking = [name for name in needed if case.numbers.get(name) is None]
    costs = {name: value * ratio for name in lacking if (value := like.numbers.get(name)) is not None}
    return case._replace(numbers={**case.numbers, **costs})


def _ratio(old: float | None, new: float | None) -> float | None:
    return None if old is None or not new else old / new


def _count(side: Side, quantity: str) -> int:
    return sum(case.numbers.get(quantity) is not None for case in side.cases)
