"""Every command, asked as people ask it: argv in; exit code, stdout and stderr out."""

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scaling_cli.cli.app import COMMANDS
from scaling_cli.files.catalogue import LAWS

HANG = 10  # seconds until a process counts as hung
FORMATS = ("table", "json", "csv", "markdown")
EPOCH = "besiroglu-2024"
PLAN_KEYS = ["law", "flops", "params", "tokens", "tokens_per_param", "loss"]
TRADE_OFF_KEYS = ["optimal_params", "optimal_loss", "flops_same_loss", "waste"]
GROWTH_KEYS = ["params_growth", "tokens_growth", "loss_gain"]
LOSS_KEYS = ["law", "params", "tokens", "flops", "loss", "irreducible", "loss_from_params", "loss_from_tokens"]
LAWS_KEYS = ["id", "title", "year", "params_kind", "domain", "relations", "status", "figures", "constants"]
CHECK_KEYS = ["law", "relation", "kind", "given", "expected", "got", "difference", "tolerance", "verdict", "where"]
SPREAD_KEYS = ["flops", "params_kind", "domain", "laws", "params_min", "params_median", "params_max"]
PLAN = ("plan", "--flops", "1e22", "--law", EPOCH)
ANSWERS = {  # a question to each command: schema, and keys that stand in this order
    PLAN: ("plan", PLAN_KEYS + TRADE_OFF_KEYS),
    ("loss", "--params", "7B", "--tokens", "1T"): ("loss", LOSS_KEYS + ["notes"]),
    ("compare", "--flops", "1e21", "--law", "openai", "--law", "chinchilla"): (
        "compare",
        PLAN_KEYS + TRADE_OFF_KEYS + GROWTH_KEYS,
    ),
    ("laws",): ("laws", [*LAWS_KEYS, "constants_checked"]),
    ("laws", "show", "chinchilla"): ("laws.show", ["relation", "formula", "status", "where"]),
    ("laws", "check", "chinchilla"): ("laws.check", CHECK_KEYS),
}
SHORT = "{a: 0.6, b: 0.4, anchor: {flops: 1e21, params: 3e9}}\n"
OWN = """\
id: own
variables: {P: {unit: bits, default: 16, meaning: precision}}
relations:
  loss:
    formula: E + A / (N * (1 - exp(-P / g)))**alpha + B / D**beta
    coefficients: {E: 1.8, A: 480, B: 2100, alpha: 0.35, beta: 0.37, g: 3}
"""


class Ran(NamedTuple):
    """What a process left; what `ask` runs in this one leaves the same."""

    code: int
    out: str
    err: str


Ask = Callable[..., Ran]


def start(*argv: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start `scaling` in a process of its own, without the settings of this terminal."""
    ours = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "scaling_cli", *argv]
    return subprocess.Popen(command, env={**clean, **(env or {})}, **{**streams, **options})


def run_process(*argv: str, **options: Any) -> Ran:
    with start(*argv, **options) as process:
        out, err = process.communicate(timeout=HANG)
    return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())


def parse_strictly(text: str) -> dict[str, Any]:
    """Return JSON, refusing the NaN and Infinity that Python's reader would let pass."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def rows_of(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    assert ran.err == ""
    rows: list[dict[str, Any]] = parse_strictly(ran.out)["rows"]
    return rows


def row_of(ran: Ran) -> dict[str, Any]:
    (row,) = rows_of(ran)
    return row


def refusal(ran: Ran, code: int) -> str:
    """Return the message of an error, with what holds for every error."""
    assert ran.code == code, ran.err or ran.out
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.startswith(("error: ", "Usage: ", "Error: "))
    return ran.err


def in_order(keys: list[str], wanted: list[str]) -> bool:
    return [key for key in keys if key in wanted] == wanted


# plan: all ten combinations

KNOWN = {"flops": 1e22, "params": 7e9, "tokens": 1e12, "loss": 2.15}
ONE, TWO, THREE = (list(combinations(KNOWN, count)) for count in (1, 2, 3))


def options_for(names: tuple[str, ...], values: dict[str, Any] = KNOWN) -> list[str]:
    return [part for name in names for part in (f"--{name}", repr(values[name]))]


def epoch_loss(params: float, tokens: float) -> float:
    """Besiroglu et al. 2024, arXiv:2404.10102, Table 1."""
    return 1.8172 + 482.01 / params**0.3478 + 2085.43 / tokens**0.3658


@pytest.mark.parametrize("names", ONE + TWO, ids="+".join)
def test_plan_solves_for_the_rest(ask: Ask, names: tuple[str, ...]) -> None:
    row = row_of(ask("plan", *options_for(names), "--law", EPOCH, "-f", "json"))
    assert all(row[name] == KNOWN[name] for name in names)
    assert row["flops"] == pytest.approx(6 * row["params"] * row["tokens"], rel=1e-9)
    assert row["loss"] == pytest.approx(epoch_loss(row["params"], row["tokens"]), rel=1e-9)
    assert row["tokens_per_param"] == pytest.approx(row["tokens"] / row["params"])


@pytest.mark.parametrize("names", ONE, ids="+".join)
def test_one_known_gives_the_optimum(ask: Ask, names: tuple[str, ...]) -> None:
    row = row_of(ask("plan", *options_for(names), "--law", EPOCH, "-f", "json"))
    for factor in (0.9, 1.1):  # any other split of the same budget is worse
        assert row["loss"] < epoch_loss(factor * row["params"], row["tokens"] / factor)


@pytest.mark.parametrize("names", TWO, ids="+".join)
def test_two_knowns_tell_the_cost_of_being_off_optimal(ask: Ask, names: tuple[str, ...]) -> None:
    row = row_of(ask("plan", *options_for(names), "--law", EPOCH, "-f", "json"))
    optimum = row_of(ask("plan", "--flops", repr(row["flops"]), "--law", EPOCH, "-f", "json"))
    assert row["optimal_params"] == pytest.approx(optimum["params"], rel=1e-6)
    assert row["optimal_loss"] == pytest.approx(optimum["loss"], rel=1e-9)
    assert row["loss"] >= row["optimal_loss"]
    least = row_of(ask("plan", "--loss", repr(row["loss"]), "--law", EPOCH, "-f", "json"))
    assert row["flops_same_loss"] == pytest.approx(least["flops"], rel=1e-6)
    assert 0.0 < row["waste"] == pytest.approx(1.0 - row["flops_same_loss"] / row["flops"])


def test_flops_and_loss_give_the_fewest_params_and_note_the_most(ask: Ask) -> None:
    row = row_of(ask("plan", "--flops", "1e22", "--loss", "2.2", "--law", EPOCH, "-f", "json"))
    assert row["params"] < row["optimal_params"]
    (note,) = [note for note in row["notes"] if "reach this loss" in note]
    fewest, most = (float(text) for text in re.findall(r"\d\S*e\S+", note))
    assert fewest == pytest.approx(row["params"], rel=1e-3)
    assert epoch_loss(most, 1e22 / (6 * most)) == pytest.approx(2.2, rel=1e-3)


@pytest.mark.parametrize("law", ["openai", "chinchilla", EPOCH, "muennighoff-2023", "deepseek", "llama3"])
def test_every_single_known_walks_one_curve(ask: Ask, law: str) -> None:
    start_row = row_of(ask("plan", "--flops", "1e21", "--law", law, "-f", "json"))
    values = {name: start_row[name] for name in KNOWN if start_row[name] is not None}
    for name in values:
        row = row_of(ask("plan", f"--{name}", repr(values[name]), "--law", law, "-f", "json"))
        assert {key: row[key] for key in values} == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("names", [*THREE, tuple(KNOWN)], ids="+".join)
def test_three_knowns_are_refused(ask: Ask, names: tuple[str, ...]) -> None:
    message = refusal(ask("plan", *options_for(names)), 2)
    assert "6ND" in message
    assert all(f"--{name}" in message for name in names)


def test_no_known_is_refused(ask: Ask) -> None:
    assert "--flops" in refusal(ask("plan"), 2)
    assert "--flops" in refusal(ask("compare"), 2)
    assert "--tokens" in refusal(ask("loss", "--params", "7B"), 2)


@pytest.mark.parametrize(
    ("names", "reach"),
    [
        (("--loss", "1.8"), "1.8172"),
        (("--loss", "1.8172"), "1.8172"),
        (("--params", "7B", "--loss", "1.9"), "1.9987"),
        (("--tokens", "7B", "--loss", "1.9"), "2.3394"),
        (("--flops", "1e22", "--loss", "2"), "2.141"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_an_unreachable_loss_has_no_answer(ask: Ask, names: tuple[str, ...], reach: str) -> None:
    assert reach in refusal(ask("plan", *names, "--law", EPOCH), 3)


def test_a_pf_day(ask: Ask) -> None:
    row = row_of(ask("plan", "--flops", "3640 PF-days", "--law", EPOCH, "-f", "json"))
    assert row["flops"] == 3640 * 8.64e19
    assert row["flops"] == pytest.approx(3.14e23, rel=2e-3)  # GPT-3: Brown et al. 2020, Table D.1
    assert row["flops"] == row_of(ask("plan", "--flops", "3640PFd", "--law", EPOCH, "-f", "json"))["flops"]


# loss and compare


def test_loss_takes_itself_apart(ask: Ask) -> None:
    row = row_of(ask("loss", "--params", "7B", "--tokens", "1T", "--law", EPOCH, "-f", "json"))
    assert row["flops"] == 6 * 7e9 * 1e12
    assert row["loss"] == pytest.approx(epoch_loss(7e9, 1e12))
    assert row["irreducible"] == pytest.approx(1.8172)
    assert row["loss_from_params"] == pytest.approx(482.01 / 7e9**0.3478)
    assert row["loss_from_tokens"] == pytest.approx(2085.43 / 1e12**0.3658)


@pytest.mark.parametrize(("law", "params", "tokens"), [("openai", 5.37, 1.86), ("chinchilla", 3.16, 3.16)])
def test_growth_for_ten_times_the_compute(ask: Ask, law: str, params: float, tokens: float) -> None:
    rows = rows_of(ask("compare", "--flops", "1e21", "--decades", "3", "--law", law, "-f", "json"))
    assert [row["flops"] for row in rows] == pytest.approx([1e21, 1e22, 1e23, 1e24])
    for row in rows:
        assert row["params_growth"] == pytest.approx(params, abs=0.005)
        assert row["tokens_growth"] == pytest.approx(tokens, abs=0.005)
    for row, above in zip(rows, rows[1:], strict=False):
        assert row["loss_gain"] == pytest.approx(row["loss"] - above["loss"])


def test_compare_says_where_laws_disagree(ask: Ask) -> None:
    laws = ("--law", EPOCH, "--law", "chinchilla", "--law", "openai")
    answer = parse_strictly(ask("compare", "--flops", "1e22", "--decades", "1", *laws, "-f", "json").out)
    assert list(answer) == ["schema", "rows", "spread", "notes"]
    for spread in answer["spread"]:
        assert in_order(list(spread), SPREAD_KEYS)
        like = [row for row in answer["rows"] if all(row[key] == spread[key] for key in SPREAD_KEYS[:3])]
        params = sorted(row["params"] for row in like)
        assert (len(params), params[0], params[-1]) == (spread["laws"], spread["params_min"], spread["params_max"])
        assert spread["params_min"] <= spread["params_median"] <= spread["params_max"]
    assert sorted(spread["laws"] for spread in answer["spread"]) == [1, 1, 2, 2]


def test_no_decade_is_one_budget(ask: Ask) -> None:
    assert row_of(ask("compare", "--flops", "1e22", "--decades", "0", "--law", EPOCH, "-f", "json"))["flops"] == 1e22


# formats


@pytest.mark.parametrize("question", ANSWERS, ids=" ".join)
def test_json(ask: Ask, question: tuple[str, ...]) -> None:
    schema, keys = ANSWERS[question]
    answer = parse_strictly(ask(*question, "-f", "json").out)
    assert answer["schema"] == f"scaling.{schema}/1"
    assert list(answer)[:2] == ["schema", "rows"]
    assert isinstance(answer["notes"], list)
    assert answer["rows"]
    for row in answer["rows"]:
        assert in_order(list(row), keys)


@pytest.mark.parametrize("question", ANSWERS, ids=" ".join)
def test_csv_has_the_columns_of_the_json(ask: Ask, question: tuple[str, ...]) -> None:
    rows = parse_strictly(ask(*question, "-f", "json").out)["rows"]
    found = list(csv.DictReader(io.StringIO(ask(*question, "-f", "csv").out)))
    assert len(found) == len(rows)
    for cells, row in zip(found, rows, strict=True):
        assert list(cells) == list(row)
        for key, value in row.items():
            if isinstance(value, float):
                assert float(cells[key]) == value
            if key == "notes":
                assert cells[key] == "; ".join(value)


@pytest.mark.parametrize("question", ANSWERS, ids=" ".join)
def test_markdown_is_tables(ask: Ask, question: tuple[str, ...]) -> None:
    blocks = ask(*question, "-f", "markdown").out.split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert tables
    for header, rule, *lines in tables:
        assert re.fullmatch(r"\|( -+:? \|)+", rule)
        assert lines
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in (header, *lines)} == {rule.count("|")}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("question", ANSWERS, ids=" ".join)
def test_a_pipe_gets_all_of_it_without_colour(
    ask: Ask, question: tuple[str, ...], fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = ask(*question, "-f", fmt)
    assert (ran.code, ran.err) == (0, "")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ask(*question, "-f", fmt) == ran
    assert "\x1b" not in ran.out
    assert "…" not in ran.out
    assert ran.out.endswith("\n")
    assert not ran.out.endswith("\n\n")


def test_the_default_format_is_the_table(ask: Ask) -> None:
    assert ask(*PLAN).out == ask(*PLAN, "--format", "table").out


def test_errors_are_text_in_every_format(ask: Ask) -> None:
    for fmt in FORMATS:
        assert refusal(ask("plan", "--loss", "1", "--law", EPOCH, "-f", fmt), 3).startswith("error: ")


def test_a_format_is_never_dropped_in_silence(ask: Ask) -> None:
    ran = ask("laws", "--format", "json", "show", "chinchilla")
    assert ran.code == 2 or parse_strictly(ran.out)["schema"] == "scaling.laws.show/1"


def test_the_same_question_gives_the_same_bytes() -> None:
    asked = [
        run_process("compare", "--flops", "1e22", "--law", "all", "-f", "json", env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert asked[0] == asked[1]
    assert asked[0].code == 0


# which law


def test_two_laws_stand_apart_by_what_n_counts(ask: Ask) -> None:
    rows = rows_of(ask("plan", "--flops", "1e21", "--law", "openai", "--law", "chinchilla", "-f", "json"))
    assert {row["law"]: row["params_kind"] for row in rows} == {
        "kaplan-2020": "non_embedding",
        "hoffmann-2022": "total",
    }
    assert {row["law"]: row["params"] for row in rows}["kaplan-2020"] == pytest.approx(4.68e9, rel=2e-3)
    shown = ask("plan", "--flops", "1e21", "--law", "openai", "--law", "chinchilla", "-f", "markdown").out
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        "### text, N counts non\\_embedding",
        "### text, N counts total",
    ]


def test_the_default_law_is_chinchilla_and_a_law_is_asked_once(ask: Ask) -> None:
    names = ("--law", "chinchilla", "--law", "hoffmann-2022", "-l", "chinchilla")
    assert row_of(ask("plan", "--flops", "1e22", "-f", "json")) == row_of(
        ask("plan", "--flops", "1e22", *names, "-f", "json")
    )


ALL_QUESTIONS = [("plan", *options_for(names)) for names in ONE + TWO]
ALL_QUESTIONS += [("loss", "--params", "7B", "--tokens", "1T"), ("compare", "--flops", "1e21", "--decades", "1")]


@pytest.mark.parametrize("question", ALL_QUESTIONS, ids=" ".join)
def test_all_laws_answer_or_say_why_not(ask: Ask, question: tuple[str, ...]) -> None:
    catalogue = rows_of(ask("laws", "-f", "json"))
    with_constants = {entry["id"] for entry in catalogue if not entry["status"].startswith("form")}
    rows = rows_of(ask(*question, "--law", "all", "-f", "json"))
    assert {row["law"] for row in rows} == with_constants
    for row in rows:
        if None in (row["flops"], row["params"], row["tokens"], row["loss"]):
            assert row["notes"]
        if row.get("waste") is not None:
            assert 0.0 <= row["waste"] < 1.0
            assert row["loss"] >= row["optimal_loss"]


def test_set_gives_a_variable_its_value(ask: Ask) -> None:
    openai = ("plan", "--flops", "1e21", "--law", "openai", "-f", "json")
    assert row_of(ask(*openai, "--set", "c_over_cmin=1"))["params"] == pytest.approx(7.77e9, rel=2e-3)
    data = ("plan", "--flops", "1e22", "--law", "muennighoff-2023", "-f", "json")
    scarce, plenty = (row_of(ask(*data, "--set", f"U={unique}")) for unique in ("10B", "10T"))
    assert scarce["loss"] > plenty["loss"]
    assert scarce["params"] != plenty["params"]


def test_a_variable_without_default_is_asked_for(ask: Ask) -> None:
    tao = ("plan", "--flops", "1e22", "--law", "tao-2024", "-f", "json")
    assert "--set V=" in refusal(ask(*tao), 2)
    assert row_of(ask(*tao, "--set", "V=32k", "--set", "width=4096"))["params"] > 0


@pytest.mark.parametrize("text", ["Q=1", "P", "P=", "=1", "P=x", "P=nan", "N=1e9", "P=1e400", "P Q=1"])
def test_a_wrong_setting_is_refused(ask: Ask, tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    assert text.split("=")[0] in refusal(ask(*PLAN[:3], "--law", f"{tmp_path}/own.yaml", "--set", text), 2)


@pytest.mark.parametrize(
    "argv",
    [
        ("plan", "--flops", "1e25", "--law", EPOCH),
        ("loss", "--params", "1T", "--tokens", "1T", "--law", EPOCH),
        ("compare", "--flops", "1e22", "--law", EPOCH),
        ("plan", "--flops", "1e22", "--law", EPOCH, "--law", "chinchilla"),
    ],
    ids=" ".join,
)
def test_strict_refuses_what_lies_outside_the_range(ask: Ask, argv: tuple[str, ...]) -> None:
    assert "outside the experimented range" in ask(*argv).out
    assert "outside the experimented range" in refusal(ask(*argv, "--strict"), 3)


def test_strict_lets_the_range_pass(ask: Ask) -> None:
    assert ask(*PLAN, "--strict") == ask(*PLAN)
    assert ask(*PLAN, "--strict").code == 0


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (("plna", "--flops", "1e22"), "plan"),
        (("comapre",), "compare"),
        (("laws", "shwo", "chinchilla"), "show"),
        (("plan", "--flops", "1e22", "--law", "chinchila"), "chinchilla"),
        (("plan", "--flops", "1e22", "--law", "Kaplan"), "kaplan"),
        (("laws", "show", "hofmann-2022"), "hoffmann-2022"),
        (("laws", "check", "besiroglu"), EPOCH),
    ],
    ids=" ".join,
)
def test_did_you_mean(ask: Ask, argv: tuple[str, ...], meant: str) -> None:
    assert re.search(rf"did you mean .*{meant}", refusal(ask(*argv), 2), re.IGNORECASE)


# laws


def test_laws_are_all_presets_by_id(ask: Ask) -> None:
    ids = [row["id"] for row in rows_of(ask("laws", "-f", "json"))]
    assert ids == sorted(path.stem for path in Path(LAWS).glob("*.yaml"))


def test_show_tells_the_source_and_the_constants(ask: Ask) -> None:
    answer = parse_strictly(ask("laws", "show", "chinchilla", "-f", "json").out)
    assert answer["law"]["id"] == "hoffmann-2022"
    assert answer["law"]["source"]["arxiv"] == "2203.15556"
    shown = ask("laws", "show", "chinchilla").out
    assert "Hoffmann et al." in shown
    assert "N_anchor * (C / C_anchor)**a" in shown


def test_every_shipped_figure_holds(ask: Ask) -> None:
    rows = rows_of(ask("laws", "check", "-f", "json"))
    assert len(rows) > 400
    assert {row["verdict"] for row in rows} == {"holds"}
    for row in rows:
        assert (abs(row["difference"]) <= row["tolerance"]) == (row["kind"] != "errata")
    assert rows == rows_of(ask("laws", "check", "all", "-f", "json"))


def altered_preset(folder: Path) -> str:
    text = (Path(LAWS) / f"{EPOCH}.yaml").read_text()
    assert "alpha: 0.3478" in text
    path = folder / f"{EPOCH}.yaml"
    path.write_text(text.replace("alpha: 0.3478", "alpha: 0.3578"))
    return str(path)


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_altered_constant_fails_its_figure(ask: Ask, tmp_path: Path, fmt: str) -> None:
    ran = ask("laws", "check", altered_preset(tmp_path), "-f", fmt)
    assert (ran.code, ran.err) == (1, "")
    if fmt == "json":
        failing = [row["relation"] for row in parse_strictly(ran.out)["rows"] if row["verdict"] == "fails"]
        assert failing == ["optimal_params_exponent", "tokens_per_param"]
    else:
        line = next(line for line in ran.out.replace("\\", "").splitlines() if "optimal_params_exponent" in line)
        assert "0.5126" in line
        assert "fails" in line


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_law_without_figures_is_unverified(ask: Ask, tmp_path: Path, fmt: str) -> None:
    (tmp_path / "short.yaml").write_text(SHORT)
    ran = ask("laws", "check", f"{tmp_path}/short.yaml", "-f", fmt)
    assert (ran.code, ran.err) == (0, "")
    assert "verdict" in ran.out if fmt == "csv" else "unverified" in ran.out


# laws of the user


def test_the_short_form(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short.yaml").write_text(SHORT)
    monkeypatch.chdir(tmp_path)
    row = row_of(ask("plan", "--flops", "1e22", "--law", "short.yaml", "-f", "json"))
    assert row["law"] == "short"
    assert row["params"] == pytest.approx(3e9 * 10**0.6)
    assert row["tokens"] == pytest.approx(1e22 / (6 * row["params"]))
    assert row["loss"] is None
    assert row["notes"]
    back = row_of(ask("plan", "--tokens", repr(row["tokens"]), "--law", "short.yaml", "-f", "json"))
    assert back["flops"] == pytest.approx(1e22, rel=1e-6)
    (step, _) = rows_of(ask("compare", "--flops", "1e21", "--decades", "1", "--law", "short.yaml", "-f", "json"))
    assert step["params_growth"] == pytest.approx(10**0.6)
    refusal(ask("loss", "--params", "3B", "--tokens", "1T", "--law", "short.yaml"), 3)
    refusal(ask("plan", "--loss", "2", "--law", "short.yaml"), 3)


def own_loss(params: float, tokens: float, bits: float) -> float:
    return 1.8 + 480 / (params * (1 - math.exp(-bits / 3))) ** 0.35 + 2100 / tokens**0.37


@pytest.mark.parametrize(("setting", "bits"), [((), 16), (("--set", "P=4"), 4)], ids=["default", "set"])
def test_a_formula_of_ones_own(ask: Ask, tmp_path: Path, setting: tuple[str, ...], bits: float) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    law = ("--law", f"{tmp_path}/own.yaml", *setting, "-f", "json")
    row = row_of(ask("plan", "--flops", "1e22", *law))
    assert row["loss"] == pytest.approx(own_loss(row["params"], row["tokens"], bits))
    for factor in (0.9, 1.1):
        assert row["loss"] < own_loss(factor * row["params"], row["tokens"] / factor, bits)
    parts = row_of(ask("loss", "--params", "1B", "--tokens", "100B", *law))
    assert parts["loss"] == pytest.approx(own_loss(1e9, 1e11, bits))
    assert parts["loss_from_params"] == pytest.approx(own_loss(1e9, math.inf, bits) - 1.8)
    steps = rows_of(ask("compare", "--flops", "1e22", "--decades", "2", *law))
    assert steps[0]["params"] == row["params"]
    assert steps[0]["params_growth"] == pytest.approx(10 ** (0.37 / 0.72))


def test_a_law_of_ones_own_beside_a_shipped_one(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    rows = rows_of(ask(*PLAN, "--law", f"{tmp_path}/own.yaml", "-f", "json"))
    assert sorted(row["law"] for row in rows) == [EPOCH, "own"]


def test_two_laws_of_one_id_are_not_mixed_up(ask: Ask, tmp_path: Path) -> None:
    ran = ask(*PLAN, "--law", altered_preset(tmp_path), "-f", "json")
    assert ran.code == 2 or len({row["params"] for row in rows_of(ran)}) == 2


def test_a_law_from_standard_input(ask: Ask) -> None:
    assert ask("laws", "check", "-", stdin=OWN).code == 0
    assert row_of(ask("plan", "--flops", "1e22", "--law", "-", "-f", "json", stdin=OWN))["law"] == "own"


# the impossible is refused, not a traceback


@pytest.mark.parametrize(
    "argv",
    [
        ("loss", "--params", "1e-200", "--tokens", "1e-200"),
        ("plan", "--params", "1e-200", "--tokens", "1e-200"),
        ("plan", "--flops", "1e-200", "--params", "1e200"),
        ("plan", "--flops", "1e-200", "--tokens", "1e200"),
        ("plan", "--params", "1e300", "--tokens", "1e300"),
        ("plan", "--params", "1e300"),
        ("plan", "--loss", "1e300"),
    ],
    ids=" ".join,
)
def test_numbers_that_no_double_holds(ask: Ask, argv: tuple[str, ...]) -> None:
    refusal(ask(*argv, "--law", EPOCH), 3)


@pytest.mark.parametrize("argv", [("plan", "--flops", "1e-300")])
def test_extremes_stay_json_and_readable(ask: Ask, argv: tuple[str, ...]) -> None:
    row = row_of(ask(*argv, "--law", EPOCH, "-f", "json"))
    assert not re.search(r"\b(inf|nan)", " ".join(row["notes"]))


@pytest.mark.parametrize(
    "relations",
    [
        "optimal_params: {formula: 0 * C}",
        "optimal_params: {formula: -C}",
        "optimal_params: {formula: exp(C)}",
        "optimal_tokens: {formula: log(C / 1e30)}",
        "loss: {formula: N}",
        "loss: {formula: 1 / N}",
        "loss: {formula: sqrt(-N) + 1 / D}",
        "loss: {formula: N**N + 1 / D}",
        "loss: {formula: L + 1 / N}",
        "{flops: {formula: -6 * N * D}, loss: {formula: 1 + 1 / N + 1 / D}}",
        "{flops: {formula: 0 * N * D}, loss: {formula: 1 + 1 / N + 1 / D}}",
        "{flops: {formula: 1e40 / (N * D)}, loss: {formula: 1 + 1 / N + 1 / D}}",
    ],
)
@pytest.mark.parametrize("names", [("flops",), ("flops", "params"), ("params", "tokens")], ids="+".join)
def test_a_law_that_makes_no_sense_never_crashes(
    ask: Ask, tmp_path: Path, relations: str, names: tuple[str, ...]
) -> None:
    body = relations if relations.startswith("{") else f"{{{relations}}}"
    (tmp_path / "odd.yaml").write_text(f"id: odd\nrelations: {body}\n")
    ran = ask("plan", *options_for(names), "--law", f"{tmp_path}/odd.yaml", "-f", "json")
    if ran.code:
        refusal(ran, 3)
    else:
        row = row_of(ran)
        assert all(row[key] is None or row[key] > 0 for key in ("flops", "params", "tokens"))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("command", [("laws", "show"), ("plan", "--flops", "1e22", "--law"), ("laws", "check")])
def test_text_of_a_file_is_inert(ask: Ask, tmp_path: Path, command: tuple[str, ...], fmt: str) -> None:
    hostile = '"[red]x[/red] \\e[2J \\u202e | `y` =1+1"'
    text = OWN.replace("meaning: precision", f"meaning: {hostile}").replace("bits", hostile)
    checks = f"checks: [{{of: loss, given: {{N: 1e9, D: 1e9}}, expect: 1, tolerance: 9, where: {hostile}}}]"
    relation = f"  extra: {{formula: N, where: {hostile}, unit: {hostile}, meaning: {hostile}}}"
    (tmp_path / "own.yaml").write_text(f"title: {hostile}\n{text}{relation}\nnotes: [{hostile}]\n{checks}\n")
    ran = ask(*command, f"{tmp_path}/own.yaml", "-f", fmt)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    if fmt == "table":
        assert "[red]x[/red]" in ran.out


# terminals, pipes, shells

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX terminals and files")


def on_terminal(*argv: str, **env: str) -> str:
    """Return what a terminal of 60 columns gets to see."""
    import fcntl
    import pty
    import struct
    import termios

    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with start(*argv, stdout=inside, env={"TERM": "xterm", **env}) as process:
        os.close(inside)
        out = b"".join(_read_all(outside))
        assert process.wait(timeout=HANG) == 0
    os.close(outside)
    return out.decode().replace("\r\n", "\n")


def _read_all(source: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(source, 65536)
        except OSError:  # Linux: the other end is closed
            return
        if not data:
            return
        yield data


@posix
@pytest.mark.parametrize(
    ("env", "colour"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_colour_is_for_terminals(env: dict[str, str], colour: bool) -> None:
    shown = on_terminal(*PLAN, **env)
    assert ("\x1b" in shown) == colour
    assert EPOCH in shown


@posix
@pytest.mark.parametrize(("columns", "width"), [("", 60), ("45", 45), ("-1", 60), ("abc", 60)])
def test_a_table_fits_the_terminal(columns: str, width: int) -> None:
    shown = on_terminal("plan", "--flops", "1e22", NO_COLOR="1", COLUMNS=columns)
    assert width - 20 < max(map(len, shown.splitlines())) <= width
    assert "…" not in shown


TALKS = [("laws",), PLAN, (*PLAN, "-f", "json"), ("--help",), ("plan", "--help"), ("--version",)]


@posix
@pytest.mark.parametrize("argv", TALKS, ids=" ".join)
def test_a_reader_that_has_gone_away_is_no_error(argv: tuple[str, ...]) -> None:
    reader, out = os.pipe()
    os.close(reader)
    ran = run_process(*argv, stdout=out)
    os.close(out)
    assert (ran.code, ran.err) == (0, "")


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("argv", TALKS, ids=" ".join)
def test_a_full_disk_is_an_error(argv: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        ran = run_process(*argv, stdout=full)
    assert "write" in refusal(ran, 2)


@posix
@pytest.mark.parametrize("argv", TALKS, ids=" ".join)
def test_a_closed_stdout_is_no_traceback(argv: tuple[str, ...]) -> None:
    ran = run_process(*argv, preexec_fn=lambda: os.close(1))
    assert "Traceback" not in ran.err
    assert ran.code in (0, 2)
    assert ran.code == 2 or "help" in argv[-1] or "version" in argv[-1]


@posix
def test_a_full_stderr_keeps_the_exit_code() -> None:
    with open("/dev/full", "wb") as full:
        assert run_process("plan", "--loss", "1", "--law", EPOCH, stderr=full).code == 3


def test_an_interruption_is_130(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scaling_cli.core.comparisons.plan_laws", interrupt)
    ran = ask(*PLAN)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err


def complete(words: str) -> Ran:
    env = {"_SCALING_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return run_process(env=env)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("scaling ", list(COMMANDS)),
        ("scaling plan --law chin", ["chinchilla", "chinchilla-parametric"]),
        ("scaling compare -l kap", ["kaplan", "kaplan-2020"]),
        ("scaling loss --law al", ["all"]),
        ("scaling laws show open", ["openai"]),
        ("scaling laws check besiroglu-2024-", ["besiroglu-2024-refit"]),
        ("scaling laws ", ["show", "check"]),
        ("scaling plan --format m", ["markdown"]),
        ("scaling plan --fl", ["--flops"]),
    ],
)
def test_completion(words: str, offered: list[str]) -> None:
    ran = complete(words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split() == offered


@pytest.mark.parametrize("words", ["scaling plna --law chin", "scaling nothing "])
def test_completion_of_nonsense_is_silent(words: str) -> None:
    assert complete(words).err == ""


# help


@pytest.mark.parametrize("command", [(), ("plan",), ("loss",), ("compare",), ("laws",), ("laws", "show")], ids=" ".join)
def test_the_example_in_the_help_runs(ask: Ask, command: tuple[str, ...]) -> None:
    shown = ask(*command, "--help")
    assert (shown.code, shown.err) == (0, "")
    (example,) = re.findall(r"Example: scaling (.*?)\n\n", shown.out, re.DOTALL)
    assert ask(*example.split()).code == 0


def test_the_version(ask: Ask) -> None:
    from importlib.metadata import version

    assert ask("--version").out == version("scaling-cli") + "\n"


@pytest.mark.parametrize("argv", [(), ("laws", "show"), ("plan", "extra"), ("plan", "-h"), ("laws", "nothing"), ("",)])
def test_wrong_usage_exits_2(ask: Ask, argv: tuple[str, ...]) -> None:
    refusal(ask(*argv), 2)
