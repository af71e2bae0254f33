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
    columns = [np.asarray(key) for key in keys]
    if _neighbours(columns)[0]:
        return None
    order = np.argsort(columns[min(1, len(columns) - 1)])  # in no order where rows are the same: much faster
    order = order[np.argsort(columns[0][order], kind="stable")]
    same = _neighbours([column[order] for column in columns[:2]])[1]
    tied = np.append(same, False) | np.append(False, same)
    rows = np.sort(order[tied])  # few: two columns tell nearly all rows apart
    order[tied] = rows[np.lexsort([column[rows] for column in reversed(columns)])]
    return order


def _neighbours(columns: Sequence[Array]) -> tuple[bool, Array]:
    """Return whether rows ascend, and which of them are the same as the next in all columns, (n - 1,)."""
    same = np.ones(max(columns[0].size - 1, 0), dtype=bool)
    ascends = True
    for column in columns:
        ascends = ascends and not (same & (column[1:] < column[:-1])).any()
        same &= column[1:] == column[:-1]
    return ascends, same


def reordered(column: Sequence[float], order: Array) -> list[Any]:
    """Return a column of numbers with its rows in another order."""
    found: list[Any] = np.asarray(column)[order].tolist()
    return found
