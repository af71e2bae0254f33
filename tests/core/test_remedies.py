"""Printed remedies, followed: a run that is changed as one says, planned anew, keeps the rule."""

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.checks import Planners
from scaling_cli.core.cases import Case, optimum_of
from scaling_cli.core.checking import check
from scaling_cli.core.findings import Finding
from scaling_cli.core.policies import FORMS, QUANTITIES, Policy, Rule
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.core.remedies import NONE, OPTIMUM, Aim, Remedy, find_remedies
from scaling_cli.core.sheets import Spec
from scaling_cli.errors import NoAnswer, ScalingError

COMPARED = ("chinchilla", "openai")
PLANNERS = Planners(COMPARED)
MACHINE = {"gpu": "h100", "gpus": 512.0, "price": 2.5, "mfu": 0.4}
LAWS = ("chinchilla", "besiroglu-2024", "openai", "muennighoff-2023", "kumar-2024", "cerebras-2023", "hunyuan-2024")


def run(known: dict[str, float | str], law: str = "chinchilla", **budget: Any) -> Spec:
    return Spec("run", law, known=known, budget={**MACHINE, **budget})


def found(spec: Spec, rule: Rule) -> tuple[Case, list[Finding]]:
    case = PLANNERS.case(spec)
    return case, list(check([case], Policy((rule,))).findings)


def remedies(spec: Spec, rule: Rule) -> tuple[Remedy, ...]:
    """Return the remedies of the one finding on a run, each followed: planned anew, it keeps the rule."""
    case, (finding,) = found(spec, rule)
    offered = find_remedies(case, Aim(rule, finding.limit or 0.0))
    said = ", or ".join(remedy.words for remedy in offered)
    assert finding.remedy == said if offered else finding.remedy.startswith(NONE)
    for remedy in offered:
        assert remedy.spec != spec
        _, left = found(remedy.spec, rule)
        assert not left, f"{spec}: {finding.message}; {remedy.words}; {[each.message for each in left]}"
    return offered


def words(spec: Spec, name: str, limit: float, form: str = "max") -> str:
    return ", or ".join(remedy.words for remedy in remedies(spec, Rule("deny", form, name, limit)))


# what is offered holds

MAGNITUDE = st.floats(0.0, 1.0)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A run of any kind: fixed by two knowns, planned from one, or from its machine, with data and life or without."""

    def amount(low: float, high: float) -> float:
        return float(f"{low * (high / low) ** draw(MAGNITUDE):.4g}")

    sizes = {"flops": (1e19, 1e26), "params": (1e7, 1e12), "tokens": (1e9, 1e14)}
    names = draw(st.sampled_from([("params", "tokens"), ("flops", "params"), ("flops", "tokens"), ("flops",), ()]))
    known: dict[str, float | str] = {name: amount(*sizes[name]) for name in names}
    budget: dict[str, Any] = {}
    if not known:
        budget["most"] = {draw(st.sampled_from(["days", "dollars", "gpu_hours"])): amount(3.0, 3e5)}
    if draw(st.booleans()):
        budget["unique_tokens"] = amount(1e9, 1e13)
    if draw(st.booleans()):
        budget["inference_tokens"] = amount(1e10, 1e14)
    return run(known, draw(st.sampled_from(LAWS)), **budget)


@settings(max_examples=150)
@given(specs(), st.sampled_from(list(QUANTITIES)), st.sampled_from(["max", "min", "optimum"]), MAGNITUDE)
def test_every_remedy_offered_keeps_the_rule(spec: Spec, name: str, form: str, share: float) -> None:
    try:
        case = PLANNERS.case(spec)
    except ScalingError:
        return  # no such run: the law has no loss to plan it by, or no budget is left
    form = "max" if form == "optimum" and name not in ("params", "tokens", "tokens_per_param", "loss") else form
    form = "max_of_optimum" if form == "optimum" else form
    value = case.numbers[name] if form in FORMS and not FORMS[form].relative_to else 1.0
    if form == "max_of_optimum" and (best := optimum_of(case, name)) is not None:
        value = (case.numbers[name] or math.nan) / best
    if not value or not math.isfinite(value):
        return
    factor = 1.0 + (0.2 if name == "loss" else 9.0) * share**3
    rule = Rule("deny", form, name, value * factor if form == "min" else value / factor)
    if found(spec, rule)[1]:
        remedies(spec, rule)


@settings(max_examples=60)
@given(st.sampled_from(["flops", "days", "dollars", "tokens_per_param", "epochs", "loss"]), st.floats(1.002, 30.0))
def test_what_is_printed_is_what_was_tried_and_no_more_than_needed(name: str, factor: float) -> None:
    spec = run({"params": 3e9, "tokens": 3e11}, unique_tokens=2e10)
    value = float(PLANNERS.case(spec).numbers[name] or math.nan)
    rule = Rule("deny", "max", name, value / (1.0 + 0.001 * factor if name == "loss" else factor))
    for remedy in remedies(spec, rule):
        said = re.match(r"(\S+) (.+) instead of (\S+)", remedy.words)
        assert said
        new, noun, old = said.groups()
        assert parse_quantity(new, "number", noun) == remedy.value
        assert isinstance(remedy.value, float)
        was = parse_quantity(old, "number", noun)
        less = remedy.value * (was / remedy.value) ** min(1.0, 0.02 / abs(math.log(was / remedy.value)))
        if remedy.key == "gpus":
            less = math.floor(less)
        part = "known" if remedy.key in spec.known else "budget"
        other = spec._replace(**{part: {**getattr(spec, part), remedy.key: less}})
        assert found(other, rule)[1], f"{remedy.words}: {less:g} would have done"


# planned runs


def test_compute_is_no_remedy_where_repeats_saturate() -> None:
    """Muennighoff et al. 2023, arXiv:2305.16264: beyond some epochs more of the same tokens buy nothing."""
    spec = run({"flops": 1e23}, unique_tokens=2e10)
    (remedy,) = remedies(spec, Rule("deny", "max", "loss", 2.0))
    assert remedy.key == "unique_tokens"
    assert float(remedy.value) > 2e10


def test_where_nothing_reaches_a_loss_the_floor_is_told() -> None:
    spec = run({"flops": 1e25}, "muennighoff-2023", unique_tokens=1.25e11)
    _, (finding,) = found(spec, Rule("deny", "max", "loss", 1.9))
    said = re.fullmatch(f"{NONE}: with 125B unique tokens the loss stays above (.*)", finding.remedy)
    assert said
    floor = float(said[1])
    assert (
        1.9 < floor < float(PLANNERS.case(run({"flops": 1e32}, spec.law, unique_tokens=1.25e11)).numbers["loss"] or 0)
    )
    fixed = run({"params": 7e10, "tokens": 1.4e12})
    _, (finding,) = found(fixed, Rule("deny", "max", "loss", 1.7))
    assert finding.remedy.startswith(f"{NONE}: the loss stays above 1.")


def test_the_given_flops_are_told_not_the_planned_ones() -> None:
    """With inference the planned run trains longer than the budget given."""
    spec = run({"flops": 1e22}, inference_tokens=1e13)
    assert re.search(r"or 3\.\d+e21 FLOPs instead of 1e22$", words(spec, "flops", 1.05e22))
    for name in ("gpu_hours", "days", "dollars", "energy_mwh", "loss", "extrapolation"):
        value = float(PLANNERS.case(spec).numbers[name] or math.nan)
        assert "instead of 1e22" in words(spec, name, value / (1.01 if name == "loss" else 1.5))


def test_days_of_a_run_planned_from_its_days_are_its_own_limit() -> None:
    spec = run({}, most={"days": "30"})
    assert words(spec, "days", 20.0) == "max days 20 instead of 30"
    assert words(spec, "dollars", 460800.0) == "256 accelerators instead of 512, or max days 15 instead of 30"


@pytest.mark.parametrize(
    ("flops", "name", "limit", "expected"),
    [
        ("512xH100 for 30d @40%", "days", 20.0, "512xH100 for 20d @40%"),
        ("30.84M H100-hours", "gpu_hours", 2e7, "20M H100-hours"),
    ],
)
def test_compute_told_as_a_machine_is_told_so_again(flops: str, name: str, limit: float, expected: str) -> None:
    spec = Spec("run", known={"flops": flops}, budget={"price": 2.5})
    assert words(spec, name, limit) == f"{expected} instead of {flops}"


def test_a_run_of_its_size_alone_is_changed_in_its_size() -> None:
    """On the frontier more tokens come with more params, so fewer of either never lower the loss."""
    (remedy,) = remedies(run({"params": 1e9}, "openai"), Rule("deny", "max", "loss", 2.6))
    assert remedy.key == "params"
    assert float(remedy.value) > 1e9


@pytest.mark.parametrize(("law", "size", "limit"), [("cerebras-2023", 3.35e11, 1.0), ("dit-2024", 1e9, 0.53)])
@pytest.mark.parametrize("form", ["max", "min"])
def test_a_law_without_a_loss_surface_has_remedies(law: str, size: float, limit: float, form: str) -> None:
    spec = run({"params": size}, law)
    rule = Rule("deny", form, "loss", limit if form == "max" else 1.2 * float(PLANNERS.case(spec).numbers["loss"] or 0))
    assert [remedy.key for remedy in remedies(spec, rule)] == ["params"]


# one input at a time


def test_what_needs_two_changes_is_not_offered_as_one() -> None:
    """70B params alone lie beyond twice the 16B that hoffmann-2022 was tried up to, whatever the tokens."""
    _, (finding,) = found(run({"params": 7e10, "tokens": 1e13}), Rule("deny", "max", "extrapolation", 2.0))
    assert finding.remedy == NONE
    spec = run({"params": 7e10, "tokens": 1.4e12})
    expected = "714B tokens instead of 1.4T at this size, or 35.7B params instead of 70B on these tokens"
    assert words(spec, "extrapolation", 100.0) == expected


def test_a_limit_that_only_the_optimum_keeps_is_kept_by_the_optimum() -> None:
    spec = Spec("run", "kumar-2024", known={"flops": 5e20, "tokens": 5.54e11})
    offered = remedies(spec, Rule("deny", "max_of_optimum", "loss", 1.0))
    assert OPTIMUM in [remedy.key for remedy in offered]
    for remedy in offered:
        assert not re.search(r"e-\d", remedy.words)


def test_waste_is_met_at_the_same_compute() -> None:
    spec = run({"params": 2e10, "tokens": 3e12})
    before = float(PLANNERS.case(spec).numbers["flops"] or math.nan)
    (remedy,) = remedies(spec, Rule("deny", "max", "waste", 0.01))
    assert PLANNERS.case(remedy.spec).numbers["flops"] == pytest.approx(before, rel=0.006)


def test_a_split_without_repeats_stays_offered_where_data_are_limited() -> None:
    """With 20B unique tokens no split of the compute is as good as the best with unlimited data."""
    spec = run({"params": 3e9, "tokens": 3e11}, unique_tokens=2e10)
    assert "unique_tokens" in [remedy.key for remedy in remedies(spec, Rule("deny", "max", "waste", 0.2))]


def test_a_limit_that_does_not_bind_yet_may_be_made_to() -> None:
    """Of a given number of tokens only the least tokens per param can make the params fewer than optimal."""
    least = {"least": {"tokens_per_param": "4"}}
    spec = Spec("run", "krajewski-2024-dense", known={"tokens": 3.77e11}, budget=least)
    offered = {remedy.key: remedy.value for remedy in remedies(spec, Rule("deny", "max_of_optimum", "params", 0.5))}
    assert float(offered["min tokens_per_param"]) > 4.0


def test_nobody_is_told_to_serve_more_to_train_less() -> None:
    """Though more inference does make the trained model smaller, and its training cheaper."""
    spec = run({}, "muennighoff-2023", most={"days": 30.0}, unique_tokens=3e11, inference_tokens=1e13)
    keys = [remedy.key for remedy in remedies(spec, Rule("deny", "max", "dollars", 6e5))]
    assert keys == ["gpus", "max days"]


def test_weights_may_be_served_in_another_precision() -> None:
    spec = run({"params": 7e10, "tokens": 1.4e12})
    assert words(spec, "memory_bytes", 8e10) == "weights served in fp8, or 40B params instead of 70B"


def test_a_saved_run_has_no_remedy_and_says_nothing() -> None:
    case = Case("saved", {"flops": 1e23})
    (finding,) = check([case], Policy((Rule("deny", "max", "flops", 1e22),))).findings
    assert finding.remedy == ""


def test_the_sum_is_kept_once_its_remedy_is_followed() -> None:
    big, small = run({"params": 7e10, "tokens": 1.4e12}), run({"params": 1e9, "tokens": 2e10})._replace(name="small")
    rule = Rule("deny", "max", "dollars", 3e5)
    cases = [PLANNERS.case(big), PLANNERS.case(small)]
    (finding,) = check(cases, Policy(total=(rule,))).findings
    offered = find_remedies(cases[0], Aim(rule, 3e5 - float(cases[1].numbers["dollars"] or math.nan)))
    assert finding.remedy == "run: " + ", or ".join(remedy.words for remedy in offered)
    assert offered
    for remedy in offered:
        assert not check([PLANNERS.case(remedy.spec), cases[1]], Policy(total=(rule,))).findings


def test_a_law_that_can_not_say_what_is_limited_is_still_refused() -> None:
    with pytest.raises(NoAnswer, match="loss"):
        found(run({"params": 7e10, "tokens": 1.4e12}, "llama3-2024"), Rule("deny", "max", "loss", 2.0))


# the other rules of the run

DOLLARS = Rule("deny", "max", "dollars", 5e5)
OVERTRAINED = Rule("warn", "min", "tokens_per_param", 10.0)


def test_a_remedy_keeps_what_the_run_keeps_now() -> None:
    """Half the tokens would do, and leave 9.7 of them a param."""
    case = PLANNERS.case(run({"params": 7e10, "tokens": 1.4e12}, gpus=1024.0))
    (finding,) = check([case], Policy((DOLLARS, OVERTRAINED))).findings
    assert finding.remedy == "33.9B params instead of 70B on these tokens"


def test_a_remedy_that_breaks_another_rule_says_so_where_there_is_no_better() -> None:
    case = PLANNERS.case(run({"params": 7e10, "tokens": 1.4e12}))
    small = Rule("deny", "min", "params", 6e10)
    (finding,) = check([case], Policy((DOLLARS, OVERTRAINED, small))).findings
    fewer, smaller = "678B tokens instead of 1.4T at this size", "33.9B params instead of 70B on these tokens"
    assert finding.remedy == f"{fewer}, which breaks min tokens_per_param, or {smaller}, which breaks min params"


def test_a_rule_that_is_broken_already_is_no_reason() -> None:
    case = PLANNERS.case(run({"params": 7e10, "tokens": 1.4e12}))
    rule = OVERTRAINED._replace(limit=25.0)
    assert "which breaks" not in check([case], Policy((DOLLARS, rule))).findings[0].remedy


def test_a_remedy_keeps_the_increase_and_the_sum_too() -> None:
    spec = run({"params": 7e10, "tokens": 1.4e12})
    case = PLANNERS.case(spec)
    more = Rule("deny", "min", "tokens_per_param", 25.0)
    (finding,) = check([case], Policy((more,))).findings
    assert finding.remedy == "1.75T tokens instead of 1.4T at this size, or 56B params instead of 70B on these tokens"
    smaller = "56B params instead of 70B on these tokens"
    grown = Rule("deny", "max_increase", "flops", 0.1)
    (finding,) = check([case], Policy((more, grown)), baseline={"run": case.numbers}).findings
    assert finding.remedy == smaller
    total = Rule("deny", "max", "flops", 1.1 * float(case.numbers["flops"] or math.nan))
    (finding,) = check([case], Policy((more,), (total,))).findings
    assert finding.remedy == smaller
    least = Rule("deny", "min", "params", 7e10)
    (finding,) = check([case], Policy((more, least), (total,))).findings
    assert "1.75T tokens instead of 1.4T at this size, which breaks max flops of the sum" in finding.remedy


@settings(max_examples=40)
@given(
    specs(), st.lists(st.tuples(st.sampled_from(list(QUANTITIES)), st.booleans(), MAGNITUDE), min_size=2, max_size=4)
)
def test_following_remedies_comes_to_an_end(spec: Spec, limits: list[tuple[str, bool, float]]) -> None:
    """Each that breaks no other rule leaves one finding fewer."""
    try:
        case = PLANNERS.case(spec)
    except ScalingError:
        return
    known = [(name, value, is_max, share) for name, is_max, share in limits if (value := case.numbers[name])]
    rules = {
        (name, is_max): Rule("deny", "max" if is_max else "min", name, value * (0.7 + 0.6 * share))
        for name, value, is_max, share in known
    }
    if not rules:
        return
    before = check([case], Policy(tuple(rules.values()))).findings
    for finding in before:
        rule = next(rule for rule in rules.values() if rule.name == finding.rule)
        kept = [Aim(each, each.limit) for each in rules.values() if each.name not in {one.rule for one in before}]
        for remedy in find_remedies(case, Aim(rule, rule.limit), kept):
            if "which breaks" not in remedy.words:
                after = check([PLANNERS.case(remedy.spec)], Policy(tuple(rules.values()))).findings
                assert {one.rule for one in after} < {one.rule for one in before}, remedy.words


def test_the_remedy_of_an_increase_names_the_run_that_rose_most() -> None:
    big, small = run({"params": 7e10, "tokens": 1.4e12}), run({"params": 1e9, "tokens": 2e10})._replace(name="small")
    cases = [PLANNERS.case(big), PLANNERS.case(small)]
    policy = Policy(total=(Rule("deny", "max_increase", "flops", 1e-4),))
    (finding,) = check(cases, policy, baseline={"run": cases[0].numbers}).findings
    assert finding.remedy.startswith("small: "), "a new run rose from zero"
    flops = float(cases[0].numbers["flops"] or math.nan)
    halved = {"run": {"flops": 0.6 * flops}, "small": {"flops": 0.0}}
    (finding,) = check(cases, policy, baseline=halved).findings
    assert finding.remedy.startswith("run: ")
    gone = {"run": {"flops": 0.9999 * flops}, "small": {"flops": 0.0}}
    policy = Policy(total=(Rule("deny", "max_increase", "flops", 0.0),))
    (finding,) = check(cases, policy, baseline=gone).findings
    assert finding.remedy == "more than small, the run that rose most, must go"


# what nobody would do


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (run({}, most={"days": 30.0}), Rule("deny", "max", "dollars", 1e-8)),
        (run({"params": 7e9, "tokens": 1.4e11}), Rule("deny", "max", "memory_bytes", 2e3)),
        (run({"loss": 2.1}), Rule("deny", "max", "flops", 1e12)),
        (run({"flops": 1e23}), Rule("deny", "max", "flops", 9.9e20)),
        (run({"flops": 1e23}), Rule("deny", "min", "flops", 1.01e25)),
    ],
)
def test_no_input_is_changed_beyond_a_factor_of_100(spec: Spec, rule: Rule) -> None:
    assert remedies(spec, rule) == ()
    assert NONE == "no change of one input within a factor of 100 reaches it"


def test_a_factor_of_100_is_within() -> None:
    spec = run({"flops": 1e23})
    assert words(spec, "flops", 1e21) == "1e21 FLOPs instead of 1e23"
    assert words(spec, "flops", 1e25, "min") == "1e25 FLOPs instead of 1e23"


def test_no_loss_is_told_that_guessing_has() -> None:
    """Of 256,000 entries at random: ln 256000 = 12.45 nats."""
    for limit in (1e16, 1e15, 1e14):
        for remedy in remedies(run({"loss": 2.1}), Rule("deny", "max", "flops", limit)):
            assert float(remedy.value) < 12.453


def test_one_accelerator_is_one() -> None:
    spec = run({}, most={"days": 30.0}, gpus=8.0)
    value = float(PLANNERS.case(spec).numbers["dollars"] or math.nan)
    assert words(spec, "dollars", value / 8.0).startswith("1 accelerator instead of 8, or ")
