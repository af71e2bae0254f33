"""`scaling fit --method isoflop` and `--method envelope`, asked as people ask them."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_cli.fitting import FrontierAnswer, Request, fit_runs

PALM = str(Path(__file__).parents[2] / "presets" / "tables" / "palm2-2023.csv")
ROW_KEYS = ["name", "value", "se", "low", "high"]
MINIMUM_KEYS = [
    "flops", "runs", "params", "params_low", "params_high", "tokens", "loss", "loss_low", "loss_high", "bracketed",
    "reason",
]  # fmt: skip
CERTIFICATE = ["converged", "gradient_norm", "starts", "starts_agreeing", "condition_number"]
FEW = ("--draws", "60")


Ran = Any  # code, out and err: see conftest
Ask = Callable[..., Ran]


def parsed(ran: Ran) -> dict[str, Any]:
    """Return the JSON of an answer, refusing NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    assert ran.code == 0, ran.err
    assert ran.err == ""
    found: dict[str, Any] = json.loads(ran.out, parse_constant=refuse)
    return found


def refusal(ran: Ran, code: int) -> str:
    assert ran.code == code, ran.err or ran.out
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    return ran.err


def loss_of(params: Any, tokens: Any) -> Any:
    return 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366


def isoflops(count: int = 5, sizes: int = 6, extra: str = "") -> str:
    """Return isoFLOP runs of Chinchilla's law as CSV."""
    rng = np.random.default_rng(0)
    lines = [f"params,tokens,loss{',lab' if extra else ''}"]
    for flops in np.geomspace(1e18, 1e20, count).tolist():
        for step in range(sizes):
            params = 0.11 * flops**0.5126 * 0.9 * 1.6 ** (step - 0.5 * (sizes - 1))
            loss = loss_of(params, flops / 6.0 / params) * math.exp(0.002 * rng.standard_normal())
            lab = f",{extra[step % len(extra)]}" if extra else ""
            lines.append(f"{params!r},{flops / 6.0 / params!r},{float(loss)!r}{lab}")
    return "\n".join(lines) + "\n"


def curves(count: int = 7) -> str:
    """Return training curves of Chinchilla's law as CSV."""
    lines = ["params,tokens,loss,run"]
    for i, params in enumerate(np.geomspace(1e7, 1e9, count).tolist()):
        for tokens in (params * np.geomspace(1.0, 150.0, 25)).tolist():
            lines.append(f"{params!r},{tokens!r},{loss_of(params, tokens)!r},r{i}")
    return "\n".join(lines) + "\n"


# what an answer has


def test_json_has_every_promised_key(ask: Ask) -> None:
    found = parsed(ask("fit", PALM, "--method", "isoflop", "-f", "json", "--at", "1e23", *FEW))
    assert found["schema"] == "scaling.fit/1"
    assert found["method"] == "isoflop"
    assert [row["name"] for row in found["rows"]] == ["C_anchor", "N_anchor", "a", "D_anchor", "b", "K", "gamma"]
    assert all(list(row) == ROW_KEYS for row in found["rows"])
    assert all(list(row) == MINIMUM_KEYS for row in found["minima"])
    assert [row["flops"] for row in found["minima"]] == [1e20, 1e21, 1e22]
    assert list(found["objective"]) == ["name", "delta", "value"]
    assert found["runs"] == {"read": 12, "used": 12, "dropped": []}
    assert list(found["certificate"]) == CERTIFICATE
    assert found["certificate"]["converged"] is True
    assert found["certificate"]["gradient_norm"] < 1e-12
    assert [row["flops"] for row in found["predictions"]] == [1e23]
    assert set(found["law"]["relations"]) == {"optimal_params", "optimal_tokens", "optimal_loss"}
    assert list(found["scatter"]) == ["minima", "loss", "noise"]


def test_the_command_answers_as_the_library_does(ask: Ask) -> None:
    found = parsed(ask("fit", PALM, "--method", "isoflop", "-f", "json", *FEW))
    answer = fit_runs(Request(PALM, method="isoflop", draws=60))
    assert isinstance(answer, FrontierAnswer)
    assert [row["value"] for row in found["rows"]] == list(map(float, answer.fit.values))
    assert found["minima"] == [row._asdict() for row in answer.fit.minima.rows]


@pytest.mark.parametrize("format_", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize("method", ["isoflop", "envelope"])
def test_every_format_names_every_coefficient(ask: Ask, method: str, format_: str) -> None:
    runs = {"isoflop": isoflops(), "envelope": curves()}[method]
    ran = ask("fit", "-", "--method", method, "-f", format_, "--at", "1e21", *FEW, stdin=runs)
    assert ran.code == 0, ran.err
    assert all(name in ran.out for name in ("C", "N", "gamma"))
    assert "\x1b" not in ran.out
    if format_ in ("table", "markdown"):
        assert "bracketed" in ran.out


def test_csv_has_a_row_for_each_coefficient(ask: Ask) -> None:
    read = list(csv.DictReader(io.StringIO(ask("fit", PALM, "--method", "isoflop", "-f", "csv", *FEW).out)))
    assert list(read[0]) == ROW_KEYS
    assert len(read) == 7


def test_two_budgets_have_no_interval(ask: Ask) -> None:
    found = parsed(ask("fit", PALM, "--method", "isoflop", "--where", "flops < 5e21", "-f", "json", *FEW))
    assert all(row["se"] is row["low"] is row["high"] is None for row in found["rows"])
    assert any("fewer than three scales" in note for note in found["notes"])


def test_two_budgets_say_so_once(ask: Ask) -> None:
    at = ("--at", "1e24", "-f", "json", *FEW)
    found = parsed(ask("fit", PALM, "--method", "isoflop", "--where", "flops < 5e21", *at))
    assert found["predictions"][0]["plain_loss_low"] is None
    assert len([note for note in found["notes"] if "a point estimate" in note]) == 1
    assert not [note for note in found["notes"] if "plain" in note]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (2, "fewer than three scales: a point estimate, no interval"),
        (3, "no interval of a new run: of 3 budgets none can be held out"),
        (4, "with the largest 1 of 4 budgets held out"),
    ],
)
def test_fewer_than_three_budgets_are_a_point_estimate(ask: Ask, count: int, said: str) -> None:
    text = "\n".join(isoflops(5).splitlines()[: 1 + 6 * count])
    found = parsed(ask("fit", "-", "--method", "isoflop", "-f", "json", "--at", "1e21", *FEW, stdin=text))
    assert sum(said in note for note in found["notes"]) == 1
    assert any("a point estimate" in note and "nearly" not in note for note in found["notes"]) == (count < 3)
    (row,) = found["predictions"]
    assert (row["plain_loss_low"] is None) == (count < 3)
    assert (row["new_loss_low"] is None) == (count < 4)


def test_the_table_says_what_was_minimised_without_a_number_that_says_nothing(ask: Ask) -> None:
    out = ask("fit", PALM, "--method", "isoflop", *FEW).out
    (line,) = (line for line in out.splitlines() if line.startswith("objective"))
    assert line.split() == ["objective", "ls-log-weighted"]
    assert "relative gradient" not in out


def test_dropped_runs_are_counted_with_the_reason(ask: Ask) -> None:
    runs = isoflops() + "1e8,1e12,2.5\n1e8,1e11,nan\n"
    found = parsed(ask("fit", "-", "--method", "isoflop", "-f", "json", *FEW, stdin=runs))
    assert (found["runs"]["read"], found["runs"]["used"]) == (32, 30)
    assert [dropped["count"] for dropped in found["runs"]["dropped"]] == [1, 1]
    assert any("3 model sizes" in dropped["reason"] and dropped["rows"] == [31] for dropped in found["runs"]["dropped"])


# a law that every command takes


@pytest.mark.parametrize("method", ["isoflop", "envelope"])
def test_a_saved_fit_is_a_law_with_intervals(ask: Ask, tmp_path: Path, method: str) -> None:
    runs, saved = tmp_path / "runs.csv", str(tmp_path / "mine.yaml")
    runs.write_text({"isoflop": isoflops(), "envelope": curves()}[method], encoding="utf-8")
    made = parsed(ask("fit", str(runs), "--method", method, "--save", saved, "--at", "1e24", "-f", "json", *FEW))
    (row,) = parsed(ask("plan", "--law", saved, "--flops", "1e24", "-f", "json"))["rows"]
    (promised,) = made["predictions"]
    assert row["law"] == "mine"
    for key in ("params", "tokens", "loss"):
        assert row[key] == pytest.approx(promised[key], rel=1e-9)
        assert row[f"{key}_low"] == pytest.approx(promised[f"{key}_low"], rel=1e-6)
        assert row[f"{key}_low"] <= row[key] <= row[f"{key}_high"]
    compared = parsed(ask("compare", "--law", saved, "--law", "chinchilla", "--flops", "1e21", "-f", "json"))
    assert [found["law"] for found in compared["rows"]][0] == "mine"
    assert ask("laws", "show", saved).code == 0
    assert ask("fit", str(runs), "--verify", saved).code == 0


def test_a_saved_fit_with_its_own_flops_rule_closes(ask: Ask, tmp_path: Path) -> None:
    saved = str(tmp_path / "mine.yaml")
    columns = ("--columns", "flops=8 * params**0.95 * tokens")
    parsed(ask("fit", "-", "--method", "envelope", "--save", saved, "-f", "json", *columns, *FEW, stdin=curves()))
    (row,) = parsed(ask("plan", "--law", saved, "--flops", "1e21", "-f", "json"))["rows"]
    assert 8.0 * row["params"] ** 0.95 * row["tokens"] == pytest.approx(1e21, rel=1e-6)


# options


def test_options_that_both_methods_take(ask: Ask) -> None:
    argv = ("fit", "-", "--method", "isoflop", "-f", "json", *FEW)
    plain = parsed(ask(*argv, stdin=isoflops(extra="ab")))
    grouped = parsed(ask(*argv, "--group", "lab", stdin=isoflops(extra="ab")))
    seeded = parsed(ask(*argv, "--seed", "5", stdin=isoflops(extra="ab")))
    for other in (grouped, seeded):
        assert [row["value"] for row in other["rows"]] == [row["value"] for row in plain["rows"]]
        assert [row["low"] for row in other["rows"]] != [row["low"] for row in plain["rows"]]
    weighted = parsed(ask(*argv, "--columns", "w=1 + 0 * params", "--weights", "w", stdin=isoflops()))
    assert weighted["rows"][2]["value"] == pytest.approx(plain["rows"][2]["value"], rel=1e-9)


def test_curves_by_group(ask: Ask) -> None:
    argv = ("fit", "-", "--method", "envelope", "-f", "json", *FEW)
    plain, grouped = (parsed(ask(*argv, *more, stdin=curves())) for more in ((), ("--group", "run")))
    assert grouped["rows"] == plain["rows"]


def test_tokens_may_be_left_to_flops(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(isoflops())))
    lines = [f"{r['params']},{6.0 * float(r['params']) * float(r['tokens'])!r},{r['loss']}" for r in rows]
    argv = ("fit", "-", "--method", "isoflop", "-f", "json", *FEW)
    without = parsed(ask(*argv, stdin="\n".join(["params,flops,loss", *lines]) + "\n"))
    plain = parsed(ask(*argv, stdin=isoflops()))
    assert [r["value"] for r in without["rows"]] == pytest.approx([r["value"] for r in plain["rows"]], rel=1e-6)


def test_same_question_same_bytes(ask: Ask) -> None:
    argv = ("fit", "-", "--method", "envelope", "-f", "json", *FEW)
    assert ask(*argv, stdin=curves()).out == ask(*argv, stdin=curves()).out


@pytest.mark.parametrize("method", ["isoflop", "envelope"])
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--form", "chinchilla"), "--form"),
        (("--formula", "E + A / N**a"), "--formula"),
        (("--fix", "E=1.7"), "--fix"),
        (("--start", "E=1.7"), "--start"),
        (("--positive", "all"), "--positive"),
        (("--objective", "ls"), "--objective"),
        (("--delta", "0.1"), "--delta"),
        (("--quantile", "0.1"), "--quantile"),
        (("--bootstrap", "wild"), "--bootstrap"),
    ],
)
def test_options_of_a_formula_are_refused_by_name(ask: Ask, method: str, argv: tuple[str, ...], said: str) -> None:
    message = refusal(ask("fit", PALM, "--method", method, *argv), 2)
    assert f"{said} belongs to --method parametric" in message


# refusals


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("--method", "isoflops"), 2, "parametric, isoflop, envelope"),
        (("--method", "isoflop", "--where", "flops < 2e20"), 3, "one minimum"),
        (("--method", "isoflop", "--where", "params > 8e9"), 3, "3 model sizes"),
        (("--method", "isoflop", "--where", "params > 1.4e9 and flops < 2e20"), 3, "run smaller ones"),
        (("--method", "envelope"), 3, "fewer than 5"),
        (("--method", "isoflop", "--at", "0"), 2, "--at"),
    ],
)
def test_wrong_questions(ask: Ask, argv: tuple[str, ...], code: int, said: str) -> None:
    assert said in refusal(ask("fit", PALM, *argv), code)


def test_one_curve_is_refused(ask: Ask) -> None:
    assert "between two others" in refusal(ask("fit", "-", "--method", "envelope", stdin=curves(1)), 3)


def test_points_without_a_loss_are_dropped(ask: Ask) -> None:
    lines = curves().splitlines()
    lines[40] = ",".join([*lines[40].split(",")[:2], "nan", "r1"])
    found = parsed(ask("fit", "-", "--method", "envelope", "-f", "json", *FEW, stdin="\n".join(lines) + "\n"))
    assert found["runs"]["dropped"][0]["count"] == 1


def test_minima_without_refits_say_why_they_have_no_intervals(ask: Ask) -> None:
    ran = ask("fit", PALM, "--method", "isoflop", "--draws", "0", "--at", "1e23")
    assert "without refits a law through minima has no intervals: --draws 1000 refits" in ran.err + ran.out
    assert "on trust" not in ran.err + ran.out
