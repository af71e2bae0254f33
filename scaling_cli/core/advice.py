"""Which findings are told a remedy, and what it is not to cost: the other rules that the run and the sum keep now."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scaling_cli.core.cases import Case, Numbers
from scaling_cli.core.findings import DENY
from scaling_cli.core.policies import FORMS, Rule, breaks

if TYPE_CHECKING:
    from scaling_cli.core.remedies import Aim

ADVISED = 30  # findings of one check whose least change is worked out, since each takes many plans; ours


class Held(NamedTuple):
    """One rule, put to a run or to the sum.

    Fields:
        rule: the rule.
        value, end: what is and what may be, in the unit of the quantity.
        reference: what the rule is relative to; 0 where it stands by itself.
    """

    rule: Rule
    value: float
    end: float
    reference: float

    @property
    def is_broken(self) -> bool:
        """Whether the value misses the end."""
        return breaks(self.value, self.end, self.rule)


class Ledger(NamedTuple):
    """What all runs of a check, and their sum, are held to.

    Fields:
        cases: the runs.
        by_run: what each is held to, by name.
        of_sum: what the sum is held to.
        baseline: numbers of the runs before, by name.
    """

    cases: Sequence[Case]
    by_run: Mapping[str, Sequence[Held]]
    of_sum: Sequence[Held]
    baseline: Mapping[str, Numbers]

    @property
    def broken(self) -> list[tuple[Case | None, Held]]:
        """What is broken, run by run and then of the sum, where the run is None."""
        runs = [(case, held) for case in self.cases for held in self.by_run[case.name] if held.is_broken]
        return [*runs, *((None, held) for held in self.of_sum if held.is_broken)]

    def advise(self, case: Case | None, held: Held) -> str:
        """Return in words what would mend a broken rule of a run, or of the sum; empty where nothing is known."""
        return self._advise_sum(held) if case is None else self._advise_run(case, held.rule, held.end)

    def _advise_run(self, case: Case, rule: Rule, end: float) -> str:
        from scaling_cli.core.remedies import Aim, say_remedies  # most checks find nothing

        return say_remedies(case, Aim(rule, end), self._kept_by(case))

    def _advise_sum(self, held: Held) -> str:
        """Return what the run that weighs most would have to change, in words."""
        relative = FORMS[held.rule.form].relative_to == "baseline"
        quantity, before = held.rule.quantity, self.baseline if relative else {}

        def weight(case: Case) -> float:
            return (case.numbers[quantity] or 0.0) - (before.get(case.name, {}).get(quantity) or 0.0)

        heaviest = max(self.cases, key=weight)
        rest = (heaviest.numbers[quantity] or 0.0) + held.end - held.value
        if rest <= 0.0:
            which = "the run that rose most" if relative else "the largest of the runs"
            return f"more than {heaviest.name}, {which}, must go"
        help_ = self._advise_run(heaviest, held.rule, rest)
        return f"{heaviest.name}: {help_}" if help_ else ""

    def _kept_by(self, case: Case) -> "list[Aim]":
        """Return what a run keeps now, and what it leaves of what the sum keeps."""
        from scaling_cli.core.remedies import OF_SUM, Aim

        own = [Aim(held.rule, held.end) for held in self.by_run[case.name] if not held.is_broken]
        for held in self.of_sum:
            if not held.is_broken:
                rest = (case.numbers[held.rule.quantity] or 0.0) + held.end - held.value
                own.append(Aim(held.rule, rest, OF_SUM))
        return own


def first_advised(levels: Sequence[str]) -> set[int]:
    """Return which of a check's findings are told a remedy: the first ADVISED, those to deny before those to warn.

    >>> first_advised(["warn", "deny"])
    {0, 1}
    """
    return set(sorted(range(len(levels)), key=lambda place: levels[place] != DENY)[:ADVISED])
