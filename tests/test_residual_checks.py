"""Whether residuals show more than chance: by dense formulas, and by tables whose errors are known."""

import numpy as np
import pytest
from scipy import stats

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.residual_checks import chance_of_durbin_watson, chance_of_hc3
from linreg_cli.least_squares.solve import least_squares


def fitted(X, y):
    optimum = least_squares(X, y, bias=True)
    return optimum, infer(optimum, X, y, names=[f"x{j}" for j in range(X.shape[1])])


def levels(rng, n):
    """Indicators of a category with common and rare levels; each level has at least two rows."""
    share = 1 / np.arange(1, 13) ** 1.5
    X = np.eye(12)[rng.choice(12, size=n, p=share / share.sum())][:, 1:]
    return X[:, X.sum(axis=0) > 1]


def test_durbin_watson_has_the_mean_of_the_trace():
    """Durbin and Watson 1950: the mean of e'Ae / e'e is tr(MA) / (n - p)."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(30.0), np.arange(30.0) ** 2, rng.normal(size=30)])
    optimum, fit = fitted(X, rng.normal(size=(30, 1)))
    Z = np.column_stack([X, np.ones(30)])
    M = np.eye(30) - Z @ np.linalg.pinv(Z)
    D = np.diff(np.eye(30), axis=0)
    mean = np.trace(M @ D.T @ D) / 26
    assert mean > 2.1  # smooth columns: 2 would be wrong
    expected = 2 * stats.norm.sf(abs(fit.durbin_watson - mean) / (2 / np.sqrt(26)))
    assert chance_of_durbin_watson(optimum, DividedRows(X, X), fit) == pytest.approx(expected, rel=1e-9)


def test_the_chance_of_an_hc3_variance_is_that_of_a_chi_squared_number():
    rng = np.random.default_rng(1)
    X, y = rng.lognormal(size=(60, 2)), rng.normal(size=(60, 1))
    optimum, fit = fitted(X, y)
    Z = np.column_stack([X, np.ones(60)])
    C, h = np.linalg.pinv(Z).T, fit.leverage
    w = C**2 / (1 - h)[:, None]
    e = fit.residuals
    kurtosis = np.mean((e / (fit.residual_std * np.sqrt(1 - h))) ** 4)
    degrees = 2 * w.sum(axis=0) ** 2 / ((kurtosis - 1) * (w**2).sum(axis=0))
    ratio = (C**2 * (e / (1 - h))[:, None] ** 2).sum(axis=0) / (fit.residual_std**2 * w.sum(axis=0))
    tail = stats.chi2(degrees)
    expected = 2 * np.minimum(tail.sf(degrees * ratio), tail.cdf(degrees * ratio))
    # Wilson and Hilferty's approximation is good to about two digits at these degrees of freedom.
    np.testing.assert_allclose(chance_of_hc3(optimum, DividedRows(X, X), fit, [0, 1, 2]), expected, atol=0.02)


@pytest.mark.parametrize("errors", ["normal", "t5"])
def test_equal_variances_of_rare_levels_are_rarely_called_unequal(errors):
    rng = np.random.default_rng(2)
    far = sure = 0
    for _ in range(150):
        X = levels(rng, 120)
        noise = rng.normal(size=120) if errors == "normal" else rng.standard_t(5, size=120)
        optimum, fit = fitted(X, noise[:, None])
        ratio = fit.std_err_hc3 / fit.std_err
        chosen = np.flatnonzero((ratio > 1.5) | (ratio < 1 / 1.5))
        far += len(chosen) > 0
        sure += (
            bool(len(chosen))
            and float(chance_of_hc3(optimum, DividedRows(X, X), fit, chosen).min()) * len(ratio) < 0.01
        )
    assert far > 120  # the ratio alone accuses most of these tables
    assert sure <= 8  # 150 tables at 1 % are 1.5; 8 or more have a chance of 3e-4


def test_unequal_variances_are_found():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(50):
        X = rng.normal(size=(400, 2))
        optimum, fit = fitted(X, (rng.normal(size=400) * np.exp(0.8 * X[:, 0]))[:, None])
        found += float(chance_of_hc3(optimum, DividedRows(X, X), fit, [0]).min()) < 0.003
    assert found >= 45
