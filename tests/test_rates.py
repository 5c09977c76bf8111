"""Every stated limit of the rate, with torch.optim.SGD itself just below and just above it."""

import math

import numpy as np
import pytest
from descent import state_after
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg_cli.convergence.batch_curvature import any_batch
from linreg_cli.convergence.rates import (
    SgdRule,
    batch_safe_rate,
    best_rate,
    mean_square_rate,
    safe_batch_rate,
    stable_rate,
)
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.least_squares.solve import least_squares

MOTIONS = {
    "plain": SgdRule(),
    "momentum": SgdRule(momentum=0.9),
    "light momentum": SgdRule(momentum=0.3),
    "dampening": SgdRule(momentum=0.8, dampening=0.5),
    "dampening without momentum": SgdRule(dampening=0.5),
    "nesterov": SgdRule(momentum=0.9, nesterov=True),
    "light nesterov": SgdRule(momentum=0.2, nesterov=True),
    "weight decay": SgdRule(weight_decay=0.7),
    "momentum and weight decay": SgdRule(momentum=0.9, weight_decay=0.7),
    "nesterov and weight decay": SgdRule(momentum=0.6, nesterov=True, weight_decay=0.4),
    "dampening and weight decay": SgdRule(momentum=0.5, dampening=0.9, weight_decay=0.3),
}


def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2)) * [1.0, 1.5] + [0.3, 0.0]
    return X, X @ [[2.0], [-3.4]] + 4.2 + 0.1 * rng.normal(size=(30, 1))


def options(rule):
    return {
        "momentum": rule.momentum,
        "dampening": rule.dampening,
        "nesterov": rule.nesterov,
        "weight_decay": rule.weight_decay,
    }


CASES = [("mse", name) for name in MOTIONS] + [
    ("sse", "plain"),
    ("half_mse", "plain"),
    ("sse", "nesterov and weight decay"),
]


@pytest.mark.parametrize(("loss", "name"), CASES)
def test_the_full_batch_limit_is_sharp(loss, name):
    X, y = table()
    rule = MOTIONS[name]
    optimum = least_squares(X, y, bias=True, loss=loss, weight_decay=rule.weight_decay)
    spectrum = curvature(optimum.factor, loss)
    limit = stable_rate(spectrum.largest, rule)
    # One unit along every eigenvector: at 0.99 and 1.01 of the limit the steepest shrinks or grows by 2 % a step.
    away = spectrum.eigenvectors.sum(axis=1)[:, None]
    start = {"weights": optimum.weights + away[:2], "start_bias": float(optimum.bias[0] + away[2, 0])}
    begin = optimum.excess(start["weights"], [start["start_bias"]])
    below = state_after(400, X, y, loss=loss, lr=0.99 * limit, **start, **options(rule))
    above = state_after(400, X, y, loss=loss, lr=1.01 * limit, **start, **options(rule))
    assert optimum.excess(*below) < 1e-4 * begin
    assert optimum.excess(*above) > 1e3 * begin


def test_limits_that_do_not_exist_are_infinite():
    assert stable_rate(0.0, SgdRule()) == batch_safe_rate(0.0, SgdRule()) == math.inf
    # Full dampening: only the first gradient ever moves anything, so nothing grows (and nothing converges).
    X, y = table()
    rule = SgdRule(momentum=0.5, dampening=1.0)
    assert stable_rate(4.0, rule) == math.inf
    late = [state_after(steps, X, y, lr=100.0, **options(rule)) for steps in (200, 300)]
    np.testing.assert_allclose(late[0][0], late[1][0], rtol=1e-12)


@pytest.mark.parametrize("rule", [m for m in MOTIONS.values() if not m.weight_decay], ids=lambda m: str(m.momentum))
def test_no_order_of_batches_breaks_the_batch_safe_rate(rule):
    # Noise-free rows, so that every batch agrees on the optimum and only instability could move away from it.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 2)) * rng.lognormal(sigma=1.0, size=(12, 1))
    y = X @ [[2.0], [-3.4]] + 4.2
    factor = factorise(X, y, bias=True)
    limit = batch_safe_rate(any_batch(factor, X, loss="mse", batch_size=1).largest, rule)
    optimum = least_squares(X, y, bias=True)
    for batches in (iter(lambda: [int(rng.integers(12))], None), iter(lambda: [0], None)):
        weights, bias = state_after(400, X, y, lr=0.99 * limit, batches=batches, **options(rule))
        assert optimum.excess(weights, bias) < optimum.excess(np.zeros((2, 1)), [0.0])


def test_the_plain_batch_safe_rate_is_sharp_for_the_worst_batch():
    X, y = table()
    worst = int(np.argmax((X**2).sum(1)))
    L = any_batch(factorise(X, y, bias=True), X, loss="mse", batch_size=1).largest
    for times, grows in ((0.99, False), (1.01, True)):
        lr = times * batch_safe_rate(L, SgdRule())
        weights, bias = state_after(300, X, y, lr=lr, batches=iter(lambda: [worst], None))
        residual = abs(float(X[worst] @ weights[:, 0] + bias[0] - y[worst, 0]))
        assert (residual > abs(y[worst, 0])) == grows


def test_the_circle_criterion_by_looking_at_the_circle():
    z = np.exp(1j * np.linspace(1e-4, np.pi, 400_001))
    for b in (0.05, 0.3, 0.6, 0.9):
        plain, nesterov = z / ((z - 1) * (z - b)), ((1 + b) * z - b) / ((z - 1) * (z - b))
        assert batch_safe_rate(1.0, SgdRule(momentum=b)) == pytest.approx(-1 / plain.real.min(), rel=1e-4)
        safe = batch_safe_rate(1.0, SgdRule(momentum=b, nesterov=True))
        assert safe == pytest.approx(-1 / nesterov.real.min(), rel=1e-4)


def radius(lr, h, rule):
    """The slowest root of the recurrence of one direction, from its 2 x 2 matrix."""
    b, gain = rule.momentum, rule.gain
    if rule.nesterov and b:
        M = np.array([[1 - lr * h * (1 + b), -lr * b * b], [h, b]])
    else:
        M = np.array([[1 - lr * gain * h, -lr * b], [gain * h, b]])
    return float(np.abs(np.linalg.eigvals(M)).max())


@pytest.mark.parametrize("rule", MOTIONS.values(), ids=MOTIONS)
@pytest.mark.parametrize("condition", [1.0, 2.0, 30.0, 1e4])
def test_no_rate_on_a_fine_grid_beats_the_best_rate(rule, condition):
    largest, smallest = 3.0, 3.0 / condition
    chosen = best_rate(largest, smallest, rule, momentum=rule.momentum)
    low, high = smallest + rule.weight_decay, largest + rule.weight_decay

    def slowest(lr):
        return max(radius(lr, h, rule) for h in np.geomspace(low, high, 12))

    grid = min(slowest(lr) for lr in np.linspace(0.002, 0.9999, 500) * stable_rate(largest, rule))
    assert slowest(chosen.lr) <= grid + 2e-6
    assert chosen.momentum == rule.momentum


@given(st.floats(1.0, 1e12))
@settings(max_examples=40, deadline=None)
def test_the_optimal_heavy_ball(condition):
    chosen = best_rate(1.0, 1.0 / condition, SgdRule())
    root = math.sqrt(condition)
    # Both ends have a double root of absolute value sqrt(momentum) = (sqrt(k) - 1) / (sqrt(k) + 1).
    assert math.sqrt(chosen.momentum) == pytest.approx((root - 1) / (root + 1), abs=1e-12)
    assert chosen.lr < stable_rate(1.0, SgdRule(momentum=chosen.momentum))
    if condition < 1e5:
        for h in (1.0, 1.0 / condition):
            found = radius(chosen.lr, h, SgdRule(momentum=chosen.momentum))
            assert found == pytest.approx(math.sqrt(chosen.momentum), abs=1e-5 if condition < 1e4 else 1e-3)


def test_rates_that_the_contract_names():
    assert best_rate(3.0, 1.0, SgdRule(), momentum=0.0).lr == 0.5
    assert best_rate(3.0, 1.0, SgdRule(weight_decay=1.0), momentum=0.0).lr == pytest.approx(2 / 6)
    assert best_rate(0.0, 0.0, SgdRule(), momentum=0.0).lr > 0
    # A hopeless condition number must not round the rate up to the limit itself.
    assert best_rate(1.0, 1e-18, SgdRule(), momentum=0.0).lr < 2.0
    assert safe_batch_rate(4.0, SgdRule()).lr == 0.25


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_a_gradient_certifies_the_gap(weight_decay):
    X, y = table()
    optimum = least_squares(X, y, bias=True, weight_decay=weight_decay)
    spectrum = curvature(optimum.factor, "mse")
    rng = np.random.default_rng(0)
    for weights, bias in zip(rng.normal(size=(20, 2, 1)), rng.normal(size=(20, 1)), strict=True):
        e = X @ weights + bias - y
        g = np.vstack([2 / len(X) * X.T @ e + weight_decay * weights, 2 * e.mean(0) + weight_decay * bias])
        # Polyak-Łojasiewicz inequality; B. T. Polyak, Gradient methods for the minimisation of functionals, 1963.
        bound = float(np.sum(g**2)) / (2 * (spectrum.smallest + weight_decay))
        assert optimum.excess(weights, bias) <= bound * (1 + 1e-12)
    # Along the flattest direction the bound is the gap itself.
    v = spectrum.eigenvectors[:, -1:]
    g = (spectrum.smallest + weight_decay) * v
    gap = optimum.excess(optimum.weights + v[:2], optimum.bias + v[2])
    assert gap == pytest.approx(float(np.sum(g**2)) / (2 * (spectrum.smallest + weight_decay)), rel=1e-9)


@pytest.mark.parametrize("p", [2, 5, 20])
@pytest.mark.parametrize("rule", [SgdRule(), SgdRule(momentum=0.5), SgdRule(momentum=0.9), SgdRule(0.9, 0.0, True)])
@pytest.mark.parametrize("share", [0.99, 1.01])
def test_the_mean_square_limit_is_sharp_where_rows_are_alike(p, rule, share):
    """Rows sqrt(p) e_i, one at a time: coordinate i meets the curvature p with probability 1 / p and 0 otherwise.

    The expected outer product of (z, v) moves by the mean of the Kronecker squares of the two steps, exactly.
    """
    lr = share * mean_square_rate(p, 1.0, 1.0, 1, rule)
    moves = []
    for h in (p, 0.0):
        b, look = rule.momentum, rule.momentum if rule.nesterov else 0.0
        v = np.array([h, b])  # v' = h z + b v; z' = z - lr (v' or h z + b v')
        moves.append(np.array([[1, 0] - lr * ((look * v + [h, 0]) if rule.nesterov else v), v]))
    squares = [np.kron(M, M) for M in moves]
    radius = np.abs(np.linalg.eigvals(squares[0] / p + squares[1] * (1 - 1 / p))).max()
    assert (radius < 1) == (share < 1)


def test_auto_takes_the_heavy_ball_that_the_epochs_are_enough_for(linreg, config_file):
    """Two columns of a condition of 1e4: the optimal ball of momentum 0.96 grows for some hundred steps first."""
    config = config_file(
        "data: {source: synthetic, n_samples: 200, bias: 0, weights: {a: 1, b: 100}, noise_std: 0.1,\n"
        "       features: {a: {normal: [0, 1]}, b: {normal: [0, 0.01]}}}\n"
        "optimizer: {lr: auto, momentum: auto}\nplots: false\n"
        "train: {batch_size: full, dtype: float64}\n"
    )

    def run(epochs, *more):
        result = linreg("train", "-c", config, "--set", f"train.epochs={epochs}", "--json", *more).json
        if "error" in result:  # far above its start: the run has diverged
            assert result["error"]["kind"] == "diverged"
            return math.inf, None, None
        record = linreg("runs", "show", result["run"], "--json").json["record"]
        return result["metrics"]["optimum"]["gap"], record["lr"], record["momentum"]

    patient, lr, momentum = run(2000)
    assert patient < 1e-6
    assert "the optimal heavy ball" in momentum["why"]
    optimal = ("--set", f"optimizer.lr={lr['value']!r}", "--set", f"optimizer.momentum={momentum['value']!r}")
    for epochs in (5, 50):
        gap, _, chosen = run(epochs)
        plain, _, _ = run(epochs, "--set", "optimizer.momentum=0")
        assert gap < min(run(epochs, *optimal)[0] / 2, plain), epochs
        assert chosen["value"] < momentum["value"]
        foretold = float(chosen["why"].partition("a gap of ")[2].partition(";")[0])
        assert gap == pytest.approx(foretold, rel=6e-3)  # three digits are printed
