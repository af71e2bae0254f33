"""Plans under demands for arrays: the answers of scalars, to 1e-9, and NaN exactly where a scalar has none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import scaling_cli
from scaling_cli import InputError, Plan, ScalingError
from scaling_cli.core import batches

COUNT = 20
FIELDS = (
    "flops", "params", "tokens", "loss", "optimal_params", "optimal_loss", "flops_same_loss", "waste", "gpu_hours",
    "dollars", "epochs", "lifetime_flops",
)  # fmt: skip
LAWS = ["hoffmann-2022", "besiroglu-2024-refit", "kaplan-2020", "muennighoff-2023", "kumar-2024", "krajewski-2024"]
RNG = np.random.default_rng(5)


def spread(low: float, high: float) -> np.ndarray[Any, Any]:
    return 10.0 ** RNG.uniform(low, high, COUNT)


MACHINE = {"gpu": "h100", "gpus": 512, "mfu": 0.4}
QUESTIONS: dict[str, dict[str, Any]] = {
    "several limits": {
        **MACHINE, "gpus": np.floor(spread(1, 4)), "price": spread(0, 1), "mfu": spread(-1, -0.1),
        "most": {"days": spread(0, 2.5), "params": spread(9, 13), "dollars": spread(4, 9)},
        "least": {"tokens_per_param": spread(0, 2.5)},
    },
    "a budget and limits": {
        "flops": spread(19, 25), "most": {"params": spread(8.5, 12), "tokens": spread(10, 14)},
        "least": {"tokens_per_param": spread(0, 2)},
    },
    "limits on loss": {"most": {"flops": spread(19, 25), "loss": RNG.uniform(1.9, 3.2, COUNT)}},
    "limited data": {"flops": spread(19, 24), "unique_tokens": spread(9.5, 13)},
    "limited data and limits": {
        **MACHINE, "most": {"days": spread(0, 2), "epochs": spread(0, 1.5)}, "unique_tokens": spread(10, 13),
    },
    "inference": {"flops": spread(19, 25), "inference_tokens": spread(9, 14)},
    "inference and limits": {**MACHINE, "most": {"days": spread(0, 2), "params": spread(10, 13)},
                             "inference_tokens": spread(11, 14)},
    "a loss": {"loss": RNG.uniform(1.9, 3.2, COUNT), "most": {"params": spread(8, 12)}},
    "two knowns": {"flops": spread(20, 24), "params": spread(8, 11), "most": {"tokens_per_param": spread(1, 3)}},
    "params": {"params": spread(8, 12), "most": {"tokens": spread(9, 13)}},
    "tokens": {"tokens": spread(9, 13), "most": {"flops": spread(19, 25)}},
    "texts beside": {"flops": spread(19, 25), "most": {"params": "8B"}},
    "a checked limit": {"flops": spread(19, 25), "most": {"params": 1e10, "waste": 0.1}},
}  # fmt: skip


def element(value: Any, i: int) -> Any:
    if isinstance(value, Mapping):
        return {name: element(each, i) for name, each in value.items()}
    return float(value[i]) if isinstance(value, np.ndarray) else value


def scalar(law: str, asked: Mapping[str, Any]) -> Plan | None:
    try:
        return scaling_cli.plan(law, **asked)
    except ScalingError:
        return None


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_arrays_are_scalars(law: str, question: str) -> None:
    asked = QUESTIONS[question]
    if law == "krajewski-2024" and "inference_tokens" in asked:
        pytest.skip("its N counts every expert, so that it can not say what inference takes")
    together = scaling_cli.plan(law, **asked)
    each = [scalar(law, element(asked, i)) for i in range(COUNT)]
    assert sum(plan is not None for plan in each) >= 2
    for name in FIELDS:
        found = getattr(together, name)
        if found is None:
            continue
        expected = [None if plan is None else getattr(plan, name) for plan in each]
        wanted = np.array([np.nan if value is None else value for value in expected], dtype=float)
        np.testing.assert_allclose(
            np.broadcast_to(found, (COUNT,)), wanted, rtol=1e-9, atol=1e-9 if name == "waste" else 0.0, err_msg=name
        )


def test_shapes_broadcast() -> None:
    """Budgets down, data across."""
    flops, unique = 10.0 ** np.arange(20.0, 24.0)[:, None], np.array([1e10, 1e11, 1e12])
    plan = scaling_cli.plan("chinchilla", flops=flops, unique_tokens=unique)
    assert plan.params.shape == plan.loss.shape == (4, 3)
    assert (np.diff(plan.loss, axis=0) < 0.0).all()
    assert (np.diff(plan.loss, axis=1) <= 0.0).all()
    one = scaling_cli.plan("chinchilla", flops=1e22, unique_tokens=1e11)
    assert plan.loss[2, 1] == pytest.approx(one.loss, rel=1e-12)


def test_parts_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved in parts of seven."""
    asked = QUESTIONS["limited data and limits"]
    whole = scaling_cli.plan("chinchilla", **asked)
    monkeypatch.setattr(batches, "AT_ONCE", 7)
    np.testing.assert_allclose(scaling_cli.plan("chinchilla", **asked).params, whole.params, rtol=1e-10)


def test_utilisation_leaves_a_range() -> None:
    """Where it is not given, as for one plan."""
    asked = {"gpu": "h100", "gpus": 512, "most": {"days": np.array([10.0, 30.0])}}
    plan, one = (
        scaling_cli.plan("chinchilla", **asked),
        scaling_cli.plan("chinchilla", **{**asked, "most": {"days": 30}}),
    )
    for side in ("low", "high"):
        assert getattr(plan, side)["flops"][1] == pytest.approx(getattr(one, side)["flops"], rel=1e-9)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"flops": np.array([1e21, 1e22]), "most": {"params": np.array([1e9, 1e10, 1e11])}}, "do not go together"),
        ({"flops": np.array([1e21, 1e22]), "most": {"params": np.array([1e9, -1e9])}}, "max params"),
        ({"flops": np.array([1e21, 1e22]), "unique_tokens": np.array([1e9, np.nan])}, "--unique-tokens"),
        ({"flops": np.array([1e21, 0.0]), "unique_tokens": 1e9}, "flops"),
        ({"most": {"params": np.array([1e9, 1e10])}}, "nothing bounds the compute"),
        ({"flops": 1e22, "gpu": "h100", "mfu": np.array([0.4, 45.0]), "most": {"params": 1e9}}, "utilisation"),
    ],
    ids=str,
)
def test_wrong_arrays(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        scaling_cli.plan("hoffmann-2022", **asked)
