"""Prices of accelerators: a number, or a dated file of the user's. None ships: prices are old before a release is."""

import datetime

from scaling_cli.core.hardware import Accelerator
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.reading import read_text
from scaling_cli.files.sections import Section
from scaling_cli.files.shelf import name_key

ENDINGS = (".yaml", ".yml")
STALE = 90  # days after which a price list is called old


def find_price(text: str, card: Accelerator) -> tuple[float, str]:
    """Return the dollars per accelerator-hour that a text says, and a note: a number, or a file that names the card.

    Raises: InputError for what is neither; FileError for a file without a price of this card.
    """
    if text.endswith(ENDINGS):
        prices = read_prices(text)
        return prices.of(card), prices.note(datetime.date.today())
    value = parse_quantity(text.lstrip("$"), "number", "--price")
    if value < 0.0:
        raise InputError(f"the price is {value:g}", "expected dollars per accelerator-hour, 0 or more: --price 2.50")
    return value, ""


class PriceList:
    """A file of prices: `date`, and `prices`, dollars per accelerator-hour by any name of an accelerator.

    Raises: FileError naming the key that is wrong.
    """

    def __init__(self, top: Section) -> None:
        top.allow(("date", "prices"))
        try:
            self.date = datetime.date.fromisoformat(top.text("date"))
        except ValueError:
            top.fail("date", f'is {top.text("date")[:20]!r}: expected the day of the prices, such as "2026-11-22"')
        self.path = top.path
        self.prices = top.section("prices").numbers()
        for name, value in self.prices.items():
            if not value >= 0.0:
                top.fail("prices", f"has {name} at {value:g}: expected dollars per accelerator-hour, 0 or more")

    def of(self, card: Accelerator) -> float:
        """Return the price of an accelerator.

        Raises: FileError where the file has none.
        """
        wanted = {name_key(name) for name in card.names}
        for name, value in self.prices.items():
            if name_key(name) in wanted:
                return value
        raise FileError(self.path, f"has no price of {card.name}", f"it has {', '.join(self.prices) or 'none'}")

    def note(self, today: datetime.date) -> str:
        """Say how old the prices are."""
        days = (today - self.date).days
        stale = f", {days} days ago: look them up again" if days > STALE else ""
        return f"prices are of {self.date.isoformat()} ({self.path}){stale}"


def read_prices(path: str) -> PriceList:
    """Return a file of prices."""
    from scaling_cli.files.strict_yaml import parse_yaml  # a price on the command line needs no YAML

    return PriceList(Section(parse_yaml(read_text(path), path), path))
