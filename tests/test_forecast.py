"""The forecast against torch.optim.SGD itself."""

import math
import time
from dataclasses import replace
from itertools import count, product

import numpy as np
import pytest
from descent import descend

from linreg_cli.convergence.batch_curvature import any_batch, mean_square_curvature
from linreg_cli.convergence.forecast import forecast
from linreg_cli.convergence.gradient_noise import batch_noise
from linreg_cli.convergence.rate_search import BatchProblem, best_batch_rate, cosine, fewest_epochs, fewest_falling
from linreg_cli.convergence.rates import SgdRule, best_rate, mean_square_rate, stable_rate
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.least_squares.solve import least_squares

TARGETS = (1e-1, 1e-3, 1e-6)


def table(n=60, k=1, noise=0.3, condition=5.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) * np.geomspace(1, condition**0.5, 3) + [0.5, 0.0, 1.0]
    return X, X @ rng.normal(size=(3, k)) + 2.0 + noise * rng.normal(size=(n, k))


def problem(X, y, loss="mse", weight_decay=0.0):
    optimum = least_squares(X, y, bias=True, loss=loss, weight_decay=weight_decay)
    spectrum = curvature(optimum.factor, loss)
    k = y.shape[1]
    return optimum, spectrum, spectrum.distances(optimum, np.zeros((X.shape[1], k)), np.zeros(k))


def simulated(optimum, states, targets=TARGETS, most=5000):
    """The first step at which the gap is at or below each target."""
    found = {}
    for step, (weights, bias) in zip(range(most), states, strict=False):
        gap = optimum.excess(weights, bias) / optimum.relative_to
        found.update({target: step for target in targets if target not in found and gap <= target})
        if len(found) == len(targets):
            break
    return found


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        ("mse", SgdRule()),
        ("sse", SgdRule()),
        ("mse", SgdRule(momentum=0.7)),
        ("mse", SgdRule(momentum=0.5, dampening=0.4)),
        ("half_mse", SgdRule(momentum=0.6, nesterov=True)),
        ("mse", SgdRule(weight_decay=0.2)),
        ("half_mse", SgdRule(momentum=0.7, weight_decay=0.1)),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_full_batch_epochs_are_exact(loss, rule, share):
    X, y = table(k=2)
    optimum, spectrum, start = problem(X, y, loss, rule.weight_decay)
    lr = share * stable_rate(spectrum.largest, rule)
    foretold = forecast(spectrum, start, rate=lr, rule=rule, relative_to=optimum.relative_to, targets=TARGETS)
    expected = simulated(optimum, descend(X, y, lr=lr, loss=loss, **rule.__dict__))
    assert foretold.epochs == expected
    assert foretold.floor_gap == 0


@pytest.mark.parametrize("rule", [SgdRule(), SgdRule(momentum=0.5)])
def test_schedules_are_exact(rule):
    X, y = table()
    optimum, spectrum, start = problem(X, y)
    high = 0.5 * stable_rate(spectrum.largest, rule)

    def rate(epoch):
        return high * 0.9 ** (epoch // 10)

    told = forecast(spectrum, start, rate=rate, rule=rule, relative_to=optimum.relative_to, max_epochs=2000)
    expected = simulated(optimum, descend(X, y, lr=rate, **rule.__dict__), targets=(1e-3, 1e-6), most=2001)
    assert {target: epoch for target, epoch in told.epochs.items() if epoch is not None} == expected
    assert 1e-3 in expected
    # A rate that falls too fast never arrives.
    told = forecast(spectrum, start, rate=lambda e: high * 0.5**e, rule=rule, relative_to=optimum.relative_to)
    assert told.epochs == {1e-3: None, 1e-6: None}
    assert "of the schedule the gap is" in told.reasons[1e-6].why
    told = forecast(spectrum, start, rate=lambda e: 9 * high, rule=rule, relative_to=optimum.relative_to)
    assert told.reasons[1e-6].why == "it diverges"


def test_the_starting_point_matters():
    # From a start that differs only along the steepest direction the flat ones do not slow anything.
    spectrum = Spectrum(np.array([1.0, 1e-5]), np.eye(2), 2, 1, True)
    along = forecast(spectrum, np.array([[1.0], [0.0]]), rate=0.5, rule=SgdRule(), relative_to=0.5)
    across = forecast(spectrum, np.array([[1.0], [1e5**0.5]]), rate=0.5, rule=SgdRule(), relative_to=0.5)
    assert along.epochs == {1e-3: 5, 1e-6: 10}  # 4^-5 < 1e-3, 4^-10 < 1e-6
    # (1 - 5e-6)^(2 t) = 1e-3 and 1e-6
    for target in (1e-3, 1e-6):
        assert across.epochs[target] == pytest.approx(math.log(target) / 2 / math.log1p(-5e-6), rel=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ten_million_epochs_are_instant(momentum):
    spectrum = Spectrum(np.geomspace(1, 1e-9, 10), np.eye(10), 10, 1, True)
    begun = time.process_time()
    told = forecast(spectrum, np.ones((10, 1)), rate=1.0, rule=SgdRule(momentum=momentum), relative_to=1e-9)
    assert time.process_time() - begun < 5
    assert told.epochs[1e-6] is None
    assert told.reasons[1e-6].why == "it takes more than 10,000,000 epochs"


def test_reasons_are_given():
    unit = Spectrum(np.array([2.0]), np.eye(1), 1, 1, False)
    told = forecast(unit, np.array([[1.0]]), rate=1.5, rule=SgdRule(), relative_to=1.0)
    assert told.epochs == {1e-3: None, 1e-6: None}
    assert told.reasons[1e-3].why == "it diverges: 1.5 is 1.5 times the limit 1"
    told = forecast(unit, np.array([[1.0]]), rate=0.1, rule=SgdRule(), relative_to=0.0)
    assert "constant" in told.reasons[1e-3].why
    told = forecast(unit, np.array([[1.0]]), rate=0.1, rule=SgdRule(momentum=0.5, dampening=1.0), relative_to=1.0)
    assert "dampening" in told.reasons[1e-3].why
    assert forecast(unit, np.array([[0.0]]), rate=0.1, rule=SgdRule(), relative_to=1.0).epochs[1e-6] == 0


@pytest.mark.parametrize("momentum", [None, 0.0])
def test_the_best_rate_arrives_when_foretold(momentum):
    X, y = table(condition=100.0)
    optimum, spectrum, start = problem(X, y)
    chosen = best_rate(spectrum.largest, spectrum.smallest, SgdRule(), momentum=momentum)
    rule = SgdRule(momentum=chosen.momentum)
    told = forecast(spectrum, start, rate=chosen.lr, rule=rule, relative_to=optimum.relative_to)
    states = descend(X, y, lr=chosen.lr, momentum=chosen.momentum)
    assert told.epochs == simulated(optimum, states, targets=(1e-3, 1e-6))


def batches_of(n, size, seed):
    rng = np.random.default_rng(seed)
    for _ in count():
        order = rng.permutation(n)
        yield from (order[i : i + size] for i in range(0, n, size))


@pytest.mark.parametrize(("momentum", "loss"), [(0.0, "mse"), (0.0, "sse"), (0.6, "mse")])
def test_the_noise_floor_of_mini_batches(momentum, loss):
    X, y = table(n=40, condition=2.0)
    size, steps = 8, 5
    optimum, spectrum, _ = problem(X, y, loss)
    scale = size / 40 if loss == "sse" else 1.0
    rule = SgdRule(momentum=momentum)
    spectrum = spectrum.scaled(scale)
    lr = 0.04 * stable_rate(spectrum.largest, rule)
    told = forecast(
        spectrum, spectrum.distances(optimum, optimum.weights, optimum.bias), rate=lr, rule=rule,
        relative_to=optimum.relative_to * scale,
        noise=batch_noise(spectrum, optimum, X, y, loss=loss, batch_size=size),
    )  # fmt: skip
    states = descend(
        X, y, lr=lr, momentum=momentum, loss=loss, weights=optimum.weights, start_bias=float(optimum.bias[0]),
        batches=batches_of(40, size, 1),
    )  # fmt: skip
    gaps = [optimum.gap(*state)[0] for step, state in zip(range(3000), states, strict=False) if step % steps == 0]
    # A time average over 600 epochs, of which the first third settles: within 30 % or so of the expectation.
    assert told.floor_gap == pytest.approx(float(np.mean(gaps[200:])), rel=0.35)


@pytest.mark.parametrize(
    ("size", "loss", "momentum"), [(7, "mse", 0.6), (12, "half_mse", 0.0), (16, "sse", 0.6), (39, "mse", 0.0)]
)
def test_a_smaller_last_batch_adds_its_own_noise(size, loss, momentum):
    """Of 40 rows the last batch has 5, 4, 8 and 1, and the mean of one row is 39 times as noisy as that of 39."""
    X, y = table(n=40, condition=2.0)
    optimum, spectrum, _ = problem(X, y, loss)
    scale, steps = size / 40 if loss == "sse" else 1.0, math.ceil(40 / size)
    spectrum, rule = spectrum.scaled(scale), SgdRule(momentum=momentum)
    lr = 0.02 * stable_rate(spectrum.largest, rule)
    told = forecast(
        spectrum, spectrum.distances(optimum, optimum.weights, optimum.bias), rate=lr, rule=rule,
        relative_to=optimum.relative_to * scale,
        noise=batch_noise(spectrum, optimum, X, y, loss=loss, batch_size=size),
    )  # fmt: skip
    states = descend(
        X, y, lr=lr, momentum=momentum, loss=loss, weights=optimum.weights, start_bias=float(optimum.bias[0]),
        batches=batches_of(40, size, 1),
    )  # fmt: skip
    # 4,500 steps, of which the first fifth settles.
    gaps = [optimum.gap(*state)[0] for step, state in zip(range(4500), states, strict=False) if not step % steps]
    assert told.floor_gap == pytest.approx(float(np.mean(gaps[len(gaps) // 5 :])), rel=0.35)


def test_half_of_the_rows_have_the_variance_of_a_draw_without_replacement():
    X, y = table(n=40, condition=2.0)
    optimum, spectrum, start = problem(X, y)
    noise = batch_noise(spectrum, optimum, X, y, loss="mse", batch_size=20)
    rows = np.random.default_rng(0).normal(size=40)
    means = [np.random.default_rng(k).permutation(rows)[:20].mean() for k in range(20_000)]
    assert noise.gain == pytest.approx(np.var(means) / np.var(rows), rel=0.03)
    spread = mean_square_curvature(optimum.factor, X, loss="mse", batch_size=20)
    lr = 0.9 * mean_square_rate(spread, spectrum.largest, spectrum.smallest, 20, SgdRule())
    told = forecast(spectrum, start, noise=noise, rate=lr, rule=SgdRule(), relative_to=optimum.relative_to)
    states = descend(X, y, lr=lr, momentum=0.0, batches=batches_of(40, 20, 0))
    gaps = [optimum.gap(*state)[0] for step, state in zip(range(8000), states, strict=False) if step > 100]
    assert np.mean(gaps[1::2]) / 2 <= told.floor_gap <= 2 * np.mean(gaps[1::2])


# Each pair of values once; the slow suite has the other four.
@pytest.mark.parametrize(
    ("share", "momentum", "size"),
    [
        pytest.param(*values, marks=[] if number in (0, 3, 5, 6) else pytest.mark.slow)
        for number, values in enumerate(product((0.1, 0.5), (0.0, 0.8), (1, 5)))
    ],
)
def test_the_noise_away_from_the_optimum_is_counted(share, momentum, size):
    """At half the mean-square limit it makes the floor about twice as high; a fixed noise would be far too low."""
    X, y = table(n=60, condition=2.0)
    optimum, spectrum, start = problem(X, y)
    rule, noise = SgdRule(momentum=momentum), batch_noise(spectrum, optimum, X, y, loss="mse", batch_size=size)
    spread = mean_square_curvature(optimum.factor, X, loss="mse", batch_size=size)
    lr = share * mean_square_rate(spread, spectrum.largest, spectrum.smallest, size, rule)
    given = {"rate": lr, "rule": rule, "relative_to": optimum.relative_to, "targets": (1e-12,)}
    told = forecast(spectrum, start, noise=noise, **given)
    steps = 60 // size
    states = descend(X, y, lr=lr, momentum=momentum, batches=batches_of(60, size, 0))
    gaps = [optimum.gap(*state)[0] for step, state in zip(range(150 * steps), states, strict=False)
            if step > 30 * steps and not step % steps]  # fmt: skip
    assert np.mean(gaps) / 2 <= told.floor_gap <= 2 * np.mean(gaps)
    fixed = forecast(spectrum, start, noise=replace(noise, coupling=None), **given)
    assert fixed.floor_gap < told.floor_gap


def test_batch_noise_is_the_variance_over_all_batches():
    from itertools import combinations

    X, y = table(n=7, k=2)
    for loss, per_row, whole in (("mse", 1.0, 1 / 3), ("half_mse", 0.5, 1 / 3), ("sse", 2, 1)):
        optimum, spectrum, _ = problem(X, y, loss)
        A = np.column_stack([X, np.ones(7)])
        e = A @ np.vstack([optimum.weights, optimum.bias]) - y
        each = [
            spectrum.eigenvectors.T @ (per_row * whole * A[list(r)].T @ e[list(r)]) for r in combinations(range(7), 3)
        ]
        # 3 of 7 rows without replacement: (7 - 3) / (7 - 1) of the variance of 3 independent ones.
        found = batch_noise(spectrum, optimum, X, y, loss=loss, batch_size=3).variances * 3 * whole**2 * 4 / 6
        np.testing.assert_allclose(found, np.var(each, axis=0), rtol=1e-9)


def test_mini_batches_arrive_within_a_factor_of_two():
    X, y = table(n=200, noise=0.05, condition=4.0)
    optimum, spectrum, start = problem(X, y)
    size, lr = 10, 0.03
    noise = batch_noise(spectrum, optimum, X, y, loss="mse", batch_size=size)
    told = forecast(
        spectrum, start, rate=lr, rule=SgdRule(), relative_to=optimum.relative_to, targets=(1.0, 1e-1), noise=noise
    )
    states = descend(X, y, lr=lr, batches=batches_of(200, size, 0))
    epochs = {target: step / 20 for target, step in simulated(optimum, states, targets=(1.0, 1e-1)).items()}
    for target, found in epochs.items():
        assert found / 2 <= told.epochs[target] <= 2 * found + 1
    unreachable = forecast(
        spectrum, start, rate=lr, rule=SgdRule(), relative_to=optimum.relative_to, targets=(1e-9,), noise=noise
    )
    assert unreachable.reasons[1e-9].why.startswith("the noise of the batches keeps the gap near")


def test_the_batch_rate_weighs_speed_against_noise():
    X, y = table(n=200)
    optimum, spectrum, start = problem(X, y)
    noise = batch_noise(spectrum, optimum, X, y, loss="mse", batch_size=10)
    worst = any_batch(optimum.factor, X, loss="mse", batch_size=10).largest
    weighed = BatchProblem(spectrum, start, worst, SgdRule(), noise, optimum.relative_to)
    chosen = [best_batch_rate(weighed, epochs).lr for epochs in (1, 30, 1000)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] > 3 * chosen[-1]
    quiet = replace(weighed, noise=replace(noise, variances=0 * noise.variances))
    assert best_batch_rate(quiet, 30).lr == weighed.highest.lr == 1 / worst
    # A rate that falls anyway may begin higher than one that stays.
    falling = best_batch_rate(weighed, 30, lambda lr: lambda epoch: lr * cosine(epoch, 30))
    assert falling.lr > best_batch_rate(weighed, 30).lr


@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 8])
def test_the_fewest_epochs_are_enough(size):
    X, y = table(n=64, noise=0.2, condition=3.0)
    optimum, spectrum, start = problem(X, y)
    noise = batch_noise(spectrum, optimum, X, y, loss="mse", batch_size=size)
    worst = any_batch(optimum.factor, X, loss="mse", batch_size=size).largest
    weighed = BatchProblem(spectrum, start, worst, SgdRule(), noise, optimum.relative_to)
    epochs, falling = fewest_epochs(weighed, 1e-4), fewest_falling(weighed, cosine, 1e-4, 2000)
    steps = 64 // size
    lr, highest = best_batch_rate(weighed, epochs).lr, weighed.highest.lr
    ways = [(epochs, lr), (falling, lambda step: highest * cosine(step // steps, falling))]
    for length, rate in ways:
        ends = []
        for seed in range(3):
            states = descend(X, y, lr=rate, batches=batches_of(64, size, seed))
            *_, last = (state for _, state in zip(range(length * steps + 1), states, strict=False))
            ends.append(optimum.gap(*last)[0])
        assert np.mean(ends) < 2e-4
    assert fewest_epochs(weighed, 1e-4) > fewest_epochs(weighed, 1e-2)
    assert fewest_falling(weighed, cosine, 1e-4, falling - 1) is None
