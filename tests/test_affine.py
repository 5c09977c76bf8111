"""The affine executor: chunks of steps, what it leaves to the reference, and weights of rows."""

import functools
import itertools

import numpy as np
import pytest
import torch
from plain_loop import DTYPES, Case

from linreg_cli.optim.engines import affine
from linreg_cli.optim.engines.affine import AffineExecutor
from linreg_cli.optim.engines.affine_maps import states_along
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.fit import SegmentDone, fit
from linreg_cli.optim.rows import TrainRows


def parameters(state):
    return torch.cat([value.detach().double().flatten() for _, value in sorted(state.model.named_parameters())])


def random_maps(count, q=3, k=2):
    stream = torch.Generator().manual_seed(5)
    draw = functools.partial(torch.randn, generator=stream, dtype=torch.float64)
    return draw(count, q, q) / 2, draw(count, q, k), draw(q, k)


@pytest.mark.parametrize("count", [1, 2, 4, 32])
def test_the_states_are_those_of_one_map_after_the_other(count):
    A, b, state = random_maps(count)
    expected = [state]
    for i in range(count):
        expected.append(A[i] @ expected[-1] + b[i])
    assert torch.allclose(states_along(A, b, state), torch.stack(expected), rtol=1e-13, atol=1e-13)


def test_later_maps_change_no_bit_of_earlier_states():
    A, b, state = random_maps(16)
    before = states_along(A, b, state)
    for i in reversed(range(16)):
        A[i:], b[i:] = torch.eye(3), 0
        assert torch.equal(states_along(A, b, state)[: i + 1], before[: i + 1]), i


@pytest.mark.parametrize("optimizer", ["plain", "decay+nesterov"])
def test_a_run_parted_between_chunks_has_the_same_bits(monkeypatch, optimizer):
    monkeypatch.setattr(affine, "MOST_STEPS", 4)
    case = Case(optimizer=optimizer, rows=40, batch_size=3)  # 14 steps an epoch: chunks of 4, 4, 4 and 2
    plan, executor = case.plan(), case.executor("affine", "float64")
    assert executor.chunk_steps(plan) == 4
    whole = case.state("float64")
    losses = executor.run(plan, whole, 0, plan.total_steps)
    parted, found = case.state("float64"), []
    for start, stop in itertools.pairwise([0, 4, 12, 14, 18, 28]):
        found.append(case.executor("affine", "float64").run(plan, parted, start, stop))
    assert torch.equal(torch.cat(found), losses)
    assert torch.equal(parameters(parted), parameters(whole))


def test_the_training_loop_parts_a_run_between_chunks(monkeypatch):
    monkeypatch.setattr(affine, "MOST_STEPS", 4)
    monkeypatch.setattr("linreg_cli.optim.fit.SEGMENT_SECONDS", 0)  # every segment is as short as can be
    case = Case(rows=40, batch_size=3)
    plan, executor = case.plan(), case.executor("affine", "float64")
    steps = [event.step for event in fit(plan, executor, case.state("float64")) if isinstance(event, SegmentDone)]
    assert steps == [4, 8, 12, 18, 22, 26]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_would_overflow_is_left_to_the_reference(dtype):
    """Float64 inside would go on where float32 has overflowed, and find the divergence steps later."""
    case = Case(optimizer="momentum", rows=200, rates=(3.0,) * 8)
    plan, found, expected = case.plan(), case.state(dtype), case.state(dtype)
    losses = case.executor("affine", dtype).run(plan, found, 0, plan.total_steps)
    assert len(losses) == len(case.executor("reference", dtype).run(plan, expected, 0, plan.total_steps))
    assert not torch.isfinite(losses[-1])
    assert found.step == expected.step == len(losses) - 1


def test_a_large_mean_costs_no_digits():
    """Without the state of the chunk as the origin, G w - c would lose 8 digits here."""
    case = Case(rows=300, batch_size=10, rates=(1e-9, 1e-9))
    X, y = case.data()
    rows, plan = TrainRows(X + 1e4, y), case.plan()
    found, expected = case.state("float64"), case.state("float64")
    losses = AffineExecutor(rows).run(plan, found, 0, plan.total_steps)
    of_reference = ReferenceExecutor(rows).run(plan, expected, 0, plan.total_steps)
    assert torch.allclose(losses, of_reference, rtol=1e-11, atol=0)
    assert torch.allclose(parameters(found), parameters(expected), rtol=1e-13, atol=0)


def test_weights_are_those_of_numpy():
    """One full-batch step on weighted rows, against the formula: gradient 2 X'W(X w - y) / n."""
    case = Case(batch_size=10, bias=False, rates=(0.1,))
    X, y = case.data()
    weights = torch.linspace(0.1, 1.9, 10, dtype=torch.float64)
    state, start = case.state("float64"), parameters(case.state("float64")).numpy()
    (loss,) = AffineExecutor(TrainRows(X, y, weights)).run(case.plan(), state, 0, 1).tolist()
    error = X.numpy() @ start - y.numpy()[:, 0]
    gradient = 2 * X.numpy().T @ (weights.numpy() * error) / 10
    assert np.allclose(parameters(state).numpy(), start - 0.1 * gradient, rtol=1e-14)
    assert np.isclose(loss, np.mean(weights.numpy() * error**2), rtol=1e-14)
