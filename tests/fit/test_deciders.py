"""One run that decides the exponents is named; a run among equals, however noisy, is not."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.deciders import deciding_run
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form
from scaling_cli.fitting import Request, fit_runs

Columns = dict[str, Any]
MakeFit = Callable[..., Fit]
SIZES = np.geomspace(3e7, 3e9, 12)
LONE = 13  # the row of the run beyond the ladder


def with_losses(params: Any, tokens: Any, noise: float, seed: int) -> Columns:
    """Return runs of Chinchilla's law in the constants of Besiroglu et al. 2024, with noise."""
    loss = 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366
    return {
        "N": params,
        "D": tokens,
        "L": loss * np.exp(noise * np.random.default_rng(seed).standard_normal(loss.size)),
    }


def ladder(ratios: Any, *over: float, noise: float = 0.001, seed: int = 1) -> Columns:
    """Return a ladder of so many tokens a parameter, and runs of its middle size with so many times 20."""
    params = np.append(SIZES, np.full(len(over), SIZES[6]))
    return with_losses(params, np.append(SIZES * ratios, 20.0 * SIZES[6] * np.array(over)), noise, seed)


def two_ratios(seed: int, *, off: float = 0.05, count: int = 5) -> Columns:
    """Return runs at 20 and at 80 tokens a parameter, of which the smallest has a loss that is off."""
    params = np.repeat(np.geomspace(3e7, 3e9, count), 2)
    columns = with_losses(params, params * np.tile([20.0, 80.0], count), 0.001, seed)
    columns["L"][0] *= 1.0 + off
    return columns


def grid(seed: int, noise: float) -> Columns:
    params, tokens = np.meshgrid(np.geomspace(3e7, 3e9, 5), np.geomspace(1e9, 1e11, 5))
    return with_losses(params.ravel(), tokens.ravel(), noise, seed)


def lone(seed: int, noise: float = 0.005, times: float = 14.0) -> Columns:
    """Return twelve small runs, four sizes at three ratios, and one of so many times the largest size."""
    params = np.repeat(np.geomspace(5e7, 5e8, 4), 3)
    tokens = params * np.tile([5.0, 20.0, 80.0], 4)
    return with_losses(np.append(params, times * 5e8), np.append(tokens, times * 1e10), noise, seed)


def notes(fit: Fit, flops: float | None = 1e21) -> list[str]:
    return deciding_run(fit, range(1, fit.sample.size + 1), flops=flops)


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_the_only_run_off_a_ladder(name: str, noise: float, fit: MakeFit, chinchilla: Form) -> None:
    (note,) = notes(fit(chinchilla, ladder(20.0, 30.0, noise=noise), name))
    assert note.startswith(f"the run of row {LONE} alone decides the law: without it every run has the same tokens")
    assert note.endswith("; run another like it")


def test_the_only_run_off_a_ladder_that_is_no_straight_line(fit: MakeFit, chinchilla: Form) -> None:
    """Without it the others tell params and tokens apart, but hardly: what `fit` would doubt without it."""
    ratios = 20.0 * np.exp(0.1 * np.random.default_rng(0).standard_normal(SIZES.size))
    (note,) = notes(fit(chinchilla, ladder(ratios, 30.0)))
    assert f"row {LONE} alone decides the law" in note
    assert "hardly told apart" in note


def test_two_runs_off_a_ladder_tell_of_each_other(fit: MakeFit, chinchilla: Form) -> None:
    assert notes(fit(chinchilla, ladder(20.0, 30.0, 20.0))) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("off", [-0.05, 0.05])
def test_a_loss_that_is_off_at_the_smallest_size(off: float, seed: int, fit: MakeFit, chinchilla: Form) -> None:
    """It is named, not one of those that hold the fit back from it; and what the others say is their own fit."""
    columns = two_ratios(seed, off=off)
    (note,) = notes(fit(chinchilla, columns))
    others = fit(chinchilla, {name: values[1:] for name, values in columns.items()})
    at = dict(zip(others.names, others.values, strict=True))
    assert note.startswith("the run of row 1 alone decides exponent a (")
    assert f", {at['beta'] / (at['alpha'] + at['beta']):.3g} without, 90 % " in note
    assert note.endswith("; run another like it, or leave it out to see")


def test_it_is_told_with_what_it_moves(fit: MakeFit, chinchilla: Form) -> None:
    found = fit(chinchilla, two_ratios(0))
    at = dict(zip(found.names, found.values, strict=True))
    (note,) = notes(found, flops=None)
    assert "exponent a" not in note
    assert f"alpha ({at['alpha']:.3g} with it" in note
    assert f"beta ({at['beta']:.3g} with it" in note


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_runs_of_a_good_design_do_not_decide(noise: float, fit: MakeFit, chinchilla: Form) -> None:
    """0 of 200 at either noise when the limits were set."""
    named = [seed for seed in range(20) if notes(fit(chinchilla, grid(seed, noise)))]
    assert named == []


def test_an_outlier_that_moves_nothing_is_not_named(fit: MakeFit, chinchilla: Form) -> None:
    columns = grid(0, 0.003)
    columns["L"][12] *= 1.05  # in the middle
    assert notes(fit(chinchilla, columns)) == []


@pytest.mark.parametrize("seed", [1, 2, 10])
def test_no_exponent_that_the_others_allow_is_named(seed: int, fit: MakeFit, chinchilla: Form) -> None:
    """The smallest run, 2 % off, moves beta out of the others' interval, and alpha by a standard error inside of it."""
    columns = {name: values[:12] for name, values in lone(seed, 0.003).items()}
    columns["L"][0] *= 1.02
    (note,) = notes(fit(chinchilla, columns, "ls-log"))
    told = re.findall(r"(\S+) \((\S+) with it, \S+ without, 90 % (\S+) to (\S+)\)", note)
    assert [name for name, *_ in told] == ["beta"]
    assert [name for name, value, low, high in told if float(low) <= float(value) <= float(high)] == []


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
@pytest.mark.parametrize("seed", [0, 1, 3, 4, 10])
def test_a_lone_large_run_with_tokens_ten_times_too_small(name: str, seed: int, fit: MakeFit, chinchilla: Form) -> None:
    """The others predict it within a wide interval, but of one such run noise takes hardly any out of it.

    By squares some refits without a run end where the floor has no effect, and no error.
    """
    columns = lone(seed)
    columns["D"][-1] /= 10.0
    (note,) = notes(fit(chinchilla, columns, name))
    assert note.startswith(f"the run of row {LONE} alone decides ")
    assert "alpha (" in note


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
def test_a_lone_large_run_that_is_right_is_not_named(name: str, fit: MakeFit, chinchilla: Form) -> None:
    """1 of 120 at four times the largest size, 4 of 120 at 14 times, by either objective, when the limits were set."""
    told = [note for seed in range(20) for note in notes(fit(chinchilla, lone(seed, 0.01, 4.0), name))]
    assert [note for note in told if f"row {LONE} " in note] == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_in_other_units_that_takes_the_floor_to_zero(seed: int, fit: MakeFit, chinchilla: Form) -> None:
    params = np.repeat(np.geomspace(1e8, 1.6e9, 5), 4)
    columns = with_losses(params, params * np.tile([5.0, 10.0, 20.0, 40.0], 5), 0.003, seed)
    columns["L"][3] /= math.log(2.0)
    (note,) = notes(fit(chinchilla, columns, "ls-log"))
    assert note.startswith("the run of row 4 alone decides exponent a (0.04")


def test_nothing_where_one_run_cannot_decide(monkeypatch: pytest.MonkeyPatch, fit: MakeFit, chinchilla: Form) -> None:
    """Six runs for five coefficients, where each decides; runs of groups; a million runs."""
    six = {name: values[[0, 4, 12, 17, 20, 24]] for name, values in grid(0, 0.0).items()}
    assert notes(fit(chinchilla, six)) == []
    columns = ladder(20.0, 30.0)
    assert notes(fit(chinchilla, columns, groups=[0, 0, *range(1, 12)])) == []
    assert notes(fit(chinchilla, columns)) != []
    monkeypatch.setattr("scaling_cli.fit.deciders.MOST_RUNS", 12)
    assert notes(fit(chinchilla, columns)) == []


def test_a_law_without_exponents_may_rest_on_one_run(fit: MakeFit) -> None:
    """Only one run has another x: without it the slope is anything."""
    form = formula_form("k + c * x", ["x"], positive=None, target="loss")
    rng = np.random.default_rng(0)
    columns = {"x": np.append(np.full(9, 2.0), 5.0), "L": 3.0 + 0.01 * rng.standard_normal(10)}
    (note,) = notes(fit(form, columns, "ls"), flops=None)
    assert note.startswith("the run of row 10 alone decides the law: without it the runs do not determine")


@pytest.mark.parametrize("draws", [0, 40])
def test_fit_notes_it_by_its_row(draws: int, tmp_path: Path) -> None:
    columns = ladder(20.0, 30.0)
    lines = [f"{n!r},{d!r},{loss!r}" for n, d, loss in zip(*(columns[name].tolist() for name in "NDL"), strict=True)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["params,tokens,loss", lines.pop(), *lines]), encoding="utf-8")
    found = fit_runs(Request(str(path), draws=draws)).fit.notes
    assert [note for note in found if note.startswith("the run of row 1 alone decides the law")]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("chinchilla_epoch.csv", {"where": "in_published_fit == 1"}),
        ("gadre_testbed.csv", {"where": "train_set == 'c4'", "columns": {"loss": "loss_c4_val"}}),
        ("olmo_ladder.csv", {}),
        ("opt_trajectories.csv", {"objective": "ls-log"}),
        ("porian_isoflop.csv", {"where": "experiment == 'refinedweb__base__long__kaplan__att__train'"}),
    ],
)
def test_no_published_set_rests_on_one_run(name: str, asked: Any, data_file: Callable[[str], str]) -> None:
    answer = fit_runs(Request(data_file(name), draws=0, **asked))
    assert [note for note in answer.fit.notes if "alone decides" in note] == []


def test_a_published_set_with_a_run_far_off(data_file: Callable[[str], str]) -> None:
    """A model of 395M params after 5.3M tokens, whose loss is far off what the others say of it."""
    where = "experiment == 'refinedweb__base__short__kaplan__att__train'"
    answer = fit_runs(Request(data_file("porian_isoflop.csv"), draws=0, where=where))
    (note,) = [note for note in answer.fit.notes if "alone decides" in note]
    assert note.startswith("the run of row 714 alone decides beta (0.526 with it, 0.595 without, 90 % 0.542 to 0.649)")
