"""Errors on held-out rows from one decomposition, against fitting again and again."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict

from linreg_cli.least_squares.resampling import k_fold, leave_one_out, ridge_path
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
    held_out = leave_one_out(least_squares(X, y, bias=bias), X, y)
    expected = refitted(X, y, [[i] for i in range(len(X))], bias)
    np.testing.assert_allclose(held_out.errors, expected, rtol=1e-9)
    assert held_out.mse == pytest.approx(np.mean(expected**2), rel=1e-10)
    assert held_out.reason is None


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_folds", [2, 5, 7, 30])
def test_folds_are_refitting(bias, n_folds):
    X, y = table(k=2)
    order = np.random.default_rng(1).permutation(len(X))
    folds = np.array_split(order, n_folds)
    held_out = k_fold(least_squares(X, y, bias=bias), X, y, folds)
    np.testing.assert_allclose(held_out.errors, refitted(X, y, folds, bias), rtol=1e-8, atol=1e-9)


def test_folds_are_scikit_learns():
    X, y = table()
    predicted = cross_val_predict(LinearRegression(), X, y, cv=KFold(4))
    held_out = k_fold(least_squares(X, y, bias=True), X, y, [fold for _, fold in KFold(4).split(X)])
    np.testing.assert_allclose(held_out.errors, y - predicted, atol=1e-8)
    with pytest.raises(ValueError, match="every row exactly once"):
        k_fold(least_squares(X, y, bias=True), X, y, [np.arange(10)])


def test_a_collinear_table_predicts_all_the_same():
    X, y = table()
    twice = np.column_stack([X, X[:, 0] - 2 * X[:, 2]])
    alone, both = (leave_one_out(least_squares(A, y, bias=True), A, y) for A in (X, twice))
    np.testing.assert_allclose(both.errors, alone.errors, rtol=1e-7)


def test_what_only_one_row_or_fold_says_cannot_be_left_out():
    X, y = table()
    X = np.column_stack([X, np.zeros(30)])
    X[4, 3] = 1.0
    optimum = least_squares(X, y, bias=True)
    assert leave_one_out(optimum, X, y).reason == "without row 5 the columns are linearly dependent"
    found = k_fold(optimum, X, y, np.array_split(np.arange(30), 3))
    assert (found.mse, found.errors) == (None, None)
    assert found.reason == "without fold 1 the columns are linearly dependent"


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
