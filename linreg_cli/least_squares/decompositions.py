"""Decompositions of small dense matrices, as `Factor` and what is read from it need them."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def triangle(A: Array) -> Array:
    """The R of A = QR, shape (min(n_rows, n_columns), n_columns)."""
    # numpy's annotation does not know that mode="r" returns one array.
    return np.asarray(np.linalg.qr(A, mode="r"))


def square(R: Array) -> Array:
    """An upper triangle with rows of zeros, where there were fewer rows than columns, and a diagonal of one sign."""
    full = np.zeros((R.shape[1],) * 2)
    full[: len(R)] = R
    return full * np.where(np.diag(full) < 0, -1.0, 1.0)[:, None]


def solve_triangle(R: Array, b: Array, *, transposed: bool = False) -> Array:
    """x with R x = b, or R' x = b, for an upper triangular R of full rank: back substitution.

    In an upper triangle, LU with pivoting has nothing to eliminate, so numpy's general solver only substitutes. R' is
    upper triangular after its rows and columns are reversed. scipy's solver would add an import to each run.

    Args:
        R: shape (p, p).
        b: shape (p,) or (p, m).
        transposed: solve with R'.
    """
    if not transposed:
        return np.asarray(np.linalg.solve(R, b), dtype=np.float64)
    return np.asarray(np.linalg.solve(R.T[::-1, ::-1], b[::-1])[::-1], dtype=np.float64)


def row_lengths(A: Array) -> Array:
    """The Euclidean length of each row, shape (n_rows,); no square overflows or underflows.

    >>> (row_lengths(np.array([[3.0, 4.0]]) * 2.0**800) / 2.0**800).tolist()
    [5.0]
    """
    _, exponents = np.frexp(np.abs(A).max(axis=1, initial=0.0))
    scaled = np.ldexp(A, -exponents[:, None])
    lengths: Array = np.ldexp(np.sqrt(np.einsum("ij,ij->i", scaled, scaled)), exponents)
    return lengths


def split(A: Array) -> tuple[Array, Array]:
    """Orthonormal bases of the column space of A, shape (n_rows, n_columns), and of its complement."""
    basis = np.linalg.qr(A, mode="complete")[0]
    return basis[:, : A.shape[1]], basis[:, A.shape[1] :]


def filled_svd(A: Array) -> tuple[Array, Array, Array]:
    """U, S and V' of shapes (m, m), (p,), (p, p) for a matrix of shape (m, p), m <= p; S is filled up with zeros."""
    U, S, Vt = np.linalg.svd(A)
    return U, np.append(S, np.zeros(A.shape[1] - len(S))), Vt
