"""The F statistic of a regression: whether all of its coefficients but the intercept are zero."""

import math

import numpy as np

from linreg_cli.least_squares.decompositions import Array
from linreg_cli.least_squares.distributions import f_tail


def of_squares(total: float, rss: float, explained: int, degrees: int) -> tuple[float, float]:
    """F = ((total - rss) / explained) / (rss / degrees) and its p-value; NaN where nothing is to be explained.

    Args:
        total: the sum of squares of the target.
        rss: that of the residuals.
        explained: the number of coefficients without the intercept.
        degrees: the residual degrees of freedom.

    >>> f, p = of_squares(10.0, 5.0, 2, 20)
    >>> f, round(p, 12)
    (10.0, 0.0009765625)
    """
    if not explained:
        return math.nan, math.nan
    if not rss:
        return math.inf if total else math.nan, 0.0 if total else math.nan
    f = (total - rss) / explained / (rss / degrees)
    return f, f_tail(explained, degrees, f)


def wald(estimate: Array, covariance: Array, degrees: int, *, constant: bool, bias: bool) -> tuple[float, float]:
    """Wald's F = b' inv(V) b / (number of b) of the coefficients b without the intercept, and its p-value.

    Args:
        estimate: all coefficients, the intercept last, shape (p,).
        covariance: of the estimates, shape (p, p).
        degrees: the residual degrees of freedom.
        constant: whether the columns add up to a constant.
        bias: whether the last coefficient is the intercept. A constant without one has no F, as statsmodels has none:
            which of the columns is the intercept is not known.

    Source: A. Wald, Tests of statistical hypotheses concerning several parameters when the number of observations is
    large, 1943.
    """
    slopes = len(estimate) - bias
    if not slopes or (constant and not bias) or not np.isfinite(covariance).all():
        return math.nan, math.nan
    b, V = estimate[:slopes], covariance[:slopes, :slopes]
    # Columns in any units: V is solved with a diagonal of ones.
    unit = np.sqrt(np.diag(V))
    if not unit.all():
        return math.nan, math.nan
    scaled = b / unit
    f = float(scaled @ np.linalg.lstsq(V / np.outer(unit, unit), scaled, rcond=None)[0]) / slopes
    return f, f_tail(slopes, degrees, f)
