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
TAKES_PART = 0.05  # of a direction of length 1: below it a coefficient only follows
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
    if not fit.certificate.condition_number > LARGEST_CONDITION:
        return
    loose = [form.free[i].name for i in _undetermined(fit.at.hessian[0], fit.at.scale[0])]
    one = loose[0] if len(loose) == 1 else "one of them"
    raise NoAnswer(
        f"the runs do not determine {', '.join(loose)} (condition number {fit.certificate.condition_number:.1e})",
        f"add runs that spread further in params and tokens, or fix {one} with --fix",
    )


def _undetermined(matrix: Array, scale: Array) -> Array:
    """Return the numbers of the coefficients that can move together, or alone, without any effect on the fit.

    Args:
        matrix: (k, k), the normal matrix.
        scale: (k,), the roots of its diagonal.
    """
    values, vectors = np.linalg.eigh(matrix / scale[:, None] / scale[None, :])
    free = np.abs(vectors[:, values <= values[-1] / LARGEST_CONDITION])
    return np.flatnonzero(free.max(axis=1) > TAKES_PART)


def _is_one(values: Array) -> bool:
    return bool(np.ptp(values) <= SAME * np.abs(values).max())
