"""Metrics of held-out predictions of the exact fit: leave-one-out and k-fold cross-validation without refitting."""

import math

import numpy as np

from linreg_cli.data.encoding.transform import inverse
from linreg_cli.evaluation.metrics import Metrics
from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.resampling import HeldOut


def held_out_metrics(found: HeldOut, y_nk: Array, transform: str = "none") -> Metrics:
    """`mse`, `rmse` and `r2` of held-out predictions (leave-one-out or k-fold), in original units of the target.

    With f the transform, a row y is predicted by f^-1(f(y) - e), where e is its error in units of f. mse is the mean of
    the squared differences over rows and targets; r2 is 1 - mse / variance of y, averaged over targets.

    Args:
        found: the errors e of each row, predicted by a fit without it, in units of f.
        y_nk: f(y) of the rows, shape (n_samples, n_targets), float64.
        transform: the name of f.

    Returns:
        `units`, `r2_definition` and the three metrics; those that are undefined are None, and `reason` says why.

    >>> held_out_metrics(HeldOut(1.0, None, np.array([[1.0], [-1.0]])), np.array([[0.0], [4.0]]))["r2"]
    0.75
    """
    labels: Metrics = {"units": "original", "r2_definition": "centred"}
    none: Metrics = {**labels, "mse": None, "rmse": None, "r2": None}
    if found.errors is None:
        return {**none, "reason": found.reason}
    actual = inverse(transform, y_nk)
    errors = found.errors if transform == "none" else actual - inverse(transform, y_nk - found.errors)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.mean(errors**2, axis=0)
    mse = float(np.mean(squares))
    if not math.isfinite(mse):
        return {**none, "reason": "a held-out prediction overflows float64"}
    values: Metrics = {**labels, "mse": mse, "rmse": math.sqrt(mse), "r2": None}
    spread_k = actual.std(axis=0)
    if (spread_k > 0).all():
        return {**values, "r2": float(np.mean(1 - squares / spread_k**2))}
    return {**values, "reason": "R2 is undefined: a target is constant"}
