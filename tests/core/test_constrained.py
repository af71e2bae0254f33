"""Plans under demands: no point of a fine grid beats them, every limit is kept, and no demand pays for being there."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_cli
from scaling_cli import InputError, NoAnswer, Plan
from scaling_cli.core.surface import Surface

LAWS = [
    "hoffmann-2022", "besiroglu-2024-refit", "kaplan-2020", "muennighoff-2023",
    "kumar-2024",  # flops of its own
    "krajewski-2024",  # flops of its own that are no product of powers
]  # fmt: skip
MIXTURE = "krajewski-2024"  # whose N counts every expert, so that it can not say what inference takes
KEPT = 1e-9
LAW = st.sampled_from(LAWS)
SERVED = st.one_of(st.none(), st.floats(math.log(1e9), math.log(1e15)).map(math.exp))
MACHINE = {"gpu": "h100", "gpus": 512, "mfu": 0.4, "price": 2.5}


def log_between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


def maybe(name: str, low: float, high: float) -> st.SearchStrategy[dict[str, float]]:
    return st.one_of(st.just({}), log_between(low, high).map(lambda value: {name: value}))


def merged(*parts: st.SearchStrategy[dict[str, float]]) -> st.SearchStrategy[dict[str, float]]:
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


MOST = merged(maybe("params", 1e8, 1e12), maybe("tokens", 1e9, 1e14), maybe("tokens_per_param", 3, 1e4))
LEAST = merged(maybe("params", 1e6, 1e10), maybe("tokens_per_param", 0.1, 300))
DATA = st.one_of(st.none(), log_between(1e9, 1e14))


def plan(law: str, **asked: Any) -> Plan | None:
    try:
        return scaling_cli.plan(law, **asked)
    except NoAnswer:
        return None


def values(run: tuple[Any, Any], flops: Any, loss: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Every number of a run that a limit may stand on, worked out here anew."""
    params, tokens = run
    hours = flops / (989.4e12 * MACHINE["mfu"] * 3600.0)
    found = {
        "params": params, "tokens": tokens, "tokens_per_param": tokens / params, "flops": flops, "loss": loss,
        "memory_bytes": 2.0 * params, "gpu_hours": hours, "days": hours / 512.0 / 24.0, "dollars": 2.5 * hours,
    }  # fmt: skip
    if "unique_tokens" in asked:
        found["epochs"] = tokens / asked["unique_tokens"]
    if "inference_tokens" in asked:
        found["lifetime_flops"] = flops + 2.0 * params * asked["inference_tokens"]
    return found


def kept(numbers: Mapping[str, Any], asked: Mapping[str, Any], by: float) -> Any:
    """Whether a run keeps every limit, with so much to spare (relative)."""
    good: Any = True
    for name, value in asked.get("most", {}).items():
        good = good & (numbers[name] <= value * (1.0 - by))
    for name, value in asked.get("least", {}).items():
        good = good & (numbers[name] >= value * (1.0 + by))
    return good


def surface(law: str, unique: float | None) -> Surface:
    """The law's own surface, its data limited as the law itself has it."""
    return Surface(scaling_cli.load_law(law), {} if unique is None else {"U": unique})


def assert_kept(answer: Plan, asked: Mapping[str, Any]) -> None:
    numbers = values((answer.params, answer.tokens), answer.flops, answer.loss, asked)
    assert kept(numbers, asked, -KEPT), (answer, asked)
    for name in ("gpu_hours", "days", "dollars", "epochs", "lifetime_flops"):
        if name in numbers and getattr(answer, name) is not None:
            assert getattr(answer, name) == pytest.approx(numbers[name], rel=1e-12), name


PARAMS, TOKENS = np.meshgrid(10.0 ** np.linspace(6, 13, 141), 10.0 ** np.linspace(7, 16, 181), indexing="ij")


def grid(law: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    it = surface(law, asked.get("unique_tokens"))
    with np.errstate(all="ignore"):
        flops, loss = it.flops(PARAMS, TOKENS), it.loss_of(PARAMS, TOKENS)
    return values((PARAMS, TOKENS), flops, loss, asked)


# against grids


@settings(max_examples=40)
@given(LAW, log_between(1e19, 1e25), MOST, LEAST, maybe("loss", 2.0, 4.0))
def test_no_grid_point_has_less_loss(
    law: str, flops: float, most: dict[str, float], least: dict[str, float], loss: dict[str, float]
) -> None:
    """Spending up to random limits: nothing that keeps them all lies lower, and nothing is refused that exists."""
    asked = {"most": {"flops": flops, **most, **loss}, "least": least}
    try:
        answer = plan(law, **asked)
    except InputError:
        assert any(least.get(name, 0.0) > value for name, value in most.items())
        return
    points = grid(law, asked)
    good = kept(points, asked, 0.0)
    if answer is None:
        assert not good.any()
        return
    assert_kept(answer, asked)
    if good.any():
        assert answer.loss <= points["loss"][good].min() * (1.0 + 1e-12)


@settings(max_examples=25)
@given(log_between(1e19, 1e26), log_between(1e8, 1e13), MOST, maybe("epochs", 1, 100))
def test_no_grid_point_has_less_loss_with_limited_data(
    flops: float, unique: float, most: dict[str, float], epochs: dict[str, float]
) -> None:
    """Muennighoff's law with its own U."""
    asked = {"most": {"flops": flops, **most, **epochs}, "unique_tokens": unique}
    answer = plan("muennighoff-2023", **asked)
    points = grid("muennighoff-2023", asked)
    good = kept(points, asked, 0.0)
    if answer is None:
        assert not good.any()
        return
    assert_kept(answer, asked)
    if good.any():
        assert answer.loss <= points["loss"][good].min() * (1.0 + 1e-12)


@settings(max_examples=40)
@given(LAW, log_between(1e19, 1e25), MOST, LEAST)
def test_no_split_of_a_budget_has_less_loss(
    law: str, flops: float, most: dict[str, float], least: dict[str, float]
) -> None:
    """The same at exactly so many FLOPs, along a fine isoflop."""
    asked = {
        "flops": flops,
        "most": {"params": 1e15, **most},
        "least": least,
    }  # a limit at least, or the split is stated
    try:
        answer = plan(law, **asked)
    except InputError:
        assert any(least.get(name, 0.0) > value for name, value in most.items())
        return
    params = 10.0 ** np.linspace(6, 13, 4001)
    it = surface(law, None)
    with np.errstate(all="ignore"):
        tokens = it.tokens_for(flops + 0.0 * params, params)
        good = kept({"params": params, "tokens": tokens, "tokens_per_param": tokens / params}, asked, 0.0)
        good = good & np.isfinite(tokens)
    if answer is None:
        assert not good.any()
        return
    assert_kept(answer, asked)
    assert answer.flops == pytest.approx(flops, rel=1e-9)
    if np.any(good):
        assert answer.loss <= it.loss_of(params[good], tokens[good]).min() * (1.0 + 1e-12)


@settings(max_examples=40)
@given(LAW, st.floats(0.05, 0.8), MOST, LEAST, SERVED)
def test_no_grid_point_reaches_a_loss_at_less_cost(
    law: str, share: float, most: dict[str, float], least: dict[str, float], served: float | None
) -> None:
    """The least FLOPs over training and inference for a loss, under random limits."""
    it = surface(law, None)
    loss = it.irreducible + share * (it.loss_of(1e8, 1e9) - it.irreducible)
    asked = {"loss": loss, "most": {"params": 1e15, **most}, "least": least}
    served = served if law != MIXTURE else None
    if served is not None:
        asked["inference_tokens"] = served
    try:
        answer = plan(law, **asked)
    except InputError:
        assert any(least.get(name, 0.0) > value for name, value in most.items())
        return
    points = grid(law, asked)
    good = kept(points, asked, 0.0) & (points["loss"] <= loss)
    if answer is None:
        assert not good.any()
        return
    assert_kept(answer, asked)
    assert answer.loss <= loss * (1.0 + KEPT)
    cost = "flops" if served is None else "lifetime_flops"
    if good.any():
        mine = values((answer.params, answer.tokens), answer.flops, answer.loss, asked)[cost]
        assert mine <= points[cost][good].min() * (1.0 + 1e-9)


# what demands do to each other

DEMANDS = merged(maybe("params", 1e8, 1e12), maybe("tokens_per_param", 3, 1e4), maybe("dollars", 1e4, 1e9))


@settings(max_examples=30)
@given(LAW, st.one_of(st.none(), log_between(1e20, 1e24)), log_between(0.1, 300), DEMANDS, DATA, DATA)
def test_dropping_a_demand_never_raises_the_loss(
    law: str, flops: float | None, days: float, most: dict[str, float], unique: float | None, served: float | None
) -> None:
    """By asking again without each, and by the price that the plan itself gives, which says the same."""
    # one limit is always left, or a law would answer with the split that it states
    asked: dict[str, Any] = {**MACHINE, "most": {"tokens": 1e30, **most, **({} if flops else {"days": days})}}
    asked |= {} if flops is None else {"flops": flops}
    asked |= {} if unique is None else {"unique_tokens": unique}
    asked |= {} if served is None or law == MIXTURE else {"inference_tokens": served}
    try:
        answer = plan(law, **asked)
    except InputError:  # the budget takes more dollars than it may
        return
    if answer is None:
        return
    assert_kept(answer, asked)
    told = [price.loss_without for price in answer.prices]
    fewer = [{**asked, "most": {n: v for n, v in asked["most"].items() if n != name}} for name in asked["most"]]
    fewer += [
        {n: v for n, v in asked.items() if n != name} for name in ("unique_tokens", "inference_tokens") if name in asked
    ]
    assert len(told) == len(fewer)
    for price, other in zip(answer.prices, fewer, strict=True):
        if price.loss_without is None or "tokens" not in other["most"]:
            continue
        assert price.loss_without <= answer.loss * (1.0 + 1e-9), price
        assert price.loss_cost == pytest.approx(answer.loss - price.loss_without, abs=1e-12 + 1e-9 * answer.loss)
        try:
            again = plan(law, **other)
        except InputError:  # nothing else bounds the compute: the price is that of infinite compute
            assert price.flops_without is None
            continue
        assert again is not None
        assert again.loss == pytest.approx(price.loss_without, rel=1e-9)


@settings(max_examples=40)
@given(LAW, log_between(1e20, 1e24), log_between(1.0, 100.0), MOST, DATA, DATA)
def test_a_looser_limit_never_raises_the_loss(
    law: str, flops: float, factor: float, most: dict[str, float], unique: float | None, served: float | None
) -> None:
    """Monotone in each limit, and in the data there are."""
    rest: dict[str, Any] = {} if served is None or law == MIXTURE else {"inference_tokens": served}
    data = {} if unique is None else {"unique_tokens": unique}
    tight = plan(law, most={"flops": flops, **most}, **data, **rest)
    if tight is None:
        return
    for name, value in {"flops": flops, **most}.items():
        loose = plan(law, most={"flops": flops, **most, name: value * factor}, **data, **rest)
        assert loose is not None
        assert loose.loss <= tight.loss * (1.0 + 1e-9), name
    if unique is not None and law != MIXTURE:  # whose frontier is a power law only nearby
        more = plan(law, most={"flops": flops, **most}, unique_tokens=unique * factor, **rest)
        assert more is not None
        assert more.loss <= tight.loss * (1.0 + 1e-9)


@pytest.mark.parametrize("name", ["flops", "gpu_hours", "days", "dollars", "energy_mwh"])
def test_one_limit_in_any_unit(name: str) -> None:
    """Compute, hours, days, dollars and energy are one limit in five units."""
    by_flops = scaling_cli.plan("hoffmann-2022", most={"flops": 1e23}, **MACHINE)
    amount = {"flops": 1e23, **{n: getattr(by_flops, n) for n in ("gpu_hours", "days", "dollars", "energy_mwh")}}[name]
    again = scaling_cli.plan("hoffmann-2022", most={name: amount}, **MACHINE)
    assert again.params == pytest.approx(by_flops.params, rel=1e-9)
    assert again.flops == pytest.approx(1e23, rel=1e-12)


# what the price says


def test_the_compute_that_buys_it_back() -> None:
    """With so much compute, and every other demand, the plan has the loss that dropping the limit would give."""
    held = scaling_cli.plan("besiroglu-2024", flops=1e23, most={"params": 5e9})
    (price,) = held.prices
    assert price.loss_without == pytest.approx(scaling_cli.plan("besiroglu-2024", flops=1e23).loss, rel=1e-9)
    back = scaling_cli.plan("besiroglu-2024", flops=price.flops_back, most={"params": 5e9})
    assert back.loss == pytest.approx(price.loss_without, rel=1e-9)
    assert price.flops_back > 1.1e23


def test_a_limit_that_binds_nothing_costs_nothing() -> None:
    """And the plan is the one without it."""
    free = scaling_cli.plan("besiroglu-2024", flops=1e23)
    held = scaling_cli.plan("besiroglu-2024", flops=1e23, most={"params": 1e13})
    assert held.params == pytest.approx(free.params, rel=1e-9)
    assert held.prices[0].loss_cost == 0.0
    assert held.waste == pytest.approx(0.0, abs=1e-12)


def test_the_only_bound_on_compute_costs_what_infinite_compute_would_gain() -> None:
    """Without it the loss falls to the floor of the data."""
    answer = scaling_cli.plan("muennighoff-2023", most={"flops": 1e23}, unique_tokens=1e10)
    floor = Surface(scaling_cli.load_law("muennighoff-2023"), {"U": 1e10}).irreducible
    assert answer.prices[0].loss_without == pytest.approx(floor, rel=1e-12)
    assert answer.prices[0].flops_without is None


# inference


def test_inference_figures_of_sardana() -> None:
    """7B quality and 1e11 tokens: 6B params, 1.18 times the tokens (Sardana et al. 2024; checks of the preset)."""
    trained = scaling_cli.plan("sardana-2024", params="7B")
    served = scaling_cli.plan("sardana-2024", flops=trained.flops, inference_tokens=1e11)
    assert served.params == pytest.approx(6e9, rel=0.01)
    assert served.tokens / trained.tokens == pytest.approx(1.18, rel=0.005)
    assert served.loss == pytest.approx(trained.loss, rel=1e-12)


@pytest.mark.parametrize(
    ("quality", "served", "params", "ratio", "saving"),
    [(1.3e10, 2e12, 7e9, 2.1, 0.17), (3e10, 1e13, 1.36e10, 2.84, 0.28)],
)
def test_more_figures_of_sardana(quality: float, served: float, params: float, ratio: float, saving: float) -> None:
    """Params, tokens over those of the training-optimal model, and the share of lifetime FLOPs saved."""
    trained = scaling_cli.plan("sardana-2024", params=quality)
    lean = scaling_cli.plan("sardana-2024", flops=trained.flops, inference_tokens=served)
    before = trained.flops + 2.0 * quality * served
    assert lean.params == pytest.approx(params, rel=0.01)
    assert lean.tokens / trained.tokens == pytest.approx(ratio, rel=0.035)
    assert 1.0 - lean.lifetime_flops / before == pytest.approx(saving, rel=0.03)
    again = scaling_cli.plan("sardana-2024", loss=trained.loss, inference_tokens=served)
    assert again.params == pytest.approx(lean.params, rel=1e-6)


def test_dear_inference_makes_smaller_models() -> None:
    """Where a served FLOP costs ten times as much as a trained one, fewer params are trained longer."""
    asked = {"flops": 1e23, "inference_tokens": 1e12, "gpu": "h100", "mfu": 0.4, "price": 2.0}
    alike = scaling_cli.plan("sardana-2024", **asked)
    dear = scaling_cli.plan("sardana-2024", inference_mfu=0.04, **asked)
    assert dear.params < alike.params
    assert dear.loss == pytest.approx(alike.loss, rel=1e-12)
    served = 2.0 * dear.params * 1e12
    per_flop = 2.0 / (989.4e12 * 3600.0)
    assert dear.lifetime_dollars == pytest.approx(per_flop * (dear.flops / 0.4 + served / 0.04), rel=1e-12)


def test_a_limit_stays_hard_and_the_loss_gives_way() -> None:
    """The budget sets the loss, but no more is spent than the limit allows."""
    free = scaling_cli.plan("sardana-2024", flops=1e23, inference_tokens=1e13)
    assert free.flops > 1.1e23
    held = scaling_cli.plan("sardana-2024", flops=1e23, inference_tokens=1e13, most={"lifetime_flops": 1e23})
    assert held.lifetime_flops == pytest.approx(1e23, rel=1e-9)
    assert held.loss > free.loss


# limited data


def test_published_allocation_of_muennighoff() -> None:
    """From a grid in the authors' notebook: 2.132e21 FLOPs and 12B unique tokens: 3.09B params, 9.58 epochs."""
    answer = scaling_cli.plan("muennighoff-2023", flops=2.132e21, unique_tokens=1.2e10)
    assert answer.params == pytest.approx(3.09e9, rel=0.08)
    assert answer.epochs == pytest.approx(9.58, rel=0.08)


def test_value_of_four_epochs() -> None:
    """Repeating up to four times is worth almost as much as new tokens: 3.7 of 4 (Muennighoff et al. 2023, eq. 5)."""
    plan = scaling_cli.plan("muennighoff-2023", params=1e9, tokens=4e10, unique_tokens=1e10)
    assert plan.relations["effective_tokens"] == pytest.approx(3.7e10, rel=0.01)


def test_where_more_compute_buys_nothing() -> None:
    """The smallest params of a flat loss, however large the limit."""
    plans = [scaling_cli.plan("hoffmann-2022", most={"flops": 10.0**n}, unique_tokens=1e9) for n in (29, 30, 31)]
    assert plans[0].loss == pytest.approx(plans[2].loss, rel=1e-12)
    assert plans[1].params == pytest.approx(plans[2].params, rel=1e-6)


# refusals


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"most": {"flops": 1e22}, "least": {"flops": 2e22}}, ("--min flops=2e22", "--max flops=1e22")),
        ({"flops": 1e22, "most": {"loss": 1.9}}, ("flops=1e22", "--max loss=1.9")),
        ({"most": {"flops": 1e21, "loss": 2.0}}, ("--max flops=1e21", "--max loss=2.0")),
        ({"most": {"params": 1e9, "tokens": 1e9, "loss": 2.0}}, ("--max params=1B", "--max tokens=1B", "loss=2")),
        ({"loss": 2.0, "most": {"params": 1e8}}, ("loss of 2", "--max params=100M")),
        ({"loss": 2.0, "most": {"flops": 1e20}}, ("loss of 2", "--max flops=1e20")),
        ({"params": 7e9, "tokens": 1e12, "most": {"loss": 2.0}}, ("7B", "1T", "--max loss=2")),
        ({"params": 7e9, "tokens": 1e12, "most": {"params": 5e9, "flops": 1e22}}, ("params=5B", "flops=1e22")),
        ({"flops": 1e23, **MACHINE, "most": {"days": 1}}, ("days", "--max days=1")),
        ({"flops": 1e22, "most": {"waste": 0.01, "params": 1e8}}, ("--max waste=0.01",)),
    ],
    ids=str,
)
def test_limits_that_exclude_each_other_are_named(asked: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises((InputError, NoAnswer)) as caught:
        scaling_cli.plan("hoffmann-2022", **asked)
    for text in said:
        assert text in caught.value.message


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"gpu": "h100"}, "nothing is known"),
        ({"most": {"params": 1e9}}, "nothing bounds the compute"),
        ({"most": {"params": 1e9}, "inference_tokens": 1e12}, "nothing bounds the compute"),
        ({"unique_tokens": 1e9}, "nothing bounds the compute"),
        ({"flops": 1e22, "most": {"days": 1}}, "needs a machine"),
        ({"flops": 1e22, "gpu": "h100", "most": {"days": 1}}, "needs more of the machine"),
        ({"flops": 1e22, "gpu": "h100", "most": {"dollars": 1}}, "needs more of the machine"),
        ({"flops": 1e22, "gpu": "h100", "price": 0.0, "most": {"dollars": 1}}, "at a price of 0"),
        ({"flops": 1e22, "most": {"epochs": 1}}, "needs the unique tokens"),
        ({"flops": 1e22, "most": {"lifetime_flops": 1e23}}, "needs the inference tokens"),
        ({"flops": 1e22, "inference_tokens": 1e12, "most": {"lifetime_dollars": 1e6}}, "needs a price"),
        ({"flops": 1e22, "most": {"memory": 1.0}}, "leaves room for 0.5 parameters"),
        ({"flops": 1e22, "most": {"parms": 1e9}}, "is on no number"),
        ({"flops": 1e22, "most": {"params": 0.0}}, "can not be kept"),
        ({"flops": 1e22, "most": {"params": -1.0}}, "can not be kept"),
        ({"flops": 1e22, "most": {"params": math.nan}}, "params"),
        ({"flops": 1e22, "most": {"params": math.inf}}, "params"),
        ({"flops": 1e22, "unique_tokens": 0.0}, "--unique-tokens"),
        ({"flops": 1e22, "inference_tokens": -1.0}, "--inference-tokens"),
        ({"flops": 1e22, "gpu": "h100", "gpus": 0}, "number of accelerators"),
        ({"flops": 1e22, "gpu": "h100", "mfu": 45}, "0.45"),
    ],
    ids=str,
)
def test_wrong_questions(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        scaling_cli.plan("hoffmann-2022", **asked)


def test_a_law_without_a_loss_surface_is_refused() -> None:
    """Limits are never ignored."""
    with pytest.raises(NoAnswer, match="has no loss surface"):
        scaling_cli.plan("brown-2020", flops=1e22, most={"params": 1e9})
    priced = scaling_cli.plan("brown-2020", flops=1e22, gpu="h100", mfu=0.4)
    assert priced.gpu_hours == pytest.approx(1e22 / (989.4e12 * 0.4 * 3600.0))
