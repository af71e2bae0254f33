"""Runs in an order that follows from their values, so that no answer hangs on how a table happens to be sorted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any


def canonical_order(keys: Sequence[Sequence[float]]) -> Array | None:
    """Return the numbers of the rows in ascending order, (n,), or None where they stand in it already.

    Args:
        keys: columns, (n,) each; the first counts most. Rows that are the same in all of them stay as they stand.

    >>> canonical_order([[2.0, 1.0, 2.0], [3.0, 9.0, 0.0]]).tolist()
    [1, 2, 0]
    """
    order = np.lexsort([np.asarray(key) for key in reversed(keys)])
    return None if (order[1:] > order[:-1]).all() else order


def reordered(column: Sequence[float], order: Array) -> list[Any]:
    """Return a column of numbers with its rows in another order."""
    found: list[Any] = np.asarray(column)[order].tolist()
    return found
