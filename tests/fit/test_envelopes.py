"""The lower envelope of training curves: which sizes hold it, where, and the law through them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from scaling_cli.errors import NoAnswer
from scaling_cli.fit.envelopes import envelope_minima
from scaling_cli.fit.frontier_predictions import exponents, predict
from scaling_cli.fit.frontiers import FrontierFit, fit_frontier
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.minima import Minima
from scaling_cli.fit.samples import Sample, sample_of
from scaling_cli.fitting import FrontierAnswer, Request, fit_runs

Columns = dict[str, Any]
E, A, ALPHA, B, BETA = 1.82, 482.0, 0.348, 2085.0, 0.366
TRUE_A = BETA / (ALPHA + BETA)


def chinchilla(params: Any, tokens: Any) -> Any:
    return E + A / params**ALPHA + B / tokens**BETA


def best_params(flops: Any) -> Any:
    return (ALPHA * A / (BETA * B)) ** (1.0 / (ALPHA + BETA)) * (flops / 6.0) ** TRUE_A


def curves(
    count: int = 9, points: int = 40, *, largest: float = 3e9, noise: float = 0.0, shift: float = 0.0, seed: int = 0
) -> Columns:
    """Return curves of Chinchilla's law, 1 to 150 tokens per param; `shift` moves whole curves, `noise` points."""
    rng = np.random.default_rng(seed)
    params = np.repeat(np.geomspace(1e7, largest, count), points)
    tokens = params * np.tile(np.geomspace(1.0, 150.0, points), count)
    moved = noise * rng.standard_normal(params.size) + np.repeat(shift * rng.standard_normal(count), points)
    return {"N": params, "D": tokens, "C": 6.0 * params * tokens, "L": chinchilla(params, tokens) * np.exp(moved)}


def sample(columns: Columns, **rest: Any) -> Sample:
    return sample_of({name: columns[name] for name in "NDC"}, columns["L"], **rest)


def minima_of(columns: Columns, **rest: Any) -> Minima:
    return envelope_minima(sample(columns, **rest), draws=0, seed=0)


def fitted(columns: Columns, *, draws: int = 0, seed: int = 0, **rest: Any) -> FrontierFit:
    return fit_frontier("envelope", envelope_minima(sample(columns, **rest), draws=draws, seed=seed), seed=seed)


def found(fit: FrontierFit) -> dict[str, float]:
    return dict(zip(fit.names, map(float, fit.values), strict=True))


# which sizes hold it


def test_only_sizes_between_two_others_have_a_minimum() -> None:
    rows = minima_of(curves()).rows
    assert [row.bracketed for row in rows] == [False, *[True] * 7, False]
    assert "smallest" in rows[0].reason
    assert "largest" in rows[-1].reason
    assert rows[0].flops is None


def test_a_minimum_is_where_its_size_is_best() -> None:
    """To the grid: 400 budgets over eight decades, and stretches that Chinchilla's law makes symmetric but for 1 %."""
    for row in minima_of(curves(12)).rows[1:-1]:
        assert row.params == pytest.approx(best_params(row.flops), rel=0.02)
        assert row.tokens == pytest.approx(row.flops / 6.0 / row.params, rel=1e-9)
        assert row.loss == pytest.approx(chinchilla(row.params, row.tokens), rel=1e-4)
        assert row.params_low < row.params < row.params_high


@pytest.mark.parametrize("seed", range(4))
def test_rounding_moves_only_last_digits(seed: int) -> None:
    """A middle may fall on a budget of the grid, and by its last digit on either side of it."""
    columns = curves(7, 60, noise=0.001)
    rng = np.random.default_rng(seed)
    order = rng.permutation(columns["N"].size)
    sizes, number = np.unique(columns["N"], return_inverse=True)
    rounded = {name: values * (1.0 + 3e-14 * rng.standard_normal(values.size)) for name, values in columns.items()}
    rounded["N"] = (sizes / 1e9 * (1.0 + 3e-14 * rng.standard_normal(sizes.size)) * 1e9)[number]
    one, other = (
        envelope_minima(sample(given), draws=50, seed=0)
        for given in (columns, {name: values[order] for name, values in rounded.items()})
    )
    for before, after in ((one.log_flops, other.log_flops), (one.loss, other.loss)):
        assert after.values == pytest.approx(before.values, rel=1e-11)
        assert after.errors == pytest.approx(before.errors, rel=1e-9)
        assert after.draws == pytest.approx(before.draws, rel=1e-11)


def test_the_law_is_found_without_noise() -> None:
    got = found(fitted(curves(12)))
    assert got["a"] == pytest.approx(TRUE_A, abs=3e-3)
    assert got["a"] + got["b"] == pytest.approx(1.0, abs=1e-12)
    assert got["E"] == pytest.approx(E, abs=0.02)
    assert got["N_anchor"] == pytest.approx(best_params(got["C_anchor"]), rel=0.01)


def test_without_noise_the_exponent_does_not_hang_on_the_grid() -> None:
    """Borders lie between two budgets; counted budgets would leave 7e-4 of it here."""
    assert found(fitted(curves(12)))["a"] == pytest.approx(TRUE_A, abs=1e-4)


def test_smoothing_does_not_lift_a_bent_curve() -> None:
    """A curve without noise stays where it is, wherever it bends, also where its points are few."""
    for points in (8, 40, 300):
        rows = [row for row in minima_of(curves(9, points)).rows if row.bracketed]
        losses = [chinchilla(row.params, row.tokens) for row in rows]
        assert [row.loss for row in rows] == pytest.approx(losses, rel=5e-4)


def test_noise_of_points_does_not_pull_the_envelope_down() -> None:
    """The lowest of noisy points would lie two or three times the noise below."""
    rows = [row for row in minima_of(curves(9, 300, noise=0.01, seed=3)).rows if row.bracketed]
    lower = [math.log(row.loss / chinchilla(row.params, row.tokens)) for row in rows]
    assert abs(np.mean(lower)) < 0.003


def test_a_curve_that_ends_too_early_is_reported() -> None:
    columns = curves(7)
    size = np.unique(columns["N"])[3]
    kept = (columns["N"] != size) | (columns["D"] < 12.0 * size)
    rows = minima_of({name: values[kept] for name, values in columns.items()}).rows
    assert not rows[3].bracketed
    assert "train it longer" in rows[3].reason
    assert not rows[4].bracketed
    assert "smaller model's curve ends" in rows[4].reason


def test_a_size_that_is_never_best_is_reported() -> None:
    columns = curves(7)
    bad = columns["N"] == np.unique(columns["N"])[3]
    columns["L"][bad] *= 1.2
    assert minima_of(columns).rows[3].reason == "never the lowest"


# curves


def test_curves_of_one_size_hold_it_together() -> None:
    """Each second point to another curve of the same size: the law is the same."""
    columns = curves(9, 60)
    groups = (np.unique(columns["N"], return_inverse=True)[1] * 2) + np.arange(540) % 2
    together = fitted(columns, groups=groups)
    assert [row.runs for row in together.minima.rows] == [60] * 9
    assert found(together)["a"] == pytest.approx(found(fitted(columns))["a"], abs=2e-3)


def test_a_group_of_several_sizes_is_a_curve_for_each() -> None:
    columns = curves(6)
    assert minima_of(columns, groups=np.zeros(240, dtype=int)).rows == minima_of(columns).rows


def test_curves_of_many_points_are_thinned() -> None:
    """Ten thousand points a curve would ask for a matrix of their square."""
    dense = fitted(curves(5, 10_000, largest=1e8, noise=0.005, seed=1))
    assert found(dense)["a"] == pytest.approx(TRUE_A, abs=0.02)
    assert [row.runs for row in dense.minima.rows] == [10_000] * 5
    assert dense.noise == pytest.approx(0.005, rel=0.05)


def test_points_at_one_budget_are_one_place_of_a_curve() -> None:
    columns = curves(6, 8, largest=3e8)
    thrice = {name: np.repeat(values, 3) for name, values in columns.items()}
    assert found(fitted(thrice)) == pytest.approx(found(fitted(columns)), rel=1e-9)


def test_a_gap_between_two_curves_of_a_size_is_no_minimum() -> None:
    """Nobody has run the size where it would be best."""
    columns = curves(5, 60, largest=3e8)
    size = np.unique(columns["N"])[2]
    best = minima_of(columns).rows[2].flops
    assert best is not None
    mine = columns["N"] == size
    keep = ~mine | (np.abs(np.log(columns["C"] / best)) > 0.35)
    rest = {name: values[keep] for name, values in columns.items()}
    after = (mine & (columns["C"] > best)).astype(int)[keep]
    rows = envelope_minima(sample(rest, groups=after), draws=20, seed=0).rows
    assert [row.bracketed for row in rows] == [False, True, False, True, False]
    assert rows[2].reason == "its curves leave a gap in the middle of its stretch: train one through it"


def test_short_curves_are_left_out_with_the_reason() -> None:
    columns = curves(7)
    size = np.unique(columns["N"])[2]
    kept = (columns["N"] != size) | (columns["D"] < 1.2 * size)
    minima = minima_of({name: values[kept] for name, values in columns.items()})
    assert len(minima.left[0].runs) == 2
    assert "fewer than 5" in minima.left[0].reason
    assert len(minima.rows) == 6


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_curves_are_refused(count: int) -> None:
    with pytest.raises(NoAnswer, match="between two others"):
        fitted(curves(count))


def test_curves_of_one_point_are_refused() -> None:
    with pytest.raises(NoAnswer, match="no size"):
        fitted(curves(6, 1))


def test_one_size_with_a_minimum_says_nothing_of_growth() -> None:
    with pytest.raises(NoAnswer, match="one minimum"):
        fitted(curves(3, largest=5e7))


def test_two_are_a_point_estimate() -> None:
    fit = fitted(curves(4, largest=1e8), draws=50)
    assert found(fit)["a"] == pytest.approx(TRUE_A, abs=0.02)
    assert np.isnan(fit.spread.low).all()


# invariance and intervals


def test_the_order_of_points_does_not_matter() -> None:
    columns, order = curves(7, noise=0.002), np.random.default_rng(1).permutation(280)
    shuffled = {name: values[order] for name, values in columns.items()}
    assert found(fitted(shuffled)) == pytest.approx(found(fitted(columns)), rel=1e-9)


def test_refits_follow_the_seed_and_move_no_estimate() -> None:
    columns = curves(7, noise=0.002)
    one, same, other = (fitted(columns, draws=60, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.draws, same.draws)
    assert not np.array_equal(one.draws, other.draws)
    assert np.array_equal(one.values, other.values)


def test_a_point_of_no_weight_is_as_if_absent() -> None:
    columns = curves(7, noise=0.002)
    columns["L"][100] *= 3.0
    weights = np.ones(280)
    weights[100] = 0.0
    without = {name: np.delete(values, 100) for name, values in columns.items()}
    assert found(fitted(columns, weights=weights)) == pytest.approx(found(fitted(without)), rel=1e-9)


def test_predictions_lie_within_their_intervals() -> None:
    fit = fitted(curves(noise=0.002, shift=0.002), draws=300)
    (at,) = predict(fit, [1e22], HoldOut(), seed=0)
    assert at.params_low < at.params < at.params_high
    assert at.plain_loss_low < at.loss_low < at.loss < at.loss_high < at.plain_loss_high


SETS = 24


@pytest.mark.parametrize("shift", [0.0, 0.002])
def test_intervals_of_the_exponent_hold_the_truth_as_often_as_they_say(shift: float) -> None:
    held = 0
    for seed in range(SETS):
        fit = fitted(curves(9, 30, noise=0.002, shift=shift, seed=seed), draws=120, seed=seed)
        a = exponents(fit)[0]
        held += a.low <= TRUE_A <= a.high
    fewest, most = binom.ppf([0.001, 0.999], SETS, 0.9)
    assert fewest <= held <= most, f"{held} of {SETS} intervals hold the truth"


def hoffmann(points: int, noise: float, seed: int) -> Columns:
    """Return 13 curves of Hoffmann's law, each from 1e8 to 2e11 tokens; the last four end before their best budget."""
    rng = np.random.default_rng(seed)
    params = np.repeat(np.geomspace(2e7, 2e10, 13), points)
    tokens = np.tile(np.geomspace(1e8, 2e11, points), 13)
    loss = (1.69 + 406.4 / params**0.34 + 410.7 / tokens**0.28) * np.exp(noise * rng.standard_normal(params.size))
    return {"N": params, "D": tokens, "C": 6.0 * params * tokens, "L": loss}


HOFFMANN_A = 0.28 / (0.34 + 0.28)


@pytest.mark.parametrize(("points", "noise"), [(80, 0.01), (80, 0.002), (300, 0.03)])
def test_noise_does_not_move_the_winner(points: int, noise: float) -> None:
    """The winner among many noisy curves would be 5 to 10 % off, and its intervals would hold the truth half the time.

    Exponents, as the optimum of 1e23 FLOPs hangs on them.
    """
    held, values = 0, []
    for seed in range(SETS):
        a = exponents(fitted(hoffmann(points, noise, seed), draws=120, seed=seed))[0]
        held += a.low <= HOFFMANN_A <= a.high
        values.append(a.value)
    fewest, most = binom.ppf([0.001, 0.9999], SETS, 0.9)
    assert fewest <= held <= most, f"{held} of {SETS} intervals hold the truth"
    assert np.mean(values) == pytest.approx(HOFFMANN_A, abs=3.0 * np.std(values) / math.sqrt(SETS))
    assert np.mean(values) == pytest.approx(HOFFMANN_A, rel=0.025)


def test_the_unit_of_compute_moves_no_exponent() -> None:
    """Also where noise has the curves smoothed widely."""
    columns = hoffmann(80, 0.01, 2)
    scaled = {**columns, "C": columns["C"] / 1.2345e15}
    assert found(fitted(scaled))["a"] == pytest.approx(found(fitted(columns))["a"], rel=1e-8)


def test_stretches_that_noise_may_end_beyond_the_runs_are_left_out() -> None:
    minima = minima_of(hoffmann(80, 0.03, 5))
    gone = [row for row in minima.rows if "beyond the runs in" in row.reason]
    assert gone
    assert not any(row.bracketed for row in gone)
    (note,) = (note for note in minima.notes if "may end beyond the runs" in note)
    stretches = len(gone) + sum(row.bracketed for row in minima.rows)
    assert f"{len(gone)} of {stretches} stretches" in note
    assert "--method parametric" in note
    assert not any("beyond the runs" in note for note in minima_of(hoffmann(80, 0.0, 5)).notes)


def test_a_refusal_names_the_method_that_needs_no_borders() -> None:
    with pytest.raises(NoAnswer) as caught:
        fitted(hoffmann(80, 0.2, 1))
    assert "--method parametric" in caught.value.hints[-1]


# curves that others measured


def ask(path: str, **options: Any) -> FrontierAnswer:
    answer = fit_runs(Request(path, method="envelope")._replace(**options))
    assert isinstance(answer, FrontierAnswer)
    return answer


def test_pythia(data_file: Callable[[str], str]) -> None:
    """LAMBADA losses of seven sizes: three hold the envelope; all were trained too short or too long for more."""
    where = "dedup == 0 and tokens > 2e9"
    answer = ask(data_file("pythia_lambada.csv"), where=where, draws=100)
    sizes = [row.params for row in answer.fit.minima.rows if row.bracketed]
    assert sizes == [162322944.0, 405334016.0, 1414647808.0]
    assert 0.4 < answer.exponents[0].value < 0.8


def test_opt_has_one_size_between_two_others(data_file: Callable[[str], str]) -> None:
    with pytest.raises(NoAnswer, match="one minimum") as caught:
        ask(data_file("opt_trajectories.csv"), columns={"flops": "10**flops"})
    assert any("6.7B" in hint and "train it longer" in hint for hint in caught.value.hints)


def test_three_sizes_with_one_horizon_are_refused(data_file: Callable[[str], str]) -> None:
    columns = {"params": "params_nominal", "tokens": "step * 5e5"}
    with pytest.raises(NoAnswer):
        ask(data_file("mpl_loss_curves.csv"), columns=columns, where="schedule == 'cosine_24000'")
