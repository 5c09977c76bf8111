"""Passes over shards: what exact fits and inference get from them, alone and shared with other processes."""

import numpy as np
import pytest
from scipy import linalg
from thread_ranks import Several, held

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.convergence.batch_curvature import any_batch, mean_square_curvature
from linreg_cli.convergence.gradient_noise import batch_noise
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.evaluation.held_out import fitted, left_out
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.factorise import factorise_rows
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.resampling import leave_one_out
from linreg_cli.least_squares.residual_checks import chance_of_durbin_watson, chance_of_hc3
from linreg_cli.least_squares.solve import of_rows
from linreg_cli.ranks.shards import Shards


def table(n=37, d=3, dtype="float64"):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, d)) * [1.0, 20.0, 0.1][:d] + [0.0, 500.0, 1.0][:d]
    y = X @ rng.normal(size=(d, 2)) + rng.normal(size=(n, 2)) * (1 + np.abs(X[:, :1]))
    return X.astype(dtype), y.astype(dtype), rng.uniform(0.5, 1.5, size=n)


def numbers(rows, *, bias, clusters=None):
    """All that is found of an optimum, as bytes."""
    optimum = of_rows(rows, bias=bias)
    names = [f"x{j}" for j in range(rows.X_nd.shape[1])]
    about = {"covariance": "classic" if clusters is None else "cluster", "clusters": clusters, "divided": rows}
    fits = [infer(optimum, rows.X_nd, rows.y_nk, names=names, target=k, **about) for k in range(2)]
    found = [optimum.weights, optimum.factor.R_pp, optimum.factor.constant_k, optimum.train_loss]
    for fit in fits:
        found += [fit.std_err, fit.std_err_hc3, fit.leverage[:], fit.residuals[:], fit.f, fit.r2, fit.durbin_watson]
        found += [chance_of_hc3(optimum, rows, fit, [0, 1]), chance_of_durbin_watson(optimum, rows, fit)]
        found += [] if fit.std_err_cluster is None else [fit.std_err_cluster]
    return [np.asarray(each).tobytes() for each in found], optimum, fits


@pytest.mark.parametrize(
    ("dtype", "bias", "weighted", "clustered"),
    [("float64", True, False, False), ("float32", False, False, True), ("float64", True, True, True)],
)
def test_any_number_of_processes_finds_the_same_bits(dtype, bias, weighted, clustered):
    X, y, w = table(dtype=dtype)
    weights = w / w.mean() if weighted else None
    clusters = Clusters.of(np.arange(37) % 7) if clustered else None
    shards, found = Shards(37, 5), []
    for size in (1, 2, 3, 4):
        several = Several(size)
        with several:
            found.append(numbers(held(X, y, weights, shards, several.ranks), bias=bias, clusters=clusters)[0])
    assert found[0] == found[1] == found[2] == found[3]


def test_parts_give_the_numbers_of_all_rows_at_once():
    X, y, w = table()
    weights, clusters = w / w.mean(), Clusters.of(np.arange(37) % 7)
    parts = numbers(DividedRows(X, y, weights, [0, 4, 4, 20, 37]), bias=True, clusters=clusters)
    whole = numbers(DividedRows(X, y, weights), bias=True, clusters=clusters)
    for one, other in zip(parts[0], whole[0], strict=True):
        np.testing.assert_allclose(np.abs(np.frombuffer(one)), np.abs(np.frombuffer(other)), rtol=1e-10, atol=1e-13)
    root = np.sqrt(weights)[:, None]
    expected = linalg.lstsq(np.hstack([X, np.ones((37, 1))]) * root, y * root)[0]
    np.testing.assert_allclose(parts[1].weights, expected[:3], rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_rows_and_folds_left_out_give_has_the_bits_of_one_process(weighted):
    X, y, w = table()
    weights, options = w / w.mean() if weighted else None, PreprocessConfig()
    numbers, shards, found = np.arange(37) % 4, Shards(37, 5), []
    for size in (1, 2, 3, 4):
        several = Several(size)
        with several:
            rows = held(X, y, weights, shards, several.ranks)
            optimum = of_rows(rows, bias=True)
            errors = left_out(optimum, rows, options), left_out(optimum, rows, options, numbers, 4)
            found.append([*errors, fitted(optimum, rows, options), leave_one_out(optimum, rows)])
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0][3].mse == pytest.approx(found[0][0]["mse"], rel=1e-14)


def test_a_row_that_cannot_be_left_out_is_named_whichever_process_has_it():
    X, y, _ = table()
    X = np.column_stack([X, np.arange(37) == 30])
    several = Several(3)
    with several:
        rows = held(X, y, None, Shards(37, 5), several.ranks)
        found = leave_one_out(of_rows(rows, bias=True), rows)
    assert found.reason == "without one of the rows the columns are linearly dependent"


def test_shards_with_fewer_rows_than_columns_and_without_any():
    X, y, _ = table(n=6)
    several = Several(4)
    with several:
        factor = factorise_rows(held(X, y, None, Shards(6, 8), several.ranks), bias=True)
    expected = linalg.qr(np.hstack([X - X.mean(axis=0), np.ones((6, 1))]), mode="r")[0][:4]
    found = factor.R_pp * np.append(factor.scale, 1.0)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_limits_and_the_noise_of_batches_have_the_bits_of_one_process(weighted):
    X, y, w = table()
    weights, found = w / w.mean() if weighted else None, []
    for size in (1, 3, 4):
        several = Several(size)
        with several:
            rows = held(X, y, weights, Shards(37, 5), several.ranks)
            optimum = of_rows(rows, bias=True)
            about = {"loss": "mse", "batch_size": 5}
            noise = batch_noise(curvature(optimum.factor, "mse"), optimum, X, y, divided=rows, **about)
            limits = any_batch(optimum.factor, X, divided=rows, **about).largest
            mean = mean_square_curvature(optimum.factor, X, divided=rows, **about)
            found.append([noise.variances.tobytes(), noise.coupling.tobytes(), limits, mean])
    assert found[0] == found[1] == found[2]
    A = np.hstack([X, np.ones((37, 1))]) * (1.0 if weights is None else np.sqrt(weights)[:, None])
    longest = np.sort((A**2).sum(axis=1))[-5:].sum()
    whole = np.linalg.norm(A, 2) ** 2
    # 2 / (b k) times the smaller one, for the last batch of two rows likewise
    two = np.sort((A**2).sum(axis=1))[-2:].sum()
    assert found[0][2] == pytest.approx(max(2 / 10 * min(longest, whole), 2 / 4 * min(two, whole)), rel=1e-9)
