"""Solvers of least squares, as a user would call them on X and y; they belong where time to a gap is compared."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem
from linreg_cli.least_squares.solve import least_squares


def linreg_exact(table: Problem) -> Callable[[], Array]:
    """linreg's yardstick: QR in float64 of centred and scaled columns."""

    def run() -> Array:
        optimum = least_squares(table.X, table.y[:, None], bias=True)
        assert optimum.bias is not None
        return np.append(optimum.weights.ravel(), optimum.bias)

    return run


def numpy_lstsq(table: Problem) -> Callable[[], Array]:
    """SVD of [X 1] in float64."""

    def run() -> Array:
        design = np.column_stack([table.X, np.ones(len(table.X))]).astype(np.float64)
        return np.asarray(np.linalg.lstsq(design, table.y.astype(np.float64))[0])

    return run


def linear_regression(table: Problem) -> Callable[[], Array]:
    """scikit-learn's LinearRegression, on float64 as it is by default."""
    from sklearn.linear_model import LinearRegression

    X, y = table.X.astype(np.float64), table.y.astype(np.float64)

    def run() -> Array:
        model = LinearRegression().fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return run


def statsmodels_ols(table: Problem) -> Callable[[], Array]:
    """statsmodels' OLS, which also prepares its inference."""
    import statsmodels.api as sm

    X, y = table.X.astype(np.float64), table.y.astype(np.float64)

    def run() -> Array:
        # "add": a column about a large number is not taken for the constant.
        fitted: Any = sm.OLS(y, sm.add_constant(X, has_constant="add")).fit()
        return np.roll(np.asarray(fitted.params), -1)

    return run


#: name -> (how to get ready, package).
TOOLS: dict[str, tuple[Callable[[Problem], Callable[[], Array]], str]] = {
    "linreg exact": (linreg_exact, ""),
    "numpy lstsq": (numpy_lstsq, ""),
    "scikit-learn LinearRegression": (linear_regression, "scikit-learn"),
    "statsmodels OLS": (statsmodels_ols, "statsmodels"),
}
