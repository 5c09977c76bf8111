"""Metrics of rows that are left out, against fitting anew by scikit-learn and statsmodels."""

import tracemalloc

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import LeaveOneOut, PredefinedSplit, cross_val_predict

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.rows import StackedRows
from linreg_cli.evaluation import held_out
from linreg_cli.evaluation.held_out import fitted, left_out
from linreg_cli.least_squares import folds as of_folds
from linreg_cli.least_squares import resampling
from linreg_cli.least_squares.solve import least_squares

INVERSE = {"none": np.asarray, "log": np.exp, "log1p": np.expm1}
PLAIN = PreprocessConfig()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for module in (of_folds, resampling, held_out):
        monkeypatch.setattr(module, "BLOCK_ROWS", 9)


def table(n=50, k=2):
    """X, targets that may be logarithms, and the fold of each row."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3))
    return X, X @ rng.normal(size=(3, k)) + 0.7 * rng.normal(size=(n, k)) + 1, rng.integers(0, 4, n)


def expected(actual, predicted, weights=None):
    """Mean squared error and R2 as scikit-learn has them."""
    mse = mean_squared_error(actual, predicted, sample_weight=weights)
    return [mse, mse**0.5, r2_score(actual, predicted, sample_weight=weights)]


def of(metrics):
    return [metrics[name] for name in ("mse", "rmse", "r2")]


@pytest.mark.parametrize("bounds", [None, [0, 20, 50]], ids=["whole", "parts"])
@pytest.mark.parametrize("transform", ["none", "log", "log1p"])
def test_errors_are_those_of_scikit_learn(transform, bounds):
    X, z, folds = table()
    rows, optimum, inverse = DividedRows(X, z, bounds=bounds), least_squares(X, z, bias=True), INVERSE[transform]
    options, actual = PreprocessConfig(target_transform=transform), inverse(z)
    model = LinearRegression()
    for found, predicted in (
        (fitted(optimum, rows, options), model.fit(X, z).predict(X)),
        (left_out(optimum, rows, options), cross_val_predict(model, X, z, cv=LeaveOneOut())),
        (left_out(optimum, rows, options, folds, 4), cross_val_predict(model, X, z, cv=PredefinedSplit(folds))),
    ):
        assert found["units"] == "original"
        assert of(found) == pytest.approx(expected(actual, inverse(predicted)), rel=1e-9)


@pytest.mark.parametrize("transform", ["none", "log"])
def test_weighted_errors_are_those_of_wls(transform):
    X, z, folds = table(k=1)
    raw = np.random.default_rng(1).uniform(0.5, 4, len(X))
    weights, design, predicted = raw / raw.mean(), sm.add_constant(X), np.empty(z.shape)
    for fold in range(4):
        rest = folds != fold
        fit = sm.WLS(z[rest, 0], design[rest], weights=raw[rest]).fit()
        predicted[~rest, 0] = fit.predict(design[~rest])
    rows, optimum = DividedRows(X, z, weights), least_squares(X, z, bias=True, weights=weights)
    found = left_out(optimum, rows, PreprocessConfig(target_transform=transform), folds, 4)
    inverse = INVERSE[transform]
    assert of(found) == pytest.approx(expected(inverse(z), inverse(predicted), raw), rel=1e-9)


@pytest.mark.parametrize("bounds", [None, [0, 20, 50]], ids=["whole", "parts"])
@pytest.mark.parametrize("by", ["folds", "rows"])
def test_means_of_a_transformed_target_have_the_smearing_factor_of_the_other_rows(by, bounds, monkeypatch):
    X, z, folds = table()
    options = PreprocessConfig(target_transform="log", target_estimate="mean")
    out, predicted = folds if by == "folds" else np.arange(50), np.empty(z.shape)
    for each in np.unique(out):
        rest = out != each
        fit = LinearRegression().fit(X[rest], z[rest])
        smearing = np.exp(z[rest] - fit.predict(X[rest])).mean(axis=0)  # Duan, 1983
        predicted[~rest] = np.exp(fit.predict(X[~rest])) * smearing
    rows, optimum = DividedRows(X, z, bounds=bounds), least_squares(X, z, bias=True)
    given = (folds, 4) if by == "folds" else ()
    assert of(left_out(optimum, rows, options, *given)) == pytest.approx(expected(np.exp(z), predicted), rel=1e-9)
    monkeypatch.setattr(of_folds, "GROUP_BYTES", 3 * 8 * 4**2)  # three folds a pass
    assert of(left_out(optimum, rows, options, *given)) == pytest.approx(expected(np.exp(z), predicted), rel=1e-9)
    fit = LinearRegression().fit(X, z)
    own = np.exp(fit.predict(X)) * np.exp(z - fit.predict(X)).mean(axis=0)
    assert of(fitted(optimum, rows, options)) == pytest.approx(expected(np.exp(z), own), rel=1e-9)


def test_a_smearing_factor_for_each_of_many_rows_is_not_computed(monkeypatch):
    X, z, _ = table()
    options = PreprocessConfig(target_transform="log", target_estimate="mean")
    monkeypatch.setattr(held_out, "MOST_LEFT_OUT", 49)
    found = left_out(least_squares(X, z, bias=True), DividedRows(X, z), options)
    assert found["mse"] is None
    assert found["reason"] == "with preprocess.target_estimate: mean it is computed for up to 49 rows"


def test_what_is_undefined_has_a_reason():
    X, z, folds = table()
    alone = np.column_stack([X, np.arange(50) == 31])
    optimum, rows = least_squares(alone, z, bias=True), DividedRows(alone, z)
    assert left_out(optimum, rows, PLAIN)["reason"] == "without one of the rows the columns are linearly dependent"
    found = left_out(optimum, rows, PLAIN, numbers=np.arange(100, 150))  # of the table, from 0
    assert found["reason"] == "without row 132 the columns are linearly dependent"
    found = left_out(optimum, rows, PLAIN, folds, 4)
    assert of(found) == [None] * 3
    assert found["reason"] == f"without fold {folds[31] + 1} the columns are linearly dependent"
    flat = np.full((50, 1), 0.1)
    found = left_out(least_squares(X, flat, bias=True), DividedRows(X, flat), PLAIN, folds, 4)
    assert found["mse"] == pytest.approx(0, abs=1e-30)
    assert (found["r2"], found["reason"]) == (None, "R2 is undefined: a target is constant")
    options = PreprocessConfig(target_transform="log")
    found = fitted(least_squares(X, 900 * z, bias=True), DividedRows(X, 900 * z), options)
    assert (found["mse"], found["reason"]) == (None, "a held-out prediction overflows float64")


def test_no_array_has_a_number_for_each_row():
    rng, n = np.random.default_rng(0), 300_000
    columns = {name: rng.normal(size=n) for name in "xyz"}
    rows = DividedRows(StackedRows(columns, "xy", slice(0, n)), StackedRows(columns, "z", slice(0, n)))
    folds = rng.integers(0, 5, n).astype(np.uint8)
    optimum = least_squares(rows.X_nd, rows.y_nk, bias=True)
    tracemalloc.start()
    try:
        fitted(optimum, rows, PLAIN)
        left_out(optimum, rows, PLAIN)
        left_out(optimum, rows, PLAIN, folds, 5)
        assert tracemalloc.get_traced_memory()[1] < n  # a byte for each row
    finally:
        tracemalloc.stop()
