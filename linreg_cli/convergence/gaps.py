"""The gap of parameters to an exact optimum, and an upper bound on it that includes rounding errors."""

import math

import numpy as np

from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.solve import Optimum
from linreg_cli.optim.stopping import Distance


def measured(optimum: Optimum, as_given: Optimum | None, weights: Array, bias: Array | None) -> Distance:
    """The distance of parameters from the optimum of the numbers that are trained on, and its certificate.

    Args:
        optimum: of the numbers that are trained on.
        as_given: of the table before its values were rounded to float32; None: no certificate is wanted.
        weights: shape (n_features, n_targets).
        bias: shape (n_targets,); None without an intercept.
    """
    excess, against, base = _excess(optimum, weights, bias), optimum.relative_to, _base(optimum)
    if against <= 0:
        return Distance(0.0 if excess <= optimum.rounding_loss else None, None, base)
    gap = excess / against if math.isfinite(excess / against) else None
    if as_given is None:
        return Distance(gap, None, base)
    return Distance(gap, certified_gap(as_given, weights, bias), base, _base(as_given))


def certified_gap(optimum: Optimum, weights: Array, bias: Array | None) -> float | None:
    """An upper bound on the gap of parameters, with the rounding error of the optimum and of the scaled values."""
    excess = _excess(optimum, weights, bias)
    if not (excess >= 0 and optimum.relative_to > 0):
        return None
    return (math.sqrt(excess) + math.sqrt(optimum.rounding_loss)) ** 2 / optimum.relative_to


def _excess(optimum: Optimum, weights: Array, bias: Array | None) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return optimum.excess(weights, bias)


def _base(optimum: Optimum) -> str:
    return "constant" if optimum.is_zero else "optimum"
