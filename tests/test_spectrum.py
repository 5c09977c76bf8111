"""Curvature against the Hessian that autograd builds, and batches against every one of them."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
import torch

from linreg_cli.convergence import batch_curvature
from linreg_cli.convergence.batch_curvature import any_batch, mean_square_curvature, ordered_batches
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.least_squares.solve import least_squares
from linreg_cli.optim.losses import Loss


def table(n=12, d=3, k=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * [1.0, 4.0, 0.3][:d] + [0.0, 2.0, -1.0][:d]
    return X, X @ rng.normal(size=(d, k)) + rng.normal(size=(n, k))


def hessian(X, y, loss, bias):
    """Of one target's (weights, bias), by differentiating twice."""
    p, k = X.shape[1] + bias, y.shape[1]
    A = np.column_stack([X, np.ones(len(X))]) if bias else X
    A, y = torch.as_tensor(A), torch.as_tensor(y)
    full = torch.autograd.functional.hessian(
        lambda theta: Loss(loss)(A @ theta, y), torch.zeros(p, k, dtype=torch.float64)
    )
    return full[:, 0, :, 0].numpy()


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("k", [1, 2])
def test_the_spectrum_is_that_of_the_hessian(loss, bias, k):
    X, y = table(k=k)
    spectrum = curvature(factorise(X, y, bias=bias), loss)
    H = hessian(X, y, loss, bias)
    np.testing.assert_allclose(spectrum.eigenvalues, np.linalg.eigvalsh(H)[::-1], rtol=1e-11)
    V = spectrum.eigenvectors
    np.testing.assert_allclose(V * spectrum.eigenvalues @ V.T, H, atol=1e-12 * spectrum.largest)
    np.testing.assert_allclose(V.T @ V, np.eye(len(V)), atol=1e-12)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_large_offsets_do_not_cancel(offset):
    x = np.linspace(-1, 1, 101)[:, None]
    spectrum = curvature(factorise(x + offset, x, bias=True), "mse")
    # Of 2 [[v + m^2, m], [m, 1]]: the determinant is 4 v, so the small eigenvalue is about 2 v / (v + m^2 + 1).
    v = float(np.mean(x**2))
    assert spectrum.largest == pytest.approx(2 * (v + offset**2 + 1), rel=1e-6)
    # The offset costs log10(offset) of the 16 digits in which x is stored.
    assert spectrum.largest * spectrum.smallest == pytest.approx(4 * v, rel=max(1e-9, 1e-15 * offset))


def test_flat_directions_are_exactly_flat_and_not_the_smallest():
    X, y = table()
    spectrum = curvature(factorise(np.column_stack([X, X[:, 0] + X[:, 1]]), y, bias=True), "mse")
    assert (spectrum.rank, spectrum.eigenvalues[-1]) == (4, 0.0)
    assert spectrum.smallest == spectrum.eigenvalues[3] > 1e-3
    # Moving a and b up and their sum down by the same changes no prediction.
    np.testing.assert_allclose(np.abs(spectrum.eigenvectors[:, -1]), np.array([1, 1, 0, 1, 0]) / np.sqrt(3), atol=1e-12)


def test_carriers_name_the_columns_of_an_eigenvector():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) * [1.0, 1000.0, 1e-3]
    spectrum = curvature(factorise(X, X[:, :1], bias=True), "mse")
    (name, share), *_ = spectrum.loadings(["rooms", "sqft", "ratio"])
    assert (name, share) == ("sqft", pytest.approx(1.0, abs=1e-4))
    assert spectrum.loadings(["rooms", "sqft", "ratio"], spectrum.rank - 1, most=1)[0][0] == "ratio"
    assert sum(share for _, share in spectrum.loadings(["a", "b", "c"], 2, most=4)) == pytest.approx(1.0)


def test_distances_give_the_excess():
    X, y = table(k=2)
    optimum = least_squares(X, y, bias=True)
    spectrum = curvature(optimum.factor, "mse")
    weights, bias = np.ones((3, 2)), np.array([0.5, -2.0])
    z = spectrum.distances(optimum, weights, bias)
    assert float(spectrum.eigenvalues @ (z**2).sum(1)) / 2 == pytest.approx(optimum.excess(weights, bias), rel=1e-11)


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_no_batch_is_curved_more_than_the_bound(loss, size):
    X, y = table(n=8)
    factor = factorise(X, y, bias=True)
    bound = any_batch(factor, X, loss=loss, batch_size=size)
    worst = 0.0
    for b in {size, 8 % size} - {0}:
        worst = max(
            worst,
            *(np.linalg.eigvalsh(hessian(X[list(r)], y[list(r)], loss, True))[-1] for r in combinations(range(8), b)),
        )
    assert worst <= bound.largest * (1 + 1e-12)
    assert bound.largest <= 2.5 * worst  # a bound that is of use
    if bound.is_exact:
        assert bound.largest == pytest.approx(worst, rel=1e-12)
    assert bound.is_exact == (size in (1, 8))


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("size", [1, 2, 5, 12])
@pytest.mark.parametrize("bias", [True, False])
def test_batches_in_order_are_exact(loss, size, bias):
    X, y = table(n=12)
    found = ordered_batches(factorise(X, y, bias=bias), X, loss=loss, batch_size=size)
    each = [np.linalg.eigvalsh(hessian(X[i : i + size], y[i : i + size], loss, bias))[-1] for i in range(0, 12, size)]
    assert found.largest == pytest.approx(max(each), rel=1e-12)


def test_skipping_batches_skips_none_that_matter():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50_000, 3)) * rng.lognormal(size=(50_000, 1))
    factor = factorise(X, X[:, :1], bias=True)
    A = np.column_stack([X, np.ones(len(X))]).reshape(-1, 4, 4)
    worst = 2 / 4 * np.linalg.norm(A, 2, axis=(1, 2)).max() ** 2
    assert ordered_batches(factor, X, loss="mse", batch_size=4).largest == pytest.approx(worst, rel=1e-12)


@pytest.mark.parametrize("size", [7, 63, 64, 65, 200, 999])
def test_large_batches_are_taken_in_pieces(monkeypatch, size):
    monkeypatch.setattr(batch_curvature, "_CHUNK_ROWS", 64)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1_000, 3)) * rng.lognormal(size=(1_000, 1))
    A = np.column_stack([X, np.ones(len(X))])
    worst = max(
        2 / len(part) * np.linalg.norm(part, 2) ** 2 for part in (A[at : at + size] for at in range(0, 1_000, size))
    )
    found = ordered_batches(factorise(X, X[:, :1], bias=True), X, loss="mse", batch_size=size)
    assert found.largest == pytest.approx(worst, rel=1e-12)


def test_batches_in_order_take_eight_bytes_each():
    """Beside a few thousand rows at a time, which are 3 MB here."""
    X = np.random.default_rng(3).normal(size=(1_000_000, 1))
    factor = factorise(X, X, bias=False)
    tracemalloc.start()
    ordered_batches(factor, X, loss="mse", batch_size=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * len(X) + 3e6


@pytest.mark.parametrize("loss", ["mse", "sse"])
@pytest.mark.parametrize("size", [1, 3])
def test_mean_square_curvature_bounds_the_second_moment(loss, size):
    X, y = table(n=5, d=2)
    factor = factorise(X, y, bias=True)
    L = mean_square_curvature(factor, X, loss=loss, batch_size=size)
    batches = np.stack(np.meshgrid(*[range(5)] * size), -1).reshape(-1, size)  # with replacement: all of them
    H = np.array([hessian(X[rows], y[rows], loss, True) for rows in batches])
    slack = np.linalg.eigvalsh(L * H.mean(0) - (H @ H).mean(0))
    assert slack[0] >= -1e-10 * L**2
    assert slack[0] <= 0.5 * L * np.linalg.eigvalsh(H.mean(0))[-1]
    if size == 1:
        assert slack[0] == pytest.approx(0, abs=1e-9 * L**2)  # the least such L
    assert curvature(factor, loss).largest * (size / 5 if loss == "sse" else 1) <= L
    worst = any_batch(factor, X, loss=loss, batch_size=1).largest * (size if loss == "sse" else 1)
    assert worst >= L


def test_the_flat_direction_is_that_of_the_dependence_whatever_else_is_small():
    """c = a + b, beside a column whose curvature as given is the smallest: that one is kept (numpy's eigenvalues)."""
    rng = np.random.default_rng(4)
    a, b, tiny = rng.normal(size=(3, 200)) * [[1.0], [1.0], [1e-9]]
    X = np.column_stack([a, b, tiny, a + b])
    found = curvature(factorise(X, X[:, :1], bias=False), "mse")
    assert found.rank == 3
    # With a + b written out: the Hessian in the three directions that are not flat.
    flat = np.array([1, 1, 0, -1]) / np.sqrt(3)
    basis = np.linalg.svd(np.eye(4) - np.outer(flat, flat))[0][:, :3]
    expected = np.linalg.svd(X @ basis, compute_uv=False) ** 2 * 2 / 200
    assert found.eigenvalues == pytest.approx([*expected, 0.0], rel=1e-9, abs=0)
    assert abs(found.eigenvectors[:, 3] @ flat) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("scales", [[1.0, 1.0], [1.0, 1.0, 1.0], [1e4, 1e4, 1.0, 1.0], [1e3, 1.0, 1.0, 1e-3]])
def test_equal_eigenvalues_have_orthonormal_eigenvectors(scales):
    """Rows of a scaled orthogonal matrix: without an intercept, the eigenvalues are 2 / n times the squared scales."""
    n, d = 32, len(scales)
    X = np.linalg.qr(np.random.default_rng(d).normal(size=(n, n)))[0][:, :d] * np.array(scales)
    X = X @ np.linalg.qr(np.random.default_rng(7).normal(size=(d, d)))[0]
    found = curvature(factorise(X, X[:, :1], bias=False), "mse")
    np.testing.assert_allclose(found.eigenvalues, 2 / n * np.sort(np.square(scales))[::-1], rtol=1e-9)
    np.testing.assert_allclose(found.eigenvectors.T @ found.eigenvectors, np.eye(d), atol=1e-10)
