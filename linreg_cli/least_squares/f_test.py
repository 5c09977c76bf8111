"""The F statistic of a regression: whether all of its coefficients but the intercept are zero."""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.distributions import f_tail
from linreg_cli.least_squares.factor import EPS, Array, Factor
from linreg_cli.wording import plural

#: Why a figure that residuals are divided by is not there.
EXACT = "the target is fitted exactly within rounding error"


@dataclass(frozen=True)
class Tested:
    """How the coefficients are tested.

    Attributes:
        covariance: `classic`, `HC3` or `cluster`.
        degrees: of freedom of t: those of the residuals, with `cluster` the number of clusters - 1.
        constant: whether the columns, with those of an intercept, add up to a constant.
        residual_error: the rounding error of a residual.
    """

    covariance: str
    degrees: int
    constant: bool
    residual_error: float

    def f(
        self, factor: Factor, estimate: Array, meat: Array, total: float, rss: float
    ) -> tuple[float, float, str | None]:
        """The F statistic and its p-value, NaN where there is none, and why there is none.

        Args:
            factor: of the rows.
            estimate: all coefficients, as given, the intercept last, shape (p,).
            meat: the covariance of Q'y, shape (p, p).
            total: the sum of squares of the target, about its mean if the columns add up to a constant.
            rss: that of the residuals.
        """
        explained = factor.n_parameters - self.constant
        why = self._why_none(explained, factor)
        if why is not None:
            return math.nan, math.nan, why
        if self.covariance == "classic":
            found, none = of_squares(total, rss, explained, self.degrees), EXACT
        else:
            found = wald(factor, estimate, meat, self.degrees, error=self.residual_error)
            none = "the covariance of the coefficients is singular within rounding error"
        return *found, None if math.isfinite(found[0]) else none

    def _why_none(self, explained: int, factor: Factor) -> str | None:
        if not explained:
            return "there is no coefficient besides a constant"
        if self.covariance == "classic":
            return None
        if self.constant and not factor.bias:  # nor has statsmodels
            return f"the columns add up to a constant; with {self.covariance} that needs an intercept (model.bias)"
        slopes = len(factor.scale)
        if self.covariance == "cluster" and slopes > self.degrees:  # their covariance has at most the rank G - 1
            counted = f"{plural(self.degrees + 1, 'cluster')} cannot test {plural(slopes, 'coefficient')} at once"
            return f"{counted}; that needs more clusters than coefficients"
        return None


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


def wald(factor: Factor, estimate: Array, meat: Array, degrees: int, *, error: float) -> tuple[float, float]:
    """Wald's F = b' inv(V) b / (number of b) of the coefficients b without the intercept, and its p-value.

    With R = [[S, r], [0, u]], the coordinates g = S b of Q and C = [1, -r / u], V is inv(S) C M C' inv(S)', so F is
    g' inv(C M C') g / (number of b): no digits are lost to nearly dependent columns. NaN where C M C' is
    singular within rounding error, or not defined.

    Args:
        factor: of the rows, with a column at least.
        estimate: all coefficients, as given, the intercept last, shape (p,).
        meat: M, the covariance of Q'y, shape (p, p).
        degrees: of freedom of the denominator.
        error: the rounding error of a residual: what it may add to the root of an eigenvalue of M.

    Source: A. Wald, Tests of statistical hypotheses concerning several parameters when the number of observations is
    large, 1943.
    """
    slopes = len(factor.scale)
    if not np.isfinite(meat).all():
        return math.nan, math.nan
    S, kept = factor.R_pp[:slopes, :slopes], np.eye(slopes, factor.n_parameters)
    if factor.bias:
        kept[:, -1] = -factor.R_pp[:slopes, -1] / factor.R_pp[-1, -1]
    values, vectors = np.linalg.eigh(kept @ meat @ kept.T)
    if values[0] <= max(error**2, slopes * EPS * values[-1]):
        return math.nan, math.nan
    g = vectors.T @ (S @ (estimate[:slopes] * factor.scale))
    f = float(np.sum(g**2 / values)) / slopes
    return f, f_tail(slopes, degrees, f)
