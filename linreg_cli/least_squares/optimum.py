"""What the exact optimum of a squared loss is, and how far other parameters are from it; `solve` computes it."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Mask
from linreg_cli.least_squares.factor import EPS, Array, Factor

#: The largest loss that may count as zero, as a share of the loss of the best constant.
MOST_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class Optimum:
    """The parameters with the lowest objective, in the units of the X and y given.

    objective = c * (sum of squared residuals) + weight_decay / 2 * (sum of squared weights and biases), where c is
    1 / (n k) for mse, 1 / (2 n k) for half_mse and 1 for sse, with n rows and k targets. With weights of the rows each
    squared residual is multiplied by that of its row.

    Attributes:
        weights: shape (n_features, n_targets), float64.
        bias: shape (n_targets,), float64; None without an intercept.
        level: the prediction at `factor.center` minus `factor.target_center`, shape (n_targets,); 0 without an
            intercept. Residuals that are computed from it have rounding errors of the spread of the target, and those
            from the bias of its mean.
        train_loss: the loss at the optimum, without the penalty.
        objective: the loss at the optimum, with the penalty.
        constant_loss: the loss of predicting the mean of each target.
        rounding_loss: the loss of residuals of eight units in the last place of the terms: what the rounding of an
            evaluation may add in the worst case.
        zero_loss: an optimum at or below it counts as zero: its residuals are those of values that are stored rounded.
        rank: the numerical rank of [X 1].
        condition_number: the 2-norm condition number of the standardised design matrix with its column of ones;
            infinite if the columns are linearly dependent. Without an intercept the columns are scaled, not centred.
        condition_number_as_given: that of [X 1].
        is_unique: whether no other parameters have the same objective.
        weight_decay: of the penalty.
        scale: c.
        factor: the triangular factor of the data; `linreg_cli.convergence.spectrum` computes the curvature from it.
    """

    weights: Array
    bias: Array | None
    level: Array
    train_loss: float
    objective: float
    constant_loss: float
    rounding_loss: float
    zero_loss: float
    rank: int
    condition_number: float
    condition_number_as_given: float
    is_unique: bool
    weight_decay: float
    scale: float
    factor: Factor = field(repr=False)

    def excess(self, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> float:
        """The objective at some parameters minus its minimum, without cancellation.

        It is c |[X 1] (theta - theta*)|^2 + weight_decay / 2 |theta - theta*|^2, exactly, because the objective is
        quadratic.

        Args:
            weights: shape (n_features, n_targets), in the units of the X given.
            bias: shape (n_targets,); None without an intercept.
        """
        w, b = np.asarray(weights, dtype=np.float64), None if bias is None else np.asarray(bias, dtype=np.float64)
        return float(self.excesses(w[None], None if b is None else b[None])[0])

    def excesses(self, weights: Array, bias: Array | None) -> Array:
        """`excess` of N parameters: weights of shape (N, n_features, n_targets), bias (N, n_targets); shape (N,)."""
        dw = weights - self.weights
        db = None if self.bias is None or bias is None else bias - self.bias
        found: Array = self.scale * _square(self.factor.R_pp @ self.factor.shift(dw, db))
        if not self.weight_decay:
            return found
        return found + self.weight_decay / 2 * (_square(dw) + (0.0 if db is None else _square(db)))

    def gap(self, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> tuple[float | None, str]:
        """The relative gap of the objective at some parameters, by `excess`; see the function `gap`."""
        return gap(self.excess(weights, bias) + self.objective, self.objective, self.constant_loss, self.zero_loss)

    @property
    def bare(self) -> "Optimum":
        """The same optimum for a pass, whose parts have weights of their own (`Factor.bare`)."""
        assert not self.weight_decay
        return replace(self, factor=self.factor.bare)

    def residuals(self, y: Array, scaled: Array, targets: slice = slice(None)) -> Array:
        """y - X w - b of some rows, shape (n_rows, k).

        Args:
            y: as given, shape (n_rows, k), float64.
            scaled: rows of X, as `Factor.unweighted_rows` gives them.
            targets: the positions of the k targets.
        """
        factor = self.factor
        d = len(factor.scale)
        fitted = scaled[:, :d] @ (self.weights[:, targets] * factor.scale[:, None])
        found: Array = y - factor.target_center[targets] - self.level[targets] - fitted
        return found

    def losses(self, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
        """The sum of squared residuals of each target at some parameters, without a pass over the rows, shape (k,)."""
        center = None if bias is None else np.asarray(bias, dtype=np.float64) - self.factor.target_center
        theta = self.factor.shift(np.asarray(weights, dtype=np.float64), center)
        misfit = self.factor.R_pp @ (theta / self.factor.target_scale) - self.factor.R_pk
        squares: Array = (np.sum(misfit**2, axis=0) + self.factor.rest_k) * self.factor.target_scale**2
        return squares

    @property
    def is_saturated(self) -> bool:
        """Whether some parameters fit every row exactly, whatever the targets are: the rank is the number of rows."""
        return self.rank >= self.factor.n_samples

    def exactly_fitted(self) -> Mask:
        """The targets whose residuals are zero within rounding error, shape (k,); see `zero_loss`."""
        factor = self.factor
        terms = factor.target_largest + factor.largest @ np.abs(self.weights)
        zero = factor.n_samples * np.maximum((8 * EPS * terms) ** 2, (factor.eps * factor.target_largest) ** 2)
        zero = np.minimum(zero, np.where(factor.constant_k > 0, MOST_ZERO * factor.constant_k, np.inf))
        found: Mask = self.losses(self.weights, self.bias) <= zero
        return found

    def judged_by(self, eps: float) -> "Optimum":
        """The same optimum, unique as it is, with another machine epsilon: for values that no rounding has changed."""
        factor = self.factor.judged_by(eps)
        losses = rounding_losses(factor, self.scale, self.weights, self.constant_loss)
        return replace(self, factor=factor, rounding_loss=losses[0], zero_loss=losses[1])

    @property
    def is_zero(self) -> bool:
        """Whether the lowest objective is zero within rounding error."""
        return self.objective <= self.zero_loss

    @property
    def relative_to(self) -> float:
        """The loss that gaps are relative to: the objective, or `constant_loss` if it is zero within rounding error."""
        return self.constant_loss if self.is_zero else self.objective


def _square(values: Array) -> Array:
    """The sum of squares of each of N arrays, shape (N,)."""
    total: Array = np.sum(values.reshape(len(values), -1) ** 2, axis=1)
    return total


def gap(
    loss: float, optimum_loss: float, constant_loss: float, zero_loss: float | None = None
) -> tuple[float | None, str]:
    """The relative gap between a loss and the lowest possible one, and what it is relative to.

    It is (loss - optimum) / optimum, "optimum". If the optimum is zero within rounding error, it is
    (loss - optimum) / constant, "constant".

    Args:
        loss: of the train split.
        optimum_loss: the lowest possible one.
        constant_loss: that of the best constant prediction.
        zero_loss: an optimum at or below it counts as zero; None: (64 EPS)^2 constant_loss, the loss of residuals
            of 64 EPS times the spread of the target.

    Returns:
        The gap, at least 0, and "optimum" or "constant". The gap is None if the constant loss is zero too, as for a
        constant target, and the loss is not.

    >>> gap(3.0, 2.0, 10.0)
    (0.5, 'optimum')
    >>> gap(3.0, 1e-40, 10.0)
    (0.3, 'constant')
    """
    threshold = (64 * EPS) ** 2 * constant_loss if zero_loss is None else zero_loss
    base, relative_to = (optimum_loss, "optimum") if optimum_loss > threshold else (constant_loss, "constant")
    if base <= 0:
        return (0.0 if loss <= threshold else None), relative_to
    return max(loss - optimum_loss, 0.0) / base, relative_to


def rounding_losses(factor: Factor, scale: float, weights: Array, constant_loss: float) -> tuple[float, float]:
    """`rounding_loss` and `zero_loss` of an `Optimum`.

    The first is the loss of residuals of 8 eps times the sum of the largest absolute terms of a prediction and the
    target. The second is that for the float64 in which the optimum is computed, or, if it is larger, that of residuals
    of one unit in the last place of the stored target. Terms that nearly cancel are large; what their rounding in
    float32 changes is a misfit of the numbers that are trained on, not zero. Nor is a millionth of the variance.
    """
    terms = factor.target_largest + factor.largest @ np.abs(weights)
    rows = scale * factor.n_samples
    stored = rows * float(np.sum((factor.eps * factor.target_largest) ** 2))
    zero = max(rows * float(np.sum((8 * EPS * terms) ** 2)), stored)
    if constant_loss > zero:
        zero = min(zero, MOST_ZERO * constant_loss)
    return rows * float(np.sum((8 * factor.eps * terms) ** 2)), zero
