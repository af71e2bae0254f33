"""From what people write to what a plan must respect: texts, numbers, contradictions."""

from typing import Any

import pytest

from scaling_cli.budgets import Budget, demands_of, parse_run
from scaling_cli.core.demands import Demands
from scaling_cli.errors import InputError

H100_PEAK = 989.4e12


def read(flops: str | None = None, **given: Any) -> tuple[float | None, Demands]:
    return demands_of(Budget(**given), flops)


def test_a_machine_and_a_time_are_compute() -> None:
    """512 cards for 30 days at 40 % of the dense peak."""
    flops, demands = read("512xH100 for 30d @40%")
    assert flops == pytest.approx(512 * 30 * 86400 * 0.4 * H100_PEAK)
    assert demands.machine is not None
    assert (demands.machine.gpus, demands.machine.mfu, demands.machine.mfu_given) == (512.0, 0.4, True)
    assert demands.hours_given


def test_hours_and_the_usual_utilisation() -> None:
    """Without a utilisation 0.35 is assumed, and is known to be."""
    flops, demands = read("1000 H100-hours")
    assert flops == pytest.approx(1000 * 3600 * 0.35 * H100_PEAK)
    assert demands.machine is not None
    assert not demands.machine.mfu_given


def test_utilisation_from_a_run() -> None:
    """Llama 3.1 405B: 34.5 % of the dense peak by 6ND."""
    _, demands = read("1e24", mfu_from="405B params, 15.6T tokens, 30.84M h100-hours")
    assert demands.machine is not None
    assert demands.machine.mfu == pytest.approx(0.345, abs=5e-4)
    assert demands.machine.accelerator.id == "h100-sxm"


def test_a_run_in_any_order() -> None:
    assert parse_run("30.84M h100-hours, 15.6T tokens, 405B params") == (405e9, 15.6e12, 30.84e6, "h100")


@pytest.mark.parametrize("text", ["", "405B params", "405B params, 15.6T tokens", "1e24", "a, b, c"])
def test_no_run(text: str) -> None:
    with pytest.raises(InputError, match="--mfu-from"):
        parse_run(text)


def test_limits_in_words() -> None:
    """Counts, bytes and money as people write them; messages repeat the words."""
    most = {"params": "8B", "memory": "80GiB", "dollars": "200k"}
    _, demands = read("1e22", gpu="h100", price="2.50", most=most, serve_precision="fp8")
    found = {limit.name: limit for limit in demands.limits}
    assert {name: limit.value for name, limit in found.items()} == {
        "params": 8e9, "memory_bytes": 80.0 * 2**30, "dollars": 2e5,
    }  # fmt: skip
    assert found["memory_bytes"].text == "--max memory=80GiB"
    assert demands.factor("memory_bytes") == 1.0


@pytest.mark.parametrize(
    ("precision", "size"), [("fp32", 4.0), ("bf16", 2.0), ("fp8", 1.0), ("int4", 0.5), (None, 2.0)]
)
def test_bytes_of_a_parameter(precision: str | None, size: float) -> None:
    _, demands = read("1e22", most={"memory": "80GB"}, serve_precision=precision)
    assert demands.factor("memory_bytes") == size


def test_whole_numbers_are_numbers() -> None:
    """A price of 2 and a limit of 30 from Python."""
    _, demands = read(gpu="h100", gpus=8, price=2, most={"days": 30})
    assert isinstance(demands.limits[0].value, float)
    assert demands.factor("dollars") > 0.0


@pytest.mark.parametrize(
    ("flops", "given", "said"),
    [
        ("512xH100 for 30d", {"most": {"days": "10"}}, ("30 days", "--max days=10")),
        ("512xH100 for 30d", {"least": {"days": "40"}}, ("30 days", "--min days=40")),
        ("1000 H100-hours", {"most": {"gpu_hours": "100"}}, ("1000 gpu_hours", "--max gpu_hours=100")),
        ("1000 H100-hours", {"gpus": "10", "most": {"days": "1"}}, ("4.16667 days", "--max days=1")),
        ("512xH100 for 30d", {"gpus": "8"}, ("512", "8")),
        ("512xH100 for 30d", {"gpu": "a100"}, ("H100", "a100")),
        ("512xH100 for 30d @40%", {"mfu": "0.5"}, ("--mfu", "--flops")),
        ("1e22", {"gpu": "h100", "most": {"days": "30"}, "least": {"days": "40"}, "gpus": "8"},
         ("--min days=40", "--max days=30")),
        ("1e22", {"most": {"memory": "1GB"}, "least": {"memory_bytes": "2GB"}}, ("memory", "1GB", "2GB")),
    ],
    ids=str,
)  # fmt: skip
def test_contradictions_name_both(flops: str, given: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        read(flops, **given)
    for text in said:
        assert text in caught.value.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gpu": "h9000"}, "unknown accelerator"),
        ({"gpus": 8}, "--gpus is given without a machine"),
        ({"inference_price": 2.0}, "--inference-price is given without a machine"),
        ({"gpu": "h100", "price": True}, "--price"),
        ({"gpu": "h100", "price": float("inf")}, "--price"),
        ({"gpu": "h100", "inference_price": -1.0}, "--inference-price"),
        ({"gpu": "h100", "inference_mfu": 3.0}, "--inference-mfu"),
        ({"serve_precision": "fp3"}, "--serve-precision"),
        ({"unique_tokens": "0"}, "--unique-tokens"),
        ({"most": {"memory": "80 pounds"}}, "--max memory"),
        ({"most": {"price": 3.0}}, "is on no number"),
        ({"gpu": "v100", "precision": "bf16"}, "no known dense peak"),
    ],
    ids=str,
)
def test_wrong_values_are_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read("1e22", **given)
