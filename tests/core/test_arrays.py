"""Arrays: the answers of scalars, to 1e-9, for every combination of knowns, any length and shape; NaN without one."""

import math
import warnings
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.answers import Plan
from scaling_cli.core.plans import Planner
from scaling_cli.core.sweeps import DIRECT
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files.catalogue import load_law

NAMES = ("flops", "params", "tokens", "loss")
TRADE_OFFS = ("optimal_params", "optimal_loss", "flops_same_loss", "waste")
FIELDS = (*NAMES, "tokens_per_param", *TRADE_OFFS)
QUESTIONS = [*combinations(NAMES, 1), *combinations(NAMES, 2)]
PLANNERS = {
    "closed form": Planner(load_law("hoffmann-2022-approach-3")),
    "frontier": Planner(load_law("hoffmann-2022")),
    "frontier of tokens": Planner(load_law("llama3-2024")),
    "frontier with its own loss": Planner(load_law("kaplan-2020")),
    "own flops": Planner(load_law("kumar-2024")),
    "own flops, searched": Planner(load_law("krajewski-2024")),
    "searched": Planner(load_law("muennighoff-2023"), {"U": 1e11}),
    "no split": Planner(load_law("brown-2020")),
}
SURFACES = [name for name, it in PLANNERS.items() if it.surface.has_loss]


def one_by_one(it: Planner, known: dict[str, Any]) -> list[Plan | None]:
    plans: list[Plan | None] = []
    for values in zip(*(array.ravel() for array in known.values()), strict=True):
        try:
            plan = it.plan({name: float(value) for name, value in zip(known, values, strict=True)})
        except NoAnswer:
            plans.append(None)
        else:
            sought = [getattr(plan, name) for name in NAMES if name not in known]
            plans.append(plan if any(value is not None for value in sought) else None)
    return plans


def assert_same(array: Plan, each: list[Plan | None], known: Iterable[str], rtol: float = 1e-9) -> None:
    """Compare what was asked for; NaN stands where a scalar has no answer."""
    for name in FIELDS:
        if name in known:
            continue
        expected = [None if plan is None else getattr(plan, name) for plan in each]
        found = getattr(array, name)
        if found is None:
            assert not any(expected), name
            continue
        found = np.ravel(found)
        if name in TRADE_OFFS:  # a scalar gives all four or none
            found = np.where([value is None for value in expected], math.nan, found)
        # being off the optimum by nothing is known to rounding of the loss alone
        atol = 1e-9 if name == "waste" else 0.0
        np.testing.assert_allclose(
            found, [math.nan if value is None else value for value in expected], rtol=rtol, atol=atol, err_msg=name
        )


def known_arrays(it: Planner, question: tuple[str, ...], size: int) -> dict[str, Any]:
    """Values of a question that has an answer: numbers of runs around the optimum of each budget."""
    budgets = 10.0 ** np.linspace(18.3, 24.7, size)
    if len(question) == 1:
        plan = it.plan({"flops": budgets})
    else:
        best = it.surface.optimal_params(budgets)
        plan = it.plan({"flops": budgets, "params": best * np.geomspace(0.2, 2.0, size)})
    return {name: getattr(plan, name) for name in question}


FEW = [("flops",), ("loss",), ("tokens", "loss")]  # for a law whose budget and split are both searched
ASKED = [(name, it) for name in PLANNERS for it in (FEW if name == "own flops, searched" else QUESTIONS)]


@pytest.mark.parametrize(("name", "question"), ASKED, ids=str)
def test_arrays_answer_as_scalars_do(name: str, question: tuple[str, ...]) -> None:
    """All ten questions to eight kinds of laws."""
    it = PLANNERS[name]
    if len(question) == 2 and name not in SURFACES:
        known = {"flops": 10.0 ** np.linspace(19, 24, 7), "params": 10.0 ** np.linspace(7, 12, 7)}
        known = known | {"tokens": known["flops"] / (6.0 * known["params"]), "loss": np.linspace(2.0, 3.0, 7)}
        known = {key: known[key] for key in question}
    else:
        known = known_arrays(it, question, 11)
        if any(value is None for value in known.values()):
            known = dict.fromkeys(question, np.linspace(2.0, 3.0, 7))
    each = one_by_one(it, known)
    try:
        array = it.plan(known)
    except NoAnswer:
        assert each == [None] * len(each)
        return
    assert_same(array, each, question)
    for key, value in known.items():
        np.testing.assert_array_equal(getattr(array, key), value)


LONG = [("flops",), ("loss",), ("params",), ("flops", "params"), ("params", "loss")]


@pytest.mark.parametrize(
    ("name", "question"),
    [
        *((name, question) for name in ("closed form", "frontier", "own flops") for question in LONG),
        ("searched", ("flops",)),
    ],
    ids=str,
)
def test_long_arrays(name: str, question: tuple[str, ...]) -> None:
    """More elements than are solved one by one: a sample of them against scalars, the kink included."""
    it = PLANNERS[name]
    size = DIRECT + 1001
    known = known_arrays(it, question, size)
    array = it.plan(known)
    picked = np.unique(np.linspace(0, size - 1, 60).astype(int))
    if name == "searched":
        kink = int(np.argmin(abs(array.tokens - 1e11)))
        picked = np.unique(np.concatenate([picked, np.arange(max(kink - 5, 0), min(kink + 6, size))]))
    each = one_by_one(it, {key: value[picked] for key, value in known.items()})
    few = array._replace(**{key: getattr(array, key)[picked] for key in FIELDS if getattr(array, key) is not None})
    assert_same(few, each, question)


@pytest.mark.parametrize("unique", [1e9, 1e11])
def test_long_arrays_that_saturate(unique: float) -> None:
    """From one epoch to a loss that is flat in double precision."""
    it = Planner(load_law("muennighoff-2023"), {"U": unique})
    budgets = 10.0 ** np.linspace(16.0, 32.0, DIRECT + 11)
    array = it.plan({"flops": budgets})
    picked = np.linspace(0, budgets.size - 1, 80).astype(int)
    each = one_by_one(it, {"flops": budgets[picked]})
    np.testing.assert_allclose(array.loss[picked], [plan.loss for plan in each if plan], rtol=1e-14)
    # on the plateau N is where the loss stops changing in its last place, which rounding blurs
    np.testing.assert_allclose(array.params[picked], [plan.params for plan in each if plan], rtol=0.01)
    rising = budgets[picked] < it.plan({"loss": 1.0001 * it.frontier.irreducible}).flops
    exact = [plan.params for plan, keep in zip(each, rising, strict=True) if keep and plan]
    np.testing.assert_allclose(array.params[picked][rising], exact, rtol=1e-9)


UNREACHABLE: dict[tuple[str, ...], tuple[Any, ...]] = {
    ("loss",): ([0.3, 1.0, 2.3, 3.0],),
    ("params", "loss"): ([1e8, 1e9, 1e10, 1e10], [2.0, 1.9, 2.3, 1e9]),
    ("tokens", "loss"): ([1e9, 1e11, 1e11, 1e11], [2.0, 1.9, 2.3, 1e9]),
    ("flops", "loss"): ([1e18, 1e21, 1e21, 1e21], [2.0, 2.2, 2.5, 3.0]),
    ("params",): ([1e-250, 1e9, 1e10, 1e250],),
    ("tokens",): ([1e-250, 1e9, 1e10, 1e250],),
}


@pytest.mark.parametrize(
    ("name", "question"),
    [(name, it) for name in SURFACES for it in (FEW[1:] if name == "own flops, searched" else UNREACHABLE)],
    ids=str,
)
def test_elements_without_an_answer(name: str, question: tuple[str, ...]) -> None:
    """NaN where the scalar raises NoAnswer, and only there, without a warning."""
    it = PLANNERS[name]
    known = {key: np.array(values) for key, values in zip(question, UNREACHABLE[question], strict=True)}
    each = one_by_one(it, known)
    assert None in each or (name, question) == ("frontier with its own loss", ("loss",))
    assert_same(it.plan(known), each, question)


@pytest.mark.parametrize("name", SURFACES)
def test_an_irreducible_loss_in_an_array(name: str) -> None:
    """At the floor itself, as for scalars: no answer."""
    it = PLANNERS[name]
    floor = it.frontier.irreducible
    if floor > 0.0:
        found = it.plan({"loss": np.array([floor, floor + 0.5])}).flops
        assert list(np.isnan(found)) == [True, False]


# shapes


@pytest.mark.parametrize("name", ["closed form", "frontier", "own flops", "searched"])
def test_shapes(name: str) -> None:
    """Whatever goes in comes out: one element, rows and columns, and knowns that broadcast."""
    it = PLANNERS[name]
    single = it.plan({"flops": np.array([1e21])})
    assert single.params.shape == (1,)
    assert single.params[0] == pytest.approx(it.plan({"flops": 1e21}).params, rel=1e-9)
    grid = it.plan({"flops": 10.0 ** np.linspace(19, 24, 6).reshape(2, 3)})
    assert grid.params.shape == grid.tokens.shape == grid.loss.shape == grid.tokens_per_param.shape == (2, 3)
    np.testing.assert_allclose(
        grid.params.ravel(), it.plan({"flops": 10.0 ** np.linspace(19, 24, 6)}).params, rtol=1e-9
    )
    assert it.plan({"loss": np.array([[3.0, 3.1], [3.2, 3.3]])}).flops.shape == (2, 2)
    table = it.plan({"flops": np.array([[1e21], [1e22]]), "params": np.array([1e9, 2e9, 4e9])})
    assert table.flops.shape == table.params.shape == table.waste.shape == (2, 3)
    mixed = it.plan({"params": 1e9, "tokens": np.array([1e10, 1e11])})
    assert mixed.flops.shape == mixed.loss.shape == (2,)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.uint64])
def test_other_number_types(dtype: type) -> None:
    """Counts come as integers too."""
    it = PLANNERS["searched"]
    known = {"params": np.array([10**9, 2 * 10**9], dtype=dtype), "tokens": np.array([10**10, 3 * 10**10], dtype=dtype)}
    assert_same(it.plan(known), one_by_one(it, {key: value.astype(float) for key, value in known.items()}), known)


@pytest.mark.parametrize("name", ["closed form", "frontier", "own flops", "searched"])
def test_a_number_of_numpy_is_a_number(name: str) -> None:
    """np.float64, np.int64 and an array without axes give what a float gives."""
    it = PLANNERS[name]
    expected = it.plan({"flops": 1e18})
    for value in (np.float64(1e18), np.int64(10**18), np.array(1e18)):
        found = it.plan({"flops": value})
        for field in NAMES:
            assert np.shape(getattr(found, field)) == ()
            assert float(getattr(found, field)) == pytest.approx(getattr(expected, field), rel=1e-9)


@pytest.mark.parametrize("bad", [[], [[]], [1e21, 0.0], [1e21, -1e21], [1e21, math.nan], [math.inf]])
def test_arrays_that_are_refused(bad: list[Any]) -> None:
    """No elements, or an element that is not positive and finite."""
    with pytest.raises(InputError, match="flops has elements that are not") as caught:
        PLANNERS["closed form"].plan({"flops": np.array(bad)})
    assert caught.value.hints == ("expected finite numbers greater than zero",)


@pytest.mark.parametrize(
    "known",
    [
        {"flops": np.array([1e21, 1e22]), "params": np.array([1e9, 2e9, 3e9])},
        {"flops": [1e21, 1e22]},
        {"flops": np.array(["many"])},
        {"flops": np.array([1e21 + 1j])},
        {"flops": np.array([{}])},
    ],
)
def test_arrays_that_make_no_sense(known: dict[str, Any]) -> None:
    """Shapes that do not broadcast, a list, text: InputError, or for a list an answer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plan = PLANNERS["closed form"].plan(known)
    except InputError:
        return
    assert isinstance(known["flops"], list)
    assert np.shape(plan.params) == (2,)
