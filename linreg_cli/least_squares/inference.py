"""Inference for ordinary least squares: standard errors, tests, confidence intervals, leverage and Cook's distance.

It is inference at the optimum. It is valid for a trained model only if the model is close to the optimum (`refusal`).
Definitions and numbers are those of statsmodels' OLS.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, in_order
from linreg_cli.data.columns.kinds import Values, pieces
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.distance import shift_in_errors, stacked
from linreg_cli.least_squares.distributions import t_quantile, t_tail
from linreg_cli.least_squares.f_test import of_squares, wald
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import NO_ROOM, measure_rows, over_room, sum_of_squares
from linreg_cli.least_squares.without_rows import Sums
from linreg_cli.optim.losses import is_squared
from linreg_cli.remedies import setting
from linreg_cli.wording import gap, number, plural, ratio

#: The largest distance of a trained coefficient from the optimum, in standard errors. At 0.01 the coverage of a 95 %
#: interval is 94.999 %: a shift by d standard errors costs d^2 z phi(z) of coverage, with z = 1.96 and the normal
#: density phi.
NEAR = 1e-2

_NONE = np.zeros(0)

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


def other_optimum(loss: str, weight_decay: float) -> str | None:
    """Why a run approaches another optimum than that of least squares, and what to do; None if it does not.

    >>> other_optimum("mse", 0.0) is None, other_optimum("mse", 0.1)
    (True, 'weight decay biases the coefficients; set optimizer.weight_decay: 0')
    """
    if not is_squared(loss):
        return f"inference of least squares is not valid for loss: {loss}; train with {setting('loss', 'mse')}"
    if weight_decay:
        return f"weight decay biases the coefficients; set {setting('optimizer.weight_decay', 0)}"
    return None


def refusal(
    optimum: Optimum,
    loss: str,
    trained: tuple[npt.ArrayLike, npt.ArrayLike | None] | None = None,
    *,
    remedy: Callable[[], str] | None = None,
    names: Sequence[str] = (),
) -> str | None:
    """Why inference is not valid, and what to do about it; None if it is valid.

    Args:
        optimum: of the train split in original units, with the weight decay of the run.
        loss: the loss of the run.
        trained: the weights (n_features, n_targets) and the bias (n_targets,) of the trained model in original units;
            None for the optimum itself.
        remedy: what to do if the model is not at the optimum, for the message.
        names: of the features, for the message.
    """
    factor = optimum.factor
    n, p = factor.n_samples, factor.n_parameters
    if (why := other_optimum(loss, optimum.weight_decay)) is not None:
        return why
    if n <= p:
        saturated = f"the fit is saturated ({'n = p' if n == p else 'n < p'}): " if optimum.is_saturated else ""
        return (
            f"{saturated}{plural(n, 'row')} and {plural(p, 'parameter')} leave no residual degrees of freedom to "
            "estimate the noise; use more rows or fewer columns"
        )
    if not optimum.is_unique:
        return (
            f"the coefficients are not unique (rank {optimum.rank} of {p}); "
            "leave out linearly dependent columns (data.ignore)"
        )
    if optimum.is_zero:
        return "the fit is exact within rounding error, so there are no residuals to estimate the noise"
    if trained is None:
        return None
    shift = shift_in_errors(optimum, *trained)
    shift[:, optimum.exactly_fitted()] = 0.0  # such a target has no standard errors
    worst = np.unravel_index(int(np.argmax(shift)), shift.shape)
    if shift[worst] < NEAR:
        return None
    ways = remedy() if remedy else "raise train.epochs, or set optimizer.lr to auto if it is a number"
    labels = [*(names or [f"feature {j + 1}" for j in range(len(factor.scale))]), "bias"]
    relative, base = optimum.gap(*trained)
    distance = "not defined" if relative is None else f"{gap(relative)} times the {base}'s loss"
    return (
        f"the model is not at the optimum: {labels[worst[0]]!r} is {ratio(float(shift[worst]))} standard errors "
        f"away; the limit is {number(NEAR)} (the gap is {distance}); {ways}"
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
    rows = DividedRows(X_nd, y_nk, root_n=factor.root_n) if divided is None else divided
    if sums is None:
        residuals, leverage, meats, ones = measure_rows(optimum, rows, target, clusters)
        rss = sum(float(part @ part) for part in pieces(residuals))
    else:
        residuals, leverage, meats, ones = _NONE, _NONE, sums.unknown_meat(factor), sums.projected_ones(factor)
        rss = float(optimum.losses(optimum.weights, optimum.bias)[target])
    s2 = rss / degrees
    # (weights, bias) = to_q Q'y, so the variance of a parameter is s2 times the squared length of its row of to_q.
    to_q = factor.to_parameters() @ factor.inverse
    variance = np.einsum("ij,ij->i", to_q, to_q)
    estimate, std_err = stacked(optimum.weights, optimum.bias)[:, target], np.sqrt(s2 * variance)
    meats["classic"] = s2 * np.eye(p)
    robust = {kind: np.einsum("ij,jk,ik->i", to_q, meat, to_q) for kind, meat in meats.items()}
    std_errs = {kind: np.sqrt(np.maximum(each, 0.0)) for kind, each in robust.items()}  # rounding may leave less than 0
    std_errs["classic"] = std_err
    errors, freedom = std_errs[covariance], degrees
    if covariance == "cluster":
        assert clusters is not None
        freedom = clusters.degrees
    with np.errstate(divide="ignore", invalid="ignore"):  # one of several targets may be fitted exactly
        t = estimate / errors
    reach = t_quantile(freedom, 0.025) * errors
    # Without an intercept, the model has an implicit one if the columns sum to 1, as indicators do.
    constant = factor.bias or float(ones @ ones) > n * (1 - 1e-10)
    if sums is not None:
        total = sums.total(factor, target, constant=constant)
    else:  # about the mean if the model has an intercept
        squares = [float(factor.constant_k[target])] if constant else rows.of_parts(sum_of_squares, target)
        total = in_order(squares)
    if covariance == "cluster" and p - factor.bias > freedom:  # their covariance has at most the rank G - 1
        f = f_p = math.nan
    elif covariance != "classic":
        f, f_p = wald(estimate, to_q @ meats[covariance] @ to_q.T, freedom, constant=constant, bias=factor.bias)
    else:
        f, f_p = of_squares(total, rss, p - constant, degrees)
    r2 = 1 - rss / total if total else math.nan
    likelihood = -n / 2 * (math.log(2 * math.pi) + math.log(rss / n) + 1) if rss else math.inf
    if factor.root_n is not None:  # the variance of a row is that of the residuals over its weight
        likelihood += float(np.sum(np.log(factor.root_n)))
    likelihood += factor.log_roots
    spread = n * np.append(factor.spread, math.nan)[:p] ** 2
    return Inference(
        names=(*names, "bias")[:p],
        covariance=covariance,
        degrees=freedom,
        estimate=estimate,
        std_err=std_err,
        std_err_hc3=std_errs["HC3"],
        std_err_cluster=std_errs.get("cluster"),
        n_clusters=None if clusters is None else clusters.count,
        t=t,
        p=np.array([2 * t_tail(freedom, float(each)) for each in t]),
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        vif=spread * variance,
        residual_std=math.sqrt(s2),
        r2=r2,
        r2_definition="centred" if constant else "uncentred",
        r2_adjusted=1 - (1 - r2) * (n - constant) / degrees,
        f=f,
        f_p=f_p,
        aic=-2 * likelihood + 2 * p,
        bic=-2 * likelihood + math.log(n) * p,
        durbin_watson=_sum_of_squared_steps(residuals) / rss if rss and sums is None else math.nan,
        leverage=leverage,
        residuals=residuals,
        meat=meats[covariance],
    )


def _sum_of_squared_steps(residuals: Values) -> float:
    total, last = 0.0, np.zeros(0)
    for part in pieces(residuals):
        steps = np.diff(part, prepend=last)
        total += float(steps @ steps)
        last = part[-1:]
    return total


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
