"""Inference against statsmodels' OLS and NIST's certified values."""

import json
import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.number_file import StoredColumn
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.influence import influence_table
from linreg_cli.least_squares.refusal import NEAR, refusal
from linreg_cli.least_squares.resampling import leave_one_out
from linreg_cli.least_squares.solve import least_squares

NAMES = ["a", "b", "c"]


def table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 50.0, 0.1] + [2.0, 300.0, -1.0]
    X[:, 2] += 0.002 * X[:, 1]
    return X, X @ [[2.0], [-0.1], [7.0]] + 4.2 + rng.normal(size=(n, 1)) * (1 + np.abs(X[:, :1]))


def design(X, bias):
    return np.column_stack([X, np.ones(len(X))]) if bias else X


def indicators(n=60):
    """One-hot columns, which add up to one: a model without a bias that has a constant all the same."""
    rng = np.random.default_rng(1)
    X = np.column_stack([np.eye(2)[rng.integers(2, size=n)], rng.normal(size=n)])
    return X, X @ [[1.0], [3.0], [0.5]] + rng.normal(size=(n, 1))


@pytest.mark.parametrize("kind", ["bias", "no bias", "implicit constant"])
def test_everything_agrees_with_statsmodels(kind):
    X, y = indicators() if kind == "implicit constant" else table()
    bias = kind == "bias"
    theirs = sm.OLS(y[:, 0], design(X, bias)).fit()
    robust, influence = theirs.get_robustcov_results("HC3"), theirs.get_influence()
    ours = infer(least_squares(X, y, bias=bias), X, y, names=NAMES)
    interval = theirs.conf_int()
    expected = {
        "estimate": theirs.params, "std_err": theirs.bse, "std_err_hc3": robust.bse, "t": theirs.tvalues,
        "p": theirs.pvalues, "ci_low": interval[:, 0], "ci_high": interval[:, 1],
        "residual_std": math.sqrt(theirs.mse_resid), "r2": theirs.rsquared, "r2_adjusted": theirs.rsquared_adj,
        "f": theirs.fvalue, "f_p": theirs.f_pvalue, "aic": theirs.aic, "bic": theirs.bic,
        "durbin_watson": durbin_watson(theirs.resid), "leverage": influence.hat_matrix_diag,
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(ours, name), values, rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(ours.residuals, theirs.resid, atol=1e-10)
    np.testing.assert_allclose(ours.cooks(), influence.cooks_distance[0], rtol=1e-8)
    np.testing.assert_allclose(ours.standardized_residuals(), influence.resid_studentized_internal, rtol=1e-8)
    assert ours.names == (("a", "b", "c", "bias") if bias else ("a", "b", "c"))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_a_column_far_from_zero_is_no_constant(offset):
    """Without an intercept R2 is uncentred, as statsmodels has it by the rank of [1 X], unless the columns span 1."""
    X, y = table()
    X = X[:, :1] - X[:, 0].mean() + offset
    theirs = sm.OLS(y[:, 0], X).fit()
    ours = infer(least_squares(X, y, bias=False), X, y, names=["a"])
    assert (ours.r2_definition, theirs.k_constant) == ("uncentred", 0)
    for name, expected in (("r2", theirs.rsquared), ("r2_adjusted", theirs.rsquared_adj), ("f", theirs.fvalue)):
        assert getattr(ours, name) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("covariance", ["classic", "HC3"])
@pytest.mark.parametrize(("of_x", "of_y"), [(1e150, 1e-150), (1e-150, 1e150), (1e-140, 1e-140)])
def test_statistics_do_not_depend_on_the_units(of_x, of_y, covariance):
    """t and p are numbers without a unit; standard errors have that of y / x, though their squares have no float64."""
    X, y = table()
    fits = [
        infer(least_squares(X * a, y * b, bias=True), X * a, y * b, names=NAMES, covariance=covariance)
        for a, b in ((1.0, 1.0), (of_x, of_y))
    ]
    for name in ("t", "p", "vif", "f", "f_p", "r2", "durbin_watson", "leverage"):
        np.testing.assert_allclose(*(getattr(fit, name) for fit in fits), rtol=1e-9, err_msg=name)
    units = np.array([*[of_y / of_x] * 3, of_y])
    for name in ("estimate", "std_err", "std_err_hc3", "ci_low", "ci_high"):
        given, other = (getattr(fit, name) for fit in fits)
        np.testing.assert_allclose(other / units, given, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
def test_one_degree_of_freedom_leaves_standardised_residuals_of_one(weighted):
    """With n = p + 1 the residuals are a multiple of sqrt(1 - h), whatever they are; here 1e-11 of y."""
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(4, 2)) + np.array([0.0, 1e6]), 1e8 + 1e-3 * rng.normal(size=(4, 1))
    weights = np.array([100.0, 1.0, 10.0, 0.1]) if weighted else np.ones(4)
    optimum = least_squares(X, y, bias=True, weights=weights / weights.mean())
    found = infer(optimum, X, y, names=["a", "b"])
    np.testing.assert_allclose(np.abs(found.standardized_residuals()), 1.0, rtol=1e-9)


def test_what_is_fitted_exactly_has_no_robust_standard_error():
    """Two rows of a level with the same target: their residuals are 0, and so is what HC3 makes of them."""
    X, y = np.eye(3)[[0, 0, 1, 1, 1, 2, 2, 2]], np.array([[0.3, 0.3, 1.1, 2.3, 3.7, 5.9, 7.1, 8.3]]).T
    said = infer(least_squares(X, y, bias=False), X, y, names=NAMES, covariance="HC3").as_json()["coefficients"]
    assert [said["a"][key] for key in ("std_err_hc3", "t", "p", "ci_low", "ci_high")] == [None] * 5
    assert said["a"]["std_err_hc3_reason"] == (
        "it is zero within rounding error: the rows that determine this coefficient are fitted exactly"
    )
    hc3 = sm.OLS(y[:, 0], X).fit(cov_type="HC3").bse
    assert [said["b"]["std_err_hc3"], said["c"]["std_err_hc3"]] == pytest.approx(hc3[1:])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("near", [1.0, 1e-3, 1e-7])
def test_a_row_that_alone_determines_a_coefficient_is_found_beside_nearly_dependent_columns(near, seed):
    """Its leverage is exactly 1; computed, it is off by EPS times the condition number, 5e-11 for the last one."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=40), rng.normal(size=(40, 1))
    X = np.column_stack([x, x + near * rng.normal(size=40), np.arange(40) == 0, 1e5 + rng.normal(size=40)])
    optimum = least_squares(X, y, bias=True)
    found = infer(optimum, X, y, names=[*NAMES, "d"])
    assert found.alone.tolist() == [0]
    assert np.isnan(found.cooks()).tolist() == [True] + [False] * 39
    reason = leave_one_out(optimum, DividedRows(X, y)).reason
    assert reason == "without one of the rows the columns are linearly dependent"


@pytest.mark.parametrize("far", [1e-3, 1e-5, 1e-6])
def test_a_leverage_close_to_1_is_not_1(far):
    """A column that all rows but one have nearly alike: 1 - h is about far^2."""
    rng = np.random.default_rng(0)
    x, y = far * rng.normal(size=20), rng.normal(size=20)
    x[0] = 1.0
    optimum = least_squares(x[:, None], y[:, None], bias=True)
    others = np.linalg.lstsq(np.column_stack([x[1:], np.ones(19)]), y[1:], rcond=None)[0]
    found = infer(optimum, x[:, None], y[:, None], names=["a"], covariance="HC3")
    assert found.residuals[0] / (1 - found.leverage[0]) == pytest.approx(y[0] - others @ [1.0, 1.0], rel=1e-3)
    assert found.std_err_hc3 == pytest.approx(
        np.roll(sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC3").bse, 1), rel=1e-3
    )
    assert leave_one_out(optimum, DividedRows(x[:, None], y[:, None])).reason is None


@pytest.mark.parametrize("bias", [True, False])
def test_variance_inflation_factors(bias):
    X, y = table()
    ours = infer(least_squares(X, y, bias=bias), X, y, names=NAMES)
    A = design(X, bias)
    # By definition 1 / (1 - R2) of each column on the others; about zero where there is no bias to explain its mean.
    expected = [1 / (1 - sm.OLS(A[:, j], np.delete(A, j, axis=1), hasconst=bias).fit().rsquared) for j in range(3)]
    if bias:
        np.testing.assert_allclose([variance_inflation_factor(A, j) for j in range(3)], expected, rtol=1e-8)
    np.testing.assert_allclose(ours.vif[:3], expected, rtol=1e-8)
    if bias:
        assert math.isnan(ours.vif[3])
    assert max(expected) > 1.5  # the columns are correlated


@pytest.mark.parametrize("name", ["Norris", "NoInt1", "Longley", "Filip"])
def test_nist_certified_standard_errors(real_data, name):
    certified = json.loads((real_data / "nist" / "certified.json").read_text())[name]
    columns = np.genfromtxt(real_data / "nist" / f"{name}.csv", delimiter=",", names=True)
    X, y = np.column_stack([columns[feature] for feature in certified["features"]]), columns["y"][:, None]
    ours = infer(least_squares(X, y, bias=certified["intercept"]), X, y, names=certified["features"])
    errors = np.roll(ours.std_err, 1) if certified["intercept"] else ours.std_err
    # The stored powers of Filip leave 7 digits; the others are limited by the condition number of the scaled columns.
    rtol = 1e-6 if name == "Filip" else 1e-11
    np.testing.assert_allclose(errors, certified["std_errs"], rtol=rtol)
    np.testing.assert_allclose(ours.residual_std, certified["residual_sd"], rtol=rtol)
    np.testing.assert_allclose(ours.r2, certified["r2"], rtol=1e-10)
    # F of Norris divides by 1 - R2 = 6e-6 of the total.
    np.testing.assert_allclose(ours.f, certified["f_statistic"], rtol=1e-6 if name == "Filip" else 1e-9)


def test_several_targets_are_fits_of_their_own():
    X, y = table()
    both = np.hstack([y, y**2])
    for target in (0, 1):
        together = infer(least_squares(X, both, bias=True), X, both, names=NAMES, target=target)
        alone = infer(least_squares(X, both[:, [target]], bias=True), X, both[:, [target]], names=NAMES)
        np.testing.assert_allclose(together.cooks(), alone.cooks(), rtol=1e-9)
        for name in ("estimate", "std_err", "std_err_hc3", "p", "r2", "aic"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-9)


def test_intervals_cover_as_often_as_they_say():
    X, _ = table(n=30)
    rng = np.random.default_rng(0)
    truth, covered = np.array([2.0, -0.1, 7.0, 4.2]), 0
    for _ in range(120):
        y = design(X, True) @ truth[:, None] + rng.normal(size=(30, 1))
        ours = infer(least_squares(X, y, bias=True), X, y, names=NAMES)
        covered += np.sum((ours.ci_low <= truth) & (truth <= ours.ci_high))
    # 480 intervals of 95 %, four to a table: three standard deviations of the mean are 3 % for independent ones.
    assert covered / 480 == pytest.approx(0.95, abs=0.03)


def test_json_has_the_names_of_the_contract_and_no_nan():
    X, y = table()
    found = infer(least_squares(X, y, bias=True), X, y, names=NAMES).as_json()
    assert list(found["coefficients"]) == ["a", "b", "c", "bias"]
    assert set(found["coefficients"]["a"]) == {
        "estimate", "std_err", "std_err_hc3", "t", "p", "ci_low", "ci_high", "vif",
    }  # fmt: skip
    assert {"residual_std", "r2_adjusted", "f", "aic", "bic", "durbin_watson"} <= set(found)
    assert found["coefficients"]["bias"]["vif"] is None
    json.dumps(found, allow_nan=False)


def test_a_row_that_fixes_a_coefficient_alone_has_no_distance():
    X, y = table()
    X = np.column_stack([X[:, 0], np.zeros(50)])
    X[7, 1] = 1.0
    ours = infer(least_squares(X, y, bias=True), X, y, names=["a", "spike"])
    assert ours.leverage[7] == pytest.approx(1.0)
    assert math.isnan(ours.cooks()[7])
    assert np.isfinite(np.delete(ours.cooks(), 7)).all()
    assert ours.as_json()["coefficients"]["a"]["std_err_hc3"] is None


def test_a_constant_alone_has_no_f():
    y = np.arange(5.0)[:, None] ** 2
    ours = infer(least_squares(np.ones((5, 1)), y, bias=False), np.ones((5, 1)), y, names=["one"])
    assert math.isnan(ours.f)
    assert ours.r2 == pytest.approx(0.0, abs=1e-14)


def test_near_enough_is_a_hundredth_of_a_standard_error():
    X, y = table()
    optimum = least_squares(X, y, bias=True)
    errors = infer(optimum, X, y, names=NAMES).std_err
    for times, shown in ((0.9, True), (1.1, False)):
        weights = optimum.weights.copy()
        weights[1, 0] += times * NEAR * errors[1]
        reason = refusal(optimum, "mse", (weights, optimum.bias), names=NAMES)
        assert (reason is None) == shown
    assert reason is not None
    assert "'b' is 0.011 standard errors away" in reason
    assert "the limit is 0.01 " in reason
    assert "raise train.epochs, or set optimizer.lr to auto if it is a number" in reason
    assert "'bias' is 5 standard errors" in refusal(optimum, "mse", (optimum.weights, optimum.bias + 5 * errors[3]))


def test_the_stated_fraction_costs_the_stated_coverage():
    from scipy.stats import norm

    z = norm.ppf(0.975)
    coverage = norm.cdf(z + NEAR) - norm.cdf(-z + NEAR)
    assert 0.95 - coverage == pytest.approx(NEAR**2 * z * norm.pdf(z), rel=1e-2)
    assert coverage > 0.94998


def test_refusals_say_why_and_what_to_do():
    X, y = table()
    optimum = least_squares(X, y, bias=True)
    assert refusal(optimum, "mse") is None
    assert "loss: mae; train with loss: mse" in refusal(optimum, "mae")
    assert "weight_decay: 0" in refusal(least_squares(X, y, bias=True, weight_decay=0.1), "mse")
    assert "4 rows and 4 parameters leave no residual degrees of freedom" in refusal(
        least_squares(X[:4], y[:4], bias=True), "mse"
    )
    twice = np.column_stack([X, X[:, 0]])
    assert "not unique (rank 4 of 5)" in refusal(least_squares(twice, y, bias=True), "mse")
    assert "exact within rounding error" in refusal(least_squares(X, X @ [[1.0], [2.0], [3.0]], bias=True), "mse")


def test_a_table_whose_residuals_are_on_the_disk_agrees_with_statsmodels():
    n = 270_000  # a group of two columns has 262,144 rows
    rng = np.random.default_rng(5)
    X = rng.normal([0.0, 3.0], 1.0, size=(n, 2))
    y = X @ [[1.0], [-2.0]] + rng.normal(size=(n, 1)) * (1 + np.abs(X[:, :1]))
    theirs = sm.OLS(y[:, 0], design(X, True)).fit()
    robust, influence = theirs.get_robustcov_results("HC3"), theirs.get_influence()
    optimum = least_squares(X, y, bias=True)
    ours = infer(optimum, X, y, names=["a", "b"])
    assert isinstance(ours.residuals, StoredColumn)
    np.testing.assert_allclose(ours.residuals[:], theirs.resid, atol=1e-9)
    np.testing.assert_allclose(ours.leverage[:], influence.hat_matrix_diag, rtol=1e-8)
    np.testing.assert_allclose(ours.cooks(slice(262_000, 263_000)), influence.cooks_distance[0][262_000:263_000])
    np.testing.assert_allclose(ours.std_err_hc3, robust.bse, rtol=1e-10)
    assert ours.residual_std == pytest.approx(math.sqrt(theirs.mse_resid), rel=1e-12)
    assert ours.durbin_watson == pytest.approx(durbin_watson(theirs.resid), rel=1e-12)
    kept = influence_table(slice(0, n), {"y": ours})
    most = int(np.argmax(influence.cooks_distance[0]))
    assert most + 1 in kept.column("row").to_pylist()
    at = kept.column("row").to_pylist().index(most + 1)
    assert kept.column("cooks_distance")[at].as_py() == pytest.approx(influence.cooks_distance[0][most], rel=1e-8)


def test_memory_does_not_grow_with_the_residuals():
    import tracemalloc

    n = 1_500_000
    x = np.random.default_rng(0).normal(size=(n, 1))
    y = 2 * x + np.cos(np.arange(n))[:, None]
    optimum = least_squares(x, y, bias=True)
    tracemalloc.start()
    infer(optimum, x, y, names=["x"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n * 8  # one of the two columns
