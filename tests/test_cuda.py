"""What only a CUDA device can show: executors there against the same on the CPU, and the settings of a run."""

from dataclasses import replace

import pytest
import torch
from plain_loop import LOSSES, OPTIMIZERS, Case, assert_near, plain_loop, tolerance

from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

pytestmark = pytest.mark.cuda

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

ON_DEVICES = [name for name in EXECUTORS if name != "native"]


def on_device(case, name, dtype):
    X, y = (values.to("cuda", getattr(torch, dtype)) for values in case.data())
    state = TrainingState(case.state(dtype).model.to("cuda"))
    return EXECUTORS[name](TrainRows(X, y)), state


@pytest.mark.parametrize("name", ON_DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_steps_are_those_of_the_plain_loop(name, dtype, optimizer):
    """The bound is that of the CPU, which TF32 (10 bits of a product) would exceed a hundred times."""
    cases = [Case(loss, optimizer, size) for loss in LOSSES for size in (1, 3, 10)]
    for case in (each for each in cases if unable(name, each.plan(), "cuda") is None):
        (executor, state), plan = on_device(case, name, dtype), case.plan()
        losses = executor.run(plan, state, 0, plan.total_steps)
        bound = tolerance(case, dtype, plan.total_steps)
        steps = plain_loop(case)
        assert_near(losses, torch.tensor([step.loss for step in steps], dtype=torch.float64), bound, str(case))
        for key, value in state.model.named_parameters():
            assert_near(value.cpu(), steps[-1].parameters[key], bound, f"{case}: {key}")
        assert all(value.is_cuda for value in state.momentum.values())


@pytest.mark.parametrize("name", ON_DEVICES)
def test_divergence_is_met_at_the_same_step_as_on_the_cpu(name):
    case = Case(batch_size=10, rates=(1e4,) * 60)
    executor, state = on_device(case, name, "float32")
    expected, plan = case.state("float32"), case.plan()
    losses = executor.run(plan, state, 0, plan.total_steps)
    assert len(losses) == len(case.executor("reference", "float32").run(plan, expected, 0, plan.total_steps))
    assert state.step == expected.step


def test_a_shuffled_order_is_that_of_the_cpu():
    case = Case(rows=1000, batch_size=32)
    for blocks in (None, 4):
        (executor, state), plan = on_device(replace(case, blocks=blocks), "affine", "float64"), replace(case).plan()
        plan = replace(plan, n_blocks=blocks)
        executor.run(plan, state, 0, plan.total_steps)
        expected = case.state("float64")
        case.executor("reference", "float64").run(plan, expected, 0, plan.total_steps)
        for key, value in expected.model.named_parameters():
            assert torch.allclose(dict(state.model.named_parameters())[key].cpu(), value, rtol=1e-12, atol=1e-13), key
