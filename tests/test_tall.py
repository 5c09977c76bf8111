"""The triangular factor of tall matrices against extended precision, for columns from independent to dependent."""

import numpy as np
import pytest

from linreg_cli.least_squares.tall import tall_triangle

N = 3_000
RNG = np.random.default_rng(11)
Z = RNG.standard_normal((N, 8))
CITY = (RNG.integers(0, 6, N)[:, None] == np.arange(6)).astype(float)


def near(distance: float) -> np.ndarray:
    """Two of the columns are nearly what others give."""
    A = Z.copy()
    A[:, 4] = A[:, 1] - A[:, 2] + distance * A[:, 4]
    A[:, 7] = A[:, 4] + distance * A[:, 7]
    return A


def chain(length: int) -> np.ndarray:
    """Each column is close to what those before it leave of the one before it: far from each, near all of them."""
    Q = np.linalg.qr(RNG.standard_normal((N, length)))[0]
    A = 0.14 * Q
    A[:, 0] = Q[:, 0]
    A[:, 1:] += 0.99 * Q[:, :-1]
    return A


CASES = {
    "independent": Z,
    "lengths from 1e-100 to 1e100": Z * 10.0 ** np.linspace(-100, 100, 8),
    "lengths whose squares overflow": Z * 10.0 ** np.linspace(-180, 180, 8),
    "few rows": Z[:9],
    "correlated": near(0.3),
    "just within the products": near(0.11),
    "just without": near(0.09),
    "near copies": near(1e-5),
    "a chain of 6": chain(6),
    "the other half": np.hstack([Z[:, :3], Z[:, :4] + 1e-4 * Z[:, 4:], Z[:, 4:]]),
    "a row of ones and all levels but one": np.hstack([np.ones((N, 1)), CITY[:, 1:], Z]),
}


def in_extended_precision(A: np.ndarray) -> np.ndarray:
    """R by Gram and Schmidt, three times, in 80 bits."""
    columns, R = np.asarray(A, dtype=np.longdouble), np.zeros((A.shape[1],) * 2, dtype=np.longdouble)
    Q = np.zeros_like(columns)
    for j in range(A.shape[1]):
        rest = columns[:, j].copy()
        for _ in range(3):
            shares = Q[:, :j].T @ rest
            R[:j, j] += shares
            rest -= Q[:, :j] @ shares
        R[j, j] = np.sqrt(rest @ rest)
        Q[:, j] = rest / R[j, j]
    return R


@pytest.mark.parametrize("case", CASES)
def test_each_entry_is_that_of_extended_precision(case):
    A = CASES[case]
    found, expected = tall_triangle(np.ascontiguousarray(A.T)), in_extended_precision(A)
    lengths = np.linalg.norm(A.astype(np.longdouble), axis=0)
    # what is left of a column has an error of eps of its length, and the rows of R after it, relative to what is left
    left = np.diag(expected) / lengths
    bound = 200 * np.finfo(float).eps / left.min()
    assert float(np.max(np.abs(found - expected) / lengths)) < bound
    assert np.array_equal(found, np.triu(found))
    assert np.diag(found).min() > 0


@pytest.mark.parametrize("length", [4, 8, 12])
def test_coefficients_of_columns_that_are_nearly_dependent_together_are_those_of_reflections(length):
    A = chain(length)
    R, exact = tall_triangle(np.ascontiguousarray(A.T)), in_extended_precision(A)
    b, expected = (np.linalg.solve(np.asarray(r[:-1, :-1], float), np.asarray(r[:-1, -1], float)) for r in (R, exact))
    assert np.abs(b - expected).max() < 50 * np.finfo(float).eps * np.linalg.cond(A) * np.abs(expected).max()


@pytest.mark.parametrize("copies", ["a copy", "zeros", "all levels", "half of them twice"])
def test_what_is_left_of_a_dependent_column_is_rounding_error(copies):
    ones = np.ones((N, 1))
    A, dependent = {
        "a copy": (np.hstack([Z, Z[:, :1], ones]), [8]),
        "zeros": (np.hstack([Z[:, :3], 0 * ones, Z[:, 3:]]), [3]),
        "all levels": (np.hstack([ones, Z[:, :2], CITY, Z[:, 2:]]), [8]),
        "half of them twice": (np.hstack([Z, 3 * Z]), list(range(8, 16))),
    }[copies]
    R = tall_triangle(np.ascontiguousarray(A.T))
    lengths = np.linalg.norm(A, axis=0)
    assert np.abs(np.diag(R)[dependent]).max() < 1e-14 * lengths.max()
    np.testing.assert_allclose(R.T @ R, A.T @ A, rtol=0, atol=1e-14 * lengths.max() ** 2)
