"""The triangular factor of a tall matrix at the speed of a matrix product, as exact as that of Householder reflections.

A'A has the square of the condition number of A, so its Cholesky factor is exact only of columns that are far from
dependent. Such columns go first: those of which the ones before them leave a share, `_APART` of the square or more.
Many of them may still be nearly dependent together, as in a chain where each is close to what is left of the one before
it. The norm of the inverse of their factor shows it, and such a matrix is factorised by reflections.
What they leave of the other columns (near copies of others, all levels of a category) is computed row by row, twice,
and factorised by reflections. So an error is a few hundred units in the last place of the length of a column, whatever
the condition number.

Source: Y. Yamamoto and others, Roundoff error analysis of the CholeskyQR2 algorithm, 2015; L. Giraud and others, The
loss of orthogonality in the Gram-Schmidt orthogonalization process, 2005 (twice is enough).
"""

import numpy as np

from linreg_cli.data.columns.kinds import Mask
from linreg_cli.least_squares.decompositions import Array, solve_triangle, square, triangle

#: The share of its square that the earlier columns must leave of a column whose products alone are taken.
_APART = 0.01
#: The largest norm of the inverse of the factor of such columns, of length 1; its square times eps is the error.
_LARGEST_INVERSE = 50.0
#: Fewer columns of a triangle than this are inverted at once.
_INVERTED = 40
#: Lengths of columns whose squares neither overflow nor lose digits.
_SHORTEST, _LONGEST = 1e-140, 1e140
#: Fewer rows for each column than this are factorised by reflections.
_TALL = 4


def tall_triangle(columns: Array) -> Array:
    """R of A = QR, where A has many rows.

    Args:
        columns: A', shape (m, n_rows), finite, float64.

    Returns:
        Shape (m, m), upper triangular, with a diagonal of at least 0; rows of zeros where n_rows < m.

    >>> tall_triangle(np.array([[3.0, 0.0, 4.0, 0.0, 0.0]])).tolist()
    [[5.0]]
    """
    m, n_rows = columns.shape
    if n_rows < _TALL * m:
        return square(triangle(columns.T))
    with np.errstate(over="ignore", invalid="ignore"):
        products = columns @ columns.T
        lengths = np.sqrt(np.diag(products))
    if not (lengths.max() < _LONGEST and lengths[lengths > 0].min(initial=_LONGEST) > _SHORTEST):
        return square(triangle(columns.T))
    scale = np.divide(1.0, lengths, out=np.zeros(m), where=lengths > 0)
    R, apart = _cholesky(products * scale * scale[:, None])
    if np.count_nonzero(~apart) > m // 2 or _norm_of_inverse(R[:, apart]) > _LARGEST_INVERSE:
        return square(triangle(columns.T))
    if apart.all():
        return R * lengths
    left = _left(columns, R, apart, scale)
    whole = np.zeros((len(R) + min(left.shape), m))
    whole[: len(R)] = R
    whole[len(R) :, ~apart] = triangle(left.T)
    return square(triangle(whole * lengths))


def _cholesky(products: Array) -> tuple[Array, Mask]:
    """The rows of R of the columns that are far from dependent on those before them, and which these are.

    Args:
        products: of columns of length 1, or 0, shape (m, m).
    """
    m = len(products)
    try:
        R = np.asarray(np.linalg.cholesky(products).T, dtype=np.float64)
        if np.diag(R).min() ** 2 >= _APART:
            return R, np.ones(m, dtype=bool)
    except np.linalg.LinAlgError:  # a column depends on those before it
        pass
    rest, apart = products.copy(), np.zeros(m, dtype=bool)
    R = np.zeros((m, m))
    for column in range(m):
        if rest[column, column] >= _APART:
            row = rest[column] / np.sqrt(rest[column, column])
            row[apart] = 0.0
            rest -= np.outer(row, row)
            R[column], apart[column] = row, True
    return R[apart], apart


def _norm_of_inverse(R: Array) -> float:
    """An upper bound of the spectral norm of the inverse, sqrt(norm_1 norm_inf); 0 without columns."""
    inverse = abs(_inverse(R))
    return float(np.sqrt(inverse.sum(axis=0).max(initial=0.0) * inverse.sum(axis=1).max(initial=0.0)))


def _inverse(R: Array) -> Array:
    """The inverse of an upper triangle by products of its halves, ten times as fast as a solver for any matrix."""
    half = len(R) // 2
    if len(R) < _INVERTED:
        return solve_triangle(R, np.eye(len(R)))
    found = np.zeros_like(R)
    found[:half, :half], found[half:, half:] = _inverse(R[:half, :half]), _inverse(R[half:, half:])
    found[:half, half:] = -found[:half, :half] @ R[:half, half:] @ found[half:, half:]
    return found


def _left(columns: Array, R: Array, apart: Mask, scale: Array) -> Array:
    """What the columns that are apart leave of the others, shape (m - n_apart, n_rows); adds the correction to R."""
    weights = np.zeros((np.count_nonzero(~apart), len(columns)))
    weights[:, ~apart] = np.diag(scale[~apart])
    weights[:, apart] = -solve_triangle(R[:, apart], R[:, ~apart]).T * scale[apart]
    left = weights @ columns
    again = solve_triangle(R[:, apart], (left @ columns.T * scale)[:, apart].T, transposed=True)
    R[:, ~apart] += again
    weights[:, ~apart] = 0.0
    weights[:, apart] = solve_triangle(R[:, apart], again).T * scale[apart]
    left -= weights @ columns  # zeros for the others, since a selection of columns would be a copy of most of the rows
    return left
