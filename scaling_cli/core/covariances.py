"""Draws from a covariance of coefficients, where a source prints one and no refits."""

import math
import random
from collections.abc import Sequence

from scaling_cli.core.laws import Draws

COUNT = 1000
ROUNDING = 1e-9  # relative size below which what is left of a variance counts as zero
MOST_LOGS = 300.0  # e-folds that a draw may lie above its estimate
INDEFINITE = "row {} makes it indefinite, perhaps by rounding: more digits are needed"

Matrix = Sequence[Sequence[float]]


def normal_draws(
    names: Sequence[str], values: Sequence[float], covariance: Matrix, *, relation: str, level: float
) -> Draws:
    """Return 1000 normal draws of coefficients, always the same ones.

    A coefficient that is above zero and would not be so in every draw is drawn on the logarithmic scale instead, with
    the standard deviation that the delta method gives its logarithm: s / value.

    Args:
        names: the coefficients.
        values: their estimates.
        covariance: their covariance, in the same order, a row each.
        relation: which relation states it.
        level: of the intervals to come.

    Raises: ValueError when the matrix is no covariance, or a standard deviation is hundreds of times its estimate.
    """
    factor = cholesky(covariance)
    source = random.Random(0)
    steps: list[list[float]] = []
    for _ in range(COUNT):
        noise = [source.gauss(0.0, 1.0) for _ in names]
        steps.append([sum(a * z for a, z in zip(row, noise, strict=False)) for row in factor])
    columns = [_moved(value, [step[i] for step in steps]) for i, value in enumerate(values)]
    return Draws(tuple(names), tuple(zip(*columns, strict=True)), relation, level, "normal draws from its covariance")


def _moved(value: float, steps: list[float]) -> list[float]:
    if value > 0.0 >= value + min(steps):
        if max(steps) > MOST_LOGS * value:
            raise ValueError(f"its standard deviations are far beyond the estimate {value:g}")
        return [value * math.exp(step / value) for step in steps]
    return [value + step for step in steps]


def cholesky(matrix: Matrix) -> list[list[float]]:
    """Return the rows of the lower triangle F with F F' = matrix; a variance of zero gives zeros.

    Raises: ValueError when the matrix is not symmetric or not positive semidefinite.
    """
    rows: list[list[float]] = []
    for i, given in enumerate(matrix):
        row: list[float] = []
        for j, other in enumerate(rows):
            if abs(given[j] - matrix[j][i]) > ROUNDING * abs(given[j]):
                raise ValueError(f"its elements {i + 1}, {j + 1} and {j + 1}, {i + 1} differ")
            rest = given[j] - sum(a * b for a, b in zip(row, other, strict=False))
            if not other[j] and rest**2 > ROUNDING * abs(given[i] * matrix[j][j]):
                raise ValueError(INDEFINITE.format(i + 1))
            row.append(rest / other[j] if other[j] else 0.0)
        variance = given[i] - sum(a * a for a in row)
        if variance < -ROUNDING * abs(given[i]) or given[i] < 0.0:
            raise ValueError(INDEFINITE.format(i + 1))
        row.append(math.sqrt(variance) if variance > ROUNDING * given[i] else 0.0)
        rows.append(row)
    return rows
