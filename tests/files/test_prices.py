"""Prices of accelerators: a number, or a dated file; none ships, and an old one says so."""

import datetime
from pathlib import Path

import pytest

from scaling_cli.errors import FileError, InputError
from scaling_cli.files.hardware import load_accelerator
from scaling_cli.files.prices import find_price, read_prices

H100 = load_accelerator("h100")
GOOD = 'date: "2026-01-01"\nprices: {H100 SXM: 2.5, a100: 1.1}\n'


def write(folder: Path, text: str) -> str:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("text", ["2.5", "$2.50", "2.5e0"])
def test_a_number(text: str) -> None:
    assert find_price(text, H100) == (2.5, "")


@pytest.mark.parametrize(("text", "said"), [("-2", "price"), ("nan", "--price"), ("cheap", "--price"), ("", "--price")])
def test_no_number(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_price(text, H100)


def test_a_file_by_any_name_of_the_card(tmp_path: Path) -> None:
    """And the note says of which day the prices are."""
    price, note = find_price(write(tmp_path, GOOD), H100)
    assert price == 2.5
    assert "2026-01-01" in note
    assert "prices.yaml" in note


def test_an_old_file_says_so(tmp_path: Path) -> None:
    """From 91 days on."""
    prices = read_prices(write(tmp_path, GOOD))
    assert "days ago" not in prices.note(datetime.date(2026, 4, 1))
    assert "91 days ago: look them up again" in prices.note(datetime.date(2026, 4, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('date: "2026-01-01"\nprices: {a100: 1.1}\n', "no price of H100"),
        ('date: "yesterday"\nprices: {h100: 1}\n', "date"),
        ("prices: {h100: 1}\n", "date"),
        ('date: "2026-01-01"\n', "prices"),
        ('date: "2026-01-01"\nprices: {h100: -1}\n', "prices"),
        ('date: "2026-01-01"\nprices: {h100: cheap}\n', "h100"),
        ('date: "2026-01-01"\nprices: {h100: .inf}\n', "finite"),
        ('date: "2026-01-01"\nprices: {h100: 1}\ncurrency: euro\n', "currency"),
    ],
)
def test_wrong_files_are_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=said) as caught:
        find_price(write(tmp_path, text), H100)
    assert "prices.yaml" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="none"):
        find_price(str(tmp_path / "none.yaml"), H100)
