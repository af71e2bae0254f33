"""Plans: every pair of knowns, for every shipped law, and that all ways to the same point agree."""

import math
import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.core.answers import Plan
from scaling_cli.core.plans import Planner
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import law_ids, load_law

LAWS = {law_id: load_law(law_id) for law_id in law_ids()}
MORE_SETTINGS = {"tao-2024": {"V": 32000.0, "width": 1024.0}}
FORMS = [law_id for law_id, law in LAWS.items() if law.is_form]
# what a law does not say, so that the questions about it have no answer
NO_SPLIT = {
    **dict.fromkeys(["brown-2020", "moonlight-2025-adamw", "moonlight-2025-muon"], "L(C) alone"),
    **dict.fromkeys(["henighan-2020-im2text-text", "henighan-2020-text2im-text"], "L(N) alone"),
    **dict.fromkeys(
        ["clark-2022-dense", "clark-2022-hash", "clark-2022-rl-r", "clark-2022-s-base"], "L(N) at 130B tokens"
    ),
    "hernandez-2021": "tokens that transfer is worth",
    "pearce-2024": "how to count params",
    "shukor-2025-early-fusion": "exponents without their prefactors",
    "steplaw-2025": "learning rates and batches",
    "zhang-2024": "critical batches",
}
NO_LOSS = [
    *("deepseek-2024", "hoffmann-2022-approach-2", "hunyuan-2024", "llama3-2024", "llama3-2024-text", "minicpm-2024"),
    *("palm2-2023", "porian-2024", "tao-2024", "hernandez-2021", "pearce-2024", "steplaw-2025", "zhang-2024"),
    *("henighan-2020-im2text-text", "henighan-2020-text2im-text", "shukor-2025-early-fusion"),
]
WITH_SPLIT = [law_id for law_id in LAWS if law_id not in NO_SPLIT and law_id not in FORMS]
WITH_LOSS = [law_id for law_id in WITH_SPLIT if law_id not in NO_LOSS]
WITH_SURFACE = [law_id for law_id in WITH_SPLIT if "loss" in LAWS[law_id].relations]


def planner(law_id: str, **variables: float) -> Planner:
    return Planner(LAWS[law_id], MORE_SETTINGS.get(law_id, {}) | variables)


def budgets(law_id: str) -> list[float]:
    """Both ends and the middle of the range of C that the frontier was tried on, or three budgets of the field."""
    relations = planner(law_id).relations_used()
    ranges = [
        LAWS[law_id].relations[name].valid["C"] for name in relations if "C" in LAWS[law_id].relations[name].valid
    ]
    low, high = ranges[0] if ranges else (1e18, 1e24)
    return [low, math.sqrt(low * high), high]


def test_the_lists_above() -> None:
    """Name laws that exist, once each, and leave most of them to the tests below."""
    assert set(NO_SPLIT) | set(NO_LOSS) <= set(LAWS)
    assert len(set(NO_LOSS)) == len(NO_LOSS)
    assert not set(FORMS) & (set(NO_SPLIT) | set(NO_LOSS))
    assert len(WITH_SPLIT) >= 35
    assert len(WITH_LOSS) >= 25
    assert len(WITH_SURFACE) >= 15


# one known: the frontier


@pytest.mark.parametrize("law_id", WITH_SPLIT)
def test_a_plan_spends_its_budget(law_id: str) -> None:
    """6ND = C to 1e-12, or the law's own flops."""
    it = planner(law_id)
    for flops in (1e15, *budgets(law_id), 1e27):
        plan = it.plan({"flops": flops})
        assert plan.flops == flops
        spent = (
            6.0 * plan.params * plan.tokens
            if "flops" not in it.law.relations
            else it.surface.flops(plan.params, plan.tokens)
        )
        assert spent == pytest.approx(flops, rel=1e-12)
        assert plan.tokens_per_param == plan.tokens / plan.params
        assert plan.params > 0.0
        assert plan.optimal_params is plan.waste is None


@pytest.mark.parametrize("law_id", WITH_SPLIT)
@pytest.mark.parametrize("known", ["params", "tokens", "loss"])
def test_one_frontier_however_it_is_asked(law_id: str, known: str) -> None:
    """Plan by flops, ask by what it gave: the same budget and the same row."""
    it = planner(law_id)
    for flops in budgets(law_id):
        plan = it.plan({"flops": flops})
        if known == "loss" and law_id in NO_LOSS:
            assert plan.loss is None
            with pytest.raises(NoAnswer, match=f"{law_id} says nothing of the loss"):
                it.plan({"loss": 2.5})
            continue
        back = it.plan({known: getattr(plan, known)})
        assert getattr(back, known) == getattr(plan, known)
        assert back.flops == pytest.approx(flops, rel=1e-6)
        for name in ("params", "tokens", "loss", "tokens_per_param"):
            assert getattr(back, name) == (
                None if plan.loss is None and name == "loss" else pytest.approx(getattr(plan, name), rel=1e-6)
            )


def unanswered(it: Planner, known: dict[str, float]) -> str:
    """Return why a law cannot answer: it raises, or it says so beside what else it knows of the question."""
    try:
        plan = it.plan(known)
    except NoAnswer as error:
        return str(error)
    assert all(getattr(plan, name) == known.get(name) for name in ("flops", "params", "tokens", "loss"))
    assert plan.relations
    return plan.notes[0]


NO_SPLIT_SAID = re.compile("states no optimal split|has no optimal split|is a form")


@pytest.mark.parametrize("law_id", NO_SPLIT)
def test_laws_without_a_split(law_id: str) -> None:
    """No split is made up; a loss of the budget is given where there is one."""
    it = planner(law_id)
    for known in ({"params": 1e9}, {"tokens": 1e11}):
        assert NO_SPLIT_SAID.search(unanswered(it, known))
    if law_id not in ("brown-2020", "moonlight-2025-adamw", "moonlight-2025-muon"):
        assert NO_SPLIT_SAID.search(unanswered(it, {"flops": 1e21}))
        return
    plan = it.plan({"flops": 1e21})
    assert plan.params is plan.tokens is plan.tokens_per_param is None
    assert plan.loss > it.frontier.irreducible
    assert f"{law_id} states no optimal split" in plan.notes
    assert it.plan({"loss": plan.loss}).flops == pytest.approx(1e21, rel=1e-9)


@pytest.mark.parametrize("law_id", FORMS)
def test_forms_answer_nothing(law_id: str) -> None:
    """A form whose constants were never published has no number for anyone."""
    for known in ({"flops": 1e21}, {"loss": 2.5}, {"params": 1e9}):
        with pytest.raises(NoAnswer, match=law_id):
            planner(law_id).plan(known)


@pytest.mark.parametrize("law_id", [*WITH_LOSS, "brown-2020"])
def test_losses_at_and_below_the_floor(law_id: str) -> None:
    """NoAnswer at the irreducible loss and below it; the closer to it, the more compute."""
    it = planner(law_id)
    floor = it.frontier.irreducible
    for loss in (floor, floor * (1.0 - 1e-9), 0.5 * floor):
        if loss > 0.0:
            with pytest.raises(NoAnswer, match="out of reach") as caught:
                it.plan({"loss": loss})
            assert caught.value.exit_code == 3
            assert f"irreducible loss is {floor:.6g}" in str(caught.value)
    needed = [it.plan({"loss": floor + above}).flops for above in (1.0, 0.3, 0.1)]
    assert needed == sorted(needed)
    assert len(set(needed)) == 3


# two knowns


POINT = (st.floats(math.log(1e7), math.log(1e12)), st.floats(math.log(1e8), math.log(1e14)))


@pytest.mark.parametrize("law_id", WITH_SURFACE)
@settings(max_examples=12, deadline=None)
@given(*POINT)
def test_pairs_agree(law_id: str, log_params: float, log_tokens: float) -> None:
    """One run, described by any two of its four numbers, is the same run; being there wastes no less than nothing."""
    it = planner(law_id)
    run = it.plan({"params": math.exp(log_params), "tokens": math.exp(log_tokens)})
    assert run.loss is not None
    assert 0.0 <= run.waste < 1.0
    assert run.optimal_loss <= run.loss
    assert run.flops_same_loss <= run.flops
    assert run.flops_same_loss == pytest.approx((1.0 - run.waste) * run.flops, rel=1e-9)
    slack = 1e-6 * (1.0 + run.loss / (run.loss - it.surface.irreducible)) ** 2
    for pair in combinations(("flops", "params", "tokens", "loss"), 2):
        known = {name: getattr(run, name) for name in pair}
        if not _says(it, run, pair, slack):
            continue
        back = it.plan(known)
        assert all(getattr(back, name) == value for name, value in known.items())
        if pair == ("flops", "loss"):
            ends = [float(end) for end in re.findall(r"[\d.e+]+(?= to | params reach)", " ".join(back.notes))]
            assert any(end == pytest.approx(run.params, rel=1e-3) for end in ends)
            assert ends[0] == pytest.approx(back.params, rel=1e-3)
        else:
            for name in ("flops", "params", "tokens", "loss"):
                assert getattr(back, name) == pytest.approx(getattr(run, name), rel=slack)
            assert back.waste == pytest.approx(run.waste, abs=10.0 * slack)


def _says(it: Planner, run: Plan, pair: tuple[str, ...], slack: float) -> bool:
    """Whether a loss still says something of the number sought, rather than being flat in it."""
    if pair == ("flops", "loss"):
        return run.waste > 1e-6
    if pair == ("params", "loss"):
        return run.loss > it.surface.loss_of(run.params, run.tokens * (1.0 + slack)) * (1.0 + 1e-13)
    if pair == ("tokens", "loss"):
        return run.loss > it.surface.loss_of(run.params * (1.0 + slack), run.tokens) * (1.0 + 1e-13)
    return True


@pytest.mark.parametrize("law_id", WITH_SURFACE)
def test_all_ten_questions_meet_at_the_optimum(law_id: str) -> None:
    """On the minimum of the loss surface every question gives the same row, and nothing is wasted."""
    it = Planner(LAWS[law_id]._replace(frontier={}), MORE_SETTINGS.get(law_id, {}))
    best = it.plan({"flops": 1e21})
    names = ("flops", "params", "tokens", "loss")
    questions = [*combinations(names, 1), *combinations(names, 2)]
    assert len(questions) == 10
    for question in questions:
        if question == ("flops", "loss"):
            continue  # its answer moves as the square root of a change in the loss
        plan = it.plan({name: getattr(best, name) for name in question})
        for name in names:
            assert getattr(plan, name) == pytest.approx(getattr(best, name), rel=1e-5)
        if len(question) == 2:
            assert plan.waste == pytest.approx(0.0, abs=1e-9)
            assert plan.optimal_params == pytest.approx(best.params, rel=1e-5)
    plan = it.plan({"flops": best.flops, "loss": best.loss * (1.0 + 1e-9)})
    assert plan.params == pytest.approx(best.params, rel=0.01)


@pytest.mark.parametrize("law_id", WITH_SURFACE)
@settings(max_examples=10, deadline=None)
@given(st.floats(17.0, 26.0), st.floats(-6.0, 6.0))
def test_off_the_optimum(law_id: str, decade: float, off: float) -> None:
    """Never better than the optimum; the compute for the same loss reaches it, on the surface."""
    it = planner(law_id)
    flops = 10.0**decade
    best = it.surface.optimal_params(flops)
    plan = it.plan({"flops": flops, "params": best * math.exp(off)})
    assert plan.waste >= 0.0
    assert plan.optimal_loss <= plan.loss
    assert plan.optimal_params == best
    assert it.surface_frontier.loss(plan.flops_same_loss) == pytest.approx(plan.loss, rel=1e-9)
    assert it.surface.flops(plan.params, plan.tokens) == pytest.approx(flops, rel=1e-12)


@pytest.mark.parametrize("law_id", WITH_SURFACE)
def test_flops_and_loss(law_id: str) -> None:
    """The smallest params that reach the loss; the largest in a note; NoAnswer below what the budget reaches."""
    it = planner(law_id)
    best = it.surface.optimal_params(1e21)
    least = it.surface.loss_of(best, it.surface.tokens_for(1e21, best))
    plan = it.plan({"flops": 1e21, "loss": least * 1.02})
    assert plan.params < best
    assert it.surface.loss_of(plan.params, plan.tokens) == pytest.approx(least * 1.02, rel=1e-12)
    assert it.surface.loss_of(0.99 * plan.params, it.surface.tokens_for(1e21, 0.99 * plan.params)) > least * 1.02
    (note,) = [note for note in plan.notes if "params reach this loss within the budget" in note]
    largest = float(note.split(" to ")[1].split()[0])
    assert it.surface.loss_of(largest, it.surface.tokens_for(1e21, largest)) == pytest.approx(least * 1.02, rel=1e-3)
    with pytest.raises(NoAnswer, match=r"1e\+21 FLOPs reach no loss of") as caught:
        it.plan({"flops": 1e21, "loss": least * 0.999})
    assert f"the least it reaches is {least:.6g}, with {best:.4g} params" in str(caught.value)


@pytest.mark.parametrize("law_id", [law_id for law_id in WITH_SPLIT if law_id not in WITH_SURFACE])
def test_two_knowns_without_a_loss_surface(law_id: str) -> None:
    """Budget, params and tokens still determine one another; a cost is not made up."""
    it = planner(law_id)
    run = it.plan({"params": 1e9, "tokens": 1e11})
    assert run.loss is run.waste is None
    assert any("no loss surface" in note for note in run.notes)
    assert it.plan({"flops": run.flops, "params": 1e9}).tokens == pytest.approx(1e11, rel=1e-12)
    assert it.plan({"flops": run.flops, "tokens": 1e11}).params == pytest.approx(1e9, rel=1e-10)
    for pair in (("params", "loss"), ("tokens", "loss"), ("flops", "loss")):
        assert f"{law_id} has no loss surface" in unanswered(it, dict.fromkeys(pair, 3.0))
