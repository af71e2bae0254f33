"""Normal draws from a covariance, and the Cholesky factor behind them."""

import random
from typing import Any

import numpy as np
import pytest

from scaling_cli.core.covariances import COUNT, cholesky, normal_draws

NAMES, VALUES = ("E", "A", "alpha"), (1.8, 480.0, 0.35)
COVARIANCE = [[9e-4, 1.2, 2.4e-4], [1.2, 1.5e4, 2.4], [2.4e-4, 2.4, 4e-4]]


def columns(values: Any = VALUES, covariance: Any = COVARIANCE) -> Any:
    return np.array(normal_draws(NAMES, values, covariance, relation="loss", level=0.8).rows).T


def random_covariance(size: int, rank: int, seed: int) -> list[list[float]]:
    source = random.Random(seed)
    half = np.array([[source.gauss(0.0, 10.0**i) for _ in range(rank)] for i in range(size)])
    return (half @ half.T).tolist()


@pytest.mark.parametrize(("size", "rank"), [(1, 1), (3, 3), (6, 6), (4, 2), (5, 1)])
def test_factors_multiply_to_the_matrix(size: int, rank: int) -> None:
    matrix = random_covariance(size, rank, seed=size)
    factor = np.zeros((size, size))
    for i, row in enumerate(cholesky(matrix)):
        assert len(row) == i + 1
        factor[i, : i + 1] = row
    scale = np.sqrt(np.outer(np.diagonal(matrix), np.diagonal(matrix)))
    np.testing.assert_allclose(factor @ factor.T / scale, np.array(matrix) / scale, atol=1e-8)


def test_the_factor_of_a_full_matrix_is_numpys() -> None:
    factor = np.linalg.cholesky(np.array(COVARIANCE))
    for i, row in enumerate(cholesky(COVARIANCE)):
        assert row == pytest.approx(factor[i, : i + 1])


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], "2, 1 and 1, 2 differ"),
        ([[1.0, 2.0], [2.0, 1.0]], "row 2 makes it indefinite"),
        ([[-1.0]], "row 1 makes it indefinite"),
        ([[0.0, 1.0], [1.0, 0.0]], "row 2 makes it indefinite"),
        ([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]], "row 3 makes it indefinite"),
    ],
)
def test_what_is_no_covariance(matrix: list[list[float]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        cholesky(matrix)


def test_draws_have_the_covariance() -> None:
    small = np.array(COVARIANCE) / 100.0
    found = columns(covariance=small.tolist())
    assert found.shape == (3, COUNT)
    scale = np.sqrt(np.outer(np.diagonal(small), np.diagonal(small)))
    np.testing.assert_allclose(np.cov(found) / scale, small / scale, atol=0.15)  # sampling: 3 / sqrt(COUNT)
    error = np.sqrt(np.diagonal(small) / COUNT)
    assert (np.abs(found.mean(axis=1) - VALUES) < 4.0 * error).all()


def test_draws_are_always_the_same() -> None:
    assert normal_draws(NAMES, VALUES, COVARIANCE, relation="loss", level=0.8) == normal_draws(
        NAMES, VALUES, COVARIANCE, relation="loss", level=0.8
    )
    assert columns()[0][0] == pytest.approx(1.8 + 0.03 * random.Random(0).gauss(0.0, 1.0))


def test_what_must_be_positive_is_drawn_by_its_logarithm() -> None:
    wide = [[9e-4, 0.0, 0.0], [0.0, 240.0**2, 0.0], [0.0, 0.0, 4e-4]]  # A 480 +- 240
    e, big_a, alpha = columns(covariance=wide)
    assert big_a.min() > 0.0
    assert np.log(big_a).std() == pytest.approx(0.5, rel=0.1)
    assert np.median(big_a) == pytest.approx(480.0, rel=0.06)
    plain = columns(covariance=[[9e-4, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 4e-4]])
    np.testing.assert_array_equal(e, plain[0])  # the others stay as they were
    np.testing.assert_array_equal(alpha, plain[2])


def test_what_is_negative_stays_on_its_own_scale() -> None:
    found = columns(values=(-0.01, 480.0, 0.35))[0]
    assert found.min() < -0.01 < 0.0 < found.max()


def test_a_deviation_beyond_all_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="far beyond the estimate"):
        columns(covariance=[[1e6, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1e-4]])
