"""Real shapes near a number of parameters: layers, width, heads and the rest, by rules of published practice."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from scaling_cli.core.architectures import DEFAULT_CONTEXT, Architecture, Counts, count
from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import InputError, NoAnswer

DEFAULT_VOCAB = 32_000
MOST_VOCAB = 10**8
MOST_PARAMS = 1e15
SMALL = 1e9  # params; below, narrower steps and heads, and a tied head
PROPOSALS = 5
TOLERANCE = 0.1  # of the params asked for; what is further away is no shape near them
LEAST_ASPECT, MOST_ASPECT = 48, 144  # width / layers
KV_HEADS, LEAST_KV_HEADS = 8, 4
FFN_STEP = 256


class Proposal(NamedTuple):
    """A shape near the params asked for.

    Args:
        shape: the architecture.
        counts: its exact counts.
        difference: (total params - params asked for) / params asked for.
    """

    shape: Architecture
    counts: Counts
    difference: float


class Question(NamedTuple):
    """What a shape is asked for.

    Args:
        params: total parameters, a count.
        vocab: entries of the vocabulary.
        context: tokens per sequence.
        tied: whether the output head is the embedding table; None to decide by size.
    """

    params: float
    vocab: float = DEFAULT_VOCAB
    context: float = DEFAULT_CONTEXT
    tied: bool | None = None


def propose_shapes(question: Question) -> list[Proposal]:
    """Return up to five shapes whose exact total lies nearest to the params asked for, the nearest first.

    For each width the number of layers that comes nearest, within the aspect ratios of published models and 10 %
    of the params; `rules` says what else is fixed.

    Raises: InputError for a question that cannot be; NoAnswer where no shape comes within 10 %.

    >>> [(p.shape.layers, p.shape.width) for p in propose_shapes(Question(7e9))][:1]
    [(32, 4480)]
    """
    _check(question)
    found = sorted(_candidates(question), key=lambda proposal: abs(proposal.difference))
    near = [proposal for proposal in found if abs(proposal.difference) <= TOLERANCE][:PROPOSALS]
    if not near:
        asked, vocab = format_quantity(question.params, "params"), int(question.vocab)
        closest = f"the nearest has {found[0].counts.params_total}" if found else "the smallest has more"
        raise NoAnswer(
            f"no shape by these rules has {asked} params with a vocabulary of {vocab}: {closest}",
            "a smaller --vocab leaves more of the params to the layers",
        )
    return near


def rules(question: Question) -> list[str]:
    """Return the rules that the shapes follow, each with its source."""
    head_dim = _head_dim(question)
    tied = "is the embedding table, as in GPT-2, OPT and Qwen2.5-0.5B" if _tied(question) else "is its own matrix"
    return [
        f"width / layers from {LEAST_ASPECT} to {MOST_ASPECT}: loss hardly depends on it at fixed params (Kaplan et "
        "al. 2020, arXiv:2001.08361, section 3.2); GPT-2 XL has 33, Pythia-410M 43, LLaMA-7B 128, Pythia-12B 142",
        f"width a multiple of the head dimension, {head_dim} (64 below 1B params and 128 above, ours, near Hoffmann et "
        "al. 2022, arXiv:2203.15556, table A9)",
        f"heads of keys and values: the largest divisor of heads up to {KV_HEADS}, and at least {LEAST_KV_HEADS}: "
        "grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245), 8 as in Llama 3 and Mistral 7B",
        f"gated feed-forward network of 8/3 width, rounded up to a multiple of {FFN_STEP} (Shazeer 2020, "
        "arXiv:2002.05202; rounded as in LLaMA-7B: 4096 and 11008); RMS norms, no biases, as in LLaMA",
        f"vocabulary of {int(question.vocab)}, by default {DEFAULT_VOCAB} as in LLaMA and, so that their laws fit, "
        f"Gopher and Chinchilla; 128k is 128000; the output head {tied} (--tied, --untied)",
    ]


def _check(question: Question) -> None:
    if not 0 < question.params <= MOST_PARAMS:
        raise InputError(
            f"--params is {question.params:.6g}", f"expected a count of parameters up to {MOST_PARAMS:g}, such as 7B"
        )
    if not 1 <= question.vocab <= MOST_VOCAB or question.vocab != int(question.vocab):
        raise InputError(
            f"--vocab is {question.vocab:.6g}",
            f"expected a whole number of entries from 1 to {MOST_VOCAB}, such as 32000 or 128k (128000)",
        )


def _candidates(question: Question) -> Iterator[Proposal]:
    """Yield for each width the depth that comes nearest, if its aspect ratio is one of practice."""
    step = _head_dim(question)
    for width in range(step, _widest(question) + step, step):
        if not _kv_heads(width // step):
            continue
        one, two = (count(_shape(question, width, layers), question.context).params_total for layers in (1, 2))
        nearest = round((question.params - one) / (two - one)) + 1
        layers = min(max(nearest, math.ceil(width / MOST_ASPECT)), width // LEAST_ASPECT)
        shape = _shape(question, width, layers)
        counts = count(shape, question.context)
        yield Proposal(shape, counts, counts.params_total / question.params - 1)


def _widest(question: Question) -> int:
    """Return a width beyond which the shallowest shape has too many params: a layer has more than 8 width**2."""
    return int((question.params * MOST_ASPECT / 8) ** (1 / 3)) + 1


def _shape(question: Question, width: int, layers: int) -> Architecture:
    head_dim = _head_dim(question)
    heads = width // head_dim
    return Architecture(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=_kv_heads(heads),
        head_dim=head_dim,
        value_dim=head_dim,
        ffn=-(-8 * width // (3 * FFN_STEP)) * FFN_STEP,
        vocab=int(question.vocab),
        context=int(question.context),
        tied=_tied(question),
        embedding_width=width,
    )


def _kv_heads(heads: int) -> int:
    """Return the largest divisor of heads up to 8; 0 where that is too few for so many heads."""
    most = max(kv for kv in range(1, KV_HEADS + 1) if heads % kv == 0)
    return most if most >= min(heads, LEAST_KV_HEADS) else 0


def _head_dim(question: Question) -> int:
    return 64 if question.params < SMALL else 128


def _tied(question: Question) -> bool:
    return question.params < SMALL if question.tied is None else question.tied
