"""The three ways from runs to a law, by name."""

from collections.abc import Callable

from scaling_cli.errors import InputError
from scaling_cli.fit.frontiers import FrontierAnswer
from scaling_cli.fit.predictions import Answer
from scaling_cli.fitting import parametric
from scaling_cli.fitting.frontiers import MINIMA, fit_minima
from scaling_cli.fitting.requests import Request, check_draws

METHODS = ("parametric", *MINIMA)


def fit_runs(request: Request, *, progress: Callable[[int], None] | None = None) -> Answer | FrontierAnswer:
    """Return the law in a file of runs, by the method that is asked for.

    Args:
        request: what to fit.
        progress: told how many refits of a formula are done, as they are.

    Raises: FileError and InputError for a wrong file or question; NoAnswer when the runs do not determine the law.
    """
    if request.method not in METHODS:
        raise InputError(f"no method named {request.method[:40]!r}", f"expected one of {', '.join(METHODS)}")
    check_draws(request.draws)
    return fit_minima(request) if request.method in MINIMA else parametric.fit_runs(request, progress=progress)
