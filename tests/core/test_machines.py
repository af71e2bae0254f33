"""What compute costs on machines: published costs come out, and numbers that nobody gave are absent."""

import numpy as np
import pytest

from scaling_cli.core.hardware import Accelerator
from scaling_cli.core.machines import MFU, MFU_RANGE, check_utilisation, cost, machine
from scaling_cli.errors import InputError
from scaling_cli.files.hardware import load_accelerator

CARD = Accelerator("t", "T", flops_per_second={"bf16": 1e15, "fp8": 2e15}, tdp_w=500.0)
YEAR = 365.0 * 24.0


def test_the_cost_of_gpt3_as_commonly_quoted() -> None:
    """3.14e23 FLOPs on V100s at 28 TFLOP/s: 355 GPU-years, $4.6M at $1.50 an hour."""
    v100 = machine(load_accelerator("v100"), mfu=0.224, price=1.5)
    assert v100.flops_per_hour / 3600.0 == pytest.approx(28e12, rel=1e-12)
    assert cost(v100, "gpu_hours", 3.14e23) / YEAR == pytest.approx(355.0, abs=1.0)
    assert cost(v100, "dollars", 3.14e23) == pytest.approx(4.67e6, abs=5e3)


def test_the_utilisation_of_llama_405b() -> None:
    """30.84M H100-hours for 405B params on 15.6T tokens: 34.5 % of the dense peak by 6ND."""
    peak = load_accelerator("h100").peak("bf16")
    assert 6.0 * 405e9 * 15.6e12 / (30.84e6 * 3600.0 * peak) == pytest.approx(0.345, abs=5e-4)


def test_costs_of_one_exaflop() -> None:
    """By hand: 1e18 FLOPs at 1e15 * 0.5 a second are 2000 seconds."""
    it = machine(CARD, gpus=8.0, mfu=0.5, price=3.0)
    hours = 2000.0 / 3600.0
    assert cost(it, "gpu_hours", 1e18) == pytest.approx(hours)
    assert cost(it, "days", 1e18) == pytest.approx(hours / 8.0 / 24.0)
    assert cost(it, "dollars", 1e18) == pytest.approx(3.0 * hours)
    assert cost(it, "energy_mwh", 1e18) == pytest.approx(hours * 500.0 / 1e6)
    assert cost(machine(CARD, mfu=0.5, precision="fp8"), "gpu_hours", 1e18) == pytest.approx(hours / 2.0)


def test_what_nobody_gave_is_absent() -> None:
    """No number of accelerators, no days; no price, no dollars; no power, no energy."""
    bare = machine(CARD._replace(tdp_w=None))
    assert [cost(bare, name, 1e18) is None for name in ("gpu_hours", "days", "dollars", "energy_mwh")] == [
        False, True, True, True,
    ]  # fmt: skip
    assert (bare.mfu, bare.mfu_given, bare.precision) == (MFU, False, "bf16")
    assert MFU_RANGE[0] < MFU < MFU_RANGE[1]


def test_costs_of_arrays() -> None:
    """Several prices and fleets at once."""
    it = machine(CARD, gpus=np.array([1.0, 2.0]), mfu=0.5, price=np.array([1.0, 3.0]))
    np.testing.assert_allclose(cost(it, "dollars", 1.8e21), [1e3, 3e3])
    np.testing.assert_allclose(cost(it, "days", 1.8e21), [1e3 / 24.0, 1e3 / 48.0])


@pytest.mark.parametrize("gpus", [0.0, -1.0, 1.5, float("inf"), float("nan"), np.array([1.0, 0.5])])
def test_no_whole_number_of_accelerators(gpus: float) -> None:
    with pytest.raises(InputError, match="number of accelerators"):
        machine(CARD, gpus=gpus)


@pytest.mark.parametrize("price", [-0.01, float("inf"), float("nan"), np.array([1.0, -1.0])])
def test_no_price(price: float) -> None:
    with pytest.raises(InputError, match="price"):
        machine(CARD, price=price)


@pytest.mark.parametrize(("mfu", "said"), [(45.0, "0.45"), (0.0, "above 0"), (-0.1, "above 0"), (101.0, "above 0")])
def test_no_utilisation(mfu: float, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_utilisation(mfu)
    assert any(said in hint for hint in caught.value.hints)


def test_a_precision_that_the_card_lacks() -> None:
    with pytest.raises(InputError, match="no known dense peak"):
        machine(load_accelerator("v100"), precision="bf16")


def test_what_costs_rest_on_is_said() -> None:
    """The peak, the utilisation and whose it is, which card a short name means, and what energy leaves out."""
    said = " ".join(machine(load_accelerator("a100")).notes())
    for text in ("312 TFLOP/s dense in bf16", "0.35, assumed", "0.25 to 0.45", "a100", "80", "TDP", "no cooling"):
        assert text in said
