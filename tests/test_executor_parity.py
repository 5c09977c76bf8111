"""Every executor against a plain float64 torch.optim.SGD loop (plain_loop.py), after every step."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_loop import (
    DELTA,
    DTYPES,
    LOSSES,
    N_ROWS,
    OPTIMIZERS,
    Case,
    assert_matches_the_loop,
    assert_near,
    every_executor,
    partings,
    plain_loop,
    tolerance,
)
from torch.nn import functional

from linreg_cli.model import linear_layer
from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.state import TrainingState


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_an_executor_cannot_run(name, loss):
    """`statistics` takes full batches of squared losses, `affine` any of theirs; shards need one that knows them."""
    for optimizer, size, shards in itertools.product(OPTIMIZERS, (1, 3, 7, N_ROWS - 1, N_ROWS), (None, 3)):
        able = unable(name, Case(loss, optimizer, size, shards=shards).plan(), "cpu") is None
        squared, divided = loss in ("mse", "sse", "half_mse"), shards is not None
        expected = {
            "statistics": squared and size == N_ROWS, "affine": squared and not divided, "sharded": divided,
        }  # fmt: skip
        assert able is expected.get(name, not divided), (optimizer, size, shards)


@every_executor(Case, loss=LOSSES, optimizer=OPTIMIZERS, batch_size=[1, 3, 7, N_ROWS])
def test_every_step_is_that_of_the_plain_loop(name, dtype, case):
    for bias, shuffle in itertools.product((True, False), (True, False)):
        assert_matches_the_loop(replace(case, bias=bias, shuffle=shuffle), name, dtype)


@every_executor(
    lambda loss, optimizer, shape: Case(loss, optimizer, **shape),
    loss=LOSSES,
    optimizer=["plain", "nesterov"],
    shape=[
        {"rows": 1, "batch_size": 1},
        {"features": 1},
        {"rows": 1, "features": 1, "batch_size": 1},
        {"targets": 3},
        {"features": 1, "targets": 2, "batch_size": 1},
        {"rows": 4, "features": 9, "batch_size": 4, "targets": 2},
        {"features": 17, "batch_size": 7, "rates": (0.002, 0.001)},
    ],
)
def test_unusual_shapes(name, dtype, case):
    assert_matches_the_loop(case, name, dtype)


@every_executor(
    lambda loss, optimizer, shape: Case(loss, optimizer, weighted=True, **shape),
    loss=LOSSES,
    optimizer=["plain", "decay+nesterov"],
    shape=[
        {"batch_size": 1},
        {"batch_size": 3, "shuffle": False},
        {"batch_size": N_ROWS, "bias": False},
        {"batch_size": N_ROWS, "targets": 2},
        {"rows": 30, "batch_size": 17, "features": 11, "targets": 2, "rates": (0.004, 0.002)},
        {"rows": 40, "batch_size": 20, "features": 3, "blocks": 4},
    ],
)
def test_weights_multiply_the_loss_of_each_row(name, dtype, case):
    assert_matches_the_loop(case, name, dtype)


@every_executor(
    functools.partial(Case, rates=(0.0, 0.0)),
    optimizer=["plain", "momentum", "decay+nesterov"],
    batch_size=[3, N_ROWS],
)
def test_rate_zero_moves_nothing(name, dtype, case):
    state, plan = case.state(dtype), case.plan()
    losses = case.executor(name, dtype).run(plan, state, 0, plan.total_steps)
    assert len(losses) == plan.total_steps
    assert all(torch.equal(value.double(), case.start()[key]) for key, value in state.model.named_parameters())
    assert_matches_the_loop(case, name, dtype)


def bits(state: TrainingState) -> list[bytes]:
    values = [*dict(state.model.named_parameters()).values(), *(state.momentum[key] for key in sorted(state.momentum))]
    return [value.detach().numpy().tobytes() for value in values]


@every_executor(
    lambda optimizer, loss_and_size: Case(loss_and_size[0], optimizer, loss_and_size[1]),
    optimizer=OPTIMIZERS,
    loss_and_size=[("huber", 1), ("huber", 3), ("huber", N_ROWS), ("mse", N_ROWS)],
)
def test_stopping_at_any_step_and_going_on_changes_no_bit(name, dtype, case):
    """One call over all epochs, across the changes of the rate, equals two calls, wherever they are parted."""
    plan, executor = case.plan(), case.executor(name, dtype)
    whole = case.state(dtype)
    losses = executor.run(plan, whole, 0, plan.total_steps)
    for cut in partings(executor, plan):
        parted = case.state(dtype)
        before = executor.run(plan, parted, 0, cut)
        middle = TrainingState(case.state(dtype).model)
        middle.restore(parted.snapshot())  # as from a checkpoint, and with a new executor
        after = case.executor(name, dtype).run(plan, middle, cut, plan.total_steps)
        assert bits(middle) == bits(whole), cut
        assert torch.equal(torch.cat([before, after]), losses), cut


@every_executor(
    functools.partial(Case, rates=(0.05, 0.04, 0.03, 0.02)),
    optimizer=["plain", "dampening", "decay+nesterov"],
    batch_size=[3, N_ROWS],
)
def test_reference_takes_over_from_any_executor_and_back(name, dtype, case):
    """A third of the steps each; the momentum must be handed over, also where the cut is inside an epoch."""
    plan, state = case.plan(), case.state(dtype)
    cuts = [0, plan.total_steps // 3, 2 * plan.total_steps // 3, plan.total_steps]
    for (start, stop), runs in zip(itertools.pairwise(cuts), ("reference", name, "reference"), strict=True):
        case.executor(runs, dtype).run(plan, state, start, stop)
    last = plain_loop(case)[-1]
    bound = tolerance(case, dtype, plan.total_steps)
    for key, value in state.model.named_parameters():
        assert_near(value, last.parameters[key], bound, key)
    for key, value in state.momentum.items():
        assert_near(value, last.momentum[key], bound, f"momentum of {key}")


# Each step multiplies the error by about 1e4, so rounding cannot move the overflow to another step.
@every_executor(
    lambda loss_and_optimizer, size: Case(*loss_and_optimizer, size, rates=(1e4,) * 60),
    loss_and_optimizer=[("mse", "plain"), ("sse", "momentum"), ("half_mse", "nesterov")],
    size=[1, 3, N_ROWS],
)
def test_divergence_is_met_at_the_same_step_and_its_update_is_not_made(name, dtype, case):
    plan = case.plan()
    expected, state = case.state(dtype), case.state(dtype)
    reference = case.executor("reference", dtype).run(plan, expected, 0, plan.total_steps)
    losses = case.executor(name, dtype).run(plan, state, 0, plan.total_steps)
    assert len(losses) < plan.total_steps
    assert not torch.isfinite(losses[-1])
    assert torch.isfinite(losses[:-1]).all()
    assert len(losses) == len(reference)
    assert state.step == expected.step == len(losses) - 1
    before = case.state(dtype)
    case.executor(name, dtype).run(plan, before, 0, state.step)
    assert bits(state) == bits(before)


@every_executor(functools.partial(Case, targets=2), loss=LOSSES, batch_size=[3, N_ROWS])
def test_loss_over_the_split(name, dtype, case):
    X, y = case.data()
    start = case.start()
    expected = LOSSES[case.loss](functional.linear(X, start["0.weight"], start["0.bias"]), y).item()
    found = case.executor(name, dtype).train_loss(case.plan(), case.state(dtype))
    # predictions are rounded to the type: (features + 1) eps of numbers below 10, with a slope below 10 x terms
    terms = case.rows * case.targets if case.loss == "sse" else 1
    assert found == pytest.approx(expected, abs=400 * terms * torch.finfo(DTYPES[dtype]).eps)


def numpy_gradient(loss: str, e: np.ndarray) -> np.ndarray:
    """d loss / d prediction, worked out by hand."""
    return {
        "mse": 2 * e / e.size,
        "sse": 2 * e,
        "half_mse": e / e.size,
        "mae": np.sign(e) / e.size,
        "huber": np.clip(e, -DELTA, DELTA) / e.size,
    }[loss]


@every_executor(
    functools.partial(Case, optimizer="decay+dampening", shuffle=False),
    dtypes=["float64"],
    loss=LOSSES,
    targets=[1, 2],
    batch_size=[3, N_ROWS],
)
def test_against_gradients_worked_out_by_hand(name, dtype, case):
    """Momentum, weight decay and dampening as torch's documentation writes them, in numpy, without autograd."""
    X, y = (values.numpy() for values in case.data())
    w, b = case.start()["0.weight"].numpy().T.copy(), case.start()["0.bias"].numpy().copy()
    buffers: list[np.ndarray] = []
    for rate in case.rates:
        for first in range(0, case.rows, case.batch_size):
            rows = slice(first, first + case.batch_size)
            slope = numpy_gradient(case.loss, X[rows] @ w + b - y[rows])
            gradients = [X[rows].T @ slope + 0.1 * w, slope.sum(axis=0) + 0.1 * b]
            if not buffers:
                buffers = [gradient.copy() for gradient in gradients]
            else:
                buffers = [0.8 * old + 0.7 * new for old, new in zip(buffers, gradients, strict=True)]
            w, b = w - rate * buffers[0], b - rate * buffers[1]
    state, plan = case.state(dtype), case.plan()
    case.executor(name, dtype).run(plan, state, 0, plan.total_steps)
    layer = linear_layer(state.model)
    bound = tolerance(case, dtype, plan.total_steps)
    np.testing.assert_allclose(layer.weight.detach().numpy().T, w, rtol=0, atol=bound)
    np.testing.assert_allclose(layer.bias.detach().numpy(), b, rtol=0, atol=bound)


def test_the_comparison_can_fail():
    """A rate that is off by one part in a million is seen in float64, by one in a hundred in float32."""
    case = Case()
    for dtype, factor in (("float64", 1 + 1e-6), ("float32", 1.01)):
        wrong = replace(case, rates=tuple(rate * factor for rate in case.rates))
        state, plan = case.state(dtype), wrong.plan()
        case.executor("reference", dtype).run(plan, state, 0, plan.total_steps)
        found = linear_layer(state.model).weight.detach().double()
        distance = (found - plain_loop(case)[-1].parameters["0.weight"]).abs().max().item()
        assert distance > tolerance(case, dtype, plan.total_steps)
