"""How a benchmark is called: by one number or by nothing; --help prints what the script says of itself."""

import argparse


def number_of(doc: str | None, name: str = "", default: int = 0) -> int:
    """Return the number that a benchmark is called with; print its use and end where that is asked for or is wrong.

    Args:
        doc: the docstring of the script.
        name: what the number is, in capitals; '' where the script takes none.
        default: the number where none is given.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if name:
        parser.add_argument("number", metavar=name, nargs="?", type=_count, default=default, help=f"default {default}")
    return int(getattr(parser.parse_args(), "number", default))


def _count(text: str) -> int:
    number = float(text)  # 1e6 too
    if number < 1 or not number.is_integer():
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(number)
