"""The exact optimum of a squared loss, with which training is compared. It is never used to train."""

import math

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.least_squares.decompositions import solve_triangle, triangle
from linreg_cli.least_squares.factor import EPS, Array, Factor
from linreg_cli.least_squares.factorise import factorise_rows
from linreg_cli.least_squares.optimum import Optimum, rounding_losses
from linreg_cli.least_squares.refine import refine
from linreg_cli.optim.losses import loss_scale

#: The most cells of the design matrix for which a solution is refined in double-double arithmetic: up to the first
#: number always, which takes milliseconds; up to the second if `loses_digits`. Larger ones would take seconds.
CHEAP_CELLS, REFINED_CELLS = 10_000, 500_000
#: Rounding error matters above this condition number of the standardised design matrix, or if the condition number
#: times the terms of the intercept is larger than the intercept by this factor. Below, refining 50,000 x 8 would take a
#: third of the processor time of a short run, for relative changes of at most 1e-14.
REFINED_CONDITION, REFINED_CANCELLATION = 30.0, 1_000.0


def least_squares(
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    *,
    bias: bool,
    loss: str = "mse",
    weight_decay: float = 0.0,
    eps: float | None = None,
    weights: npt.ArrayLike | None = None,
) -> Optimum:
    """The parameters with the lowest loss + weight_decay / 2 * (sum of squared weights and biases).

    QR of the centred and scaled columns in float64, in blocks of rows. Up to 10,000 cells, or up to 500,000 cells if
    rounding error costs more than about two digits (`loses_digits`), the solution is refined with double-double
    residuals; it then has about 15 correct digits for condition numbers below 1e15.

    If the optimum is not unique, the result is the one with the smallest sum of (weight * spread of its column)^2. The
    spread is the standard deviation, or the root mean square without an intercept. This does not depend on the units of
    the columns, and the weight of a constant column is 0. With weight decay the optimum is always unique.

    Args:
        X_nd: shape (n_samples, n_features), finite, any float dtype.
        y_nk: shape (n_samples, n_targets), finite, any float dtype.
        bias: whether the model has an intercept; it is penalised like the weights, as in torch.optim.SGD.
        loss: mse (mean of e^2), sse (sum of e^2) or half_mse (mean of e^2 / 2); means are over all elements.
        weight_decay: as in torch.optim.SGD, at least 0.
        eps: see `factorise`.
        weights: of the rows, w, above 0 and with mean 1, shape (n_samples,); each e^2 is multiplied by its row's; None:
            all are 1.

    Raises:
        ValueError: if the loss is not squared, or if the shapes do not match.

    >>> optimum = least_squares([[1.0], [2.0], [3.0]], [[3.0], [5.0], [7.0]], bias=True)
    >>> optimum.weights.round(12).tolist(), optimum.bias.round(12).tolist(), optimum.is_unique
    ([[2.0]], [1.0], True)

    Source: Å. Björck, Numerical Methods for Least Squares Problems, 1996.
    """
    rows = DividedRows(X_nd, y_nk, weights)
    return of_rows(rows, bias=bias, loss=loss, weight_decay=weight_decay, eps=eps)


def of_rows(
    rows: DividedRows, *, bias: bool, loss: str = "mse", weight_decay: float = 0.0, eps: float | None = None
) -> Optimum:
    """As `least_squares`, of rows in the parts by which sums are added up.

    Args:
        rows: X, y and weights, in parts that other processes may have.
        bias: as for `least_squares`.
        loss: likewise.
        weight_decay: likewise.
        eps: likewise.

    Raises:
        ValueError: as `least_squares`.
    """
    factor = factorise_rows(rows, bias=bias, eps=eps)
    return of_factor(factor, loss=loss, weight_decay=weight_decay, rows=(rows.X_nd, rows.y_nk))


def of_factor(
    factor: Factor,
    *,
    loss: str = "mse",
    weight_decay: float = 0.0,
    rows: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> Optimum:
    """`least_squares` of rows that were factorised already.

    Args:
        factor: of the rows.
        loss: as in `least_squares`.
        weight_decay: as in `least_squares`.
        rows: X and y; None where they are not at hand: then the solution is not refined.

    Raises:
        ValueError: if the loss is not squared.
    """
    scale = loss_scale(loss, factor.n_samples, factor.n_targets)
    unique = weight_decay > 0 or factor.rank == factor.n_parameters
    if weight_decay > 0:
        theta = _ridge(factor, weight_decay / (2 * scale))
    elif unique:
        theta = solve_triangle(factor.R_pp, factor.R_pk)
    else:
        theta = _minimum_norm(factor)
    slopes, intercept = factor.unscale(theta)
    level = factor.target_scale * theta[-1] if factor.bias else np.zeros(factor.n_targets)
    misfit = np.sum((factor.R_pp @ theta - factor.R_pk) ** 2, axis=0) + factor.rest_k
    train_loss = scale * float(misfit @ factor.target_scale**2)
    if rows is not None and unique and not weight_decay and _is_refined(factor, slopes, intercept):
        X, y = (np.asarray(each, dtype=np.float64) for each in rows)
        refined = refine(X, y, factor, theta)
        if refined is not None:
            slopes, intercept, level, residuals = refined
            train_loss = scale * float(np.sum(residuals**2))
    penalty = 0.0  # and not 0 times squares that may overflow
    if weight_decay:
        penalty = weight_decay / 2 * float(np.sum(slopes**2) + (0.0 if intercept is None else np.sum(intercept**2)))
    standardized, as_given = condition_numbers(factor)
    constant_loss = scale * float(factor.constant_k.sum())
    rounding_loss, zero_loss = rounding_losses(factor, scale, slopes, constant_loss)
    return Optimum(
        weights=slopes,
        bias=intercept,
        level=level,
        train_loss=train_loss,
        objective=train_loss + penalty,
        constant_loss=constant_loss,
        rounding_loss=rounding_loss,
        zero_loss=zero_loss,
        rank=factor.rank,
        condition_number=standardized,
        condition_number_as_given=as_given,
        is_unique=unique,
        weight_decay=weight_decay,
        scale=scale,
        factor=factor,
    )


def condition_numbers(factor: Factor) -> tuple[float, float]:
    """The 2-norm condition numbers of the standardised design matrix and of [X 1]; both infinite below full rank.

    A constant column (without an intercept: a column of zeros) makes both infinite.
    """
    if factor.rank < factor.n_parameters:
        return math.inf, math.inf
    singular = factor.svd()[1]
    # The smallest singular value is the reciprocal of the largest one of the inverse, which is accurate for columns
    # with a large mean too.
    inverse = factor.to_parameters() @ factor.inverse
    as_given = float(np.linalg.norm(factor.as_given(), 2) * np.linalg.norm(inverse, 2))
    return float(singular[0] / singular[-1]), as_given


def _minimum_norm(factor: Factor) -> Array:
    U, S, Vt = factor.svd()
    rank = factor.rank
    projected = U[:, :rank].T @ factor.R_pk / math.sqrt(factor.n_samples)
    theta: Array = factor.standard[:, None] * (Vt[:rank].T @ (projected / S[:rank, None]))
    return theta


def _ridge(factor: Factor, penalty: float) -> Array:
    """theta_s with the smallest (sum of squared residuals) + penalty * |(weights, bias) as given|^2.

    The penalty is a block of rows below the triangle, so no product A'A is formed.
    """
    p, k = factor.R_pk.shape
    rows, target = factor.to_parameters() * math.sqrt(penalty), np.zeros((p, k))
    if factor.bias:
        target[-1] = -math.sqrt(penalty) * factor.target_center / factor.target_scale
    stacked = np.hstack([np.vstack([factor.R_pp, rows]), np.vstack([factor.R_pk, target])])
    R = triangle(stacked)
    return solve_triangle(R[:p, :p], R[:p, p:])


def _is_refined(factor: Factor, weights: Array, intercept: Array | None) -> bool:
    """Whether a solution is refined, by its size and its rounding error."""
    cells = factor.n_samples * factor.n_parameters
    if cells > REFINED_CELLS:
        return False
    # Values that were cast to float32 have fewer significant digits than an unrefined solution.
    return cells <= CHEAP_CELLS or (factor.eps == EPS and loses_digits(factor, weights, intercept))


def loses_digits(factor: Factor, weights: Array, intercept: Array | None) -> bool:
    """Whether rounding error may cost an unrefined solution of full rank more than about its last two digits.

    The relative error of the weights of standardised columns is about EPS times the condition number of the
    standardised design matrix. The intercept, mean of y - (means of x) . weights, has a cancellation error in addition.

    Args:
        factor: of the data.
        weights: the solution, shape (n_features, n_targets), as given.
        intercept: shape (n_targets,); None without one.
    """
    singular = factor.svd()[1]
    condition = float(singular[0] / singular[-1])
    if condition > REFINED_CONDITION or intercept is None:
        return condition > REFINED_CONDITION
    terms = np.abs(factor.target_center) + np.abs(factor.center) @ np.abs(weights)
    return bool(np.any(condition * terms > REFINED_CANCELLATION * np.abs(intercept)))
