"""`scaling fit` of what runs cannot tell, of laws with other columns, and of a law's other losses."""

import csv
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.forms import DEFAULT_FORM
from scaling_cli.fitting import Request
from scaling_cli.fitting.requests import data_names, form_of
from scaling_cli.fitting.variables import with_variables

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


# the variables of a law


@pytest.fixture
def limited(tmp_path: Path) -> Callable[[str], str]:
    """Write the example's runs with a column of unique tokens under a given name, a fifth to all of the tokens."""

    def write(name: str) -> str:
        with open(RUNS, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        lines = [f"params,tokens,{name},loss"]
        for i, row in enumerate(rows):
            unique = float(row["tokens"]) / (1 + i % 5)
            lines.append(f"{row['params']},{row['tokens']},{unique!r},{float(row['loss']) + 0.02 * (i % 5)!r}")
        path = tmp_path / "limited.csv"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    return write


CONSTRAINED = ("--form", "muennighoff-2023", "--fix", "R_N=1e6", "--draws", "0")  # R_N as good as infinite
UNIQUE = ["U", "unique_tokens", "unique tokens", "n_unique_tokens", "num_unique_tokens", "tokens_unique",
          "config.unique_tokens"]  # fmt: skip


@pytest.mark.parametrize("name", UNIQUE)
def test_unique_tokens_are_found_by_their_usual_names(name: str, fit: Ask, limited: Callable[[str], str]) -> None:
    path = limited(name)
    found, told = (fit(path, *CONSTRAINED, *more, "-f", "json") for more in ((), ("--columns", f"U={name}")))
    assert found.code == told.code == 0, found.err or told.err
    assert found.rows == told.rows
    noted = f"U: column '{name}'" in json.loads(found.out)["notes"]
    assert noted == (name != "U")
    assert not any(note.startswith("U: column") for note in json.loads(told.out)["notes"])


def test_unique_tokens_are_left_alone_where_nothing_asks_for_them(fit: Ask, limited: Callable[[str], str]) -> None:
    path = limited("unique_tokens")
    Path(path).write_text(Path(path).read_text().replace("\n", "\n1e9,2e10,none,2.6\n", 1))
    ran = fit(path, "--draws", "0", "-f", "json")
    assert ran.code == 0, ran.err
    assert not any("U:" in note for note in json.loads(ran.out)["notes"])
    assert "unique_tokens" not in ran.out


def test_unique_tokens_in_two_columns_are_asked_about(fit: Ask, limited: Callable[[str], str]) -> None:
    path = limited("unique_tokens,tokens_unique")
    Path(path).write_text(re.sub(r"(?m)^(\d[^,]*,[^,]*,)([^,]*),", r"\1\2,\2,", Path(path).read_text()))
    ran = fit(path, *CONSTRAINED)
    assert (ran.code, ran.out) == (2, "")
    assert "U could be 'unique_tokens' or 'tokens_unique'" in ran.err
    assert fit(path, *CONSTRAINED, "--columns", "U=unique_tokens").code == 0
    assert fit(path, "--draws", "0").code == 0


def test_unique_tokens_in_a_formula(fit: Ask, limited: Callable[[str], str], tmp_path: Path) -> None:
    path, saved = limited("unique_tokens"), str(tmp_path / "mine.yaml")
    formula = "E + A / N**alpha + B / D**beta + k * log({})"
    argv = ("--draws", "20", "-f", "json")
    letter = fit(path, "--formula", formula.format("U"), *argv, "--save", saved)
    word = fit(path, "--formula", formula.format("unique_tokens"), *argv)
    assert letter.code == word.code == 0, letter.err or word.err
    assert letter.rows == word.rows
    assert "U: column 'unique_tokens'" in json.loads(letter.out)["notes"]
    assert fit(path, "--verify", saved).code == 0
    assert fit("-", "--verify", saved, stdin=Path(path).read_text()).code == 0


def test_a_saved_fit_says_which_column_it_took(fit: Ask, limited: Callable[[str], str], tmp_path: Path) -> None:
    path, saved = limited("unique_tokens"), str(tmp_path / "mine.yaml")
    assert fit(path, *CONSTRAINED, "--save", saved).code == 0
    assert load_law(saved).manifest["columns.U"] == "unique_tokens"
    assert fit("-", "--verify", saved, stdin=Path(path).read_text()).code == 0


@pytest.mark.parametrize(
    ("law", "variable", "name"),
    [
        ("clark-2022-hash", "experts", "experts"),
        ("clark-2022-hash", "experts", "Num Experts"),
        ("ludziejewski-2025", "experts", "n_experts"),
        ("abnar-2025", "sparsity", "sparsity"),
        ("krajewski-2024", "granularity", "granularity"),
        ("krajewski-2024 loss_from_active_params", "active_params", "n_active_params"),
        ("kumar-2024", "P", "P"),
        ("kaplan-2020 loss_at_step", "S_min", "S_min"),
    ],
)
def test_variables_of_laws_are_found(law: str, variable: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f"params,tokens,loss,{name}\n1e9,1e10,3,0.5\n")
    request, notes = with_variables(Request(str(path), form=law))
    assert request.columns == {variable: name}
    assert notes == (() if name == variable else (f"{variable}: column '{name}'",))
    assert variable in data_names(form_of(request))


@pytest.mark.parametrize("form", [("--form", "abnar-2025"), ("--formula", "E + A / N**alpha + k * log(U)")])
def test_from_standard_input_variables_are_asked_for(form: tuple[str, ...]) -> None:
    option, text = form
    request = Request("-", **{option.removeprefix("--"): text})
    same, notes = with_variables(request)
    assert same == request
    (note,) = notes
    name = "U" if option == "--formula" else "sparsity"
    assert note == f"standard input is read once, without a look for {name}: --columns {name}=COLUMN says which it is"
    assert with_variables(request._replace(columns={name: "x"}))[1] == ()


def test_a_variable_of_another_relation_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,tokens,loss,teacher_loss\n1e9,1e10,3,0.5\n")
    assert with_variables(Request(str(path), form="busbridge-2025")) == (Request(str(path), form="busbridge-2025"), ())


def test_a_comparison_takes_unique_tokens_too(fit: Ask, limited: Callable[[str], str]) -> None:
    forms = ("--form", "muennighoff-2023", "--form", "clark-2022-dense", "--fix", "R_N=1e6", "-f", "json")
    for name in ("tokens_unique", "U"):
        ran = fit(limited(name), "--compare", *forms)
        assert ran.code == 0, ran.err
        assert ran.rows[0]["form"] == "muennighoff-2023"
        assert "R_D" in ran.rows[0]["coefficients"]
        notes = json.loads(ran.out)["notes"]
        assert notes.count(f"U: column '{name}'") == (name != "U")
    text = Path(limited("U")).read_text()
    piped = fit("-", "--compare", *forms, "--columns", "U=U", stdin=text)
    assert piped.rows[0]["coefficients"] == ran.rows[0]["coefficients"]
    piped = fit("-", "--compare", "--form", "abnar-2025", "--form", "clark-2022-dense", "-f", "json", stdin=text)
    assert "without a look for sparsity" in " ".join(json.loads(piped.out)["notes"])


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


# laws that split no budget


@pytest.mark.parametrize(
    ("argv", "question", "named"),
    [
        (("--formula", "k * N**a", "--target", "tokens"), "plan --law {} --params 1B", "tokens"),
        (("--formula", "k * C**a", "--target", "params"), "plan --law {} --flops 1e22", "params"),
        (("--formula", "k * D**a", "--target", "params"), "plan --law {} --tokens 20B", "params"),
        (("--formula", "k * N**a * D**b", "--target", "flops"), "plan --law {} --params 1B --tokens 20B", "flops"),
        (("--form", "kaplan-2020 loss_unlimited_tokens"), "plan --law {} --params 1B", "loss_unlimited_tokens"),
        (("--formula", "E + A / N**a"), "loss --law {} --params 1B", ""),
        (("--formula", "E + B / D**b"), "loss --law {} --tokens 20B", ""),
        (("--formula", "E + K / C**g"), "loss --law {} --params 1B --tokens 20B", ""),
        (("--form", DEFAULT_FORM), "plan --law {} --flops 1e22", ""),
    ],
)
def test_the_question_that_a_saved_fit_is_told_with_has_an_answer(
    argv: tuple[str, ...], question: str, named: str, fit: Ask, ask: Ask, tmp_path: Path
) -> None:
    path = str(tmp_path / "mine.yaml")
    ran = fit(RUNS, *argv, "--draws", "20", "--save", path, "-f", "json")
    assert ran.code == 0, ran.err
    asked = question.format(path)
    assert f"saved as {path}: scaling {asked}" in json.loads(ran.out)["notes"]
    told = ask(*asked.split(), "-f", "json")
    assert told.code == 0, told.err
    (row,) = told.rows
    assert not any("have no answer" in note for note in row["notes"])
    beside = f"mine: no interval of {named}: intervals are of flops, params, tokens and loss alone"
    assert any(note.startswith(beside) for note in row["notes"]) == (named not in ("", "flops"))


@pytest.mark.parametrize("argv", [("--formula", "k * N**a", "--target", "tokens"),
                                  ("--form", "kaplan-2020 loss_unlimited_tokens")], ids=str)  # fmt: skip
def test_a_budget_that_the_fit_cannot_split_is_refused_before_it(argv: tuple[str, ...], fit: Ask) -> None:
    ran = fit(RUNS, *argv, "--at", "1e22", "--draws", "20000")
    assert (ran.code, ran.out) == (2, "")
    relation = argv[-1].split()[-1]
    assert f"--at asks for the split of a budget, of which a fit of {relation} says nothing" in ran.err
    assert "not of a loss" not in ran.err
    assert "leave out --at; save the fit, and ask: scaling plan --law FILE --params 1B" in ran.err


@pytest.mark.parametrize(("formula", "word", "option"), [("E + A / N**a", "params", "--params 1B"),
                                                         ("E + A / D**a", "tokens", "--tokens 20B")])  # fmt: skip
def test_a_loss_that_splits_no_budget_is_refused_before_the_fit(formula: str, word: str, option: str, fit: Ask) -> None:
    ran = fit(RUNS, "--formula", formula, "--at", "1e22", "--draws", "20000")
    assert (ran.code, ran.out) == (3, "")
    assert f"of which a loss of {word} alone says nothing" in ran.err
    assert f"leave out --at; save the fit, and ask: scaling loss --law FILE {option}" in ran.err


def test_a_loss_of_flops_alone_is_predicted_without_a_split(fit: Ask, ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    argv = (RUNS, "--formula", "E + A / C**a", "--at", "6e23", "--draws", "200")
    ran = fit(*argv, "-f", "json", "--save", path)
    (row,) = json.loads(ran.out)["predictions"]
    assert {row[f"{name}{end}"] for name in ("params", "tokens") for end in ("", "_low", "_high")} == {None}
    told = ask("loss", "--law", path, "--params", "10B", "--tokens", "10T", "-f", "json").rows[0]
    ends = ("loss", "loss_low", "loss_high")
    assert [row[end] for end in ends] == pytest.approx([told[end] for end in ends], rel=1e-9)
    assert row["new_loss_low"] < row["plain_loss_low"] < row["loss_low"] < row["loss"] < row["loss_high"]
    assert any("flops 600x above 1e21" in note for note in row["notes"])
    shown = fit(*argv)
    assert "the law rests on flops alone: any split of a budget has the same loss" in shown.out
    assert "params N" not in shown.out
    refused = ask("plan", "--law", path, "--flops", "1e24")
    assert (refused.code, "rests on flops alone: any split has the same" in refused.err) == (3, True)


def test_the_order_in_which_a_formula_is_written_moves_no_interval(fit: Ask) -> None:
    texts = ("E + A / N**alpha + B / D**beta", "B / D**beta + A / N**alpha + E")
    one, other = (
        {
            row["name"]: row
            for row in json.loads(fit(RUNS, "--formula", text, "--draws", "40", "-f", "json").out)["rows"]
        }
        for text in texts
    )
    for name, row in one.items():
        for key in ("value", "se", "low", "high"):
            assert other[name][key] == pytest.approx(row[key], rel=1e-6), (name, key)
