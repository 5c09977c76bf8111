"""Metrics of held-out predictions of the exact fit: leave-one-out and k-fold cross-validation without refitting."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.evaluation.metrics import IN_ORIGINAL_UNITS, Metrics
from linreg_cli.least_squares.factor import Array, matrix
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.resampling import HeldOut, k_fold, leave_one_out, residuals_of

#: The most rows for which every row gets the smearing factor of the fit to the others, at a cost of rows x rows.
MOST_LEFT_OUT = 3_000
Fold = npt.NDArray[np.integer]


def left_out(
    optimum: Optimum,
    X_nd: npt.ArrayLike,
    y_nk: Array,
    options: PreprocessConfig,
    folds: Sequence[Fold] | None = None,
) -> Metrics:
    """The metrics of k-fold cross-validation of the exact fit, or of leave-one-out, as `held_out_metrics` has them.

    Args:
        optimum: of the same rows, in units of f(y), without weight decay.
        X_nd: shape (n_samples, n_features).
        y_nk: f(y), shape (n_samples, n_targets), float64.
        options: with the transform f and what predictions estimate.
        folds: the row indices of each fold; None: leave-one-out.
    """
    found = leave_one_out(optimum, X_nd, y_nk) if folds is None else k_fold(optimum, X_nd, y_nk, folds)
    root_n = None if optimum.factor.root_n is None else np.asarray(optimum.factor.root_n)
    if options.target_estimate == "median" or found.errors is None:
        return held_out_metrics(found, y_nk, options.target_transform, root_n=root_n)
    if folds is None and len(y_nk) > MOST_LEFT_OUT:
        reason = f"with preprocess.target_estimate: mean it is computed for up to {MOST_LEFT_OUT:,} rows"
        return held_out_metrics(HeldOut(None, reason, None), y_nk)
    factors = _factors(optimum, X_nd, y_nk, folds or [np.array([row]) for row in range(len(y_nk))])
    return held_out_metrics(found, y_nk, options.target_transform, factors)


def fitted(optimum: Optimum, X_nd: npt.ArrayLike, y_nk: Array, options: PreprocessConfig) -> Metrics:
    """The metrics of the exact fit on its own rows; arguments as those of `left_out`."""
    e = residuals_of(optimum, X_nd, y_nk)
    with np.errstate(over="ignore"):
        smearing = np.exp(e).mean(axis=0, keepdims=True) if options.target_estimate == "mean" else None
    root_n = None if optimum.factor.root_n is None else np.asarray(optimum.factor.root_n)
    return held_out_metrics(HeldOut(None, None, e), y_nk, options.target_transform, smearing, root_n=root_n)


def held_out_metrics(
    found: HeldOut,
    y_nk: Array,
    transform: str = "none",
    smearing: Array | None = None,
    *,
    root_n: Array | None = None,
) -> Metrics:
    """`mse`, `rmse` and `r2` of held-out predictions (leave-one-out or k-fold), in original units of the target.

    With f the transform, a row y is predicted by f^-1(f(y) - e), where e is its error in units of f; with the smearing
    factor s of the fit without it, by f^-1(f(y) - e + log s). mse is the mean of the squared differences over rows and
    targets; r2 is 1 - mse / variance of y, averaged over targets.

    Args:
        found: the errors e of each row, predicted by a fit without it, in units of f.
        y_nk: f(y) of the rows, shape (n_samples, n_targets), float64.
        transform: the name of f.
        smearing: s for each row, shape (n_samples, n_targets) or (1, n_targets); None for the median.
        root_n: the square roots of the weights of the rows, by which means and variances are weighted; None: all are 1.

    Returns:
        `units`, `r2_definition` and the three metrics; those that are undefined are None, and `reason` says why.

    >>> held_out_metrics(HeldOut(1.0, None, np.array([[1.0], [-1.0]])), np.array([[0.0], [4.0]]))["r2"]
    0.75
    """
    none: Metrics = {**IN_ORIGINAL_UNITS, "mse": None, "rmse": None, "r2": None}
    if found.errors is None:
        return {**none, "reason": found.reason}
    actual = inverse(transform, y_nk)
    errors = found.errors
    if transform != "none":
        predicted = y_nk - found.errors
        errors = actual - inverse(transform, predicted if smearing is None else predicted + np.log(smearing))
    with np.errstate(over="ignore", invalid="ignore"):
        weights = None if root_n is None else root_n**2
        squares = np.average(errors**2, axis=0, weights=weights)
    mse = float(np.mean(squares))
    if not math.isfinite(mse):
        return {**none, "reason": "a held-out prediction overflows float64"}
    values: Metrics = {**IN_ORIGINAL_UNITS, "mse": mse, "rmse": math.sqrt(mse), "r2": None}
    if weights is None:
        variance_k = actual.std(axis=0) ** 2
    else:
        variance_k = np.average((actual - np.average(actual, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    if (variance_k > 0).all():
        return {**values, "r2": float(np.mean(1 - squares / variance_k))}
    return {**values, "reason": "R2 is undefined: a target is constant"}


def _factors(optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike, folds: Sequence[Fold]) -> Array:
    """For each row the smearing factor of the fit to the rows of the other folds, shape (n_samples, n_targets).

    The residuals of all rows under the fit without the rows F are e + Q (1 - Q_F'Q_F)^-1 Q_F' e_F.
    """
    q, e = optimum.factor.whiten(matrix(X_nd)), residuals_of(optimum, X_nd, y_nk)
    factors, identity = np.empty(e.shape), np.eye(q.shape[1])
    for fold in folds:
        shift = q @ np.linalg.solve(identity - q[fold].T @ q[fold], q[fold].T @ e[fold])
        with np.errstate(over="ignore"):
            smeared = np.exp(e + shift)
        factors[fold] = (smeared.sum(axis=0) - smeared[fold].sum(axis=0)) / (len(e) - len(fold))
    return factors
