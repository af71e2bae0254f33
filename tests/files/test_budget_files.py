"""Budget files: what is read, what is refused with which line, and the JSON Schema that says the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scaling_cli.checks import check_file, open_side
from scaling_cli.core.policies import FORMS, QUANTITIES
from scaling_cli.core.sheets import DEFAULTS, FIELDS, Sheet
from scaling_cli.errors import FileError, InputError, NoAnswer, ScalingError
from scaling_cli.files.budget_files import LONGEST_NAME, POLICY, TOP, parse_budget
from scaling_cli.files.budget_schema import PATH, schema, schema_text
from scaling_cli.files.budget_sides import MOST_WRITTEN, Saved, parse_saved, read_side

EXAMPLE = Path(__file__).parents[2] / "examples" / "scaling.yaml"
GOOD = """\
schema: 1
defaults: {law: chinchilla, gpu: h100, gpus: 512, price: $2.50, mfu: 40%}
runs:
  base: {params: 7B, tokens: 2T}
  big: {params: 70B, tokens: 15T, gpus: 4096, set: {}}
  free: {flops: 1e22}
  timed: {flops: 512xH100 for 30d @40%, mfu_from: null}
policy:
  laws: [chinchilla, openai]
  each:
    deny: {max: {dollars: 5M, memory: 80GB}, min: {tokens_per_param: 20}}
  total:
    warn: {max_increase: {flops: 10%}}
  runs:
    big: {deny: {max: {dollars: 20M}}}
""".replace(", mfu_from: null", "")
ONE = "runs: {base: {params: 7B, tokens: 2T}}\npolicy: {each: {deny: {max: {flops: 1e24}}}}\n"


def sheet(text: str) -> Sheet:
    return parse_budget(text, "a.yaml")


def test_runs_and_rules_are_read() -> None:
    read = sheet(GOOD)
    assert [spec.name for spec in read.specs] == ["base", "big", "free", "timed"]
    base, big, free, timed = read.specs
    assert base.known == {"params": 7e9, "tokens": 2e12}
    assert base.budget == {"gpu": "h100", "gpus": 512.0, "price": 2.5, "mfu": pytest.approx(0.4)}
    assert (big.budget["gpus"], big.line) == (4096.0, 5)
    assert free.known == {"flops": 1e22}
    assert timed.known == {"flops": "512xH100 for 30d @40%"}
    assert [rule.name for rule in read.policy.each] == ["max dollars", "max memory_bytes", "min tokens_per_param"]
    assert {rule.line for rule in read.policy.each} == {11}
    assert read.policy.total[0][:4] == ("warn", "max_increase", "flops", 0.1)
    assert read.policy.runs["big"][0].limit == 2e7
    assert read.policy.laws == ("chinchilla", "openai")


def test_files_are_sought_beside_the_budget() -> None:
    text = ONE.replace("params: 7B", "config: configs/a.json, law: laws/own.yaml, price: prices.yaml")
    (spec,) = parse_budget(text, "some/where/scaling.yaml").specs
    assert (spec.config, spec.law) == ("some/where/configs/a.json", "some/where/laws/own.yaml")
    assert spec.budget["price"] == "some/where/prices.yaml"


def test_a_config_counts_exactly(tmp_path: Path) -> None:
    """Llama 2 7B has 6,738,415,616 params (its model card on Hugging Face: 6.74B)."""
    config = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "intermediate_size": 11008, "vocab_size": 32000, "tie_word_embeddings": False,
    }  # fmt: skip
    (tmp_path / "7b.json").write_text(json.dumps(config))
    (tmp_path / "a.yaml").write_text(ONE.replace("params: 7B", "config: 7b.json"))
    assert open_side(str(tmp_path / "a.yaml")).cases[0].numbers["params"] == 6_738_415_616


REFUSED = {
    "runs: {}\n": "nothing to check",
    "policy: {}\n": "nothing to check",
    "schema: 2\n" + ONE: "schema is 2",
    ONE + "polices: {}\n": "did you mean policy?",
    "runs: {a: {}}\n": "says nothing of the run",
    "runs: {a: }\n": "says nothing of the run",
    "runs: {a: {tokens: }}\n": "runs.a.tokens is empty",
    "runs: {a: {gpu: h100}}\n": "neither its compute nor its size",
    "runs: {a: 7B}\n": "expected a mapping",
    "runs: {total: {params: 7B}}\n": "runs holds a run named 'total'\n",
    "runs: {'': {params: 7B}}\n": "expected 1 to 80 characters",
    f"runs: {{{'x' * (LONGEST_NAME + 1)}: {{params: 7B}}}}\n": "expected 1 to 80 characters",
    "runs: {a: {params: 7X}}\n": "runs.a.params is '7X'",
    "runs: {a: {params: -7B}}\n": "greater than zero",
    "runs: {a: {params: [7B]}}\n": "expected text",
    "runs: {a: {params: .nan}}\n": "not finite",
    "runs: {a: {params: 1e400}}\n": "overflows",
    "runs: {a: {params: 7B, mfu: 40}}\n": "did you mean 40%?",
    "runs: {a: {params: 7B, parms: 8B}}\n": "did you mean params?",
    "runs: {a: {params: 7B, config: a.json}}\n": "stands beside params",
    "runs: {a: {params: 7B, set: {c: x}}}\n": "expected a number",
    "runs: {a: {params: 7B}, a: {params: 8B}}\n": "duplicate key",
    "defaults: {params: 7B}\n" + ONE: "defaults.params is not a key",
    "runs: {a: &x {params: 7B}}\n": "anchors",
    "runs: {a: {<<: {params: 7B}}}\n": "merge keys",
    "runs: {a: !!python/object:os.system {params: 7B}}\n": "tags",
    "[" * 400: "nested deeper",
    ONE + "---\n" + ONE: "second document",
    ONE.replace("flops: 1e24", "flops: .nan"): "not finite",
    ONE.replace("flops: 1e24", "flops: nan"): "finite",
    ONE.replace("flops: 1e24", "flops: 0"): "greater than zero",
    ONE.replace("flops: 1e24", "flop: 1e24"): "did you mean flops?",
    ONE.replace("flops: 1e24", "memory: 1GB, memory_bytes: 1GB"): "limits the same as memory",
    ONE.replace("flops: 1e24", "disagreement: 3"): "laws: [chinchilla, openai]",
    ONE.replace("max:", "most:"): "is not a key",
    ONE.replace("max:", "max_of_optimum:"): "max_of_optimum can hold",
    ONE.replace("deny", "refuse"): "is not a key",
    ONE.replace("each", "total").replace("flops", "loss"): "of the sum over all runs",
    ONE.replace("each: {", "runs: {other: {").replace("}}}}", "}}}}}"): "is no run of this file",
    ONE.replace("{deny: {max: {flops: 1e24}}}", "deny"): "expected a mapping",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: REFUSED[text][:30])
def test_what_is_wrong_is_told_with_its_line(text: str) -> None:
    with pytest.raises(FileError) as caught:
        sheet(text)
    assert REFUSED[text] in str(caught.value)
    assert str(caught.value).startswith("a.yaml line ")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [("x" * 81, f"'{'x' * 40}'... (81 characters)"), ("\\" * 81, f"{chr(92) * 80}'... (81 characters)"), (" ", "' '")],
)
def test_a_name_is_quoted_as_it_stands(name: str, shown: str) -> None:
    with pytest.raises(FileError) as caught:
        sheet(f"runs:\n  '{name}': {{params: 7B}}\n")
    assert str(caught.value).splitlines()[0].endswith(shown)
    assert caught.value.line == 2


def test_the_line_is_that_of_the_key() -> None:
    with pytest.raises(FileError, match="line 11"):
        sheet(GOOD.replace("80GB", "80 parsecs"))
    with pytest.raises(FileError, match="line 2"):
        sheet(GOOD.replace("40%", "a lot"))


FAILING = {
    "law: no-such-law": (FileError, "no law has the preset name"),
    "law: no-such-file.yaml": (FileError, "no such file"),
    "gpu: h10000": (FileError, "h10000"),
    "gpus: 8": (FileError, "gpus is given without a machine"),
    "flops: 1e22": (FileError, "flops, params, tokens are 3 knowns"),
    "config: none.json": (FileError, "stands beside params"),
    "set: {no_such: 1}": (FileError, "no variable no_such"),
    "loss: 0.1": (FileError, "3 knowns"),
}


@pytest.mark.parametrize("said", FAILING)
def test_a_run_that_cannot_be_planned_is_named_with_its_line(said: str, tmp_path: Path) -> None:
    kind, message = FAILING[said]
    path = tmp_path / "a.yaml"
    path.write_text("# a budget\n" + ONE.replace("params: 7B", f"params: 7B, {said}"))
    with pytest.raises(kind) as caught:
        check_file(str(path))
    assert message in str(caught.value)
    assert "--" not in str(caught.value)
    if said != "law: no-such-file.yaml":
        assert str(caught.value).startswith(f"{path} line 2: ")


def test_a_loss_out_of_reach_has_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ONE.replace("params: 7B, tokens: 2T", "loss: 1.0"))
    with pytest.raises(NoAnswer, match=r"a\.yaml line 1: runs\.base: .*out of reach"):
        check_file(str(path))


def test_a_run_may_be_planned_up_to_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    machine = "gpu: h100, gpus: 512, max: {days: 30}"
    path.write_text(ONE.replace("params: 7B, tokens: 2T", machine))
    (case,) = open_side(str(path)).cases
    assert case.numbers["days"] == pytest.approx(30.0)


def test_a_file_without_a_policy_is_nothing_to_check(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ONE.splitlines()[0])
    with pytest.raises(FileError, match="nothing to check: no limit"):
        check_file(str(path))


def test_a_long_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("#" * MOST_WRITTEN + "\n" + ONE)
    with pytest.raises(FileError, match="larger than the limit"):
        read_side(str(path))


def test_a_budget_may_be_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"title": "scaling.yaml as JSON", **yaml.safe_load(ONE)}, indent=1))
    assert isinstance(read_side(str(path)), Sheet)


# saved answers

PLAN = {"run": "a", "flops": 1e22, "dollars": None}
SAVED = {"schema": "scaling.check/1", "rows": [], "plans": [PLAN], "notes": []}


def saved(**changes: object) -> str:
    return json.dumps({**SAVED, **changes})


def test_a_saved_answer_is_read() -> None:
    read = parse_saved(saved(), "a.json")
    assert isinstance(read, Saved)
    assert read.runs["a"]["flops"] == 1e22
    assert set(read.runs["a"]) == set(QUANTITIES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (saved()[:-1], "is not JSON"),
        (saved(schema="scaling.plan/1"), "no saved answer"),
        (saved(plans=None), "no list of plans"),
        (saved(plans=[7]), "plan 1 has no run"),
        (saved(plans=[PLAN, PLAN]), "plan 2 has no run of its own"),
        (saved(plans=[{**PLAN, "flops": "1e22"}]), "flops of plan 1 is no finite number"),
        (saved(plans=[{**PLAN, "flops": True}]), "flops of plan 1 is no finite number"),
        (saved(plans=[{**PLAN, "flops": 10**400}]), "flops of plan 1 is no finite number"),
        (saved().replace("1e+22", "NaN"), "holds NaN"),
        (saved().replace("1e+22", "1e999"), "flops of plan 1 is no finite number"),
        (saved().replace("1e+22", "1" * 5000), "thousands of digits"),
        ('{"schema": "scaling.check/1", "plans": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_saved_answer_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_saved(text, "a.json")
    assert message in str(caught.value)


# the JSON Schema


def valid(text: str) -> bool:
    # as editors read YAML 1.2, except that numbers such as 1e22 are texts here; the schema takes both
    data: Any = yaml.safe_load(text)
    return bool(Draft202012Validator(schema()).is_valid(data))


def test_the_schema_that_ships_is_fresh() -> None:
    """`python -m scaling_cli.files` writes it."""
    assert Path(PATH).read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    assert valid(GOOD)
    assert valid(ONE)
    assert valid(EXAMPLE.read_text(encoding="utf-8"))


def test_the_schema_knows_what_the_reader_knows() -> None:
    made: Any = schema()
    assert set(made["properties"]) == set(TOP)
    assert set(made["properties"]["defaults"]["properties"]) == set(DEFAULTS)
    assert set(made["$defs"]["run"]["properties"]) == set(FIELDS)
    assert set(made["$defs"]["policy"]["properties"]) == set(POLICY)
    levels = made["$defs"]["rules_of_run"]["properties"]
    assert set(levels) == {"deny", "warn"}
    assert set(levels["deny"]["properties"]) == set(FORMS)
    assert set(QUANTITIES) < set(made["$defs"]["limits_of_run"]["properties"])
    assert "loss" not in made["$defs"]["limits_of_total"]["properties"]


UNSEEN = ("anchors", "merge keys", "tags", "duplicate", "second document", "nested", "not finite", "overflows")


@pytest.mark.parametrize("text", [text for text, said in REFUSED.items() if not said.startswith(UNSEEN)])
def test_what_the_schema_refuses_the_reader_refuses_too(text: str) -> None:
    """The other way round need not hold: a schema does not read `7X`."""
    if not valid(text):
        with pytest.raises(ScalingError):
            sheet(text)


@pytest.mark.parametrize(
    "text",
    [
        "runs: {}\n",
        "policy: {}\n",
        "runs: {a: {}}\n",
        "runs: {a: 7B}\n",
        "runs: {a: {params: 7B, parms: 8B}}\n",
        "defaults: {params: 7B}\n" + ONE,
        ONE.replace("flops: 1e24", "flop: 1e24"),
        ONE.replace("max:", "most:"),
        ONE.replace("each", "total").replace("flops", "loss"),
    ],
)
def test_what_an_editor_should_underline(text: str) -> None:
    assert not valid(text)
    with pytest.raises((FileError, InputError)):
        sheet(text)


def test_limits_of_a_run_are_written_as_those_of_the_policy(tmp_path: Path) -> None:
    """One grammar: shares in percent and dollars with their sign, in both."""
    path = tmp_path / "scaling.yaml"
    path.write_text(
        "defaults: {gpu: h100, price: 2}\n"
        "runs:\n  a: {max: {dollars: $3M}}\n  b: {flops: 1e22, params: 4B, max: {waste: 20%}}\n"
        "policy: {each: {deny: {max: {dollars: $3M, waste: 20%}}}}\n",
        encoding="utf-8",
    )
    checked = check_file(str(path))
    assert checked.passed
    assert checked.plans[0]["dollars"] == pytest.approx(3e6, rel=1e-6)
