"""Leave-one-out cross-validation of the optimum, and a ridge path, without refitting; `folds` leaves out several rows.

With the hat matrix H = QQ' of the design matrix, the residuals of the rows F under the fit to the other rows are
(1 - H_FF)^-1 e_F. One factorisation gives them for every F.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, Part
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.row_weights import At, sum_of
from linreg_cli.data.columns.rows import Matrix, pick
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array, Factor, blocks, matrix
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale

#: Is given the errors of some rows: their positions in the matrices, targets (n_rows, k) and errors (n_rows, k).
Add = Callable[[At, Array, Array], None]


@dataclass(frozen=True)
class Needed:
    """A row or a fold without which the columns are linearly dependent, so that errors without it are undefined.

    Attributes:
        what: `row` or `fold`.
        position: which one, from 0.
    """

    what: str
    position: int

    def reason(self, rows: Rows | slice | None = None) -> str:
        """Why an error is undefined.

        Args:
            rows: the positions in the table, from 0, of the rows; None: they are not known, and none is named.

        >>> Needed("fold", 2).reason(), Needed("row", 1).reason(np.array([3, 7]))
        ('without fold 3 the columns are linearly dependent', 'without row 8 the columns are linearly dependent')
        """
        if self.what == "fold":
            return f"without fold {self.position + 1} the columns are linearly dependent"
        which = "one of the rows" if rows is None else f"row {int(pick(rows, np.array([self.position]))[0]) + 1}"
        return f"without {which} the columns are linearly dependent"


@dataclass(frozen=True)
class HeldOut:
    """The error of cross-validation: each row is predicted by a fit to other rows.

    Attributes:
        mse: the mean squared error over rows and targets, weighted as the rows are, in squared units of the targets;
            None if it is undefined.
        reason: why it is undefined; None if it is not.
    """

    mse: float | None
    reason: str | None


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


def leave_one_out(optimum: Optimum, rows: DividedRows) -> HeldOut:
    """The mean squared leave-one-out error of least squares, in one pass over the rows.

    Args:
        optimum: of the rows, without weight decay.
        rows: X and y.

    >>> from linreg_cli.least_squares.solve import least_squares
    >>> X, y = np.ones((3, 1)), np.array([[0.0], [0.0], [3.0]])  # the mean of the others predicts a row
    >>> round(leave_one_out(least_squares(X, y, bias=False), DividedRows(X, y)).mse, 12)
    4.5
    """
    squares, weight = np.zeros(optimum.factor.n_targets), 0.0
    for found in rows.of_parts(_squared_errors, optimum.bare):
        if isinstance(found, Needed):
            return HeldOut(None, found.reason())
        squares, weight = squares + found[0], weight + found[1]
    return HeldOut(float((squares / weight).mean()), None)


def _squared_errors(part: Part, optimum: Optimum) -> tuple[Array, float] | Needed:
    """The weighted sum of the squared leave-one-out errors of each target, (k,), and the sum of the weights; a pass."""
    squares, total = np.zeros(optimum.factor.n_targets), 0.0

    def add(at: At, y: Array, errors: Array) -> None:
        nonlocal squares, total
        weights = np.ones(len(y)) if part.weight_n is None else part.weight_n[at]
        squares, total = squares + weights @ errors**2, total + float(weights.sum())

    return rows_left_out(part, optimum, add) or (squares, total)


def rows_left_out(part: Part, optimum: Optimum, add: Add) -> Needed | None:
    """The leave-one-out errors e_i / (1 - h_i) of the rows of a part, with the leverage h_i, block by block.

    Args:
        part: some of the rows.
        optimum: of all rows, as `Optimum.bare` gives it.
        add: is given the errors.

    Returns:
        The row, among all, without which they are undefined; None if they are not.

    Source: D. M. Allen, The relationship between variable selection and data augmentation and a method for
    prediction, 1974.
    """
    for at in part.blocks(BLOCK_ROWS):
        y, e, q = rows_at(part, optimum, at)
        room = 1 - np.einsum("ij,ij->i", q, q)
        alone = np.flatnonzero(room <= optimum.factor.no_room)
        if len(alone):
            return Needed("row", at.start + part.before + int(alone[0]))
        add(at, y, e / room[:, None])
    return None


def residuals(part: Part, optimum: Optimum, add: Add) -> None:
    """y - X w - b of the rows of a part, block by block; arguments as those of `rows_left_out`."""
    for at in part.blocks(BLOCK_ROWS):
        y = np.asarray(part.y_nk[at], dtype=np.float64)
        add(at, y, optimum.residuals(y, optimum.factor.unweighted_rows(part.X_nd[at])))


def rows_at(part: Part, optimum: Optimum, at: At) -> tuple[Array, Array, Array]:
    """y and the residuals y - X w - b of some rows, (n_rows, k), and their rows of Q, with weights, (n_rows, rank).

    Args:
        part: has the rows.
        optimum: of all rows, as `Optimum.bare` gives it.
        at: their positions in the matrices.
    """
    y, scaled = np.asarray(part.y_nk[at], dtype=np.float64), optimum.factor.unweighted_rows(part.X_nd[at])
    q = optimum.factor.whiten_rows(part.weighted(scaled, at))
    return y, optimum.residuals(y, scaled), q


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
