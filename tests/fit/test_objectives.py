"""What an objective is worth: its value, its slopes, and what it refuses."""

import numpy as np
import pytest

from scaling_cli.errors import InputError
from scaling_cli.fit.objectives import NAMES, Objective, objective

RESIDUALS = np.array([-0.4, -1e-3, -1e-4, 0.0, 5e-4, 0.2])
ONES = np.ones(RESIDUALS.size)


def test_huber_is_the_sum_of_the_paper() -> None:
    delta = 1e-3
    size = np.abs(RESIDUALS)
    by_hand = sum(0.5 * r * r if r <= delta else delta * (r - 0.5 * delta) for r in size)
    assert float(objective("huber-log").value(RESIDUALS, ONES)) == pytest.approx(by_hand, rel=1e-15)


def test_squares_and_absolute_values_are_plain_sums() -> None:
    for name in ("ls", "ls-log"):
        assert float(objective(name).value(RESIDUALS, ONES)) == pytest.approx((RESIDUALS**2).sum(), rel=1e-15)
    for name in ("lad", "lad-log"):
        assert float(objective(name).value(RESIDUALS, ONES)) == pytest.approx(np.abs(RESIDUALS).sum(), rel=1e-15)


def test_weights_count_runs() -> None:
    for name in NAMES:
        aim = objective(name)
        twice = np.concatenate([RESIDUALS, RESIDUALS[:2]])
        weights = ONES + (np.arange(ONES.size) < 2)
        assert aim.value(RESIDUALS, weights) == pytest.approx(aim.value(twice, np.ones(twice.size)), rel=1e-14)


def test_a_quantile_charges_either_side_by_its_share() -> None:
    aim = objective("lad", quantile=0.1)
    above, below = (float(aim.value(np.array([r]), np.ones(1))) for r in (1.0, -1.0))
    assert above / below == pytest.approx(9.0)
    assert not aim.log
    assert objective("huber-log", quantile=0.1).log


@pytest.mark.parametrize("aim", [objective(name) for name in NAMES] + [objective("lad", quantile=0.2)])
def test_slopes_are_those_of_central_differences(aim: Objective) -> None:
    at = np.array([-0.31, -2e-4, 3e-4, 0.12])
    delta = aim.thresholds(0.05)[-1]
    step = 1e-9
    rho = [aim.rho(at + s, delta)[0] for s in (step, -step)]
    assert aim.rho(at, delta)[1] == pytest.approx((rho[0] - rho[1]) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("aim", [objective(name) for name in NAMES])
def test_thresholds_come_down_to_the_own_one(aim: Objective) -> None:
    steps = aim.thresholds(0.1)
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == (aim.delta if aim.delta > 0.0 else pytest.approx(1e-8))


@pytest.mark.parametrize(
    ("name", "delta", "quantile", "said"),
    [
        ("huber", 1e-3, None, "huber-log"),
        ("x" * 500, 1e-3, None, "expected one of"),
        ("huber-log", 0.0, None, "--delta"),
        ("huber-log", float("nan"), None, "--delta"),
        ("lad", 1e-3, 0.0, "--quantile"),
        ("lad", 1e-3, 1.0, "--quantile"),
        ("lad", 1e-3, float("nan"), "--quantile"),
    ],
)
def test_what_is_no_objective_is_refused(name: str, delta: float, quantile: float | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        objective(name, delta, quantile)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200
