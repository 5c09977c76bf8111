"""What a least-squares fit is worth: standard errors, tests and intervals, influence of each row.

Everything here is about the optimum of ordinary least squares; a trained model may show it only where it is near
enough (`refusal`). Definitions and numbers are those of statsmodels' OLS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.factor import Array, Factor, blocks, matrix, solve_triangle
from linreg_cli.least_squares.solve import Optimum
from linreg_cli.optim.losses import is_squared

#: How far a trained coefficient may be from the optimum's, in standard errors. At 0.01 a 95 % interval covers
#: 94.999 %: moving it by d standard errors costs d^2 z phi(z) of coverage, with z = 1.96 and phi the normal density.
NEAR = 1e-2

#: Numbers of rows.
Some = npt.NDArray[np.integer[Any]] | slice


@dataclass(frozen=True, eq=False)
class Inference:
    """Of one target. Arrays over parameters have the bias last; arrays over rows are in the order of the table.

    Attributes:
        names: features, then "bias" if there is one.
        estimate: the coefficients, in the units given.
        std_err: classic standard errors.
        std_err_hc3: robust to unequal variances (HC3).
        t: estimate / std_err.
        p: two-sided, Student's t with n - p degrees of freedom.
        ci_low: 95 % interval.
        ci_high: 95 % interval.
        vif: variance inflation factor; NaN for the bias.
        residual_std: sqrt(sum of squared residuals / (n - p)).
        r2: about the mean if the model can predict a constant, otherwise about zero.
        r2_adjusted: of the same.
        f: of the regression; NaN if there is nothing beside a constant.
        f_p: its p value.
        aic: -2 log-likelihood + 2 p.
        bic: -2 log-likelihood + log(n) p.
        durbin_watson: of the residuals in the order of the rows.
        leverage: diagonal of the hat matrix, shape (n_samples,).
        residuals: y - prediction, shape (n_samples,).
    """

    names: tuple[str, ...]
    estimate: Array
    std_err: Array
    std_err_hc3: Array
    t: Array
    p: Array
    ci_low: Array
    ci_high: Array
    vif: Array
    residual_std: float
    r2: float
    r2_adjusted: float
    f: float
    f_p: float
    aic: float
    bic: float
    durbin_watson: float
    leverage: Array
    residuals: Array

    def cooks(self, rows: Some = slice(None)) -> Array:
        """Cook's distance of some rows, shape (n_rows,); NaN at leverage 1."""
        leverage, scale = self.leverage[rows], len(self.names) * self.residual_std**2
        distance: Array = _divided(self.residuals[rows], 1 - leverage) ** 2 * leverage / scale
        return distance

    def standardized_residuals(self, rows: Some = slice(None)) -> Array:
        """residual / (residual_std sqrt(1 - leverage)) of some rows, shape (n_rows,); NaN at leverage 1."""
        room = np.maximum(1 - self.leverage[rows], 0.0)
        scaled: Array = _divided(self.residuals[rows], room) * np.sqrt(room) / self.residual_std
        return scaled

    def as_json(self) -> dict[str, Any]:
        """The `inference` of `metrics.json`; a number that is not finite is None."""
        columns = ("estimate", "std_err", "std_err_hc3", "t", "p", "ci_low", "ci_high", "vif")
        coefficients = {
            name: {column: _finite(getattr(self, column)[i]) for column in columns} for i, name in enumerate(self.names)
        }
        scalars = ("residual_std", "r2", "r2_adjusted", "f", "f_p", "aic", "bic", "durbin_watson")
        return {"coefficients": coefficients, **{name: _finite(getattr(self, name)) for name in scalars}}


def refusal(
    optimum: Optimum,
    loss: str,
    trained: tuple[npt.ArrayLike, npt.ArrayLike | None] | None = None,
    *,
    names: Sequence[str] = (),
) -> str | None:
    """Why inference would mislead, with what to do about it; None if it may be shown.

    Args:
        optimum: of the train split in original units, without weight decay; `weight_decay` of the run is read from it.
        loss: that was trained.
        trained: weights (n_features, n_targets) and bias of the trained model, original units; None to ask about
            the optimum itself.
        names: of the features, for the message.
    """
    factor = optimum.factor
    n, p = factor.n_samples, factor.n_parameters
    if not is_squared(loss):
        return f"standard errors of least squares do not hold for loss: {loss}; train with loss: mse"
    if optimum.weight_decay > 0:
        return "weight decay biases the coefficients; set optimizer.weight_decay: 0"
    if n <= p:
        return f"{n} rows leave nothing to estimate the noise from, with {p} parameters; use more rows or fewer columns"
    if not optimum.is_unique:
        return f"the coefficients are not unique (rank {optimum.rank} of {p}); leave out columns that others determine"
    if optimum.train_loss <= optimum.rounding_loss:
        return "the fit is exact to rounding, so there is no noise to judge it by"
    if trained is None:
        return None
    shift = _shift_in_errors(optimum, *trained)
    worst = np.unravel_index(int(np.argmax(shift)), shift.shape)
    if shift[worst] < NEAR:
        return None
    labels = [*(names or [f"feature {j + 1}" for j in range(len(factor.scale))]), "bias"]
    relative, base = optimum.gap(*trained)
    distance = "not defined" if relative is None else f"{relative:.3g} times the {base}'s loss"
    return (
        f"the model is not at the optimum: {labels[worst[0]]!r} is {shift[worst]:.3g} standard errors away, and must "
        f"be below {NEAR:g} (the gap is {distance}); train for more epochs or, "
        "where optimizer.lr is a number, set it to auto"
    )


def infer(
    optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike, *, names: Sequence[str], target: int = 0
) -> Inference:
    """Inference at the optimum for one target, in two passes over the rows.

    Args:
        optimum: of the same table, in the units that are wanted; `refusal(optimum, ...)` must be None.
        X_nd: shape (n_samples, n_features).
        y_nk: shape (n_samples, n_targets).
        names: of the features.
        target: which column of y.

    Sources: J. G. MacKinnon, H. White, Some heteroskedasticity-consistent covariance matrix estimators, 1985
    (HC3); R. D. Cook, Detection of influential observation in linear regression, 1977; J. Durbin, G. S. Watson,
    Testing for serial correlation in least squares regression, 1950.
    """
    from scipy import special

    factor = optimum.factor
    n, p = factor.n_samples, factor.n_parameters
    degrees = n - p
    assert degrees > 0, (n, p)
    assert optimum.is_unique
    X, y = matrix(X_nd), matrix(y_nk)
    residuals, leverage, meat, ones = _rows(optimum, X, y, target)
    rss = float(residuals @ residuals)
    s2 = rss / degrees
    # (weights, bias) = to_q Q'y: the rows of to_q are what each parameter reads from the orthogonal columns.
    to_q = factor.to_parameters() @ solve_triangle(factor.R_pp, np.eye(p))
    variance = np.einsum("ij,ij->i", to_q, to_q)
    estimate, std_err = _stack(optimum.weights, optimum.bias)[:, target], np.sqrt(s2 * variance)
    t = estimate / std_err
    reach = float(special.stdtrit(degrees, 0.975)) * std_err
    # A model without a bias has an implicit constant where its columns add up to one, as indicators do.
    constant = factor.bias or float(ones @ ones) > n * (1 - 1e-10)
    r2, f, f_p = _regression(factor, y, rss, target, constant)
    likelihood = -n / 2 * (math.log(2 * math.pi) + math.log(rss / n) + 1)
    spread = n * np.append(factor.spread, math.nan)[:p] ** 2
    return Inference(
        names=(*names, "bias")[:p],
        estimate=estimate,
        std_err=std_err,
        std_err_hc3=np.sqrt(np.einsum("ij,jk,ik->i", to_q, meat, to_q)),
        t=t,
        p=2 * special.stdtr(degrees, -np.abs(t)),
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        vif=spread * variance,
        residual_std=math.sqrt(s2),
        r2=r2,
        r2_adjusted=1 - (1 - r2) * (n - constant) / degrees,
        f=f,
        f_p=f_p,
        aic=-2 * likelihood + 2 * p,
        bic=-2 * likelihood + math.log(n) * p,
        durbin_watson=_sum_of_squared_steps(residuals) / rss,
        leverage=leverage,
        residuals=residuals,
    )


def _rows(
    optimum: Optimum, X: npt.NDArray[np.generic], y: npt.NDArray[np.generic], target: int
) -> tuple[Array, Array, Array, Array]:
    """Residuals and leverage of each row, Q' diag(e^2 / (1 - h)^2) Q, and Q'1."""
    factor = optimum.factor
    residuals, leverage = np.empty(len(X)), np.empty(len(X))
    meat, ones = np.zeros((factor.n_parameters,) * 2), np.zeros(factor.n_parameters)
    weights = optimum.weights[:, target] * factor.scale
    level = 0.0
    if optimum.bias is not None:
        # Residuals from centred columns: the same numbers without the digits that an offset costs.
        level = float(optimum.bias[target] + factor.center @ optimum.weights[:, target])
    for rows in blocks(len(X)):
        part = X[rows]
        scaled = factor.rows(part)[:, : len(weights)]
        residuals[rows] = np.asarray(y[rows][:, target], dtype=np.float64) - level - scaled @ weights
        q = factor.whiten(part)
        leverage[rows] = np.einsum("ij,ij->i", q, q)
        inflated = _divided(residuals[rows], 1 - leverage[rows])
        weighted = q * inflated[:, None]
        meat += weighted.T @ weighted
        ones += q.sum(axis=0)
    return residuals, leverage, meat, ones


def _regression(
    factor: Factor, y: npt.NDArray[np.generic], rss: float, target: int, constant: bool
) -> tuple[float, float, float]:
    """R2, F and its p value."""
    from scipy import special

    total = float(factor.constant_k[target])
    if not constant:
        values = np.asarray(y, dtype=np.float64)[:, target]
        total = float(values @ values)
    r2 = 1 - rss / total if total else math.nan
    explained, degrees = factor.n_parameters - constant, factor.n_samples - factor.n_parameters
    if not explained:
        return r2, math.nan, math.nan
    f = (total - rss) / explained / (rss / degrees)
    return r2, f, float(special.fdtrc(explained, degrees, f))


def _sum_of_squared_steps(residuals: Array) -> float:
    steps = np.diff(residuals)
    return float(steps @ steps)


def _divided(residuals: Array, room: Array) -> Array:
    """Residuals over 1 - leverage; NaN for a row of leverage 1, which fixes a coefficient alone: 0 / 0."""
    inflated: Array = np.divide(residuals, room, out=np.full_like(room, math.nan), where=room > 1e-12)
    return inflated


def _stack(weights: Array, bias: Array | None) -> Array:
    return weights if bias is None else np.vstack([weights, bias])


def _shift_in_errors(optimum: Optimum, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
    """|trained - optimum| / standard error, shape (n_parameters, n_targets)."""
    factor = optimum.factor
    to_q = factor.to_parameters() @ solve_triangle(factor.R_pp, np.eye(factor.n_parameters))
    variance = np.einsum("ij,ij->i", to_q, to_q)[:, None]
    theta = factor.R_pk - factor.R_pp @ solve_triangle(factor.R_pp, factor.R_pk)
    rss = (np.sum(theta**2, axis=0) + factor.rest_k) * factor.target_scale**2
    std_err = np.sqrt(variance * rss / (factor.n_samples - factor.n_parameters))
    trained = _stack(
        np.asarray(weights, dtype=np.float64), None if bias is None else np.asarray(bias, dtype=np.float64)
    )
    moved = np.abs(trained - _stack(optimum.weights, optimum.bias))
    # A target that is met exactly has no error to compare with.
    shift: Array = np.divide(moved, std_err, out=np.where(moved > 0, math.inf, 0.0), where=std_err > 0)
    return shift


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
