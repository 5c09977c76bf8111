"""The exact optimum against certified values, other solvers, and identities."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from linreg_cli.least_squares import solve
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.least_squares.optimum import gap
from linreg_cli.least_squares.solve import least_squares
from linreg_cli.optim.losses import loss_scale

#: Digits that must agree with NIST's certified parameters; Filip's powers are stored rounded, which leaves 7.
CERTIFIED_DIGITS = {"Norris": 12, "NoInt1": 14, "Longley": 12, "Wampler1": 14, "Filip": 7}


def known_answer(singular, *, n=60, noise=0.5, seed=0):
    """A centred design of the singular values given, its answer, and a residual orthogonal to every column."""
    rng = np.random.default_rng(seed)
    d = len(singular)
    orthogonal, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, d + 1))]))
    V, _ = np.linalg.qr(rng.normal(size=(d, d)))
    X = orthogonal[:, 1 : d + 1] * singular @ V.T
    weights, bias = rng.normal(size=(d, 1)), 2.5
    residual = noise * orthogonal[:, d + 1 :]
    return X, X @ weights + bias + residual, weights, bias, residual


def table(n=40, d=3, k=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * np.logspace(0, 2, d) + 5
    return X, X @ rng.normal(size=(d, k)) + rng.normal(size=(n, k)) + 3


def digits(found, certified):
    found, certified = np.asarray(found), np.asarray(certified)
    error = np.abs(found - certified) / np.abs(certified)
    return -math.log10(max(float(error.max()), 1e-17))


@pytest.mark.parametrize("name", CERTIFIED_DIGITS)
def test_nist_certified_parameters_and_residuals(real_data, name):
    certified = json.loads((real_data / "nist" / "certified.json").read_text())[name]
    columns = np.genfromtxt(real_data / "nist" / f"{name}.csv", delimiter=",", names=True)
    X = np.column_stack([columns[feature] for feature in certified["features"]])
    optimum = least_squares(X, columns["y"][:, None], bias=certified["intercept"], loss="sse")
    found = [*(optimum.bias if certified["intercept"] else []), *optimum.weights[:, 0]]
    assert digits(found, certified["params"]) >= CERTIFIED_DIGITS[name]
    if certified["ss_residual"]:
        assert digits([optimum.train_loss], [certified["ss_residual"]]) >= 7
    else:
        assert optimum.train_loss <= optimum.rounding_loss
    assert optimum.is_unique
    assert optimum.rank == len(certified["params"])


@pytest.mark.parametrize("ratio", [1.0, 0.1])
def test_nist_wampler_polynomials(ratio):
    # Wampler1 (ratio 1) and Wampler2 (ratio 0.1): y = sum of (ratio x)^j for j = 0..5 at x = 0..20 (NIST StRD).
    x = np.arange(21.0)
    X = np.column_stack([x**j for j in range(1, 6)])
    # Wampler2's y has five decimals at most, so it is typed in, not summed up in floats.
    y = np.array(
        [[round(sum(int(v) ** j * (10 if ratio == 1 else 1) ** j * 10 ** (5 - j) for j in range(6))) / 1e5] for v in x]
    )
    optimum = least_squares(X, y, bias=True)
    # The stored y is rounded, which the condition number (6e6) magnifies: 1e-16 * 6e6 beside 1e-5.
    assert digits([*optimum.bias, *optimum.weights[:, 0]], ratio ** np.arange(6)) >= (14 if ratio == 1 else 9)


@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_nist_wampler_polynomials_with_residuals(size):
    # Wampler3, 4 and 5: Wampler1 with residuals orthogonal to every power, of the sizes 1, 100 and 10,000. Certified:
    # all parameters 1, residual sum of squares 83554268 size^2 (NIST StRD).
    half = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048]
    deltas = np.array([*half, 2048, *half[::-1]])
    powers = np.arange(21)[:, None] ** np.arange(6)
    assert not (powers.T @ deltas).any()
    assert deltas @ deltas == 83554268
    y = (powers.sum(axis=1) + size * deltas)[:, None].astype(float)
    optimum = least_squares(powers[:, 1:].astype(float), y, bias=True, loss="sse")
    assert digits([*optimum.bias, *optimum.weights[:, 0]], np.ones(6)) >= 14
    assert digits([optimum.train_loss], [83554268 * size**2]) >= 14


def test_nist_no_intercept_2():
    # Certified: slope 0.727272727272727 = 8 / 11, residual sum of squares 0.272727272727273 = 3 / 11.
    optimum = least_squares([[4.0], [5.0], [6.0]], [[3.0], [4.0], [4.0]], bias=False, loss="sse")
    assert digits(optimum.weights, [[8 / 11]]) >= 15
    assert digits([optimum.train_loss], [3 / 11]) >= 14
    assert optimum.bias is None


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9])
def test_known_answer_from_an_svd(condition):
    singular = np.geomspace(1, 1 / condition, 4)
    # Rounding of the stored columns moves the answer by 1e-16 condition^2 residual, so the residual is kept small.
    X, y, weights, bias, residual = known_answer(singular, noise=0.5 / condition)
    optimum = least_squares(X, y, bias=True, loss="sse")
    np.testing.assert_allclose(optimum.weights, weights, rtol=0, atol=1e-14 * condition)
    np.testing.assert_allclose(optimum.bias, [bias], rtol=1e-12)
    assert optimum.train_loss == pytest.approx(float(np.sum(residual**2)), rel=1e-14 * condition)


def test_condition_number_of_a_known_design():
    # Columns of an orthogonal matrix mixed by [[1, 0.6], [0, 0.8]]: correlation 0.6, condition sqrt(1.6 / 0.4) = 2.
    X, y, *_ = known_answer(np.ones(2))
    Q, _ = np.linalg.qr(X)
    optimum = least_squares(1e3 * Q @ [[1, 0.6], [0, 0.8]] * [1, 1e5], y, bias=True)
    assert optimum.condition_number == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e7])
def test_condition_number_as_given_survives_offsets(offset):
    x = np.linspace(-1, 1, 101)
    optimum = least_squares(offset + x[:, None], x[:, None], bias=True)
    # Singular values of [offset + x, 1] from the characteristic polynomial of its 2 x 2 Gram matrix per row.
    variance = np.mean(x**2)
    trace, determinant = variance + offset**2 + 1, variance
    largest = (trace + math.sqrt(trace**2 - 4 * determinant)) / 2
    assert optimum.condition_number_as_given == pytest.approx(largest / math.sqrt(determinant), rel=1e-8)
    assert optimum.condition_number == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_normal_equations_hold_and_lstsq_agrees(bias):
    X, y = table(k=2)
    optimum = least_squares(X, y, bias=bias)
    A = np.column_stack([X, np.ones(len(X))]) if bias else X
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    found = np.vstack([optimum.weights, optimum.bias]) if bias else optimum.weights
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    residual = y - A @ found
    assert np.abs(A.T @ residual).max() < 1e-12 * np.abs(A).max() * np.abs(y).sum()
    assert optimum.train_loss == pytest.approx(float(np.mean(residual**2)), rel=1e-13)


@pytest.mark.parametrize("n", [20, 9000, 40_000])
def test_row_order_and_duplicates_do_not_matter(n):
    X, y = table(n=n)
    order = np.random.default_rng(1).permutation(n)
    first = least_squares(X, y, bias=True)
    for other in (
        least_squares(X[order], y[order], bias=True),
        least_squares(np.vstack([X, X]), np.vstack([y, y]), bias=True),
    ):
        np.testing.assert_allclose(other.weights, first.weights, rtol=1e-11)
        np.testing.assert_allclose(other.bias, first.bias, rtol=1e-11)
        assert other.train_loss == pytest.approx(first.train_loss, rel=1e-12)


@given(st.integers(-30, 30), st.integers(-30, 30))
@settings(max_examples=20, deadline=None)
def test_units_only_rescale_the_answer(feature_power, target_power):
    # Powers of two are exact, so every digit must follow.
    X, y = table()
    first = least_squares(X, y, bias=True)
    other = least_squares(X * 2.0**feature_power, y * 2.0**target_power, bias=True)
    assert np.array_equal(other.weights, first.weights * 2.0 ** (target_power - feature_power))
    assert np.array_equal(other.bias, first.bias * 2.0**target_power)
    assert other.train_loss == first.train_loss * 4.0**target_power
    assert other.condition_number == pytest.approx(first.condition_number, rel=1e-12)


def test_loss_conventions():
    X, y = table(k=2)
    losses = {loss: least_squares(X, y, bias=True, loss=loss).train_loss for loss in ("mse", "sse", "half_mse")}
    assert losses["sse"] == pytest.approx(losses["mse"] * y.size, rel=1e-14)
    assert losses["half_mse"] == pytest.approx(losses["mse"] / 2, rel=1e-14)
    with pytest.raises(ValueError, match="mae is not a squared loss"):
        loss_scale("mae", 3, 1)


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("bias", [True, False])
def test_weight_decay_is_the_zero_of_sgds_gradient(loss, bias):
    X, y = table(k=2)
    weight_decay = 0.7
    optimum = least_squares(X, y, bias=bias, loss=loss, weight_decay=weight_decay)
    residual = X @ optimum.weights + (optimum.bias if bias else 0) - y
    scale = {"mse": 1 / y.size, "sse": 1.0, "half_mse": 0.5 / y.size}[loss]
    gradient = 2 * scale * X.T @ residual + weight_decay * optimum.weights
    assert np.abs(gradient).max() < 1e-12 * 2 * scale * np.abs(X.T @ y).max()
    penalty = np.sum(optimum.weights**2)
    if bias:
        assert np.abs(2 * scale * residual.sum(0) + weight_decay * optimum.bias).max() < 1e-10
        penalty += np.sum(optimum.bias**2)
    assert optimum.train_loss == pytest.approx(scale * float(np.sum(residual**2)), rel=1e-11)
    assert optimum.objective == pytest.approx(optimum.train_loss + weight_decay / 2 * penalty, rel=1e-13)


def test_weight_decay_is_scikit_learns_ridge():
    X, y = table()
    # mse + wd/2 |w|^2 has the minimum of sse + (n wd / 2) |w|^2; Ridge minimises sse + alpha |w|^2.
    expected = Ridge(alpha=len(X) * 0.3 / 2, fit_intercept=False, solver="svd").fit(X, y)
    optimum = least_squares(X, y, bias=False, weight_decay=0.3)
    np.testing.assert_allclose(optimum.weights[:, 0], expected.coef_.ravel(), rtol=1e-11)


def test_excess_is_the_difference_of_objectives():
    X, y = table(k=2)
    for weight_decay in (0.0, 0.2):
        optimum = least_squares(X, y, bias=True, weight_decay=weight_decay)
        weights, bias = optimum.weights + 0.1, optimum.bias - 0.3
        objective = np.mean((X @ weights + bias - y) ** 2) + weight_decay / 2 * (np.sum(weights**2) + np.sum(bias**2))
        assert optimum.excess(weights, bias) == pytest.approx(objective - optimum.objective, rel=1e-10)
        assert optimum.gap(weights, bias)[0] == pytest.approx(objective / optimum.objective - 1, rel=1e-10)
        assert optimum.gap(optimum.weights, optimum.bias) == (0.0, "optimum")


@pytest.mark.parametrize("weight_decay", [0.0, 1e-6])
def test_duplicated_columns_share_the_weight(weight_decay):
    X, y = table(d=2)
    optimum = least_squares(np.column_stack([X, X[:, 1]]), y, bias=True, weight_decay=weight_decay)
    alone = least_squares(X, y, bias=True)
    assert optimum.rank == 3
    assert optimum.is_unique == (weight_decay > 0)
    assert optimum.condition_number == math.inf
    np.testing.assert_allclose(optimum.weights[1], optimum.weights[2], rtol=1e-5)
    np.testing.assert_allclose(optimum.weights[1] + optimum.weights[2], alone.weights[1], rtol=1e-4)
    assert optimum.train_loss == pytest.approx(alone.train_loss, rel=1e-10)


def test_minimum_norm_is_lstsqs_on_standardised_columns():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(5, 8)) * np.logspace(-3, 3, 8) + 10, rng.normal(size=(5, 1))
    optimum = least_squares(X, y, bias=True)
    expected = np.linalg.lstsq((X - X.mean(0)) / X.std(0), y - y.mean(), rcond=1e-9)[0] / X.std(0)[:, None]
    # The narrowest column, of spread 1e-3 about 10, is stored with 12 digits of its spread.
    np.testing.assert_allclose(optimum.weights, expected, rtol=1e-9)
    assert optimum.rank == 5  # four directions between five points, and the bias
    assert optimum.train_loss <= optimum.rounding_loss


def test_dependence_hidden_by_rounding_is_found():
    # c = a + b far from zero is dependent only up to the rounding of its storage.
    rng = np.random.default_rng(0)
    a, b = 1e6 + rng.normal(size=(2, 500))
    optimum = least_squares(np.column_stack([a, b, a + b]), rng.normal(size=(500, 1)), bias=True)
    assert optimum.rank == 3
    assert np.abs(optimum.weights).max() < 1


def test_a_constant_column_gets_no_weight():
    X, y = table(d=2)
    optimum = least_squares(np.column_stack([X, np.full(len(X), 0.1)]), y, bias=True)
    alone = least_squares(X, y, bias=True)
    assert optimum.weights[2, 0] == 0.0
    np.testing.assert_allclose(optimum.weights[:2], alone.weights, rtol=1e-12)
    assert not optimum.is_unique


def test_one_row_and_a_zero_column():
    optimum = least_squares([[2.0, 0.0]], [[6.0]], bias=False)
    np.testing.assert_allclose(optimum.weights, [[3.0], [0.0]], rtol=1e-15)
    assert (optimum.rank, optimum.is_unique) == (1, False)


def test_gap_names_what_it_is_relative_to():
    assert gap(3.0, 2.0, 10.0) == (0.5, "optimum")
    assert gap(3.0, 0.0, 10.0) == (0.3, "constant")
    assert gap(1.0, 0.0, 0.0) == (None, "constant")
    assert gap(0.0, 0.0, 0.0) == (0.0, "constant")
    # The points of y = 2x + 1 are met exactly: the optimum is zero, the mean of 3, 5, 7 has loss 8 / 3.
    optimum = least_squares([[1.0], [2.0], [3.0]], [[3.0], [5.0], [7.0]], bias=True)
    relative, base = optimum.gap([[2.0]], [2.0])
    assert (relative, base) == (pytest.approx(1 / (8 / 3), rel=1e-12), "constant")


def test_a_table_cast_to_float32_has_a_zero_optimum_for_its_precision():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    X32, y32 = X.astype(np.float32), (X @ [[2.0], [-3.4]] + 4.2).astype(np.float32)
    exact = float(np.finfo(np.float64).eps)  # as if no digit had been lost
    assert least_squares(X32, y32, bias=True).gap([[2.1], [-3.4]], [4.2])[1] == "constant"
    assert least_squares(X32, y32, bias=True, eps=exact).gap([[2.1], [-3.4]], [4.2])[1] == "optimum"


@pytest.mark.parametrize("shapes", [((3, 2), (4, 1)), ((3,), (3, 1)), ((0, 2), (0, 1))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="must be 2-D"):
        factorise(np.zeros(shapes[0]), np.zeros(shapes[1]), bias=True)


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1_000_000, 8)) + 100
    y = X @ np.arange(1.0, 9.0)[:, None] + rng.normal(size=(1_000_000, 1))
    begun = time.process_time()
    optimum = least_squares(X, y, bias=True)
    # About 1 s on two idle cores; the bound only catches a change of order.
    assert time.process_time() - begun < 10
    # Standard error 1e-3 for each coefficient, from unit noise, unit spread and a million rows.
    np.testing.assert_allclose(optimum.weights[:, 0], np.arange(1.0, 9.0), atol=6e-3)


# --- where a solution is refined


def refined_calls(monkeypatch, X, y, **options):
    """The optimum, and how often it was refined in double-double."""
    calls = []
    real = solve.refine
    monkeypatch.setattr(solve, "refine", lambda *arguments: calls.append(1) or real(*arguments))
    return least_squares(X, y, bias=True, **options), len(calls)


def test_a_well_conditioned_table_is_not_refined_and_loses_no_digits(monkeypatch):
    """Refined and plain agree to 13 digits: a plain solution is worth about eps times the condition number."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 4)) @ (np.eye(4) + 0.3) + [1.0, -2.0, 3.0, 0.5]
    y = X @ [[1.0], [-2.0], [0.5], [3.0]] + 4.0 + rng.normal(size=(20_000, 1))
    plain, calls = refined_calls(monkeypatch, X, y)
    assert (calls, plain.condition_number < solve.REFINED_CONDITION) == (0, True)
    monkeypatch.setattr(solve, "CHEAP_CELLS", 10**6)
    refined, calls = refined_calls(monkeypatch, X, y)
    assert calls == 1
    assert plain.weights == pytest.approx(refined.weights, rel=1e-13)
    assert plain.bias == pytest.approx(refined.bias, rel=1e-13)
    assert plain.train_loss == pytest.approx(refined.train_loss, rel=1e-13)


@pytest.mark.parametrize("case", ["ill-conditioned", "intercept that cancels", "small"])
def test_what_would_lose_digits_is_refined(case, monkeypatch):
    rng = np.random.default_rng(2)
    n = 100 if case == "small" else 20_000
    X = rng.normal(size=(n, 2))
    if case == "ill-conditioned":
        X[:, 1] = X[:, 0] + 1e-2 * X[:, 1]
    if case == "intercept that cancels":  # as in Norris: the means are 10^5 times the intercept
        X += 1e4
    y = X @ [[1.0], [1.0]] + 0.1 + 0.01 * rng.normal(size=(n, 1))
    assert refined_calls(monkeypatch, X, y)[1] == 1


def test_numbers_that_were_cast_to_float32_are_not_refined(monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20_000, 2))
    X[:, 1] = X[:, 0] + 1e-2 * X[:, 1]
    y = X.sum(axis=1, keepdims=True) + rng.normal(size=(20_000, 1))
    assert refined_calls(monkeypatch, X.astype(np.float32), y.astype(np.float32))[1] == 0
