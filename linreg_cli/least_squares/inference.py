"""Inference for ordinary least squares: standard errors, tests, confidence intervals, leverage and Cook's distance.

It is inference at the optimum. It is valid for a trained model only if the model is close to the optimum, which
`refusal.refusal` judges. Definitions and numbers are those of statsmodels' OLS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import Values
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.row_weights import sum_of
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.decompositions import row_lengths
from linreg_cli.least_squares.distance import stacked
from linreg_cli.least_squares.distributions import t_quantile, t_tail
from linreg_cli.least_squares.f_test import EXACT, Tested
from linreg_cli.least_squares.factor import EPS, Array, Factor, blocks
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import measure_rows, over_room
from linreg_cli.least_squares.without_rows import Sums

#: Indices of rows.
Some = RowArray | slice
#: Why there is no standard error of a coefficient, by covariance.
ZERO = {
    "HC3": "it is zero within rounding error: the rows that determine this coefficient are fitted exactly",
    "cluster": "it is zero within rounding error: the residuals of each cluster add up to zero for this coefficient, "
    "as where the clusters are levels of a feature",
}


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
        std_err_hc3: heteroskedasticity-consistent standard errors (HC3); NaN for one that is zero within rounding
            error.
        std_err_cluster: standard errors for residuals that are correlated within clusters; NaN likewise; None without
            at least two clusters.
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
        f: the F statistic of the regression (with HC3 and cluster Wald's); NaN where `f_reason` says why.
        f_p: its p-value.
        f_reason: why there is no F; None where there is.
        aic: -2 log-likelihood + 2 p.
        bic: -2 log-likelihood + log(n) p.
        durbin_watson: sum of (e_i - e_(i-1))^2 / sum of e_i^2, in the order of the rows.
        leverage: the diagonal of the hat matrix.
        no_room: 1 - leverage of a row that counts as 0 if it is not larger; see `Factor.no_room`.
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
    f_reason: str | None
    aic: float
    bic: float
    durbin_watson: float
    leverage: Values
    no_room: float
    residuals: Values
    meat: Array

    @property
    def alone(self) -> npt.NDArray[np.intp]:
        """The positions of the rows of leverage 1, each of which alone determines a coefficient; HC3 has no errors."""
        found = [
            rows.start + np.flatnonzero(1 - self.leverage[rows] <= self.no_room) for rows in blocks(len(self.leverage))
        ]
        return np.concatenate(found)

    def cooks(self, rows: Some = slice(None)) -> Array:
        """Cook's distance, e^2 h / (p s^2 (1 - h)^2), shape (n_rows,); NaN for a leverage h of 1."""
        leverage, scale = self.leverage[rows], len(self.names) * self.residual_std**2
        with np.errstate(divide="ignore", invalid="ignore"):
            distance: Array = over_room(self.residuals[rows], 1 - leverage, self.no_room) ** 2 * leverage / scale
        return distance

    def standardized_residuals(self, rows: Some = slice(None)) -> Array:
        """Internally studentised residuals, e / (s sqrt(1 - h)), shape (n_rows,); NaN for a leverage h of 1."""
        room = np.maximum(1 - self.leverage[rows], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled: Array = over_room(self.residuals[rows], room, self.no_room) * np.sqrt(room) / self.residual_std
        return scaled

    def as_json(self) -> dict[str, Any]:
        """The inference of one target in `metrics.json`; numbers that are not finite are None, with the reason."""
        robust = {"std_err_hc3": "HC3", "std_err_cluster": "cluster"}
        if self.std_err_cluster is None:
            del robust["std_err_cluster"]
        columns = ("estimate", "std_err", *robust, "t", "p", "ci_low", "ci_high", "vif")
        coefficients: dict[str, dict[str, Any]] = {
            name: {column: _finite(getattr(self, column)[i]) for column in columns} for i, name in enumerate(self.names)
        }
        for found in coefficients.values():
            found |= {f"{key}_reason": ZERO[kind] for key, kind in robust.items() if found[key] is None}
        scalars = ("residual_std", "r2", "r2_adjusted", "f", "f_p", "aic", "bic", "durbin_watson")
        values: dict[str, Any] = {name: _finite(getattr(self, name)) for name in scalars}
        kinds: dict[str, Any] = {"r2_definition": self.r2_definition, "covariance": self.covariance}
        if self.n_clusters is not None:
            kinds["n_clusters"] = self.n_clusters
        if self.f_reason:
            kinds["f_reason"] = self.f_reason
        for name, value in values.items():
            if value is None and name not in ("f", "f_p"):
                constant = name.startswith("r2") and math.isnan(self.r2)
                kinds[f"{name}_reason"] = "the target is constant" if constant else EXACT
        return {"coefficients": coefficients, **kinds, **values}


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
    lengths, error = row_lengths(to_q), residual_error(optimum, target)
    estimate, meats = stacked(optimum.weights, optimum.bias)[:, target], {**found.meats, "classic": s2 * np.eye(p)}
    std_errs = {kind: _robust(to_q, lengths, meat, error) for kind, meat in found.meats.items()}
    std_errs["classic"] = lengths * math.sqrt(s2)
    freedom = degrees
    if covariance == "cluster":
        assert clusters is not None
        freedom = clusters.degrees
    with np.errstate(divide="ignore", invalid="ignore"):  # one of several targets may be fitted exactly
        t = estimate / std_errs[covariance]
    reach = t_quantile(freedom, 0.025) * std_errs[covariance]
    constant = found.has_constant
    total = float(factor.constant_k[target]) if constant else found.about_zero()
    tested = Tested(covariance, freedom, constant=constant, residual_error=error)
    f, f_p, f_reason = tested.f(factor, estimate, meats[covariance], total, rss)
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
        vif=n * (np.append(factor.spread, math.nan)[:p] * lengths) ** 2,
        residual_std=math.sqrt(s2),
        r2=r2,
        r2_definition="centred" if constant else "uncentred",
        r2_adjusted=1 - (1 - r2) * (n - constant) / degrees,
        f=f,
        f_p=f_p,
        f_reason=f_reason,
        aic=-2 * likelihood + 2 * p,
        bic=-2 * likelihood + math.log(n) * p,
        durbin_watson=found.squared_steps / rss if rss else math.nan,
        leverage=found.leverage,
        no_room=factor.no_room,
        residuals=found.residuals,
        meat=meats[covariance],
    )


def residual_error(optimum: Optimum, target: int) -> float:
    """The rounding error of a residual: 64 EPS times the sum of the spreads of the target and of its terms."""
    factor = optimum.factor
    y = math.sqrt(factor.constant_k[target] / factor.n_samples) if factor.bias else factor.target_largest[target]
    return 64 * EPS * float(y + factor.spread @ np.abs(optimum.weights[:, target]))


def _robust(to_q: Array, lengths: Array, meat: Array, error: float) -> Array:
    """Standard errors by a covariance of Q'y, shape (p,); NaN for one that is zero within rounding error.

    A coefficient is a sum of c_i y_i, with the length of c that of its row of to_q. What is exactly zero, such as the
    sum of the residuals of a cluster that has an indicator, is left with the rounding errors of c_i e_i.
    """
    units = np.where(lengths > 0, lengths, 1.0)
    rows = to_q / units[:, None]
    relative = np.sqrt(np.maximum(np.sum((rows @ meat) * rows, axis=1), 0.0))
    return np.where(relative <= error, math.nan, relative * units)


def _log_likelihood(factor: Factor, rss: float) -> float:
    """The logarithm of the likelihood of normal residuals, at the variance that is the most likely."""
    n = factor.n_samples
    found: float = -n / 2 * (math.log(2 * math.pi) + math.log(rss / n) + 1) if rss else math.inf
    if factor.root_n is not None:  # the variance of a row is that of the residuals over its weight
        found += sum_of(factor.root_n, np.log)
    return found + factor.log_roots


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
