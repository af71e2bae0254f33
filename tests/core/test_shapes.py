"""Shapes near a number of params: the rules hold, the counts are exact, and the nearest come first."""

import pytest

from scaling_cli.core.architectures import count
from scaling_cli.core.shapes import Question, propose_shapes, rules
from scaling_cli.errors import InputError, NoAnswer

SIZES = [2e7, 1e8, 3.5e8, 1e9, 7e9, 1.3e10, 7e10, 4.05e11, 1e13]


@pytest.mark.parametrize("params", SIZES)
def test_the_rules_hold(params: float) -> None:
    step = 64 if params < 1e9 else 128
    proposals = propose_shapes(Question(params))
    assert 2 <= len(proposals) <= 5
    for proposal in proposals:
        shape = proposal.shape
        assert shape.width % step == 0
        assert shape.heads * shape.head_dim == shape.width
        assert shape.heads % shape.kv_heads == 0
        assert min(4, shape.heads) <= shape.kv_heads <= 8
        assert shape.ffn % 256 == 0
        assert 0 <= shape.ffn - 8 * shape.width / 3 < 256
        assert 48 <= shape.width / shape.layers <= 144
        assert shape.tied == (params < 1e9)


@pytest.mark.parametrize("params", SIZES)
def test_nearest_first_and_exact(params: float) -> None:
    proposals = propose_shapes(Question(params))
    distances = [abs(proposal.difference) for proposal in proposals]
    assert distances == sorted(distances)
    assert distances[-1] <= 0.1
    for proposal in proposals:
        assert proposal.counts == count(proposal.shape, 2048)
        assert proposal.difference == proposal.counts.params_total / params - 1
    assert len({proposal.shape.width for proposal in proposals}) == len(proposals)


def test_the_feed_forward_network_of_llama() -> None:
    """Touvron et al. 2023, arXiv:2302.13971: 4096 wide, 32 heads; 11008 in its published configuration."""
    shape = next(p.shape for p in propose_shapes(Question(7e9)) if p.shape.width == 4096)
    assert (shape.heads, shape.ffn) == (32, 11008)


def test_vocabulary_context_and_head() -> None:
    question = Question(1e9, vocab=128_000, context=8000, tied=True)
    for proposal in propose_shapes(question):
        assert (proposal.shape.vocab, proposal.counts.context, proposal.shape.tied) == (128_000, 8000, True)
    assert all(not p.shape.tied for p in propose_shapes(Question(1e8, tied=False)))


def test_every_rule_is_cited() -> None:
    text = " ".join(rules(Question(7e9)))
    for paper in ("2001.08361", "2203.15556", "2305.13245", "2002.05202"):
        assert paper in text


@pytest.mark.parametrize("params", [1e3, 2e6])
def test_too_few_params_for_the_vocabulary(params: float) -> None:
    with pytest.raises(NoAnswer, match="vocabulary of 1000000") as caught:
        propose_shapes(Question(params, vocab=1_000_000))
    assert "--vocab" in str(caught.value)


@pytest.mark.parametrize(
    "question",
    [
        Question(0.0), Question(1e16), Question(float("nan")), Question(7e9, vocab=0), Question(7e9, vocab=0.5),
        Question(7e9, vocab=1e9), Question(7e9, context=0), Question(7e9, context=2.5),
    ],
)  # fmt: skip
def test_questions_that_cannot_be(question: Question) -> None:
    with pytest.raises(InputError, match="expected"):
        propose_shapes(question)
