"""What an architecture costs, against formulas and figures that others printed."""

import csv
import os
from pathlib import Path

import pytest

from scaling_cli.core.architectures import Architecture, Experts, Latent, count
from scaling_cli.errors import InputError

DATA = Path(os.environ.get("SCALING_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def dense(layers: int = 4, width: int = 64, heads: int = 4, ffn: int = 256, vocab: int = 1000) -> Architecture:
    return Architecture(
        layers=layers, width=width, heads=heads, kv_heads=heads, head_dim=width // heads, value_dim=width // heads,
        ffn=ffn, vocab=vocab, context=2048, tied=True, embedding_width=width,
    )  # fmt: skip


def test_kaplan_parameters() -> None:
    """Kaplan et al. 2020, eq. 2.1: N = 12 layers width**2 where ffn is 4 width; it leaves norms out."""
    shape = dense(ffn=256)._replace(gated=False, norm_vectors=0)
    assert count(shape).params_non_embedding == 12 * 4 * 64**2


def test_kaplan_forward_flops() -> None:
    """Kaplan et al. 2020, eq. 2.2: 2N + 2 layers context width forward, causal; a token also sees itself."""
    shape = dense()._replace(gated=False, norm_vectors=0)
    counts = count(shape, 512)
    head = 2 * 64 * 1000  # which Kaplan leaves out
    kaplan = 2 * counts.params_non_embedding + 2 * 4 * 512 * 64
    assert counts.flops_per_token_causal / 3 - head == kaplan + 2 * 4 * 64


def test_palm_training_flops() -> None:
    """Chowdhery et al. 2022, appendix B: 6N + 12 L H Q T; with a tied head every weight but the norms is used once."""
    shape = dense()._replace(norm_vectors=0)
    counts = count(shape, 512)
    assert counts.flops_per_token == 6 * counts.params_total + 12 * 4 * 4 * 16 * 512
    assert counts.flops_per_token_6n == 6.0 * counts.params_total
    assert counts.ratio_to_6n == counts.flops_per_token / counts.flops_per_token_6n


def published_flops() -> list[dict[str, str]]:
    path = DATA / "epfml_flops_models.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not published_flops(), reason="no epfml_flops_models.csv where SCALING_DATA points")
def test_published_training_flops() -> None:
    """Hägele et al. 2024 count as Hoffmann et al. 2022 (appendix F): also a softmax and the embedding as a product."""
    for row in published_flops():
        layers, width, heads, length = (int(row[key]) for key in ("n_layers", "d_model", "num_heads", "seq_len"))
        shape = dense(layers, width, heads, int(row["ffw_size"]), int(row["vocab_size"]))
        counts = count(shape, length)
        norms = (2 * layers + 1) * width
        assert counts.params_total - norms == float(row["params"]), row["model"]
        beside = 3 * (2 * width * shape.vocab + layers * 3 * heads * length)
        assert length * (counts.flops_per_token + beside) == float(row["train_flops_per_sequence"]), row["model"]


@pytest.mark.parametrize("window", [1, 3, 8, 9])
def test_windows_limit_attention(window: int) -> None:
    """Against a count of the pairs of tokens, one by one."""
    plain, windowed = dense(), dense()._replace(window=window, windowed_layers=3)
    length, per_pair = 8, 3 * 2 * 2 * 64
    seen = [min(token, window) for token in range(1, length + 1)]
    work = count(plain, length).flops_per_token - 4 * per_pair * length
    assert count(windowed, length).flops_per_token == work + per_pair * (length + 3 * min(window, length))
    average = (sum(range(1, length + 1)) + 3 * sum(seen)) / length
    assert count(windowed, length).flops_per_token_causal == pytest.approx(work + per_pair * average, rel=1e-12)


def test_experts() -> None:
    """One of eight experts in use: seven are idle, and the router is always used."""
    shape = dense()._replace(experts=Experts(layers=3, held=8, per_token=1, ffn=32, shared_ffn=16))
    counts = count(shape)
    assert counts.params_total - counts.params_active == 3 * 7 * 3 * 64 * 32
    per_layer = 64 * 8 + 3 * 64 * (8 * 32 + 16)
    assert counts.params_total == count(dense()).params_total + 3 * (per_layer - 3 * 64 * 256)
    assert counts.flops_per_token < count(dense()).flops_per_token


def test_latent_attention() -> None:
    """Matrices as DeepSeek-V2, arXiv:2405.04434, section 2.1 and appendix C lay them out."""
    shape = dense()._replace(head_dim=24, value_dim=12, latent=Latent(query_rank=20, kv_rank=10, rope_dim=8))
    attention = 64 * 20 + 20 * 4 * 24 + 64 * (10 + 8) + 10 * 4 * (24 - 8 + 12) + 4 * 12 * 64
    norms = 20 + 10
    plain = 4 * 64 * 64
    assert count(shape).params_total - count(dense()).params_total == 4 * (attention + norms - plain)


def test_non_embedding_leaves_out_tables_and_an_untied_head() -> None:
    tied, untied = count(dense()), count(dense()._replace(tied=False, positions=2048))
    assert untied.params_non_embedding == tied.params_non_embedding
    assert untied.params_total == tied.params_total + 64 * (1000 + 2048)
    assert untied.flops_per_token == tied.flops_per_token


def test_the_default_context() -> None:
    assert count(dense()).context == 2048
    assert count(dense()._replace(context=100_000)).context == 2048
    assert count(dense()._replace(context=512)).context == 512
    assert count(dense(), 100_000).context == 100_000


@pytest.mark.parametrize("context", [0, -1, 1.5, 1e10, float("nan"), float("inf")])
def test_a_context_is_a_whole_number(context: float) -> None:
    with pytest.raises(InputError, match="the context is"):
        count(dense(), context)


def test_learned_positions_end() -> None:
    with pytest.raises(InputError, match="learned 2048 positions"):
        count(dense()._replace(positions=2048), 2049)
