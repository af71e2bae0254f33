"""Forms: which relation of a law is meant, and formulas whose names are columns beyond params, tokens and flops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Law, Relation
from scaling_cli.core.plans import Planner
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import law_ids, load_law
from scaling_cli.fit.fits import Fit
from scaling_cli.fit.forms import alone, formula_form, law_and_relation, losses_of, opposed, preset_form, settle
from scaling_cli.fit.holdouts import HoldOut
from scaling_cli.fit.predictions import exponents, predict, setting_notes
from scaling_cli.fitting import Request, fit_runs
from scaling_cli.fitting.candidates import distinct_forms

Runs = Callable[..., dict[str, Any]]
Solve = Callable[..., Fit]
KEPT = "in_published_fit == 1"
LETTERS = ["N", "D", "C", "L"]
APPROACH_3 = "hoffmann-2022-approach-3-rounded"
EPOCHS = "E + A / N**alpha + B / D**beta + k * epochs"
LOSS = "E + A / N**alpha + B / D**beta"


# which relation


@pytest.mark.parametrize(
    ("law", "relation"),
    [
        ("kaplan-2020", "loss"), ("henighan-2020-im2text-image", "loss_unlimited_tokens"),
        ("hoffmann-2022-approach-3-rounded", "loss"),
    ],
)  # fmt: skip
def test_a_law_is_meant_by_its_only_loss(law: str, relation: str) -> None:
    assert preset_form(load_law(law), LETTERS).relation == relation


def test_every_loss_that_a_comparison_names_can_be_asked_for() -> None:
    columns = [*LETTERS, "U", "x", "P"]
    for form in distinct_forms(columns):
        law, relation = law_and_relation(form.name)
        again = preset_form(load_law(law), columns, relation=relation)
        assert (again.name, again.relation) == (form.name, form.relation)


def test_several_losses_are_listed() -> None:
    law = load_law("kaplan-2020")
    kept = {name: law.relations[name] for name in ("loss_unlimited_tokens", "loss_unlimited_params")}
    with pytest.raises(InputError) as caught:
        preset_form(law._replace(relations=kept), LETTERS)
    assert "kaplan-2020 has 2 losses" in str(caught.value)
    assert "--form 'kaplan-2020 loss_unlimited_params'" in "".join(caught.value.hints)


def test_a_law_without_a_loss_lists_its_relations() -> None:
    law = next(law for law in map(load_law, law_ids()) if not losses_of(law))
    with pytest.raises(InputError) as caught:
        preset_form(law, LETTERS)
    assert all(name in "".join(caught.value.hints) for name in law.relations)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chinchilla", ("chinchilla", "")), ("kaplan-2020 loss", ("kaplan-2020", "loss")),
        ("my runs/a law.yaml", ("my runs/a law.yaml", "")), (" chinchilla ", ("chinchilla", "")),
        ("my law.yaml optimal_loss", ("my law.yaml", "optimal_loss")),
    ],
)  # fmt: skip
def test_a_form_is_a_law_and_perhaps_a_relation(text: str, expected: tuple[str, str]) -> None:
    assert law_and_relation(text) == expected


# other columns


def repeated(runs: Runs) -> dict[str, Any]:
    """Return runs with a column of epochs, of which each costs 0.01."""
    columns = runs()
    columns["epochs"] = np.random.default_rng(1).integers(1, 9, columns["L"].size).astype(float)
    columns["L"] = columns["L"] + 0.01 * columns["epochs"]
    return columns


@pytest.fixture
def epochs(runs: Runs, fit: Solve) -> Fit:
    """Return a fit of a law in which another column has a part."""
    form = formula_form(EPOCHS, [*LETTERS, "params", "epochs"], positive=[], target="loss")
    return fit(form, repeated(runs))


def loss_of(law: Law, **settings: float) -> float | None:
    return Planner(law, settings).plan({"params": 1e9, "tokens": 2e10}).loss


def test_a_column_is_a_variable_of_the_fitted_law(epochs: Fit) -> None:
    assert epochs.law.variables["epochs"].default is None
    values = dict(zip(epochs.names, epochs.values, strict=True))
    one, four = loss_of(epochs.law, epochs=1.0), loss_of(epochs.law, epochs=4.0)
    assert one is not None
    assert four is not None
    assert four - one == pytest.approx(3.0 * values["k"])


def test_a_variable_without_a_value_leaves_predictions_out_and_says_so(epochs: Fit) -> None:
    assert exponents(epochs, 1e21) == []
    assert predict(epochs, [1e22], HoldOut(), seed=0) == []
    (note,) = setting_notes(epochs)
    assert "epochs has no value" in note
    assert "--set epochs=" in note


def test_a_form_of_other_columns_alone_has_no_optimum(runs: Runs, fit: Solve) -> None:
    columns = {name: values for name, values in repeated(runs).items() if name in ("epochs", "D", "L")}
    found = fit(formula_form("E + B / D**beta + k * epochs", ["D", "epochs"], positive=[], target="loss"), columns)
    assert setting_notes(found) == []
    with pytest.raises(NoAnswer, match="epochs"):
        predict(found, [1e22], HoldOut(), seed=0)


def test_a_default_stands_in_for_a_variable(runs: Runs, fit: Solve) -> None:
    """Muennighoff et al. 2023, arXiv:2305.16264: without U every token is unique."""
    columns = runs()
    columns["U"] = columns["D"] / np.random.default_rng(2).uniform(1.0, 20.0, columns["L"].size)
    law = load_law("muennighoff-2023")
    fixed = {name: repr(value) for _, name, value in law.constants() if name != "ln_E"}
    found = fit(settle(preset_form(law, [*LETTERS, "U"]), fixed, {}), columns)
    (at,) = predict(found, [1e22], HoldOut(), seed=0)
    assert at.loss == pytest.approx(Planner(found.law).plan({"flops": 1e22}).loss)
    assert at.plain_loss_low is not None
    assert at.plain_loss_low < at.loss
    (note,) = setting_notes(found)
    assert "U (unique tokens) at its default, D" in note


@pytest.mark.parametrize("other", ["k * epochs", "k * log(unique_tokens)"])
def test_published_runs_of_other_columns(other: str, data_file: Callable[[str], str]) -> None:
    asked = Request(data_file("datablations.csv"), formula=f"{LOSS} + {other}", where=KEPT, draws=0, at=(1e23,))
    answer = fit_runs(asked)
    assert (answer.exponents, answer.predictions) == ((), ())
    assert answer.fit.certificate.converged
    assert any("--set " in note for note in answer.fit.notes)


def test_a_saturation_without_end_is_refused(data_file: Callable[[str], str]) -> None:
    """With every constant free, these runs know no largest worth of params beyond what the unique tokens support."""
    asked = Request(data_file("datablations.csv"), form="muennighoff-2023", where=KEPT, draws=0)
    for columns in ({"U": "unique_tokens"}, {}):  # which the table calls so
        with pytest.raises(NoAnswer, match="do not determine R_N: the best value is beyond any") as caught:
            fit_runs(asked._replace(columns=columns))
        assert "--fix R_N=VALUE" in caught.value.hints[-1]
    with pytest.raises(NoAnswer) as caught:
        fit_runs(asked._replace(columns={"U": "tokens"}))  # as where nothing tells them apart
    assert "R_" in caught.value.message


def test_words_for_sizes_are_their_letters(runs: Runs, fit: Solve) -> None:
    words = formula_form("E + A / params**alpha + B / tokens**beta", [*LETTERS, "params", "tokens"],
                         positive=[], target="loss")  # fmt: skip
    assert words.tree == formula_form(LOSS, LETTERS, positive=[], target="loss").tree
    assert words.law.variables == {}
    assert exponents(fit(words, runs()), 1e21)


def test_a_longer_name_is_no_word_for_a_size() -> None:
    form = formula_form("E - k * exp(-g * loss_c4_val)", [*LETTERS, "loss", "loss_c4_val"], positive=None, target="err")
    assert list(form.law.variables) == ["loss_c4_val"]


# signs


@pytest.mark.parametrize(
    ("law", "relation", "free"),
    [
        ("hoffmann-2022", "", ["ln_E", "ln_A", "ln_B"]),
        ("hoffmann-2022-approach-3", "", ["ln_E", "ln_A", "ln_B"]),
        ("hoffmann-2022-approach-3-rounded", "", []),
        ("muennighoff-2023", "", ["ln_E", "ln_A", "ln_B"]),
        ("clark-2022-hash", "", ["a", "b", "d"]),  # c is published above zero; d is a term of the exponent of 10
        ("kumar-2024", "", ["n_w", "n_a", "n_kv"]),
        ("abnar-2025", "", ["lambda_s"]),
        ("ludziejewski-2025", "loss", ["alpha", "delta", "beta", "zeta"]),  # exponents of N, D and x: published signs
        ("kaplan-2020", "", []),
        ("busbridge-2025", "", []),
        ("gadre-2024-c4", "", []),
    ],
)
def test_the_logarithm_of_a_constant_keeps_no_sign(law: str, relation: str, free: list[str]) -> None:
    preset = load_law(law)
    form = preset_form(preset, [*LETTERS, *preset.variables], relation=relation)
    assert [coefficient.name for coefficient in form.free if not coefficient.positive] == free


@pytest.mark.parametrize(
    "sign", ["exp(k + p * log(N)) + E", "E + exp(-(1 - k) - p * log(N))", "E + 2**(p * log(N) + k)"]
)
def test_terms_of_an_exponential_keep_no_sign_and_its_factors_do(sign: str) -> None:
    relation = Relation("loss", Formula(sign), {"E": 1.0, "k": 2.0, "p": 0.3})
    form = preset_form(Law("mine", {"loss": relation}), LETTERS)
    assert {c.name: c.positive for c in form.free} == {"E": True, "k": False, "p": True}


@pytest.mark.parametrize("text", ["E + exp(k) + A * k / N", "E + k * exp(A * N)", "E + A * N**k"])
def test_what_stands_elsewhere_too_keeps_its_sign(text: str) -> None:
    relation = Relation("loss", Formula(text), {"E": 1.0, "k": 2.0, "A": 0.3})
    assert all(c.positive for c in preset_form(Law("mine", {"loss": relation}), LETTERS).free if c.name in text)


def test_a_floor_below_one_has_a_negative_logarithm(runs: Runs, fit: Solve) -> None:
    """Losses in bits per byte: the same optimum as of the form that has the floor itself."""
    columns = runs()
    columns["L"] = columns["L"] / 3.3
    logs, plain = (fit(preset_form(load_law(law), LETTERS), columns) for law in ("chinchilla", APPROACH_3))
    assert logs.value == pytest.approx(plain.value, rel=1e-12)
    assert logs.values[0] == pytest.approx(np.log(plain.values[0]), rel=1e-8)
    assert logs.values[0] < 0.0
    assert logs.notes == ()


def test_the_published_runs_have_one_optimum_in_either_form(data_file: Callable[[str], str]) -> None:
    asked = Request(data_file("chinchilla_epoch.csv"), form="chinchilla", where=KEPT, draws=0)
    answer = fit_runs(asked)
    assert answer.fit.value == pytest.approx(1.018274017801e-3, rel=1e-12)


# which predictions are linear in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (LOSS, {"E"}), ("E + A / N**alpha + k * D + B / D**beta", {"E", "k"}), ("E * N + A * D + E", {"E", "A"}),
        ("E + E * A / N", set()), ("exp(E) + A / N", {"A"}), ("(E + A / N)**b", set()), ("E - A * log(N)", {"E", "A"}),
    ],
)  # fmt: skip
def test_coefficients_that_stand_alone(text: str, names: set[str]) -> None:
    assert alone(formula_form(text, LETTERS, positive=[], target="loss")) == names


def test_a_sign_against_the_law_is_noted(runs: Runs, fit: Solve) -> None:
    law = load_law(APPROACH_3)
    against = settle(preset_form(law, LETTERS), {"alpha": "-0.3"}, {})
    assert opposed(against) == ["alpha"]
    assert any(note.startswith("alpha is fixed below zero") for note in fit(against, runs()).notes)
    assert opposed(settle(preset_form(law, LETTERS), {"alpha": "0.3"}, {})) == []
    assert opposed(settle(preset_form(load_law("chinchilla"), LETTERS), {"ln_E": "-0.3"}, {})) == []
    assert opposed(settle(formula_form(LOSS, LETTERS, positive=None, target="loss"), {"alpha": "-0.3"}, {})) == []
