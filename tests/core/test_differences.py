"""Two budgets beside each other, and the rules that the step from one to the other breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_cli.core.cases import Case, Numbers
from scaling_cli.core.differences import COMPARED, SUMMED, differences, newly_broken
from scaling_cli.core.findings import TOTAL, Change
from scaling_cli.core.policies import QUANTITIES, Policy, Rule

EMPTY: Numbers = dict.fromkeys(QUANTITIES)


def numbers(**given: float) -> Numbers:
    return {**EMPTY, **given}


OLD = {"a": numbers(flops=1e22, dollars=100.0), "b": numbers(flops=2e22, dollars=200.0)}


def rows(changes: tuple[Change, ...], run: str) -> dict[str, tuple[float | None, ...]]:
    return {change.quantity: change[2:] for change in changes if change.run == run}


def test_what_changed_is_told_run_by_run_and_in_the_sum() -> None:
    new = {"a": OLD["a"], "b": numbers(flops=3e22, dollars=300.0)}
    changes = differences(OLD, new)
    assert rows(changes, "a") == {}
    assert rows(changes, "b")["flops"] == pytest.approx((2e22, 3e22, 1e22, 0.5))
    assert rows(changes, TOTAL)["dollars"] == pytest.approx((300.0, 400.0, 100.0, 1 / 3))


def test_runs_that_come_and_go() -> None:
    changes = differences(OLD, {"b": OLD["b"], "c": numbers(flops=5e22)})
    assert [change.run for change in changes] == ["c", "a", "a", TOTAL, TOTAL]
    assert rows(changes, "c") == {"flops": (None, 5e22, None, None)}
    assert rows(changes, "a")["dollars"] == (100.0, None, None, None)
    assert rows(changes, TOTAL)["dollars"] == (300.0, None, None, None)


def test_nothing_changed_leaves_the_sums() -> None:
    assert {change.run for change in differences(OLD, OLD)} == {TOTAL}
    assert all(change.change == 0.0 for change in differences(OLD, OLD))


def test_from_and_to_nothing() -> None:
    assert rows(differences({}, OLD), TOTAL)["flops"] == (None, 3e22, None, None)
    assert rows(differences(OLD, {}), TOTAL)["flops"] == (3e22, None, None, None)
    assert differences({}, {}) == ()


def test_a_value_of_zero_has_no_ratio() -> None:
    (change, *_) = differences({"a": numbers(dollars=0.0)}, {"a": numbers(dollars=5.0)})
    assert change == ("a", "dollars", 0.0, 5.0, 5.0, None)


AMOUNT = st.one_of(st.none(), st.floats(1.0, 1e27))
BUDGET = st.dictionaries(
    st.sampled_from("abcd"),
    st.fixed_dictionaries(dict.fromkeys(COMPARED, AMOUNT)).map(lambda known: {**EMPTY, **known}),
    max_size=4,
)


@given(BUDGET, BUDGET)
def test_there_and_back_is_the_opposite(old: dict[str, Numbers], new: dict[str, Numbers]) -> None:
    there = {change[:2]: change for change in differences(old, new)}
    back = {change[:2]: change for change in differences(new, old)}
    assert there.keys() == back.keys() or {key for key in there.keys() ^ back.keys() if key[0] != TOTAL} == set()
    for key in there.keys() & back.keys():
        assert (there[key].old, there[key].new) == (back[key].new, back[key].old)
    assert {change.quantity for change in there.values() if change.run == TOTAL} <= set(SUMMED)


# rules


def cases(budget: dict[str, Numbers]) -> list[Case]:
    return [Case(name, known) for name, known in budget.items()]


POLICY = Policy(
    (Rule("deny", "max", "dollars", 250.0), Rule("warn", "max_increase", "flops", 0.1)),
    (Rule("deny", "max", "dollars", 350.0),),
)
DEARER = {"a": OLD["a"], "b": numbers(flops=4e22, dollars=400.0)}


def broken(old: dict[str, Numbers], new: dict[str, Numbers], *names: str) -> list[tuple[str, str]]:
    found = newly_broken(cases(old), cases(new), policy=POLICY, names=frozenset(names))
    return [(finding.run, finding.rule) for finding in found]


def test_a_rule_that_the_change_breaks_is_found_by_name() -> None:
    assert broken(OLD, DEARER, "max dollars") == [("b", "max dollars"), (TOTAL, "max dollars")]
    assert broken(OLD, DEARER, "max_increase flops") == [("b", "max_increase flops")]
    assert broken(OLD, DEARER, "warn") == [("b", "max_increase flops")]
    assert broken(OLD, DEARER, "deny") == [("b", "max dollars"), (TOTAL, "max dollars")]


def test_a_rule_that_was_broken_before_is_not_the_change_s() -> None:
    assert broken(DEARER, DEARER, "deny", "warn") == []
    dearer_still = {**DEARER, "b": numbers(flops=8e22, dollars=800.0)}
    assert broken(DEARER, dearer_still, "deny", "warn") == [("b", "max_increase flops")]


def test_a_new_run_breaks_rules_anew() -> None:
    assert broken({"a": OLD["a"]}, DEARER, "max dollars") == [("b", "max dollars"), (TOTAL, "max dollars")]
