"""Errors of folds that are left out, from sums over blocks of rows, against fitting again and again."""

import numpy as np
import pytest
from left_out import errors_of_folds
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit, cross_val_predict

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.least_squares import folds as of_folds
from linreg_cli.least_squares import resampling
from linreg_cli.least_squares.folds import groups, shifts
from linreg_cli.least_squares.resampling import Needed
from linreg_cli.least_squares.solve import least_squares


def table(n=60, k=2, seed=0):
    """Numbers of several sizes, a category of three levels as two indicators, weights."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 3)) * [1.0, 40.0, 0.2] + [0.0, 500.0, 1.0]
    X = np.column_stack([X, level == 1, level == 2])
    return X, X @ rng.normal(size=(5, k)) + 2.0 + rng.normal(size=(n, k)), rng.uniform(0.5, 2.0, n)


def refitted(X, y, folds, bias=True, weights=None):
    """The errors of numpy's least squares on the rows of the other folds."""
    A, errors = np.column_stack([X, np.ones(len(X))]) if bias else X, np.empty(y.shape)
    root = np.ones(len(X)) if weights is None else np.sqrt(weights)
    for fold in folds:
        kept = np.setdiff1d(np.arange(len(X)), fold)
        theta = np.linalg.lstsq(A[kept] * root[kept, None], y[kept] * root[kept, None], rcond=None)[0]
        errors[fold] = y[fold] - A[fold] @ theta
    return errors


@pytest.fixture(name="small_blocks")
def _small_blocks(monkeypatch):
    """Blocks of 7 rows."""
    monkeypatch.setattr(of_folds, "BLOCK_ROWS", 7)
    monkeypatch.setattr(resampling, "BLOCK_ROWS", 7)


@pytest.mark.parametrize("bounds", [None, [0, 13, 13, 60]], ids=["whole", "parts"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_folds", [2, 5, 7, 60])
def test_folds_are_refitting(bias, n_folds, weighted, bounds, small_blocks):
    X, y, w = table()
    weights = w / w.mean() if weighted else None
    folds = np.array_split(np.random.default_rng(1).permutation(len(X)), n_folds)
    found = errors_of_folds(least_squares(X, y, bias=bias, weights=weights), X, y, folds, weights, bounds)
    np.testing.assert_allclose(found, refitted(X, y, folds, bias, weights), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    "folds",
    [
        [held_out for _, held_out in GroupKFold(4).split(np.zeros(60), groups=np.arange(60) % 11)],
        [np.arange(10), *(held_out for _, held_out in TimeSeriesSplit(5).split(np.zeros(60)))],
        [np.arange(0, 60, 2), np.arange(1, 60, 4), np.arange(3, 60, 4), np.zeros(0, dtype=int)],
    ],
    ids=["groups", "periods", "of other sizes, and one without rows"],
)
def test_folds_may_be_any_rows(folds, small_blocks):
    X, y, _ = table()
    found = errors_of_folds(least_squares(X, y, bias=True), X, y, folds)
    np.testing.assert_allclose(found, refitted(X, y, folds), rtol=1e-8, atol=1e-9)


def test_folds_are_scikit_learns():
    X, y, _ = table()
    predicted = cross_val_predict(LinearRegression(), X, y, cv=KFold(4))
    folds = [fold for _, fold in KFold(4).split(X)]
    found = errors_of_folds(least_squares(X, y, bias=True), X, y, folds)
    np.testing.assert_allclose(found, y - predicted, atol=1e-8)


def test_folds_that_are_left_out_in_several_passes_have_the_same_errors(monkeypatch, small_blocks):
    X, y, _ = table()
    optimum, folds = least_squares(X, y, bias=True), np.array_split(np.random.default_rng(1).permutation(60), 9)
    at_once = errors_of_folds(optimum, X, y, folds)
    monkeypatch.setattr(of_folds, "GROUP_BYTES", 2 * 8 * 6**2)
    assert groups(optimum, 9) == [range(2), range(2, 4), range(4, 6), range(6, 8), range(8, 9)]
    np.testing.assert_allclose(errors_of_folds(optimum, X, y, folds), at_once, rtol=1e-11, atol=1e-12)


def test_a_product_that_is_larger_than_a_group_is_alone(monkeypatch):
    X, y, _ = table()
    monkeypatch.setattr(of_folds, "GROUP_BYTES", 1)
    assert groups(least_squares(X, y, bias=True), 3) == [range(1), range(1, 2), range(2, 3)]


def test_a_collinear_table_predicts_all_the_same():
    X, y, _ = table()
    twice, folds = np.column_stack([X, X[:, 0] - 2 * X[:, 2]]), np.array_split(np.arange(60), 4)
    alone, both = (errors_of_folds(least_squares(A, y, bias=True), A, y, folds) for A in (X, twice))
    np.testing.assert_allclose(both, alone, rtol=1e-7)


def test_columns_of_zeros_predict_nothing():
    y = np.arange(6.0)[:, None]
    found = errors_of_folds(least_squares(np.zeros((6, 2)), y, bias=False), np.zeros((6, 2)), y, [[0, 3], [1, 2, 4, 5]])
    assert found.tolist() == y.tolist()


def test_the_first_fold_that_alone_says_something_is_named(monkeypatch):
    X, y, _ = table()
    X = np.column_stack([X, np.zeros(60)])
    X[34, 5] = 1.0
    optimum, folds = least_squares(X, y, bias=True), np.array_split(np.arange(60), 6)
    for size in (of_folds.GROUP_BYTES, 1):
        monkeypatch.setattr(of_folds, "GROUP_BYTES", size)
        assert errors_of_folds(optimum, X, y, folds) == "without fold 4 the columns are linearly dependent"
    numbers = np.arange(60)
    found = shifts(optimum, DividedRows(X, y), numbers, range(30, 40), what="row")
    assert found == Needed("row", 34)
