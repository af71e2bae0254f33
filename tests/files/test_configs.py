"""config.json to an architecture: the parameters of the reference implementation, and what is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.architectures import count
from scaling_cli.errors import FileError
from scaling_cli.files.configs import count_config, read_config
from scaling_cli.files.families import FAMILIES

DATA = Path(os.environ.get("SCALING_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
Write = Callable[..., str]
SMALL: dict[str, Any] = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 6, "intermediate_size": 80, "vocab_size": 100,
}  # fmt: skip
GROUPED = {**SMALL, "num_key_value_heads": 2}
GPT2 = {"n_embd": 48, "n_layer": 3, "n_head": 6, "n_positions": 32, "vocab_size": 100}
OPT = {**SMALL, "ffn_dim": 80, "max_position_embeddings": 32}
LATENT = {**SMALL, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 12}
ROUTED = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 20, "first_k_dense_replace": 1}
NEW = {"new_decoder_architecture": True, "num_kv_heads": 2}
# what transformers 5.23.0 builds from each (AutoModelForCausalLM.from_config on the meta device)
REFERENCE = [
    ("gpt2", 91248, GPT2),
    ("gpt2", 63456, {**GPT2, "n_inner": 80, "tie_word_embeddings": False}),
    ("gpt_neox", 61920, SMALL),
    ("gpt_neox", 56544, {**SMALL, "attention_bias": False, "tie_word_embeddings": True}),
    ("opt", 58752, OPT),
    ("opt", 60960, {**OPT, "word_embed_proj_dim": 24, "do_layer_norm_before": False, "tie_word_embeddings": False}),
    ("opt", 57120, {**OPT, "enable_bias": False, "layer_norm_elementwise_affine": False}),
    ("opt", 58656, {**OPT, "_remove_final_layer_norm": True}),
    ("falcon", 76608, SMALL),
    ("falcon", 94512, {
        **SMALL, "multi_query": False, "parallel_attn": False, "bias": True, "tie_word_embeddings": False,
    }),
    ("falcon", 46944, {**SMALL, **NEW, "ffn_hidden_size": 80}),
    ("falcon", 78912, {**SMALL, **NEW, "num_ln_in_parallel_attn": 1}),
    ("llama", 72144, SMALL),
    ("llama", 63804, {
        **GROUPED, "attention_bias": True, "mlp_bias": True, "head_dim": 10, "tie_word_embeddings": True,
    }),
    ("granite", 63936, {**GROUPED, "attention_bias": True, "mlp_bias": True}),
    ("mistral", 72144, {**GROUPED, "head_dim": 12, "attention_bias": True}),
    ("mixtral", 167184, {**GROUPED, "num_local_experts": 4}),
    ("qwen2", 63168, GROUPED),
    ("qwen3", 344160, {**GROUPED, "attention_bias": True}),
    ("qwen3_moe", 134560, {
        **GROUPED, "num_hidden_layers": 7, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
        "decoder_sparse_step": 2, "mlp_only_layers": [3],
    }),
    ("gemma", 76560, {**GROUPED, "head_dim": 16}),
    ("gemma2", 629808, GROUPED),
    ("gemma3_text", 81744, {**GROUPED, "head_dim": 16, "tie_word_embeddings": False}),
    ("phi3", 62928, {**GROUPED, "pad_token_id": 0, "attention_bias": True}),
    ("olmo", 62592, GROUPED),
    ("olmo2", 63120, GROUPED),
    ("olmoe", 167376, {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2}),
    ("deepseek_v2", 86492, {**LATENT, **ROUTED, "q_lora_rank": None, "mlp_bias": True, "attention_bias": True}),
    ("deepseek_v3", 84168, {
        **LATENT, **ROUTED, "q_lora_rank": 24, "n_shared_experts": 2, "num_nextn_predict_layers": 1,
    }),
    ("starcoder2", 47712, GROUPED),
    ("starcoder2", 51744, {**GROUPED, "use_bias": False, "tie_word_embeddings": False}),
    ("cohere", 57984, GROUPED),
    ("cohere", 58560, {**GROUPED, "use_qk_norm": True, "attention_bias": True}),
    ("gpt_oss", 300798, {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}),
    ("gpt_oss", 169710, {
        **GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "attention_bias": False, "head_dim": 8,
    }),
    ("stablelm", 63264, GROUPED),
    ("stablelm", 63408, {**GROUPED, "use_qkv_bias": True, "qk_layernorm": True, "use_parallel_residual": True}),
]  # fmt: skip
LLAMA = {"model_type": "llama", **SMALL}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a config.json and return its path."""

    def to_file(config: object) -> str:
        path = tmp_path / "config.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
        return str(path)

    return to_file


@pytest.mark.parametrize(("family", "params", "config"), REFERENCE)
def test_the_reference_builds_as_many(write: Write, family: str, params: int, config: dict[str, Any]) -> None:
    assert count_config(write({"model_type": family, **config})).params_total == params


def test_every_family_is_compared() -> None:
    assert {family for family, _, _ in REFERENCE} == set(FAMILIES)


def test_published_counts_of_pythia(write: Write) -> None:
    """Biderman et al. 2023, arXiv:2304.01373, table 1: non-embedding params."""
    for layers, width, heads, vocab, params in [
        (6, 512, 8, 50304, 18_915_328), (16, 2048, 8, 50304, 805_736_448), (36, 5120, 40, 50688, 11_327_027_200),
    ]:  # fmt: skip
        config = {
            "model_type": "gpt_neox", "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
            "intermediate_size": 4 * width, "vocab_size": vocab,
        }  # fmt: skip
        assert count_config(write(config)).params_non_embedding == params


def test_published_counts_of_mixtral(write: Write) -> None:
    """Jiang et al. 2024, arXiv:2401.04088: 47B in total, 13B active; exact, by the published weights, 46702792704."""
    config = {
        "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2,
        "vocab_size": 32000,
    }  # fmt: skip
    counts = count_config(write(config))
    assert counts.params_total == 46_702_792_704
    assert counts.params_active == 12_879_925_248


def published() -> list[dict[str, Any]]:
    path = DATA / "hf_configs.json"
    models = json.loads(path.read_text(encoding="utf-8"))["models"] if path.is_file() else []
    return [model for model in models if model["architecture"] in FAMILIES]


@pytest.mark.skipif(not published(), reason="no hf_configs.json where SCALING_DATA points, nor in ../shared/data")
def test_every_published_config(write: Write) -> None:
    """To the last parameter, in total, active and without embeddings."""
    models = published()
    assert {model["architecture"] for model in models} == set(FAMILIES)
    for model in models:
        counts = count_config(write(model["config"]))
        assert counts.params_total == model["meta_count"], model["name"]
        assert counts.params_active == model.get("meta_active", counts.params_total), model["name"]
        assert counts.params_non_embedding == model.get("meta_non_embedding", counts.params_non_embedding), model[
            "name"
        ]


@pytest.mark.skipif(not published(), reason="no hf_configs.json where SCALING_DATA points, nor in ../shared/data")
def test_other_published_families_are_refused_by_name(write: Write) -> None:
    models = json.loads((DATA / "hf_configs.json").read_text(encoding="utf-8"))["models"]
    others = [model for model in models if model["architecture"] not in {*FAMILIES, "gemma3"}]
    assert others
    for model in others:
        with pytest.raises(FileError, match="no family that is counted"):
            read_config(write(model["config"]))


def test_a_nested_text_model(write: Write) -> None:
    """The text model is counted, and the note says that nothing else is."""
    nested = {"model_type": "gemma3_text", **GROUPED, "head_dim": 16}
    outer = {"model_type": "gemma3", "vision_config": {"hidden_size": 9}, "tie_word_embeddings": False}
    config = read_config(write({**outer, "text_config": nested}))
    assert count(config.shape).params_total == 81744
    assert any("text_config" in note for note in config.notes)
    tied = read_config(write({**outer, "text_config": {**nested, "tie_word_embeddings": True}}))
    assert count(tied.shape).params_total == 81744 - 48 * 100


def test_absent_sizes_are_said(write: Write) -> None:
    """As transformers 5.23.0 has them: 32 key and value heads do not fit 6, so the file must say."""
    config = read_config(write({"model_type": "gemma2", **GROUPED}))
    assert config.shape.head_dim == 256
    assert any("head_dim 256" in note for note in config.notes)
    with pytest.raises(FileError, match=r"num_key_value_heads is 32, which is what its absence means"):
        read_config(write({"model_type": "qwen2", **SMALL}))


@pytest.mark.parametrize(
    ("config", "window", "layers"),
    [
        ({"model_type": "mistral", **GROUPED}, 4096, 3),
        ({"model_type": "mistral", **GROUPED, "sliding_window": None}, 0, 0),
        ({"model_type": "qwen2", **GROUPED, "sliding_window": 8}, 0, 0),
        ({"model_type": "qwen2", **GROUPED, "use_sliding_window": True, "max_window_layers": 1}, 4096, 2),
        ({"model_type": "gemma2", **GROUPED}, 4096, 2),
        ({"model_type": "gemma3_text", **GROUPED, "num_hidden_layers": 13}, 4096, 11),
        ({"model_type": "gemma3_text", **GROUPED, "sliding_window_pattern": 3}, 4096, 2),
        ({"model_type": "gpt_oss", **GROUPED, "layer_types": ["full_attention"] * 3}, 128, 0),
        ({"model_type": "llama", **GROUPED, "sliding_window": 8}, 0, 0),
    ],
)
def test_windows(write: Write, config: dict[str, Any], window: int, layers: int) -> None:
    shape = read_config(write(config)).shape
    assert (shape.window, shape.windowed_layers) == (window, layers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": "4096"}, "hidden_size is '4096'"),
        ({"hidden_size": 48.0}, "hidden_size is 48.0"),
        ({"hidden_size": float("nan")}, "hidden_size is nan"),
        ({"hidden_size": True}, "hidden_size is true"),
        ({"hidden_size": None}, "hidden_size is null"),
        ({"hidden_size": -48}, "hidden_size is -48"),
        ({"hidden_size": [48]}, "hidden_size is a list"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"vocab_size": 10**40}, "vocab_size is a whole number of 133 bits"),
        ({"num_attention_heads": 7}, "num_attention_heads is 7"),
        ({"num_key_value_heads": 4}, "num_key_value_heads is 4"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
        ({"attention_bias": 1}, "attention_bias is 1"),
        ({"model_type": "\x1b[2J"}, r"model_type is '\x1b[2J', no family"),
        ({"model_type": None}, "model_type is missing"),
        ({"model_type": 3}, "model_type is 3"),
        ({"per_layer_config": {"0": {}}}, "per_layer_config is set"),
        ({"add_cross_attention": True}, "add_cross_attention is true"),
        ({"model_type": "mixtral", **GROUPED, "num_experts_per_tok": 9}, "num_experts_per_tok is 9"),
        ({"model_type": "deepseek_v2"}, "num_experts_per_tok is missing"),
        ({"model_type": "gemma2", **GROUPED, "layer_types": ["full_attention"]}, "layer_types does not fit"),
        ({"model_type": "gemma2", **GROUPED, "layer_types": 3}, "layer_types is 3"),
        ({"model_type": "qwen3_moe", **GROUPED, "mlp_only_layers": ["1"]}, "mlp_only_layers has items"),
    ],
)
def test_values_that_cannot_be(write: Write, change: dict[str, Any], message: str) -> None:
    """File, key, value and what was expected."""
    path = write({**LLAMA, **change})
    with pytest.raises(FileError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers"])
def test_the_main_sizes_must_be_there(write: Write, key: str) -> None:
    with pytest.raises(FileError, match=f"{key} is missing"):
        read_config(write({name: value for name, value in LLAMA.items() if name != key}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ('{"model_type": "llama",', "line 1: is not JSON"),
        ("[1, 2]", "is not a mapping"),
        ('"llama"', "is not a mapping"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 40_000 + "1" + "}" * 40_000, "nested too deeply"),
        ('{"hidden_size": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"model_type": "llama", "model_type": "gpt2"}', "'model_type' stands twice"),
        (json.dumps({"a": "x" * 300_000}), "larger than the limit"),
    ],
)
def test_files_that_are_no_config(write: Write, text: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_config(write(text))


def test_what_the_reference_sets_aside_is_said(write: Write) -> None:
    config = read_config(write({"model_type": "deepseek_v3", **LATENT, **ROUTED, "moe_layer_freq": 2}))
    assert any("moe_layer_freq" in note for note in config.notes)
