"""Two budgets beside each other, and the rules that the step from one to the other breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_cli.core.cases import Case, Numbers
from scaling_cli.core.differences import (
    COMPARED,
    RATED,
    SUMMED,
    Side,
    compare,
    differences,
    fill_rates,
    named_rules,
    newly_broken,
)
from scaling_cli.core.findings import ADDED, CHANGED, KNOWN, REMOVED, SAME, TOTAL, UNKNOWN, Change, Finding
from scaling_cli.core.policies import QUANTITIES, Policy, Rule
from scaling_cli.errors import InputError

EMPTY: Numbers = dict.fromkeys(QUANTITIES)


def numbers(**given: float) -> Numbers:
    return {**EMPTY, **given}


OLD = {"a": numbers(flops=1e22, dollars=100.0), "b": numbers(flops=2e22, dollars=200.0)}


def rows(changes: tuple[Change, ...], run: str) -> dict[str, tuple[float | None, ...]]:
    return {change.quantity: change[2:6] for change in changes if change.run == run}


def statuses(changes: tuple[Change, ...]) -> dict[tuple[str, str], str]:
    return {change[:2]: change.status for change in changes}


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
    assert change == ("a", "dollars", 0.0, 5.0, 5.0, None, CHANGED)


def test_what_became_of_each_number_is_told() -> None:
    """A price that is given now adds no run."""
    old = {"a": numbers(flops=1e22), "b": OLD["b"], "gone": numbers(flops=1e21)}
    new = {"a": numbers(flops=1e22, dollars=100.0), "b": numbers(flops=3e22), "new": numbers(flops=1e21)}
    assert statuses(differences(old, new)) == {
        ("a", "dollars"): KNOWN,
        ("b", "flops"): CHANGED,
        ("b", "dollars"): UNKNOWN,
        ("new", "flops"): ADDED,
        ("gone", "flops"): REMOVED,
        (TOTAL, "flops"): CHANGED,
    }
    priced = {"a": numbers(flops=1e22, dollars=5.0)}
    assert statuses(differences({"a": old["a"]}, priced)) == {
        ("a", "dollars"): KNOWN,
        (TOTAL, "flops"): SAME,
        (TOTAL, "dollars"): KNOWN,
    }
    assert set(statuses(differences({}, priced)).values()) == {ADDED}
    assert set(statuses(differences(priced, {})).values()) == {REMOVED}


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


NO_POLICY = Policy()


def side(budget: dict[str, Numbers], policy: Policy = NO_POLICY, findings: tuple[Finding, ...] | None = None) -> Side:
    return Side(tuple(Case(name, known) for name, known in budget.items()), policy, findings=findings)


POLICY = Policy(
    (Rule("deny", "max", "dollars", 250.0), Rule("warn", "max_increase", "flops", 0.1)),
    (Rule("deny", "max", "dollars", 350.0),),
)
DEARER = {"a": OLD["a"], "b": numbers(flops=4e22, dollars=400.0)}


def broken(old: dict[str, Numbers], new: dict[str, Numbers], *names: str) -> list[tuple[str, str]]:
    found = newly_broken(side(old), side(new, POLICY), frozenset(names))
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


def test_what_was_not_known_before_was_not_broken() -> None:
    """A price that is added shows what a run costs: that is news."""
    bare = {name: {**known, "dollars": None} for name, known in DEARER.items()}
    assert broken(bare, DEARER, "max dollars") == [("b", "max dollars"), (TOTAL, "max dollars")]


def test_rules_that_are_not_named_are_not_looked_at() -> None:
    """They may need what no run says."""
    policy = POLICY._replace(each=(*POLICY.each, Rule("deny", "max", "days", 1.0)))
    assert newly_broken(side(OLD), side(OLD, policy), frozenset(["max dollars"])) == ()
    with pytest.raises(InputError, match="days needs more of the run"):
        newly_broken(side(OLD), side(OLD, policy), frozenset(["max days"]))


# a head that was saved

OVER = Finding("b", "max dollars", "deny", 400.0, 250.0, 0.6)
FAR = Finding("b", "max_of_optimum params", "deny", 9e10, 7e10, 0.3)


def saved_breaks(old: Side, new: dict[str, Numbers], *found: Finding) -> list[str]:
    return [finding.rule for finding in newly_broken(old, side(new, findings=found), frozenset(["deny"]))]


def test_findings_that_were_saved_count() -> None:
    assert saved_breaks(side(OLD), DEARER, OVER) == ["max dollars"]
    assert saved_breaks(side(DEARER), DEARER, OVER) == []
    assert saved_breaks(side({}), DEARER, OVER) == ["max dollars"]
    assert newly_broken(side(OLD), side(DEARER, findings=(OVER,)), frozenset(["warn"])) == ()


def test_a_saved_finding_of_an_optimum_is_new_where_its_run_changed_and_was_not_found_before() -> None:
    assert saved_breaks(side(DEARER), DEARER, FAR) == []
    assert saved_breaks(side(OLD), DEARER, FAR) == ["max_of_optimum params"]
    assert saved_breaks(side(OLD, findings=(FAR,)), DEARER, FAR) == []
    heavier = {**DEARER, "b": {**DEARER["b"], "memory_bytes": 2.0}}
    more = Finding("b", "max_increase memory_bytes", "deny", 2.0, 1.0, 1.0)
    assert saved_breaks(side(DEARER), heavier, more) == ["max_increase memory_bytes"]


# which rules


def test_rules_are_found_by_the_short_names_of_files() -> None:
    policy = Policy((Rule("deny", "max", "memory_bytes", 8e10), Rule("deny", "max_increase", "energy_mwh", 0.1)))
    names = named_rules(side(OLD, policy), ["max memory", " max_increase  energy", "deny"])
    assert names == {"max memory_bytes", "max_increase energy_mwh", "deny"}


@pytest.mark.parametrize(
    ("head", "name", "said"),
    [
        (side(OLD, POLICY), "max flops", "expected deny, warn or a rule of the head: max dollars, max_increase flops"),
        (side(OLD, POLICY), "", "expected deny, warn or a rule"),
        (side(OLD), "deny", "holds no rules\n  give the budget file with its policy, or JSON of `scaling check`"),
        (Side(), "deny", "it has none"),
        (side(OLD, findings=())._replace(rules=("max days",)), "max flops", "a rule of the head: max days"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_refused(head: Side, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        named_rules(head, [name])
    assert said in str(caught.value)


# costs that the old budget does not say

DEAR = Policy((Rule("deny", "max_increase", "dollars", 0.1),))


def test_costs_before_are_those_of_the_compute_at_the_rates_of_now() -> None:
    bare = {"a": numbers(flops=1e22), "b": numbers(flops=2e22), "gone": numbers(flops=3e22)}
    filled, notes = fill_rates(side(bare), side(OLD, DEAR), DEAR.rules)
    assert [run["dollars"] for run in filled.numbers.values()] == pytest.approx([100.0, 200.0, 300.0])
    assert [run["days"] for run in filled.numbers.values()] == [None] * 3
    assert len(notes) == 1
    assert "does not say all of its dollars" in notes[0]


def test_costs_before_follow_hours_where_both_say_them() -> None:
    """A worse utilisation is not hidden behind the same FLOPs."""
    bare = {"a": numbers(flops=1e22, gpu_hours=10.0)}
    worse = {"a": numbers(flops=1e22, gpu_hours=20.0, dollars=100.0)}
    filled, _ = fill_rates(side(bare), side(worse, DEAR), DEAR.rules)
    assert filled.numbers["a"]["dollars"] == pytest.approx(50.0)


def test_costs_that_nothing_needs_or_that_are_said_stay() -> None:
    bare = {"a": numbers(flops=1e22)}
    assert fill_rates(side(bare), side(OLD), ()) == (side(bare), ())
    assert fill_rates(side(DEARER), side(OLD, DEAR), DEAR.rules) == (side(DEARER), ())
    assert fill_rates(side(bare), side(bare, DEAR), DEAR.rules) == (side(bare), ())
    assert fill_rates(side(bare), Side(), DEAR.rules) == (side(bare), ())


@given(BUDGET, BUDGET)
def test_what_is_filled_in_keeps_what_was_said(old: dict[str, Numbers], new: dict[str, Numbers]) -> None:
    policy = Policy(tuple(Rule("deny", "max_increase", name, 0.1) for name in RATED))
    filled, notes = fill_rates(side(old), side(new, policy), policy.rules)
    for name, known in old.items():
        assert all(filled.numbers[name][key] == value for key, value in known.items() if value is not None)
    assert bool(notes) == (filled.numbers != old)


def test_a_difference_has_its_notes_and_what_breaks() -> None:
    bare = {name: {**known, "dollars": None} for name, known in OLD.items()}
    found = compare(side(bare), side(DEARER, DEAR), fail_on=["max_increase dollars"])
    assert [(finding.run, finding.over) for finding in found.broken] == [("b", pytest.approx(2.0 / 1.1 - 1.0))]
    assert len(found.notes) == 1
    assert found.checked.counts(found.broken[0]._replace(level="warn"))
    assert compare(side(bare), side(DEARER, DEAR)).notes == ()
