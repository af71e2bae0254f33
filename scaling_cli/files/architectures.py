"""The architecture that the values of a config.json stand for, as the reference implementation builds it."""

from scaling_cli.core.architectures import Architecture, Experts, Latent
from scaling_cli.files.config_values import Values
from scaling_cli.files.families import Family, Windows

LAYER_TYPES = ("full_attention", "sliding_attention")


def architecture_of(values: Values, model_type: str) -> Architecture:
    """Return the architecture of a family's config.

    Raises: FileError naming the key: a value that cannot be, or sizes that do not fit each other.
    """
    family = values.family
    width, heads, layers, context = (values.size(role) for role in ("width", "heads", "layers", "context"))
    latent, head_dim, value_dim = _latent(values)
    if latent is None:
        head_dim = value_dim = _head_dim(values, width, heads)
    elif family.divides:
        _check_divides(values, width, heads)
    bias_qkv, bias_out, bias_ffn = (values.flag(key, family.bias_default) for key in family.bias)
    shape = Architecture(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=values.optional("kv_heads") or heads,
        head_dim=head_dim,
        value_dim=value_dim,
        ffn=values.optional("ffn") or 4 * width,
        vocab=values.size("vocab"),
        context=context,
        tied=values.flag("tie_word_embeddings", family.tied),
        embedding_width=values.optional("embedding_width") or width,
        positions=0 if family.positions is None else context + family.positions,
        gated=family.gated,
        bias_qkv=bias_qkv,
        bias_out=bias_out,
        bias_ffn=bias_ffn,
        norm_vectors=family.norm_vectors,
        layer_norms=family.layer_norms,
        sinks=family.sinks,
        latent=latent,
    )
    shape = _SPECIAL[model_type](values, shape) if model_type in _SPECIAL else shape
    if heads % shape.kv_heads:
        key = values.key("kv_heads")
        default = "" if key in values.block else ", which is what its absence means"
        values.fail(key, f"is {shape.kv_heads}{default}", f"expected a divisor of the {heads} heads")
    window, windowed = _windows(values, family.windows, layers)
    return shape._replace(
        qk_norm=_qk_norm(values, shape), experts=_experts(values, shape), window=window, windowed_layers=windowed
    )


def _head_dim(values: Values, width: int, heads: int) -> int:
    given = values.optional("head_dim")
    if given is None or values.family.divides:
        _check_divides(values, width, heads)
    return given or width // heads


def _check_divides(values: Values, width: int, heads: int) -> None:
    if width % heads:
        values.fail(values.key("heads"), f"is {heads}", f"expected a divisor of {values.key('width')}, {width}")


def _latent(values: Values) -> tuple[Latent | None, int, int]:
    """Return the latents, the width of a head's key and that of its value; None for plain attention."""
    if "kv_rank" not in values.family.defaults:
        return None, 0, 0
    rope_dim = values.size("rope_dim")
    latent = Latent(values.optional("query_rank"), values.size("kv_rank"), rope_dim)
    return latent, values.size("nope_dim") + rope_dim, values.size("value_dim")


def _qk_norm(values: Values, shape: Architecture) -> int:
    """Return the weights of the norms of queries and keys in a layer."""
    family: Family = values.family
    if family.qk_norm_key and not values.flag(family.qk_norm_key):
        return 0
    if family.qk_norm == "width":
        return shape.width + shape.width // shape.heads * shape.kv_heads
    return {"": 0, "head": 2, "heads": shape.heads + shape.kv_heads}[family.qk_norm] * shape.head_dim


def _experts(values: Values, shape: Architecture) -> Experts | None:
    """Return the experts; None for a dense model."""
    if "experts" not in values.family.defaults or (held := values.size("experts")) == 0:
        return None
    per_token = values.size("per_token")
    if per_token > held:
        values.fail(values.key("per_token"), f"is {per_token}", f"expected at most the {held} experts of a layer")
    ffn = values.optional("expert_ffn") or shape.ffn
    shared = values.size("shared") * ffn if "shared" in values.family.defaults else None
    return Experts(_routed_layers(values, shape.layers), held, per_token, ffn, shared, values.family.expert_bias)


def _routed_layers(values: Values, layers: int) -> int:
    """Return how many layers are routed: those after the dense ones, each so-many-th, less those named as dense."""
    first, step = values.optional("dense_layers") or 0, values.optional("sparse_step")
    if step is None:
        return max(0, layers - first)
    named = values.list("mlp_only_layers")
    if not all(isinstance(layer, int) for layer in named):
        values.fail("mlp_only_layers", "has items that are no whole numbers", "expected the numbers of layers, from 0")
    return sum((layer + 1) % step == 0 for layer in set(range(layers)) - set(named))


def _windows(values: Values, windows: Windows | None, layers: int) -> tuple[int, int]:
    """Return the window and how many layers have it."""
    if windows is None or (windows.switch and not values.flag("use_sliding_window")):
        return 0, 0
    length = values.whole("sliding_window", windows.length)
    if length is None:
        return 0, 0
    types = values.list("layer_types") if windows.every or windows.above else []
    if types:
        if len(types) != layers or not all(kind in LAYER_TYPES for kind in types):
            values.fail("layer_types", "does not fit", f"expected {layers} of {' and '.join(LAYER_TYPES)}")
        return length, types.count("sliding_attention")
    if windows.above:
        return length, max(0, layers - (values.whole("max_window_layers", 28, least=0) or 0))
    every = values.whole(windows.pattern, windows.every) if windows.pattern else windows.every
    return length, layers - layers // every if every else layers


def _opt(values: Values, shape: Architecture) -> Architecture:
    before, removed = values.flag("do_layer_norm_before", True), values.flag("_remove_final_layer_norm")
    learned = values.flag("layer_norm_elementwise_affine", True)
    return shape._replace(final_norm=before and not removed, norm_vectors=2 if learned else 0)


def _falcon(values: Values, shape: Architecture) -> Architecture:
    new, shared = values.flag("new_decoder_architecture"), values.flag("multi_query", True)
    asked = values.optional("parallel_norms") or (2 if new else 1)
    norms = 2 if asked == 2 or not values.flag("parallel_attn", True) else 1
    return shape._replace(kv_heads=shape.kv_heads if new else 1 if shared else shape.heads, layer_norms=norms)


def _stablelm(values: Values, shape: Architecture) -> Architecture:
    return shape._replace(layer_norms=1 if values.flag("use_parallel_residual") else 2)


_SPECIAL = {"opt": _opt, "falcon": _falcon, "stablelm": _stablelm}
