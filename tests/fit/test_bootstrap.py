"""Refits: the same for the same seed, spread as they should be, and honest about noise that comes in groups."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.formulas import compile_tree
from scaling_cli.errors import InputError
from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.bootstrap import bootstrap
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, preset_form
from scaling_cli.fit.optima import fit_point
from scaling_cli.fitting import Request, fit_runs

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
BESIROGLU = {"E": 0.0259, "A": 124.58, "B": 1293.23, "alpha": 0.0154, "beta": 0.0206}  # arXiv:2404.10102, table 1
LINE = ("a + b * x", ["x"])


def line(count: int, groups: int, seed: int = 0) -> dict[str, Any]:
    """Return a line with noise that all runs of a group share."""
    rng = np.random.default_rng(seed)
    x = np.tile(np.linspace(0.0, 1.0, groups), count // groups)
    return {"x": x, "L": 1.0 + 2.0 * x + np.tile(0.1 * rng.standard_normal(groups), count // groups)}


@pytest.mark.parametrize("bootstrap", ["pairs", "wild"])
def test_the_same_seed_gives_the_same_bytes(bootstrap: str, runs: Runs, fit: Solve, chinchilla: Form) -> None:
    one, same, other = (fit(chinchilla, runs(), draws=150, seed=seed, bootstrap=bootstrap).draws for seed in (7, 7, 8))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()
    assert one.shape == (150, 5)


@pytest.mark.parametrize(("name", "errors"), [("huber-log", 0.01), ("ls-log", 0.01), ("lad-log", 0.05)])
def test_a_refit_is_the_fit_with_each_run_as_often_as_drawn(
    name: str, errors: float, runs: Runs, fit: Solve, chinchilla: Form
) -> None:
    columns = runs(100)
    found = fit(chinchilla, columns, name)
    draws = bootstrap(found.problem, found.objective, found.point, np.ones(100), draws=24, seed=3).inner
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(1)[0])
    counts = rng.multinomial(100, np.full(100, 0.01), size=24)
    spread = draws.std(axis=0)
    for drawn, times in zip(draws, counts, strict=True):
        alone = fit(chinchilla, columns, name, weights=times.astype(float))
        assert (np.abs(drawn - alone.point.inner) <= errors * spread).all()


def test_refits_of_what_runs_hardly_determine_arrive(runs: Runs, fit: Solve) -> None:
    """krajewski-2024 with granularity: in its flat valley a third of the refits once stopped on the way."""
    columns = runs(240)
    columns["granularity"] = 2.0 ** np.random.default_rng(1).integers(0, 5, 240)
    form = preset_form(load_law("krajewski-2024"), list(columns))
    data = {name: columns[name] for name in ("N", "D", "granularity")}
    curve = compile_tree(form.tree)({**data, **{c.name: c.start for c in form.free}})
    target = curve * np.exp(0.01 * np.random.default_rng(2).standard_normal(240))
    above = excesses(fit(form, {**data, "L": target}), 32)
    assert (above > 5e-4).sum() <= 1  # where a coefficient vanishes, the way has no end


def excesses(found: Fit, draws: int) -> Any:
    """Return how far above the optimum of its own draw each refit ends, relative to it, (draws,)."""
    size, weights = found.problem.size, found.sample.weights
    inner = bootstrap(found.problem, found.objective, found.point, weights, draws=draws, seed=3).inner
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(1)[0])
    counts = rng.multinomial(size, np.full(size, 1.0 / size), size=draws) * weights
    reached = found.objective.value(found.problem.residuals(inner), counts)
    alone = [
        fit_point(found.problem, found.form.tree, found.objective, times, seed=0, starts=8).objective
        for times in counts
    ]
    return reached / np.array(alone) - 1.0


@pytest.mark.parametrize("name", ["huber-log", "ls-log"])
def test_refits_of_a_fit_that_ends_at_zero_arrive(name: str, fit: Solve, chinchilla: Form) -> None:
    """Of a law without a floor: where the fit has none, refits may have one, far along the valley."""
    sizes = np.meshgrid(np.geomspace(5e7, 5e9, 6), np.geomspace(2e9, 2e11, 6), indexing="ij")
    params, tokens = (side.ravel() for side in sizes)
    loss = (40.0 / params**0.15 + 30.0 / tokens**0.15) * np.exp(0.005 * np.random.default_rng(2).standard_normal(36))
    found = fit(chinchilla, {"N": params, "D": tokens, "L": loss}, name, draws=400)
    place = found.names.index("E")
    assert found.point.vanished[place]
    assert (excesses(found, 24) < 1e-3).all()
    assert found.spread.low[place] < 1e-3 < 0.1 < found.spread.high[place]


def test_refits_of_few_runs_arrive(published: Callable[..., Any], fit: Solve) -> None:
    """Of the 16 runs of OLMo's ladder, more than half once stopped 1 % above their optimum or more."""
    rows = published("olmo_ladder.csv")
    columns = {"N": "params", "D": "tokens", "L": "loss"}
    data = {key: np.array([float(row[column]) for row in rows]) for key, column in columns.items()}
    above = excesses(fit(preset_form(load_law(DEFAULT_FORM), ["N", "D"]), data), 32)
    assert (above > 1e-2).sum() <= 1


def test_a_note_says_how_many_refits_stopped_on_the_way(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """At a break without a width, as the runs of two straight lines have it, refits find no way to another place."""
    x = np.geomspace(1.0, 100.0, 40)
    kinked = (3.0 * x**-0.3 * np.maximum(1.0, x / 9.0) ** -0.4) * np.exp(
        0.002 * np.random.default_rng(5).standard_normal(40)
    )
    notes = fit(preset_form(load_law("caballero-2022"), ["x"]), {"x": x, "L": kinked}, draws=200).notes
    assert any("of 200 refits stopped on the way" in note for note in notes)
    for noise in (0.01, 0.0):  # without noise a refit has no slope to lose
        assert not any("stopped on the way" in note for note in fit(chinchilla, runs(100, noise), draws=200).notes)


def test_a_refit_of_the_same_runs_is_the_fit(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    """Of two groups, half of the draws are both, once each."""
    groups = np.arange(40) % 2
    found = fit(chinchilla, runs(), groups=groups)
    draws = bootstrap(found.problem, found.objective, found.point, np.ones(40), draws=64, seed=0, groups=groups).inner
    same = np.isclose(draws, found.point.inner, rtol=1e-9).all(axis=1)
    assert 16 <= same.sum() <= 48


def test_more_draws_begin_with_the_same_ones(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    few, many = (fit(chinchilla, runs(), draws=draws).draws for draws in (64, 200))
    assert np.array_equal(many[:64], few)


def test_published_standard_errors_of_the_chinchilla_fit(data_file: Callable[[str], str]) -> None:
    """4000 draws come within 15 %; 600, which a test can afford, within 20 %."""
    path = data_file("chinchilla_epoch.csv")
    fit = fit_runs(Request(path, where="in_published_fit == 1", draws=600)).fit
    errors = dict(zip(fit.names, map(float, fit.spread.errors), strict=True))
    assert errors == pytest.approx(BESIROGLU, rel=0.2)


@pytest.mark.parametrize("bootstrap", ["pairs", "wild"])
def test_draws_of_squares_spread_as_theory_says(bootstrap: str, fit: Solve) -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 200)
    form = formula_form(*LINE, positive=None, target="loss")
    found = fit(
        form, {"x": x, "L": 1.0 + 2.0 * x + 0.1 * rng.standard_normal(200)}, "ls", draws=800, bootstrap=bootstrap
    )
    assert found.draws.std(axis=0) == pytest.approx(found.spread.errors, rel=0.15)
    assert found.draws.mean(axis=0) == pytest.approx(found.values, abs=0.2 * float(found.spread.errors.min()))


@pytest.mark.parametrize("bootstrap", ["pairs", "wild"])
def test_copies_in_a_group_add_no_certainty(bootstrap: str, fit: Solve) -> None:
    form = formula_form(*LINE, positive=None, target="loss")
    options: dict[str, Any] = {"draws": 400, "bootstrap": bootstrap}
    columns = line(200, groups=40)
    alone = fit(form, columns, "ls", **options).draws.std(axis=0)
    together = fit(form, columns, "ls", groups=np.tile(np.arange(40), 5), **options).draws.std(axis=0)
    assert together / alone == pytest.approx(np.full(2, np.sqrt(5.0)), rel=0.25)


def test_progress_counts_every_refit(runs: Runs) -> None:
    from scaling_cli.fit.fits import Options, fit_form
    from scaling_cli.fit.objectives import objective
    from scaling_cli.fit.samples import sample_of

    done: list[int] = []
    columns = runs(24)
    form = formula_form("E + A / N**alpha", ["N"], positive=[], target="loss")
    options = Options(objective("ls-log"), 150, progress=done.append)
    fit_form(form, sample_of({"N": columns["N"]}, columns["L"]), options)
    assert sum(done) == 150


def test_an_unknown_kind_is_refused(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    with pytest.raises(InputError):
        fit(chinchilla, runs(), draws=10, bootstrap="jackknife")


def test_intervals_lie_around_the_estimate(runs: Runs, fit: Solve, chinchilla: Form) -> None:
    for name in ("huber-log", "ls-log", "ls"):
        found = fit(chinchilla, runs(), name, draws=200)
        assert (found.spread.low < found.values).all()
        assert (found.values < found.spread.high).all()
        assert (found.spread.errors > 0.0).all()
