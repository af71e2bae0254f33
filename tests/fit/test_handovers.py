"""Where one size passes the next: borders by hand, and the sizes between them."""

from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.handovers import borders, holders, kept_within, middles

GRID = np.arange(6.0)


def pair(*lead: float) -> Any:
    """Return losses of two sizes, (1, 2, grid), the larger this much above the smaller."""
    return np.array([[np.zeros(len(lead)), lead]])


def parabolas(best: Any, grid: Any, *, lift: Any = 0.0) -> Any:
    """Return losses, (1, s, grid), each the least at its best budget, lifted; two pass halfway between their bests."""
    return (grid - np.asarray(best)[:, None])[None] ** 2 + np.broadcast_to(lift, np.shape(best))[:, None]


def test_handovers_by_hand() -> None:
    best = np.array([0, 0, 1, 1, 1, 2])
    losses = np.where(np.arange(3)[:, None] == best, 1.0, 2.0)[None]
    at = borders(losses, GRID)
    assert at == pytest.approx(np.array([[1.5, 4.5]]))
    assert middles(at, np.array([1.0, 2.0, 4.0])) == pytest.approx(np.array([[3.0]]))
    assert holders(losses, GRID).tolist() == [0, 1, 2]


def test_a_border_lies_between_two_budgets() -> None:
    assert borders(pair(3.0, 2.0, 1.0, -3.0, -4.0, -5.0), GRID)[0, 0] == pytest.approx(2.25)


def test_curves_that_meet_at_a_budget_pass_there() -> None:
    assert borders(pair(3.0, 2.0, 0.0, -3.0, -4.0, -5.0), GRID)[0, 0] == pytest.approx(2.0)


def test_a_chance_win_elsewhere_does_not_move_a_border() -> None:
    assert borders(pair(3.0, -0.5, 1.0, -1.0, 0.5, -5.0), GRID)[0, 0] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("lead", "border", "kept"),
    [
        ((np.inf, 2.0, 1.0, 1.0, 2.0, np.inf), np.inf, 4.0),
        ((np.inf, -2.0, -1.0, -1.0, -2.0, np.inf), -np.inf, 1.0),
        ((-2.0, -1.0, -1.0, -1.0, -1.0, -1.0), -np.inf, 0.0),
        ((2.0, 1.0, 1.0, 1.0, 1.0, 1.0), np.inf, 5.0),
        ((2.0, 1.0, np.inf, np.inf, -1.0, -2.0), np.inf, 5.0),
        ((np.inf,) * 6, np.nan, np.nan),
    ],
)
def test_a_border_beyond_the_runs_or_in_a_gap_is_none(lead: tuple[float, ...], border: float, kept: float) -> None:
    losses = pair(*lead)
    at = borders(losses, GRID)
    assert at[0, 0] == pytest.approx(border, nan_ok=True)
    assert kept_within(at, losses, GRID)[0, 0] == pytest.approx(kept, nan_ok=True)


def test_sizes_in_unequal_steps_do_not_pull_a_middle_to_the_wider_one() -> None:
    """Of a power law, where each border is the best budget of the size halfway, each middle is that of its size."""
    sizes = np.array([1e7, 3e7, 2e8, 2.5e8, 4e9])
    log_params = np.log(sizes)
    at = 0.5 * (log_params[1:] + log_params[:-1]) / 0.45 + 3.0
    assert middles(at[None], sizes)[0] == pytest.approx(log_params[1:-1] / 0.45 + 3.0, rel=1e-12)


def test_a_size_that_its_neighbours_pass_without_holds_nothing() -> None:
    """It is the lowest somewhere, but by a dip alone."""
    grid = np.linspace(0.0, 8.0, 81)
    losses = parabolas([1.0, 4.0, 7.0], grid, lift=[0.0, 10.0, 0.0])
    assert holders(losses, grid).tolist() == [0, 2]
    losses[0, 1, 60] = -1.0
    assert losses[0].argmin(axis=0)[60] == 1
    assert holders(losses, grid).tolist() == [0, 2]


def test_of_two_sizes_in_the_wrong_order_the_worse_goes() -> None:
    grid = np.linspace(0.0, 10.0, 101)
    losses = parabolas([1.0, 3.0, 5.0, 7.0, 9.0], grid, lift=[0.0, 2.0, 0.0, 9.0, 0.0])
    losses[0, [1, 3], [20, 80]] = -1.0
    assert holders(losses, grid).tolist() == [0, 1, 2, 4]
