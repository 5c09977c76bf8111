"""The optimum of mae and huber against scikit-learn, statsmodels and the conditions that define it."""

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.linear_model import QuantileRegressor

from linreg_cli.data.columns.rows import RowsOnAccess
from linreg_cli.least_squares import robust
from linreg_cli.least_squares.robust import robust_optimum
from linreg_cli.least_squares.solve import least_squares


def table(n=60, k=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 40.0, 0.2] + [0.0, 500.0, 1.0]
    return X, X @ rng.normal(size=(3, k)) + 2.0 + rng.standard_t(2, size=(n, k))


@pytest.mark.parametrize("bias", [True, False])
def test_mae_is_median_regression(bias):
    X, y = table()
    optimum, reason = robust_optimum(X, y, bias=bias, loss="mae")
    theirs = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=bias, solver="highs").fit(X, y[:, 0])
    assert reason is None
    assert optimum.train_loss == pytest.approx(np.mean(np.abs(y[:, 0] - theirs.predict(X))), rel=1e-9)
    assert optimum.constant_loss == pytest.approx(np.mean(np.abs(y - np.median(y))), rel=1e-12)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_several_targets_are_fits_of_their_own(loss):
    X, y = table(k=2)
    together, _ = robust_optimum(X, y, bias=True, loss=loss)
    alone = [robust_optimum(X, y[:, [t]], bias=True, loss=loss)[0] for t in (0, 1)]
    assert together.train_loss == pytest.approx(np.mean([one.train_loss for one in alone]), rel=1e-10)


def test_mae_passes_through_as_many_rows_as_it_has_parameters():
    X, y = table()
    optimum, _ = robust_optimum(X, y, bias=True, loss="mae")
    e = np.abs(X @ optimum.weights + optimum.bias - y)[:, 0]
    assert np.sum(e < 1e-9) == 4


@pytest.mark.parametrize("delta", [0.01, 0.3, 1.0, 1e6])
@pytest.mark.parametrize("bias", [True, False])
def test_hubers_gradient_is_zero(delta, bias):
    X, y = table(k=2)
    optimum, reason = robust_optimum(X, y, bias=bias, loss="huber", huber_delta=delta)
    assert reason is None
    e = X @ optimum.weights - y + (optimum.bias if bias else 0)
    A = np.column_stack([X, np.ones(len(X))]) if bias else X
    gradient = A.T @ np.clip(e, -delta, delta) / len(X)
    # The sum of as many terms of the size of a column times delta, beside its rounding.
    assert np.abs(gradient).max() < 1e-9 * np.abs(A).max() * min(delta, np.abs(e).max())
    size = np.abs(e)
    expected = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2)).mean()
    assert optimum.train_loss == pytest.approx(expected, rel=1e-9)
    assert optimum.train_loss < optimum.constant_loss


def test_a_huge_delta_is_least_squares_and_a_tiny_one_the_median():
    X, y = table()
    squares = least_squares(X, y, bias=True, loss="half_mse")
    optimum, _ = robust_optimum(X, y, bias=True, loss="huber", huber_delta=1e9)
    np.testing.assert_allclose(optimum.weights, squares.weights, rtol=1e-8)
    assert optimum.train_loss == pytest.approx(squares.train_loss, rel=1e-12)
    assert optimum.constant_loss == pytest.approx(squares.constant_loss, rel=1e-12)
    median, _ = robust_optimum(X, y, bias=True, loss="mae")
    optimum, _ = robust_optimum(X, y, bias=True, loss="huber", huber_delta=1e-4)
    assert optimum.train_loss / 1e-4 == pytest.approx(median.train_loss, rel=1e-3)


def test_no_optimum_is_said_plainly(monkeypatch):
    X, y = table()
    assert robust_optimum(X, y, bias=True, loss="mae", weight_decay=0.1) == (
        None,
        "no exact optimum is known for loss: mae with weight decay; set optimizer.weight_decay: 0",
    )
    monkeypatch.setattr(robust, "MOST_CELLS", 100)
    assert robust_optimum(X, y, bias=True, loss="mae") == (
        None,
        "for loss: mae the optimum is computed for up to 100,000 rows and 100 cells, and there are 60 x 3",
    )


class Unread(RowsOnAccess):
    """Rows that other processes have, say."""

    def __getitem__(self, chosen):
        raise AssertionError("rows were read")


@pytest.mark.parametrize(
    ("shape", "about", "reason"),
    [
        ((20_000, 3), {"weight_decay": 0.1}, "weight decay"),
        ((20_000, 26), {}, "there are 20,000 x 26"),
        ((100_001, 2), {}, "there are 100,001 x 2"),
    ],
)
def test_no_rows_are_read_where_the_optimum_is_refused(shape, about, reason):
    optimum, found = robust_optimum(
        Unread(shape, "float32"), Unread((shape[0], 1), "float32"), bias=True, loss="mae", **about
    )
    assert optimum is None
    assert reason in found


def primal(A, y):
    """The least sum of absolute residuals, by the programme in the residuals and the parameters (HiGHS, simplex)."""
    n, p = A.shape
    cost = np.repeat([0.0, 1.0], [p, 2 * n])
    equations = sparse.hstack([sparse.csr_array(A), sparse.eye_array(n), -sparse.eye_array(n)], format="csr")
    bounds = [(None, None)] * p + [(0, None)] * (2 * n)
    return optimize.linprog(cost, A_eq=equations, b_eq=y, bounds=bounds, method="highs-ds").fun


@pytest.mark.parametrize("seed", range(12))
def test_tables_with_ties_duplicates_and_weights_have_the_optimum_of_the_primal_programme(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 120)), int(rng.integers(1, 9))
    X = rng.integers(-2, 3, (n, d)).astype(float)
    X[:, :1] += rng.choice([0.0, 1e4])
    y = np.rint(X @ rng.integers(-2, 3, d) + rng.standard_t(2, n))[:, None]
    if seed % 3 == 0:
        X[:, -1] = X[:, 0]
    weights = None if seed % 2 else rng.uniform(0.1, 5, n)
    weights = None if weights is None else weights / weights.mean()
    optimum, reason = robust_optimum(X, y, bias=True, loss="mae", weights=weights)
    assert reason is None
    w = np.ones(n) if weights is None else weights
    A = np.column_stack([X - X.mean(axis=0), np.ones(n)])
    assert optimum.train_loss * n == pytest.approx(primal(A * w[:, None], y[:, 0] * w), rel=1e-7, abs=1e-7 * n)
    e = y - X @ optimum.weights - optimum.bias
    assert optimum.train_loss * n == pytest.approx(w @ np.abs(e)[:, 0], rel=1e-9, abs=1e-9 * n)


def test_a_large_table_is_a_fit_whose_subgradient_is_zero():
    """|A'l| is at most what the rows that the fit passes through can make up; sklearn takes minutes for this one."""
    X, y = table(n=40_000)
    optimum, _ = robust_optimum(X, y, bias=True, loss="mae")
    e = (y - X @ optimum.weights - optimum.bias)[:, 0]
    A = np.column_stack([X - X.mean(axis=0), np.ones(len(X))])
    through = np.argsort(np.abs(e))[:4]
    assert np.abs(e[through]).max() < 1e-9
    rest = np.delete(np.arange(len(e)), through)
    made_up = np.linalg.solve(A[through].T, -A[rest].T @ np.sign(e[rest]))
    assert np.abs(made_up).max() <= 1 + 1e-9
