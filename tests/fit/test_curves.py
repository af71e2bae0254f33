"""Smoothed training curves: the width that noise asks for, and what it leaves alone."""

from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.curves import WIDTH, WIDTHS, Curve, Thinned, best_width, smooth_curve, smoothed

LOGS = np.linspace(40.0, 47.0, 400)
GRID = np.linspace(39.0, 48.0, 200)
TRUE = np.log(1.8 + 3e3 * np.exp(-0.2 * LOGS))


def curves_with(noise: float, *, seed: int = 0) -> list[Curve]:
    rng = np.random.default_rng(seed)
    return [made(TRUE + noise * rng.standard_normal(LOGS.size)) for _ in range(5)]


def made(target: Any) -> Curve:
    return smooth_curve(1e9, np.arange(LOGS.size), Thinned(LOGS, target, np.ones(LOGS.size)), GRID)


def test_without_noise_the_narrowest_is_best() -> None:
    assert best_width(curves_with(0.0), GRID) == WIDTH == WIDTHS[0]


def test_noisier_curves_are_smoothed_over_more() -> None:
    found = [best_width(curves_with(noise), GRID) for noise in (1e-6, 1e-4, 1e-2)]
    assert found == sorted(set(found))


@pytest.mark.parametrize("seed", range(3))
def test_the_width_is_nearly_the_one_that_misses_least(seed: int) -> None:
    """Without knowing the truth: by no more than a quarter of the root mean square."""
    curves = curves_with(0.01, seed=seed)
    truth = np.interp(GRID[curves[0].covers], LOGS, TRUE)
    misses = [
        np.sqrt(np.mean([(smoothed(curve, GRID, width).log_loss - truth) ** 2 for curve in curves])) for width in WIDTHS
    ]
    assert misses[WIDTHS.index(best_width(curves, GRID))] < 1.25 * min(misses)
    assert misses[0] > 1.5 * min(misses)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_parabola_stays_where_it_is(width: float) -> None:
    """To what taking close points as their mean leaves: a 1600th of the width squared, by the bend."""
    bent = 1.0 - 0.1 * (LOGS - 44.0) + 0.01 * (LOGS - 44.0) ** 2
    curve = smoothed(made(bent), GRID, width)
    at = GRID[curve.covers] - 44.0
    assert curve.log_loss == pytest.approx(1.0 - 0.1 * at + 0.01 * at**2, abs=0.01 * width**2 / 1600.0)
    assert curve.residuals == pytest.approx(np.zeros(LOGS.size), abs=1e-12)
