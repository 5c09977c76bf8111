"""What is special to the statistics executor: its precision, and what it cannot run."""

import functools
import math

import numpy as np
import pytest
import torch
from test_native import assert_equal, plan, start, table

from linreg_cli.model import parameters_of
from linreg_cli.optim.engines import moments, parts, statistics
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.rows import TrainRows


def exact_loss(X, y, state):
    """Mean of e^2 in extended precision, row by row."""
    parameters = {name: value.detach().numpy() for name, value in state.model.named_parameters()}
    e = np.asarray(X, np.longdouble) @ parameters["0.weight"].T.astype(np.longdouble) + parameters["0.bias"] - y.numpy()
    return float((e * e).mean())


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
@pytest.mark.parametrize("noise", [1.0, 1e-3, 1e-6])
def test_the_loss_survives_an_offset_and_a_good_fit(offset, noise):
    X, y = table(4000, 5)
    X += offset
    y = X.sum(1, keepdim=True) + noise * torch.randn(4000, 1, dtype=torch.float64, generator=torch.manual_seed(1))
    state = start(5)
    with torch.no_grad():
        state.model[0].weight.fill_(1.0)
        state.model[0].bias.fill_(0.0)
    value = StatisticsExecutor(TrainRows(X, y)).train_loss(plan(4000, 4000), state)
    # The sums 5e6 have an ulp of 1e-9, which is all that any float64 computation can know of a residual of 1e-6.
    ulp = 5 * (1 + offset) * 2.3e-16
    assert value == pytest.approx(exact_loss(X, y, state), rel=max(1e-9, 8 * ulp / noise))


def test_steps_at_an_offset_of_1e4_equal_those_of_float64_torch():
    X, y = table(300, 4)
    X += 1e4
    p = plan(300, 300, epochs=50, rate=1e-9, momentum=0.9)
    one, other = start(4), start(4)
    losses = StatisticsExecutor(TrainRows(X, y)).run(p, one, 0, 50)
    torch.testing.assert_close(losses, ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, 50), rtol=1e-9, atol=0)
    assert_equal(one, other, rtol=1e-9)


def test_an_ill_conditioned_table_is_followed_step_by_step():
    X, y = table(200, 6)
    left, _, right = torch.linalg.svd(X, full_matrices=False)
    X = left * torch.logspace(0, -7, 6, dtype=torch.float64) * 14 @ right  # condition number 1e7 by construction
    p = plan(200, 200, epochs=300, rate=0.3)
    one, other = start(6), start(6)
    losses = StatisticsExecutor(TrainRows(X, y)).run(p, one, 0, 300)
    torch.testing.assert_close(losses, ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, 300), rtol=1e-9, atol=0)
    assert_equal(one, other, rtol=1e-9)


def test_a_noise_free_table_falls_to_the_rounding_of_its_own_numbers():
    X, _ = table(100, 2)
    y = X @ torch.tensor([[2.0], [-3.4]], dtype=torch.float64) + 4.2
    p = plan(100, 100, epochs=2000, rate=0.3, fall=0.0)
    state = start(2)
    losses = StatisticsExecutor(TrainRows(X, y)).run(p, state, 0, 2000)
    assert 0 <= float(losses[-1]) < 1e-28
    assert float(losses.min()) >= 0


@pytest.mark.parametrize(("rows", "features", "targets"), [(1, 1, 1), (3, 9, 2), (40, 50, 1), (40, 8, 9)])
@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
@pytest.mark.parametrize("bias", [True, False])
def test_every_shape_equals_the_reference(rows, features, targets, loss, bias):
    X, y = table(rows, features, targets)
    p = plan(rows, rows, epochs=7, rate=1e-4, loss=loss, momentum=0.9, nesterov=True, weight_decay=0.1)
    one, other = start(features, targets, bias), start(features, targets, bias)
    StatisticsExecutor(TrainRows(X, y)).run(p, one, 0, 7)
    ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, 7)
    assert_equal(one, other, rtol=1e-9)


def test_parts_and_products_give_the_same_moments(monkeypatch):
    X, y = table(1000, 5, 2)
    X *= torch.linspace(0, 100, 1000, dtype=torch.float64)[:, None]  # parts whose means differ
    whole = StatisticsExecutor(TrainRows(X, y))._statistics(plan(len(X), len(X)))
    monkeypatch.setattr(parts, "PART_ELEMENTS", 500)
    split = StatisticsExecutor(TrainRows(X, y))._statistics(plan(len(X), len(X)))
    monkeypatch.setattr(moments, "WIDE", 1)
    products = StatisticsExecutor(TrainRows(X, y))._statistics(plan(len(X), len(X)))
    for one, other, third in zip(whole, split, products, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-9)
        np.testing.assert_allclose(one, third, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 8, 129, 1000])
@pytest.mark.parametrize(("features", "targets"), [(1, 1), (2, 1), (7, 3), (8, 1), (9, 2), (17, 1)])
def test_moments_are_those_of_extended_precision(rows, features, targets):
    X, y = table(rows, features, targets, torch.float32)
    S, q, rr, mx, my, v, n, d, _ = StatisticsExecutor(TrainRows(X * 3 + 100, y))._statistics(plan(len(X), len(X)))
    z = np.concatenate([(X * 3 + 100).numpy(), y.numpy()], axis=1).astype(np.longdouble)
    np.testing.assert_allclose(np.concatenate([mx[:d], my]), z.mean(0).astype(float), rtol=1e-13, atol=1e-13)
    z -= z.mean(0)
    S, v = S.reshape(d, -1)[:, :d], v.reshape(targets, -1)[:, :d]
    r = z[:, d:] - z[:, :d] @ v.T
    np.testing.assert_allclose(S, (z[:, :d].T @ z[:, :d]).astype(float), rtol=1e-11, atol=1e-11 * n)
    np.testing.assert_allclose(q.reshape(targets, -1)[:, :d], (r.T @ z[:, :d]).astype(float), rtol=0, atol=1e-11 * n)
    np.testing.assert_allclose(rr, (r * r).sum(0).astype(float), rtol=1e-11, atol=1e-20)


@pytest.mark.parametrize("size", [1e3, 1e8])
def test_a_sample_that_is_far_from_the_mean_costs_no_digits(size):
    """Every 64th row is an outlier, and those are the rows that are sampled of 4096."""
    X, y = table(4096, 3)
    X[::64] += size
    state = start(3)
    with torch.no_grad():
        state.model[0].weight.fill_(1 / size)
    value = StatisticsExecutor(TrainRows(X, y)).train_loss(plan(4096, 4096), state)
    assert value == pytest.approx(exact_loss(X, y, state), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divergence_is_found_at_the_step_of_the_reference(dtype):
    X, y = table(40, 5, dtype=dtype)
    p = plan(40, 40, rate=50.0, fall=0.0, epochs=400)
    one, other = start(5, dtype=dtype), start(5, dtype=dtype)
    expected = ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, 400)
    losses = StatisticsExecutor(TrainRows(X, y)).run(p, one, 0, 400)
    assert not math.isfinite(expected[-1])
    assert len(losses) == len(expected)
    assert one.step == other.step


def test_parameters_of_a_float32_model_are_float32_after_each_step():
    X, y = table(60, 3, dtype=torch.float32)
    p = plan(60, 60, epochs=30, momentum=0.5)
    one, other = start(3, dtype=torch.float32), start(3, dtype=torch.float32)
    executor = StatisticsExecutor(TrainRows(X, y))
    executor.run(p, one, 0, 30)
    for step in range(30):
        executor.run(p, other, step, step + 1)
    assert_equal(one, other, rtol=0)
    assert one.model[0].weight.dtype == one.momentum["0.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("batch", "loss", "reason"), [(7, "mse", "batch of 7"), (40, "mae", "mae"), (40, "huber", "huber")]
)
def test_what_moments_do_not_determine_is_refused(batch, loss, reason):
    X, y = table(40, 2)
    with pytest.raises(ValueError, match=reason):
        StatisticsExecutor(TrainRows(X, y)).run(plan(40, batch, loss=loss), start(2), 0, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("targets", "bias"), [(1, True), (3, True), (2, False)])
def test_a_trail_has_the_bits_of_single_steps_and_their_losses(dtype, targets, bias):
    X, y = table(50, 11, targets, dtype)
    p = plan(50, 50, epochs=9, rate=0.02, fall=0.9, momentum=0.9, weight_decay=0.1, nesterov=True)
    executor, one, other = (
        StatisticsExecutor(TrainRows(X, y)),
        start(11, targets, bias, dtype),
        start(11, targets, bias, dtype),
    )
    executor.run(p, one, 0, 2)  # so that there are buffers
    executor.run(p, other, 0, 2)
    trail = executor.run_epochs(p, other, 2, 9)
    assert other.step == 2, "the state waits until it is told to follow"
    assert trail.refused is None
    for i, step in enumerate(range(2, 9)):
        executor.run(p, one, step, step + 1)
        assert trail.losses[i] == executor.train_loss(p, one)
        weights, offset = parameters_of(one.model)
        assert np.array_equal(trail.weights[i], weights)
        assert (trail.bias is None) is (offset is None) is (not bias)
        assert offset is None or np.array_equal(trail.bias[i], offset)
    for i in (6, 0, 3):  # in any order
        other.follow(3 + i, functools.partial(trail.recall, i))
        apart = start(11, targets, bias, dtype)
        executor.run(p, apart, 0, 3 + i)
        assert_equal(other, apart, rtol=0)


def test_a_trail_ends_before_the_update_with_a_loss_that_is_not_finite():
    X, y = table(50, 3)
    p = plan(50, 50, epochs=5000, rate=100.0, fall=0.0)
    executor, state = StatisticsExecutor(TrainRows(X, y)), start(3)
    losses = executor.run(p, start(3), 0, 5000)
    trail = executor.run_epochs(p, state, 0, 1000)
    assert 1 < len(losses) < 1000, "the rate is one that diverges"
    assert trail.refused == losses[-1]
    assert len(trail.losses) == len(trail.weights) == len(losses) - 1
    assert trail.losses[:-1] == losses[1:-1].tolist()


def test_a_trail_is_bounded_in_memory(monkeypatch):
    X, y = table(30, 20)
    monkeypatch.setattr(statistics, "TRAIL_BYTES", 2 * (24 + 8) * 8 * 5)  # weights and bias, padded to eights, twice
    p = plan(30, 30, epochs=100, rate=0.01)
    assert len(StatisticsExecutor(TrainRows(X, y)).run_epochs(p, start(20), 0, 100).losses) == 5
    monkeypatch.setattr(statistics, "TRAIL_BYTES", 1)
    assert len(StatisticsExecutor(TrainRows(X, y)).run_epochs(p, start(20), 0, 100).losses) == 1
