"""A 90 % interval holds the truth in about 90 % of simulated data sets. Small: the full one is a benchmark."""

from collections.abc import Callable
from typing import Any

from scipy.stats import binom

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form
from scaling_cli.fit.predictions import exponents

SETS = 40
LEVEL = 0.9
CHANCE = 0.002  # that an honest interval fails this test
TRUE_A = 0.366 / (0.348 + 0.366)


def test_intervals_of_the_exponent_of_params(
    runs: Callable[..., dict[str, Any]], fit: Callable[..., Fit], chinchilla: Form
) -> None:
    held = 0
    for seed in range(SETS):
        found = fit(chinchilla, runs(40, noise=0.01, seed=1000 + seed), draws=200, seed=seed)
        (a, _) = exponents(found, 1e21)
        assert a.low is not None
        assert a.high is not None
        held += a.low <= TRUE_A <= a.high
    fewest, most = binom.ppf([CHANCE / 2.0, 1.0 - CHANCE / 2.0], SETS, LEVEL)
    assert fewest <= held <= most, f"{held} of {SETS} intervals hold the truth"
