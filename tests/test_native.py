"""What is special to the native executor; parity step by step is in test_executor_parity.py."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg_cli.model import build_model
from linreg_cli.optim.engines import native, parameters, parts, statistics, windows
from linreg_cli.optim.engines.native import NativeExecutor
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan, not_from_moments
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState


def table(rows, features, targets=1, dtype=torch.float64, seed=0):
    stream = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, features, generator=stream, dtype=torch.float64)
    y = X.sum(1, keepdim=True) + torch.randn(rows, targets, generator=stream, dtype=torch.float64)
    return X.to(dtype), y.to(dtype)


def weights(rows, dtype=torch.float64, seed=0):
    """Weights of the rows, of which some are close to 0 and none is a power of two."""
    return (0.01 + torch.rand(rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2).to(dtype)


def start(features, targets=1, bias=True, dtype=torch.float64):
    model = build_model(features, targets, bias=bias, dtype=dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.linspace(-0.5, 0.5, parameter.numel(), dtype=torch.float64).view(parameter.shape))
    return TrainingState(model)


def plan(rows, batch, *, epochs=2, shuffle=True, loss="mse", rate=0.01, fall=1.0, **rule):
    return StepPlan(rows, batch, epochs, shuffle, 3, Loss(loss, 0.7), lambda epoch: rate / (1 + fall * epoch), **rule)


def assert_equal(state, other, rtol=1e-10):
    assert state.step == other.step
    for name, value in other.model.named_parameters():
        torch.testing.assert_close(dict(state.model.named_parameters())[name], value, rtol=rtol, atol=rtol)
    assert state.momentum.keys() == other.momentum.keys()
    for name, value in other.momentum.items():
        torch.testing.assert_close(state.momentum[name], value, rtol=rtol, atol=rtol)


# Vectors hold 8 numbers: one below, at and above their multiples, for rows and for columns.
@pytest.mark.parametrize("features", [1, 7, 8, 9, 31, 32, 33, 41])
@pytest.mark.parametrize("batch", [1, 7, 8, 9, 17])
def test_every_remainder_of_rows_and_columns(features, batch):
    X, y = table(2 * 17 + 3, features)
    p = plan(len(X), batch, rate=0.002, momentum=0.5)
    one, other = start(features), start(features)
    losses = NativeExecutor(TrainRows(X, y)).run(p, one, 0, p.total_steps)
    torch.testing.assert_close(losses, ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, p.total_steps))
    assert_equal(one, other)


# Tiles hold 64 rows: batches of less, of one, of one and some, of several, with each way of reading rows.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("features", [1, 3, 8, 9, 13, 33, 40, 70])
@pytest.mark.parametrize(("batch", "targets"), [(32, 1), (64, 1), (100, 3), (200, 1), (333, 3)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_tiles_of_every_width(dtype, features, batch, targets, shuffle):
    X, y = table(333, features, targets)
    X, y = X.float(), y.float()  # numbers that both types hold
    p = plan(333, batch, shuffle=shuffle, rate=0.001, loss="huber" if features % 2 else "mse")
    one, other = start(features, targets, dtype=dtype), start(features, targets)
    losses = NativeExecutor(TrainRows(X.to(dtype), y.to(dtype))).run(p, one, 0, p.total_steps)
    exact = ReferenceExecutor(TrainRows(X.double(), y.double())).run(p, other, 0, p.total_steps)
    # A sum of `features` products and one of at most 16 rows in a chain round to about that many times eps; the
    # update adds a rounding of its own a step. Numbers are below 10.
    bound = (features + 16 + p.total_steps) * 10 * torch.finfo(dtype).eps
    torch.testing.assert_close(losses, exact, rtol=bound, atol=0)
    for value, expected in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("features", [1, 8, 9, 41])
@pytest.mark.parametrize(("batch", "targets"), [(1, 1), (7, 2), (17, 1), (100, 3), (333, 1)])
def test_weights_of_rows_in_every_tile_and_remainder(features, batch, targets):
    rows, p = TrainRows(*table(333, features, targets), weights(333)), plan(333, batch, loss="huber", rate=0.001)
    one, other = start(features, targets), start(features, targets)
    executor, reference = NativeExecutor(rows), ReferenceExecutor(rows)
    losses = executor.run(p, one, 0, p.total_steps)
    torch.testing.assert_close(losses, reference.run(p, other, 0, p.total_steps), rtol=1e-10, atol=1e-12)
    assert_equal(one, other)
    assert executor.train_loss(p, one) == pytest.approx(reference.train_loss(p, one), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_plans_with_hand_overs_equal_the_reference(data):
    rows, features = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 12))
    targets, bias = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    momentum = data.draw(st.sampled_from([0.0, 0.5, 0.9]))
    nesterov = momentum > 0 and data.draw(st.booleans())
    p = plan(
        rows,
        data.draw(st.one_of(st.just(rows), st.integers(1, rows))),
        shuffle=data.draw(st.booleans()),
        loss=data.draw(st.sampled_from(list(native.LOSS_CODES))),
        epochs=data.draw(st.integers(1, 4)),
        rate=0.0005,
        momentum=momentum,
        dampening=0.0 if nesterov else data.draw(st.sampled_from([0.0, 0.4])),
        weight_decay=data.draw(st.sampled_from([0.0, 0.1])),
        nesterov=nesterov,
    )
    X, y = table(rows, features, targets, seed=data.draw(st.integers(0, 99)))
    given_rows = TrainRows(X, y, data.draw(st.sampled_from([None, weights(rows)])))
    executors = [ReferenceExecutor(given_rows), NativeExecutor(given_rows)]
    if not_from_moments(p) is None:
        executors.append(StatisticsExecutor(given_rows))
    one, other = start(features, targets, bias), start(features, targets, bias)
    expected = executors[0].run(p, other, 0, p.total_steps)
    losses = []
    while one.step < p.total_steps:
        stop = data.draw(st.integers(one.step + 1, p.total_steps))
        losses.append(data.draw(st.sampled_from(executors)).run(p, one, one.step, stop))
    torch.testing.assert_close(torch.cat(losses), expected, rtol=1e-8, atol=1e-12)
    assert_equal(one, other, rtol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 3, 16, 40])
@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse"])
def test_divergence_is_found_at_the_step_of_the_reference(dtype, batch, loss):
    X, y = table(40, 5, dtype=dtype)
    p = plan(40, batch, rate=50.0, fall=0.0, epochs=400, loss=loss)
    one, other = start(5, dtype=dtype), start(5, dtype=dtype)
    expected = ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, p.total_steps)
    losses = NativeExecutor(TrainRows(X, y)).run(p, one, 0, p.total_steps)
    assert not math.isfinite(expected[-1])
    assert len(losses) == len(expected)
    assert not math.isfinite(losses[-1])
    assert one.step == other.step
    assert all(bool(value.isfinite().all()) for value in one.model.parameters())


@pytest.mark.parametrize("loss", list(native.LOSS_CODES))
@pytest.mark.parametrize(("row", "batch"), [(0, 1), (2, 8), (39, 7), (5, 40)])
def test_a_nan_in_the_data_stops_every_loss(loss, row, batch):
    X, y = table(40, 3)
    X[row, 1] = math.nan
    p = plan(40, batch, shuffle=False, loss=loss)
    one, other = start(3), start(3)
    losses = NativeExecutor(TrainRows(X, y)).run(p, one, 0, p.total_steps)
    assert len(losses) == len(ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, p.total_steps)) == row // batch + 1
    assert math.isnan(losses[-1])
    assert_equal(one, other)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weight_n", [None, weights(500, torch.float32)], ids=["alike", "weighted"])
def test_the_number_of_threads_changes_no_bit(monkeypatch, threads, weight_n):
    rows = TrainRows(*table(500, 6, 2, torch.float32), weight_n)
    p = plan(500, 500, epochs=5, loss="huber", momentum=0.9)
    monkeypatch.setattr(parts, "PART_ELEMENTS", 300)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3 - threads)
    one, other = start(6, 2, dtype=torch.float32), start(6, 2, dtype=torch.float32)
    executor = NativeExecutor(rows)
    executor.run(p, one, 0, 5)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    executor.run(p, other, 0, 5)
    assert_equal(one, other, rtol=0)
    monkeypatch.undo()
    reference = start(6, 2, dtype=torch.float32)
    ReferenceExecutor(rows).run(p, reference, 0, 5)
    assert_equal(one, reference, rtol=1e-5)


def test_orders_drawn_ahead_are_the_orders_of_the_plan(monkeypatch):
    monkeypatch.setattr(windows, "DRAW_AHEAD_ROWS", 1)
    X, y = table(50, 2)
    p = plan(50, 4, epochs=6)
    one, other = start(2), start(2)
    executor = NativeExecutor(TrainRows(X, y))
    for stop in (5, 13, 14, 40, p.total_steps):  # within an epoch, at its end, over several
        executor.run(p, one, one.step, stop)
    ReferenceExecutor(TrainRows(X, y)).run(p, other, 0, p.total_steps)
    assert_equal(one, other)


@pytest.mark.parametrize("batch", [1, 7])
def test_orders_too_long_for_int32_give_the_same_bits(monkeypatch, batch):
    X, y = table(50, 2)
    p = plan(50, batch, epochs=3)
    one, other = start(2), start(2)
    NativeExecutor(TrainRows(X, y)).run(p, one, 0, p.total_steps)
    monkeypatch.setattr(native, "WIDE_ROWS", 50)
    wide = NativeExecutor(TrainRows(X, y))
    wide.run(p, other, 0, p.total_steps)
    assert wide._windows.of(p, 2 * p.steps_per_epoch).order.dtype == torch.int64
    assert_equal(one, other, rtol=0)


def test_kernels_stay_within_the_room_that_they_are_given(monkeypatch):
    """What lies around each array that they work in is as it was."""
    edges = []

    def guarded(make):
        def within(shape, dtype=np.float64):
            size, dtype = int(np.prod(shape)), np.dtype(dtype)
            whole = np.full(size + 32, 77, dtype)
            edges.append((whole, size))
            part = whole[16 : 16 + size].reshape(shape)
            part[...] = make(shape, dtype)
            return part

        return within

    for module in (native, statistics, parameters):
        monkeypatch.setattr(module, "np", _Numpy(empty=guarded(np.empty), zeros=guarded(np.zeros)))
    for features, targets, batch in ((1, 1, 1), (3, 2, 7), (41, 3, 7), (41, 3, 150), (9, 9, 150)):
        X, y = table(150, features, targets)
        for executor in (NativeExecutor, StatisticsExecutor)[: 1 + (batch == 150)]:
            p, state = plan(150, batch, rate=1e-4, momentum=0.5), start(features, targets)
            executor(TrainRows(X, y)).run(p, state, 0, p.total_steps)
            executor(TrainRows(X, y)).train_loss(p, state)
    assert len(edges) > 100
    for whole, size in edges:
        assert (whole[:16] == 77).all()
        assert (whole[16 + size :] == 77).all()


class _Numpy:
    """numpy, but for some functions."""

    def __init__(self, **functions):
        self.__dict__.update(functions)

    def __getattr__(self, name):
        return getattr(np, name)


def test_a_large_float32_batch_is_summed_up_as_well_as_in_torch():
    X, y = table(200_000, 4, dtype=torch.float32)
    p = plan(len(X), len(X), epochs=3, rate=0.1)
    state, exact = start(4, dtype=torch.float32), start(4)
    losses = NativeExecutor(TrainRows(X, y)).run(p, state, 0, 3)
    expected = ReferenceExecutor(TrainRows(X.double(), y.double())).run(p, exact, 0, 3)
    torch.testing.assert_close(losses, expected, rtol=3e-7, atol=0)
    for one, other in zip(state.model.parameters(), exact.model.parameters(), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("loss", list(native.LOSS_CODES))
def test_train_loss_is_that_of_the_reference(loss):
    X, y = table(333, 5, 2)
    p, state = plan(333, 10, loss=loss), start(5, 2)
    value = NativeExecutor(TrainRows(X, y)).train_loss(p, state)
    assert value == pytest.approx(ReferenceExecutor(TrainRows(X, y)).train_loss(p, state), rel=1e-13)


def test_data_that_is_not_row_major_is_read_right():
    X, y = table(6, 30)
    one, other = start(3), start(3)
    turned = X.T.contiguous().T[:, ::10]
    p = plan(6, 2)
    NativeExecutor(TrainRows(turned, y)).run(p, one, 0, p.total_steps)
    ReferenceExecutor(TrainRows(turned, y)).run(p, other, 0, p.total_steps)
    assert_equal(one, other)
    assert np.isfinite(NativeExecutor(TrainRows(turned, y)).train_loss(p, one))


FORK = """
import os, signal
import torch
from linreg_cli.model import build_model
from linreg_cli.optim.engines import native, parts, windows
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

torch.set_num_threads(2)
ROWS = windows.DRAW_AHEAD_ROWS + 1
parts.PART_ELEMENTS = 2000
stream = torch.Generator().manual_seed(0)
X, y = torch.randn(ROWS, 2, generator=stream), torch.randn(ROWS, 1, generator=stream)
plan = StepPlan(ROWS, 64, 6, True, 3, Loss("mse"), lambda epoch: 0.01)
executor = native.NativeExecutor(TrainRows(X, y))

def numbers():
    sums = parts.over_parts(lambda first, last: float(X[first:last].numpy().sum()), ROWS, 2)
    return sum(sums)

def trained(state, stop):
    losses = executor.run(plan, state, state.step, stop)
    return float(losses[-1]), executor.train_loss(plan, state), state.model[0].weight.tolist()

def fresh():
    model = build_model(2, 1, bias=True, dtype=torch.float32)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return TrainingState(model)

expected = numbers(), trained(fresh(), plan.total_steps)
half = fresh()
trained(half, plan.total_steps // 2)  # the next order is drawn by a thread, or waits for its turn
child = os.fork()
if child == 0:
    signal.alarm(60)  # the end of one that waits for threads that are not there
    code = 1
    try:
        half_way = trained(half, plan.total_steps)
        whole = trained(fresh(), plan.total_steps)
        code = 0 if (numbers(), whole) == expected and half_way == whole else 3
    finally:
        os._exit(code)
_, status = os.waitpid(child, 0)
assert trained(half, plan.total_steps) == expected[1]
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_trains_to_the_same_numbers():
    """It has none of the threads that its parent made; that Python warns of forking beside threads is not the point."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.stdout, result.returncode) == ("0\n", 0), result.stderr
