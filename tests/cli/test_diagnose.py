"""`scaling diagnose`, as people ask it."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import scaling_cli
from scaling_cli.cli.app import main
from scaling_cli.report.text import clean

KEYS = [
    "law", "params", "tokens", "flops", "loss", "frontier_params", "frontier_tokens", "params_ratio",
    "optimal_params", "optimal_loss", "flops_same_loss", "waste",
]  # fmt: skip
MORE = ["model", "verdict", "repair_tokens", "repair_flops", "breakeven_tokens", "notes", "params_kind", "domain"]
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
HEAVY = {"numpy", "scipy", "rich", "yaml", "matplotlib", "pydantic"}
RUN = """
import sys
from scaling_cli.cli.app import main
sys.argv[0] = "scaling"
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        assert (self.code, self.err) == (0, "")
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.answer["rows"]
        found: dict[str, Any] = row
        return found


Ask = Callable[..., Ran]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*argv: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["scaling", "diagnose", *argv])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as caught:
            main()
        return Ran(int(caught.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(GPT2), encoding="utf-8")
    return str(path)


def test_json(ask: Ask) -> None:
    ran = ask("--params", "175B", "--tokens", "300B", "-f", "json")
    assert ran.answer["schema"] == "scaling.diagnose/1"
    row = ran.row
    assert [key for key in row if key in KEYS] == KEYS
    assert set(MORE) <= row.keys()
    assert (row["verdict"], row["model"], row["breakeven_tokens"]) == ("too large", None, None)
    assert row["waste"] == 1.0 - row["flops_same_loss"] / row["flops"]
    assert row["params_ratio"] == row["params"] / row["frontier_params"]
    assert "thresholds are ours" in ran.answer["notes"][-1]


@pytest.mark.parametrize("law", ["chinchilla", "besiroglu-2024", "minicpm-2024"])
def test_the_library_says_the_same(ask: Ask, law: str) -> None:
    row = ask("--params", "7B", "--tokens", "1T", "--law", law, "-f", "json").row
    found = scaling_cli.diagnose(law, params="7B", tokens="1T")
    both = {**found.plan._asdict(), **found._asdict(), "model": None}
    both["notes"] = [*found.plan.notes, *found.plan.outside]
    assert {key: both[key] for key in row if key not in ("params_kind", "domain")} == {
        key: value for key, value in row.items() if key not in ("params_kind", "domain")
    }


def test_table_says_it_in_words(ask: Ask) -> None:
    """The sizes of Hoffmann et al. 2022, Table 3: 175B wants 3.7T tokens; and LLaMA's purpose."""
    ran = ask("--params", "175B", "--tokens", "300B")
    assert ran.code == 0
    for words in (
        "too large",
        "175B is 3.43x the 51B params",
        "of the compute is wasted",
        "kept at 175B it wants 3.53T",
    ):
        assert words in ran.out
    ran = ask("--model", "llama-7b")
    for words in ("LLaMA-7B", "too small", "over-trained", "fewer params to serve", "pays once it has served 42"):
        assert words in ran.out
    assert "arXiv:2001.08361" in ran.out
    ran = ask("--model", "chinchilla")
    assert "no more than the law's two optima differ" in ran.out
    assert "arXiv:2001.08361" not in ran.out


def test_csv_and_markdown(ask: Ask) -> None:
    (row,) = csv.DictReader(io.StringIO(ask("--model", "gpt-3", "-f", "csv").out))
    assert list(row)[: len(KEYS)] == KEYS
    assert (row["verdict"], row["breakeven_tokens"]) == ("too large", "")
    out = ask("--model", "gpt-3", "-f", "markdown").out
    assert "### Verdict" in out
    assert "| too large |" in out


@pytest.mark.parametrize("name", ["gpt-3", "GPT-3 175B", "gpt3", "gpt_3-175b", "GPT3"])
def test_spellings(ask: Ask, name: str) -> None:
    row = ask("--model", name, "-f", "json").row
    assert (row["model"], row["verdict"]) == ("GPT-3 175B", "too large")


def test_several_laws(ask: Ask) -> None:
    answer = ask("--model", "gopher", "-l", "openai", "-l", "chinchilla", "-l", "brown-2020", "-f", "json").answer
    assert [row["law"] for row in answer["rows"]] == ["kaplan-2020", "brown-2020", "hoffmann-2022"]
    assert [row["verdict"] for row in answer["rows"]] == ["about right", None, "too large"]
    assert any("kaplan-2020: counts non_embedding params" in note for note in answer["notes"])
    assert any("brown-2020: no answer" in note for note in answer["notes"])


def test_all_laws_of_one_kind_stand_together(ask: Ask) -> None:
    rows = ask("--model", "llama-7b", "-l", "all", "-f", "json").answer["rows"]
    assert len(rows) > 50
    kinds = [(row["domain"] != "text", row["domain"], row["params_kind"]) for row in rows]
    assert kinds == sorted(kinds)
    assert sum(row["verdict"] == "too small" for row in rows if row["domain"] == "text") > 20


def test_a_config_is_counted(ask: Ask, config: str) -> None:
    """GPT-2 small: 124439808 params as its published weights have; 85056000 without its two tables."""
    for law, params in (("chinchilla", 124439808), ("openai", 85056000)):
        row = ask("--config", config, "--tokens", "300B", "-l", law, "-f", "json").row
        assert (row["params"], row["model"]) == (params, config)
        assert row["verdict"] == "too small"
        assert any("of which" in note for note in row["notes"])


def test_a_config_from_stdin(ask: Ask) -> None:
    assert ask("--config", "-", "--tokens", "2B", "-f", "json", stdin=json.dumps(GPT2)).row["params"] == 124439808


def test_a_mixture_counts_active_params(ask: Ask) -> None:
    ran = ask("--model", "deepseek-v3", "-f", "json")
    assert ran.row["params"] == 37552282624
    assert "mixture of experts" in ran.answer["notes"][0]


def test_other_tokens_and_a_variable(ask: Ask) -> None:
    assert ask("--model", "mixtral-8x7b", "--tokens", "5T", "-f", "json").row["tokens"] == 5e12
    few, many = (
        ask("--model", "gpt-3", "-l", "muennighoff-2023", "--set", f"U={unique}", "-f", "json").row
        for unique in ("1e10", "1e13")
    )
    assert few["loss"] > many["loss"]


def test_a_law_of_ones_own(ask: Ask, tmp_path: Path) -> None:
    """By hand: N = 3e9 at 1e21 and 0.6 in the exponent; 6e9 params on 1e21 / 3.6e10 tokens are twice too many."""
    path = tmp_path / "mine.yaml"
    path.write_text("{a: 0.6, b: 0.4, anchor: {flops: 1e21, params: 3e9}}\n")
    row = ask("--params", "6B", "--tokens", str(1e21 / 3.6e10), "-l", str(path), "-f", "json").row
    assert row["params_ratio"] == pytest.approx(2.0)
    assert row["repair_flops"] == pytest.approx(1e21 * 2 ** (1 / 0.6))
    assert (row["verdict"], row["loss"], row["waste"]) == ("too large", None, None)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ((), 2, "no model is given"),
        (("--params", "7B"), 2, "without --tokens"),
        (("--tokens", "1T"), 2, "no model is given"),
        (("--model", "gpt-3", "--params", "7B"), 2, "--params and --model are both given"),
        (
            ("--model", "gpt-3", "--params", "7B", "--config", "c.json"),
            2,
            "--params, --model and --config are all given",
        ),
        (("--model", "gpt-3", "--config", "config.json"), 2, "--model and --config are both given"),
        (("--model", "gtp-3"), 2, "did you mean gpt-3-175b"),
        (("--model", "llama"), 2, "names more than one model"),
        (("--model", "mixtral-8x7b"), 2, "Mixtral 8x7B: nobody published its tokens"),
        (("--model", "switch-c"), 2, "nobody published its active params"),
        (("--model", "nowhere.yaml"), 2, "nowhere.yaml: no such file"),
        (("--config", "nowhere.json", "--tokens", "1T"), 2, "nowhere.json: no such file"),
        (("--params", "seven", "--tokens", "1T"), 2, "--params is 'seven'"),
        (("--params", "7B", "--tokens", "-1"), 2, "--tokens is '-1'"),
        (("--params", "7B", "--tokens", "inf"), 2, "--tokens is 'inf'"),
        (("--model", "gpt-3", "--tokens", "0"), 2, "--tokens is '0'"),
        (("--model", "gpt-3", "--law", "nobody-2099"), 2, "no law has the preset name"),
        (("--model", "gpt-3", "--set", "Q=1"), 2, "no chosen law has a variable Q"),
        (("--model", "gpt-3", "--format", "xml"), 2, "no format named"),
        (("--model", "gpt-3", "--law", "brown-2020"), 3, "states no optimal split"),
        (("--model", "gpt-3", "--strict"), 3, "outside the experimented range"),
        (("--params", "1e300", "--tokens", "1e300"), 3, "overflow"),
    ],
)
def test_refusals(ask: Ask, argv: tuple[str, ...], code: int, said: str) -> None:
    ran = ask(*argv)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_file_of_ones_own_is_printed_inert(ask: Ask, tmp_path: Path) -> None:
    """Names are text: no escape of a terminal, no markup."""
    path = tmp_path / "mine.yaml"
    name = "\x1b[2J[red]big[/red]"
    path.write_text(f"id: mine\nname: {json.dumps(name)}\nparams: 1e12\ntokens: 1e11\n")
    ran = ask("--model", str(path))
    assert ran.code == 0
    assert clean(name) in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("argv", [("--model", "gpt-3"), ("--params", "7B", "--tokens", "1T")], ids=" ".join)
def test_an_answer_in_json_needs_nothing_heavy(argv: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", RUN, "diagnose", *argv, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    code, *modules = done.stderr.split()
    assert code == "0", done.stderr
    assert not {name.partition(".")[0] for name in modules} & HEAVY
