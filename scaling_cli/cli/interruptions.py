"""What an interruption leaves: a word in a pipe and the code of a shell. Loads nothing, to be there before the rest."""

import sys
from typing import NoReturn

CODE = 130  # 128 and the number of SIGINT


def leave() -> NoReturn:
    """End the process as interrupted; a terminal has shown ^C already."""
    if sys.stderr is not None and not sys.stderr.isatty():
        print("interrupted", file=sys.stderr)
    raise SystemExit(CODE) from None
