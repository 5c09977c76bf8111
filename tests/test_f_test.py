"""F of the regression by sums of squares and by Wald, against statsmodels."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from linreg_cli.least_squares.f_test import wald
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


def test_an_intercept_alone_has_no_f():
    assert all(map(math.isnan, wald(np.array([1.0]), np.eye(1), 5, constant=True, bias=True)))


def test_a_constant_without_an_intercept_has_no_walds_f_as_in_statsmodels():
    levels = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    y = np.array([[1.0], [2.0], [4.0], [5.0], [7.0], [9.0]])
    ours = infer(least_squares(levels, y, bias=False), levels, y, names=["u", "v"], covariance="HC3")
    theirs = sm.OLS(y[:, 0], levels).fit(cov_type="HC3", use_t=True)
    assert math.isnan(ours.f)
    assert math.isnan(theirs.fvalue)
