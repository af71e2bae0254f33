"""Known models beside a law, and the rows of catalogues: limits and order."""

import pytest

from scaling_cli.core.hardware import Accelerator, with_precision
from scaling_cli.core.models import SIX_ND, KnownModel, place_models
from scaling_cli.core.rows import in_order, within
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import load_law

DENSE = KnownModel("dense", "Dense", params=7e10, active_params=7e10, tokens=1.4e12)
MIXTURE = KnownModel("mixture", "Mixture", kind="moe", params=1e11, active_params=1e10, tokens=1e12)
ROWS = [{"id": "b", "tokens": 2.0}, {"id": "A", "tokens": None}, {"id": "c", "tokens": 1.0}]


def test_compute_is_published_or_6nd() -> None:
    """And says which; of a mixture the active params count."""
    assert (DENSE.flops, DENSE.basis) == (pytest.approx(5.88e23), SIX_ND)
    published = DENSE._replace(flops_published=5.76e23, flops_basis="published")
    assert (published.flops, published.basis, published.flops_6nd) == (5.76e23, "published", DENSE.flops)
    assert MIXTURE.flops == pytest.approx(6e22)
    assert MIXTURE.tokens_per_param == 100.0
    unknown = KnownModel("unknown", "Unknown", kind="moe", params=1e11, tokens=1e12)
    assert (unknown.flops, unknown.basis, unknown.tokens_per_param) == (None, None, None)


def test_placement_is_the_laws_own_split() -> None:
    """The short law N = 3e9 (C / 1e21)^0.5 by hand; a model with the law's own params has ratio 1."""
    law = load_law("chinchilla")
    (placed,) = place_models([DENSE._replace(flops_published=1.21e20)], law)
    assert placed.frontier_params == pytest.approx(1e9, rel=1e-3)  # Hoffmann et al. 2022, Table 3: 1B at 1.21e20
    assert placed.frontier_tokens == pytest.approx(20.2e9, rel=5e-3)
    assert placed.params_ratio == pytest.approx(70.0, rel=1e-3)
    (dense, mixture) = place_models([DENSE, MIXTURE], law)
    for each in (dense, mixture):
        assert 6 * each.frontier_params * each.frontier_tokens == pytest.approx(each.model.flops)
    assert mixture.params_ratio == pytest.approx(1e10 / mixture.frontier_params)


def test_a_model_without_tokens_is_not_placed() -> None:
    """An image model has FLOPs that no law of text splits."""
    image = KnownModel("image", "Image", kind="vision", params=1e9, active_params=1e9, flops_published=1e21)
    (placed,) = place_models([image], load_law("chinchilla"))
    assert (placed.frontier_params, placed.frontier_tokens, placed.params_ratio) == (None, None, None)
    row = placed.row()
    assert (row["flops"], row["tokens"], row["tokens_per_param"]) == (1e21, None, None)


def test_a_law_without_a_split_says_so() -> None:
    (placed,) = place_models([DENSE], load_law("brown-2020"))
    assert placed.params_ratio is None
    assert any("states no optimal split" in note for note in placed.notes)


def test_settings_reach_the_law() -> None:
    law = load_law("muennighoff-2023")
    few, many = (place_models([DENSE], law, {"U": unique})[0] for unique in (1e10, 1e13))
    assert few.frontier_params != many.frontier_params
    with pytest.raises(InputError, match="X"):
        place_models([DENSE], law, {"X": 1.0})


def test_limits_leave_out_what_is_unknown() -> None:
    assert [row["id"] for row in within(ROWS, least={"tokens": 1.0}, most={"tokens": 1.5})] == ["c"]
    assert within(ROWS, least={}, most={}) == ROWS
    with pytest.raises(InputError, match="--min token: the rows have no such number") as caught:
        within(ROWS, least={"token": 1.0}, most={})
    assert caught.value.hints == ("did you mean tokens?", "expected one of tokens")
    with pytest.raises(InputError, match="--max id"):
        within(ROWS, least={}, most={"id": 1.0})


def test_order_puts_unknown_last() -> None:
    assert [row["id"] for row in in_order(ROWS, "tokens")] == ["c", "b", "A"]
    assert [row["id"] for row in in_order(ROWS, "-tokens")] == ["b", "c", "A"]
    assert [row["id"] for row in in_order(ROWS, "id")] == ["A", "b", "c"]
    assert in_order([], "tokens") == []
    with pytest.raises(InputError, match="--sort is 'size'"):
        in_order(ROWS, "size")


def test_precisions_are_known_or_refused() -> None:
    chip = Accelerator("chip", "Chip", flops_per_second={"fp16": 1e14})
    assert with_precision([chip], None) == with_precision([chip], "FP16") == [chip]
    assert with_precision([chip], "bf16") == []
    with pytest.raises(InputError, match="--precision is 'int8'"):
        with_precision([chip], "int8")
