"""Noise of valleys: of few runs it is their residuals drawn anew, of very many the normal that these sum to."""

import numpy as np
import pytest

from scaling_cli.fit import valley_noise
from scaling_cli.fit.valley_noise import ValleyNoise

DRAWS = 4000


def gain_of(runs: int) -> np.ndarray:
    """Return what a parabola through runs, evenly spread, gains from each of them, (3, runs)."""
    return np.linalg.pinv(np.vander(np.linspace(-1.0, 1.0, runs), 3, increasing=True))


def moves(runs: int, *, groups: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    residuals = np.random.default_rng(7).exponential(size=runs) - 1.0  # as skew as no noise of runs
    noise = ValleyNoise([residuals], groups, DRAWS, np.random.default_rng(seed))
    return noise.gained(gain_of(runs), residuals, np.arange(runs))


def test_the_normal_of_many_runs_is_what_drawing_residuals_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """4000 refits tell standard deviations to 1.1 % and fifth percentiles to some 0.035 standard deviations."""
    runs = 10_000
    normal = moves(runs)
    monkeypatch.setattr(valley_noise, "SMALL_SHARE", 0.0)
    drawn = moves(runs, seed=1)
    sd = np.sqrt(np.diagonal(gain_of(runs) @ gain_of(runs).T))
    for moved in (normal, drawn):
        assert moved.std(axis=0) == pytest.approx(sd, rel=0.05)
        assert np.corrcoef(moved.T)[0, 2] == pytest.approx(np.corrcoef(drawn.T)[0, 2], abs=0.05)
    ends = [np.quantile(moved, [0.05, 0.95], axis=0) / sd for moved in (normal, drawn)]
    assert ends[0] == pytest.approx(ends[1], abs=0.15)


def test_residuals_are_drawn_where_one_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parabola's end run of 2000 has 4.5 times the mean share of the slope and of the bend."""
    usual = moves(2000)
    monkeypatch.setattr(valley_noise, "SMALL_SHARE", 0.0)
    assert np.array_equal(usual, moves(2000))
    monkeypatch.setattr(valley_noise, "SMALL_SHARE", 1.0)
    assert not np.array_equal(usual, moves(2000))


def test_groups_keep_their_residuals_however_many_runs_there_are() -> None:
    """With one group all signs turn together: two outcomes, and no other."""
    moved = moves(10_000, groups=np.zeros(10_000, dtype=int))
    assert np.unique(np.abs(moved).round(12), axis=0).shape[0] == 1
    assert (moved[:, 0] > 0.0).any()
    assert (moved[:, 0] < 0.0).any()
