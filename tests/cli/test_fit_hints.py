"""What `scaling fit` says when it refuses or wonders: the name that was meant, the rows that are left."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]
RUNS = str(Path(__file__).parents[2] / "examples" / "runs.csv")
FEW = ("--draws", "0")
TAKEN = "{} is taken as a coefficient, since no column is named so; is it {}?"


@pytest.fixture
def fit(ask: Ask) -> Ask:
    """Run `scaling fit` in this process."""
    return partial(ask, "fit")


def refusal(ran: Any, code: int = 3) -> list[str]:
    """Return the lines of a refusal."""
    assert ran.code == code, ran.err or ran.out
    assert ran.out == ""
    lines: list[str] = ran.err.splitlines()
    return [line.strip() for line in lines]


# names in a formula


@pytest.mark.parametrize(
    ("formula", "name", "column"),
    [
        ("E + A / N**alpha + B / tokns**beta", "tokns", "tokens"),
        ("E + A / Params**alpha + B / D**beta", "Params", "params"),
        ("E + A / n**alpha + B / D**beta", "n", "N"),
        ("E + A / model_size**alpha + B / D**beta", "model_size", "params"),
        ("E + A / N**alpha + B / otkens**beta", "otkens", "tokens"),
    ],
)
def test_a_misspelt_column_is_named_in_the_refusal(formula: str, name: str, column: str, fit: Ask) -> None:
    lines = refusal(fit(RUNS, "--formula", formula))
    assert lines[0] == f"error: {TAKEN.format(name, column)}"
    assert lines[1].startswith("the runs do not determine E, ")
    assert name in lines[1]
    assert "e+" not in lines[1]
    assert len(set(lines)) == len(lines) == 3


def test_runs_without_compute_have_no_c_to_be_meant(fit: Ask, tmp_path: Path) -> None:
    """The constant b and the factor of width**-c are one; only the table with flops has what c may stand for."""
    table = tmp_path / "runs.csv"
    rows = [(width, 2.0 + 30.0 / width**0.5) for width in (64, 128, 256, 384, 512, 768, 1024, 2048)]
    for head, lines in (("", ""), (",flops", ",1e18")):
        table.write_text(f"width,loss{head}\n" + "".join(f"{width},{loss:.4f}{lines}\n" for width, loss in rows))
        said = refusal(fit(str(table), "--formula", "a + b + d / width**c"))
        assert said[-1] == "add runs that spread further in width, or fix one of them with --fix"
        assert (TAKEN.format("c", "C") in said) == bool(head)


def test_a_coefficient_that_resembles_a_column_is_noted(fit: Ask) -> None:
    ran = fit(RUNS, "--formula", "Tokens + A / N**alpha + B / D**beta", "-f", "json", *FEW)
    assert TAKEN.format("Tokens", "tokens") in json.loads(ran.out)["notes"]


@pytest.mark.parametrize("floor", ["loss0", "c", "delta", "floor"])
def test_other_coefficients_are_not(floor: str, fit: Ask) -> None:
    ran = fit(RUNS, "--formula", f"{floor} + A / N**a + B / D**b", "-f", "json", *FEW)
    assert not [note for note in json.loads(ran.out)["notes"] if "taken as a coefficient" in note]


def test_a_comparison_notes_it_too(fit: Ask) -> None:
    formula = "E + A / N**alpha + B / tokns**beta"
    ran = fit(RUNS, "--compare", "--form", "chinchilla-parametric", "--formula", formula, "-f", "json")
    assert TAKEN.format("tokns", "tokens") in json.loads(ran.out)["notes"]


def test_a_column_with_an_odd_name_stands_in_a_formula_by_its_letters(fit: Ask, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    table.write_text(Path(RUNS).read_text().replace("params", "config.model.size", 1))
    ran = fit(str(table), "--formula", "E + A / config_model_size**alpha + B / tokens**beta", "-f", "json", *FEW)
    usual = fit(RUNS, "--formula", "E + A / N**alpha + B / D**beta", "-f", "json", *FEW)
    assert [row["value"] for row in ran.rows] == pytest.approx([row["value"] for row in usual.rows], rel=1e-9)


@pytest.mark.parametrize("method", ["parametric", "isoflop"])
def test_losses_that_are_all_the_same_are_told_first(method: str, fit: Ask, tmp_path: Path) -> None:
    head, *rows = Path(RUNS).read_text().splitlines()
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([head, *(row.rpartition(",")[0] + ",2.5" for row in rows)]) + "\n")
    assert refusal(fit(str(table), "--method", method))[0] == "error: every loss is 2.5"


def test_a_budget_that_is_given_twice_is_answered_once(fit: Ask) -> None:
    ran = fit(RUNS, "--at", "1e22", "--at", "1e22", "--at", "10e21", "-f", "json", *FEW)
    found = json.loads(ran.out)
    assert [row["flops"] for row in found["predictions"]] == [1e22]
    assert len([note for note in found["notes"] if "outside the experimented range" in note]) == 1


@pytest.mark.parametrize("options", [("--target", "ppl"), ("--columns", "loss=ppl")])
def test_a_target_that_is_perplexity_by_its_name_is_asked_about(
    options: tuple[str, ...], fit: Ask, tmp_path: Path
) -> None:
    table = tmp_path / "runs.csv"
    table.write_text(Path(RUNS).read_text().replace("loss", "ppl", 1))
    notes = json.loads(fit(str(table), *options, "-f", "json", *FEW).out)["notes"]
    (said,) = [note for note in notes if "perplexity" in note]
    assert said.endswith("is it perplexity? --columns 'loss=log(ppl)' reads nats per token")
    logs = json.loads(fit(str(table), "--columns", "loss=log(ppl)", "-f", "json", *FEW).out)["notes"]
    assert not [note for note in logs if "perplexity" in note]


# rows that are left


def test_too_few_runs_say_how_many_the_condition_left(fit: Ask) -> None:
    lines = refusal(fit(RUNS, "--where", "params < 5e7"))
    assert lines[0].startswith("error: 2 runs cannot determine 5 coefficients")
    assert lines[1] == "2 of 36 rows are left: 34 outside --where"


def test_one_size_says_how_many_the_condition_left(fit: Ask, tmp_path: Path) -> None:
    head, *rows = Path(RUNS).read_text().splitlines()
    again = [",".join(["x", "3e7", *row.split(",")[2:]]) for row in rows[:8]]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([head, *rows, *again]) + "\n")
    assert refusal(fit(str(table), "--where", "params == 3e7"))[1].startswith("9 of 44 rows are left")


def test_too_few_runs_say_how_many_weigh_nothing_or_have_no_loss(fit: Ask, tmp_path: Path) -> None:
    head, *rows = Path(RUNS).read_text().splitlines()
    lines = [f"{row},{int(i < 4)}" for i, row in enumerate(rows)]
    lines[0] = lines[0].replace("3.5636", "nan")
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([f"{head},w", *lines]) + "\n")
    assert refusal(fit(str(table), "--weights", "w"))[1] == "3 of 36 rows are left: 1 no finite loss; 32 weight 0"


def test_too_few_runs_of_a_whole_table_say_nothing_of_rows(fit: Ask, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(Path(RUNS).read_text().splitlines()[:4]) + "\n")
    assert not [line for line in refusal(fit(str(table))) if "left" in line]


@pytest.mark.parametrize("more", [("--method", "isoflop"), ("--compare",)])
def test_other_answers_about_runs_say_so_too(more: tuple[str, ...], fit: Ask) -> None:
    assert refusal(fit(RUNS, "--where", "params < 5e7", *more))[1] == "2 of 36 rows are left: 34 outside --where"


def test_json_names_every_row_that_is_dropped_and_text_the_first(fit: Ask) -> None:
    condition = ("--where", "params < 9e8")
    (dropped,) = json.loads(fit(RUNS, *condition, "-f", "json", *FEW).out)["runs"]["dropped"]
    sizes = [float(row.split(",")[1]) for row in Path(RUNS).read_text().splitlines()[1:]]
    assert dropped["rows"] == [row for row, size in enumerate(sizes, 1) if not size < 9e8]
    assert dropped["count"] == len(dropped["rows"]) > 5


def test_rows_that_a_method_leaves_out_are_all_named(fit: Ask, tmp_path: Path) -> None:
    head, *rows = Path(RUNS).read_text().splitlines()
    odd = [f"odd-{i},{1e8 * 3**i:g},{1e9 * 7**i:g},3.{i}" for i in range(8)]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([head, *rows, *odd]) + "\n")
    found = json.loads(fit(str(table), "--method", "isoflop", "-f", "json", "--draws", "20").out)
    assert all(len(each["rows"]) == each["count"] for each in found["runs"]["dropped"])
    assert max(each["count"] for each in found["runs"]["dropped"]) > 5
    assert all("..." in note for note in found["notes"] if " rows dropped" in note)


# intervals

INSIDE = "refits take their own best N and D, and a new run those of the fit: plain intervals may end inside those of L"


@pytest.mark.parametrize("format_", ["table", "markdown"])
def test_a_plain_interval_that_ends_inside_that_of_the_loss_is_explained_where_it_stands(
    format_: str, fit: Ask
) -> None:
    few = ("--where", "params < 1e9", "--draws", "200")
    at = ("--at", "1e26", "--at", "1e21")
    (prediction, other) = json.loads(fit(RUNS, *few, *at, "-f", "json").out)["predictions"]
    assert prediction["plain_loss_low"] > prediction["loss_low"]
    assert other["plain_loss_low"] < other["loss_low"] < other["loss_high"] < other["plain_loss_high"]
    said = fit(RUNS, *few, *at, "-f", format_).out
    assert said.index("plain low") < said.index(INSIDE) < said.lower().index("note")
    assert INSIDE not in fit(RUNS, *few, *at[2:], "-f", format_).out
    assert INSIDE not in fit(RUNS, *few, *at, "-f", "json").out


# slips in options and in tables


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--save", ""), ["error: the preset to write has no name", "expected one that ends in .yaml: my-law.yaml"]),
        (("--fix", "alpha"), ["error: --fix is 'alpha'", "expected NAME=VALUE, such as --fix alpha=0.35"]),
        (
            ("--fix", "alpha="),
            ["error: --fix alpha has no value", "expected a number or coefficients: --fix alpha=beta"],
        ),
        (("--start", "alpha"), ["error: --start is 'alpha'", "expected NAME=VALUE, such as --start alpha=0.35"]),
        (
            ("--columns", "size"),
            ["error: --columns is 'size'", "expected NAME=VALUE, such as --columns params=1e9*size"],
        ),
        (
            ("--fix", "alhpa=0.35"),
            [
                "error: --fix names alhpa, which is no coefficient",
                "did you mean alpha?",
                "the coefficients: E, A, B, alpha, beta",
            ],
        ),
        (
            ("--where", " "),
            ["error: --where is empty", "expected a condition, such as params < 400M; is a variable unset?"],
        ),
        (
            ("--where", "name == 'hto'"),
            [
                f"error: {RUNS}: has no rows left: 36 outside --where",
                "name is 'run-01', 'run-02', 'run-03', 'run-04', 'run-05', ...",
                "expected at least one training run",
            ],
        ),
        (("--form", "nope"), ["error: no law has the preset name 'nope'", "`scaling laws` lists them all"]),
    ],
)
def test_slips_in_options(argv: tuple[str, ...], said: list[str], fit: Ask) -> None:
    assert refusal(fit(RUNS, *argv), 2) == said


@pytest.mark.parametrize(
    ("column", "factor", "said"),
    [
        ("ppl", "exp(loss)", "is it perplexity? --columns 'loss=log(ppl)' reads nats per token"),
        (
            "eval/perplexity",
            "exp(loss)",
            "is it perplexity? --columns 'loss=log(eval_perplexity)' reads nats per token",
        ),
        ("val_bpb", "loss / log(2)", "is it bits per byte? --columns 'loss=val_bpb*log(2)' reads nats per byte"),
        (
            "bits_per_token",
            "loss / log(2)",
            "is it bits per token? --columns 'loss=bits_per_token*log(2)' reads nats per",
        ),
        ("bpc", "loss / log(2)", "is it bits per character? --columns 'loss=bpc*log(2)' reads nats per character"),
        ("bits", "loss / log(2)", "is it in bits, logarithms to base 2? --columns 'loss=bits*log(2)' reads nats per"),
        ("loss (bits)", "loss / log(2)", "in bits, logarithms to base 2? --columns 'loss=loss_bits*log(2)' reads nats"),
    ],
)
def test_another_measure_of_the_loss_is_converted_as_told(
    column: str, factor: str, said: str, fit: Ask, tmp_path: Path
) -> None:
    table = tmp_path / "runs.csv"
    head, *rows = Path(RUNS).read_text().splitlines()
    cells = [row.rpartition(",") for row in rows]
    measure = {"exp(loss)": math.exp, "loss / log(2)": lambda loss: loss / math.log(2.0)}[factor]
    table.write_text(
        "\n".join([head.replace("loss", column), *(f"{a},{measure(float(z))!r}" for a, _, z in cells)]) + "\n"
    )
    lines = refusal(fit(str(table)), 2)
    (hint,) = [line for line in lines if said in line]
    columns = hint.split("'")[1]
    found, usual = (fit(*argv, "-f", "json", *FEW) for argv in ((str(table), "--columns", columns), (RUNS,)))
    assert [row["value"] for row in found.rows] == pytest.approx([row["value"] for row in usual.rows], rel=1e-6)


def test_a_line_of_blanks_is_no_row(fit: Ask, tmp_path: Path) -> None:
    lines = Path(RUNS).read_text().splitlines()
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([*lines[:5], "   ", *lines[5:], "\t"]) + "\n")
    found = json.loads(fit(str(table), "-f", "json", *FEW).out)
    assert found["runs"] == {"read": 36, "used": 36, "dropped": []}


def test_a_comment_between_rows_is_told_as_one(fit: Ask, tmp_path: Path) -> None:
    lines = Path(RUNS).read_text().splitlines()
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([*lines[:5], "# larger runs, of 2024", *lines[5:]]) + "\n")
    first, second = refusal(fit(str(table)), 2)
    assert first.endswith("row 5 has 2 fields, and the header 4")
    assert second == "it begins with #: comments stand before the header alone, remove it"


def test_a_variable_without_column_leads_to_forms_without_it(fit: Ask) -> None:
    lines = refusal(fit(RUNS, "--form", "clark-2022-hash"))
    assert "--columns experts=COLUMN" in lines[1]
    assert lines[2] == "where the runs have none, fit a form without it: --compare ranks those that they can tell"
    assert len(lines) == 3


def test_an_interruption_is_told_in_a_pipe_too(fit: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scaling_cli.fitting.fit_runs", interrupt)
    assert tuple(fit(RUNS)) == (130, "", "interrupted\n")
