"""`scaling hardware` and `scaling models`, asked as people ask them."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.models import place_models
from scaling_cli.files.catalogue import load_law
from scaling_cli.files.hardware import load_accelerators
from scaling_cli.files.models import load_models

HARDWARE_KEYS = [
    "id", "name", "vendor", "unit", "bf16_flops_per_second", "fp16_flops_per_second", "fp8_flops_per_second",
    "memory_gib", "bandwidth_bytes_per_second", "tdp_w", "source", "verified", "trap",
]  # fmt: skip
MODELS_KEYS = [
    "id", "org", "date", "kind", "params", "active_params", "tokens", "flops", "flops_basis", "flops_6nd",
    "tokens_per_param", "law", "frontier_params", "frontier_tokens", "params_ratio", "accelerator_hours", "mfu",
    "letters", "notes",
]  # fmt: skip
HEAVY = {"numpy", "scipy", "rich", "yaml", "matplotlib", "pydantic"}


Ran = Any  # code, out, err and rows: see conftest
Ask = Callable[..., Ran]


def ids(ran: Ran) -> list[str]:
    return [row["id"] for row in ran.rows]


@pytest.mark.parametrize(("command", "keys"), [("hardware", HARDWARE_KEYS), ("models", MODELS_KEYS)])
def test_every_format(ask: Ask, command: str, keys: list[str]) -> None:
    """The same rows in JSON and CSV; tables and markdown carry units in their headers, and all rows."""
    ran = ask(command, "-f", "json")
    assert (ran.code, ran.err) == (0, "")
    answer = json.loads(ran.out)
    assert answer["schema"] == f"scaling.{command}/1"
    assert answer["notes"]
    assert [key for key in answer["rows"][0] if key in keys] == keys
    assert answer["rows"] == json.loads(ask(command, "--format", "json").out)["rows"]
    from_csv = list(csv.DictReader(io.StringIO(ask(command, "-f", "csv").out)))
    assert [row["id"] for row in from_csv] == ids(ran)
    assert list(from_csv[0]) == list(answer["rows"][0])
    shown = "name" if command == "models" else "id"
    for fmt in ("table", "markdown"):
        text = ask(command, "-f", fmt).out
        assert all(row[shown].replace("_", r"\_") in text for row in answer["rows"][:20])
        unit = "(TFLOP/s)" if command == "hardware" else "(FLOPs)"
        assert unit in text.splitlines()[0]


def test_commands_say_what_the_library_says(ask: Ask) -> None:
    """Row for row, in full precision."""
    assert ask("hardware", "-f", "json").rows == json.loads(json.dumps([each.row() for each in load_accelerators()]))
    placed = place_models(load_models(), load_law("openai"))
    assert ask("models", "--law", "openai", "-f", "json").rows == json.loads(json.dumps([p.row() for p in placed]))


def test_one_accelerator_tells_trap_and_source(ask: Ask) -> None:
    ran = ask("hardware", "H100", "-f", "json")
    (row,) = ran.rows
    assert row["bf16_flops_per_second"] == 989.4e12
    notes = "\n".join(json.loads(ran.out)["notes"])
    for part in ("h100 alone means this card", "trap: 1979 BF16 and 3958 FP8 are sparse", "source: NVIDIA H100 whitep"):
        assert f"h100-sxm: {part}" in notes
    assert "peaks are dense" in notes
    assert ask("hardware", "v100", "-f", "json").rows[0]["bf16_flops_per_second"] is None


def test_one_model_tells_hardware_and_letters(ask: Ask) -> None:
    text = ask("models", "palm 540b").out
    for part in ("46.2 %", "TPUv4", "PaLM paper (2204.02311) Table 3", "Q: quoted with its place", "chip-hours"):
        assert part in text
    (row,) = ask("models", "gpt3", "-f", "json").rows
    assert (row["tokens"], row["flops"], row["flops_basis"], row["mfu"]) == (3e11, 3.14e23, "published", 0.213)
    assert row["letters"] == {"params": "P", "tokens": "P", "flops": "P", "mfu": "Q"}
    assert row["frontier_params"] == pytest.approx(51e9, rel=0.1)  # GPT-3 is 3 to 4 times too large for its compute
    assert row["params_ratio"] == pytest.approx(row["active_params"] / row["frontier_params"])


def test_filters_of_accelerators(ask: Ask) -> None:
    assert ids(ask("hardware", "--vendor", "amd", "--sort", "-memory_gib", "-f", "json"))[-1] == "mi250x"
    fp8 = ask("hardware", "--precision", "fp8", "-f", "json")
    assert all(row["fp8_flops_per_second"] for row in fp8.rows)
    assert "a100-80gb-sxm" not in ids(fp8)
    large = ask("hardware", "--min", "memory_gib=80", "--max", "tdp_w=400", "--min", "bf16_flops_per_second=300T")
    assert large.code == 0
    assert "h20" not in large.out
    assert "a100-80gb-sxm" in large.out
    ranked = ask("hardware", "--sort", "-bf16_flops_per_second", "-f", "json").rows
    peaks = [row["bf16_flops_per_second"] for row in ranked if row["bf16_flops_per_second"]]
    assert peaks == sorted(peaks, reverse=True)
    assert ranked[-1]["bf16_flops_per_second"] is None


def test_filters_of_models(ask: Ask) -> None:
    argv = ("--org", "meta", "--kind", "dense", "--min", "params=10B", "--max", "flops=3640 PF-days", "-f", "json")
    rows = ask("models", *argv, "--sort", "tokens_per_param").rows
    assert {row["org"] for row in rows} == {"Meta"}
    assert all(row["params"] >= 1e10 and row["flops"] <= 3640 * 8.64e19 for row in rows)
    ratios = [row["tokens_per_param"] for row in rows]
    assert ratios == sorted(ratios)
    assert len(ratios) == 3  # LLaMA 13B and 33B, Llama 2 13B
    assert all(row["active_params"] < row["params"] for row in ask("models", "deepseek-v3", "-f", "json").rows)


def test_a_law_is_chosen_and_its_refusal_is_a_note(ask: Ask) -> None:
    openai = ask("models", "gopher", "--law", "openai", "-f", "json").rows[0]
    assert openai["law"] == "kaplan-2020"
    assert openai["frontier_params"] > ask("models", "gopher", "-f", "json").rows[0]["frontier_params"]
    ran = ask("models", "gopher", "--law", "brown-2020", "-f", "json")
    assert (ran.code, ran.rows[0]["frontier_params"], ran.rows[0]["flops"]) == (0, None, 6.31e23)
    assert any(
        note.startswith("brown-2020: no answer, states no optimal split") for note in json.loads(ran.out)["notes"]
    )
    assert "outside its experimented range: PaLM 540B" in ask("models", "palm").out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("hardware", "h200"), ("names more than one accelerator", "h200-nvl, h200-sxm")),
        (("hardware", "b9000"), ("no accelerator is named 'b9000'", "`scaling hardware` lists them all")),
        (("hardware", "--vendor", "Acme"), ("--vendor is 'Acme'", "expected one of AMD, AWS")),
        (("hardware", "--precision", "fp4"), ("--precision is 'fp4'", "expected one of bf16, fp16, fp8")),
        (
            ("hardware", "--min", "memory=80"),
            ("--min memory: the rows have no such number", "did you mean memory_gib?"),
        ),
        (("hardware", "--min", "memory_gib"), ("--min is 'memory_gib'", "expected NAME=VALUE")),
        (("hardware", "--min", "memory_gib=lots"), ("--min memory_gib is 'lots', not a number",)),
        (("hardware", "--min", "memory_gib=nan"), ("--min memory_gib is 'nan', not a finite number",)),
        (("hardware", "--sort", "speed"), ("--sort is 'speed'", "expected one of id, name")),
        (("hardware", "--format", "xml"), ("no format named 'xml'",)),
        (("models", "llama 3.1"), ("names more than one model", "llama-3.1-405b")),
        (("models", "gpt-33"), ("no model is named 'gpt-33'", "did you mean gpt-3")),
        (("models", "--law", "openai", "--law", "chinchilla"), ("--law names 2 laws", "placed beside one law")),
        (("models", "--kind", "huge"), ("--kind is 'huge'", "expected one of cnn, dense")),
        (("models", "./none.yaml"), ("./none.yaml: no such file",)),
        (("models", "--set", "Q=1"), ("Q",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_refusals(ask: Ask, argv: tuple[str, ...], said: tuple[str, ...]) -> None:
    """Exit 2, nothing on stdout, what was expected and what to try."""
    ran = ask(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    for part in said:
        assert part in ran.err


def test_an_own_file(ask: Ask, tmp_path: Path) -> None:
    chip = tmp_path / "chip.yaml"
    chip.write_text("{id: chip, flops_per_second: {bf16: 1e15}, trap: '[red]not markup[/red]'}\n")
    ran = ask("hardware", str(chip))
    assert ran.code == 0
    assert "[red]not markup[/red]" in ran.out
    model = tmp_path / "model.yaml"
    model.write_text("{id: ours, params: 7e9, tokens: 1e12}\n")
    (row,) = ask("models", str(model), "-f", "json").rows
    assert (row["flops"], row["flops_basis"]) == (4.2e22, "6 N_active D")
    chip.write_text("id: chip\nflops_per_second: {bf16: fast}\n")
    ran = ask("hardware", str(chip))
    assert (ran.code, ran.out) == (2, "")
    assert f"{chip} line 2: flops_per_second.bf16 is 'fast': expected a number" in ran.err


@pytest.mark.parametrize("argv", [("hardware",), ("hardware", "h100"), ("models",), ("models", "gpt3")], ids=" ".join)
def test_a_look_up_imports_nothing_heavy(argv: tuple[str, ...]) -> None:
    """The shipped catalogues are read without YAML; only a table needs rich."""
    code = (
        "import sys\nfrom scaling_cli.cli.app import main\nsys.argv[0] = 'scaling'\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, *sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *argv, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    status, *modules = done.stderr.split()
    assert status == "0"
    assert not {name.partition(".")[0] for name in modules} & HEAVY
