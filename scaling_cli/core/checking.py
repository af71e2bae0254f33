"""A budget held to its policy: which rules its runs and their sum break, by how much, and what would help."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scaling_cli.core.advice import ADVISED, Held, Ledger, first_advised
from scaling_cli.core.cases import SERVED_IN, Case, Numbers, optimum_of
from scaling_cli.core.costs import memory_note
from scaling_cli.core.findings import DENY, TOTAL, WARN, Checked, Finding
from scaling_cli.core.policies import FORMS, QUANTITIES, Policy, Rule
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.run_notes import gather, named, on_assumed_mfu
from scaling_cli.core.sheets import as_keys, deciding_line
from scaling_cli.errors import FileError, InputError, NoAnswer

FAIL_ON = (DENY, WARN, "never")
BASELINE_NEEDS = "give what it takes in the baseline too, or compare with `--baseline none` this once"
Baseline = Mapping[str, Numbers]


def check(
    cases: Sequence[Case], policy: Policy, *, baseline: Baseline | None = None, fail_on: str = DENY, file: str = ""
) -> Checked:
    """Return what a check of planned runs finds.

    Args:
        cases: the runs, in the order of their file.
        policy: the rules.
        baseline: numbers of the runs before, by name; None where there is none.
        fail_on: the level from which a finding fails: deny, warn, or never.
        file: where the runs stand, for findings and messages.

    Raises: InputError or FileError where there is nothing to check, or what a rule needs is not given; NoAnswer where a
        law does not say what a rule is about.
    """
    if fail_on not in FAIL_ON:
        raise InputError(f"--fail-on is {fail_on[:40]!r}", f"expected one of {', '.join(FAIL_ON)}")
    refuse_nothing(bool(cases), policy, file)
    needy = next((rule for rule in policy.rules if FORMS[rule.form].relative_to == "baseline"), None)
    if needy and baseline is None:
        hint = "name one: --baseline FILE; `--baseline none` says that there is none yet"
        raise _wrong(file, needy.line, f"{needy.name} has no baseline to compare with", hint)
    findings = find(cases, policy, baseline=baseline or {}, file=file)
    failing = {DENY: (DENY,), WARN: (DENY, WARN)}.get(fail_on, ())
    passed = not any(finding.level in failing for finding in findings)
    notes = (
        *on_assumed_mfu(cases, policy),
        *gather([_weighed(case, policy) for case in cases]),
        *_unmatched(cases, policy, baseline or {}),
        *_unlike(cases, policy),
        *_unadvised(findings),
    )
    plans = tuple({"run": case.name, **case.numbers} for case in cases)
    return Checked(findings, passed, totals(case.numbers for case in cases), len(cases), file, notes, plans)


def refuse_nothing(has_runs: bool, policy: Policy, file: str = "") -> None:
    """Raise InputError or FileError where there is no run or no rule: nothing to check never passes."""
    if not has_runs or not policy.rules:
        what = "no limit is given" if has_runs else "no run is given"
        hint = "give a run and a limit: --flops 1e22 --max dollars=1M, or a budget file"
        in_file = "write one: policy: {each: {deny: {max: {dollars: 1M}}}}"
        raise _wrong(file, 0, f"nothing to check: {what}", in_file if file else hint)


def totals(runs: Iterable[Numbers]) -> dict[str, float | None]:
    """Return the sums over runs by quantity; None where a run does not say."""
    listed = list(runs)
    return {name: _sum([run.get(name) for run in listed]) for name, quantity in QUANTITIES.items() if quantity.sums}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known and len(known) == len(values) else None


def find(cases: Sequence[Case], policy: Policy, *, baseline: Baseline, file: str = "") -> tuple[Finding, ...]:
    """Return what breaks the policy: run by run in the order of the file, then the sum; the first with a remedy."""
    by_run = {case.name: tuple(_held_by(case, policy, baseline, file)) for case in cases}
    ledger = Ledger(cases, by_run, tuple(_held_in_sum(cases, policy, baseline, file)), baseline)
    broken = ledger.broken
    advised = first_advised([held.rule.level for _, held in broken])
    return tuple(
        _finding(case, held, file, ledger.advise(case, held) if place in advised else "")
        for place, (case, held) in enumerate(broken)
    )


def _held_by(case: Case, policy: Policy, baseline: Baseline, file: str) -> Iterator[Held]:
    """Yield what a run is held to."""
    for rule in policy.of(case.name):
        if FORMS[rule.form].relative_to == "baseline" and case.name not in baseline:
            continue  # a new run: the notes say so
        value, reference = case.numbers[rule.quantity], _reference(case, rule, baseline)
        if value is None or reference is None:
            raise _unknown(case, rule, file)
        yield Held(rule, value, rule.end(reference), reference)


def _held_in_sum(cases: Sequence[Case], policy: Policy, baseline: Baseline, file: str) -> Iterator[Held]:
    """Yield what the sum is held to."""
    sums, before = totals(case.numbers for case in cases), totals(baseline.values())
    for rule in policy.total:
        value = sums[rule.quantity]
        if value is None:
            raise _unknown(next(case for case in cases if case.numbers[rule.quantity] is None), rule, file)
        relative = bool(FORMS[rule.form].relative_to)
        if relative and not baseline:
            continue  # there is none yet: the notes say so
        old = before[rule.quantity] if relative else 0.0
        if old is None:
            raise _wrong(file, rule.line, f"the baseline does not say its {rule.quantity}", BASELINE_NEEDS)
        yield Held(rule, value, rule.end(old), old)


def _reference(case: Case, rule: Rule, baseline: Baseline) -> float | None:
    """Return what the rule is relative to; 0 where it stands by itself, None where it is not known."""
    relative_to = FORMS[rule.form].relative_to
    if relative_to == "baseline":
        return baseline.get(case.name, {}).get(rule.quantity)
    return optimum_of(case, rule.quantity) if relative_to else 0.0


def _finding(case: Case | None, held: Held, file: str, remedy: str) -> Finding:
    """Return the finding on a broken rule of a run, or of the sum."""
    rule, value, end, reference = held
    name, line = TOTAL, rule.line
    if case is not None:
        lines = case.basis.spec.lines if case.basis else {}
        name, line = case.name, deciding_line(lines, rule.quantity) or case.line or rule.line
    message = say(rule, (value, end, reference))
    return Finding(name, rule.name, rule.level, value, end, _over(value, end), file, line, message, remedy)


def _over(value: float, end: float) -> float | None:
    return abs(value / end - 1.0) if end else None


def say(rule: Rule, numbers: tuple[float, float, float]) -> str:
    """Return in words how a value misses a rule.

    Args:
        rule: the rule.
        numbers: the value, the end that it misses, and what the rule is relative to.
    """
    value, end, reference = numbers
    quantity, form = QUANTITIES[rule.quantity], FORMS[rule.form]
    side = "at most" if form.is_max else "at least"
    over = _over(value, end)
    by = "" if over is None else f", {format_quantity(over, 'over')} {'over' if form.is_max else 'short'}"
    shown_value, shown_end = quantity.shown_apart(value, end)
    allowed = f"{side} {shown_end}"
    if form.relative_to == "baseline":
        allowed += f" ({format_quantity(rule.limit, 'percent')} more than the baseline's {quantity.shown(reference)})"
    elif form.relative_to:
        allowed += f" ({rule.limit:g} times the optimum's {quantity.shown(reference)})"
    return f"{rule.quantity} is {shown_value}: expected {allowed}{by}"


def _unknown(case: Case, rule: Rule, file: str) -> InputError | FileError | NoAnswer:
    """Return the error for a rule on what a run, its baseline or its law does not say."""
    needs = QUANTITIES[rule.quantity].needs
    if FORMS[rule.form].relative_to == "baseline" and case.numbers[rule.quantity] is not None:
        problem = f"the baseline does not say the {rule.quantity} of {case.name}"
        return _wrong(file, rule.line, problem, BASELINE_NEEDS)
    if needs:
        problem = f"runs.{case.name}: a limit on {rule.quantity} needs more of the run"
        return _wrong(
            file,
            case.line,
            problem if file else problem.partition(": ")[2],
            f"give {as_keys(needs) if file else needs}",
        )
    where = f"{file} line {case.line}: runs.{case.name}: " if file else ""
    law = case.basis.planner.law.id if case.basis else "a saved answer"
    wanted = f"{rule.quantity} of the optimum" if FORMS[rule.form].relative_to else rule.quantity
    return NoAnswer(f"{where}{law} does not say the {wanted} of this run", "drop the limit, or name another law")


def _wrong(file: str, line: int, problem: str, hint: str) -> InputError | FileError:
    return FileError(file, problem, hint, line=line or None) if file else InputError(problem, hint)


# what to read it with


def _weighed(case: Case, policy: Policy) -> Case:
    """Return a run that also notes what its memory is that of, where that is limited."""
    if case.basis is None or all(rule.quantity != "memory_bytes" for rule in policy.of(case.name)):
        return case
    note = memory_note(case.basis.demands.serving.precision or SERVED_IN, case.basis.weighed)
    return case._replace(notes=tuple(dict.fromkeys((*case.notes, note))))


def _unmatched(cases: Sequence[Case], policy: Policy, baseline: Baseline) -> Iterator[str]:
    """Say which runs no increase can be told of."""
    if any(FORMS[rule.form].relative_to == "baseline" for rule in policy.rules):
        new = [case.name for case in cases if case.name not in baseline]
        if new:
            yield f"not in the baseline, so no increase is told of: {named(new)}"


def _unlike(cases: Sequence[Case], policy: Policy) -> Iterator[str]:
    """Say where the laws whose disagreement is limited count different things."""
    basis = cases[0].basis
    if basis and any(rule.quantity == "disagreement" for rule in policy.rules):
        laws = [planner.law for planner in basis.compared]
        if len({(law.params_kind, law.domain) for law in laws}) > 1:
            counted = ", ".join(f"{law.id} counts {law.params_kind} params ({law.domain})" for law in laws)
            yield f"a part of the disagreement is what N counts: {counted}"


def _unadvised(findings: Sequence[Finding]) -> Iterator[str]:
    """Say of which findings alone the least change is told, where there are more."""
    if len(findings) > ADVISED:
        yield f"the least change is worked out for the first {ADVISED} findings"
