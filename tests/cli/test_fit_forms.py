"""`scaling fit` of what runs cannot tell, of laws with other columns, and of a law's other losses."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]
RUNS = str(Path(__file__).parents[2] / "examples" / "runs.csv")
LADDER = """params,tokens,loss
124M,2.5B,3.30
209M,4.2B,3.07
354M,7.1B,2.88
774M,15.5B,2.67
1.0B,20.3B,2.60
1.56B,31.2B,2.50
2.8B,55B,2.40
6.9B,138B,2.26
"""


@pytest.fixture
def fit(ask: Ask) -> Ask:
    """Run `scaling fit` in this process."""
    return partial(ask, "fit")


@pytest.fixture
def repeated(tmp_path: Path) -> str:
    """Return a table of the example's runs, of 1 to 4 epochs that cost 0.01 each."""
    with open(RUNS, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["params,tokens,epochs,loss"]
    for i, row in enumerate(rows):
        epochs = 1 + i % 4
        lines.append(f"{row['params']},{row['tokens']},{epochs},{float(row['loss']) + 0.01 * epochs!r}")
    path = tmp_path / "repeated.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_rounded_ladder_at_one_ratio_is_refused(fit: Ask, tmp_path: Path) -> None:
    path = tmp_path / "gpt.csv"
    path.write_text(LADDER)
    ran = fit(str(path), "--at", "1e24")
    assert (ran.code, ran.out) == (3, "")
    assert "every run has about the same tokens per parameter (20.04, within 2 %)" in ran.err
    assert "add runs at another ratio" in ran.err


def test_a_law_of_other_columns_is_saved_and_planned_with(fit: Ask, ask: Ask, tmp_path: Path, repeated: str) -> None:
    path = str(tmp_path / "mine.yaml")
    formula = "E + A / N**alpha + B / D**beta + k * epochs"
    ran = fit(repeated, "--formula", formula, "--draws", "20", "--at", "1e23", "--save", path, "-f", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["predictions"] == []
    assert any("epochs has no value" in note and "--set epochs=" in note for note in found["notes"])
    planned = ask("plan", "--law", path, "--flops", "1e22", "--set", "epochs=4", "-f", "json")
    assert planned.code == 0, planned.err
    assert planned.rows[0]["params_low"] < planned.rows[0]["params"] < planned.rows[0]["params_high"]
    refused = ask("plan", "--law", path, "--flops", "1e22")
    assert refused.code == 2
    assert "epochs" in refused.err
    assert fit(repeated, "--verify", path).code == 0


def test_diagnostics_do_without_an_optimum(fit: Ask, repeated: str) -> None:
    formula = "E + A / N**alpha + B / D**beta + k * log(epochs)"
    ran = fit(repeated, "--formula", formula, "--draws", "0", "--diagnostics")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("form", "formula"),
    [
        ("kaplan-2020 loss_unlimited_params", "(Dc / D)**aD"), ("henighan-2020-im2text-image", "E_N + (N0 / N)**aN"),
        ("henighan-2020-im2text-image optimal_loss", "E_C + (C0 / K)**aC"),
    ],
)  # fmt: skip
def test_a_form_may_be_one_of_a_laws_losses(form: str, formula: str, fit: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    ran = fit(RUNS, "--form", form, "--draws", "0", "-f", "json", "--save", path)
    assert ran.code == 0, ran.err
    (relation,) = (each for name, each in json.loads(ran.out)["law"]["relations"].items() if "loss" in name)
    assert relation["formula"] == formula
    assert fit(RUNS, "--verify", path).code == 0


def test_a_form_that_is_no_relation_lists_those_that_are(fit: Ask) -> None:
    ran = fit(RUNS, "--form", "kaplan-2020 nonsense")
    assert ran.code == 2
    assert "kaplan-2020 has no nonsense to fit" in ran.err
    assert "loss_unlimited_params" in ran.err
