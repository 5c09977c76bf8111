"""Whether the optimum of mae and huber is unique, against every vertex, other starts and known cases."""

import itertools
import json

import numpy as np
import pytest
from scipy.optimize import minimize

from linreg_cli.least_squares.robust import robust_optimum


def found(X, y, **options):
    optimum, reason = robust_optimum(np.asarray(X, float), np.asarray(y, float)[:, None], bias=True, **options)
    assert reason is None
    return optimum


def has_one_best_vertex(A, y) -> bool:
    """With columns of full rank the minimisers of mae are the convex hull of the best vertices."""
    values, points = [], []
    for rows in map(list, itertools.combinations(range(len(y)), A.shape[1])):
        if abs(np.linalg.det(A[rows])) > 1e-9:
            points.append(np.linalg.solve(A[rows], y[rows]))
            values.append(np.abs(y - A @ points[-1]).sum())
    best = np.array(points)[np.array(values) <= min(values) + 1e-9]
    return bool(np.ptp(best, axis=0).max() < 1e-9)


def test_of_mae_against_every_vertex():
    """Whole numbers, so that there are ties; 150 designs, of which many have one optimum and many have several."""
    rng, verdicts = np.random.default_rng(0), []
    while len(verdicts) < 150:
        n, d = int(rng.integers(3, 9)), int(rng.integers(1, 3))
        X, y = rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-3, 4, n).astype(float)
        A = np.column_stack([X, np.ones(n)])
        if np.linalg.matrix_rank(A) < d + 1:
            continue
        verdicts.append(has_one_best_vertex(A, y))
        assert found(X, y, loss="mae").is_unique is verdicts[-1], (X.tolist(), y.tolist())
    assert 30 < sum(verdicts) < 120


@pytest.mark.parametrize(
    ("y", "unique"),
    [
        ([0, 1], False),  # the median of an even number
        ([0, 1, 1, 4], True),
        ([0, 1, 5], True),
        ([2, 2], True),
        ([0, 0, 1, 1], False),
        ([7], True),
    ],
)
def test_the_median(y, unique):
    assert found(np.zeros((len(y), 0)), y, loss="mae").is_unique is unique


@pytest.mark.parametrize(
    ("y", "unique"),
    [
        ([0, 10], False),  # any constant from 1 to 9
        ([0, 5, 10], True),
        ([0, 2], True),  # both on the edge: each moves inwards for one of the directions
        ([0, 0, 10, 10], False),
        ([0, 0.5], True),
    ],
)
def test_hubers_constant(y, unique):
    assert found(np.zeros((len(y), 0)), y, loss="huber", huber_delta=1.0).is_unique is unique


def test_of_huber_against_other_starts():
    """If the optimum is unique every start ends there; if not, starts far away end apart, at the same loss."""
    rng, verdicts = np.random.default_rng(1), []
    for _ in range(40):
        n = int(rng.integers(3, 7))
        X, y = rng.integers(-2, 3, (n, 1)).astype(float), rng.integers(-4, 5, n).astype(float)
        A, delta = np.column_stack([X, np.ones(n)]), 0.3
        if np.linalg.matrix_rank(A) < 2:
            continue

        def both(theta, A=A, y=y, delta=delta):
            e = A @ theta - y
            size = np.abs(e)
            value = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2)).sum()
            return value, A.T @ np.clip(e, -delta, delta)

        starts = [np.array(start, float) for start in itertools.product((-9, 9), (-9, 9))]
        ends = [minimize(both, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x for start in starts]
        values = [both(end)[0] for end in ends]
        close = [end for end, value in zip(ends, values, strict=True) if value < min(values) + 1e-9]
        verdicts.append(found(X, y, loss="huber", huber_delta=delta).is_unique)
        if np.ptp(close, axis=0).max() > 1e-3:
            assert not verdicts[-1], (X.tolist(), y.tolist())
        else:
            assert verdicts[-1] or len(close) < 2, (X.tolist(), y.tolist())
    assert 5 < sum(verdicts) < 35


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_columns_that_depend_on_each_other(loss):
    x = np.arange(7.0)
    y = x + np.array([0.1, -0.2, 0.3, 0.1, -0.4, 0.2, 0.0])
    assert found(x[:, None], y, loss=loss).is_unique
    assert not found(np.column_stack([x, 2 * x]), y, loss=loss).is_unique


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_units_do_not_matter(scale):
    X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0.0, 1.0, 2.0, 3.0])
    assert not found(X * scale, y / scale + 1e3, loss="mae").is_unique
    assert found(np.vstack([X, X]) * scale, np.append(y, [0.5, 0.5, 2.5, 2.5]) / scale, loss="mae").is_unique


def test_a_run_says_so_in_its_files_and_on_the_terminal(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n0,0\n0,1\n1,2\n1,3\n")
    (tmp_path / "c.yaml").write_text(
        "data: {path: t.csv, target: y}\nloss: mae\n"
        "train: {epochs: 30, batch_size: full, dtype: float64}\nplots: false\n"
    )
    shown = " ".join(linreg("train", "-c", "c.yaml").out.split())
    metrics = json.loads((tmp_path / "outputs" / "c-0001" / "metrics.json").read_text())
    assert metrics["optimum"]["is_unique"] is False
    assert metrics["optimum"]["train_loss"] == pytest.approx(0.5, rel=1e-12)
    assert "other parameters reach the same lowest loss, so those shown are one choice of several" in shown
    assert linreg("evaluate", "c", "--fail-if", "optimum.is_unique == 1").code == 0
    assert "at an optimum, one of several" in _report(linreg, tmp_path)


def _report(linreg, tmp_path) -> str:
    assert linreg("report", "c", "-o", "r.html").code == 0
    return (tmp_path / "r.html").read_text()
