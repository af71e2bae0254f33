"""`scaling plan` with a machine, limits, limited data and inference, through the command line in every format."""

import csv
import io
import json
import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.cli.app import main

Ask = Callable[..., tuple[int, str, str]]
ALL = "--gpu h100 --gpus 1024 --max days=30 --unique-tokens 500B --inference-tokens 5T"


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `scaling plan` and return (exit code, stdout, stderr)."""

    def run(*texts: str) -> tuple[int, str, str]:
        argv = shlex.split(" ".join(texts))
        monkeypatch.setattr(sys, "argv", ["scaling", "plan", *argv])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


@pytest.fixture
def row(ask: Ask) -> Callable[..., dict[str, Any]]:
    """Return the only row of a question in JSON."""

    def one(*argv: str) -> dict[str, Any]:
        code, out, err = ask(*argv, "--format", "json")
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)["rows"][0]
        return found

    return one


Row = Callable[..., dict[str, Any]]


def test_gpt3(row: Row) -> None:
    """As commonly quoted: 355 GPU-years and $4.6M at 28 TFLOP/s and $1.50 an hour."""
    plan = row("--flops 3.14e23 --gpu v100 --mfu 0.224 --price 1.5")
    assert plan["gpu_hours"] / 24.0 / 365.0 == pytest.approx(355.0, abs=1.0)
    assert plan["dollars"] == pytest.approx(4.67e6, abs=5e3)
    assert plan["days"] is None
    assert any("V100-SXM2" in note and "as given" in note for note in plan["notes"])


def test_llama_405b(row: Row) -> None:
    """Its own hours at its own utilisation give back 6ND."""
    run = "405B params, 15.6T tokens, 30.84M h100-hours"
    plan = row("--flops '30.84M H100-hours' --mfu-from", shlex.quote(run))
    assert plan["flops"] == pytest.approx(6.0 * 405e9 * 15.6e12, rel=1e-12)
    assert any("(MFU) of 0.3451" in note for note in plan["notes"])


def test_all_constraints_at_once(row: Row) -> None:
    """Each has a price, none of which is below zero, and every limit is kept."""
    plan = row(ALL)
    assert plan["days"] <= 30.0 * (1.0 + 1e-9)
    assert plan["epochs"] == pytest.approx(plan["tokens"] / 5e11)
    assert plan["lifetime_flops"] == pytest.approx(plan["flops"] + 2.0 * plan["params"] * 5e12)
    assert (plan["unique_tokens"], plan["inference_tokens"]) == (5e11, 5e12)
    prices = {price["demand"]: price for price in plan["prices"]}
    assert list(prices) == ["--max days=30", "--unique-tokens 500B", "--inference-tokens 5T"]
    for price in prices.values():
        assert price["loss_cost"] == pytest.approx(plan["loss"] - price["loss_without"], rel=1e-9)
        assert price["loss_cost"] > 0.0
    assert prices["--unique-tokens 500B"]["flops_back"] > plan["flops"]
    assert plan["flops_low"] < plan["flops"] < plan["flops_high"]
    said = " ".join(plan["notes"])
    for text in (
        "Muennighoff et al. 2023, eqs. 5 and 6",
        "no compute brings the loss below",
        "2 N FLOPs per token",
        "TDP",
    ):
        assert text in said


def test_the_same_plan_as_text(ask: Ask) -> None:
    """The figures of the table, worked out once and kept."""
    code, out, _ = ask(ALL)
    assert code == 0
    for text in ("8.99e23", "36.4B", "4.12T", "1.9109", "What it takes", "29.3", "What each demand costs", "0.0059"):
        assert text in out
    assert "8.99e23 (6.42e23 to 1.16e24)" in out


def test_csv_and_markdown(ask: Ask) -> None:
    """The columns of JSON; prices in one cell."""
    code, out, _ = ask(ALL, "--format", "csv")
    assert code == 0
    (found,) = csv.DictReader(io.StringIO(out))
    for name in ("gpu_hours", "days", "energy_mwh", "unique_tokens", "epochs", "inference_tokens", "lifetime_flops"):
        assert float(found[name]) > 0.0
    assert found["dollars"] == ""
    assert "demand=--max days=30" in found["prices"]
    code, out, _ = ask(ALL, "--format", "markdown")
    assert code == 0
    assert "### What each demand costs" in out


def test_columns_are_null_unless_asked(row: Row) -> None:
    plan = row("--flops", "1e22")
    for name in (
        "gpu_hours",
        "days",
        "dollars",
        "energy_mwh",
        "unique_tokens",
        "epochs",
        "inference_tokens",
        "lifetime_flops",
    ):
        assert plan[name] is None
    assert plan["prices"] == []


def test_utilisation_assumed_is_a_range(row: Row) -> None:
    """Days and dollars where FLOPs are given, FLOPs where days are."""
    by_flops = row("--flops 1e23 --gpu h100 --gpus 512 --price 2.5")
    for name in ("days", "dollars"):
        assert by_flops[f"{name}_low"] == pytest.approx(by_flops[name] * 0.35 / 0.45)
        assert by_flops[f"{name}_high"] == pytest.approx(by_flops[name] * 0.35 / 0.25)
    for text in ("--flops '512xH100 for 30d'", "--gpu h100 --gpus 512 --max days=30"):
        by_days = row(text)
        assert by_days["flops_low"] == pytest.approx(by_days["flops"] * 0.25 / 0.35, rel=1e-9)
        assert by_days["flops_high"] == pytest.approx(by_days["flops"] * 0.45 / 0.35, rel=1e-9)
    held = row("--flops 1e23 --gpu h100 --gpus 512 --max days=100")
    assert held["days_low"] < held["days"] < held["days_high"]
    assert "days_low" not in row("--flops 1e23 --gpu h100 --gpus 512 --mfu 0.4")


def test_sardana_through_the_command(row: Row) -> None:
    """7B quality and 1e11 inference tokens: 6B params and 1.18 times the tokens."""
    trained = row("--law sardana-2024 --params 7B")
    served = row(f"--law sardana-2024 --flops {trained['flops']!r} --inference-tokens 1e11")
    assert served["params"] == pytest.approx(6e9, rel=0.01)
    assert served["tokens"] / trained["tokens"] == pytest.approx(1.18, rel=0.005)
    assert any("% more than the budget whose loss is matched" in note for note in served["notes"])


def test_memory_of_the_weights(row: Row) -> None:
    """8 GiB in fp8 are 8.59e9 params, and the note says what is left out."""
    plan = row("--flops 1e24 --max memory=8GiB --serve-precision fp8")
    assert plan["params"] == pytest.approx(8.0 * 2**30, rel=1e-9)
    assert plan["memory_bytes"] == pytest.approx(8.0 * 2**30, rel=1e-9)
    assert any("weights alone, in fp8" in note for note in plan["notes"])


def test_a_limit_below_the_budget_is_told_of(row: Row) -> None:
    """What is left is not called more than the budget."""
    plan = row("--flops 1e23 --inference-tokens 10T --max lifetime_flops=5e22")
    assert plan["lifetime_flops"] == pytest.approx(5e22, rel=1e-9)
    assert any("the loss gives way" in note for note in plan["notes"])


def test_several_laws(ask: Ask) -> None:
    """One that cannot keep limits says why; the others answer."""
    code, out, _ = ask("--flops 1e22 --max params=2B -l brown-2020 -l openai -l besiroglu-2024 -f json")
    assert code == 0
    rows = {row["law"]: row for row in json.loads(out)["rows"]}
    assert rows["brown-2020"]["loss"] is None
    assert "no loss surface" in rows["brown-2020"]["notes"][0]
    assert rows["kaplan-2020"]["params"] == pytest.approx(2e9, rel=1e-9)
    assert rows["besiroglu-2024"]["params"] == pytest.approx(2e9, rel=1e-9)


def test_a_law_with_draws_keeps_its_interval(
    ask: Ask, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each draw is asked for its own best run under the same limits."""
    from scaling_cli.fitting import Request, fit_runs, save_fit

    path = tmp_path / "my.yaml"
    runs = Path(__file__).parents[2] / "examples" / "runs.csv"
    save_fit(fit_runs(Request(str(runs), draws=40)), str(path))
    plan = row("--law", str(path), "--gpu", "h100", "--gpus", "64", "--mfu", "0.4", "--max", "days=30")
    for name in ("params", "tokens", "loss"):
        assert plan[f"{name}_low"] < plan[name] < plan[f"{name}_high"]
    assert plan["flops_low"] == pytest.approx(plan["flops"], rel=1e-9)


def test_prices_from_a_dated_file(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text('date: "2024-01-01"\nprices: {h100: 2.5}\n', encoding="utf-8")
    plan = row("--flops", "1e22", "--gpu", "h100", "--mfu", "0.4", "--price", str(path))
    assert plan["dollars"] == pytest.approx(2.5 * plan["gpu_hours"])
    assert any("2024-01-01" in note and "look them up again" in note for note in plan["notes"])


def test_strict(ask: Ask) -> None:
    code, out, err = ask("--gpu h100 --gpus 512 --max days=30 --strict")
    assert (code, out) == (3, "")
    assert "outside" in err


def test_active_params(row: Row) -> None:
    """A law that counts active params takes them; one that knows the total says it; a dense one is named."""
    active = row("--law ludziejewski-2025 --set experts=8 --active-params 3.8B --flops 1e21")
    assert active["tokens"] == pytest.approx(44.3e9, rel=0.013)  # table 1 of Ludziejewski et al. 2025
    total = row("--law krajewski-2024 --active-params 1B --tokens 28.94B --set granularity=16")
    assert total["params"] == pytest.approx(1e9 * (8 * 64 + 4) / 12)
    assert total["loss"] == pytest.approx(2.491, rel=0.01)  # table 2 of Krajewski et al. 2024
    assert total["loss"] == pytest.approx(total["relations"]["loss_from_active_params"])


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("--gpu h100", 2, "nothing is known"),
        ("--gpu h100 --gpus 512 --max days=30 --min days=40", 2, "--min days=40 and --max days=30 contradict"),
        ("--flops 1e22 --max params=8B --max params=9B", 2, "twice"),
        ("--flops 1e22 --max params", 2, "NAME=VALUE"),
        ("--flops 1e22 --max params=0", 2, "greater than zero"),
        ("--flops 1e22 --max tokens=inf", 2, "finite"),
        ("--flops 1e22 --max parms=8B", 2, "did you mean params?"),
        ("--flops 1e22 --max waste=0.01 --max params=1e8", 3, "--max waste=0.01"),
        ("--flops 1e22 --max memory=1B --serve-precision bf16", 2, "room for 0.5 parameters"),
        ("--flops 1e22 --max loss=1.9", 3, "flops=1e22 and --max loss=1.9"),
        ("--flops 1e24 --gpu h100 --gpus 8 --max days=30", 2, "--max days=30"),
        ("--active-params 1B", 2, "hoffmann-2022"),
        ("--active-params 1B --params 2B -l krajewski-2024", 2, "both given"),
        ("--active-params 1B -l krajewski-2024 -l ludziejewski-2025", 2, "count different params"),
        ("--flops 1e21 -l krajewski-2024 --inference-tokens 1T", 3, "counts every expert"),
        ("--flops 1e21 -l ludziejewski-2025 --max memory=80GiB", 3, "counts active params"),
        ("--flops 1e21 -l muennighoff-2023 --set U=1e10 --unique-tokens 1e10", 2, "both given"),
    ],
)
def test_refusals(ask: Ask, text: str, code: int, said: str) -> None:
    got, out, err = ask(text)
    assert (got, out) == (code, "")
    assert said in err


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("--flops 1e22 --params 1B --max waste=80%", "--flops 1e22 --params 1B --max waste=0.8"),
        ("--gpu h100 --price 2 --max 'dollars=$100k'", "--gpu h100 --price 2 --max dollars=100k"),
        ("--flops 1e22 --gpu h100 --mfu 40%", "--flops 1e22 --gpu h100 --mfu 0.4"),
        (
            "--flops 1e22 --inference-tokens 1T --gpu h100 --price '$2' --inference-mfu 20% --inference-price '$1.80'",
            "--flops 1e22 --inference-tokens 1T --gpu h100 --price 2 --inference-mfu 0.2 --inference-price 1.8",
        ),
    ],
)
def test_shares_and_dollars_are_written_as_in_a_file(words: str, number: str, row: Row) -> None:
    found, expected = row(words), row(number)
    assert {**found, "prices": None} == {**expected, "prices": None}  # a price repeats the limit as it was written


@pytest.mark.parametrize("mfu", ["0%", "101%", "0", "1.01"])
def test_no_share_of_the_peak(mfu: str, ask: Ask) -> None:
    code, _, err = ask(f"--flops 1e22 --gpu h100 --mfu {mfu}")
    assert (code, err.rstrip().endswith("0.4, or 40%")) == (2, True)


def test_infinite_numbers_never_reach_json(ask: Ask) -> None:
    """A price that does not exist is null."""
    _, out, _ = ask("--max flops=1e23 --max loss=2.1 -f json")
    assert "Infinity" not in out
    assert "NaN" not in out
    (plan,) = json.loads(out)["rows"]
    assert all(
        value is None or math.isfinite(value) for value in plan["prices"][0].values() if not isinstance(value, str)
    )


def test_params_counted_from_a_config(ask: Ask, tmp_path: Path) -> None:
    """Llama 2 7B has 6,738,415,616 params (the reference implementation's count)."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096,
    }))  # fmt: skip
    code, out, _ = ask("--config", str(config), "--tokens", "2T", "-f", "json")
    (found,) = json.loads(out)["rows"]
    assert (code, found["params"], found["tokens"]) == (0, 6738415616.0, 2e12)
    assert "counted from the file" in found["notes"][0]
    code, _, err = ask("--config", str(config), "--params", "7B")
    assert (code, "--config and --params" in err) == (2, True)
    code, _, err = ask("--config", str(config), "--tokens", "2T", "--law", "chinchilla", "--law", "kaplan")
    assert (code, "differently" in err) == (2, True)


def test_a_range_of_utilisation_is_no_interval_of_the_draws(ask: Ask, tmp_path: Path) -> None:
    from scaling_cli.fitting import Request, fit_runs, save_fit

    path = tmp_path / "my.yaml"
    runs = Path(__file__).parents[2] / "examples" / "runs.csv"
    save_fit(fit_runs(Request(str(runs), draws=40)), str(path))
    _, out, _ = ask("--law", str(path), "--gpu h100 --gpus 512 --max days=30")
    intervals = out.split("Intervals")[1].split("What it takes")[0]
    assert "my   90 %   -  " in intervals
    assert "low and high of flops are those of the usual utilisation, not of the draws" in out.replace("\n", " ")
