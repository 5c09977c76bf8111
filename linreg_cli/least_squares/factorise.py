"""The factorisation of a least-squares problem with any number of rows: centring, scaling, blocked QR.

Suffixes are shapes, as in `factor`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.data.columns.row_weights import Weights, WeightsOnAccess, roots, sum_of
from linreg_cli.data.columns.rows import RowsOnAccess
from linreg_cli.least_squares.decompositions import triangle
from linreg_cli.least_squares.factor import BLOCK_ROWS, EPS, Array, Factor, power_of_two

_SMALLEST = float(np.finfo(np.float64).tiny)


def factorise(
    X_nd: npt.ArrayLike | RowsOnAccess,
    y_nk: npt.ArrayLike | RowsOnAccess,
    *,
    bias: bool,
    eps: float | None = None,
    weights: npt.ArrayLike | WeightsOnAccess | None = None,
) -> Factor:
    """The factor of [X 1 y], in three passes over blocks of rows in float64; memory does not grow with the rows.

    Args:
        X_nd: shape (n_samples, n_features), finite, any float dtype.
        y_nk: shape (n_samples, n_targets), finite, any float dtype.
        bias: whether the model has an intercept.
        eps: the machine epsilon that rank and rounding error are judged by; None: the larger one of X's and y's dtypes.
        weights: of the rows, above 0 and with mean 1, shape (n_samples,); None: all are 1.

    Raises:
        ValueError: unless both are 2-D with the same number of rows, at least one.

    >>> factor = factorise([[1.0], [2.0], [3.0]], [[3.0], [5.0], [7.0]], bias=True)
    >>> factor.rank, factor.center.tolist(), abs(float(factor.rest_k[0])) < 1e-30
    (2, [2.0], True)

    Source: J. Demmel, L. Grigori, M. Hoemmen, J. Langou, Communication-optimal parallel and sequential QR and LU
    factorizations, 2012 (a tree of small QRs).
    """
    return factorise_rows(DividedRows(X_nd, y_nk, weights), bias=bias, eps=eps)


def factorise_rows(rows: DividedRows, *, bias: bool, eps: float | None = None) -> Factor:
    """As `factorise`, of rows in the parts by which sums are added up.

    Args:
        rows: X, y and weights, in parts that other processes may have.
        bias: as for `factorise`.
        eps: likewise.

    Raises:
        ValueError: as `factorise`.
    """
    X, y, weight_n = rows.X_nd, rows.y_nk, rows.weight_n
    if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or not len(X):
        raise ValueError(f"X {X.shape} and y {y.shape} must be 2-D, with the same number of rows, at least one")
    # Without an intercept a target is not centred, but `constant_k` needs its spread about the mean.
    of_X, (y_mean, y_spread, y_largest) = _column_statistics(rows, weight_n, centered=(bias, True))
    center, spread, largest = of_X
    y_center = y_mean if bias else np.zeros(y.shape[1])
    with np.errstate(over="ignore"):  # where only the columns matter, such as for their condition number
        constant_k = y_spread**2 * len(y)
    p, k = X.shape[1] + bias, y.shape[1]
    empty = np.zeros((0, 0))
    factor = Factor(
        n_samples=len(X),
        eps=max(_unit(X), _unit(y)) if eps is None else eps,
        bias=bias,
        center=center,
        scale=power_of_two(spread),
        spread=spread,
        largest=largest,
        target_center=y_center,
        target_scale=power_of_two(y_spread if bias else y_largest),
        target_largest=y_largest,
        R_pp=np.zeros((p, p)),
        R_pk=empty,
        rest_k=empty,
        constant_k=constant_k,
        root_n=None if weight_n is None else roots(weight_n),
    )
    R = np.zeros((p + k, p + k))
    triangles = rows.of_parts(_triangle, factor.bare)
    reduced = triangles[0] if len(triangles) == 1 else triangle(np.vstack(triangles))
    R[: len(reduced)] = reduced
    return replace(factor, R_pp=R[:p, :p], R_pk=R[:p, p:], rest_k=np.sum(R[p:, p:] ** 2, axis=0))


def _unit(values: Any) -> float:
    """The machine epsilon of the dtype of the values; that of float64 for other types than floats."""
    return float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else EPS


def _triangle(part: Part, factor: Factor) -> Array:
    """The R of the rows of a part."""
    columns = factor.n_parameters + factor.n_targets
    # A decomposition holds three copies of what it is given: of 32 columns 8 MiB each, and no more of wider tables.
    most = max(BLOCK_ROWS, min(4 * BLOCK_ROWS, 2**20 // columns))
    pending: list[Array] = []
    for rows in part.blocks(max(BLOCK_ROWS, 4 * columns)):
        given = factor.unweighted_rows(part.X_nd[rows]), factor.target_rows(part.y_nk[rows])
        pending.append(triangle(np.hstack([part.weighted(each, rows) for each in given])))
        if len(pending) * columns >= most:
            pending = [triangle(np.vstack(pending))]
    return triangle(np.vstack(pending))


def _column_statistics(
    rows: DividedRows, weight_n: Weights | None, *, centered: tuple[bool, bool]
) -> list[tuple[Array, Array, Array]]:
    """Of X and of y: the center (0 if not centred), the spread about it and the largest absolute value of each column.

    All have shape (n_columns,).
    """
    n = len(rows.X_nd)
    sum_of_weights = float(n) if weight_n is None else sum_of(weight_n)
    looks, centers, units, found = rows.of_parts(_first_look), [], [], []
    for of, (is_centered, values) in enumerate(zip(centered, (rows.X_nd, rows.y_nk), strict=True)):
        total, low, high = zip(*(look[of] for look in looks), strict=True)
        lowest, highest = np.minimum.reduce(low), np.maximum.reduce(high)
        # The rounding error of a mean would give a constant column a tiny spread, so its center is its value.
        mean = in_order(total) / sum_of_weights
        centers.append(np.where(lowest == highest, lowest, mean) if is_centered else np.zeros(values.shape[1]))
        units.append(power_of_two(np.maximum(np.abs(lowest - centers[of]), np.abs(highest - centers[of]))))
        found.append(np.maximum(np.abs(lowest), np.abs(highest)))
    looks, statistics = rows.of_parts(_second_look, centers, units), []
    for of, (is_centered, center, unit) in enumerate(zip(centered, centers, units, strict=True)):
        first, second = (in_order(each) for each in zip(*(look[of] for look in looks), strict=True))
        if is_centered:
            # The second pass corrects the rounding error of the first mean.
            center = center + unit * first / sum_of_weights
            second = np.maximum(second - first**2 / sum_of_weights, 0.0)
        statistics.append((center, unit * np.sqrt(second / n), found[of]))
    return statistics


def _first_look(part: Part) -> list[tuple[Array, Array, Array]]:
    """Of X and of y: the sum of each column, its lowest and its highest value, each (n_columns,)."""
    found = []
    for values in (part.X_nd, part.y_nk):
        total = np.zeros(values.shape[1])
        low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
        for rows in part.blocks(BLOCK_ROWS):
            some = np.asarray(values[rows], dtype=np.float64)
            total += some.sum(axis=0) if part.weight_n is None else part.weight_n[rows] @ some
            low, high = np.minimum(low, some.min(axis=0)), np.maximum(high, some.max(axis=0))
        found.append((total, low, high))
    return found


def _second_look(part: Part, centers: list[Array], units: list[Array]) -> list[tuple[Array, Array]]:
    """Of X and of y: the sums of z = (value - center) / unit and of z^2 of each column, each (n_columns,)."""
    found = []
    for values, center, unit in zip((part.X_nd, part.y_nk), centers, units, strict=True):
        first, second = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for rows in part.blocks(BLOCK_ROWS):
            some = (np.asarray(values[rows], dtype=np.float64) - center) / unit
            if part.weight_n is None:
                first += some.sum(axis=0)
                second += np.einsum("ij,ij->j", some, some)
            else:
                first += part.weight_n[rows] @ some
                second += part.weight_n[rows] @ some**2
        found.append((first, second))
    return found
