"""The JSON Schema and the reader of budget files give one verdict; what a schema cannot say is listed here."""

import pytest
from jsonschema import Draft202012Validator

from scaling_cli.errors import FileError
from scaling_cli.files.budget_files import parse_budget
from scaling_cli.files.budget_schema import schema
from scaling_cli.files.strict_yaml import parse_yaml

VALIDATOR = Draft202012Validator(schema())
RUN = "runs: {a: {params: 7B, tokens: 2T}}\n"


def run(said: str) -> str:
    return f"runs: {{a: {{{said}}}}}\n"


def rule(said: str, scope: str = "each") -> str:
    return f"{RUN}policy: {{{scope}: {{deny: {{{said}}}}}}}\n"


GOOD = [
    RUN,
    "schema: 1\n" + RUN,
    "schema: 1.0\n" + RUN,
    "title:\n" + RUN,
    "title: true\n" + RUN,
    "title: 2026\n" + RUN,
    "defaults:\n" + RUN,
    "defaults: {}\n" + RUN,
    "defaults: {law: chinchilla, gpu: h100, gpus: 512, price: $2.50, mfu: 40%, precision: bf16}\n" + RUN,
    "defaults: {price: prices.yaml, inference_price: $1.80, inference_mfu: 0.2, inference_tokens: 2 trillion}\n" + RUN,
    RUN + "policy:\n",
    RUN + "policy: {laws: chinchilla}\n",
    RUN + "policy: {laws: [chinchilla, openai]}\n",
    RUN + "policy: {laws: }\n",
    RUN + "policy: {each: , total: , runs: }\n",
    RUN + "policy: {each: {deny: , warn: }}\n",
    RUN + "policy: {each: {deny: {max: , min: }}}\n",
    RUN + "policy: {runs: {a: }}\n",
    RUN + "policy: {runs: {a: {deny: {max: {days: 3}}}}}\n",
    run("params: 7B"),
    run("params: 7e9"),
    run("params: 7_000_000_000"),
    run("params: 7 billion parameters"),
    run("params: +7b"),
    run("tokens: 1.4T tokens"),
    run("tokens: .5T"),
    run("loss: 1.94"),
    run("flops: 3640 PF-days"),
    run("flops: 5.76e23 FLOPs"),
    run("flops: 512xH100 for 30d @40%"),
    run("flops: 30.84M H100-hours"),
    run("config: a.json, tokens: 1T"),
    run("max: {days: 30, dollars: 200k, optimal_params: 9B, memory: 80GB}, gpu: h100"),
    run("max: {days: 30}, min: {tokens_per_param: 20}"),
    run("params: 7B, set: {}"),
    run("params: 7B, set: {U: 1e11}"),
    run("params: 7B, law: '5'"),
    run("params: 7B, mfu: 0.4"),
    run("params: 7B, mfu: 40 %"),
    run("params: 7B, mfu_from: '405B params, 15.6T tokens, 30.84M h100-hours'"),
    rule("max: {memory: 80GiB, dollars: $5M, energy: 3, waste: 20%, excess_loss: 0.01}"),
    rule("max: {waste: 0.2, extrapolation: 1, disagreement: 3}").replace("policy: {", "policy: {laws: [a, b], "),
    rule("max_increase: {flops: 250%, dollars: 0.1}, max_of_optimum: {params: 1.5, loss: 101%}"),
    rule("max: {flops: 1e24, dollars: 0, tokens: 3T}", "total"),
]
BAD = [
    "schema: 2\n" + RUN,
    "schema: '1'\n" + RUN,
    "schema:\n" + RUN,
    "title: {}\n" + RUN,
    "title: []\n" + RUN,
    "titel: a\n" + RUN,
    "runs:\n",
    "runs: {}\n",
    "policy: {}\n",
    "defaults: []\n" + RUN,
    "defaults: {params: 7B}\n" + RUN,
    "defaults: {gpu: }\n" + RUN,
    "runs: {total: {params: 7B}}\n",
    "runs: {'': {params: 7B}}\n",
    "runs: {' ': {params: 7B}}\n",
    f"runs: {{{'x' * 81}: {{params: 7B}}}}\n",
    "runs: {a: 7B}\n",
    run(""),
    run("law: chinchilla"),
    run("gpu: h100, gpus: 512"),
    run("min: {tokens: 2T}"),
    run("params: 7B, law: 5"),
    run("params: 7B, law: ''"),
    run("params: 7B, law: ' '"),
    run("params: 7B, law: true"),
    run("params: 7B, gpu: 100"),
    run("params: 7B, precision: 16"),
    run("params: 7B, mfu_from: 0.4"),
    run("config: 5"),
    run("params: -7B"),
    run("params: -7e9"),
    run("params: 0"),
    run("params: 0B"),
    run("params: 7X"),
    run("params: 7B tokens"),
    run("params: much"),
    run("params: ''"),
    run("params: '1,000'"),
    run("params: nan"),
    run("params: true"),
    run("params: [7B]"),
    run("params: "),
    run("loss: 2B"),
    run("loss: -1"),
    run("flops: -1e22"),
    run("flops: a lot"),
    run("params: 7B, price: cheap"),
    run("params: 7B, price: -2.50"),
    run("params: 7B, inference_price: -$2.50"),
    run("params: $7B"),
    run("params: 7B, mfu: 40"),
    run("params: 7B, mfu: -5%"),
    run("params: 7B, config: a.json"),
    run("params: 7B, parms: 7B"),
    run("params: 7B, set: {U: 100B}"),
    run("params: 7B, set: "),
    run("max: {dayz: 30}"),
    run("max: {days: [30]}"),
    run("max: {energi: 3}"),
    run("max: {extrapolation: 2}"),
    run("params: 7B, min: {nosuch: 3}"),
    rule("max: {flop: 1e24}"),
    rule("max: {flops: }"),
    rule("max: {flops: 0}"),
    rule("max: {flops: true}"),
    rule("max: {dollars: -1}"),
    rule("max: {dollars: '-1'}"),
    rule("max: {memory: 1GB, memory_bytes: 2GB}"),
    rule("max: {energy: 1, energy_mwh: 2}"),
    rule("max: {memory: 80 parsecs}"),
    rule("max: {waste: 20}"),
    rule("max: {waste: -1%}"),
    rule("max: {extrapolation: 0.5}"),
    rule("max_increase: {flops: 10}"),
    rule("max_increase: {flops: -0.1}"),
    rule("max_of_optimum: {flops: 2}"),
    rule("max_of_optimum: {params: -2}"),
    rule("max: {loss: 2}", "total"),
    rule("max_of_optimum: {params: 2}", "total"),
    rule("most: {flops: 1e24}"),
    rule("max: 3"),
    RUN + "policy: {each: {refuse: {max: {flops: 1e24}}}}\n",
    RUN + "policy: {all: {deny: {max: {flops: 1e24}}}}\n",
    RUN + "policy: {laws: [5]}\n",
    RUN + "policy: {laws: 5}\n",
    RUN + "policy: {laws: ['']}\n",
    RUN + "policy: {laws: ''}\n",
]
# read as wrong, and beyond a schema: what one key says of another, and numbers written as texts
BEYOND_A_SCHEMA = {
    "a rule for a run that is not there": RUN + "policy: {runs: {b: {deny: {max: {days: 3}}}}}\n",
    "a disagreement without two laws": rule("max: {disagreement: 3}"),
    "a unit of compute": run("flops: 3 parsecs"),
    "a share without its sign, as text": rule("max: {waste: '20'}"),
    "a limit below the least, as text": rule("max: {extrapolation: '0.5'}"),
    "a number that overflows, as text": run("params: '1e400'"),
    "a text that is too long": run(f"params: '{'7' * 120}'"),
}


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(parse_yaml(text, "a.yaml")))


def reads(text: str) -> bool:
    try:
        parse_budget(text, "a.yaml")
    except FileError:
        return False
    return True


@pytest.mark.parametrize("text", GOOD)
def test_both_take_what_is_good(text: str) -> None:
    assert (reads(text), accepts(text)) == (True, True)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse_what_is_bad(text: str) -> None:
    assert (reads(text), accepts(text)) == (False, False)


@pytest.mark.parametrize("what", BEYOND_A_SCHEMA)
def test_what_a_schema_cannot_say(what: str) -> None:
    assert (reads(BEYOND_A_SCHEMA[what]), accepts(BEYOND_A_SCHEMA[what])) == (False, True)
