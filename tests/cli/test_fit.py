"""`scaling fit`, asked as people ask it: a table of runs in; exit code, stdout and stderr out."""

import csv
import io
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.cli.app import main
from scaling_cli.files.catalogue import load_law
from scaling_cli.fitting import Answer, Request, fit_runs
from scaling_cli.library import plan
from scaling_cli.report.fit import fit_notes

RUNS = str(Path(__file__).parents[2] / "examples" / "runs.csv")
FORMATS = ("table", "json", "csv", "markdown")
NAMES = ["E", "A", "B", "alpha", "beta"]
ROW_KEYS = ["name", "value", "se", "low", "high"]
CERTIFICATE = ["converged", "gradient_norm", "starts", "starts_agreeing", "condition_number"]
FEW = ("--draws", "40")


Ran = Any  # code, out and err: see conftest
Ask = Callable[..., Ran]


@pytest.fixture
def ask(ask: Ask) -> Ask:
    """Run `scaling fit` in this process."""
    return partial(ask, "fit")


def parsed(ran: Ran) -> dict[str, Any]:
    """Return the JSON of an answer, refusing NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    assert ran.code == 0, ran.err
    assert ran.err == ""
    found: dict[str, Any] = json.loads(ran.out, parse_constant=refuse)
    return found


def values(ran: Ran) -> dict[str, float]:
    return {row["name"]: row["value"] for row in parsed(ran)["rows"]}


def refusal(ran: Ran, code: int) -> str:
    assert ran.code == code, ran.err or ran.out
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.startswith("error: ")
    return ran.err


def table(header: str, *columns: str) -> str:
    """Return the example's runs as CSV with another header, each column a Python expression of a row."""
    lines = [header]
    with open(RUNS, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            given: dict[str, Any] = {key: row[key] if key == "name" else float(row[key]) for key in row}
            lines.append(",".join(str(eval(column, {}, given)) for column in columns))
    return "\n".join(lines) + "\n"


def sizes() -> list[tuple[float, float]]:
    """Return the params and tokens of the example's runs."""
    with open(RUNS, encoding="utf-8", newline="") as file:
        return [(float(row["params"]), float(row["tokens"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def plain() -> dict[str, float]:
    """Return the coefficients of the example's runs."""
    fit = fit_runs(Request(RUNS, draws=0)).fit
    return dict(zip(fit.names, map(float, fit.values), strict=True))


# what an answer has


def test_json_has_every_promised_key(ask: Ask) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--at", "1e22", "--at", "1e24", *FEW))
    assert found["schema"] == "scaling.fit/1"
    assert sorted(row["name"] for row in found["rows"]) == sorted(NAMES)
    assert all(list(row) == ROW_KEYS for row in found["rows"])
    assert all(row["low"] < row["value"] < row["high"] and row["se"] > 0 for row in found["rows"])
    assert list(found["objective"]) == ["name", "delta", "value"]
    assert (found["objective"]["name"], found["objective"]["delta"]) == ("huber-log", 1e-3)
    assert found["runs"] == {"read": 36, "used": 36, "dropped": []}
    assert list(found["certificate"]) == CERTIFICATE
    assert found["certificate"]["converged"] is True
    assert found["certificate"]["starts_agreeing"] >= 2
    assert [row["flops"] for row in found["predictions"]] == [1e22, 1e24]
    assert found["law"]["relations"]["loss"]["formula"] == "E + A / N**alpha + B / D**beta"


def test_the_answer_holds_the_law_behind_the_simulation(ask: Ask) -> None:
    rows = {row["name"]: row for row in parsed(ask(RUNS, "-f", "json"))["rows"]}
    truth = {"E": 1.82, "A": 482.0, "alpha": 0.348, "B": 2085.0, "beta": 0.366}
    assert all(rows[name]["low"] < value < rows[name]["high"] for name, value in truth.items())


def test_predictions_lie_within_their_intervals(ask: Ask) -> None:
    (row,) = parsed(ask(RUNS, "-f", "json", "--at", "1e23", "--draws", "400"))["predictions"]
    for key in ("params", "tokens", "loss"):
        assert row[f"{key}_low"] < row[key] < row[f"{key}_high"]
    assert row["new_loss_high"] - row["new_loss_low"] > row["loss_high"] - row["loss_low"]
    assert row["new_loss_low"] < row["loss"] < row["new_loss_high"]
    assert 6.0 * row["params"] * row["tokens"] == pytest.approx(1e23, rel=1e-9)


def test_the_exponents_add_up_to_one(ask: Ask, plain: dict[str, float]) -> None:
    a, b = parsed(ask(RUNS, "-f", "json", *FEW))["exponents"]
    assert (a["name"], b["name"]) == ("a", "b")
    assert a["value"] + b["value"] == pytest.approx(1.0)
    assert a["value"] == pytest.approx(plain["beta"] / (plain["alpha"] + plain["beta"]), rel=1e-9)


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_names_every_coefficient(ask: Ask, format_: str) -> None:
    ran = ask(RUNS, "--format", format_, "--at", "1e22", *FEW)
    assert ran.code == 0, ran.err
    assert all(name in ran.out for name in NAMES)
    assert "\x1b" not in ran.out


def test_csv_has_the_columns_of_the_rows(ask: Ask) -> None:
    read = list(csv.DictReader(io.StringIO(ask(RUNS, "-f", "csv", *FEW).out)))
    rows = parsed(ask(RUNS, "-f", "json", *FEW))["rows"]
    assert [row["name"] for row in read] == [row["name"] for row in rows]
    assert list(read[0])[: len(ROW_KEYS)] == ROW_KEYS
    assert [float(row["value"]) for row in read] == [row["value"] for row in rows]


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_seed_gives_the_same_bytes(ask: Ask, format_: str) -> None:
    argv = (RUNS, "-f", format_, "--at", "1e24", *FEW)
    assert ask(*argv).out == ask(*argv).out
    assert ask(*argv).out != ask(*argv, "--seed", "1").out


def test_squares_have_no_threshold(ask: Ask) -> None:
    assert parsed(ask(RUNS, "-f", "json", "--draws", "0", "--objective", "ls-log"))["objective"]["delta"] is None


def test_the_command_and_the_library_answer_alike(ask: Ask) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--at", "1e24", *FEW))
    answer = fit_runs(Request(RUNS, at=(1e24,), draws=40))
    assert [row["value"] for row in found["rows"]] == list(map(float, answer.fit.values))
    (said, meant) = (found["predictions"][0], answer.predictions[0]._asdict())
    assert {key: said[key] for key in meant if key != "notes"} == {k: v for k, v in meant.items() if k != "notes"}


def test_nothing_of_the_source_of_a_form_is_left_in_a_fit(ask: Ask) -> None:
    text = json.dumps(parsed(ask(RUNS, "-f", "json", "--draws", "0"))["law"])
    assert not any(word in text for word in ("Hoffmann", "MassiveText", "SentencePiece", "2203"))


# reading runs


def test_standard_input(ask: Ask, plain: dict[str, float]) -> None:
    ran = ask("-", "-f", "json", "--draws", "0", stdin=Path(RUNS).read_text(encoding="utf-8"))
    assert values(ran) == plain


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("N,D,loss", ("params", "tokens", "loss")),
        ("model_size,n_tokens,val_loss", ("params", "tokens", "loss")),
        ("num_params,flops,eval_loss", ("params", "6 * params * tokens", "loss")),
        ("tokens,C,L", ("tokens", "6 * params * tokens", "loss")),
        ("params,tokens,loss", ("f'{params / 1e6!r}M'", "f'{tokens / 1e9!r}B'", "loss")),
        ("params,tokens,loss", ("f'{params / 1e9!r}B'", "f'{tokens / 1e12!r} trillion'", "loss")),
    ],
)
def test_usual_names_and_human_units(header: str, columns: tuple[str, ...], ask: Ask, plain: dict[str, float]) -> None:
    assert values(ask("-", "-f", "json", "--draws", "0", stdin=table(header, *columns))) == pytest.approx(
        plain, rel=1e-7
    )


def test_columns_may_be_formulas(ask: Ask, plain: dict[str, float]) -> None:
    text = table("size,seen,ppl", "params / 1e9", "tokens / 1e12", "2.718281828459045 ** loss")
    chosen = [part for pair in ("params=1e9*size", "tokens=1e12*seen", "loss=log(ppl)") for part in ("--columns", pair)]
    assert values(ask("-", "-f", "json", "--draws", "0", *chosen, stdin=text)) == pytest.approx(plain, rel=1e-6)


def test_a_target_may_be_a_formula(ask: Ask) -> None:
    argv = ("--formula", "a - b * log(N)", "--objective", "ls", "--draws", "0", "-f", "json")
    found = values(ask(RUNS, *argv, "--target", "log(loss)"))
    power = values(ask(RUNS, "--formula", "A * N**-b", "--objective", "ls-log", "--draws", "0", "-f", "json"))
    assert found["b"] == pytest.approx(power["b"], rel=1e-7)
    assert math.exp(found["a"]) == pytest.approx(power["A"], rel=1e-7)


def test_where_selects_rows_and_says_so(ask: Ask) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--draws", "0", "--where", "flops < 5e20 and not name == 'run-01'"))
    assert (found["runs"]["read"], found["runs"]["used"]) == (36, 26)
    assert sum(dropped["count"] for dropped in found["runs"]["dropped"]) == 10
    assert any("26 of 36 rows" in note for note in found["notes"])


def test_no_row_satisfies_where(ask: Ask) -> None:
    assert "--where" in refusal(ask(RUNS, "--where", "loss > 100"), 2)


def test_a_note_is_said_once(ask: Ask) -> None:
    text = Path(RUNS).read_text(encoding="utf-8") + "worse,1e9,2e10,nan\n"
    notes = parsed(ask("-", "-f", "json", "--draws", "0", stdin=text))["notes"]
    assert sum("1 row dropped" in note for note in notes) == 1


def test_weights_and_groups(ask: Ask, plain: dict[str, float]) -> None:
    text = table("params,tokens,loss,w,lab", "params", "tokens", "loss", "1", "'ab'[params > 1e9]")
    assert values(ask("-", "-f", "json", "--draws", "0", "--weights", "w", stdin=text)) == pytest.approx(plain)
    grouped, alone = (parsed(ask("-", "-f", "json", *FEW, *more, stdin=text)) for more in (("--group", "lab"), ()))
    assert [row["value"] for row in grouped["rows"]] == [row["value"] for row in alone["rows"]]
    assert [row["low"] for row in grouped["rows"]] != [row["low"] for row in alone["rows"]]


@pytest.mark.parametrize("more", [(), ("--group", "lab"), ("--bootstrap", "wild"), ("--objective", "ls-log")])
def test_a_run_of_weight_0_is_as_if_absent(ask: Ask, more: tuple[str, ...], tmp_path: Path) -> None:
    """In standard errors, refits, groups, ranges and predictions too, and it is counted as dropped."""
    columns = ("params", "tokens", "loss", "float(params > 6e7)", "params")
    text = table("params,tokens,loss,w,lab", *columns)
    rows = [line.split(",") for line in text.splitlines()]
    kept = "\n".join(",".join(row) for row in rows if row[3] != "0.0") + "\n"
    argv = ("-", "-f", "json", "--at", "1e22", "--weights", "w", *FEW, *more)
    path = str(tmp_path / "mine.yaml")
    weighted, without = parsed(ask(*argv, "--save", path, stdin=text)), parsed(ask(*argv, stdin=kept))
    gone = len(rows) - len(kept.splitlines())
    assert gone > 0
    assert weighted["runs"]["used"] == without["runs"]["used"] == 36 - gone
    assert [(each["reason"], each["count"]) for each in weighted["runs"]["dropped"]] == [("weight 0", gone)]
    assert any(f"{gone} rows dropped: weight 0 (rows " in note for note in weighted["notes"])
    for key in ("rows", "certificate", "predictions", "held_out", "exponents", "law"):
        assert weighted[key] == without[key], key
    saved = load_law(path)
    assert (saved.manifest["rows_read"], saved.manifest["rows_used"]) == (36, 36 - gone)
    assert ask("--verify", path, "-", stdin=text).code == 0


def test_weights_are_one_over_a_variance(ask: Ask) -> None:
    """Only their ratios matter, so that a weight of 2 for every run is not twice the runs."""
    text = table(
        "params,tokens,loss,one,two", "params", "tokens", "loss", "1 + (params > 1e9)", "2 + 2 * (params > 1e9)"
    )
    argv = ("-", "-f", "json", "--at", "1e22", *FEW)
    one, two = (parsed(ask(*argv, "--weights", name, stdin=text)) for name in ("one", "two"))
    for first, second in zip(one["rows"], two["rows"], strict=True):
        assert [second[key] for key in ROW_KEYS[1:]] == pytest.approx([first[key] for key in ROW_KEYS[1:]], rel=1e-6)
    for key in ("params_low", "params_high", "new_loss_low", "new_loss_high"):
        assert two["predictions"][0][key] == pytest.approx(one["predictions"][0][key], rel=1e-6)


# forms and objectives


@pytest.mark.parametrize("form", ["besiroglu-2024", "kaplan-2020", "busbridge-2025", "gadre-2024-c4"])
def test_forms_of_presets(ask: Ask, form: str) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--draws", "0", "--form", form))
    assert all(math.isfinite(row["value"]) and row["value"] > 0.0 for row in found["rows"])


def test_fix_and_tie(ask: Ask) -> None:
    found = values(ask(RUNS, "-f", "json", *FEW, "--fix", "alpha=beta", "--fix", "E=1.82"))
    assert found["alpha"] == found["beta"]
    assert found["E"] == 1.82


@pytest.mark.parametrize("objective", ["huber-log", "ls-log", "ls", "lad-log", "lad"])
def test_objectives(ask: Ask, objective: str, plain: dict[str, float]) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--draws", "0", "--objective", objective))
    assert found["certificate"]["converged"]
    assert found["objective"]["name"] == objective
    assert {row["name"]: row["value"] for row in found["rows"]}["E"] == pytest.approx(plain["E"], rel=0.1)


def test_a_wide_threshold_is_half_the_squares(ask: Ask) -> None:
    argv = (RUNS, "-f", "json", "--draws", "0")
    wide, squares = parsed(ask(*argv, "--delta", "10")), parsed(ask(*argv, "--objective", "ls-log"))
    assert wide["objective"]["value"] == pytest.approx(0.5 * squares["objective"]["value"], rel=1e-10)


@pytest.mark.parametrize(("more", "name"), [((), "quantile-0.1-log"), (("--objective", "ls"), "quantile-0.1")])
def test_an_envelope_says_what_its_residuals_are(ask: Ask, more: tuple[str, ...], name: str) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--draws", "0", "--quantile", "0.1", *more))
    assert found["objective"]["name"] == name


def test_blanks_in_a_list_of_names(ask: Ask) -> None:
    argv = ("-f", "json", "--draws", "0", "--formula", "E + A / N**a", "--positive")
    assert values(ask(RUNS, *argv, " E , A,")) == values(ask(RUNS, *argv, "E,A"))


def test_refits_are_counted_as_people_write_them(ask: Ask) -> None:
    assert "bootstrap, 100 refits" in ask(RUNS, "--draws", "1e2").out
    assert "bootstrap, 20 refits" in ask(RUNS, "--draws", "20").out


# FLOPs that are not 6ND


def counted(factor: str) -> str:
    """Return the example's runs with FLOPs that are so many times N D."""
    return table("params,tokens,flops,loss", "params", "tokens", f"{factor} * params * tokens", "loss")


def test_given_flops_are_what_budgets_count(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    argv = ("-", "-f", "json", *FEW, "--at", "1e22")
    found = parsed(ask(*argv, "--save", path, stdin=counted("13")))
    (row,) = found["predictions"]
    assert 13.0 * row["params"] * row["tokens"] == pytest.approx(1e22, rel=1e-9)
    assert row["params_low"] < row["params"] < row["params_high"]
    relations = found["law"]["relations"]
    assert relations["flops"]["formula"] == "13 * N * D"
    largest = max(params * tokens for params, tokens in sizes())
    assert relations["loss"]["valid"]["C"][1] == pytest.approx(13.0 * largest)
    assert "flops are used as given: 2.17 x 6ND" in found["notes"][0]
    law = load_law(path)
    assert plan(law, flops=1e22).params == pytest.approx(row["params"], rel=1e-9)
    assert plan(law, params=1e9, tokens=2e10).flops == pytest.approx(13.0 * 2e19)
    # the split of a budget of 13 N D is that of a budget of 6 N D for as many N D
    (same,) = parsed(ask(RUNS, "-f", "json", *FEW, "--at", repr(1e22 * 6.0 / 13.0)))["predictions"]
    assert [row[key] for key in ("params", "params_low", "params_high", "loss")] == pytest.approx(
        [same[key] for key in ("params", "params_low", "params_high", "loss")], rel=1e-9
    )


def test_flops_worked_out_anew_are_6nd(ask: Ask) -> None:
    argv = ("-f", "json", "--draws", "0", "--at", "1e22")
    found, plain = parsed(ask("-", *argv, "--flops-from", "6nd", stdin=counted("13"))), parsed(ask(RUNS, *argv))
    assert found["predictions"] == plain["predictions"]
    assert list(found["law"]["relations"]) == ["loss"]


def test_flops_near_6nd_are_6nd(ask: Ask) -> None:
    argv = ("-f", "json", "--draws", "0", "--at", "1e22")
    found = parsed(ask("-", *argv, stdin=counted("6.4")))
    assert found["predictions"] == parsed(ask(RUNS, *argv))["predictions"]
    assert any("1.07 x 6ND" in note and "count them as 6ND" in note for note in found["notes"])


def test_the_ratio_to_6nd_comes_with_its_spread(ask: Ask) -> None:
    found = parsed(ask("-", "-f", "json", "--draws", "0", stdin=counted("(10 + params / 1e9)")))
    (note,) = (note for note in found["notes"] if "6ND" in note)
    ratios = sorted((10.0 + params / 1e9) / 6.0 for params, _ in sizes())
    low, middle, high = (f"{ratios[i]:.3g}" for i in (9, 18, 26))
    assert note.startswith(f"flops are used as given: {middle} x 6ND (median over the runs, half of which lie from ")
    assert f"from {low} to {high})" in note


def test_diagnostics_count_given_flops(ask: Ask) -> None:
    argv = ("-f", "json", "--draws", "0", "--diagnostics", "--at")
    found = parsed(ask("-", *argv, "13e22", stdin=counted("13")))["diagnostics"]["extrapolation"]
    plain = parsed(ask(RUNS, *argv, "6e22"))["diagnostics"]["extrapolation"]
    assert found["decades"] == pytest.approx(plain["decades"])
    assert found["params_factor"] == pytest.approx(plain["params_factor"])
    assert found["largest_flops"] == pytest.approx(plain["largest_flops"] * 13.0 / 6.0)


# the order of rows


@pytest.mark.parametrize("more", [(), ("--group", "name"), ("--objective", "ls-log", "--bootstrap", "wild")])
def test_the_order_of_rows_is_of_no_account(ask: Ask, more: tuple[str, ...]) -> None:
    header, *rows = Path(RUNS).read_text(encoding="utf-8").splitlines()
    argv = ("-", "-f", "json", *FEW, "--at", "1e23", *more)
    one, other = (parsed(ask(*argv, stdin="\n".join([header, *lines]))) for lines in (rows, rows[::-1]))
    assert one == other


def test_rows_are_named_as_they_stand_in_the_table(ask: Ask) -> None:
    header, *rows = Path(RUNS).read_text(encoding="utf-8").splitlines()
    rows[3] = rows[3].rsplit(",", 1)[0] + ",9.5"
    for lines, row in ((rows, 4), (rows[::-1], len(rows) - 3)):
        found = parsed(ask("-", "-f", "json", "--draws", "0", "--diagnostics", stdin="\n".join([header, *lines])))
        residuals = found["diagnostics"]["residuals"]
        assert max(residuals, key=lambda run: abs(run["residual"]))["row"] == row


# what CSV leaves out


def test_csv_says_the_rest_on_stderr(ask: Ask) -> None:
    text = Path(RUNS).read_text(encoding="utf-8") + "worse,1e9,2e10,nan\n" + "run-01,3e+07,5.556e+09,3.5636\n"
    ran = ask("-", "-f", "csv", *FEW, "--at", "1e24", stdin=text)
    assert ran.code == 0
    assert list(csv.DictReader(io.StringIO(ran.out)))[0].keys() == dict.fromkeys(ROW_KEYS).keys()
    for said in ("1 row dropped: no finite loss", "1 row dropped: exact duplicate", "outside the experimented range",
                 "not in CSV: exponents, predictions"):  # fmt: skip
        assert f"{said}" in ran.err
    assert all(line.startswith("note: ") for line in ran.err.splitlines())


# words


def test_a_fit_without_noise_is_told_as_one(ask: Ask) -> None:
    law = "1.5 + 400 / params**0.3 + 900 / tokens**0.35"
    ran = ask("-", "--draws", "0", stdin=table("params,tokens,loss", "params", "tokens", law))
    assert "certain: the law goes through every run, to rounding; " in ran.out
    assert "certain: the slopes of single runs cancel to " in ask(RUNS, "--draws", "0").out


def test_no_exponents_where_there_is_no_optimum(ask: Ask) -> None:
    ran = ask(RUNS, *FEW, "--formula", "E + A / (N * D)**a")
    assert "exponent a" not in ran.out
    assert "no exponents: " in ran.out
    assert parsed(ask(RUNS, *FEW, "--formula", "E + A / (N * D)**a", "-f", "json"))["exponents"] == []


# errors held out


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.0, "no larger than what the fit"), (1.003, "about what the fit"), (1.006, "1.01 times what the fit")],
)
def test_errors_held_out_are_compared_in_words_where_a_factor_would_say_nothing(ratio: float, said: str) -> None:
    answer = fit_runs(Request(RUNS, draws=0, at=(1e22,)))
    assert isinstance(answer, Answer)
    notes = fit_notes(answer._replace(held=answer.held._replace(ratio=ratio)), None)
    assert sum(f"errors were {said} to the rest expects" in note for note in notes) == 1


# refusals


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--objective", "huber"), "huber-log"),
        (("--delta", "0"), "--delta"),
        (("--delta", "1e-3", "--objective", "ls"), "only huber-log has a threshold"),
        (("--delta", "0.1", "--objective", "lad-log"), "only huber-log has a threshold"),
        (("--delta", "0.1", "--quantile", "0.1"), "--delta and --quantile are both given"),
        (("--draws", "1"), "0, for no refits, or at least 20"),
        (("--draws", "19", "--method", "isoflop"), "at least 20"),
        (("--draws", "20.5"), "a whole number"),
        (("--formula", "loss * a"), "'loss' is to be predicted from itself"),
        (("--formula", "a + b * L"), "'loss' is to be predicted from itself"),
        (("--formula", "a * x", "--columns", "x=loss/2"), "from 'x': both are 'loss'"),
        (("--formula", "a * loss", "--target", "log(loss)"), "'log(loss)' is to be predicted from 'loss'"),
        (("--formula", "E + A / N**a", "--positive", ","), "--positive is ','"),
        (("--quantile", "1.5"), "--quantile"),
        (("--draws", "many"), "--draws"),
        (("--bootstrap", "jackknife"), "pairs"),
        (("--seed", "-1"), "--seed"),
        (("--fix", "gamma=1"), "gamma"),
        (("--fix", "alpha"), "NAME=VALUE"),
        (("--start", "alpha=-1"), "positive"),
        (("--formula", "E + "), "--formula"),
        (("--formula", "2 * N"), "coefficient"),
        (("--formula", "E + A / N**a", "--form", "kaplan"), "--form"),
        (("--positive", "all"), "--formula"),
        (("--form", "hernandez-2021"), "no loss"),
        (("--form", "no-such-law"), "no-such-law"),
        (("--where", "loss <"), "--where"),
        (("--where", "lossy < 3"), "lossy"),
        (("--columns", "params=sise"), "sise"),
        (("--weights", "w"), "w"),
        (("--group", "lab"), "lab"),
        (("--flops-from", "7nd"), "6nd"),
        (("--at", "0"), "--at"),
        (("--at", "512xH9000 for 30d @40%"), "--at: unknown accelerator"),
        (("--at", "512xH100 for 30d @140%"), "--at: the utilisation (MFU) is 1.4"),
        (("--at", "512xH100 for 30m"), "--at: the time is in 'm'"),
        (("--formula", "N"), "--formula N has no coefficient"),
        (("--formula", "2 * N + log(D)", "--positive", "all"), "has no coefficient"),
        (("--columns", "tokens=5.5GT"), "'tokens'"),
    ],
)
def test_wrong_questions(ask: Ask, argv: tuple[str, ...], said: str) -> None:
    assert said in refusal(ask(RUNS, *FEW, *argv), 2)


def test_too_few_runs(ask: Ask) -> None:
    assert "at least 6" in refusal(ask(RUNS, "--where", "name == 'run-01'"), 3)


def test_a_saved_fit_is_a_law_with_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written once, read by plan with low and high, and never overwritten unasked."""
    saved = tmp_path / "mine.yaml"
    runs = Path(__file__).parents[2] / "examples" / "runs.csv"
    save = ["fit", str(runs), "--draws", "100", "--save", str(saved), "-f", "json"]
    for argv, code in ((save, 0), (save, 2), ([*save, "--force"], 0)):
        monkeypatch.setattr("sys.argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        assert (caught.value.code or 0) == code
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["scaling", "plan", "--law", str(saved), "--flops", "1e22", "-f", "json"])
    with pytest.raises(SystemExit):
        main()
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["law"] == "mine"
    assert row["params_low"] < row["params"] < row["params_high"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_that_cannot_be_saved_is_refused_before_the_fit(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling_cli.fitting.fit_runs", None)  # a fit would be a traceback
    taken, folder = tmp_path / "taken.yaml", tmp_path / "no folder"
    taken.write_text("kept", encoding="utf-8")
    assert "exists already\n  --force" in refusal(ask(RUNS, "--save", str(taken)), 2)
    assert taken.read_text(encoding="utf-8") == "kept"
    said = refusal(ask(RUNS, "--save", str(folder / "mine.yaml"), "--force"), 2)
    assert said == (
        f"error: {folder / 'mine.yaml'}: cannot write: there is no folder {folder}\n"
        f"  make it first: mkdir -p '{folder}'\n"
    )
    assert ".yaml" in refusal(ask(RUNS, "--save", "mine.yml.txt"), 2)


def test_the_command_to_copy_is_quoted(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "My Law.yaml"
    notes = parsed(ask(RUNS, "--draws", "0", "--save", str(path), "-f", "json"))["notes"]
    assert f"saved as {path}: scaling plan --law '{path}' --flops 1e22" in notes


def test_two_budgets_are_called_a_point_estimate(ask: Ask, tmp_path: Path) -> None:
    rows = [(n, c / (6 * n)) for c in (1e18, 1e20) for n in (3e7, 1e8, 3e8, 1e9)]
    losses = [1.8 + 480 / n**0.35 + 2000 / d**0.36 + 1e-3 * (i % 3) for i, (n, d) in enumerate(rows)]
    path = tmp_path / "runs.csv"
    lines = [f"{n},{d},{loss}" for (n, d), loss in zip(rows, losses, strict=True)]
    path.write_text("\n".join(["params,tokens,loss", *lines]))
    for more in ((), ("--at", "1e22")):
        ran = ask(str(path), *FEW, *more)
        assert ran.code == 0, ran.err
        assert ran.out.count("a point estimate: the runs have 2 budgets") == 1
    assert parsed(ask(str(path), *FEW, "--at", "1e22", "-f", "json"))["predictions"][0]["new_loss_low"] is None


# budgets as people have them


@pytest.mark.parametrize(("text", "mfu"), [("512xH100 for 30d @40%", 0.4), ("368640 H100-hours", 0.35)])
def test_a_budget_told_as_machines(ask: Ask, text: str, mfu: float) -> None:
    """As `scaling plan --flops` takes it: dense bf16 of the SXM card, 989.4 TFLOP/s by NVIDIA's data sheet."""
    found = parsed(ask(RUNS, "-f", "json", "--draws", "0", "--at", text, "--at", "1e22"))
    flops = 512.0 * 30.0 * 86400.0 * 989.4e12 * mfu
    assert [row["flops"] for row in found["predictions"]] == pytest.approx([flops, 1e22], rel=1e-12)
    (said,) = [note for note in found["notes"] if note.startswith(f"--at {text}: ")]
    assert "H100-SXM: 989.4 TFLOP/s dense in bf16" in said
    assert ("assumed" in said) == ("@" not in text)


def test_how_to_name_an_odd_column(ask: Ask) -> None:
    said = " ".join(ask("--help").out.split())
    assert "config.data.tokens is written config_data_tokens" in said


def test_an_export_with_nested_names(ask: Ask) -> None:
    text = Path(RUNS).read_text(encoding="utf-8")
    nested = text.replace("params,tokens,loss", "config.model.num_params,config.data.tokens,eval/loss", 1)
    found, plain = (parsed(ask("-", "-f", "json", "--draws", "0", stdin=one)) for one in (nested, text))
    assert found["rows"] == plain["rows"]
    assert {"params: column 'config.model.num_params'", "tokens: column 'config.data.tokens'"} <= set(found["notes"])


@pytest.mark.parametrize("name", ["experts", "num_experts", "config.model.num_experts"])
def test_the_experts_of_a_routed_form_are_found_by_their_column(ask: Ask, tmp_path: Path, name: str) -> None:
    """Clark et al. 2022 have params and experts, no tokens. Simulated with the constants printed for S-BASE."""
    a, b, c, d, start, most = -0.082, -0.108, 0.009, 1.104, 1.847, 314.478
    lines = [f"params,{name},loss"]
    for n in (1.5e7, 1.3e8, 3.7e8, 1.3e9):
        for experts in (1, 2, 8, 32, 128, 512):
            x = math.log10(1.0 / (1.0 / (experts - 1.0 + 1.0 / (1.0 / start - 1.0 / most)) + 1.0 / most))
            lines.append(f"{n!r},{experts},{10.0 ** ((a + c * x) * math.log10(n) + b * x + d)!r}")
    path = tmp_path / "routed.csv"
    path.write_text("\n".join(lines) + "\n")
    found = parsed(ask(str(path), "-f", "json", "--draws", "0", "--form", "clark-2022-s-base"))
    assert {row["name"]: row["value"] for row in found["rows"]}["a"] == pytest.approx(a, rel=1e-3)
    assert (f"experts: column '{name}'" in found["notes"]) == (name != "experts")


@pytest.mark.parametrize(("draws", "source"), [("0", "analytic"), ("40", "bootstrap")])
def test_json_says_what_its_intervals_are(draws: str, source: str, ask: Ask) -> None:
    found = parsed(ask(RUNS, "-f", "json", "--draws", draws))
    assert (found["intervals"]["source"], found["intervals"]["level"]) == (source, 0.9)
