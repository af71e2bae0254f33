"""Intervals: every draw asked the same question, and quantiles taken of what they say."""

import math
import random
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest

from scaling_cli.core import intervals
from scaling_cli.core.answers import UNCERTAIN, Plan
from scaling_cli.core.comparisons import climb, loss_by_law, plan_law, plan_laws, predict_losses
from scaling_cli.core.fingerprints import KEY, constants_checksum
from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Law, Relation
from scaling_cli.core.losses import UNCERTAIN as PARTS
from scaling_cli.core.losses import predict_loss
from scaling_cli.core.plans import Planner
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.library import plan

KNOWN = {"flops": 1e22, "params": 7e9, "tokens": 1e12, "loss": 2.6}
QUESTIONS = [{name: KNOWN[name] for name in names} for count in (1, 2) for names in combinations(KNOWN, count)]
CLOSED, SEARCHED, STATED = "besiroglu-2024-refit", "gadre-2024-c4", "hoffmann-2022"


def drawn(law_id: str, count: int = 200, *, relation: str = "loss", spread: float = 0.01, level: float = 0.9) -> Law:
    """Return a law with draws of every coefficient that its relation rests on."""
    law, source = load_law(law_id), random.Random(1)
    values = {**law.coefficients, **law.relations[relation].coefficients}
    rows = [
        tuple((value or 0.0) * (1.0 + spread * source.gauss(0.0, 1.0)) for value in values.values())
        for _ in range(count)
    ]
    return law._replace(draws=Draws(tuple(values), tuple(rows), relation, level))


def one_by_one(law: Law, question: Mapping[str, float]) -> list[Plan]:
    """Return what every draw says by the ordinary planner."""
    assert law.draws
    return [Planner(law.with_draw(i)).plan(question) for i in range(len(law.draws.rows))]


class TestDraws:
    def test_a_draw_replaces_coefficients_wherever_they_stand(self) -> None:
        law = load_law("hoffmann-2022-approach-3")  # the exponents are shared, the rest belongs to the loss
        drawn_law = law._replace(draws=Draws(("ln_A", "alpha"), ((6.5, 0.4), (6.6, 0.5))))
        second = drawn_law.with_draw(1)
        assert second.relations["loss"].coefficients == {**law.relations["loss"].coefficients, "ln_A": 6.6}
        assert second.coefficients == {**law.coefficients, "alpha": 0.5}
        assert second.draws is None
        assert second._replace(relations=law.relations, coefficients=law.coefficients) == law

    def test_a_law_without_draws_stays_as_it_is(self) -> None:
        law = load_law(CLOSED)
        assert law.with_draw(0) is law


class TestPlans:
    @pytest.mark.parametrize("law_id", [CLOSED, SEARCHED, STATED, "kaplan-2020", "muennighoff-2023"])
    @pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
    def test_ends_are_quantiles_of_what_the_draws_say(self, law_id: str, question: dict[str, float]) -> None:
        law = drawn(law_id, 20)
        answer = plan_law(law, question, {})
        assert list(answer.low) == list(answer.high) == [n for n in UNCERTAIN if getattr(answer, n) is not None]
        plans = one_by_one(law, question)
        for name in answer.low:
            low, high = np.quantile([getattr(plan, name) for plan in plans], [0.05, 0.95])
            assert answer.low[name] == pytest.approx(low, rel=1e-8)
            assert answer.high[name] == pytest.approx(high, rel=1e-8)

    def test_what_is_known_has_no_width(self) -> None:
        answer = plan_law(drawn(CLOSED), {"flops": 1e22, "params": 1e10}, {})
        for name in ("flops", "params", "tokens", "tokens_per_param"):
            assert answer.low[name] == answer.high[name] == getattr(answer, name)
        assert answer.low["loss"] < answer.loss < answer.high["loss"]

    def test_the_level_is_the_draws_own(self) -> None:
        half, most = (plan_law(drawn(CLOSED, level=level), {"flops": 1e22}, {}) for level in (0.5, 0.98))
        values = [plan.params for plan in one_by_one(drawn(CLOSED), {"flops": 1e22})]
        assert half.low["params"] == pytest.approx(np.quantile(values, 0.25))
        assert most.high["params"] == pytest.approx(np.quantile(values, 0.99))
        assert half.notes[-1] == f"{CLOSED}: low and high are the 50 % interval over 200 refits"

    def test_the_same_question_gives_the_same_interval(self) -> None:
        first, second = (plan_law(drawn(SEARCHED), {"loss": 2.5}, {}) for _ in range(2))
        assert first == second

    def test_a_variable_of_the_law_reaches_every_draw(self) -> None:
        law = drawn("muennighoff-2023", 24)
        few, many = (plan_law(law, {"flops": 1e21}, {"U": unique}) for unique in (1e9, 1e12))
        assert few.low["loss"] > many.high["loss"]

    def test_a_law_without_draws_has_no_interval(self) -> None:
        answer = plan_law(load_law(CLOSED), {"flops": 1e22}, {})
        assert answer.low == answer.high == {}
        assert not any("interval" in note for note in answer.notes)


class TestMissing:
    def law(self, unreachable: int, count: int = 200) -> Law:
        """Return a law some of whose draws never come down to a loss of 2.5."""
        law = drawn(CLOSED, count)
        assert law.draws
        assert law.draws.names[0] == "E"
        rows = [(3.0, *row[1:]) if i < unreachable else row for i, row in enumerate(law.draws.rows)]
        return law._replace(draws=law.draws._replace(rows=tuple(rows)))

    def test_a_few_draws_without_an_answer_are_counted(self) -> None:
        answer = plan_law(self.law(10), {"loss": 2.5}, {})
        values = [Planner(self.law(10).with_draw(i)).plan({"loss": 2.5}).params for i in range(10, 200)]
        assert answer.low["params"] == pytest.approx(np.quantile(values, 0.05), rel=1e-8)
        assert answer.notes[-1].endswith("90 % interval over 200 refits, without 10 that have no answer here")

    def test_one_draw_without_an_answer_has_none(self) -> None:
        note = plan_law(self.law(1), {"loss": 2.5}, {}).notes[-1]
        assert note.endswith("90 % interval over 200 refits, without 1 that has no answer here")
        note = plan_law(self.law(1, 20), {"loss": 2.5}, {}).notes[-1]
        assert "no interval over its refits: 1 of 20 refits has no answer here, such as: " in note
        note = plan_law(self.law(0, 1), {"loss": 2.5}, {}).notes[-1]
        assert note.endswith("no interval over its refits: 1 is too few, expected at least 20")

    def test_many_give_no_interval(self) -> None:
        answer = plan_law(self.law(11), {"loss": 2.5}, {})
        assert answer.low == answer.high == {}
        assert answer.params is not None
        assert answer.notes[-1] == (
            f"{CLOSED}: no interval over its refits: 11 of 200 refits have no answer here, such as: "
            "a loss of 2.5 is out of reach"
        )

    def test_few_draws_give_no_interval(self) -> None:
        assert plan_law(self.law(0, 20), {"loss": 2.5}, {}).low
        answer = plan_law(self.law(0, 19), {"loss": 2.5}, {})
        assert answer.low == {}
        assert answer.notes[-1] == f"{CLOSED}: no interval over its refits: 19 are too few, expected at least 20"

    def test_arrays_have_them_element_by_element(self) -> None:
        answer = plan_law(self.law(11), {"loss": np.array([2.5, 3.5])}, {})
        assert np.isnan(answer.low["params"]).tolist() == [True, False]
        assert answer.low["params"][1] == pytest.approx(plan_law(self.law(11), {"loss": 3.5}, {}).low["params"])
        assert answer.notes[-1].endswith("interval over 200 refits; 1 of 2 answers has none")


class TestOtherRelations:
    """What a plan says beside flops, params, tokens and loss has no interval, and a note says so."""

    def law(self, formula: str = "k * N**a", name: str = "batch_size", **more: Formula) -> Law:
        source = random.Random(2)
        rows = tuple((3.0 * source.gauss(1.0, 0.02), 0.4 + source.gauss(0.0, 0.01)) for _ in range(40))
        relation = Relation(name, Formula(formula), {"k": 3.0, "a": 0.4}, uncertainty={"draws": {"file": "mine.csv"}})
        others = {other: Relation(other, text) for other, text in more.items()}
        return Law("mine", {name: relation, **others}, draws=Draws(("k", "a"), rows, name))

    def test_a_plan_of_nothing_else_says_why(self) -> None:
        answer = plan_law(self.law(), {"params": 1e9}, {})
        assert answer.relations == pytest.approx({"batch_size": 3.0 * 1e9**0.4})
        assert answer.low == answer.high == {}
        assert answer.notes == (
            "mine states no optimal split",
            "mine: no interval of batch_size: intervals are of flops, params, tokens and loss alone; its refits are in "
            "mine.csv",
        )

    def test_neither_does_compute(self) -> None:
        (_, note) = plan_law(self.law("k * C**a"), {"flops": 1e22}, {}).notes
        assert "no answer" not in note
        assert note.startswith("mine: no interval of batch_size: ")

    def test_beside_an_interval_it_is_said_too(self) -> None:
        law = self.law("k + N**-a + D**-a", "loss", steps=Formula("loss * 2"), width=Formula("3 * N"))
        answer = plan_law(law, {"params": 1e9, "tokens": 1e10}, {})
        assert sorted(answer.relations) == ["steps", "width"]
        assert answer.low["loss"] < answer.loss < answer.high["loss"]
        about = [note for note in answer.notes if "interval of" in note]
        assert len(about) == 1
        assert about[0].startswith("mine: no interval of steps: ")  # the width is what it is
        assert answer.notes[-1] == "mine: low and high are the 90 % interval over 40 refits"

    def test_the_loss_itself_is_not_named_again(self) -> None:
        answer = plan_law(self.law("k * C**-a", "optimal_loss"), {"flops": 1e22}, {})
        assert list(answer.relations) == ["optimal_loss"]
        assert answer.low["loss"] < answer.high["loss"]
        assert not any("no interval" in note for note in answer.notes)

    def test_the_refusal_says_what_to_ask(self) -> None:
        with pytest.raises(NoAnswer, match="mine states no optimal split") as caught:
            plan_law(self.law(), {"flops": 1e22}, {})
        assert caught.value.hints == (
            "it gives batch_size with --params 1B: `scaling laws` lists what each law relates",
        )


class TestChangedConstants:
    NOTE = (
        f"{CLOSED}: its constants were changed since the fit: intervals belong to the fit's own; "
        "run `scaling fit` again"
    )

    def law(self) -> Law:
        law = drawn(CLOSED)
        assert law.draws
        return law._replace(manifest={KEY: constants_checksum(law, law.draws)})

    @pytest.mark.parametrize("flops", [1e22, np.array([1e22, 1e23])])
    def test_are_said(self, flops: float) -> None:
        law = self.law()
        edited = law.with_constant("loss", "E", 1.69)
        assert self.NOTE not in plan_law(law, {"flops": flops}, {}).notes
        assert self.NOTE in plan_law(edited, {"flops": flops}, {}).notes
        assert self.NOTE in loss_by_law(edited, 1e9, 1e11, {}).notes
        assert self.NOTE in climb([edited], 1e21, 1, {})[1].plan.notes

    def test_by_the_last_digit(self) -> None:
        law = self.law()
        E = law.relations["loss"].coefficients["E"]
        assert E
        assert self.NOTE in plan_law(law.with_constant("loss", "E", math.nextafter(E, 2.0)), {"flops": 1e22}, {}).notes
        assert self.NOTE not in plan_law(law.with_constant("loss", "E", E), {"flops": 1e22}, {}).notes

    def test_without_a_checksum_nothing_is_said(self) -> None:
        law = drawn(CLOSED).with_constant("loss", "E", 1.69)
        assert self.NOTE not in plan_law(law, {"flops": 1e22}, {}).notes

    def test_where_there_is_no_interval_nothing_is_said(self) -> None:
        edited = self.law().with_constant("loss", "E", 1.69)
        assert edited.draws
        few = edited._replace(draws=edited.draws._replace(rows=edited.draws.rows[:5]))
        assert self.NOTE not in plan_law(few, {"flops": 1e22}, {}).notes


class TestArrays:
    @pytest.mark.parametrize(("law_id", "name"), [(CLOSED, "flops"), (CLOSED, "loss"), (SEARCHED, "flops")])
    def test_elements_are_single_answers(self, law_id: str, name: str) -> None:
        law = drawn(law_id, 20)
        values = {"flops": [1e20, 1e22, 1e24], "loss": [3.0, 2.5, 2.4]}[name]
        whole = plan_law(law, {name: np.array(values)}, {})
        for i, value in enumerate(values):
            single = plan_law(law, {name: value}, {})
            for key in UNCERTAIN:
                assert whole.low[key][i] == pytest.approx(single.low[key], rel=1e-7)
                assert whole.high[key][i] == pytest.approx(single.high[key], rel=1e-7)

    def test_they_keep_their_shape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flops = np.geomspace(1e20, 1e24, 6).reshape(2, 3)
        law = drawn(CLOSED, 20)
        whole = plan(law, flops=flops)
        assert {end.shape for end in (*whole.low.values(), *whole.high.values())} == {(2, 3)}
        monkeypatch.setattr(intervals, "AT_ONCE", 2 * 20)  # two elements at a time
        in_parts = plan(law, flops=flops)
        for name in UNCERTAIN:
            np.testing.assert_array_equal(in_parts.low[name], whole.low[name])

    def test_losses_of_arrays(self) -> None:
        law = drawn(CLOSED, 50)
        whole = loss_by_law(law, np.array([1e9, 1e10]), 1e12, {})
        single = loss_by_law(law, 1e10, 1e12, {})
        for name in PARTS:
            assert np.broadcast_to(whole.low[name], 2)[1] == pytest.approx(single.low[name])


class TestLosses:
    def test_ends_are_quantiles_of_what_the_draws_say(self) -> None:
        law = drawn(SEARCHED, 50)
        loss = loss_by_law(law, 7e9, 1e12, {})
        for name in PARTS:
            values = [getattr(predict_loss(law.with_draw(i), 7e9, 1e12, {}), name) for i in range(50)]
            assert [loss.low[name], loss.high[name]] == pytest.approx(np.quantile(values, [0.05, 0.95]))
        assert loss.notes[-1].endswith("90 % interval over 50 refits")

    def test_a_loss_that_has_no_parts_has_its_interval(self) -> None:
        """Some draws fall to no floor: they have a loss, and no parts."""
        law = drawn(CLOSED, 40)
        assert law.draws
        rows = [(-1.0, *row[1:]) if i < 4 else row for i, row in enumerate(law.draws.rows)]
        loss = loss_by_law(law._replace(draws=law.draws._replace(rows=tuple(rows))), 7e9, 1e12, {})
        assert list(loss.low) == ["loss"]
        assert loss.notes[-1] == (
            f"{CLOSED}: low and high are the 90 % interval over 40 refits; "
            "no interval of irreducible, loss_from_params and loss_from_tokens: 4 of 40 refits have none"
        )

    def test_several_laws_are_asked_each_by_its_own_draws(self) -> None:
        with_draws, without = predict_losses([drawn(CLOSED, 20), load_law("chinchilla")], 1e9, 1e11, {})
        assert with_draws.low["loss"] < with_draws.high["loss"]
        assert without.low == {}


def test_every_way_to_a_plan_has_the_interval() -> None:
    law = drawn(CLOSED, 20)
    expected = plan_law(law, {"flops": 1e22}, {})
    assert plan(law, flops="1e22") == expected
    assert plan_laws([law, load_law("chinchilla")], {"flops": 1e22}, {})[0] == expected
    assert climb([law], 1e21, 1, {})[1].plan == expected
    assert math.isfinite(expected.low["loss"])
