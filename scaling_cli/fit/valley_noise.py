"""How far noise moves the polynomials through the runs of budgets: residuals drawn anew, or their signs by group."""

from typing import Any

import numpy as np

Array = Any
CACHED = 2**15  # numbers
SMALL_SHARE = 1e-3  # ours: of the variance of a sum; where no run has more, its noise counts as normal


class ValleyNoise:
    """The noise of the runs of all budgets in each of some refits.

    A run's noise is any of the residuals of all; with groups it is the run's own, with a sign that its group shares.

    Args:
        residuals: of the runs near each minimum, one array each, scaled to noise of one.
        groups: (n,) of group numbers from 0 of all runs, or None.
        draws: how many refits.
        rng: what they are drawn with.
    """

    def __init__(self, residuals: list[Array], groups: Array | None, draws: int, rng: np.random.Generator) -> None:
        pool = np.concatenate(residuals) if residuals else np.zeros(1)
        self.pool = (pool - pool.mean()) / (pool.std() or 1.0)
        self.groups, self.draws, self.rng = groups, draws, rng
        if groups is not None:
            self.signs = rng.choice([-1.0, 1.0], size=(draws, int(groups.max()) + 1))

    def gained(self, gain: Array, residuals: Array, runs: Array) -> Array:
        """Return how far noise moves coefficients, (draws, k).

        Of very many runs the sum of their noise is normal, which takes one number instead of one for each run.

        Args:
            gain: (k, n), what coefficients gain from each run.
            residuals: (n,) of these runs.
            runs: their numbers, (n,).
        """
        squares = gain**2
        if self.groups is None and (squares.max(axis=1) <= SMALL_SHARE * squares.sum(axis=1)).all():
            left, singular, _ = np.linalg.svd(gain, full_matrices=False)
            return self.rng.standard_normal((self.draws, len(gain))) @ (left * singular).T
        gained = np.empty((self.draws, len(gain)))
        width = max(CACHED // runs.size, 1)  # a few refits at a time stay in the processor's cache
        for start in range(0, self.draws, width):
            part = slice(start, min(start + width, self.draws))
            gained[part] = self._noise(part, residuals, runs) @ gain.T
        return gained

    def _noise(self, part: slice, residuals: Array, runs: Array) -> Array:
        """Return the noise of runs in some refits, (refits, n)."""
        if self.groups is not None:
            return residuals * self.signs[part][:, self.groups[runs]]
        return self.pool.take(self.rng.integers(self.pool.size, size=(part.stop - part.start, runs.size)), mode="clip")
