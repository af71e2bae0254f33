"""What a form makes of the sizes of runs: which of them its free coefficients depend on, and which two only together.

Asked of the formula itself, at random values of everything in it, so that what the runs are does not count.
"""

from typing import Any

import numpy as np

from scaling_cli.core.duals import Dual, slope_of
from scaling_cli.core.formulas import compile_tree, names_in
from scaling_cli.fit.forms import Form

Array = Any
POINTS = 64
LARGEST = 10.0  # of random data, which start at 1
AROUND_ONE = (0.5, 1.5)  # random coefficients
SAME = 1e-9  # relative difference of two effects that are one


class Effects:
    """The effect of e times a size on the prediction, at random data and two random sets of coefficients.

    Args:
        form: what is to be fitted.
    """

    def __init__(self, form: Form) -> None:
        rng = np.random.default_rng(0)
        free = {coefficient.name for coefficient in form.free}
        self._function = compile_tree(form.tree)
        self._given = {
            name: rng.uniform(*AROUND_ONE, (2, 1)) if name in free else rng.uniform(1.0, LARGEST, POINTS)
            for name in dict.fromkeys(names_in(form.tree))
        }

    def matters(self, size: str) -> bool:
        """Return whether free coefficients say what is due to a size: not where all of it is known beforehand."""
        one, other = self._of(size)
        return not _are_one(one, other)

    def are_apart(self, one: str, other: str) -> bool:
        """Return whether free coefficients say what is due to one size apart from the other.

        They do not where the form takes both as one, such as N * D or D / N, or knows the part of one beforehand.
        """
        if not (self.matters(one) and self.matters(other)):
            return False
        first, second = self._of(one).ravel(), self._of(other).ravel()
        known = np.isfinite(first) & np.isfinite(second)
        first, second = first[known], second[known]
        if not first.size:
            return True
        largest = int(np.abs(second).argmax())
        return not _are_one(first * second[largest], second * first[largest])

    def _of(self, size: str) -> Array:
        """Return the derivative by the logarithm of a size, (2, POINTS); not finite where the form has no value."""
        if size not in self._given:
            return np.zeros((2, POINTS))
        values = self._given[size]
        with np.errstate(all="ignore"):
            found = self._function({**self._given, size: Dual(values, values)})
        return np.broadcast_to(slope_of(found), (2, POINTS))


def _are_one(one: Array, other: Array) -> bool:
    known = np.isfinite(one) & np.isfinite(other)
    if not known.any():
        return False
    scale = max(float(np.abs(one[known]).max()), float(np.abs(other[known]).max()))
    return bool((np.abs(one - other)[known] <= SAME * scale).all())
