"""Errors on held-out rows from one decomposition, against fitting again and again."""

import numpy as np
import pytest
from left_out import errors_of_rows

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.least_squares.resampling import leave_one_out, ridge_path
from linreg_cli.least_squares.solve import least_squares


def table(n=30, k=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 40.0, 0.2] + [0.0, 500.0, 1.0]
    return X, X @ rng.normal(size=(3, k)) + 2.0 + rng.normal(size=(n, k))


def refitted(X, y, folds, bias):
    """The slow way."""
    errors = np.empty(y.shape)
    for fold in folds:
        kept = np.setdiff1d(np.arange(len(X)), fold)
        model = least_squares(X[kept], y[kept], bias=bias)
        errors[fold] = y[fold] - X[fold] @ model.weights - (model.bias if bias else 0)
    return errors


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("k", [1, 2])
def test_leave_one_out_is_refitting(bias, k):
    X, y = table(k=k)
    optimum = least_squares(X, y, bias=bias)
    expected = refitted(X, y, [[i] for i in range(len(X))], bias)
    np.testing.assert_allclose(errors_of_rows(optimum, X, y), expected, rtol=1e-9)
    found = leave_one_out(optimum, DividedRows(X, y))
    assert found.mse == pytest.approx(np.mean(expected**2), rel=1e-10)
    assert found.reason is None


def test_leave_one_out_of_parts_is_that_of_all_rows():
    X, y = table(k=2)
    optimum = least_squares(X, y, bias=True)
    whole, parts = (leave_one_out(optimum, DividedRows(X, y, bounds=bounds)) for bounds in (None, [0, 7, 7, 30]))
    assert parts.mse == pytest.approx(whole.mse, rel=1e-14)


def test_a_collinear_table_predicts_all_the_same():
    X, y = table()
    twice = np.column_stack([X, X[:, 0] - 2 * X[:, 2]])
    alone, both = (errors_of_rows(least_squares(A, y, bias=True), A, y) for A in (X, twice))
    np.testing.assert_allclose(both, alone, rtol=1e-7)


@pytest.mark.parametrize("bounds", [None, [0, 3, 30]])
def test_what_only_one_row_says_cannot_be_left_out(bounds):
    X, y = table()
    X = np.column_stack([X, np.zeros(30)])
    X[4, 3] = 1.0
    found = leave_one_out(least_squares(X, y, bias=True), DividedRows(X, y, bounds=bounds))
    assert found.mse is None
    assert found.reason == "without one of the rows the columns are linearly dependent"


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_ridge_path_is_fitting_each_penalty(loss, bias):
    X, y = table(k=2)
    path = ridge_path(least_squares(X, y, bias=bias).factor, X, y, [0.0, 1e-3, 0.5, 20.0], loss=loss)
    for number, weight_decay in enumerate(path.weight_decays):
        optimum = least_squares(X, y, bias=bias, loss=loss, weight_decay=weight_decay)
        np.testing.assert_allclose(path.weights[number], optimum.weights, rtol=1e-7, atol=1e-10)
        if bias:
            np.testing.assert_allclose(path.bias[number], optimum.bias, rtol=1e-7, atol=1e-9)
    assert path.best == int(np.argmin(path.leave_one_out))


@pytest.mark.parametrize("bias", [True, False])
def test_the_ridge_paths_leave_one_out_is_refitting(bias):
    X, y = table(n=15)
    weight_decays = (1e-3, 0.5, 20.0)
    path = ridge_path(least_squares(X, y, bias=bias).factor, X, y, weight_decays)
    A = np.column_stack([X, np.ones(15)]) if bias else X
    for number, weight_decay in enumerate(weight_decays):
        # Beside the sum of squares the penalty is wd n / 2, and stays that without a row.
        penalty, errors = weight_decay * 15 / 2 * np.eye(A.shape[1]), []
        for row in range(15):
            kept = np.arange(15) != row
            theta = np.linalg.solve(A[kept].T @ A[kept] + penalty, A[kept].T @ y[kept])
            errors.append(y[row] - A[row] @ theta)
        assert path.leave_one_out[number] == pytest.approx(np.mean(np.square(errors)), rel=1e-9)


def test_the_path_of_a_collinear_table():
    X, y = table()
    twice = np.column_stack([X, X[:, 0]])
    factor = least_squares(twice, y, bias=True).factor
    largest = 2 * np.linalg.eigvalsh(np.cov(twice.T, bias=True) + np.outer(twice.mean(0), twice.mean(0)))[-1]
    path = ridge_path(factor, twice, y, np.geomspace(1e-6, 10, 5) * largest)
    for number, weight_decay in enumerate(path.weight_decays[1:], 1):
        expected = least_squares(twice, y, bias=True, weight_decay=weight_decay)
        np.testing.assert_allclose(path.weights[number], expected.weights, rtol=1e-5)
    assert np.all(np.diff(np.sum(path.weights**2, axis=(1, 2))) < 0)
