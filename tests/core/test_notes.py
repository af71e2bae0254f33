"""What an answer is read with: how far outside the runs, on what assumptions, how uncertain, what else the law says."""

import numpy as np
import pytest

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation, Variable
from scaling_cli.core.notes import point, range_notes
from scaling_cli.core.plans import Planner
from scaling_cli.files.catalogue import load_law


def law(**valid: tuple[float, float]) -> Law:
    return Law("mine", {"loss": Relation("loss", Formula("1.7 + 400 / N**0.34 + 410 / D**0.28"), valid=valid)})


HEAD = "mine: outside the experimented range: "


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"N": 1e9}, ""),
        ({"N": 1e8}, ""),
        ({"N": 1e10}, ""),
        ({"N": 1e10 * (1.0 + 1e-12)}, ""),
        ({"N": 2.5e10}, "params 2.5x above 10B"),
        ({"N": 4e7}, "params 2.5x below 100M"),
        ({"D": 1e13, "C": 3e24}, "tokens 10x above 1T, flops 3000x above 1e21"),
        ({"L": 1.0}, ""),
        ({"N": 1e99, "D": 1e10}, "params 1e89x above 10B"),
    ],
)
def test_the_factor(known: dict[str, float], text: str) -> None:
    """By how much, in which direction, of which end; nothing inside the range and at its ends."""
    notes = range_notes(law(N=(1e8, 1e10), D=(1e9, 1e12), C=(1e18, 1e21)), ["loss"], known)
    assert notes == ((HEAD + text,) if text else ())


def test_no_range_no_note() -> None:
    """A law that gives none is never left, not even by a negative loss."""
    assert range_notes(law(), ["loss"], {"N": 1e99, "D": 1e-99, "C": 1.0, "L": -2.0}) == ()


def test_several_relations_share_the_narrowest_range() -> None:
    """An answer rests on all of them."""
    both = law(N=(1e8, 1e10))
    both = both._replace(
        relations=both.relations | {"flops": Relation("flops", Formula("6 * N * D"), valid={"N": (1e9, 1e12)})}
    )
    assert range_notes(both, ["loss", "flops"], {"N": 5e8}) == (HEAD + "params 2x below 1B",)
    assert range_notes(both, ["loss", "flops"], {"N": 2e10}) == (HEAD + "params 2x above 10B",)
    assert range_notes(both, ["flops"], {"N": 2e10}) == ()


def test_arrays_are_counted() -> None:
    """One note for all elements."""
    known = {"N": np.array([1e7, 1e9, 1e11, 1e12]), "D": np.array([1e10, 1e10, 1e10, 1e10])}
    assert range_notes(law(N=(1e8, 1e10), D=(1e9, 1e12)), ["loss"], known) == (HEAD + "params of 3 in 4 answers",)


def test_a_point() -> None:
    """By letter, without what is not known."""
    assert point(1e21, None, 2e10, None) == {"C": 1e21, "D": 2e10}


def test_a_variable_outside_its_range() -> None:
    """Settings have ranges too: Clark et al. tried up to 512 experts."""
    it = Planner(load_law("clark-2022-s-base"), {"experts": 1024.0})
    assert it.plan({"params": 1e8, "tokens": 1.3e11}).outside == (
        "clark-2022-s-base: outside the experimented range: experts 2x above 512",
    )


def test_assumptions() -> None:
    """A variable left at its number is named; one that is set, or that nothing rests on, is not."""
    assumed = "kaplan-2020: assumes c_over_cmin = 2"
    assert any(note.startswith(assumed) for note in Planner(load_law("kaplan-2020")).plan({"flops": 1e21}).notes)
    set_to_two = Planner(load_law("kaplan-2020"), {"c_over_cmin": 2.0}).plan({"flops": 1e21})
    assert not any("assumes" in note for note in set_to_two.notes)
    unused = law()._replace(variables={"P": Variable("P", default=16.0)})
    assert Planner(unused).plan({"flops": 1e21}).notes == ()


def test_standard_errors_alone_give_no_interval() -> None:
    """The reader is told why."""
    notes = Planner(load_law("besiroglu-2024")).plan({"flops": 1e21}).notes
    assert any("standard errors without their covariance" in note for note in notes)
    assert not any("standard errors" in note for note in Planner(load_law("hoffmann-2022")).plan({"flops": 1e21}).notes)


def test_a_second_optimum_more_than_five_percent_away() -> None:
    """hoffmann-2022: the split is approach 1, the loss approach 3; costs are measured against the latter."""
    (note,) = Planner(load_law("hoffmann-2022")).plan({"flops": 5.76e23}).notes
    assert note == (
        "hoffmann-2022: at 5.76e23 FLOPs its stated split has 69B params; the minimum of its loss surface lies at "
        "40.4B, and what a split costs is measured against that"
    )
    assert Planner(load_law("hoffmann-2022-approach-3")).plan({"flops": 5.76e23}).notes == ()


def test_a_second_optimum_nearby_is_no_note() -> None:
    """Within 5 % the two are one."""
    text = "1.7 + 400 / N**0.34 + 410 / D**0.28"
    best = Planner(law()).plan({"flops": 1e21}).params
    for factor, noted in ((1.048, False), (0.957, False), (1.056, True), (0.949, True)):
        stated = {
            "loss": Relation("loss", Formula(text)),
            "mine": Relation("mine", Formula(f"{best * factor!r} + 0 * C")),
        }
        plan = Planner(Law("mine", stated, frontier={"params": "mine"})).plan({"flops": 1e21})
        assert bool(plan.notes) == noted


@pytest.mark.parametrize(
    "known",
    [
        {"loss": [1.0, 1.8, 2.0, 2.5]},
        {"params": [1e9, 1e9, 1e9, 1e9], "loss": [1.0, 1.8, 2.5, 3.0]},
        {"flops": [1e21, 1e21, 1e21, 1e21], "loss": [1.0, 1.8, 2.5, 3.0]},
        {"tokens": [1e-250, 1e250, 1e10, 1e11]},
    ],
    ids=lambda known: "-".join(known),
)
def test_elements_without_an_answer_are_counted(known: dict[str, list[float]]) -> None:
    """NaN in an array is said in a note, with how many; where there is none, nothing is said."""
    it = Planner(load_law("besiroglu-2024"))
    plan = it.plan({name: np.array(values) for name, values in known.items()})
    assert sum(np.isnan(plan.params * plan.tokens * plan.flops * plan.loss)) == 2
    assert [note for note in plan.notes if "2 of 4" in note or "2 in 4" in note]
    fine = it.plan({name: np.array(values[2:]) for name, values in known.items()})
    assert not [note for note in fine.notes if " of 2" in note or " in 2" in note]


def test_a_loss_of_the_frontier_that_the_surface_does_not_have() -> None:
    """kaplan-2020: L(C_min) of efficient training, and eq. 1.5, whose D is a dataset on which training stops early."""
    planner = Planner(load_law("kaplan-2020"))
    plan = planner.plan({"flops": 1e21})
    surface = planner.surface.loss_of(plan.params, plan.tokens)
    assert plan.loss / surface - 1.0 == pytest.approx(0.1365, abs=1e-3)
    assert [
        note
        for note in plan.notes
        if f"its loss surface, which answers for given params and tokens, says {surface:.4f}" in note
    ]
    given = planner.plan({"params": plan.params, "tokens": plan.tokens})
    assert not [note for note in given.notes if "relation; its loss surface" in note]
