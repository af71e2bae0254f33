"""Tables of real runs that others measured: read as they are, with what each needs to be told."""

import os
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.runs import Runs
from scaling_cli.errors import FileError
from scaling_cli.files.runs import read_runs

DATA = Path(os.environ.get("SCALING_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="no run data: SCALING_DATA names no folder, ../shared/data is none"
)


def read(name: str, **options: Any) -> Runs:
    runs = read_runs(str(DATA / f"{name}.csv"), **options)
    assert runs.read == runs.used + sum(dropped.count for dropped in runs.dropped)
    assert all(len(values) == runs.used for values in [*runs.columns.values(), *runs.labels.values()])
    return runs


def test_chinchilla() -> None:
    runs = read("chinchilla_epoch")
    assert (runs.read, runs.used, runs.dropped) == (245, 245, ())
    assert runs.notes == ("flops are used as given: 1 x 6ND (median over the runs)",)
    assert runs.columns["params"][0] == 6795600349.289497
    kept = read("chinchilla_epoch", where="in_published_fit == 1")
    assert kept.used == 240
    assert kept.rows[0] == 6
    assert max(kept.columns["loss"]) < 3.8
    assert max(read("chinchilla_epoch", where="flops < 1e21").columns["flops"]) < 1e21


def test_datablations() -> None:
    """Runs that repeat their data share params and tokens, and differ in unique tokens."""
    runs = read("datablations", where="in_published_fit == 1", extra=["unique_tokens", "epochs"])
    assert runs.used == 182
    assert list(runs.columns) == ["params", "tokens", "loss", "unique_tokens", "epochs", "flops"]
    for tokens, unique, epochs in zip(
        *(runs.columns[name] for name in ("tokens", "unique_tokens", "epochs")), strict=True
    ):
        assert tokens / unique == pytest.approx(epochs, rel=0.01)


def test_gadre() -> None:
    """The loss on another set, of five runs; tokens as a multiple of params."""
    five = read(
        "gadre_testbed", where="train_set == 'c4' and in_published_loss_fit == 1", columns={"loss": "loss_c4_val"}
    )
    assert five.used == 5
    assert set(five.labels["train_set"]) == {"c4"}
    whole = read("gadre_testbed", columns={"tokens": "token_multiplier * params"})
    assert whole.columns["tokens"] == pytest.approx(read("gadre_testbed").columns["tokens"], rel=1e-6)


def test_olmo() -> None:
    """FLOPs counted with attention and embeddings."""
    runs = read("olmo_ladder", group="model")
    assert runs.used == 16
    assert len(set(runs.labels["model"])) == len(set(runs.columns["params"])) == 4
    assert any("1.55 x 6ND" in note and "--flops-from 6nd" in note for note in runs.notes)
    assert read("olmo_ladder", flops_from="6nd").columns["flops"][0] == 6 * 190354176.0 * 3812622336.0


def test_clark() -> None:
    """No tokens, no compute: any columns of it."""
    where = "in_published_fit == 1 and (router_type == 'Dense' or router_type == 'S-Base')"
    runs = read("clark_routing_final", needed=("params", "experts", "loss"), where=where)
    assert runs.used == 58
    assert list(runs.columns) == ["params", "experts", "loss"]
    with pytest.raises(FileError, match="has no column for tokens"):
        read("clark_routing_final")


def test_porian() -> None:
    where = "experiment == 'refinedweb__base__long__kaplan__no_att_no_embed__train'"
    runs = read("porian_isoflop", where=where, needed=("params", "flops", "loss"), group="flops")
    assert runs.used == 107
    assert len(set(runs.labels["flops"])) == len(set(runs.columns["flops"])) > 5
    optima = read(
        "porian_optima", needed=("flops", "n_opt"), extra=["weight"], columns={"weight": "1 / ln_n_std**2"}, where=where
    )
    assert optima.used == len(set(runs.columns["flops"]))


def test_palm2() -> None:
    runs = read("palm2_isoflop")
    assert runs.used == 12
    assert sorted(set(runs.columns["flops"])) == [1e20, 1e21, 1e22]


def test_opt() -> None:
    """Its sizes are texts such as 125m, its FLOPs logarithms: the one is read, the other asked about."""
    runs = read("opt_trajectories")
    assert runs.used == 142
    assert runs.columns["params"][0] == 1.25e8
    assert "flops are all below 1e5: are they logarithms? --columns flops=10**flops" in runs.notes
    fixed = read("opt_trajectories", columns={"flops": "10**flops", "loss": "log(ppl)", "params": "params_nominal"})
    assert fixed.columns["params"] == runs.columns["params"]
    assert fixed.columns["loss"] == pytest.approx(runs.columns["loss"], rel=1e-12)
    assert fixed.notes == ("flops are used as given: 1 x 6ND (median over the runs)",)


def test_learning_curves() -> None:
    """687 rows of the language models are copies of others."""
    runs = read("rnsl_lang", needed=("seen_examples", "loss"), where="domain == 'LM'", group="model")
    assert [dropped.count for dropped in runs.dropped if "duplicate" in dropped.reason] == [687]
    assert len(set(runs.labels["model"])) > 1


def test_pythia() -> None:
    """The checkpoints before the first token are refused until they are left out."""
    with pytest.raises(FileError, match=r"row 1: tokens is '0.0', but it must be greater than zero"):
        read("pythia_lambada")
    assert read("pythia_lambada", where="tokens > 0").used == 390


def test_certified_problems() -> None:
    nelson = read("nist_strd_data", needed=("x1", "x2", "log(y)"), where="dataset == 'Nelson'")
    assert nelson.used == 128
    assert read("nist_strd_data", needed=("x1", "y"), where="dataset == 'Misra1a'").used == 14
