"""A budget held to its policy: which rules its runs and their sum break, by how much, and what would help."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scaling_cli.core.cases import Case, Numbers, optimum_of
from scaling_cli.core.findings import DENY, TOTAL, WARN, Checked, Finding
from scaling_cli.core.policies import FORMS, QUANTITIES, Policy, Rule
from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import FileError, InputError, NoAnswer

FAIL_ON = (DENY, WARN, "never")
KEPT = 1e-9  # relative: by so much a limit may be missed through rounding
MOST_NOTES, NAMED = 20, 3  # notes, and runs named in one
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
    findings = tuple(find(cases, policy, baseline=baseline or {}, file=file))
    failing = {DENY: (DENY,), WARN: (DENY, WARN)}.get(fail_on, ())
    passed = not any(finding.level in failing for finding in findings)
    notes = (*_notes(cases), *_unmatched(cases, policy, baseline or {}), *_unlike(cases, policy))
    plans = tuple({"run": case.name, **case.numbers} for case in cases)
    return Checked(findings, passed, totals(case.numbers for case in cases), len(cases), file, notes, plans)


def refuse_nothing(has_runs: bool, policy: Policy, file: str = "") -> None:
    """Raise InputError or FileError where there is no run or no rule: nothing to check never passes."""
    if not has_runs or not policy.rules:
        what = "no limit is given" if has_runs else "no run is given"
        raise _wrong(file, 0, f"nothing to check: {what}", "give a run and a limit: --max dollars=1M, or a budget file")


def totals(runs: Iterable[Numbers]) -> dict[str, float | None]:
    """Return the sums over runs by quantity; None where a run does not say."""
    listed = list(runs)
    return {name: _sum([run.get(name) for run in listed]) for name, quantity in QUANTITIES.items() if quantity.sums}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known and len(known) == len(values) else None


def find(cases: Sequence[Case], policy: Policy, *, baseline: Baseline, file: str = "") -> Iterator[Finding]:
    """Yield what breaks the policy: run by run in the order of the file, then the sum."""
    for case in cases:
        for rule in policy.of(case.name):
            if FORMS[rule.form].relative_to == "baseline" and case.name not in baseline:
                continue  # a new run: the notes say so
            value, reference = case.numbers[rule.quantity], _reference(case, rule, baseline)
            if value is None or reference is None:
                raise _unknown(case, rule, file)
            end = rule.end(reference)
            if breaks(value, end, rule):
                yield _of_run(case, rule, (value, end, reference), file)
    yield from _find_in_sum(cases, policy, baseline=baseline, file=file)


def _find_in_sum(cases: Sequence[Case], policy: Policy, *, baseline: Baseline, file: str) -> Iterator[Finding]:
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
            raise _wrong(file, rule.line, f"the baseline does not say its {rule.quantity}", "drop the limit")
        if breaks(value, end := rule.end(old), rule):
            yield _of_total(cases, rule, (value, end, old), file)


def breaks(value: float, end: float, rule: Rule) -> bool:
    """Whether a value misses the end of a rule by more than rounding; what is no number always does."""
    slack = KEPT * abs(end)
    return not (value <= end + slack if rule.is_max else value >= end - slack)


def _reference(case: Case, rule: Rule, baseline: Baseline) -> float | None:
    """Return what the rule is relative to; 0 where it stands by itself, None where it is not known."""
    relative_to = FORMS[rule.form].relative_to
    if relative_to == "baseline":
        return baseline.get(case.name, {}).get(rule.quantity)
    return optimum_of(case, rule.quantity) if relative_to else 0.0


def _of_run(case: Case, rule: Rule, numbers: tuple[float, float, float], file: str) -> Finding:
    from scaling_cli.core.remedies import remedy  # most checks find nothing

    value, end, _ = numbers
    of_optimum = FORMS[rule.form].relative_to == "optimum"
    help_ = remedy(case, rule.quantity, end, is_max=rule.is_max, of_optimum=of_optimum)
    line = case.line or rule.line
    return Finding(
        case.name, rule.name, rule.level, value, end, _over(value, end), file, line, say(rule, numbers), help_
    )


def _of_total(cases: Sequence[Case], rule: Rule, numbers: tuple[float, float, float], file: str) -> Finding:
    from scaling_cli.core.remedies import remedy

    value, end, _ = numbers
    largest = max(cases, key=lambda case: case.numbers[rule.quantity] or 0.0)
    rest = (largest.numbers[rule.quantity] or 0.0) + end - value
    help_ = remedy(largest, rule.quantity, rest, is_max=rule.is_max)
    if help_:
        help_ = f"{largest.name}: {help_}"
    elif rest <= 0.0:
        help_ = f"more than {largest.name}, the largest of the runs, must go"
    message = say(rule, numbers)
    return Finding(TOTAL, rule.name, rule.level, value, end, _over(value, end), file, rule.line, message, help_)


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
    by = "" if over is None else f", {format_quantity(over, 'percent')} {'over' if form.is_max else 'short'}"
    allowed = f"{side} {quantity.shown(end)}"
    if form.relative_to == "baseline":
        allowed += f" ({format_quantity(rule.limit, 'percent')} more than the baseline's {quantity.shown(reference)})"
    elif form.relative_to:
        allowed += f" ({rule.limit:g} times the optimum's {quantity.shown(reference)})"
    return f"{rule.quantity} is {quantity.shown(value)}: expected {allowed}{by}"


def _unknown(case: Case, rule: Rule, file: str) -> InputError | FileError | NoAnswer:
    """Return the error for a rule on what a run, its baseline or its law does not say."""
    needs = QUANTITIES[rule.quantity].needs
    if FORMS[rule.form].relative_to == "baseline" and case.numbers[rule.quantity] is not None:
        return _wrong(
            file, rule.line, f"the baseline does not say the {rule.quantity} of {case.name}", "drop the limit"
        )
    if needs:
        problem = f"runs.{case.name}: a limit on {rule.quantity} needs more of the run"
        return _wrong(file, case.line, problem if file else problem.partition(": ")[2], f"give {needs}")
    where = f"{file} line {case.line}: runs.{case.name}: " if file else ""
    law = case.basis.planner.law.id if case.basis else "a saved answer"
    wanted = f"{rule.quantity} of the optimum" if FORMS[rule.form].relative_to else rule.quantity
    return NoAnswer(f"{where}{law} does not say the {wanted} of this run", "drop the limit, or name another law")


def _wrong(file: str, line: int, problem: str, hint: str) -> InputError | FileError:
    return FileError(file, problem, hint, line=line or None) if file else InputError(problem, hint)


# what to read it with


def _notes(cases: Sequence[Case]) -> Iterator[str]:
    """Yield what the runs note, each thing once, with the runs that it is true of."""
    runs: dict[str, list[str]] = {}
    for case in cases:
        for note in case.notes:
            runs.setdefault(note, []).append(case.name)
    for note, names in list(runs.items())[:MOST_NOTES]:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"{', '.join(names[:NAMED])}{more}: {note}"
    if len(runs) > MOST_NOTES:
        yield f"{len(runs) - MOST_NOTES} more notes on single runs: `scaling plan` gives them run by run"


def _unmatched(cases: Sequence[Case], policy: Policy, baseline: Baseline) -> Iterator[str]:
    """Say which runs no increase can be told of."""
    if any(FORMS[rule.form].relative_to == "baseline" for rule in policy.rules):
        new = [case.name for case in cases if case.name not in baseline]
        if new:
            more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
            yield f"not in the baseline, so no increase is told of: {', '.join(new[:NAMED])}{more}"


def _unlike(cases: Sequence[Case], policy: Policy) -> Iterator[str]:
    """Say where the laws whose disagreement is limited count different things."""
    basis = cases[0].basis
    if basis and any(rule.quantity == "disagreement" for rule in policy.rules):
        laws = [planner.law for planner in basis.compared]
        if len({(law.params_kind, law.domain) for law in laws}) > 1:
            counted = ", ".join(f"{law.id} counts {law.params_kind} params ({law.domain})" for law in laws)
            yield f"a part of the disagreement is what N counts: {counted}"
