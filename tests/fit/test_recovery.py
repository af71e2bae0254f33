"""Runs without noise give the law behind them back, to nine digits, from starts that are not it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.formulas import compile_tree, names_in
from scaling_cli.files.catalogue import load_all, load_law
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import Form, formula_form, preset_form, settle
from scaling_cli.fit.optima import ENOUGH_RUNS

Solve = Callable[..., Fit]
DIGITS = 1e-9
PRESETS = [
    "hoffmann-2022-approach-3-rounded", "besiroglu-2024", "kaplan-2020", "busbridge-2025", "gadre-2024-c4",
    "krajewski-2024-dense",
]  # fmt: skip
UNDETERMINED = {
    ("kumar-2024", "loss"): "one precision for weights, activations and cache alike",
    ("krajewski-2024", "loss_from_active_params"): "only the product of ffn and aspect counts",
    ("busbridge-2025", "student_loss"): "needs the loss of a teacher",
}
FORMULAS = {  # without and with a floor; a power law of the budget; tied exponents; a saturating curve
    "a * N**-b": {"a": 12.0, "b": 0.09},
    "E + a * N**-b": {"E": 1.7, "a": 30.0, "b": 0.21},
    "E + (Cc / C)**aC": {"E": 1.5, "Cc": 3e8, "aC": 0.05},
    "E + A / N**alpha + B / D**alpha": {"E": 1.8, "A": 400.0, "alpha": 0.35, "B": 1500.0},
}


def scattered(count: int = 40) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    params, tokens = 10.0 ** rng.uniform(7.5, 10.0, count), 10.0 ** rng.uniform(9.0, 11.5, count)
    unique = tokens / np.maximum(1.0, 10.0 ** rng.uniform(-0.5, 1.5, count))
    return {"N": params, "D": tokens, "C": 6.0 * params * tokens, "U": unique}


def moved(form: Form) -> dict[str, float]:
    """Return coefficients up to a tenth off the form's starts."""
    return {c.name: c.start * (1.0 + 0.1 * np.sin(7.0 * i + 1.0)) for i, c in enumerate(form.free)}


def assert_recovered(form: Form, truth: dict[str, float], name: str, fit: Solve) -> None:
    columns = {key: values for key, values in scattered().items() if key in names_in(form.tree)}
    loss = compile_tree(form.tree)({**columns, **truth})
    found = fit(form, {**columns, "L": loss}, name)
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(truth, rel=DIGITS)
    assert found.certificate.converged


@pytest.mark.parametrize("name", ["huber-log", "ls"])
@pytest.mark.parametrize("law", PRESETS)
def test_preset_forms(law: str, name: str, fit: Solve) -> None:
    form = preset_form(load_law(law), ["N", "D"])
    assert_recovered(form, moved(form), name, fit)


def loss_forms() -> list[tuple[str, str]]:
    """Return every relation of a shipped law that gives its loss."""
    found = [(law.id, name) for law in load_all() for name, r in law.relations.items() if "loss" in (name, r.gives)]
    return [pair for pair in found if pair not in UNDETERMINED]


def columns_of(names: list[str]) -> dict[str, Any]:
    """Return scattered runs with any further variable: experts and the like as small powers of two."""
    rng = np.random.default_rng(3)
    known = scattered(240) | {"sparsity": rng.choice([0.0, 0.5, 0.75, 0.9], 240)}
    return {name: known.get(name, 2.0 ** rng.integers(0, 7, 240)) for name in names}


@pytest.mark.parametrize(("law", "relation"), loss_forms())
def test_every_loss_form_of_the_presets(law: str, relation: str, fit: Solve) -> None:
    preset = load_law(law)
    if any(value is None for value in {**preset.coefficients, **preset.relations[relation].coefficients}.values()):
        pytest.skip("a form without constants has no truth to recover")
    form = preset_form(preset, ["N", "D", "C", "U", *preset.variables], relation=relation)
    truth = moved(form)
    columns = columns_of([name for name in names_in(form.tree) if name not in truth])
    loss = np.broadcast_to(compile_tree(form.tree)({**columns, **truth}), (240,))
    found = fit(form, {**columns, "L": loss}, "ls")
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(truth, rel=DIGITS)


def test_repeated_data_with_unique_tokens(fit: Solve) -> None:
    form = preset_form(load_law("muennighoff-2023"), ["N", "D", "U"])
    assert "U" in names_in(form.tree)
    assert_recovered(form, moved(form), "huber-log", fit)


@pytest.mark.parametrize("name", ["huber-log", "ls"])
@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text: str, name: str, fit: Solve) -> None:
    form = formula_form(text, ["N", "D", "C"], positive=[], target="loss")
    assert_recovered(form, FORMULAS[text], name, fit)


def test_more_runs_than_the_search_from_afar_looks_at(fit: Solve) -> None:
    form = formula_form("E + A / N**alpha + B / D**beta", ["N", "D"], positive=[], target="loss")
    truth = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1500.0, "beta": 0.37}
    columns = {name: scattered(ENOUGH_RUNS + 500)[name] for name in "ND"}
    loss = compile_tree(form.tree)({**columns, **truth})
    found = fit(form, {**columns, "L": loss}, weights=(np.arange(loss.size) % 5 > 0).astype(float))
    assert dict(zip(found.names, found.values, strict=True)) == pytest.approx(truth, rel=DIGITS)
    assert found.certificate.starts_agreeing >= 8


def test_absolute_values_of_nothing(fit: Solve) -> None:
    text = "E + a * N**-b"
    assert_recovered(formula_form(text, ["N"], positive=[], target="loss"), FORMULAS[text], "lad-log", fit)


def test_a_coefficient_published_below_zero_stays_free() -> None:
    law = load_law("abnar-2025")
    (negative,) = [c for c in preset_form(law, ["N", "D"]).free if c.start < 0.0]
    assert not negative.positive


@pytest.mark.parametrize("start", [{"b1": -2000.0, "b2": 50.0, "b3": 0.8}, {"b1": -1500.0, "b2": 45.0, "b3": 0.85}])
def test_a_long_bent_valley_is_followed_to_its_end(start: dict[str, float], fit: Callable[..., Fit]) -> None:
    """NIST's Bennett5 in form and starts, on simulated runs: b1 and b2 nearly make up for each other."""
    x = np.linspace(7.5, 11.6, 154)
    noise = 2e-3 * np.sin(np.arange(154.0) ** 2)
    y = -2523.5 * (46.737 + x) ** (-1.0 / 0.93218) + noise
    form = formula_form("b1 * (b2 + x)**(-1 / b3)", ["x"], positive=None, target="L")
    found = fit(settle(form, {}, start), {"x": x, "L": y}, "ls")
    assert found.certificate.converged
    other = fit(settle(form, {}, {"b1": -2523.5, "b2": 46.737, "b3": 0.93218}), {"x": x, "L": y}, "ls")
    assert found.values == pytest.approx(other.values, rel=1e-7)
