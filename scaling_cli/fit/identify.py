"""Whether runs can determine a form at all, asked before the fit and after it, with what to run next."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_cli.core.formulas import names_in
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.forms import Form
from scaling_cli.fit.optima import LARGEST_CONDITION, PointFit

Array = Any
SAME = 1e-6  # relative spread below which values are one value
WORDS = {"N": ("model size", "params"), "D": ("number of tokens", "tokens"), "C": ("budget", "flops")}


def check_runs(form: Form, data: Mapping[str, Array], size: int) -> None:
    """Raise NoAnswer when the runs cannot tell the form's coefficients apart.

    Args:
        form: what is to be fitted.
        data: the columns it uses, (n,) each.
        size: how many runs there are.
    """
    wanted = len(form.free)
    if size <= wanted:
        runs = "1 run" if size == 1 else f"{size} runs"
        raise NoAnswer(
            f"{runs} cannot determine {wanted} coefficients ({', '.join(c.name for c in form.free)})",
            f"at least {wanted + 1} are needed; add runs, or fix coefficients with --fix",
        )
    used = set(names_in(form.tree))
    for letter, (thing, column) in WORDS.items():
        if letter in used and _is_one(data[letter]):
            raise NoAnswer(
                f"every run has one {thing} ({column} {float(data[letter][0]):.4g}): its part of the loss cannot be "
                "told from the constant",
                f"add runs that differ in {column}, by a factor of 4 or more",
            )
    if {"N", "D"} <= used and _is_one(data["D"] / data["N"]):
        raise NoAnswer(
            f"every run has the same tokens per parameter ({float(data['D'][0] / data['N'][0]):.4g}): what is due to "
            "params cannot be told from what is due to tokens",
            "add runs at another ratio, for example 4 times as many tokens per parameter",
        )


def check_fit(form: Form, fit: PointFit) -> None:
    """Raise NoAnswer when the optimum is no point: some combination of coefficients does not matter."""
    if fit.certificate.condition_number > LARGEST_CONDITION:
        raise NoAnswer(
            f"the runs do not determine {', '.join(c.name for c in form.free)} "
            f"(condition number {fit.certificate.condition_number:.1e})",
            "add runs that spread further in params and tokens, or fix a coefficient with --fix",
        )


def _is_one(values: Array) -> bool:
    return bool(np.ptp(values) <= SAME * np.abs(values).max())
