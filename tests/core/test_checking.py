"""A policy put to planned runs: what is found, by how much, and whether the advice helps."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_cli.checks import Planners
from scaling_cli.core.advice import ADVISED
from scaling_cli.core.cases import Case
from scaling_cli.core.checking import FAIL_ON, check
from scaling_cli.core.findings import TOTAL, Checked
from scaling_cli.core.policies import QUANTITIES, Policy, Rule
from scaling_cli.core.sheets import Spec
from scaling_cli.errors import FileError, InputError, NoAnswer

MACHINE = {"gpu": "h100", "gpus": 512.0, "price": 2.5, "mfu": 0.4}
CHINCHILLA = {"params": 7e10, "tokens": 1.4e12}
LAWS = ("chinchilla", "openai")
PLANNERS = Planners(LAWS)


def case(known: dict[str, float], name: str = "run", law: str = "chinchilla", **budget: Any) -> Case:
    return PLANNERS.case(Spec(name, law, known=known, budget={**MACHINE, **budget}))


def found(run: Case, *rules: Rule, **options: Any) -> Checked:
    return check([run], Policy(rules), **options)


SMALL = case({"params": 1e9, "tokens": 2e10}, "small")
BIG = case(CHINCHILLA, "big")
LIMITED = case({"params": 3e9, "tokens": 3e11}, "limited", unique_tokens=2e10, inference_tokens=2e12)
CASES = (SMALL, BIG, LIMITED)


def test_llama_3_costs_what_its_paper_says() -> None:
    """405B params on 15.6T tokens took 3.8e25 FLOPs (Grattafiori et al. 2024, arXiv:2407.21783, section 1)."""
    checked = found(case({"params": 4.05e11, "tokens": 1.56e13}), Rule("deny", "max", "flops", 1e25))
    (finding,) = checked.findings
    assert finding.value == pytest.approx(3.8e25, rel=0.005)
    assert (finding.limit, finding.over) == (1e25, pytest.approx(finding.value / 1e25 - 1.0))
    assert not checked.passed


def test_chinchilla_has_twenty_tokens_per_param() -> None:
    """70B params, 1.4T tokens (Hoffmann et al. 2022, arXiv:2203.15556, table 1)."""
    assert BIG.numbers["tokens_per_param"] == pytest.approx(20.0)
    assert not found(BIG, Rule("deny", "min", "tokens_per_param", 20.0)).findings
    (finding,) = found(BIG, Rule("deny", "min", "tokens_per_param", 25.0)).findings
    assert finding.over == pytest.approx(0.2)


def test_extrapolation_is_the_largest_factor_beyond_the_range() -> None:
    """The largest run behind hoffmann-2022 had 3e21 FLOPs."""
    assert BIG.numbers["extrapolation"] == pytest.approx(6 * 7e10 * 1.4e12 / 3e21)
    assert SMALL.numbers["extrapolation"] == 1.0


def test_disagreement_is_that_of_plan() -> None:
    sizes = [PLANNERS.planner(law).plan({"flops": BIG.numbers["flops"]}).params for law in LAWS]
    assert BIG.numbers["disagreement"] == pytest.approx(max(sizes) / min(sizes))


def test_a_run_without_unique_tokens_sees_each_once() -> None:
    assert BIG.numbers["epochs"] == 1.0
    assert LIMITED.numbers["epochs"] == 15.0


def test_repeated_tokens_cost_loss() -> None:
    fresh = case({"params": 3e9, "tokens": 3e11})
    assert (LIMITED.numbers["loss"] or 0.0) > (fresh.numbers["loss"] or 9.0)
    assert (LIMITED.numbers["waste"] or 0.0) > (fresh.numbers["waste"] or 9.0)


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_limit_at_the_value_itself_is_kept(name: str) -> None:
    value = LIMITED.numbers[name]
    assert value is not None
    for form, side in (("max", -1.0), ("min", 1.0)):
        assert not found(LIMITED, Rule("deny", form, name, value)).findings
        (finding,) = found(LIMITED, Rule("deny", form, name, value * (1.0 + side * 0.01))).findings
        assert finding.rule == f"{form} {name}"
        assert finding.message


@pytest.mark.parametrize("form", ["max", "min"])
def test_what_is_no_number_never_passes(form: str) -> None:
    run = BIG._replace(numbers={**BIG.numbers, "dollars": math.nan})
    assert not found(run, Rule("deny", form, "dollars", 1.0)).passed
    assert not check([run], Policy(total=(Rule("deny", form, "dollars", 1.0),))).passed


def test_levels_decide_whether_it_passes() -> None:
    rules = (Rule("warn", "max", "days", 1.0),)
    passed = {fail_on: found(BIG, *rules, fail_on=fail_on).passed for fail_on in FAIL_ON}
    assert passed == {"deny": True, "warn": False, "never": True}
    denied = {fail_on: found(BIG, Rule("deny", "max", "days", 1.0), fail_on=fail_on).passed for fail_on in FAIL_ON}
    assert denied == {"deny": False, "warn": False, "never": True}
    with pytest.raises(InputError, match="--fail-on"):
        found(BIG, *rules, fail_on="always")


def test_the_sum_is_checked_and_names_the_largest_run() -> None:
    limit = 1e6
    checked = check(CASES, Policy(total=(Rule("deny", "max", "dollars", limit),)))
    (finding,) = checked.findings
    assert finding.run == TOTAL
    assert finding.value == checked.totals["dollars"] == pytest.approx(sum(c.numbers["dollars"] or 0.0 for c in CASES))
    assert finding.remedy.startswith("big: ")
    tight = check(CASES, Policy(total=(Rule("deny", "max", "dollars", 1e3),)))
    assert tight.findings[0].remedy == "more than big, the largest of the runs, must go"


def test_a_sum_is_unknown_where_a_run_is() -> None:
    priceless = PLANNERS.case(Spec("free", known=CHINCHILLA))
    checked = check([BIG, priceless], Policy(total=(Rule("deny", "max", "flops", 1e30),)))
    assert checked.totals["dollars"] is None
    assert checked.totals["flops"] == pytest.approx(2 * 6 * 7e10 * 1.4e12)
    with pytest.raises(InputError, match="dollars needs more of the run"):
        check([BIG, priceless], Policy(total=(Rule("deny", "max", "dollars", 1e30),)))


# against a baseline


def test_increases_are_told_from_the_baseline() -> None:
    rules = (Rule("deny", "max_increase", "flops", 0.1),)
    before = {"big": {**BIG.numbers, "flops": 5e23}}
    (finding,) = check([BIG], Policy(rules), baseline=before).findings
    assert (finding.rule, finding.limit) == ("max_increase flops", pytest.approx(5.5e23))
    assert "baseline" in finding.message
    assert not check([BIG], Policy(rules), baseline={"big": BIG.numbers}).findings
    (of_sum,) = check([BIG, SMALL], Policy(total=rules), baseline=before).findings
    assert of_sum.run == TOTAL


def test_an_increase_without_a_baseline_never_passes() -> None:
    rules = (Rule("deny", "max_increase", "flops", 0.1, 7),)
    with pytest.raises(InputError, match="no baseline"):
        found(BIG, *rules)
    with pytest.raises(FileError, match=r"a\.yaml line 7"):
        found(BIG, *rules, file="a.yaml")
    with pytest.raises(InputError, match="the baseline does not say"):
        found(BIG, Rule("deny", "max_increase", "dollars", 0.1), baseline={"big": {"flops": 1e23}})


def test_a_new_run_has_no_increase_and_is_named() -> None:
    policy = Policy((Rule("deny", "max_increase", "flops", 0.1),), (Rule("deny", "max_increase", "flops", 0.1),))
    checked = check([BIG, SMALL], policy, baseline={"big": BIG.numbers})
    assert any("small" in note and "not in the baseline" in note for note in checked.notes)
    assert not check([BIG], policy, baseline={}).findings


# against the optimum


def test_the_optimum_is_that_of_plan() -> None:
    """Approach 1 of Hoffmann et al. has about 70B at Chinchilla's compute, so half of it is too small."""
    small = case({"params": 2e10, "flops": 5.88e23})
    (finding,) = found(small, Rule("deny", "min_of_optimum", "params", 0.5)).findings
    assert finding.limit == pytest.approx(0.5 * PLANNERS.planner("chinchilla").plan({"flops": 5.88e23}).params)
    assert not found(BIG, Rule("deny", "min_of_optimum", "params", 0.5)).findings
    assert found(small, Rule("deny", "max_of_optimum", "loss", 1.0001)).findings


# nothing to check, nothing to answer with


def test_nothing_to_check_never_passes() -> None:
    with pytest.raises(InputError, match="nothing to check"):
        check([BIG], Policy())
    with pytest.raises(InputError, match="nothing to check"):
        check([], Policy((Rule("deny", "max", "flops", 1e30),)))


def test_a_limit_on_what_was_not_given_is_refused() -> None:
    bare = PLANNERS.case(Spec("bare", known=CHINCHILLA))
    for name, needs in (("dollars", "price"), ("days", "gpus"), ("gpu_hours", "gpu"), ("lifetime_flops", "inference")):
        with pytest.raises(InputError, match=needs):
            found(bare, Rule("deny", "max", name, 1.0))


def test_a_limit_on_what_the_law_does_not_say_has_no_answer() -> None:
    silent = case(CHINCHILLA, law="llama3-2024")
    for name in ("loss", "waste", "excess_loss"):
        with pytest.raises(NoAnswer, match=name):
            found(silent, Rule("deny", "max", name, 0.5))


# what is advised: see test_remedies


@pytest.mark.parametrize("name", QUANTITIES)
def test_advice_holds_nothing_that_is_no_number(name: str) -> None:
    for run in CASES:
        value = run.numbers[name]
        if value:
            for form, factor in (("max", 1e-6), ("min", 1e6)):
                for finding in found(run, Rule("deny", form, name, value * factor)).findings:
                    assert not re.search(r"nan|inf\b|None|- ", finding.remedy), finding.remedy


# properties

LIMITS = st.lists(
    st.tuples(
        st.sampled_from(["deny", "warn"]),
        st.sampled_from(["max", "min", "max_increase"]),
        st.sampled_from([name for name, quantity in QUANTITIES.items() if quantity.sums]),
        st.floats(1e-3, 1e27),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda rule: rule[:3],
)
BASELINE = {case.name: {name: 0.9 * (value or 1.0) for name, value in case.numbers.items()} for case in CASES}
WITH_LIFE = tuple(
    case({"params": n, "tokens": d}, name, inference_tokens=1e12)
    for n, d, name in ((1e9, 2e10, "small"), (7e10, 1.4e12, "big"), (3e9, 3e11, "limited"))
)


def keys(checked: Checked) -> set[tuple[str, str, str]]:
    return {finding[:3] for finding in checked.findings}


@given(LIMITS, LIMITS, st.floats(1.0, 1e6))
def test_loosening_a_limit_never_adds_a_finding(
    each: list[tuple[str, str, str, float]], total: list[tuple[str, str, str, float]], factor: float
) -> None:
    def loosen(rule: Rule) -> Rule:
        return rule._replace(limit=rule.limit * factor if rule.is_max else rule.limit / factor)

    tight = Policy(tuple(Rule(*rule) for rule in each), tuple(Rule(*rule) for rule in total))
    loose = Policy(tuple(map(loosen, tight.each)), tuple(map(loosen, tight.total)))
    before, after = (check(WITH_LIFE, policy, baseline=BASELINE) for policy in (tight, loose))
    assert keys(after) <= keys(before)
    assert after.passed or not before.passed


@given(LIMITS)
def test_what_is_found_is_what_is_beyond(each: list[tuple[str, str, str, float]]) -> None:
    policy = Policy(tuple(Rule(*rule) for rule in each))
    for finding in check(WITH_LIFE, policy, baseline=BASELINE).findings:
        assert finding.value is not None
        assert finding.limit is not None
        above = finding.value > finding.limit
        assert above == (not finding.rule.startswith("min "))
        assert finding.over is None or finding.over > 0.0


# of many findings


def test_the_first_findings_have_a_remedy_and_a_note_says_so() -> None:
    runs = [case({"params": 1e9, "tokens": 2e10}, f"run-{i}") for i in range(ADVISED + 5)]
    strict = {f"run-{ADVISED + 4}": (Rule("deny", "max", "flops", 1e18),)}
    checked = check(runs, Policy((Rule("warn", "max", "flops", 1e19),), runs=strict))
    advised = [bool(finding.remedy) for finding in checked.findings]
    last = [finding.level for finding in checked.findings].index("deny")
    assert len(advised) == ADVISED + 6
    assert advised[last], "deny comes before warn"
    assert advised == [i < ADVISED - 1 or i == last for i in range(len(advised))]
    assert f"the least change is worked out for the first {ADVISED} findings" in checked.notes
    few = check(runs[:ADVISED], Policy((Rule("warn", "max", "flops", 1e19),)))
    assert all(finding.remedy for finding in few.findings)
    assert not any("least change" in note for note in few.notes)
