"""A 90 % interval holds the truth in about 90 % of simulated data sets. Small: the full one is a benchmark."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form
from scaling_cli.fit.uncertainty import calibrated, widened

SETS = 40
LEVEL = 0.9
CHANCE = 0.002  # of a band that honest intervals miss; its upper end is all 40, so only narrow ones can fail
TRUE_A = 0.366 / (0.348 + 0.366)


def test_intervals_of_the_exponent_of_params(
    runs: Callable[..., dict[str, Any]], fit: Callable[..., Fit], chinchilla: Form
) -> None:
    held = 0
    for seed in range(SETS):
        found = fit(chinchilla, runs(40, noise=0.01, seed=1000 + seed), draws=192, seed=seed)
        alpha, beta = (found.draws[:, found.names.index(name)] for name in ("alpha", "beta"))
        low, high = np.quantile(beta / (alpha + beta), [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
        held += bool(low <= TRUE_A <= high)
    fewest, most = binom.ppf([CHANCE / 2.0, 1.0 - CHANCE / 2.0], SETS, LEVEL)
    assert fewest <= held <= most, f"{held} of {SETS} intervals hold the truth"


def test_refits_are_spread_out_by_squares_and_drawn_in_by_absolute_values(
    runs: Callable[..., dict[str, Any]], fit: Callable[..., Fit], chinchilla: Form
) -> None:
    """As tables of Student's t and the formula give it for 45 runs and 5 coefficients."""
    student = 1.683851 / 1.644854  # 95 % quantiles: 40 degrees of freedom, normal
    factors = {"ls-log": student, "lad-log": np.sqrt(2.0 / 3.0)}
    for name, factor in factors.items():
        found = fit(chinchilla, runs(45), name)
        cloud = found.point.inner + np.array([[-1.0], [1.0]])
        away = calibrated(found.point, cloud, 45, found.objective) - found.point.inner
        assert away == pytest.approx(factor * np.array([[-1.0] * 5, [1.0] * 5]), rel=0.01)
        assert widened(found.point, cloud, 45)[1] - found.point.inner == pytest.approx(np.sqrt(45 / 40) * student)


def test_huber_lies_between_squares_and_absolute_values(
    runs: Callable[..., dict[str, Any]], fit: Callable[..., Fit], chinchilla: Form
) -> None:
    columns = runs(45, noise=0.01)
    factors = []
    for delta in (1e-6, 1e-3, 1e-2, 1.0):
        found = fit(chinchilla, columns, "huber-log", delta=delta)
        away = calibrated(found.point, found.point.inner[None] + 1.0, 45, found.objective) - found.point.inner
        factors.append(float(away[0, 0]))
    assert factors == sorted(factors)
    assert factors[0] < 0.9 < 1.0 < factors[-1]


@pytest.mark.parametrize("name", ["huber-log", "lad-log"])
def test_refits_arrive_where_noise_is_far_wider_than_the_threshold(
    name: str, runs: Callable[..., dict[str, Any]], fit: Callable[..., Fit], chinchilla: Form
) -> None:
    """The median of normal noise varies 1.25 times as much as its mean; refits that stop on the way vary less."""
    columns = runs(40, noise=0.03)
    spreads = []
    for each in (name, "ls-log"):
        found = fit(chinchilla, columns, each, draws=200)
        alpha, beta = (found.draws[:, found.names.index(exponent)] for exponent in ("alpha", "beta"))
        spreads.append(float(np.subtract(*np.quantile(beta / (alpha + beta), [0.95, 0.05]))))
    assert 0.9 < spreads[0] / spreads[1] < 2.0
