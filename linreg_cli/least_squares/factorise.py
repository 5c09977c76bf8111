"""The factorisation of a least-squares problem with any number of rows: centring, scaling, blocked QR.

Suffixes are shapes, as in `factor`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.decompositions import triangle
from linreg_cli.least_squares.factor import BLOCK_ROWS, EPS, Array, Factor, blocks, matrix, power_of_two

_SMALLEST = float(np.finfo(np.float64).tiny)


def factorise(
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    *,
    bias: bool,
    eps: float | None = None,
    weights: npt.ArrayLike | None = None,
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
    X, y = matrix(X_nd), matrix(y_nk)
    if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or not len(X):
        raise ValueError(f"X {X.shape} and y {y.shape} must be 2-D, with the same number of rows, at least one")
    weight_n = None if weights is None else np.asarray(weights, dtype=np.float64)
    center, spread, largest = _column_statistics(X, weight_n, centered=bias)
    # Without an intercept a target is not centred, but `constant_k` needs its spread about the mean.
    y_mean, y_spread, y_largest = _column_statistics(y, weight_n, centered=True)
    y_center = y_mean if bias else np.zeros(y.shape[1])
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
        constant_k=y_spread**2 * len(y),
        root_n=None if weight_n is None else np.sqrt(weight_n),
    )
    R = np.zeros((p + k, p + k))
    reduced = _reduce(X, y, factor)
    R[: len(reduced)] = reduced
    return replace(factor, R_pp=R[:p, :p], R_pk=R[:p, p:], rest_k=np.sum(R[p:, p:] ** 2, axis=0))


def _unit(values: Any) -> float:
    """The machine epsilon of the dtype of the values; that of float64 for other types than floats."""
    return float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else EPS


def _reduce(X: npt.NDArray[np.generic], y: npt.NDArray[np.generic], factor: Factor) -> Array:
    columns = factor.n_parameters + y.shape[1]
    pending: list[Array] = []
    for rows in blocks(len(X), max(BLOCK_ROWS, 4 * columns)):
        pending.append(triangle(np.hstack([factor.rows(X[rows], rows), factor.target_rows(y[rows], rows)])))
        if len(pending) * columns >= 4 * BLOCK_ROWS:
            pending = [triangle(np.vstack(pending))]
    return triangle(np.vstack(pending))


def _column_statistics(
    X: npt.NDArray[np.generic], weight_n: Array | None, *, centered: bool
) -> tuple[Array, Array, Array]:
    """The center (0 if not centred), the spread about it and the largest absolute value of each column, each (d,)."""
    n, sum_of_weights = len(X), float(len(X)) if weight_n is None else float(weight_n.sum())
    total = np.zeros(X.shape[1])
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for rows in blocks(n):
        part = np.asarray(X[rows], dtype=np.float64)
        total += part.sum(axis=0) if weight_n is None else weight_n[rows] @ part
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    largest = np.maximum(np.abs(low), np.abs(high))
    # The rounding error of a mean would give a constant column a tiny spread, so its center is its value.
    center = np.where(low == high, low, total / sum_of_weights) if centered else np.zeros(X.shape[1])
    unit = power_of_two(np.maximum(np.abs(low - center), np.abs(high - center)))
    first, second = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows in blocks(n):
        part = (np.asarray(X[rows], dtype=np.float64) - center) / unit
        if weight_n is None:
            first += part.sum(axis=0)
            second += np.einsum("ij,ij->j", part, part)
        else:
            first += weight_n[rows] @ part
            second += weight_n[rows] @ part**2
    if centered:
        # The second pass corrects the rounding error of the first mean.
        center = center + unit * first / sum_of_weights
        second = np.maximum(second - first**2 / sum_of_weights, 0.0)
    return center, unit * np.sqrt(second / n), largest
