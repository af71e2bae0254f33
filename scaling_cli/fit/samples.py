"""The runs of a fit as arrays: what is known of each, what is to be predicted, how often it counts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.compute import training_flops
from scaling_cli.errors import InputError

Array = Any


class Sample(NamedTuple):
    """Runs ready for a fit: `data` by the names of the form, `target`, `weights`, and numbers of groups, (n,) each."""

    data: Mapping[str, Array]
    target: Array
    weights: Array
    groups: Array | None = None

    @property
    def size(self) -> int:
        """How many runs there are."""
        return int(self.target.size)

    @property
    def flops(self) -> Array | None:
        """The compute of each run, (n,): as given, else 6ND; None where neither is known."""
        if "C" in self.data:
            return self.data["C"]
        return training_flops(self.data["N"], self.data["D"]) if {"N", "D"} <= self.data.keys() else None

    def part(self, keep: Array) -> "Sample":
        """Return some of the runs, by a mask (n,) or by their numbers."""
        data = {name: values[keep] for name, values in self.data.items()}
        groups = None if self.groups is None else np.unique(self.groups[keep], return_inverse=True)[1]
        return Sample(data, self.target[keep], self.weights[keep], groups)


def sample_of(
    data: Mapping[str, Sequence[float]],
    target: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
) -> Sample:
    """Return columns as a sample.

    Args:
        data: columns by name, (n,) each.
        target: (n,), what is to be predicted.
        weights: (n,), how often each run counts; once where None.
        groups: (n,) numbers from 0 of runs that belong together.

    Raises: InputError for weights that are negative, not finite, or all zero.
    """
    wanted = np.asarray(target, dtype=float)
    counts = np.ones(wanted.size) if weights is None else np.asarray(weights, dtype=float)
    if not (np.isfinite(counts).all() and (counts >= 0.0).all() and counts.sum() > 0.0):
        raise InputError("--weights has values that are negative or not finite", "expected how often each run counts")
    columns = {name: np.asarray(values, dtype=float) for name, values in data.items()}
    return Sample(columns, wanted, counts, None if groups is None else np.asarray(groups))
