"""The gap of parameters to an exact optimum, and an upper bound on it that includes rounding errors."""

import math
from collections.abc import Callable

import numpy as np

from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.stopping import Distance


def measured(optimum: Optimum, as_given: Optimum | None, weights: Array, bias: Array | None) -> list[Distance]:
    """The distance of N parameters from the optimum of the numbers that are trained on, and its certificate.

    Args:
        optimum: of the numbers that are trained on.
        as_given: of the table before its values were rounded to float32; None: no certificate is wanted.
        weights: shape (N, n_features, n_targets).
        bias: shape (N, n_targets); None without an intercept.
    """
    excesses, against, base = _excesses(optimum, weights, bias), optimum.relative_to, _base(optimum)
    if against <= 0:
        return [Distance(0.0 if each <= optimum.rounding_loss else None, None, base) for each in excesses]
    gaps = [each / against if math.isfinite(each / against) else None for each in excesses]
    if as_given is None:
        return [Distance(gap, None, base) for gap in gaps]
    bounds = excesses if as_given is optimum else _excesses(as_given, weights, bias)
    certified, other = _certificate(as_given), _base(as_given)
    return [Distance(gap, certified(bound), base, other) for gap, bound in zip(gaps, bounds, strict=True)]


def certified_gap(optimum: Optimum, weights: Array, bias: Array | None) -> float | None:
    """An upper bound on the gap of parameters, with the rounding error of the optimum and of the scaled values.

    Args:
        optimum: of the table as given.
        weights: shape (n_features, n_targets).
        bias: shape (n_targets,); None without an intercept.
    """
    return _certificate(optimum)(_excesses(optimum, weights[None], None if bias is None else bias[None])[0])


def _certificate(optimum: Optimum) -> Callable[[float], float | None]:
    """excess -> upper bound on the gap."""
    against, rounding = optimum.relative_to, math.sqrt(optimum.rounding_loss)

    def certified(excess: float) -> float | None:
        return (math.sqrt(excess) + rounding) ** 2 / against if excess >= 0 and against > 0 else None

    return certified


def _excesses(optimum: Optimum, weights: Array, bias: Array | None) -> list[float]:
    with np.errstate(over="ignore", invalid="ignore"):
        found: list[float] = optimum.excesses(weights, bias).tolist()
        return found


def _base(optimum: Optimum) -> str:
    return "constant" if optimum.is_zero else "optimum"
