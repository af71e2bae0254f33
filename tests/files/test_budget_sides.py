"""Saved answers: as strict as the budget files that they stand for."""

import json

import pytest

from scaling_cli.core.policies import QUANTITIES
from scaling_cli.errors import FileError
from scaling_cli.files.budget_sides import parse_saved

PLAN = {"run": "a", "flops": 1e22, "dollars": 0.0, "excess_loss": 0.0, "waste": 0.0, "loss": -0.5}
ROW = {"run": "a", "rule": "max flops", "level": "deny", "value": 1e22, "limit": 5e21, "over": 1.0, "line": 3}
SAVED = {"schema": "scaling.check/1", "rows": [ROW], "rules": ["max flops", "max days"], "plans": [PLAN], "notes": []}


def saved(**changes: object) -> str:
    return json.dumps({**SAVED, **changes})


def test_runs_findings_and_rules_are_read() -> None:
    read = parse_saved(saved(), "a.json")
    assert read.runs == {"a": {**dict.fromkeys(QUANTITIES), **{key: PLAN[key] for key in PLAN if key != "run"}}}
    assert read.findings is not None
    assert [finding[:7] for finding in read.findings] == [("a", "max flops", "deny", 1e22, 5e21, 1.0, "")]
    assert read.findings[0].line == 3
    assert read.rules == ("max flops", "max days")


def test_a_check_without_the_list_has_the_rules_of_its_findings() -> None:
    text = json.dumps({key: value for key, value in SAVED.items() if key != "rules"})
    assert parse_saved(text, "a.json").rules == ("max flops",)


def test_a_saved_difference_has_no_findings() -> None:
    """Those that it holds are the ones it was asked for, not all."""
    read = parse_saved(saved(schema="scaling.diff/1", rows=[{"run": "a", "quantity": "flops"}]), "a.json")
    assert (read.findings, read.rules) == (None, ())


@pytest.mark.parametrize("name", ["flops", "params", "tokens", "gpu_hours", "days", "epochs", "memory_bytes"])
@pytest.mark.parametrize("value", [0.0, -1e22])
def test_amounts_are_above_zero(name: str, value: float) -> None:
    with pytest.raises(FileError, match=f"a.json: {name} of plan 1 is .*expected") as caught:
        parse_saved(saved(plans=[{**PLAN, name: value}]), "a.json")
    assert "above zero" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plans": []}, "holds no run"),
        ({"plans": [{**PLAN, "run": "total"}]}, "holds a run named 'total'"),
        ({"plans": [{**PLAN, "run": " "}]}, "holds a run named ' '"),
        ({"plans": [{**PLAN, "dollars": -1.0}]}, "dollars of plan 1 is -1"),
        ({"plans": [{**PLAN, "extrapolation": 0.5}]}, "extrapolation of plan 1 is 0.5"),
        ({"rows": {}}, "has no list of findings"),
        ({"rows": [7]}, "finding 1 is none"),
        ({"rows": [{**ROW, "run": "b"}]}, "finding 1 is of a run that is not there"),
        ({"rows": [{**ROW, "rule": "max nonsense"}]}, "finding 1 has no rule"),
        ({"rows": [{**ROW, "rule": "most flops"}]}, "finding 1 has no rule"),
        ({"rows": [{**ROW, "rule": "flops"}]}, "finding 1 has no rule"),
        ({"rows": [{**ROW, "level": "error"}]}, "finding 1 has no level"),
        ({"rows": [{**ROW, "value": "much"}]}, "value of finding 1 is no finite number"),
        ({"rows": [{**ROW, "line": 1.5}]}, "line of finding 1 is no line"),
        ({"rows": [{**ROW, "message": 7}]}, "message of finding 1 is no text"),
        ({"rules": "max flops"}, "has no list of rules"),
        ({"rules": [7]}, "has no list of rules"),
    ],
)
def test_what_no_check_could_have_saved_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_saved(saved(**changes), "a.json")
    assert message in str(caught.value)
