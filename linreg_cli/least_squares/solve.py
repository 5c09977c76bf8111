"""The exact optimum of a squared loss: the yardstick that training is measured with. Never a way to train."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.factor import EPS, Array, Factor, factorise, solve_triangle, triangle
from linreg_cli.least_squares.refine import refine
from linreg_cli.optim.losses import loss_scale

#: Cells of the design up to which a solution is refined in double-double: always where it takes milliseconds, up to
#: the larger number where rounding costs digits; beyond, it would take seconds.
CHEAP_CELLS, REFINED_CELLS = 10_000, 500_000
#: Rounding costs digits above this condition number of the standardised design, or where the terms of the intercept
#: are, times the condition number, this many times larger than the intercept. Below, refining 50,000 x 8 would take a
#: third of the processor time of a short run for changes of 1e-14 (relative) and less.
REFINED_CONDITION, REFINED_CANCELLATION = 30.0, 1_000.0


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the loss (and its penalty) is lowest, in the units of the X and y given.

    Attributes:
        weights: shape (n_features, n_targets), float64.
        bias: shape (n_targets,), or None for a model without one.
        train_loss: the loss there, in its own convention, without the penalty.
        objective: train_loss + weight_decay / 2 * (sum of squared weights and biases): what SGD descends on.
        constant_loss: the loss of predicting each target's mean.
        rounding_loss: a loss that rounding alone explains; an optimum at or below it is zero for all we know.
        rank: independent columns, the bias's among them.
        condition_number: 2-norm condition of the design with columns centred (with a bias) and of spread 1, and
            the bias's ones; what training with `standardize` meets. Infinite where the columns are dependent.
        condition_number_as_given: the same of [X 1] as it is.
        is_unique: whether no other parameters do as well.
        weight_decay: of the penalty.
        scale: c in loss = c * (sum of squared residuals).
        factor: the data as one triangle; `linreg_cli.convergence.spectrum` reads the curvature from it.
    """

    weights: Array
    bias: Array | None
    train_loss: float
    objective: float
    constant_loss: float
    rounding_loss: float
    rank: int
    condition_number: float
    condition_number_as_given: float
    is_unique: bool
    weight_decay: float
    scale: float
    factor: Factor = field(repr=False)

    def excess(self, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> float:
        """How far the objective at some parameters is above the optimum's, without the cancellation of a difference.

        c |[X 1] (theta - theta*)|^2 + weight_decay / 2 |theta - theta*|^2, which a quadratic is exactly.

        Args:
            weights: shape (n_features, n_targets), in the units of the X given.
            bias: shape (n_targets,), or None.
        """
        dw = np.asarray(weights, dtype=np.float64) - self.weights
        db = None if self.bias is None or bias is None else np.asarray(bias, dtype=np.float64) - self.bias
        distance = float(np.sum(dw**2)) + (0.0 if db is None else float(np.sum(db**2)))
        image = self.factor.R_pp @ self.factor.shift(dw, db)
        return self.scale * float(np.sum(image**2)) + self.weight_decay / 2 * distance

    def gap(self, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> tuple[float | None, str]:
        """The relative gap of some parameters, as `gap` has it, of the objective and from `excess`."""
        return gap(self.excess(weights, bias) + self.objective, self.objective, self.constant_loss, self.rounding_loss)

    @property
    def relative_to(self) -> float:
        """The loss that gaps are relative to; see `gap`."""
        return self.objective if self.objective > self.rounding_loss else self.constant_loss


def gap(
    loss: float, optimum_loss: float, constant_loss: float, rounding_loss: float | None = None
) -> tuple[float | None, str]:
    """The relative distance of a loss from the optimum's, and what it is relative to.

    (loss - optimum) / optimum, "optimum"; where the optimum is zero to rounding (loss - optimum) / constant,
    "constant". None where that is zero too, as with a constant target that is met exactly.

    Args:
        loss: of the train split.
        optimum_loss: the lowest possible.
        constant_loss: of the best constant.
        rounding_loss: at or below it an optimum is zero; by default that of residuals of 64 units in the last
            place beside the target's spread.

    >>> gap(3.0, 2.0, 10.0)
    (0.5, 'optimum')
    >>> gap(3.0, 1e-40, 10.0)
    (0.3, 'constant')
    """
    threshold = (64 * EPS) ** 2 * constant_loss if rounding_loss is None else rounding_loss
    base, relative_to = (optimum_loss, "optimum") if optimum_loss > threshold else (constant_loss, "constant")
    if base <= 0:
        return (0.0 if loss <= threshold else None), relative_to
    return max(loss - optimum_loss, 0.0) / base, relative_to


def least_squares(
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    *,
    bias: bool,
    loss: str = "mse",
    weight_decay: float = 0.0,
    eps: float | None = None,
) -> Optimum:
    """The parameters with the lowest loss + weight_decay / 2 * (sum of squared weights and biases).

    QR of the centred and scaled columns in float64, a block of rows at a time. Where it is cheap (10,000 cells), or
    rounding costs more than about two digits (`loses_digits`) of up to 500,000 cells, the solution is refined with
    double-double residuals, which gives about 15 digits wherever the condition number is below 1e15. Where the optimum
    is not unique, it is the one whose weights, each times its column's spread (standard deviation, or root mean square
    without a bias), have the smallest sum of squares: this does not depend on the units. A column that is constant
    beside a bias gets weight 0. A penalty makes every optimum unique.

    Args:
        X_nd: shape (n_samples, n_features), finite.
        y_nk: shape (n_samples, n_targets), finite.
        bias: whether there is an intercept; it is penalised like the weights, as torch.optim.SGD does.
        loss: mse (mean of e^2), sse (sum of e^2) or half_mse (mean of e^2 / 2), means over all elements.
        weight_decay: as in torch.optim.SGD, at least 0.
        eps: see `factorise`.

    Raises:
        ValueError: for other losses, and for shapes that do not fit.

    >>> optimum = least_squares([[1.0], [2.0], [3.0]], [[3.0], [5.0], [7.0]], bias=True)
    >>> optimum.weights.round(12).tolist(), optimum.bias.round(12).tolist(), optimum.is_unique
    ([[2.0]], [1.0], True)

    Source: Å. Björck, Numerical Methods for Least Squares Problems, 1996.
    """
    factor = factorise(X_nd, y_nk, bias=bias, eps=eps)
    scale = loss_scale(loss, factor.n_samples, factor.n_targets)
    unique = weight_decay > 0 or factor.rank == factor.n_parameters
    if weight_decay > 0:
        theta = _ridge(factor, weight_decay / (2 * scale))
    elif unique:
        theta = solve_triangle(factor.R_pp, factor.R_pk)
    else:
        theta = _minimum_norm(factor)
    weights, intercept = factor.unscale(theta)
    misfit = np.sum((factor.R_pp @ theta - factor.R_pk) ** 2, axis=0) + factor.rest_k
    train_loss = scale * float(misfit @ factor.target_scale**2)
    if unique and not weight_decay and _is_refined(factor, weights, intercept):
        X, y = np.asarray(X_nd, dtype=np.float64), np.asarray(y_nk, dtype=np.float64)
        refined = refine(X, y, factor, theta)
        if refined is not None:
            weights, intercept, residuals = refined
            train_loss = scale * float(np.sum(residuals**2))
    penalty = weight_decay / 2 * float(np.sum(weights**2) + (0.0 if intercept is None else np.sum(intercept**2)))
    standardized, as_given = condition_numbers(factor)
    return Optimum(
        weights=weights,
        bias=intercept,
        train_loss=train_loss,
        objective=train_loss + penalty,
        constant_loss=scale * float(factor.constant_k.sum()),
        rounding_loss=_rounding_loss(factor, scale, weights),
        rank=factor.rank,
        condition_number=standardized,
        condition_number_as_given=as_given,
        is_unique=unique,
        weight_decay=weight_decay,
        scale=scale,
        factor=factor,
    )


def condition_numbers(factor: Factor) -> tuple[float, float]:
    """2-norm condition numbers of the standardised design and of [X 1] as given; infinite below full rank.

    Columns that say nothing (constant beside a bias, or all zero) make both infinite.
    """
    if factor.rank < factor.n_parameters:
        return math.inf, math.inf
    singular = factor.svd()[1]
    # The smallest singular value is the inverse's largest, where a large offset cannot drown it.
    inverse = factor.to_parameters() @ solve_triangle(factor.R_pp, np.eye(factor.n_parameters))
    as_given = float(np.linalg.norm(factor.as_given(), 2) * np.linalg.norm(inverse, 2))
    return float(singular[0] / singular[-1]), as_given


def _minimum_norm(factor: Factor) -> Array:
    U, S, Vt = factor.svd()
    rank = factor.rank
    projected = U[:, :rank].T @ factor.R_pk / math.sqrt(factor.n_samples)
    theta: Array = factor.standard[:, None] * (Vt[:rank].T @ (projected / S[:rank, None]))
    return theta


def _ridge(factor: Factor, penalty: float) -> Array:
    """Scaled coordinates of the minimum of (sum of squares) + penalty * |(weights, bias) as given|^2.

    The penalty is a block of rows below the triangle, so that no product A'A is formed.
    """
    p, k = factor.R_pk.shape
    rows, target = factor.to_parameters() * math.sqrt(penalty), np.zeros((p, k))
    if factor.bias:
        target[-1] = -math.sqrt(penalty) * factor.target_center / factor.target_scale
    stacked = np.hstack([np.vstack([factor.R_pp, rows]), np.vstack([factor.R_pk, target])])
    R = triangle(stacked)
    return solve_triangle(R[:p, :p], R[:p, p:])


def _is_refined(factor: Factor, weights: Array, intercept: Array | None) -> bool:
    """Whether refining a plain solution is worth what it costs."""
    cells = factor.n_samples * factor.n_parameters
    if cells > REFINED_CELLS:
        return False
    # Numbers that were cast to float32 have no more digits than a plain solution keeps.
    return cells <= CHEAP_CELLS or (factor.eps == EPS and loses_digits(factor, weights, intercept))


def loses_digits(factor: Factor, weights: Array, intercept: Array | None) -> bool:
    """Whether rounding may cost a plain solution of full rank more than its last two digits or so.

    Weights of standardised columns lose about as many units in the last place as the condition number of the
    standardised design. The intercept is a difference, mean of y - means of x times weights, and loses in addition
    what cancels in it.
    """
    singular = factor.svd()[1]
    condition = float(singular[0] / singular[-1])
    if condition > REFINED_CONDITION or intercept is None:
        return condition > REFINED_CONDITION
    terms = np.abs(factor.target_center) + np.abs(factor.center) @ np.abs(weights)
    return bool(np.any(condition * terms > REFINED_CANCELLATION * np.abs(intercept)))


def _rounding_loss(factor: Factor, scale: float, weights: Array) -> float:
    """The loss of residuals of 8 units in the last place of the largest terms that a prediction sums up."""
    terms = factor.target_largest + factor.largest @ np.abs(weights)
    return scale * factor.n_samples * float(np.sum((8 * factor.eps * terms) ** 2))
