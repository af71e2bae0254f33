"""Sums over runs in blocks: the same as all at once, with no array of runs by coefficients ever whole."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.fit import optima
from scaling_cli.fit import slopes as module
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.problems import TARGET, Problem
from scaling_cli.fit.slopes import Cost, Slopes, bend_slope, slopes

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
BATCH = 6


@pytest.fixture
def near(runs: Runs, chinchilla: Form) -> Callable[[int], tuple[Problem, Cost, Any]]:
    """Return a problem of so many runs, with a target and weights for each of a batch of fits, and points near it."""

    def make(count: int) -> tuple[Problem, Cost, Any]:
        columns, rng = runs(count), np.random.default_rng(1)
        data = {name: columns[name] for name in "ND"}
        problem = Problem(chinchilla.tree, chinchilla.free, data, target=columns["L"], log=True)
        targets = problem.data[TARGET] + 0.01 * rng.standard_normal((BATCH, count))
        weights = rng.integers(0, 3, (BATCH, count)).astype(float)
        inner = problem.inner(np.array([1.82, 482.0, 2085.0, 0.348, 0.366])) + 0.01 * rng.standard_normal((BATCH, 5))
        return problem.with_targets(targets), Cost(objective("huber-log"), weights, 0.01), inner

    return make


def exact_of(kind: str, problem: Problem, inner: Any) -> Any:
    """Return second derivatives as slopes takes them: none, those in place, or fixed ones of the first fit."""
    return {"none": False, "in place": True}[kind] if kind != "fixed" else problem.curvature(inner[:1])[0]


@pytest.mark.parametrize("kind", ["none", "in place", "fixed"])
def test_blocks_of_runs_add_up_to_the_whole(kind: str, near: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, cost, inner = near(50)
    exact = exact_of(kind, problem, inner)

    def both() -> tuple[Slopes, Any]:
        return slopes(problem, cost, inner, exact=exact), bend_slope(problem, cost, inner, 0.1 * inner)

    (whole, bend) = both()
    monkeypatch.setattr(module, "BLOCK", 7)
    (parts, bend_in_parts) = both()
    for name, one, other in zip(Slopes._fields, whole, parts, strict=True):
        assert other == pytest.approx(one, rel=1e-11, abs=1e-11), name
    assert bend_in_parts == pytest.approx(bend, rel=1e-9)


@pytest.mark.parametrize("kind", ["none", "in place", "fixed"])
def test_a_fit_has_the_same_slopes_to_the_last_bit_whatever_else_is_in_the_batch(kind: str, near: Any) -> None:
    problem, cost, inner = near(50)
    exact = exact_of(kind, problem, inner)
    together = slopes(problem, cost, inner, exact=exact)
    for i in range(BATCH):
        one = np.array([i])
        alone = slopes(problem.part(one), cost.part(one), inner[one], exact=exact)
        assert all(np.array_equal(value[one], mine) for value, mine in zip(together, alone, strict=True))


@pytest.mark.parametrize("exact", [False, True])
def test_no_array_of_many_runs_by_coefficients_is_made_whole(exact: bool, runs: Runs, chinchilla: Form) -> None:
    columns, count = runs(200_000), 200_000
    data = {name: columns[name] for name in "ND"}
    problem = Problem(chinchilla.tree, chinchilla.free, data, target=columns["L"], log=True)
    cost = Cost(objective("huber-log"), np.ones(count), 1e-3)
    tracemalloc.start()
    slopes(problem, cost, problem.starts[None], exact=exact)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * 5 * 8


@pytest.mark.parametrize("name", ["huber-log", "ls-log", "lad-log"])
def test_narrowing_on_some_of_the_runs_ends_at_the_optimum_of_all(
    name: str, runs: Runs, fit: Solve, chinchilla: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = runs(3000)
    whole = fit(chinchilla, columns, name)
    monkeypatch.setattr(optima, "MANY_RUNS", 300)
    found = fit(chinchilla, columns, name)
    assert found.value == pytest.approx(whole.value, rel=1e-12)
    assert found.values == pytest.approx(whole.values, rel=1e-9)
    assert found.certificate.converged
    assert found.certificate.starts_agreeing == whole.certificate.starts_agreeing > 1
