"""What is worked out for all runs, budgets, curves or refits at once is what plain loops over them find."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_cli.core.runs import first_bad, replicate_note
from scaling_cli.fit import curves, power_laws, valley_noise
from scaling_cli.fit.curves import CLOSE, EDGE, NEAREST, WIDTH, Thinned, curves_of, smooth_curve, thin, with_noise
from scaling_cli.fit.envelopes import envelope_minima
from scaling_cli.fit.handovers import borders
from scaling_cli.fit.isoflops import TOLERANCE, budgets, isoflop_minima
from scaling_cli.fit.minima import Minima
from scaling_cli.fit.ordering import canonical_order
from scaling_cli.fit.samples import Sample, sample_of

SEEDS = st.integers(0, 2**32 - 1)
KEYS = st.sampled_from([0.0, 1.0, 2.0, 2.5])  # few, so that rows agree in some columns


def simulated(seed: int, sizes: int = 6, points: int = 60, **rest: Any) -> Sample:
    """Return noisy curves of Chinchilla's law, with points at uneven places; some of them twice."""
    rng = np.random.default_rng(seed)
    params = np.repeat(np.geomspace(1e7, 1e9, sizes), points)
    tokens = params * np.exp(rng.uniform(0.0, 5.0, params.size))
    again = rng.integers(params.size, size=points)
    params, tokens = np.append(params, params[again]), np.append(tokens, tokens[again])
    loss = (1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366) * np.exp(0.01 * rng.standard_normal(params.size))
    return sample_of({"N": params, "D": tokens, "C": 6.0 * params * tokens}, loss, **rest)


# runs


@given(st.lists(st.tuples(KEYS, KEYS, KEYS), max_size=12), st.integers(1, 3))
def test_rows_are_ordered_by_all_their_columns(rows: list[tuple[float, ...]], width: int) -> None:
    kept = [row[:width] for row in rows]
    expected = sorted(range(len(kept)), key=kept.__getitem__)  # stable: equal rows stay as they stand
    order = canonical_order([[row[i] for row in kept] for i in range(width)])
    assert (list(range(len(kept))) if order is None else order.tolist()) == expected
    assert (order is None) == (expected == list(range(len(kept))))


@given(st.lists(st.tuples(KEYS, KEYS), max_size=12))
def test_repeated_runs_are_counted(rows: list[tuple[float, float]]) -> None:
    notes = list(replicate_note({"a": [a for a, _ in rows], "b": [b for _, b in rows]}, ["a", "b"]))
    count = sum(row in rows[:i] for i, row in enumerate(rows))
    assert [note.split()[0] for note in notes] == ([str(count)] if count else [])


@given(st.lists(st.sampled_from([1.0, -1.0, 0.0, 1.7e308, math.inf, -math.inf, math.nan]), max_size=6), st.booleans())
def test_the_first_number_that_cannot_be_is_found(values: list[float], positive: bool) -> None:
    """Also where the sum of finite numbers is not finite."""
    bad = [i for i, value in enumerate(values) if not math.isfinite(value) or (positive and value <= 0.0)]
    assert first_bad(values, positive=positive) == (bad[0] if bad else None)


# budgets


@given(st.lists(st.floats(0.0, 1.5), min_size=1, max_size=40))
def test_budgets_are_the_densest_windows_of_what_is_left(logs: list[float]) -> None:
    flops = np.exp(np.array(logs) + 40.0)
    width = 2.0 * np.log(TOLERANCE) * (1.0 + 1e-12)
    left, expected = sorted(range(flops.size), key=lambda run: (flops[run], run)), []
    while left:
        windows = [[run for run in left[i:] if np.log(flops[run]) <= np.log(flops[left[i]]) + width]
                   for i in range(len(left))]  # fmt: skip
        expected.append(max(windows, key=len))
        left = [run for run in left if run not in expected[-1]]
    assert [group.tolist() for group in budgets(flops)] == sorted(expected, key=lambda group: flops[group[0]])


@pytest.mark.parametrize("is_grouped", [False, True])
def test_refits_of_valleys_do_not_hang_on_how_many_are_made_at_once(
    is_grouped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flops = np.repeat([1e19, 1e20, 1e21, 1e22, 1e23], 7)
    params = np.sqrt(flops / 120.0) * np.tile(1.5 ** np.arange(-3.0, 4.0), 5)
    noise = np.exp(0.003 * np.random.default_rng(3).standard_normal(35))
    loss = (1.82 + 482.0 / params**0.348 + 2085.0 / (flops / 6.0 / params) ** 0.366) * noise
    groups = np.tile(np.arange(7), 5) if is_grouped else None
    runs = sample_of({"N": params, "D": flops / 6.0 / params, "C": flops}, loss, groups=groups)

    def minima(cached: int) -> Minima:
        monkeypatch.setattr(valley_noise, "CACHED", cached)
        return isoflop_minima(runs, draws=50, seed=1)

    one, all_at_once = minima(1), minima(10**9)
    assert len(one.rows) == 5
    assert np.allclose(one.log_params.draws, all_at_once.log_params.draws, rtol=1e-12)
    assert np.allclose(one.loss.draws, all_at_once.loss.draws, rtol=1e-12)
    assert one.loss.draws.std() > 0.0


def test_refits_of_floors_do_not_hang_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-2.0, 2.0, 6)
    clean = 1.8 + 0.4 * np.exp(-0.2 * x)
    losses = clean * np.exp(0.002 * np.random.default_rng(4).standard_normal((30, 6)))
    drawn = power_laws.Measured(clean, np.full(6, 0.01), losses)
    floor = power_laws.fit_floor(x, drawn)
    assert floor is not None

    def refits(few: int) -> Any:
        monkeypatch.setattr(power_laws, "FEW", few)
        return power_laws.draw_floor(x, floor, drawn, np.random.default_rng(0))

    assert np.allclose(refits(1), refits(30), rtol=1e-7)  # a search by squares finds half of the digits
    assert refits(7).shape == (30, 3)


# curves


@given(SEEDS)
def test_curves_are_thinned_one_by_one(seed: int) -> None:
    sample = simulated(seed, weights=np.random.default_rng(seed).uniform(0.5, 2.0, 420))
    members = curves_of(sample)
    assert [set(sample.data["N"][points]) for points in members] == [{size} for size in np.unique(sample.data["N"])]
    for points, thinned in zip(members, thin(sample, members), strict=True):
        logs, losses, weights = np.log(sample.data["C"][points]), np.log(sample.target[points]), sample.weights[points]
        bins = np.floor(logs / CLOSE)
        for i, place in enumerate(np.unique(bins)):
            mine = bins == place
            mean = [np.average(values[mine], weights=weights[mine]) for values in (logs, losses)]
            assert [thinned.logs[i], thinned.target[i]] == pytest.approx(mean, rel=1e-12)
            assert thinned.weights[i] == pytest.approx(weights[mine].sum(), rel=1e-12)
        assert thinned.logs.size == np.unique(bins).size


@given(SEEDS, st.integers(5, 60))
def test_a_smooth_curve_is_a_parabola_at_each_budget(seed: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.choice([0.013, 0.05, 0.4], size=points) * rng.uniform(1.0, 1.2, points))
    target, weights = rng.normal(1.0, 0.1, points), rng.uniform(0.5, 2.0, points)
    grid = np.linspace(-1.0, logs[-1] + 1.0, 50)
    curve = smooth_curve(1e9, np.arange(points), Thinned(logs, target, weights), grid)
    covered = (grid >= logs[0]) & (grid <= logs[-1])
    assert np.array_equal(np.flatnonzero(covered), np.arange(50)[curve.covers])
    matrix = np.array([plain_row(logs, weights, at) for at in grid[covered]]).reshape(-1, points)
    assert curve.log_loss == pytest.approx(matrix @ target, rel=1e-8)
    own = np.array([plain_row(logs, weights, at) for at in logs])
    misses, rest = np.sqrt(weights) * (target - own @ target), np.eye(points) - own
    scale = np.sqrt(points / max(np.trace(rest.T @ rest), 1.0))
    assert curve.residuals == pytest.approx((misses - misses.mean()) * scale, rel=1e-6, abs=1e-9)
    noise = np.random.default_rng(seed).choice(curve.residuals, size=(3, points))
    moved = curve.log_loss + (noise / np.sqrt(weights)) @ matrix.T
    assert with_noise(curve, np.random.default_rng(seed), 3) == pytest.approx(moved, rel=1e-8)


def plain_row(logs: Any, weights: Any, at: float) -> Any:
    """Return what the smooth value at a place gains from each point."""
    apart = np.abs(logs - at)
    reach = max(np.sort(apart)[min(NEAREST, logs.size) - 1] * EDGE, WIDTH)
    share = weights * (1.0 - np.minimum(apart / reach, 1.0) ** 3) ** 3
    powers = np.vander((logs - at) / reach, 3, increasing=True)
    return np.linalg.solve(powers.T @ (powers * share[:, None]), powers.T * share)[0]


@given(SEEDS, st.integers(2, 6), st.integers(1, 3))
def test_borders_are_found_pair_by_pair(seed: int, sizes: int, draws: int) -> None:
    rng = np.random.default_rng(seed)
    grid = np.arange(12.0)
    losses = np.cumsum(rng.normal(size=(draws, sizes, grid.size)), axis=2)
    begin, length = rng.integers(0, 6, size=sizes), rng.integers(2, 12, size=sizes)
    losses[:, (grid < begin[:, None]) | (grid >= (begin + length)[:, None])] = np.inf
    expected = [[plain_border(draw[i], draw[i + 1]) for i in range(sizes - 1)] for draw in losses]
    assert borders(losses, grid) == pytest.approx(np.array(expected), nan_ok=True)


def plain_border(smaller: Any, larger: Any) -> float:
    """Return where the larger passes the smaller, budgets being 0, 1, 2 ...: the sign change with the best areas."""
    lead = {i: larger[i] - smaller[i] for i in range(smaller.size) if np.isfinite(larger[i] + smaller[i])}
    if not lead:
        return math.nan
    area = {i: sum(lead[j] for j in lead if j <= i) for i in lead}
    best = max(area, key=area.__getitem__)
    if area[best] <= 0.0:
        return -math.inf
    return best + lead[best] / (lead[best] - lead[best + 1]) if best + 1 in lead else math.inf


def test_an_envelope_does_not_hang_on_how_its_smoother_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = simulated(5)

    def minima(piece: int) -> Minima:
        monkeypatch.setattr(curves, "PIECE", piece)
        return envelope_minima(sample, draws=60, seed=2)

    one, whole = minima(1), minima(10**6)
    assert one.log_flops.values.size > 1
    assert np.allclose(one.log_flops.draws, whole.log_flops.draws, rtol=1e-12)
    assert np.allclose(one.loss.draws, whole.loss.draws, rtol=1e-12)
