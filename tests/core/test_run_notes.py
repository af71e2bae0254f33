"""What a check says beside its findings: each thing once, and where an assumed utilisation decides."""

from typing import Any

import pytest

from scaling_cli.checks import Planners
from scaling_cli.core.cases import Case
from scaling_cli.core.checking import check
from scaling_cli.core.policies import QUANTITIES, Policy, Rule
from scaling_cli.core.run_notes import gather, on_assumed_mfu
from scaling_cli.core.sheets import Spec

PLANNERS = Planners()
MACHINE = {"gpu": "h100", "gpus": 512.0, "price": 2.5}
NEVER = Policy((Rule("deny", "max", "flops", 1e40),))


def case(name: str, params: float, tokens: float = 2e11, law: str = "chinchilla", **budget: Any) -> Case:
    return PLANNERS.case(Spec(name, law, known={"params": params, "tokens": tokens}, budget={**MACHINE, **budget}))


MANY = [case(f"run-{i}", i * 1e9) for i in range(1, 31)]


def test_a_kind_is_said_once_for_each_law() -> None:
    notes = list(gather([*MANY, case("k", 8e9, law="openai")]))
    assert sum("outside the experimented range" in note for note in notes) == 2
    assert sum("its stated split has" in note for note in notes) == 2
    assert len(notes) < 9


def test_it_counts_the_runs_and_names_three() -> None:
    (note,) = (note for note in gather(MANY) if "outside" in note)
    assert note.startswith("28 runs (run-3, run-4, run-5 and 25 more) (numbers of run-30): hoffmann-2022: outside the")
    assert "flops 12x above 3e21" in note  # 6 * 30e9 * 2e11 / 3e21: the largest of them
    (note,) = (note for note in gather(MANY) if "TDP" in note)
    assert note.startswith("30 runs (run-1, run-2, run-3 and 27 more): energy is 700 W")


def test_few_runs_are_named_and_a_single_run_is_not() -> None:
    notes = list(gather(MANY[:2]))
    assert any(note.startswith("run-1, run-2: energy is") for note in notes)
    assert any(note.startswith("run-1, run-2 (numbers of run-2): hoffmann-2022: at 2.4e21 FLOPs") for note in notes)
    assert any(note.startswith("energy is") for note in gather(MANY[:1]))


def test_a_number_in_a_name_is_no_other_kind() -> None:
    """The cards differ, and are told of apart."""
    notes = [note for note in gather([case("a", 1e9), case("b", 1e9, gpu="a100")]) if "TFLOP/s" in note]
    assert len(notes) == 2


def test_the_utilisation_says_nothing_of_columns_that_a_check_does_not_have() -> None:
    assert not any("low and high" in note for note in check(MANY, NEVER).notes)
    assert any("0.35, assumed" in note for note in check(MANY, NEVER).notes)


# an assumed utilisation: 0.35, and 0.25 to 0.45 is usual

RUN = case("base", 7e9, 1e12)
DOLLARS = float(RUN.numbers["dollars"] or 0.0)


@pytest.mark.parametrize(
    ("form", "factor", "said"),
    [
        ("max", 1.2, "at a utilisation (MFU) of 0.25, max dollars would not be kept"),
        ("max", 0.9, "at a utilisation (MFU) of 0.45, max dollars would be kept"),
        ("min", 0.9, "at a utilisation (MFU) of 0.45, min dollars would not be kept"),
        ("min", 1.2, "at a utilisation (MFU) of 0.25, min dollars would be kept"),
        ("max", 1.41, ""),  # 0.35 / 0.25 = 1.4
        ("max", 0.77, ""),  # 0.35 / 0.45 = 0.778
    ],
)
def test_a_limit_that_the_assumption_decides_is_told_of(form: str, factor: float, said: str) -> None:
    rule = Rule("deny", form, "dollars", DOLLARS * factor)
    found = list(on_assumed_mfu([RUN], Policy((rule,))))
    assert len(found) == bool(said)
    if said:
        end = said.split()[5].rstrip(",")
        dollars = case("base", 7e9, 1e12, mfu=float(end)).numbers["dollars"]
        assert found[0].startswith(f"{said}: {QUANTITIES['dollars'].shown(dollars)} (")
        assert found[0] in check([RUN], Policy((rule,))).notes


def test_a_utilisation_that_was_given_is_not_doubted() -> None:
    rule = Rule("deny", "max", "dollars", DOLLARS * 1.2)
    assert not list(on_assumed_mfu([case("base", 7e9, 1e12, mfu=0.35)], Policy((rule,))))


def test_hours_that_were_given_do_not_move() -> None:
    timed = PLANNERS.case(Spec("timed", known={"flops": "512xH100 for 30d"}, budget={"price": 2.5}))
    planned = PLANNERS.case(Spec("planned", budget={**MACHINE, "most": {"days": "30"}}))
    for run in (timed, planned):
        rules = tuple(Rule("deny", "max", name, float(run.numbers[name] or 0.0) * 1.2) for name in ("days", "dollars"))
        assert not list(on_assumed_mfu([run], Policy(rules)))


def test_the_sum_is_told_of_too() -> None:
    total = sum(float(run.numbers["gpu_hours"] or 0.0) for run in MANY)
    policy = Policy(total=(Rule("warn", "max", "gpu_hours", total * 1.2),))
    (note,) = on_assumed_mfu(MANY, policy)
    assert note.startswith("at a utilisation (MFU) of 0.25, max gpu_hours would not be kept: total ")


def test_the_runs_that_it_decides_of_are_named() -> None:
    """At 0.25 a run takes 1.4 times as long, at 0.45 0.78 times: of 6 days as a limit, 5, 6 and 7 are in doubt."""
    day = float(MANY[0].numbers["days"] or 0.0)
    over, kept = on_assumed_mfu(MANY, Policy((Rule("deny", "max", "days", day * 6.0),)))
    assert "would not be kept: run-5 " in over
    assert ", run-6 " in over
    assert "would be kept: run-7 " in kept
    assert "run-8" not in kept


def test_an_increase_moves_with_its_baseline() -> None:
    assert not list(on_assumed_mfu([RUN], Policy((Rule("deny", "max_increase", "dollars", 0.1),))))
