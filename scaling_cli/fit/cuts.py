"""Where to cut runs in two, so that the larger ones test what the smaller ones predict."""

from typing import Any, NamedTuple

import numpy as np

from scaling_cli.fit.samples import Sample

Array = Any
SCALE = 1.25  # ours: sizes within this factor are one scale, as the runs of one isoFLOP budget are
FEWEST_SCALES = 2  # to fit to
LEAST_SHARE = 1.0 / 3.0  # of the runs, to fit to
MOST_CUTS = 4  # each costs a fit of every form


class Cut(NamedTuple):
    """Runs from a size up are held out; `fitted` and `held_out` count the runs on either side."""

    size: float
    fitted: int
    held_out: int


class Sizes(NamedTuple):
    """How large each run is, (n,), by flops where known, else by tokens or params; (0,) where none is."""

    name: str
    values: Array


def sizes_of(sample: Sample) -> Sizes:
    """Return how large the runs are; nothing where none of C, D and N is known and positive."""
    columns = {"flops": sample.flops, "tokens": sample.data.get("D"), "params": sample.data.get("N")}
    found = ((name, values) for name, values in columns.items() if values is not None and bool((values > 0.0).all()))
    return Sizes(*next(found, ("", np.empty(0))))


def scales(sizes: Array) -> Array:
    """Return where each scale begins, the largest first.

    >>> scales(np.array([1e18, 1.1e18, 1e19, 1e20])).tolist()
    [1e+20, 1e+19, 1e+18]
    """
    ordered = np.sort(sizes)
    begins = [ordered.size]
    while begins[-1] > 0:
        begins.append(int(np.searchsorted(ordered, ordered[begins[-1] - 1] / SCALE)))
    return ordered[begins[1:]]


def cuts(sizes: Array) -> list[Cut]:
    """Return the cuts that leave enough runs below them, from the nearest to the farthest, evenly spread.

    Args:
        sizes: of the runs, (n,), > 0; (0,) where unknown, which leaves nothing to cut.
    """
    if not sizes.size:
        return []
    begins = scales(sizes)
    below: Array = np.searchsorted(np.sort(sizes), begins)
    fits = below >= LEAST_SHARE * sizes.size
    room = int(min(fits.sum(), begins.size - FEWEST_SCALES))
    if room < 1:
        return []
    chosen = np.unique(np.linspace(0, room - 1, min(MOST_CUTS, room)).round().astype(int))
    return [Cut(float(begins[i]), int(below[i]), int(sizes.size - below[i])) for i in chosen]
