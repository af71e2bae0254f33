"""The vertex of a sum of absolute values, where a coefficient has lost its effect on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form

LOSSES = (
    3.9734, 3.4837, 4.7511, 3.5318, 3.3281, 3.1370, 3.0024, 3.2051, 3.0205, 2.8593, 2.7490, 2.9243, 2.7739, 2.6386,
    2.5524, 2.6871, 2.5649, 2.4729, 2.3780,
)  # fmt: skip


def test_runs_on_the_curve_that_determine_no_vertex(fit: Callable[..., Fit], chinchilla: Form) -> None:
    """Simulated runs, the third in bits: a matrix of five runs on the curve was singular, which was a traceback."""
    params = np.repeat([1e8, 2e8, 4e8, 8e8, 1.6e9], [3, 4, 4, 4, 4])
    ratios = np.array([5.0, 20.0, 40.0, *[5.0, 10.0, 20.0, 40.0] * 4])
    columns: dict[str, Any] = {"N": params, "D": params * ratios, "L": np.array(LOSSES)}
    found = fit(chinchilla, columns, "lad-log")
    squares = fit(chinchilla, columns, "ls-log")
    assert np.abs(found.residuals).sum() < np.abs(squares.residuals).sum()
