"""A 90 % interval holds the truth in about 90 % of simulated data sets. Small: the full one is a benchmark."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binom

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form

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
