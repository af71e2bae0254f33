"""What a fit's own largest runs, held out, make of its intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form
from scaling_cli.fit.holdouts import HoldOut, hold_out, scales_of
from scaling_cli.fit.new_runs import NewRuns, new_runs
from scaling_cli.fit.samples import sample_of

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
Columns = dict[str, Any]
BUDGETS = np.array([1e18, 3e18, 1e19, 3e19, 1e20, 3e20])


def isoflops(*, noise: float = 0.003, bend: float = 0.0, seed: int = 0, budgets: np.ndarray = BUDGETS) -> Columns:
    """Return seven sizes at each budget; the loss falls behind the law by `bend` at the largest, as a square."""
    rng = np.random.default_rng(seed)
    flops = np.repeat(budgets, 7)
    params = 0.1 * np.sqrt(flops) * np.tile(2.0 ** np.arange(-3, 4), budgets.size)
    tokens = flops / (6.0 * params)
    decades = np.log10(flops / budgets[0]) / max(np.log10(budgets[-1] / budgets[0]), 1e-9)
    loss = (1.8 + 480.0 / params**0.35 + 2000.0 / tokens**0.36) * np.exp(bend * decades**4)
    return {"N": params, "D": tokens, "L": loss * np.exp(noise * rng.standard_normal(loss.size))}


def far(fit: Fit, held: HoldOut) -> NewRuns:
    return new_runs(fit, {"N": np.array([1e10]), "D": np.array([2e11])}, held)


def width(ends: tuple[Any, Any]) -> float:
    return float(np.log(ends[1] / ends[0])[0])


def test_scales_are_budgets_or_sizes_whichever_are_fewer() -> None:
    runs = isoflops()
    numbers, kind = scales_of(sample_of({"N": runs["N"], "D": runs["D"]}, runs["L"]))
    assert kind == "budget"
    assert numbers.tolist() == np.repeat(np.arange(6), 7).tolist()
    sizes = np.tile([1e8, 1.9e8, 3.7e8], 4)
    ladder = {"N": sizes, "D": sizes * np.repeat([20.0, 40.0, 100.0, 200.0], 3)}
    numbers, kind = scales_of(sample_of(ladder, np.ones(12)))
    assert kind == "model size"
    assert numbers.tolist() == np.tile([0, 1, 2], 4).tolist()


@pytest.mark.parametrize("draws", [0, 200])
def test_runs_that_keep_their_law(draws: int, fit: Solve, chinchilla: Form) -> None:
    ratios = []
    for seed in range(6):
        found = fit(chinchilla, isoflops(seed=seed), "ls-log", draws=draws)
        held = hold_out(found)
        assert (held.scales, held.kind, held.freedom) == (6, "budget", 3)
        new = far(found, held)
        assert width(new.printed) >= width(new.plain)
        assert new.plain[0][0] < new.loss[0] < new.plain[1][0]
        ratios.append(held.ratio)
    assert 1.0 <= np.median(ratios) < 1.7


def test_runs_that_bend_away_widen_the_interval(fit: Solve, chinchilla: Form) -> None:
    straight, bent = (fit(chinchilla, isoflops(bend=bend), "ls-log") for bend in (0.0, 0.05))
    assert hold_out(bent).ratio > 3.0 * hold_out(straight).ratio
    new = far(bent, hold_out(bent))
    assert width(new.printed) > 3.0 * width(new.plain)


def test_the_factor_is_students(fit: Solve, chinchilla: Form) -> None:
    """With a ratio of 1 and two scales held out: t(0.95, 2) / t(0.95, 30), from tables 2.920 / 1.697."""
    held = HoldOut(4, "budget", 2, 2, 1.0)
    assert held.stretch(30, 0.9) == pytest.approx(2.920 / 1.697, rel=1e-3)
    assert held._replace(ratio=0.1).stretch(30, 0.9) == 1.0


def test_fewer_than_three_scales_are_a_point_estimate(fit: Solve, chinchilla: Form) -> None:
    found = fit(chinchilla, isoflops(budgets=np.array([1e18, 1e20])), "ls-log")
    held = hold_out(found)
    assert (held.scales, held.is_known) == (2, False)
    assert far(found, held).printed == (None, None)


def test_noise_free_runs_leave_nothing_to_widen(fit: Solve, chinchilla: Form) -> None:
    found = fit(chinchilla, isoflops(noise=0.0), "ls-log")
    assert width(far(found, hold_out(found)).printed) < 1e-6


def test_a_form_without_sizes_or_budgets_has_no_scales(fit: Solve) -> None:
    from scaling_cli.fit.forms import formula_form

    x = np.linspace(1.0, 2.0, 12)
    found = fit(formula_form("a + b * x", ["x"], positive=None, target="L"), {"x": x, "L": 2.0 + x}, "ls")
    assert hold_out(found) == HoldOut() or hold_out(found).scales == 0


def test_too_few_sizes_are_held_out_by_compute(fit: Solve, chinchilla: Form) -> None:
    """Three sizes: without the largest, two cannot tell E from A and alpha."""
    sizes = np.repeat([1e8, 3e8, 1e9], 5)
    tokens = sizes * np.tile([5.0, 20.0, 60.0, 200.0, 600.0], 3)
    rng = np.random.default_rng(1)
    loss = (1.8 + 480.0 / sizes**0.35 + 2000.0 / tokens**0.36) * np.exp(0.003 * rng.standard_normal(15))
    held = hold_out(fit(chinchilla, {"N": sizes, "D": tokens, "L": loss}, "ls-log"))
    assert (held.scales, held.freedom) == (3, 1)
    assert held.is_known


def test_new_runs_are_held_as_often_as_promised(fit: Solve, chinchilla: Form) -> None:
    """Plain 90 % intervals 10x beyond: 108 of 120 are expected; the three runs of a fit go together."""
    hits = 0
    for seed in range(40):
        runs = isoflops(seed=seed)
        beyond = isoflops(seed=1000 + seed, budgets=np.array([3e21]))
        found = fit(chinchilla, runs, "ls-log")
        new = new_runs(found, {name: beyond[name][2:5] for name in "ND"}, hold_out(found))
        truth = beyond["L"][2:5]
        hits += int(((new.plain[0] <= truth) & (truth <= new.plain[1])).sum())
    assert 96 <= hits <= 119


def test_published_ladders_are_held(published: Callable[[str], list[dict[str, str]]], chinchilla: Form) -> None:
    """OLMo's ladder below its largest size, Gadre's runs below each: what the printed interval holds of the rest."""
    from scaling_cli.fit.fits import Options, fit_form
    from scaling_cli.fit.objectives import objective

    hits = total = 0
    gadre = published("gadre_testbed.csv")
    sets = [("loss", published("olmo_ladder.csv"))]
    sets += [("loss_c4_val", [row for row in gadre if row["train_set"] == name]) for name in ("c4", "redpajama")]
    for loss, rows in sets:
        columns = {letter: [float(row[name]) for row in rows] for letter, name in (("N", "params"), ("D", "tokens"))}
        runs = sample_of(columns, [float(row[loss]) for row in rows])
        scales, kind = scales_of(runs)
        assert kind == "model size"
        for count in range(3, int(scales.max()) + 1):
            found = fit_form(chinchilla, runs.part(scales < count), Options(objective("huber-log"), 0))
            flops = runs.flops
            later = runs.part((scales >= count) & (flops <= 10.0 * flops[scales < count].max()))
            low, high = new_runs(found, later.data, hold_out(found)).printed
            hits += int(((low <= later.target) & (later.target <= high)).sum())
            total += later.size
    assert total > 20
    assert hits >= 0.9 * total


@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_a_widened_interval_holds_the_plain_one_and_the_prediction(
    shift: float, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    """As where the best floor is zero: refits have it above, and all lie to one side of the prediction."""
    found = fit(chinchilla, runs(60), draws=200)
    found = found._replace(draws=found.draws + shift * (np.array(found.names) == "E"))
    data = {"N": np.logspace(10.0, 14.0, 5), "D": np.logspace(11.0, 15.0, 5)}
    new = new_runs(found, data, HoldOut(6, "budget", 3, 3, 5.0))
    (low, high), (plain_low, plain_high) = new.printed, new.plain
    assert (plain_low > new.loss).all() or (plain_high < new.loss).all()
    assert (low <= np.minimum(plain_low, new.loss)).all()
    assert (high >= np.maximum(plain_high, new.loss)).all()
    assert (high / low > plain_high / plain_low).all()
