"""Budgets told as machines: what is read, and what is refused with the reason."""

import pytest

from scaling_cli.core.machine_budgets import MachineBudget, is_machine_budget, parse_machine_budget
from scaling_cli.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512xH100 for 30d @40%", MachineBudget("H100", 512.0 * 720.0, 512.0, 0.4)),
        ("512 x H100 SXM for 30 days", MachineBudget("H100 SXM", 512.0 * 720.0, 512.0, None)),
        ("2k*a100-80gb-sxm for 2w @0.5", MachineBudget("a100-80gb-sxm", 2000.0 * 336.0, 2000.0, 0.5)),
        ("8xMI300X for 90min", MachineBudget("MI300X", 12.0, 8.0, None)),
        ("8xV100 for 1.5h@ 30 %", MachineBudget("V100", 12.0, 8.0, 0.3)),
        ("30.84M H100-hours @40%", MachineBudget("H100", 30.84e6, None, 0.4)),
        ("3.11e6 V100 GPU hours", MachineBudget("V100", 3.11e6, None, None)),
        ("1 h100-hour", MachineBudget("h100", 1.0, None, None)),
    ],
)
def test_read(text: str, expected: MachineBudget) -> None:
    assert is_machine_budget(text)
    assert parse_machine_budget(text, "--flops") == expected


@pytest.mark.parametrize("text", ["1e22", "3640 PF-days", "5 PFLOP/s-hours", "5.76e23 FLOPs", "1 ZFLOPs", "70B", ""])
def test_amounts_of_compute_are_no_machines(text: str) -> None:
    assert not is_machine_budget(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("512xH100 for 30m @40%", "min for minutes"),
        ("512xH100 for 2 months", "no unit of time"),
        ("512xH100 for 30d @140%", "utilisation"),
        ("512xH100 for 30d @0%", "utilisation"),
        ("512xH100 for 30d @45", "0.45"),
        ("0xH100 for 30d", "greater than zero"),
        ("512xH100 for 0d", "greater than zero"),
        ("512xH100 for -3d", "no amount of compute"),
        ("512xH100", "no amount of compute"),
        ("H100 for 30d", "no amount of compute"),
        ("0 H100-hours", "greater than zero"),
        ("1.2.3 H100-hours", "hours"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_machine_budget(text, "--flops")
    assert said in f"{caught.value.message} {' '.join(caught.value.hints)}"
    assert "--flops" in caught.value.message or "utilisation" in caught.value.message
