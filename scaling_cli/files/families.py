"""How each family of models reads its config.json: the names of its keys, and what an absent key means.

Facts about the reference implementation, Hugging Face transformers 5.23.0, each checked against the parameters that
it builds; none of its code is needed or copied. A family is a line of differences from a plain decoder, and every
family is counted by the same description of a transformer block (`core.architectures`).
"""

from collections.abc import Mapping
from typing import NamedTuple

Default = int | bool | None

KEYS: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers",),
    "width": ("hidden_size",),
    "heads": ("num_attention_heads",),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "ffn": ("intermediate_size",),
    "vocab": ("vocab_size",),
    "context": ("max_position_embeddings",),
    "per_token": ("num_experts_per_tok",),
    "expert_ffn": ("moe_intermediate_size",),
}
"""The keys of a quantity, the last one its own name; of several in a file the first counts."""


class Windows(NamedTuple):
    """Layers that attend to the latest tokens only.

    Args:
        length: tokens, where the file does not say; None for no window.
        every: all but every so-many-th layer has the window; 0 for all layers.
        pattern: the key that changes `every`, where there is one.
        switch: whether use_sliding_window must be set.
        above: whether only the layers from max_window_layers on have it, which is 28 where the file does not say.
    """

    length: int | None
    every: int = 0
    pattern: str = ""
    switch: bool = False
    above: bool = False


class Family(NamedTuple):
    """What sets a family apart.

    Args:
        defaults: what an absent size means; None: worked out from the others; a size not here is never read.
        keys: names of keys that differ from `KEYS`.
        tied: whether the output head is the embedding table where the file does not say.
        bias: of queries, keys and values; of the attention's output; of the dense feed-forward network:
            the key that says, or always.
        bias_default: what an absent key of `bias` means.
        gated, norm_vectors, layer_norms: as in an Architecture.
        qk_norm: over what queries and keys are normed: 'head' (one norm for all), 'heads' (one for each),
            'width' (as heads of width / heads each) or ''.
        qk_norm_key: the key that switches it on, off where absent; '' for always.
        windows: layers that attend to the latest tokens only.
        divides: whether heads must divide width even where the file gives head_dim.
        expert_bias: whether experts and router have biases.
        positions: rows of a learned table of positions beyond the context; None for no table.
        sinks: whether each head has a learned sink.
        may_be_zero: sizes that may be 0.
    """

    defaults: Mapping[str, Default]
    keys: Mapping[str, tuple[str, ...]] = {}
    tied: bool = False
    bias: tuple[str | bool, str | bool, str | bool] = ("attention_bias", "attention_bias", False)
    bias_default: bool = False
    gated: bool = True
    norm_vectors: int = 1
    layer_norms: int = 2
    qk_norm: str = ""
    qk_norm_key: str = ""
    windows: Windows | None = None
    divides: bool = False
    expert_bias: bool = False
    positions: int | None = None
    sinks: bool = False
    may_be_zero: tuple[str, ...] = ("shared", "dense_layers")


def _sizes(*usual: Default, **more: Default) -> dict[str, Default]:
    """Return the defaults of the sizes that every family has, in this order, and of more."""
    return {**dict(zip(("vocab", "width", "ffn", "layers", "heads", "context"), usual, strict=True)), **more}


_LLAMA: dict[str, Default] = {"kv_heads": None, "head_dim": None}
_NO_BIAS = (False, False, False)
_LATENT: dict[str, Default] = {"kv_rank": 512, "query_rank": 1536, "nope_dim": 128, "rope_dim": 64, "value_dim": 128}
_LATENT_KEYS = {
    "kv_rank": ("kv_lora_rank",), "query_rank": ("q_lora_rank",), "nope_dim": ("qk_nope_head_dim",),
    "rope_dim": ("qk_rope_head_dim",), "value_dim": ("v_head_dim",),
    "shared": ("n_shared_experts",), "dense_layers": ("first_k_dense_replace",),
}  # fmt: skip

FAMILIES: Mapping[str, Family] = {
    "gpt2": Family(
        _sizes(50257, 768, None, 12, 12, 1024),
        keys={
            "layers": ("num_hidden_layers", "n_layer"), "width": ("hidden_size", "n_embd"), "ffn": ("n_inner",),
            "heads": ("num_attention_heads", "n_head"), "context": ("max_position_embeddings", "n_positions"),
        },
        tied=True, bias=(True, True, True), gated=False, norm_vectors=2, positions=0,
    ),
    "gpt_neox": Family(
        _sizes(50432, 6144, 24576, 44, 64, 2048),
        bias=("attention_bias", "attention_bias", True), bias_default=True, gated=False, norm_vectors=2, divides=True,
    ),
    "opt": Family(
        _sizes(50272, 768, 3072, 12, 12, 2048, embedding_width=None),
        keys={"ffn": ("ffn_dim",), "embedding_width": ("word_embed_proj_dim",)},
        tied=True, bias=("enable_bias", "enable_bias", "enable_bias"), bias_default=True, gated=False, norm_vectors=2,
        positions=2,
    ),
    "falcon": Family(
        _sizes(65024, 4544, None, 32, 71, 2048, kv_heads=None, parallel_norms=None),
        keys={
            "width": ("n_embed", "hidden_size"), "kv_heads": ("num_kv_heads",), "ffn": ("ffn_hidden_size",),
            "parallel_norms": ("num_ln_in_parallel_attn",),
        },
        tied=True, bias=("bias", "bias", "bias"), gated=False, norm_vectors=2,
    ),
    "llama": Family(
        _sizes(32000, 4096, 11008, 32, 32, 2048, **_LLAMA),
        bias=("attention_bias", "attention_bias", "mlp_bias"), divides=True,
    ),
    "granite": Family(
        _sizes(32000, 4096, 11008, 32, 32, 2048, **_LLAMA), bias=("attention_bias", "attention_bias", "mlp_bias")
    ),
    "mistral": Family(
        _sizes(32000, 4096, 14336, 32, 32, 131072, kv_heads=8, head_dim=None), bias=_NO_BIAS, windows=Windows(4096)
    ),
    "mixtral": Family(
        _sizes(32000, 4096, 14336, 32, 32, 131072, kv_heads=8, head_dim=None, experts=8, per_token=2),
        keys={"experts": ("num_experts", "num_local_experts")}, bias=_NO_BIAS, windows=Windows(None),
    ),
    "qwen2": Family(
        _sizes(151936, 4096, 22016, 32, 32, 32768, kv_heads=32, head_dim=None),
        bias=(True, False, False), windows=Windows(4096, switch=True, above=True),
    ),
    "qwen3": Family(
        _sizes(151936, 4096, 22016, 32, 32, 32768, kv_heads=32, head_dim=128),
        qk_norm="head", windows=Windows(4096, switch=True, above=True),
    ),
    "qwen3_moe": Family(
        _sizes(
            151936, 2048, 6144, 24, 32, 32768, kv_heads=4, head_dim=None,
            experts=128, per_token=8, expert_ffn=768, sparse_step=1,
        ),
        keys={"experts": ("num_local_experts", "num_experts"), "sparse_step": ("decoder_sparse_step",)},
        qk_norm="head", windows=Windows(4096, switch=True), may_be_zero=("experts",),
    ),
    "gemma": Family(_sizes(256000, 3072, 24576, 28, 16, 8192, kv_heads=16, head_dim=256), tied=True),
    "gemma2": Family(
        _sizes(256000, 2304, 9216, 26, 8, 8192, kv_heads=4, head_dim=256),
        tied=True, layer_norms=4, windows=Windows(4096, every=2), divides=True,
    ),
    "gemma3_text": Family(
        _sizes(262208, 2304, 9216, 26, 8, 131072, kv_heads=4, head_dim=256),
        tied=True, layer_norms=4, qk_norm="head", divides=True,
        windows=Windows(4096, every=6, pattern="sliding_window_pattern"),
    ),
    "phi3": Family(_sizes(32064, 3072, 8192, 32, 32, 4096, **_LLAMA), bias=_NO_BIAS, windows=Windows(None)),
    "olmo": Family(_sizes(50304, 4096, 11008, 32, 32, 2048, **_LLAMA), norm_vectors=0),
    "olmo2": Family(_sizes(50304, 4096, 11008, 32, 32, 2048, **_LLAMA), qk_norm="heads"),
    "olmoe": Family(
        _sizes(50304, 2048, 2048, 16, 16, 4096, **_LLAMA, experts=64, per_token=8),
        keys={"experts": ("num_local_experts", "num_experts")}, qk_norm="width",
    ),
    "deepseek_v2": Family(
        _sizes(
            102400, 4096, 11008, 32, 32, 2048, **_LATENT,
            experts=64, per_token=None, expert_ffn=1407, shared=2, dense_layers=0,
        ),
        keys={**_LATENT_KEYS, "experts": ("num_experts", "n_routed_experts")},
        bias=("attention_bias", "attention_bias", "mlp_bias"), divides=True,
    ),
    "deepseek_v3": Family(
        _sizes(
            129280, 7168, 18432, 61, 128, 4096, **_LATENT,
            experts=256, per_token=8, expert_ffn=2048, shared=1, dense_layers=3,
        ),
        keys={**_LATENT_KEYS, "experts": ("num_local_experts", "n_routed_experts")},
    ),
    "starcoder2": Family(
        _sizes(49152, 3072, 12288, 30, 24, 4096, kv_heads=2, head_dim=None),
        tied=True, bias=("use_bias", "use_bias", "use_bias"), bias_default=True, gated=False, norm_vectors=2,
        windows=Windows(None),
    ),
    "cohere": Family(
        _sizes(256000, 8192, 22528, 40, 64, 8192, **_LLAMA),
        tied=True, layer_norms=1, qk_norm="heads", qk_norm_key="use_qk_norm",
    ),
    "gpt_oss": Family(
        _sizes(201088, 2880, 2880, 36, 64, 131072, kv_heads=8, head_dim=64, experts=128, per_token=4),
        keys={"experts": ("num_experts", "num_local_experts")},
        bias_default=True, windows=Windows(128, every=2), expert_bias=True, sinks=True,
    ),
    "stablelm": Family(
        _sizes(50304, 2560, 6912, 32, 32, 4096, kv_heads=32),
        bias=("use_qkv_bias", False, False), norm_vectors=2, qk_norm="heads", qk_norm_key="qk_layernorm",
    ),
}  # fmt: skip
