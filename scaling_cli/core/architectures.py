"""What a decoder transformer is made of, and what follows from it: exact parameters, FLOPs per token.

One description serves every family: a layer is attention and a feed-forward network, dense or routed among experts;
families differ in sizes, biases and norms. Nothing here reads a file or proposes a shape.
"""

from collections.abc import Iterator
from typing import NamedTuple

from scaling_cli.core.compute import training_flops
from scaling_cli.errors import InputError

DEFAULT_CONTEXT = 2048
"""Tokens that a sequence has where nobody says; Chinchilla and PaLM were trained on 2048 (ours to choose)."""

MOST_CONTEXT = 10**9
PASSES = 3  # the backward pass costs twice the forward pass (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)
FLOPS_PER_MULTIPLY_ADD = 2


class Latent(NamedTuple):
    """Attention through low-rank latents (DeepSeek-V2, arXiv:2405.04434, section 2.1).

    Args:
        query_rank: width of the queries' latent; None for queries straight from the stream.
        kv_rank: width of the latent that keys and values share.
        rope_dim: the part of each head's key that carries the position and is the same in all heads.
    """

    query_rank: int | None
    kv_rank: int
    rope_dim: int


class Experts(NamedTuple):
    """Feed-forward networks among which a router chooses.

    Args:
        layers: how many layers are routed; the others are dense.
        held, per_token: how many experts a layer holds, and how many a token passes through.
        ffn: hidden width of one expert.
        shared_ffn: hidden width of the network beside them that every token passes through, if there is one.
        bias: whether the experts and the router have biases.
    """

    layers: int
    held: int
    per_token: int
    ffn: int
    shared_ffn: int | None = None
    bias: bool = False


class Architecture(NamedTuple):
    """A decoder transformer with its output head.

    Args:
        layers, width, heads, vocab: as they are called everywhere; width is that of the residual stream.
        kv_heads: heads of keys and values; fewer than heads where queries share them.
        head_dim, value_dim: width of one head's query and key, and of its value.
        ffn: hidden width of a dense feed-forward network, which has three matrices where it is gated, else two.
        context: the longest sequence, tokens.
        tied: whether the output head is the embedding table.
        embedding_width: width of the table; where it differs from width, two matrices lead in and out.
        positions: rows of a learned table of positions; 0 for none.
        bias_qkv, bias_out, bias_ffn: which matrices add a bias.
        norm_vectors: weights of a norm, in widths: 2 weight and bias, 1 weight, 0 nothing learned.
        layer_norms, final_norm: norms of a layer (those of queries and keys apart), and one at the end.
        qk_norm: weights of the norms of queries and keys, per layer.
        sinks: whether each head has a learned sink.
        window, windowed_layers: the most tokens that so many of the layers attend to.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    ffn: int
    vocab: int
    context: int
    tied: bool
    embedding_width: int
    positions: int = 0
    gated: bool = True
    bias_qkv: bool = False
    bias_out: bool = False
    bias_ffn: bool = False
    norm_vectors: int = 1
    layer_norms: int = 2
    final_norm: bool = True
    qk_norm: int = 0
    sinks: bool = False
    window: int = 0
    windowed_layers: int = 0
    latent: Latent | None = None
    experts: Experts | None = None


class Counts(NamedTuple):
    """What an architecture costs.

    Args:
        params_total: every weight once; a tied head is the embedding table.
        params_non_embedding: total less the tables of tokens and positions and an untied output head.
        params_active: total less the experts that a token does not pass through.
        context: tokens of the sequences that the FLOPs are for.
        flops_per_token: training FLOPs with full attention (Chowdhery et al. 2022, arXiv:2204.02311, appendix B).
        flops_per_token_causal: the same, attending to earlier tokens only (Kaplan et al. 2020, table 1).
        flops_per_token_6n: six times the active params.
        ratio_to_6n: flops_per_token / flops_per_token_6n.
    """

    params_total: int
    params_non_embedding: int
    params_active: int
    context: int
    flops_per_token: int
    flops_per_token_causal: float
    flops_per_token_6n: float
    ratio_to_6n: float


class Linear(NamedTuple):
    """Equal matrices, of which `copies` are held and a token passes through `used`."""

    inputs: int
    outputs: int
    bias: bool = False
    copies: int = 1
    used: int = 1

    @property
    def params(self) -> int:
        """Weights and biases of one copy."""
        return self.outputs * (self.inputs + self.bias)


def count(shape: Architecture, context: float | None = None) -> Counts:
    """Return the exact parameters of an architecture, and its training FLOPs per token.

    FLOPs: 3 * 2 for each multiply-add of the matrices that a token passes through (experts in use, router and output
    head; the embedding look-up has none) and of attention's scores and values. Norms, biases, activations and the
    softmax are left out, as by Kaplan et al. 2020 (table 1).

    Args:
        shape: the architecture.
        context: tokens per sequence; by default the longest the model takes, at most 2048.
    Raises: InputError for a context that is no whole number or that learned positions do not reach.

    >>> tiny = Architecture(
    ...     layers=1, width=2, heads=1, kv_heads=1, head_dim=2, value_dim=2, ffn=3, vocab=5, context=8, tied=True,
    ...     embedding_width=2,
    ... )
    >>> count(tiny).params_total  # embedding 5*2, attention 4*2*2, gated network 3*2*3, three norms of 2
    50
    """
    length = check_context(shape, context)
    parts = list(_matrices(shape))
    held = sum(layers * part.copies * part.params for layers, part in parts)
    idle = sum(layers * (part.copies - part.used) * part.params for layers, part in parts)
    head = shape.embedding_width * shape.vocab
    tables = head + shape.positions * shape.width + (0 if shape.tied else head)
    total = held + _vectors(shape) + tables
    work = head + sum(layers * part.used * part.inputs * part.outputs for layers, part in parts)
    six_n = training_flops(float(total - idle), 1.0)
    full = _training(work + _attention_work(shape, length))
    return Counts(
        params_total=total,
        params_non_embedding=total - tables,
        params_active=total - idle,
        context=length,
        flops_per_token=full,
        flops_per_token_causal=_training(work) + PASSES * FLOPS_PER_MULTIPLY_ADD * _causal_work(shape, length),
        flops_per_token_6n=six_n,
        ratio_to_6n=full / six_n,
    )


def check_context(shape: Architecture, context: float | None) -> int:
    """Return the tokens per sequence, by default the longest the model takes, at most 2048."""
    if context is None:
        return min(shape.context, DEFAULT_CONTEXT)
    if not 1 <= context <= MOST_CONTEXT or context != int(context):
        raise InputError(
            f"the context is {context:.6g} tokens", f"expected a whole number from 1 to {MOST_CONTEXT}, such as 4096"
        )
    if shape.positions and context > shape.context:
        raise InputError(
            f"the context is {int(context)} tokens, and the model has learned {shape.context} positions",
            f"try --context {shape.context} or less",
        )
    return int(context)


def _training(multiply_adds: int) -> int:
    return PASSES * FLOPS_PER_MULTIPLY_ADD * multiply_adds


def _matrices(shape: Architecture) -> Iterator[tuple[int, Linear]]:
    """Yield the matrices between the embedding and the head, each with how many layers have it."""
    routed = shape.experts.layers if shape.experts else 0
    yield from ((shape.layers, part) for part in _attention(shape))
    yield from ((shape.layers - routed, part) for part in _network(shape, shape.ffn, bias=shape.bias_ffn))
    if shape.experts:
        yield from ((routed, part) for part in _routed(shape, shape.experts))
    if shape.embedding_width != shape.width:
        yield 1, Linear(shape.embedding_width, shape.width)
        yield 1, Linear(shape.width, shape.embedding_width)


def _attention(shape: Architecture) -> Iterator[Linear]:
    queries = shape.heads * shape.head_dim
    yield Linear(shape.heads * shape.value_dim, shape.width, shape.bias_out)
    if not shape.latent:
        yield Linear(shape.width, queries + shape.kv_heads * (shape.head_dim + shape.value_dim), shape.bias_qkv)
        return
    query_rank, kv_rank, rope_dim = shape.latent
    if query_rank is None:
        yield Linear(shape.width, queries)
    else:
        yield Linear(shape.width, query_rank, shape.bias_qkv)
        yield Linear(query_rank, queries)
    yield Linear(shape.width, kv_rank + rope_dim, shape.bias_qkv)
    yield Linear(kv_rank, shape.heads * (shape.head_dim - rope_dim + shape.value_dim))


def _network(shape: Architecture, ffn: int, *, bias: bool, copies: int = 1, used: int = 1) -> Iterator[Linear]:
    yield Linear(shape.width, ffn * (2 if shape.gated else 1), bias, copies, used)
    yield Linear(ffn, shape.width, bias, copies, used)


def _routed(shape: Architecture, experts: Experts) -> Iterator[Linear]:
    yield Linear(shape.width, experts.held, experts.bias)
    yield from _network(shape, experts.ffn, bias=experts.bias, copies=experts.held, used=experts.per_token)
    if experts.shared_ffn is not None:
        yield from _network(shape, experts.shared_ffn, bias=shape.bias_ffn)


def _vectors(shape: Architecture) -> int:
    """Return the weights that stand in no matrix: norms and sinks."""
    norms = shape.layers * shape.layer_norms + shape.final_norm
    layer = shape.qk_norm + shape.heads * shape.sinks
    if shape.latent:
        layer += (shape.latent.query_rank or 0) + shape.latent.kv_rank
    return norms * shape.norm_vectors * shape.width + shape.layers * layer


def _attention_work(shape: Architecture, length: int) -> int:
    """Return the multiply-adds of scores and values where each token attends to all others."""
    windowed = shape.windowed_layers
    seen = (shape.layers - windowed) * length + windowed * min(length, shape.window)
    return shape.heads * (shape.head_dim + shape.value_dim) * seen


def _causal_work(shape: Architecture, length: int) -> float:
    """Return the same where a token attends to itself and those before it, on average over the sequence."""
    windowed = shape.windowed_layers
    near = min(length, shape.window)  # the first tokens of a sequence have fewer before them
    in_window = near - near * (near - 1) / (2 * length)
    seen = (shape.layers - windowed) * (length + 1) / 2 + windowed * in_window
    return shape.heads * (shape.head_dim + shape.value_dim) * seen
