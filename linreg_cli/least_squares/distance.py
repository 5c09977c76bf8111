"""The distance of parameters from the exact fit, in standard errors."""

import math

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.decompositions import row_lengths, solve_triangle
from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.optimum import Optimum


def stacked(weights: Array, bias: Array | None) -> Array:
    """The parameters of all targets, shape (n_parameters, n_targets), the bias last."""
    return weights if bias is None else np.vstack([weights, bias])


def shift_in_errors(optimum: Optimum, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
    """|trained - optimum| / standard error, shape (n_parameters, n_targets)."""
    shift: Array = np.abs(distance_in_errors(optimum, weights, bias))
    return shift


def distance_in_errors(optimum: Optimum, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
    """(trained - optimum) / classic standard error, shape (n_parameters, n_targets).

    The standard error of an exact fit is 0, so any difference from it is infinitely many of them.

    Args:
        optimum: unique, with residual degrees of freedom.
        weights: shape (n_features, n_targets), in the units of the optimum.
        bias: shape (n_targets,); None without an intercept.
    """
    std_err = standard_errors(optimum)
    trained = stacked(
        np.asarray(weights, dtype=np.float64), None if bias is None else np.asarray(bias, dtype=np.float64)
    )
    moved = trained - stacked(optimum.weights, optimum.bias)
    infinite = np.copysign(np.where(moved == 0, 0.0, math.inf), moved)
    distance: Array = np.divide(moved, std_err, out=infinite, where=std_err > 0)
    return distance


def standard_errors(optimum: Optimum) -> Array:
    """The classic standard errors of all targets, shape (n_parameters, n_targets), without a pass over the rows.

    Args:
        optimum: unique, with residual degrees of freedom.
    """
    factor = optimum.factor
    to_q = factor.to_parameters() @ factor.inverse
    theta = factor.R_pk - factor.R_pp @ solve_triangle(factor.R_pp, factor.R_pk)
    rss = (np.sum(theta**2, axis=0) + factor.rest_k) * factor.target_scale**2
    std_err: Array = np.outer(row_lengths(to_q), np.sqrt(rss / (factor.n_samples - len(to_q))))
    return std_err
