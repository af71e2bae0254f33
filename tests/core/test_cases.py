"""The numbers of a planned run that a check holds: memory is that of all the weights, or is not known."""

import json
from pathlib import Path

import pytest

from scaling_cli.checks import Planners
from scaling_cli.core.cases import Case
from scaling_cli.core.checking import check
from scaling_cli.core.findings import Checked
from scaling_cli.core.policies import Policy, Rule
from scaling_cli.core.remedies import Aim, find_remedies
from scaling_cli.core.sheets import Spec
from scaling_cli.errors import InputError, NoAnswer

MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2,
    "vocab_size": 32000,
}  # fmt: skip
TOTAL, ACTIVE = 46_702_792_704, 12_879_925_248
"""Jiang et al. 2024, arXiv:2401.04088: 47B in total, 13B active; exact, by the published weights."""
LIMIT = Rule("deny", "max", "memory_bytes", 8e10)


@pytest.fixture
def mixtral(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTRAL), encoding="utf-8")
    return str(path)


def case(law: str, config: str = "", *, params: float | None = None, precision: str | None = None) -> Case:
    known: dict[str, float | str] = {"tokens": 1e12} | ({} if params is None else {"params": params})
    return Planners().case(Spec("run", law, known=known, config=config, budget={"serve_precision": precision}))


def checked(run: Case) -> Checked:
    return check([run], Policy((LIMIT,)))


@pytest.mark.parametrize("law", ["hunyuan-2024", "kaplan-2020", "chinchilla"])
def test_memory_holds_every_expert_of_a_config(law: str, mixtral: str) -> None:
    """Whatever the law counts: 93.4 GB in bf16, of which one token sees 25.8 GB."""
    run = case(law, mixtral)
    assert run.numbers["memory_bytes"] == 2.0 * TOTAL
    assert case(law, mixtral, precision="int8").numbers["memory_bytes"] == TOTAL
    (finding,) = checked(run).findings
    assert finding.value == 2.0 * TOTAL
    said = checked(run).notes
    assert any(note.endswith("in bf16: no cache, no activations") for note in said)
    assert not any("leaves out embeddings" in note for note in said)


@pytest.mark.parametrize("law", ["hunyuan-2024", "chinchilla", "abnar-2025", "krajewski-2024"])
def test_a_config_counts_what_the_law_counts(law: str, mixtral: str) -> None:
    """Of a mixture a law of dense models counts what one token meets, and some laws of mixtures every expert."""
    counted = TOTAL if law in ("abnar-2025", "krajewski-2024") else ACTIVE
    assert case(law, mixtral).numbers["params"] == counted


def test_what_stands_for_n_is_said(mixtral: str) -> None:
    (said,) = [note for note in case("chinchilla", mixtral).notes if "counted from the file" in note]
    assert said.endswith("config.json: 12.9B params (active; 46.7B in all), counted from the file")


@pytest.mark.parametrize(
    ("law", "assumed"),
    [("krajewski-2024", "expansion = 64"), ("abnar-2025", "sparsity = 0"), ("clark-2022-hash", "experts = 1")],
)
def test_other_experts_than_the_law_assumes_are_said(law: str, assumed: str, mixtral: str) -> None:
    (said,) = [note for note in case(law, mixtral).notes if "experts in a routed layer" in note]
    assert "8 experts in a routed layer, of which a token meets 2" in said
    assert assumed in said
    name = assumed.partition(" ")[0]
    asked = Planners().case(Spec("run", law, {name: 0.75 if name == "sparsity" else 8.0}, {"tokens": 1e12}, mixtral))
    assert not any("experts in a routed layer" in note for note in asked.notes)


@pytest.mark.parametrize("law", ["krajewski-2024", "abnar-2025"])
def test_inference_that_can_not_be_counted_is_refused(law: str) -> None:
    known: dict[str, float | str] = {"params": 1.41e11, "tokens": 1e12}
    with pytest.raises(NoAnswer, match="its inference can not be counted"):
        Planners().case(Spec("run", law, known=known, budget={"inference_tokens": 2e12}))


@pytest.mark.parametrize(
    ("settings", "budget"), [({"U": 3e11}, {}), ({}, {"unique_tokens": 3e11})], ids=["set", "unique_tokens"]
)
def test_epochs_are_over_the_unique_tokens_however_they_are_given(
    settings: dict[str, float], budget: dict[str, float]
) -> None:
    known: dict[str, float | str] = {"params": 1.3e10, "tokens": 3e12}
    run = Planners().case(Spec("run", "muennighoff-2023", settings, known, budget=budget))
    assert run.numbers["epochs"] == pytest.approx(10.0, rel=1e-15)


def test_a_law_whose_own_unique_tokens_are_a_number_has_epochs(tmp_path: Path) -> None:
    law = tmp_path / "mine.yaml"
    law.write_text(
        "id: mine\nvariables: {U: {unit: tokens, default: 1e11}}\n"
        "relations: {loss: {formula: '1.7 + 400 / N**0.34 + 400 / min(D, 4 * U)**0.28'}}\n",
        encoding="utf-8",
    )
    known: dict[str, float | str] = {"params": 1.3e10, "tokens": 3e12}
    assert Planners().case(Spec("run", str(law), known=known)).numbers["epochs"] == pytest.approx(30.0, rel=1e-15)
    every = Planners().case(Spec("run", "muennighoff-2023", known=known))  # its U is D unless it is given
    assert every.numbers["epochs"] == 1.0


@pytest.mark.parametrize("precision", [None, "int8"])
def test_the_memory_of_active_params_alone_is_not_known(precision: str | None) -> None:
    run = case("hunyuan-2024", params=1e10, precision=precision)
    assert run.numbers["memory_bytes"] is None
    assert not any("memory" in note for note in run.notes)
    with pytest.raises(InputError, match="memory_bytes needs more of the run") as caught:
        checked(run)
    assert "config" in " ".join(caught.value.hints)


def test_memory_of_a_law_that_leaves_out_embeddings_says_so() -> None:
    for precision in (None, "bf16"):
        notes = checked(case("kaplan-2020", params=1e10, precision=precision)).notes
        assert len([note for note in notes if note.endswith("no activations, and N leaves out embeddings")]) == 1
    assert not any("embeddings" in note for note in checked(case("chinchilla", params=1e10)).notes)


def test_where_memory_is_not_limited_nothing_is_said_of_it() -> None:
    notes = check([case("kaplan-2020", params=1e10)], Policy((Rule("deny", "max", "flops", 1e20),))).notes
    assert not any("memory" in note for note in notes)


def test_the_remedy_of_a_config_is_another_precision(mixtral: str) -> None:
    run = case("hunyuan-2024", mixtral)
    (remedy,) = find_remedies(run, Aim(LIMIT, LIMIT.limit))
    assert (remedy.key, remedy.value) == ("serve_precision", "fp8")
    assert not checked(Planners().case(remedy.spec)).findings


def test_other_params_are_no_remedy_where_memory_holds_more_than_they_count(mixtral: str) -> None:
    """13.1B dense params would fit, and the mixture has 12.9B active ones: no change of that number helps it."""
    rule = Rule("deny", "max", "memory_bytes", 4e10)
    assert [remedy.key for remedy in find_remedies(case("chinchilla", mixtral), Aim(rule, rule.limit))] == [
        "serve_precision"
    ]
