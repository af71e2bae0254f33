"""What a question may know: wrong questions, extreme numbers, settings, and integers."""

import math
import re
from itertools import combinations

import pytest

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.plans import Planner
from scaling_cli.errors import InputError, ScalingError
from scaling_cli.files.catalogue import load_law


def planner(law_id: str, **variables: float) -> Planner:
    return Planner(load_law(law_id), variables)


EXTREMES = [1e-308, 1e-30, 1.0, 1e30, 1e200, 1.7e308]
ALL_PAIRS = list(combinations(("flops", "params", "tokens", "loss"), 2))


@pytest.mark.parametrize(
    "law_id", ["hoffmann-2022", "muennighoff-2023", "hunyuan-2024", "kumar-2024", "kaplan-2020", "clark-2022-dense"]
)
def test_extreme_numbers_are_answered_or_refused(law_id: str) -> None:
    """Finite and positive, or an error of ours: no traceback, no infinity in an answer."""
    it = planner(law_id)
    questions = [{name: x} for name in ("flops", "params", "tokens", "loss") for x in EXTREMES]
    questions += [{a: x, b: y} for a, b in ALL_PAIRS for x in EXTREMES for y in EXTREMES]
    wrong = []
    for known in questions:
        try:
            plan = it.plan(known)
        except ScalingError:
            continue
        except (ArithmeticError, ValueError) as error:
            wrong.append((known, repr(error)))
            continue
        for name in ("flops", "params", "tokens", "loss", "optimal_params", "flops_same_loss"):
            value = getattr(plan, name)
            if value is not None and not 0.0 < value < math.inf:
                wrong.append((known, f"{name} = {value}"))
    assert not wrong


# questions that are wrong


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({}, "nothing is known"),
        (
            {"flops": 1e21, "params": 1e9, "tokens": 1e11},
            "--flops, --params, --tokens are 3 knowns where two decide the rest",
        ),
        ({"flops": 0.0}, "flops is 0.0"),
        ({"params": -1.0}, "params is -1.0"),
        ({"tokens": math.nan}, "tokens is nan"),
        ({"loss": math.inf}, "loss is inf"),
        ({"flops": 10**400}, "flops is "),
        ({"flop": 1e21}, "flop"),
        ({"flops": 1e21, "parms": 1e9}, "parms"),
        ({"flops": None}, "flops is None"),
        ({"flops": "1e21"}, "flops is '1e21'"),
        ({"flops": 1j}, "flops is 1j"),
    ],
)
def test_wrong_questions(known: dict[str, float], message: str) -> None:
    """Named, with what was expected; a misspelt known is not passed over."""
    with pytest.raises(InputError, match=re.escape(message)):
        planner("hoffmann-2022").plan(known)


def test_three_knowns_name_six_nd() -> None:
    """The hint says why two are enough."""
    with pytest.raises(InputError, match="C = 6ND"):
        planner("hoffmann-2022").plan({"flops": 1e21, "params": 1e9, "tokens": 1e11})


def test_unknown_variables() -> None:
    """A setting that the law does not declare is refused, with those that it does."""
    with pytest.raises(InputError, match="muennighoff-2023 has no variable u") as caught:
        planner("muennighoff-2023", u=1e11)
    assert caught.value.hints == ("its variables: U",)
    with pytest.raises(InputError, match="hoffmann-2022-approach-3 has no variable U") as caught:
        planner("hoffmann-2022-approach-3", U=1e11)
    assert caught.value.hints == ("its variables: none",)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1e11", None])
def test_settings_that_are_no_numbers(value: object) -> None:
    """Refused by name before anything is computed with them."""
    with pytest.raises(InputError, match="U is "):
        Planner(load_law("muennighoff-2023"), {"U": value}).plan({"flops": 1e23})


def test_a_variable_that_is_not_given() -> None:
    """Named, with its unit and how to give it."""
    with pytest.raises(InputError, match="needs V") as caught:
        planner("tao-2024", width=1024.0).plan({"flops": 1e21})
    assert "--set V=" in str(caught.value)


def test_integers_are_numbers() -> None:
    """Written as an int, known and setting alike."""
    it, same = planner("muennighoff-2023", U=10**11), planner("muennighoff-2023", U=1e11)
    assert it.plan({"flops": 10**23}) == same.plan({"flops": 1e23})
    assert it.plan({"params": 10**9, "tokens": 10**12}) == same.plan({"params": 1e9, "tokens": 1e12})


def test_a_law_of_relations_alone() -> None:
    """Further relations are answered where the row determines them, and only there."""
    texts = {
        "optimal_params": "1e9 * (C / 6e19)**0.5",
        "learning_rate": "0.01 / N**0.1",
        "steps": "D / 1e6",
        "of_loss": "L * 2",
    }
    it = Planner(Law("mine", {name: Relation(name, Formula(text)) for name, text in texts.items()}))
    plan = it.plan({"flops": 6e19})
    assert plan.relations == {"optimal_params": 1e9, "learning_rate": 0.01 / 1e9**0.1, "steps": pytest.approx(1e4)}
    assert plan.notes == ("mine says nothing of the loss",)
    assert plan.outside == ()
