"""Inference for ordinary least squares: standard errors, tests, confidence intervals, leverage and Cook's distance.

It is inference at the optimum. It is valid for a trained model only if the model is close to the optimum, which
`refusal.refusal` judges. Definitions and numbers are those of statsmodels' OLS.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import Values
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.row_weights import sum_of
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.distance import stacked
from linreg_cli.least_squares.distributions import t_quantile, t_tail
from linreg_cli.least_squares.f_test import of_squares, wald
from linreg_cli.least_squares.factor import Array, Factor, blocks
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import NO_ROOM, measure_rows, over_room
from linreg_cli.least_squares.without_rows import Sums
from linreg_cli.wording import plural

#: Indices of rows.
Some = RowArray | slice


@dataclass(frozen=True, eq=False)
class Inference:
    """Inference for the coefficients of one target.

    Arrays over the p parameters are float64 of shape (p,), the bias last. What is of rows is float64 of shape
    (n_samples,), in the order of the table; of many rows it is on the disk. Coefficients and residuals are in the units
    of the X and y given.

    Attributes:
        names: the features, then "bias" if there is an intercept.
        estimate: the coefficients.
        std_err: classic standard errors, sqrt(diag(inv([X 1]'[X 1]))) * residual_std.
        std_err_hc3: heteroskedasticity-consistent standard errors (HC3).
        std_err_cluster: standard errors for residuals that are correlated within clusters; None without at least two.
        n_clusters: the number of clusters; None without any.
        covariance: `classic`, `HC3` or `cluster`: the standard errors that t, p, ci_low, ci_high, f and f_p are of.
        degrees: of freedom of t: n - p, with `cluster` the number of clusters - 1.
        t: estimate / standard error.
        p: two-sided p-values of t, from Student's t distribution.
        ci_low: the lower end of the 95 % confidence interval.
        ci_high: the upper end.
        vif: variance inflation factors; NaN for the bias.
        residual_std: the residual standard error, sqrt(sum of squared residuals / (n - p)).
        r2: 1 - rss / tss, where tss is about the mean (centred) or about zero (uncentred).
        r2_definition: `centred` if the model has an intercept, or an implicit one; otherwise `uncentred`.
        r2_adjusted: adjusted for the degrees of freedom.
        f: the F statistic of the regression (with HC3 and cluster Wald's); NaN if the model has an intercept only, and
            with cluster where there are not more clusters than coefficients without the intercept.
        f_p: its p-value.
        aic: -2 log-likelihood + 2 p.
        bic: -2 log-likelihood + log(n) p.
        durbin_watson: sum of (e_i - e_(i-1))^2 / sum of e_i^2, in the order of the rows.
        leverage: the diagonal of the hat matrix.
        residuals: y - prediction, times the square root of the weight of the row, as all that is made of them.
        meat: the covariance of Q'y that `covariance` says, for the orthonormal columns Q of `Factor.whiten`, shape
            (p, p): Q' diag(e^2 / (1 - h)^2) Q of HC3, `Clusters.meat`, or s^2 times the identity.
    """

    names: tuple[str, ...]
    covariance: str
    degrees: int
    estimate: Array
    std_err: Array
    std_err_hc3: Array
    std_err_cluster: Array | None
    n_clusters: int | None
    t: Array
    p: Array
    ci_low: Array
    ci_high: Array
    vif: Array
    residual_std: float
    r2: float
    r2_definition: str
    r2_adjusted: float
    f: float
    f_p: float
    aic: float
    bic: float
    durbin_watson: float
    leverage: Values
    residuals: Values
    meat: Array

    @property
    def alone(self) -> npt.NDArray[np.intp]:
        """The positions of the rows of leverage 1, each of which alone determines a coefficient; HC3 has no errors."""
        found = [rows.start + np.flatnonzero(1 - self.leverage[rows] <= NO_ROOM) for rows in blocks(len(self.leverage))]
        return np.concatenate(found)

    def cooks(self, rows: Some = slice(None)) -> Array:
        """Cook's distance, e^2 h / (p s^2 (1 - h)^2), shape (n_rows,); NaN for a leverage h of 1."""
        leverage, scale = self.leverage[rows], len(self.names) * self.residual_std**2
        with np.errstate(divide="ignore", invalid="ignore"):
            distance: Array = over_room(self.residuals[rows], 1 - leverage) ** 2 * leverage / scale
        return distance

    def standardized_residuals(self, rows: Some = slice(None)) -> Array:
        """Internally studentised residuals, e / (s sqrt(1 - h)), shape (n_rows,); NaN for a leverage h of 1."""
        room = np.maximum(1 - self.leverage[rows], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled: Array = over_room(self.residuals[rows], room) * np.sqrt(room) / self.residual_std
        return scaled

    def as_json(self) -> dict[str, Any]:
        """The inference of one target in `metrics.json`; numbers that are not finite are None."""
        robust = ("std_err_hc3",) if self.std_err_cluster is None else ("std_err_hc3", "std_err_cluster")
        columns = ("estimate", "std_err", *robust, "t", "p", "ci_low", "ci_high", "vif")
        coefficients = {
            name: {column: _finite(getattr(self, column)[i]) for column in columns} for i, name in enumerate(self.names)
        }
        scalars = ("residual_std", "r2", "r2_adjusted", "f", "f_p", "aic", "bic", "durbin_watson")
        values = {name: _finite(getattr(self, name)) for name in scalars}
        kinds: dict[str, Any] = {"r2_definition": self.r2_definition, "covariance": self.covariance}
        if self.n_clusters is not None:
            kinds["n_clusters"] = self.n_clusters
        if self.f_reason:
            kinds["f_reason"] = self.f_reason
        return {"coefficients": coefficients, **kinds, **values}

    @property
    def f_reason(self) -> str | None:
        """Why there is no F where there are coefficients to test; None otherwise."""
        slopes = len(self.names) - (self.names[-1:] == ("bias",))
        if self.covariance != "cluster" or slopes <= self.degrees:
            return None
        counted = plural(self.n_clusters or 0, "cluster")
        return (
            f"{counted} cannot test {plural(slopes, 'coefficient')} at once; that needs more clusters than coefficients"
        )


def infer(
    optimum: Optimum,
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    *,
    names: Sequence[str],
    target: int = 0,
    covariance: str = "classic",
    clusters: Clusters | None = None,
    sums: Sums | None = None,
    divided: DividedRows | None = None,
) -> Inference:
    """Inference at the optimum for one target, in at most two passes over the rows.

    Args:
        optimum: of the same rows and units; `refusal(optimum, ...)` must be None.
        X_nd: shape (n_samples, n_features), any float dtype.
        y_nk: shape (n_samples, n_targets), any float dtype.
        names: of the features.
        target: the index of the column of y.
        covariance: `classic`, `HC3` or `cluster`: the standard errors that the tests and the intervals are of.
        clusters: of the rows; for `cluster` at least two.
        sums: of the rows, where they were not read: X and y have none, what is of single rows is empty, and HC3 and
            Durbin-Watson are nan.
        divided: the rows in the parts by which sums are added up; None: one.

    >>> from linreg_cli.least_squares.solve import least_squares
    >>> X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[1.0], [2.0], [2.0], [3.0]])
    >>> found = infer(least_squares(X, y, bias=True), X, y, names=["x"])
    >>> found.estimate.round(12).tolist(), found.t.round(6).tolist()
    ([0.6, 0.5], [4.242641, 1.290994])

    Sources: J. G. MacKinnon, H. White, Some heteroskedasticity-consistent covariance matrix estimators, 1985
    (HC3); R. D. Cook, Detection of influential observation in linear regression, 1977; J. Durbin, G. S. Watson,
    Testing for serial correlation in least squares regression, 1950.
    """
    factor = optimum.factor
    n, p = factor.n_samples, factor.n_parameters
    degrees = n - p
    assert degrees > 0, (n, p)
    assert optimum.is_unique
    if sums is None:
        rows = DividedRows(X_nd, y_nk, root_n=factor.root_n) if divided is None else divided
        found = measure_rows(optimum, rows, target, clusters)
    else:
        found = sums.measured(optimum, target)
    rss, s2 = found.rss, found.rss / degrees
    # (weights, bias) = to_q Q'y, so the variance of a parameter is s2 times the squared length of its row of to_q.
    to_q = factor.to_parameters() @ factor.inverse
    variance = np.einsum("ij,ij->i", to_q, to_q)
    estimate, meats = stacked(optimum.weights, optimum.bias)[:, target], {**found.meats, "classic": s2 * np.eye(p)}
    std_errs = {**_robust(to_q, found.meats), "classic": np.sqrt(s2 * variance)}
    freedom = degrees
    if covariance == "cluster":
        assert clusters is not None
        freedom = clusters.degrees
    with np.errstate(divide="ignore", invalid="ignore"):  # one of several targets may be fitted exactly
        t = estimate / std_errs[covariance]
    reach = t_quantile(freedom, 0.025) * std_errs[covariance]
    # Without an intercept, the model has an implicit one if the columns sum to 1, as indicators do.
    constant = factor.bias or float(found.ones @ found.ones) > n * (1 - 1e-10)
    total = float(factor.constant_k[target]) if constant else found.about_zero()
    if covariance == "cluster" and p - factor.bias > freedom:  # their covariance has at most the rank G - 1
        f = f_p = math.nan
    elif covariance != "classic":
        f, f_p = wald(estimate, to_q @ meats[covariance] @ to_q.T, freedom, constant=constant, bias=factor.bias)
    else:
        f, f_p = of_squares(total, rss, p - constant, degrees)
    r2 = 1 - rss / total if total else math.nan
    likelihood = _log_likelihood(factor, rss)
    return Inference(
        names=(*names, "bias")[:p],
        covariance=covariance,
        degrees=freedom,
        estimate=estimate,
        std_err=std_errs["classic"],
        std_err_hc3=std_errs["HC3"],
        std_err_cluster=std_errs.get("cluster"),
        n_clusters=None if clusters is None else clusters.count,
        t=t,
        p=np.array([2 * t_tail(freedom, float(each)) for each in t]),
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        vif=n * np.append(factor.spread, math.nan)[:p] ** 2 * variance,
        residual_std=math.sqrt(s2),
        r2=r2,
        r2_definition="centred" if constant else "uncentred",
        r2_adjusted=1 - (1 - r2) * (n - constant) / degrees,
        f=f,
        f_p=f_p,
        aic=-2 * likelihood + 2 * p,
        bic=-2 * likelihood + math.log(n) * p,
        durbin_watson=found.squared_steps / rss if rss else math.nan,
        leverage=found.leverage,
        residuals=found.residuals,
        meat=meats[covariance],
    )


def _robust(to_q: Array, meats: Mapping[str, Array]) -> dict[str, Array]:
    """Standard errors by covariances of Q'y, each of shape (p,)."""
    variances = {kind: np.sum((to_q @ meat) * to_q, axis=1) for kind, meat in meats.items()}
    return {kind: np.sqrt(np.maximum(each, 0.0)) for kind, each in variances.items()}  # rounding may leave less than 0


def _log_likelihood(factor: Factor, rss: float) -> float:
    """The logarithm of the likelihood of normal residuals, at the variance that is the most likely."""
    n = factor.n_samples
    found: float = -n / 2 * (math.log(2 * math.pi) + math.log(rss / n) + 1) if rss else math.inf
    if factor.root_n is not None:  # the variance of a row is that of the residuals over its weight
        found += sum_of(factor.root_n, np.log)
    return found + factor.log_roots


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
