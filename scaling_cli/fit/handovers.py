"""Where one size of model passes the next: the borders of their stretches of the lower envelope of training curves.

A border belongs to two curves and is read from their difference alone. The lowest of many noisy curves is another
matter: noise decides it wherever sizes are nearly equal, and mostly for the sizes with the most chances to win.
"""

from typing import Any

import numpy as np

Array = Any


def borders(losses: Array, grid: Array) -> Array:
    """Return the ln flops at which each next size passes the one before, (draws, s - 1).

    Noisy curves may cross more than once: the crossing taken has most of the area between the curves on its right
    side, the smaller size lower before it and the larger after.

    Args:
        losses: (draws, s, grid), sizes ascending, infinite where no curve reaches; where that is, draws agree.
        grid: (grid,), ln flops in equal steps.

    Returns: minus infinity where the larger is the lower from the first budget of both, infinity where the smaller is
        to the last or to a gap, NaN where they have no budget in common.
    """
    covers = np.isfinite(losses[0])
    common = covers[:-1] & covers[1:]
    with np.errstate(invalid="ignore"):
        lead = np.where(common, losses[:, 1:] - losses[:, :-1], 0.0)
    area = np.cumsum(lead, axis=2)
    last = np.minimum(area.argmax(axis=2), grid.size - 2)  # budget with the smaller size in front
    before, after = (np.take_along_axis(lead, i[..., None], axis=2)[..., 0] for i in (last, last + 1))
    pairs, leads = np.arange(len(common)), area.max(axis=2) > 0.0
    is_seen = common[pairs, last] & common[pairs, last + 1] & leads & (after <= 0.0)
    share = np.divide(before, before - after, out=np.zeros_like(before), where=is_seen)
    at = np.where(is_seen, grid[last] + (grid[1] - grid[0]) * share, np.where(leads, np.inf, -np.inf))
    return np.where(common.any(axis=1), at, np.nan)


def kept_within(at: Array, losses: Array, grid: Array) -> Array:
    """Return borders, (draws, s - 1), with those beyond the budgets that both sizes cover moved to the nearest."""
    covers = np.isfinite(losses[0])
    common = covers[:-1] & covers[1:]
    return np.clip(at, grid[common.argmax(axis=1)], grid[grid.size - 1 - common[:, ::-1].argmax(axis=1)])


def middles(at: Array, sizes: Array) -> Array:
    """Return the ln flops at which each size but the first and last is the best, (draws, s - 2).

    At a border that is the size halfway between the two, in logarithm; so where sizes are in equal steps a size is the
    best halfway between its borders.

    Args:
        at: (draws, s - 1), borders.
        sizes: (s,), params, ascending.
    """
    log_params = np.log(sizes)
    best = 0.5 * (log_params[1:] + log_params[:-1])
    share = (log_params[1:-1] - best[:-1]) / (best[1:] - best[:-1])
    with np.errstate(invalid="ignore"):  # borders at both infinities have no middle
        return (1.0 - share) * at[:, :-1] + share * at[:, 1:]


def holders(losses: Array, grid: Array) -> Array:
    """Return the numbers of the sizes that hold a stretch of the envelope, ascending.

    Of the sizes that are the lowest somewhere, those go whose stretch would end before it begins, the worst first: the
    sizes beside such a one pass each other without it.

    Args:
        losses: (1, s, grid), sizes ascending, infinite where no curve reaches.
        grid: (grid,), ln flops in equal steps.
    """
    covered = np.isfinite(losses[0]).any(axis=0)
    found = np.unique(losses[0].argmin(axis=0)[covered])
    while found.size > 2:
        (at,) = borders(losses[:, found], grid)
        begins, ends = at[:-1], at[1:]
        is_wrong = (begins > ends) & (np.isfinite(begins) == np.isfinite(ends))
        if not is_wrong.any():
            break
        by = np.subtract(begins, ends, out=np.full(begins.shape, -np.inf), where=is_wrong)
        found = np.delete(found, 1 + by.argmax())
    return found
