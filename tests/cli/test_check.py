"""`scaling check` as people and pipelines ask it: argv in; exit code, stdout and stderr out."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scaling_cli.checks import check_file
from scaling_cli.cli.app import main
from scaling_cli.cli.checked_output import FACES, FORMATS
from scaling_cli.core.findings import Finding
from scaling_cli.files.budget_schema import schema_text

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "examples" / "outputs"
EXAMPLE = "examples/scaling.yaml"
ONE_RUN = ("--flops", "1e23", "--params", "70B", "--gpu", "h100", "--price", "2.5")
ROW_KEYS = ["run", "rule", "level", "value", "limit", "over", "file", "line"]
BUDGET = "runs: {{{run}: {{params: 7B, tokens: 140B}}}}\npolicy: {{each: {{{level}: {{max: {{flops: {flops}}}}}}}}}\n"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Ran]
Write = Callable[..., str]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*argv: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        return Ran(int(caught.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def budget(tmp_path: Path) -> Write:
    """Return a file with one run of 5.88e21 FLOPs and one limit."""

    def write(level: str = "deny", flops: str = "1e21", run: str = "a", name: str = "scaling.yaml") -> str:
        path = tmp_path / name
        path.write_text(BUDGET.format(run=run, level=level, flops=flops), encoding="utf-8")
        return str(path)

    return write


def refusal(ran: Ran, code: int = 2) -> str:
    assert ran.code == code, ran.err or ran.out
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    return ran.err


# exit codes


def test_0_where_every_limit_is_kept(ask: Ask, budget: Write) -> None:
    ran = ask("check", budget(flops="1e22"))
    assert ran.code == 0
    assert "passed: 0 findings in 1 run" in ran.out


def test_1_where_one_is_not(ask: Ask, budget: Write) -> None:
    ran = ask("check", budget())
    assert ran.code == 1
    assert "failed: 1 finding in 1 run" in ran.out
    assert ran.err == ""


def test_warnings_fail_only_when_they_are_told_to(ask: Ask, budget: Write) -> None:
    path = budget(level="warn")
    assert ask("check", path).code == 0
    assert ask("check", path, "--fail-on", "warn").code == 1
    assert ask("check", path, "--fail-on", "never").code == 0
    assert ask("check", budget(), "--fail-on", "never").code == 0
    assert "--fail-on is 'max'" in refusal(ask("check", path, "--fail-on", "max"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("check",), "nothing to check: no run is given"),
        (("check", "--flops", "1e22"), "nothing to check: no limit is given"),
        (("check", "--max", "flops=1e22"), "nothing to check: no run is given"),
        (("check", "none.yaml"), "no such file"),
        (("check", "."), "is a directory"),
        (("check", "--flops", "1e22", "--max", "flops=nan"), "finite"),
        (("check", "--flops", "nan", "--max", "flops=1e22"), "finite"),
        (("check", "--flops", "1e22", "--law", "no-such", "--max", "flops=1e22"), "no law has the preset name"),
        (("check", *ONE_RUN[:4], "--max", "dollars=1M"), "a limit on dollars needs more of the run"),
        (("check", *ONE_RUN, "--max", "days=9"), "give --gpu h100 --gpus 512"),
        (("check", *ONE_RUN, "--max", "dolars=1"), "did you mean dollars?"),
        (("check", *ONE_RUN, "--max", "dollars"), "expected NAME=VALUE"),
        (("check", *ONE_RUN, "--max", "disagreement=3"), "needs more of the run"),
        (("check", EXAMPLE, "--max", "dollars=1"), "--max cannot be given with FILE"),
        (("check", EXAMPLE, "--format", "xml"), "no format named 'xml'"),
        (("check", EXAMPLE, "--baseline", "none.yaml"), "no such file"),
        (("check", *ONE_RUN, "--max", "flops=1e22", "--baseline", EXAMPLE), "without a budget file"),
        (("check", "--schema", "--flops", "1e22"), "--flops cannot be given with --schema"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_2_where_the_question_is_wrong(
    ask: Ask, argv: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert message in refusal(ask(*argv))


def test_3_where_a_law_has_no_answer(ask: Ask, budget: Write, tmp_path: Path) -> None:
    path = tmp_path / "scaling.yaml"
    path.write_text("runs: {a: {loss: 1.0}}\npolicy: {each: {deny: {max: {flops: 1e22}}}}\n")
    assert "line 1: runs.a" in refusal(ask("check", str(path)), 3)
    refusal(ask("check", *ONE_RUN, "--law", "llama3-2024", "--max", "waste=10%"), 3)


# one run on the command line


def test_a_run_without_a_file(ask: Ask) -> None:
    ran = ask("check", *ONE_RUN, "--max", "dollars=1M", "--min", "tokens_per_param=15", "-f", "json")
    assert ran.code == 1
    (row,) = json.loads(ran.out)["rows"]
    assert list(row)[:8] == ROW_KEYS
    assert (row["run"], row["rule"], row["line"], row["file"]) == ("run", "min tokens_per_param", 0, "")
    assert row["value"] == pytest.approx(1e23 / 6 / 7e10 / 7e10)


def test_several_laws_disagree(ask: Ask) -> None:
    ran = ask("check", *ONE_RUN, "-l", "chinchilla", "-l", "openai", "--max", "disagreement=2", "-f", "json")
    assert json.loads(ran.out)["rows"][0]["rule"] == "max disagreement"
    assert any("what N counts" in note for note in json.loads(ran.out)["notes"])


def test_its_dollars_are_those_of_plan(ask: Ask) -> None:
    planned = json.loads(ask("plan", *ONE_RUN, "-f", "json").out)["rows"][0]
    checked = json.loads(ask("check", *ONE_RUN, "--max", "dollars=1", "-f", "json").out)
    assert checked["rows"][0]["value"] == planned["dollars"]
    for name in ("flops", "params", "tokens", "loss", "waste", "gpu_hours"):
        assert checked["plans"][0][name] == planned[name]


@pytest.mark.parametrize("data", [(), ("--unique-tokens", "20B"), ("--inference-tokens", "1T")], ids=" ".join)
def test_a_run_has_the_numbers_of_plan(ask: Ask, data: tuple[str, ...]) -> None:
    run = ("--params", "7B", "--tokens", "140B", "--gpu", "h100", "--gpus", "64", "--price", "2", *data)
    planned = json.loads(ask("plan", *run, "-f", "json").out)["rows"][0]
    (plan,) = json.loads(ask("check", *run, "--max", "flops=1e18", "-f", "json").out)["plans"]
    names = [name for name in plan if name in planned and planned[name] is not None]
    assert {"loss", "waste", "days", "dollars"} <= set(names)
    assert {name: plan[name] for name in names} == {name: planned[name] for name in names}


MIXTURE = {
    "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2,
    "vocab_size": 32000,
}  # fmt: skip


@pytest.mark.parametrize("law", ["chinchilla", "openai", "krajewski-2024", "abnar-2025", "hunyuan-2024"])
def test_a_mixture_has_the_numbers_and_notes_of_plan(law: str, ask: Ask, tmp_path: Path) -> None:
    """One token meets 12.9B of its 46.7B params (Jiang et al. 2024), and memory holds them all: 93.4 GB."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTURE), encoding="utf-8")
    run = ("--law", law, "--config", str(path), "--tokens", "1T", "-f", "json")
    (planned,) = json.loads(ask("plan", *run, "--serve-precision", "bf16").out)["rows"]
    checked = json.loads(ask("check", *run, "--max", "memory=1GB").out)
    (plan,) = checked["plans"]
    for name in ("flops", "params", "tokens", "memory_bytes"):
        assert plan[name] == planned[name], name
    assert plan["memory_bytes"] == 2.0 * 46_702_792_704
    of_file = [note for note in planned["notes"] if note.startswith(str(path))]
    assert of_file
    assert set(of_file) <= set(checked["notes"])


def test_the_memory_of_a_mixture_is_not_limited_by_what_one_token_meets(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTURE), encoding="utf-8")
    run = ("plan", "--config", str(path), "--tokens", "1T", "--max")
    assert ask(*run, "memory=100GB").code == 0
    refused = ask(*run, "memory=40GB")
    assert refused.code == 3
    assert "93.4 GB" in refused.err


def test_inference_that_plan_can_not_count_is_refused(ask: Ask) -> None:
    run = ("-l", "krajewski-2024", "--params", "141B", "--tokens", "1T", "--inference-tokens", "2T")
    said = ask("plan", *run)
    assert said.code == 3
    assert ask("check", *run, "--max", "lifetime_flops=1e30") == said


# a file


def test_the_example_breaks_one_rule_a_run(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run fits, one is over dollars, one over-trained on repeated data, one far outside its law."""
    monkeypatch.chdir(ROOT)
    ran = ask("check", EXAMPLE, "-f", "json")
    data = json.loads(ran.out)
    assert ran.code == 1
    assert [(row["run"], row["rule"], row["level"]) for row in data["rows"]] == [
        ("main-70b", "max dollars", "deny"),
        ("code-3b", "max epochs", "warn"),
        ("int8-60b", "max extrapolation", "deny"),
    ]
    lines = (ROOT / EXAMPLE).read_text(encoding="utf-8").splitlines()
    for row in data["rows"]:
        assert row["run"] in lines[row["line"] - 1]
    assert data["passed"] is False
    assert data["totals"]["flops"] == pytest.approx(sum(plan["flops"] for plan in data["plans"]))
    assert {"run", "flops", "days", "dollars", "loss", "params", "tokens"} <= set(data["plans"][0])


def close(made: Any, kept: Any) -> bool:
    """Whether two values are the same but for the last digits of numbers, which differ by platform."""
    if isinstance(kept, dict):
        return list(made) == list(kept) and all(close(made[key], kept[key]) for key in kept)
    if isinstance(kept, list):
        return len(made) == len(kept) and all(map(close, made, kept))
    return bool(made == (pytest.approx(kept, rel=1e-9) if isinstance(kept, float) else kept))


def number_or_text(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


ENDINGS = {"markdown": "md", "github": "annotations.txt", "junit": "xml", "sarif": "sarif"}
GOLDEN = {"check": (EXAMPLE,), "diff": ("examples/scaling-before.yaml", EXAMPLE)}


@pytest.mark.parametrize("command", GOLDEN)
def test_the_outputs_that_ship(ask: Ask, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scaling check examples/scaling.yaml -f csv > examples/outputs/check.csv`, and so on."""
    monkeypatch.chdir(ROOT)
    made = {fmt: ask(command, *GOLDEN[command], "-f", fmt).out for fmt in ("table", "json", "csv")}
    kept = {name: (OUTPUTS / f"{command}.{name}").read_text(encoding="utf-8") for name in ("txt", "json", "csv")}
    assert made["table"] == kept["txt"]
    assert close(json.loads(made["json"]), json.loads(kept["json"]))
    tables = [
        [list(map(number_or_text, row)) for row in csv.reader(io.StringIO(text))] for text in (made["csv"], kept["csv"])
    ]
    assert close(*tables)


@pytest.mark.parametrize("command", GOLDEN)
@pytest.mark.parametrize(("fmt", "ending"), list(ENDINGS.items()))
def test_the_faces_that_ship(ask: Ask, command: str, fmt: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scaling check examples/scaling.yaml -f sarif > examples/outputs/check.sarif`, and so on."""
    monkeypatch.chdir(ROOT)
    made = ask(command, *GOLDEN[command], "-f", fmt).out
    kept = (OUTPUTS / f"{command}.{ending}").read_text(encoding="utf-8")
    assert close(json.loads(made), json.loads(kept)) if fmt == "sarif" else made == kept


def test_the_rows_of_csv_are_those_of_json(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    rows = list(csv.DictReader(io.StringIO(ask("check", EXAMPLE, "-f", "csv").out)))
    for row, data in zip(rows, json.loads(ask("check", EXAMPLE, "-f", "json").out)["rows"], strict=True):
        assert list(row) == list(data)
        assert float(row["value"]) == data["value"]


def test_a_file_on_standard_input(budget: Write) -> None:
    text = Path(budget()).read_text(encoding="utf-8")
    command = [sys.executable, "-m", "scaling_cli", "check", "-", "-f", "json"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["file"], row["line"]) == ("", 1)
    wrong = subprocess.run(command, input="runs: 7\n", capture_output=True, text=True, timeout=10)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: standard input line 1: runs ")


def test_a_baseline_may_be_a_file_a_saved_answer_or_none(ask: Ask, budget: Write, tmp_path: Path) -> None:
    grown = "runs: {a: {params: 7B, tokens: 150B}}\npolicy: {total: {deny: {max_increase: {flops: 5%}}}}\n"
    head = tmp_path / "head.yaml"
    head.write_text(grown)
    base = budget()
    saved = tmp_path / "base.json"
    saved.write_text(ask("check", base, "-f", "json").out)
    assert "no baseline" in refusal(ask("check", str(head)))
    for baseline in (base, str(saved)):
        ran = ask("check", str(head), "--baseline", baseline, "-f", "json")
        assert ran.code == 1
        assert json.loads(ran.out)["rows"][0]["limit"] == pytest.approx(1.05 * 5.88e21)
    ran = ask("check", str(head), "--baseline", "none")
    assert ran.code == 0
    assert "not in the baseline" in ran.out


@pytest.mark.parametrize(
    "name", ["\\e[2J\\u202e[red]x", "<img src=x>", "=cmd|'/C calc'!A0", "a\\nb", "`x`|y", "::error::"]
)
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_hostile_name_stays_text(ask: Ask, budget: Write, fmt: str, name: str) -> None:
    if fmt in FACES:
        pytest.importorskip("scaling_cli.report.faces", reason="the further formats are not there")
    quoted = f'"{name}"' if "\\" in name else f'"{name}"'
    ran = ask("check", budget(run=quoted), "-f", fmt)
    assert ran.code == 1, ran.err
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    if fmt == "csv":
        assert next(csv.DictReader(io.StringIO(ran.out)))["run"][0] != "="
    wrong = refusal(ask("check", budget(run=quoted, flops="x")) if fmt == "table" else Ran(2, "", "error: "))
    assert "\x1b" not in wrong


def test_a_thousand_runs(ask: Ask, tmp_path: Path) -> None:
    """Tables are cut, with a note; JSON is whole."""
    runs = "\n".join(f"  run-{i}: {{params: {1 + i / 100}B, tokens: 200B}}" for i in range(1000))
    path = tmp_path / "scaling.yaml"
    path.write_text(
        f"runs:\n{runs}\npolicy: {{each: {{warn: {{max: {{flops: 1e18}}}}, deny: {{max: {{params: 10.9B}}}}}}}}\n"
    )
    data = json.loads(ask("check", str(path), "-f", "json").out)
    assert len(data["rows"]) == 1000 + 9
    assert len(data["plans"]) == 1000
    table = ask("check", str(path)).out
    assert "list all" in table
    assert table.count("deny") == 9


def test_the_library_finds_the_same(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    checked = check_file(EXAMPLE)
    data = json.loads(ask("check", EXAMPLE, "-f", "json").out)
    assert [list(finding) for finding in checked.findings] == [
        [row[name] for name in Finding._fields] for row in data["rows"]
    ]
    assert checked.totals == data["totals"]


def test_the_schema_is_printed(ask: Ask) -> None:
    ran = ask("check", "--schema")
    assert (ran.code, ran.out) == (0, schema_text())


def test_a_check_needs_nothing_heavy_but_yaml(budget: Write) -> None:
    code = (
        "import sys\nfrom scaling_cli.cli.app import main\ntry:\n    main()\n"
        "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, "check", budget(), "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, env={**os.environ, "COLUMNS": "80"})
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "yaml" in loaded
    assert not loaded & {"numpy", "scipy", "rich", "matplotlib", "pydantic"}
