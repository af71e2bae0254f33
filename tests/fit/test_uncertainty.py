"""Standard errors and intervals: of every coefficient, from one source, and as small as the noise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit.fits import Fit, far_ends
from scaling_cli.fit.forms import Form, formula_form, settle
from scaling_cli.fit.uncertainty import analytic, calibrated, widened

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]


@pytest.mark.parametrize("noise", [1e-3, 1e-4, 1e-5])
def test_huber_is_as_sure_as_squares_where_all_runs_lie_inside_delta(
    noise: float, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    """The sandwich of White 1980 and s^2 (J'J)^-1 then estimate one covariance: within the noise of 60 runs."""
    errors = []
    for name in ("huber-log", "ls-log"):
        found = fit(chinchilla, runs(60, noise), name, delta=10.0 * noise)
        errors.append(np.sqrt(np.diagonal(analytic(found.problem, found.objective, found.point, np.ones(60)))))
    assert errors[0] == pytest.approx(errors[1], rel=0.5)


@pytest.mark.parametrize(("share", "density"), [(0.5, 0.398942), (0.1, 0.175498), (0.9, 0.175498)])
def test_a_quantile_is_as_sure_as_its_density(share: float, density: float, fit: Solve) -> None:
    """A quantile q of n normal numbers has variance q (1 - q) / (n density**2), by the density at the quantile."""
    rng = np.random.default_rng(0)
    columns = {"x": rng.uniform(-1.0, 1.0, 4000), "L": rng.standard_normal(4000)}
    line = formula_form("a + b * x", ["x"], positive=None, target="L")
    found = fit(line, columns, "lad", quantile=share)
    variance = analytic(found.problem, found.objective, found.point, np.ones(4000))[0, 0]
    assert variance**0.5 == pytest.approx((share * (1.0 - share) / 4000) ** 0.5 / density, rel=0.12)


@pytest.mark.parametrize("draws", [0, 200])
def test_a_tied_coefficient_is_as_sure_as_what_it_is_tied_to(
    draws: int, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    found = fit(settle(chinchilla, {"alpha": "0.7 - beta", "E": "1.82"}, {}), runs(), draws=draws)
    at = {name: found.names.index(name) for name in ("alpha", "beta", "E")}
    errors, low, high = found.spread.errors, found.spread.low, found.spread.high
    assert errors[at["alpha"]] == pytest.approx(errors[at["beta"]], rel=1e-9)
    assert low[at["alpha"]] == pytest.approx(0.7 - high[at["beta"]], rel=1e-12)
    assert high[at["alpha"]] == pytest.approx(0.7 - low[at["beta"]], rel=1e-12)
    assert (errors[at["E"]], low[at["E"]], high[at["E"]]) == (0.0, 1.82, 1.82)


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "lad-log"])
def test_one_fit_has_one_interval(name: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """What is printed of a coefficient is what its saved refits say."""
    found = fit(chinchilla, runs(), name, draws=200)
    ends = np.quantile(found.draws, [0.05, 0.95], axis=0)
    assert ends == pytest.approx(np.array([found.spread.low, found.spread.high]), rel=1e-12)
    assert found.spread.errors == pytest.approx(found.draws.std(axis=0, ddof=1), rel=1e-9)


@pytest.mark.parametrize("name", ["ls", "ls-log", "huber-log"])
def test_groups_and_the_kind_of_refits_count_for_every_objective(
    name: str, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    columns = runs()
    ways: list[dict[str, Any]] = [{}, {"bootstrap": "wild"}, {"groups": np.arange(40) // 4}]
    widths = [fit(chinchilla, columns, name, draws=200, **way).spread for way in ways]
    assert len({tuple(spread.high - spread.low) for spread in widths}) == len(ways)


def test_plain_squares_keep_the_errors_of_the_textbook(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """NIST's certified standard errors are s^2 (J'J)^-1, refits or not."""
    columns = runs()
    without, beside = (fit(chinchilla, columns, "ls", draws=draws).spread for draws in (0, 200))
    assert np.array_equal(without.errors, beside.errors)


def test_groups_of_one_run_are_no_groups(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    columns = runs()
    alone, grouped = (fit(chinchilla, columns, draws=200, groups=groups) for groups in (None, np.arange(40)))
    assert np.array_equal(alone.draws, grouped.draws)


def test_few_groups_have_few_degrees_of_freedom(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Student's 95 % quantile over the normal's: 2.353363 with three degrees of freedom, of four groups."""
    found = fit(chinchilla, runs(45), "ls-log")
    cloud = found.point.inner[None] + 1.0
    factor = 2.353363 / 1.644854
    away = calibrated(found.point, cloud, 45, found.objective, groups=4) - found.point.inner
    assert away == pytest.approx(factor * np.ones((1, 5)), rel=1e-5)
    away = widened(found.point, cloud, 45, groups=4) - found.point.inner
    assert away == pytest.approx(np.sqrt(45 / 40) * factor * np.ones((1, 5)), rel=1e-5)


def test_a_floor_near_zero_has_an_interval_on_its_own_scale(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Losses are linear in it: the ends are Student's, and the lower one stops at zero."""
    columns = runs(30, noise=0.02)
    columns["L"] = columns["L"] - 1.6
    found = fit(chinchilla, columns, "ls-log")
    place, student = found.names.index("E"), 1.708141  # 95 % quantile of Student's t, 25 degrees of freedom
    value, error = found.values[place], found.spread.errors[place]
    assert found.spread.high[place] == pytest.approx(value + student * error, rel=1e-6)
    assert found.spread.low[place] == pytest.approx(max(value - student * error, 0.0), rel=1e-6)
    place = found.names.index("A")
    value, error = found.values[place], found.spread.errors[place]
    assert found.spread.high[place] == pytest.approx(value * np.exp(student * error / value), rel=1e-6)


def test_intervals_of_a_small_floor_hold_what_they_say(fit: Solve, chinchilla: Form) -> None:
    """Fits that end above zero; by logarithms 84 in 100 intervals held the truth, from 2e-5 to far above every loss."""
    params, tokens = (grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 5e9, 6), np.geomspace(2e9, 2e11, 6)))
    level = 0.05 + 40.0 / params**0.15 + 30.0 / tokens**0.15
    held = []
    for seed in range(40):
        loss = level + 0.0125 * np.random.default_rng(seed).standard_normal(36)
        found = fit(chinchilla, {"N": params, "D": tokens, "L": loss}, "ls")
        if not found.point.vanished.any():
            place = found.names.index("E")
            low, high = found.spread.low[place], found.spread.high[place]
            assert high < loss.min()
            held.append(low <= 0.05 <= high)
    assert len(held) > 15
    assert np.mean(held) >= 0.88


def test_refits_that_run_away_are_noted(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    found = fit(chinchilla, runs(), draws=40)
    spread = found.spread._replace(high=np.where(np.array(found.names) == "B", 1e16, found.spread.high))
    (note,) = far_ends(found.names, found.values, spread, found.point)
    assert note.startswith("resampled runs do not determine B: the 90 % interval goes beyond 1e+06 times")
    assert list(far_ends(found.names, found.values, found.spread, found.point)) == []


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "ls"])
def test_without_refits_groups_count_too(name: str, fit: Solve) -> None:
    """Groups of runs that share an offset: few numbers behind many runs, as refits by group show."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(12), 8)
    columns = {"x": rng.uniform(0.0, 1.0, 12)[groups], "L": np.zeros(96)}
    offset = 0.02 * rng.standard_normal(12)[groups] + 0.002 * rng.standard_normal(96)
    columns["L"] = (2.0 + columns["x"]) * np.exp(offset)
    line = formula_form("k + c * x", ["x"], positive=None, target="L")
    alone, grouped, refitted = (
        fit(line, columns, name, **more).spread.errors
        for more in ({}, {"groups": groups}, {"groups": groups, "draws": 400})
    )
    assert (grouped > 1.8 * alone).all()
    assert grouped == pytest.approx(refitted, rel=0.35)


def test_groups_of_one_run_are_runs(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """The sandwich of each run's own score, but for the factor n / (n - 1) of so many groups."""
    found = fit(chinchilla, runs(60))
    asked = (found.problem, found.objective, found.point, np.ones(60))
    assert analytic(*asked, np.arange(60)) == pytest.approx(60.0 / 59.0 * analytic(*asked), rel=1e-9)
