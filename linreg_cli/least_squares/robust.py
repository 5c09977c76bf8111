"""The optimum of mae and huber, the losses that are not squared, by convex solvers in float64."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.rows import RowsOnAccess
from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.least_squares.optimal_face import is_unique_huber, is_unique_mae
from linreg_cli.remedies import setting

#: The most cells of X, and rows, for which an optimum is computed: 100,000 x 5 take a second and 100 MB.
MOST_CELLS, MOST_ROWS = 500_000, 100_000


@dataclass(frozen=True, eq=False)
class RobustOptimum:
    """The parameters with the lowest mae or huber loss, in the units of the X and y given.

    Attributes:
        weights: shape (n_features, n_targets), float64.
        bias: shape (n_targets,), float64; None without an intercept.
        train_loss: the loss at the optimum, the mean over all elements.
        constant_loss: the lowest loss of a constant prediction for each target.
        method: the solver and its tolerance, in words.
        is_unique: whether no other parameters have the same loss.
    """

    weights: Array
    bias: Array | None
    train_loss: float
    constant_loss: float
    method: str
    is_unique: bool


def robust_optimum(
    X_nd: npt.ArrayLike | RowsOnAccess,
    y_nk: npt.ArrayLike | RowsOnAccess,
    *,
    bias: bool,
    loss: str,
    huber_delta: float = 1.0,
    weight_decay: float = 0.0,
    weights: npt.ArrayLike | None = None,
) -> tuple[RobustOptimum | None, str | None]:
    """The optimum of mae or huber, or None and the reason.

    mae: mean of |e|, by the linear programme max l'y subject to X'l = 0, 1'l = 0 and |l| <= 1, of which w and b are the
    multipliers (HiGHS, interior point with a crossover to a vertex). If the optimum is not unique, it is one of them.
    huber: mean of e^2 / 2 where |e| <= delta and delta (|e| - delta / 2) elsewhere, by Newton's method with a line
    search on scaled columns; the loss is piecewise quadratic, so the method ends in finitely many steps.

    Args:
        X_nd: shape (n_samples, n_features), finite, any float dtype; not read where the optimum is refused.
        y_nk: shape (n_samples, n_targets), finite; likewise.
        bias: whether the model has an intercept.
        loss: mae or huber.
        huber_delta: delta, in the units of y, above 0.
        weight_decay: of the run; above 0 there is no exact solver.
        weights: of the rows, with mean 1, which their losses are multiplied by, shape (n_samples,); None: all are 1.

    Returns:
        The optimum and None; or None and the reason: weight decay, a table that is too large, or no convergence.

    >>> found, _ = robust_optimum([[1.0], [2.0], [2.0]], [[1.0], [2.0], [8.0]], bias=False, loss="mae")
    >>> found.weights.round(9).tolist(), round(found.train_loss, 9)
    ([[1.0]], 2.0)

    Sources: I. Barrodale, F. D. K. Roberts, An improved algorithm for discrete l1 linear approximation, 1973 (the
    programme); P. J. Huber, Robust estimation of a location parameter, 1964.
    """
    assert loss in ("mae", "huber"), loss
    if weight_decay:
        remedy = setting("optimizer.weight_decay", 0)
        return None, f"no exact optimum is known for loss: {loss} with weight decay; set {remedy}"
    n_samples, n_features = np.shape(X_nd)
    if n_samples * n_features > MOST_CELLS or n_samples > MOST_ROWS:  # before rows are asked for
        most = f"{MOST_ROWS:,} rows and {MOST_CELLS:,} cells, and there are {n_samples:,} x {n_features:,}"
        return None, f"for loss: {loss} the optimum is computed for up to {most}"
    X, y = np.asarray(X_nd, dtype=np.float64), np.asarray(y_nk, dtype=np.float64)
    factor = factorise(X, y, bias=bias)
    A, weight_n = factor.rows(X), np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    theta, constants = np.empty((A.shape[1], y.shape[1])), np.empty(y.shape[1])
    unique = True
    for t, column in enumerate(factor.target_rows(y).T):
        delta = huber_delta / factor.target_scale[t]
        # w |e| is the absolute residual of the row times w.
        each = A * weight_n[:, None], column * weight_n
        solved = _least_absolute(*each) if loss == "mae" else _with_uniqueness(A, column, delta, weight_n)
        if solved is None:
            return None, f"the solver did not converge for loss: {loss}"
        theta[:, t], unique = solved[0], unique and solved[1]
        ones = np.ones((len(y), 1))
        median = np.array([np.median(column) if weights is None else weighted_median(column, weight_n)])
        constant = median if loss == "mae" else _huber(ones, column, delta, weight_n)
        assert constant is not None
        constants[t] = constant[0] * factor.target_scale[t] + factor.target_center[t]
    slopes, intercept = factor.unscale(theta)
    # From scaled columns, because the terms of columns with a large mean would cancel.
    residuals = (factor.target_rows(y) - A @ theta) * factor.target_scale
    method = "linear programme (HiGHS)" if loss == "mae" else "Newton's method, gradient below 1e-8 of its terms"
    return (
        RobustOptimum(
            weights=slopes,
            bias=intercept,
            train_loss=_mean_loss(residuals, loss, huber_delta, weight_n),
            constant_loss=_mean_loss(y - constants, loss, huber_delta, weight_n),
            method=method,
            is_unique=unique,
        ),
        None,
    )


def weighted_median(values: Array, weights: Array) -> float:
    """A number with at most half of the weights below it and at most half above it.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 5.0, 1.0]))
    1.0
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _mean_loss(residuals: Array, loss: str, delta: float, weight_n: Array) -> float:
    size = np.abs(residuals)
    each = size if loss == "mae" else np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    return float((each * weight_n[:, None]).mean())


def _least_absolute(A: Array, y: Array) -> tuple[Array, bool] | None:
    """A minimiser, and whether it is the only one; None if the solver fails.

    By the dual programme: theta are the multipliers of its p equations. The other programme has n equations, and took
    2.5 s of CPU for 10,000 x 5 where this one takes 0.1.
    """
    from scipy.optimize import linprog

    nothing = np.zeros(A.shape[1])
    solved = linprog(-y, A_eq=A.T, b_eq=nothing, bounds=(-1.0, 1.0), method="highs-ipm")
    if solved.x is None:
        return None
    theta = _polished(A, y, -np.asarray(solved.eqlin.marginals))
    return theta, is_unique_mae(A, y, theta, np.asarray(solved.x))


def _polished(A: Array, y: Array, theta: Array) -> Array:
    """The vertex to full precision, from p rows with zero residual: multipliers of HiGHS have an error of 1e-7."""
    n, p = A.shape
    through = np.argsort(np.abs(y - A @ theta), kind="stable")[:p]
    if n < p or np.linalg.matrix_rank(A[through]) < p:
        return theta
    vertex: Array = np.asarray(np.linalg.solve(A[through], y[through]), dtype=np.float64)
    return vertex if np.abs(y - A @ vertex).sum() <= np.abs(y - A @ theta).sum() else theta


def _with_uniqueness(A: Array, y: Array, delta: float, weight_n: Array) -> tuple[Array, bool] | None:
    """A minimiser of the Huber loss, and whether it is the only one; None if no method converges."""
    theta = _huber(A, y, delta, weight_n)
    return None if theta is None else (theta, is_unique_huber(A, y, theta, delta))


def _huber(A: Array, y: Array, delta: float, weight_n: Array) -> Array | None:
    """Newton's method on the quadratic of the rows with |e| <= delta, then L-BFGS if its line search fails."""
    root = np.sqrt(weight_n)
    rows = A * root[:, None]
    theta: Array = np.asarray(np.linalg.lstsq(rows, y * root, rcond=None)[0], dtype=np.float64)
    scale = len(y) * min(delta, 1.0)
    for _ in range(100):
        e = A @ theta - y
        gradient = A.T @ (weight_n * np.clip(e, -delta, delta))
        if np.abs(gradient).max(initial=0.0) <= 1e-12 * scale:
            return theta
        inside = rows[np.abs(e) <= delta]
        # A small multiple of the curvature of all rows keeps the step finite if few residuals are below delta.
        H = inside.T @ inside + 1e-10 * (rows.T @ rows)
        step: Array = -np.asarray(np.linalg.lstsq(H, gradient, rcond=None)[0], dtype=np.float64)
        length = _line_search(A, y, delta, theta, step, gradient, weight_n)
        if not length:
            break
        theta = np.asarray(theta + length * step, dtype=np.float64)
    return _lbfgs(A, y, delta, theta, scale, weight_n)


def _value(e: Array, delta: float, weight_n: Array) -> float:
    size = np.abs(e)
    return float((weight_n * np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))).sum())


def _line_search(
    A: Array, y: Array, delta: float, theta: Array, step: Array, gradient: Array, weight_n: Array
) -> float:
    e, along = A @ theta - y, A @ step
    now, slope, length = _value(e, delta, weight_n), float(gradient @ step), 1.0
    while length > 1e-12:
        if _value(e + length * along, delta, weight_n) <= now + 1e-4 * length * slope:
            return length
        length /= 2
    return 0.0


def _lbfgs(A: Array, y: Array, delta: float, theta: Array, scale: float, weight_n: Array) -> Array | None:
    from scipy.optimize import minimize

    def both(values: Array) -> tuple[float, Array]:
        e = A @ values - y
        return _value(e, delta, weight_n) / scale, A.T @ (weight_n * np.clip(e, -delta, delta)) / scale

    options = {"maxiter": 10_000, "ftol": 0.0, "gtol": 1e-12, "maxls": 50}
    solved = minimize(both, theta, jac=True, method="L-BFGS-B", options=options)
    found: Array = solved.x
    return found if np.abs(both(found)[1]).max(initial=0.0) <= 1e-8 else None
