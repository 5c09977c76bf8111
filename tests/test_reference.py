"""The reference calls torch.optim.SGD's function; the object itself must give the same bits."""

import pytest
import torch

from linreg_cli.model import build_model
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

SETTINGS = [
    {},
    {"weight_decay": 0.1},
    {"momentum": 0.9, "dampening": 0.3},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
]


def start(bias: bool) -> torch.nn.Sequential:
    model = build_model(3, 2, bias=bias, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
    return model


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_steps_are_bit_for_bit_those_of_the_optimiser_object(setting, bias):
    generator = torch.Generator().manual_seed(3)
    X, y = torch.randn(23, 3, generator=generator), torch.randn(23, 2, generator=generator)
    plan = StepPlan(23, 5, 3, True, 7, Loss("mse"), lambda epoch: 0.1 / (epoch + 1), **setting)
    state = TrainingState(start(bias))
    executor = ReferenceExecutor(TrainRows(X, y))
    executor.run(plan, state, 0, 8)  # in two calls, so that the buffers are handed over
    executor.run(plan, state, 8, plan.total_steps)

    model = start(bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **setting)
    for epoch in range(plan.epochs):
        optimizer.param_groups[0]["lr"] = 0.1 / (epoch + 1)
        for rows in plan.row_order(epoch).split(5):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(X[rows]), y[rows]).backward()
            optimizer.step()
    for (name, found), expected in zip(state.model.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(found, expected), name
        buffer = optimizer.state[expected].get("momentum_buffer")
        assert (buffer is None) == (name not in state.momentum)
        assert buffer is None or torch.equal(state.momentum[name], buffer)


@pytest.mark.parametrize("loss", ["mse", "sse", "mae", "huber"])
def test_a_full_batch_of_many_rows_is_added_up_in_parts(loss, monkeypatch):
    generator = torch.Generator().manual_seed(3)
    rows = TrainRows(*(torch.randn(23, width, generator=generator) for width in (3, 2)), torch.arange(23.0) / 11)
    plan, found = StepPlan(23, 23, 9, True, 7, Loss(loss), lambda epoch: 0.01, momentum=0.9), []
    for most in (23, 5):
        monkeypatch.setattr("linreg_cli.optim.losses.CHUNK_ROWS", most)
        state = TrainingState(start(bias=True))
        losses = ReferenceExecutor(rows).run(plan, state, 0, 9)
        found.append(torch.cat([losses, *(each.detach().flatten().double() for each in state.model.parameters())]))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_making_a_layer_leaves_torchs_random_state_as_it_was():
    before = torch.get_rng_state()
    build_model(3, 2, bias=True, dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), before)
