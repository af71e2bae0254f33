"""`scaling count` and `scaling shape`, as people ask them."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scaling_cli.cli.app import main

Ask = Callable[..., tuple[int, str, str]]
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
COUNTS = ["params_total", "params_non_embedding", "params_active", "flops_per_token", "flops_per_token_6n"]
RUN = """
import sys
from scaling_cli.cli.app import main
sys.argv[0] = "scaling"
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["scaling", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(GPT2), encoding="utf-8")
    return str(path)


def test_count(ask: Ask, config: str) -> None:
    """GPT-2 small: 124439808, as its published weights have."""
    code, out, err = ask("count", config, "--format", "json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["schema"] == "scaling.count/1"
    (row,) = answer["rows"]
    assert {"config", "model_type", "layers", "width", "heads", "kv_heads", "ffn", "vocab", *COUNTS} <= row.keys()
    assert (row["params_total"], row["params_active"], row["context"]) == (124439808, 124439808, 1024)
    assert row["ratio_to_6n"] == row["flops_per_token"] / row["flops_per_token_6n"]
    assert any("2204.02311" in note for note in answer["notes"])


def test_count_tables_show_every_digit(ask: Ask, config: str) -> None:
    for fmt in ("table", "markdown"):
        assert "124,439,808" in ask("count", config, "-f", fmt)[1]


def test_count_several(ask: Ask, config: str) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("count", config, config, "--context", "512", "-f", "csv")[1])))
    assert [row["params_total"] for row in rows] == ["124439808"] * 2
    assert rows[0]["context"] == "512"


@pytest.mark.parametrize("context", ["0", "1.5", "8k", "-3", "nan", "many"])
def test_count_refuses_a_context(ask: Ask, config: str, context: str) -> None:
    code, out, err = ask("count", config, "--context", context)
    assert (code, out) == (2, "")
    assert "context" in err
    assert "Traceback" not in err


def test_count_refuses_a_file(ask: Ask, config: str) -> None:
    Path(config).write_text(json.dumps({**GPT2, "n_head": 7}), encoding="utf-8")
    code, out, err = ask("count", config)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {config}: n_head is 7\n  expected a divisor of n_embd, 768")


def test_shape(ask: Ask) -> None:
    code, out, err = ask("shape", "--params", "7B", "--vocab", "128k", "--context", "8k", "--format", "json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["schema"] == "scaling.shape/1"
    assert 3 <= len(answer["rows"]) <= 5
    for row in answer["rows"]:
        assert {"layers", "width", "heads", "kv_heads", "ffn", *COUNTS} <= row.keys()
        assert (row["vocab"], row["context"], row["tied"]) == (128000, 8000, False)
        assert abs(row["params_total"] / 7e9 - 1) < 0.1


def test_shape_can_be_counted(ask: Ask, tmp_path: Path) -> None:
    """A proposal written as a LLaMA has the counts that the proposal says."""
    row = json.loads(ask("shape", "--params", "7B", "--format", "json")[1])["rows"][0]
    path = tmp_path / "config.json"
    keys = {
        "width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads", "vocab": "vocab_size",
        "kv_heads": "num_key_value_heads", "ffn": "intermediate_size", "tied": "tie_word_embeddings",
    }  # fmt: skip
    path.write_text(json.dumps({"model_type": "llama", **{theirs: row[ours] for ours, theirs in keys.items()}}))
    counted = json.loads(ask("count", str(path), "--format", "json")[1])["rows"][0]
    assert {key: counted[key] for key in COUNTS} == {key: row[key] for key in COUNTS}


@pytest.mark.parametrize("fmt", ["table", "csv", "markdown"])
def test_shape_formats(ask: Ask, fmt: str) -> None:
    code, out, _ = ask("shape", "--params", "350M", "--untied", "-f", fmt)
    assert code == 0
    assert "difference" in out or "from the params asked for" in out


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ((), 2), (("--params", "-1"), 2), (("--params", "1e18"), 2), (("--params", "7B", "--vocab", "0.5"), 2),
        (("--params", "7B", "--context", "0"), 2), (("--params", "7B", "--format", "xml"), 2), (("--params", "1k"), 3),
    ],
)  # fmt: skip
def test_shape_refuses(ask: Ask, argv: tuple[str, ...], code: int) -> None:
    got, out, err = ask("shape", *argv)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("argv", [("count",), ("shape", "--params", "7B")], ids=" ".join)
def test_an_answer_in_json_needs_nothing_heavy(argv: tuple[str, ...], config: str) -> None:
    files = [config] if argv[0] == "count" else []
    command = [sys.executable, "-c", RUN, *argv, *files, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    code, *modules = done.stderr.split()
    assert code == "0", done.stderr
    assert not {name.partition(".")[0] for name in modules} & {
        "numpy",
        "scipy",
        "rich",
        "yaml",
        "transformers",
        "torch",
    }
