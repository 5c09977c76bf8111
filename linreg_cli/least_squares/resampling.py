"""Leave-one-out and k-fold cross-validation of the optimum, and a ridge path, without refitting.

With the hat matrix H = QQ' of the design matrix, the residuals of the rows F under the fit to the other rows are
(1 - H_FF)^-1 e_F. One factorisation gives them for every fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.row_weights import sum_of
from linreg_cli.data.columns.rows import Matrix
from linreg_cli.least_squares.factor import Array, Factor, blocks, matrix
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale

#: 1 - leverage below which the columns are linearly dependent without the row; for a fold, the smallest eigenvalue.
_ALONE = 1e-10


@dataclass(frozen=True)
class HeldOut:
    """The errors of cross-validation: each row is predicted by a fit to other rows.

    Attributes:
        mse: the mean squared error over rows and targets, weighted as the rows are, in squared units of the targets;
            None if it is undefined.
        reason: why it is undefined; None if it is not.
        errors: target - prediction, shape (n_samples, n_targets), float64; None if undefined.
    """

    mse: float | None
    reason: str | None
    errors: Array | None


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge regression for several penalties: loss + weight_decay / 2 * (sum of squared weights, and of biases).

    Attributes:
        weight_decays: the penalties, in the convention of torch.optim.SGD.
        weights: shape (len(weight_decays), n_features, n_targets), float64.
        bias: shape (len(weight_decays), n_targets); None without an intercept.
        leave_one_out: shape (len(weight_decays),), the mean squared leave-one-out error. The penalty relative to the
            sum of squares is the same with and without the row.
        best: the index of the penalty with the lowest leave-one-out error.
    """

    weight_decays: tuple[float, ...]
    weights: Array
    bias: Array | None
    leave_one_out: Array
    best: int


def leave_one_out(optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike, *, keep: bool = True) -> HeldOut:
    """The leave-one-out errors e_i / (1 - h_i) of least squares, with the leverage h_i, in one pass over the rows.

    Args:
        optimum: of the same rows, without weight decay.
        X_nd: shape (n_samples, n_features), any float dtype.
        y_nk: shape (n_samples, n_targets), any float dtype.
        keep: whether the error of each row is wanted; without, they are None, and take no memory.

    Returns:
        The errors; undefined if the columns are linearly dependent without some row.

    >>> from linreg_cli.least_squares.solve import least_squares
    >>> X, y = np.ones((3, 1)), np.array([[0.0], [0.0], [3.0]])  # the mean of the others predicts a row
    >>> leave_one_out(least_squares(X, y, bias=False), X, y).errors.round(12).tolist()
    [[-1.5], [-1.5], [3.0]]

    Source: D. M. Allen, The relationship between variable selection and data augmentation and a method for
    prediction, 1974.
    """
    assert not optimum.weight_decay
    X, y, factor = matrix(X_nd), matrix(y_nk), optimum.factor
    errors = np.empty(y.shape) if keep else None
    squares = np.zeros(y.shape[1])
    for rows in blocks(len(X)):
        part = X[rows]
        q = optimum.factor.whiten(part, rows)
        room = 1 - np.einsum("ij,ij->i", q, q)
        alone = np.flatnonzero(room < _ALONE)
        if len(alone):
            return HeldOut(None, f"without row {rows.start + alone[0] + 1} the columns are linearly dependent", None)
        left_out = _residuals(optimum, part, y[rows]) / room[:, None]
        squares += _weighted_sum(factor, left_out**2, rows)
        if errors is not None:
            errors[rows] = left_out
    return HeldOut(float((squares / _sum_of_weights(factor)).mean()), None, errors)


def weighted_mean(factor: Factor, values: Matrix) -> Array:
    """The mean over all rows of values of shape (n_samples, k), weighted as the rows of the factor are; shape (k,)."""
    found = np.zeros(values.shape[1])
    for rows in blocks(len(values)):
        found += _weighted_sum(factor, np.asarray(values[rows], dtype=np.float64), rows)
    return found / _sum_of_weights(factor)


def _weighted_sum(factor: Factor, values: Array, at: slice) -> Array:
    """The sum over some rows, weighted as those of the factor are; shape (k,)."""
    return np.asarray(values.sum(axis=0) if factor.root_n is None else factor.root_n[at] ** 2 @ values)


def _sum_of_weights(factor: Factor) -> float:
    return float(factor.n_samples) if factor.root_n is None else sum_of(factor.root_n, np.square)


def k_fold(
    optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike, folds: Sequence[npt.NDArray[np.integer]]
) -> HeldOut:
    """The k-fold cross-validation errors of least squares: each fold is predicted by the fit to the others.

    They are (1 - Q_F Q_F')^-1 e_F = e_F + Q_F (1 - Q_F'Q_F)^-1 Q_F' e_F, so a fold costs one solve of size rank.

    Args:
        optimum: of the same rows, without weight decay.
        X_nd: shape (n_samples, n_features), any float dtype.
        y_nk: shape (n_samples, n_targets), any float dtype.
        folds: the row indices of each fold; every row is in exactly one.

    Returns:
        The errors, in the order of the rows; undefined if the columns are linearly dependent without some fold.

    Raises:
        ValueError: unless the folds contain every row exactly once.
    """
    assert not optimum.weight_decay
    X, y, factor = matrix(X_nd), np.asarray(y_nk), optimum.factor
    if not np.array_equal(np.sort(np.concatenate([np.asarray(fold) for fold in folds])), np.arange(len(X))):
        raise ValueError("the folds must contain every row exactly once")
    errors, identity = np.empty(y.shape), np.eye(factor.rank)
    for number, fold in enumerate(folds):
        part = X[fold]
        q, e = factor.whiten(part, fold), _residuals(optimum, part, y[fold])
        remaining = identity - q.T @ q
        if remaining.size and len(fold) and np.linalg.eigvalsh(remaining)[0] < _ALONE:
            return HeldOut(None, f"without fold {number + 1} the columns are linearly dependent", None)
        shift = q @ np.linalg.solve(remaining, q.T @ factor.weighted(e, fold))
        errors[fold] = e + (shift if factor.root_n is None else shift / factor.root_n[fold][:, None])
    return HeldOut(float(weighted_mean(factor, errors**2).mean()), None, errors)


def ridge_path(
    factor: Factor,
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    weight_decays: Sequence[float],
    *,
    loss: str = "mse",
    penalise_bias: bool = True,
) -> RidgePath:
    """Ridge coefficients and leave-one-out errors for every penalty, from one SVD and two passes over the rows.

    With [X 1] = U S V', a loss of c times the sum of squares, and the penalty L = weight_decay / (2 c) relative to the
    sum of squares: theta = V diag(S / (S^2 + L)) U'y; the leverage is h_i = sum over j of u_ij^2 S_j^2 / (S_j^2 + L).

    Args:
        factor: of the same rows.
        X_nd: shape (n_samples, n_features), any float dtype.
        y_nk: shape (n_samples, n_targets), any float dtype.
        weight_decays: at least one, each above 0; 0 is allowed if the columns are linearly independent.
        loss: mse, sse or half_mse; it determines c.
        penalise_bias: whether the penalty is on the bias too, as torch's weight decay is. If not, X above is without
            the ones and with its means subtracted, and the mean of the rows is fitted without a penalty.

    Source: G. H. Golub, M. Heath, G. Wahba, Generalized cross-validation as a method for choosing a good ridge
    parameter, 1979.
    """
    X, y, k = matrix(X_nd), matrix(y_nk), factor.n_targets
    penalties = np.array(weight_decays) / (2 * loss_scale(loss, factor.n_samples, k))
    assert len(penalties), "a path needs a penalty"
    d, free = len(factor.scale), factor.bias and not penalise_bias
    design, ones = _penalised(factor, free=free)
    left, S, Vt = np.linalg.svd(design)
    rank = factor.rank - free
    S, V = S[:rank], Vt[:rank].T
    left = np.hstack([left[:, :rank], ones])
    kept = np.hstack([S**2 / (S**2 + penalties[:, None]), np.ones((len(penalties), int(free)))])
    projected = np.zeros((factor.rank, k))
    for rows in blocks(len(X)):
        target = factor.weighted(np.asarray(y[rows], dtype=np.float64), rows)
        projected += (factor.whiten(X[rows], rows) @ left).T @ target
    theta = np.einsum("jr,lr,rk->ljk", V, kept[:, :rank] / S, projected[:rank])
    squares = np.zeros(len(penalties))
    for rows in blocks(len(X)):
        u = factor.whiten(X[rows], rows) @ left
        target = factor.weighted(np.asarray(y[rows], dtype=np.float64), rows)
        room = 1 - u**2 @ kept.T
        fitted = np.einsum("nr,lr,rk->lnk", u, kept, projected, optimize=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            squares += np.sum(((target - fitted) / room.T[:, :, None]) ** 2, axis=(1, 2))
    errors = squares / y.size
    bias = theta[:, d] if factor.bias and not free else None
    if free:
        bias = weighted_mean(factor, y) - np.einsum("d,ldk->lk", _means(factor), theta)
    best = int(np.nanargmin(errors)) if np.isfinite(errors).any() else 0
    return RidgePath(tuple(map(float, weight_decays)), theta[:, :d], bias, errors, best)


def _penalised(factor: Factor, *, free: bool) -> tuple[Array, Array]:
    """The part of Q'[X 1] that is penalised, and an orthonormal basis of the rest: the ones if the bias is free."""
    design, d = _orthonormal_design(factor), len(factor.scale)
    if not free:
        return design, np.zeros((len(design), 0))
    ones = design[:, d:] / np.sqrt(factor.n_samples)
    return design[:, :d] - ones @ (ones.T @ design[:, :d]), ones


def _means(factor: Factor) -> Array:
    """The means of the columns, as given."""
    design, d = _orthonormal_design(factor), len(factor.scale)
    means: Array = design[:, d] @ design[:, :d] / factor.n_samples
    return means


def _orthonormal_design(factor: Factor) -> Array:
    """Q'[X 1] for the Q of `Factor.whiten`, shape (rank, n_parameters)."""
    if factor.rank == factor.n_parameters:
        return factor.as_given()
    # Below full rank, whiten is A D V / (S sqrt(n)), so Q'A = (S sqrt(n))^-1 V' D R'R, with R D = sqrt(n) U S V'.
    U, _, _ = factor.svd()
    product: Array = U[:, : factor.rank].T @ factor.as_given()
    return product


def residuals_of(optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike) -> Array:
    """y - X w - b at the optimum, shape (n_samples, n_targets), float64, block by block.

    Args:
        optimum: of the same rows.
        X_nd: shape (n_samples, n_features), any float dtype.
        y_nk: shape (n_samples, n_targets), any float dtype.
    """
    X, y = matrix(X_nd), np.asarray(y_nk)
    return np.concatenate([_residuals(optimum, X[rows], y[rows]) for rows in blocks(len(X))])


def _residuals(optimum: Optimum, X: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> Array:
    factor = optimum.factor
    level = 0.0 if optimum.bias is None else optimum.bias + factor.center @ optimum.weights
    scaled = factor.unweighted_rows(X)[:, : len(factor.scale)] @ (optimum.weights * factor.scale[:, None])
    residuals: Array = np.asarray(y, dtype=np.float64) - level - scaled
    return residuals
