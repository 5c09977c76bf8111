"""F of the regression by sums of squares and by Wald, against statsmodels."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.solve import least_squares


def table(seed, n=40, p=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 10.0, 0.1] + [0.0, 50.0, 1.0]
    return X, X @ [[0.5], [0.1], [2.0]] + rng.normal(size=(n, 1)) * (1 + np.abs(X[:, :1]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("covariance", ["classic", "HC3"])
def test_f_and_its_p_value_are_those_of_statsmodels(bias, covariance):
    X, y = table(0)
    ours = infer(least_squares(X, y, bias=bias), X, y, names=["a", "b", "c"], covariance=covariance)
    options = {"cov_type": "HC3", "use_t": True} if covariance == "HC3" else {}
    theirs = sm.OLS(y[:, 0], sm.add_constant(X) if bias else X).fit(**options)

    assert ours.f == pytest.approx(theirs.fvalue, rel=1e-8)
    assert ours.f_p == pytest.approx(theirs.f_pvalue, rel=1e-6)


def test_a_constant_alone_has_no_f_and_a_reason():
    y = np.arange(5.0)[:, None] ** 2
    for X, bias, covariance in [(np.zeros((5, 0)), True, "HC3"), (np.ones((5, 1)), False, "classic")]:
        names = ["one"][: X.shape[1]]
        said = infer(least_squares(X, y, bias=bias), X, y, names=names, covariance=covariance).as_json()
        assert (said["f"], said["f_p"]) == (None, None)
        assert said["f_reason"] == "there is no coefficient besides a constant"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shift", [1e-2, 1e-5, 1e-7])
def test_walds_f_of_nearly_equal_columns_is_that_of_their_difference(shift, bias):
    """F is the same for b and for (b - a) / shift, whose covariance has all its digits in statsmodels."""
    X, y = table(3)
    apart = (X - X.mean(axis=0)) / X.std(axis=0)
    X = np.column_stack([apart[:, 0], apart[:, 0] + shift * apart[:, 1], apart[:, 2]])
    apart[:, 1] = (X[:, 1] - X[:, 0]) / shift
    ours = infer(least_squares(X, y, bias=bias), X, y, names=["a", "b", "c"], covariance="HC3")
    theirs = sm.OLS(y[:, 0], sm.add_constant(apart) if bias else apart).fit(cov_type="HC3", use_t=True)
    # relative to condition numbers up to 2e7 of the estimates; its square would leave 1 to 3 digits
    assert ours.f == pytest.approx(theirs.fvalue, rel=1e-14 / shift + 1e-12)


def test_a_singular_covariance_has_no_f():
    """An indicator of a cluster: the residuals of its rows add up to zero, so its score has no variance."""
    rng = np.random.default_rng(0)
    clusters = Clusters.of(np.arange(60) % 12)
    X = np.column_stack([np.arange(60) % 12 == 0, np.arange(60) % 12 == 1, rng.normal(size=60)]).astype(float)
    y = rng.normal(size=(60, 1))
    said = infer(
        least_squares(X, y, bias=True), X, y, names=["u", "v", "x"], covariance="cluster", clusters=clusters
    ).as_json()
    assert said["f"] is None
    assert said["f_reason"] == "the covariance of the coefficients is singular within rounding error"


def test_a_constant_without_an_intercept_has_no_walds_f_as_in_statsmodels():
    levels = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    y = np.array([[1.0], [2.0], [4.0], [5.0], [7.0], [9.0]])
    ours = infer(least_squares(levels, y, bias=False), levels, y, names=["u", "v"], covariance="HC3")
    theirs = sm.OLS(y[:, 0], levels).fit(cov_type="HC3", use_t=True)
    assert math.isnan(ours.f)
    assert math.isnan(theirs.fvalue)
    assert ours.f_reason == "the columns add up to a constant; with HC3 that needs an intercept (model.bias)"
