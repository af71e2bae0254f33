"""The runs of a fit as arrays: what is known of each, what is to be predicted, how much it counts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.compute import training_flops
from scaling_cli.errors import InputError

Array = Any


class Sample(NamedTuple):
    """Runs ready for a fit: `data` by the names of the form, `target`, `weights`, and numbers of groups, (n,) each.

    `given_flops` are those of the table where they are not 6ND.
    """

    data: Mapping[str, Array]
    target: Array
    weights: Array
    groups: Array | None = None
    given_flops: Array | None = None

    @property
    def size(self) -> int:
        """How many runs there are."""
        return int(self.target.size)

    @property
    def group_count(self) -> int:
        """How many groups there are; each run is one where nothing groups them."""
        return self.size if self.groups is None else int(np.unique(self.groups).size)

    @property
    def flops(self) -> Array | None:
        """The compute of each run, (n,): as given, else 6ND; None where neither is known."""
        if "C" in self.data or self.given_flops is not None:
            return self.data.get("C", self.given_flops)
        return training_flops(self.data["N"], self.data["D"]) if {"N", "D"} <= self.data.keys() else None

    def part(self, keep: Array) -> "Sample":
        """Return some of the runs, by a mask (n,) or by their numbers."""
        data = {name: values[keep] for name, values in self.data.items()}
        groups = None if self.groups is None else np.unique(self.groups[keep], return_inverse=True)[1]
        flops = None if self.given_flops is None else self.given_flops[keep]
        return Sample(data, self.target[keep], self.weights[keep], groups, flops)


def sample_of(
    data: Mapping[str, Sequence[float]],
    target: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
    flops: Sequence[float] | None = None,
) -> Sample:
    """Return columns as a sample, without the runs of weight zero, which would count as runs all the same.

    Args:
        data: columns by name, (n,) each.
        target: (n,), what is to be predicted.
        weights: (n,), how much each run counts, as 1 / the variance of its noise: only ratios matter; the same where
            None.
        groups: (n,) numbers from 0 of runs that belong together.
        flops: (n,) training FLOPs, where they are not 6ND.

    Raises: InputError for weights that are negative, not finite, or all zero.
    """
    wanted = np.asarray(target, dtype=float)
    counts = np.ones(wanted.size) if weights is None else np.asarray(weights, dtype=float)
    if not (np.isfinite(counts).all() and (counts >= 0.0).all() and counts.sum() > 0.0):
        raise InputError(
            "--weights has values that are negative or not finite, or none above zero",
            "expected how much each run counts: 1 / the variance of its noise, up to a factor",
        )
    columns = {name: np.asarray(values, dtype=float) for name, values in data.items()}
    given = None if flops is None else np.asarray(flops, dtype=float)
    sample = Sample(columns, wanted, counts, None if groups is None else np.asarray(groups), given)
    return sample if (counts > 0.0).all() else sample.part(counts > 0.0)
