"""Rates by epoch in closed form against torch's schedulers, stepped once an epoch."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from linreg_cli.config.schema import OptimizerConfig
from linreg_cli.optim.schedules import schedule

CASES = [
    ({"kind": "constant"}, lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0)),
    ({"kind": "step", "step_size": 1}, lambda o: lr_scheduler.StepLR(o, step_size=1)),
    ({"kind": "step", "step_size": 7, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.5)),
    ({"kind": "exponential", "gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9)),
    ({"kind": "exponential", "gamma": 1.01}, lambda o: lr_scheduler.ExponentialLR(o, gamma=1.01)),
    ({"kind": "cosine", "T_max": 60}, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=60)),
    # 25 < 60 epochs: past T_max the rate rises again, in torch too.
    (
        {"kind": "cosine", "T_max": 25, "eta_min": 0.004},
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=25, eta_min=0.004),
    ),
    # A floor above the rate is torch's business, too: the rate rises towards it.
    ({"kind": "cosine", "T_max": 60, "eta_min": 0.5}, lambda o: lr_scheduler.CosineAnnealingLR(o, 60, eta_min=0.5)),
]


@pytest.mark.parametrize(("options", "scheduler"), CASES, ids=lambda value: str(value) if type(value) is dict else "")
def test_rate_of_every_epoch_is_that_of_torch(options, scheduler):
    rate = schedule(OptimizerConfig.model_validate({"lr": 0.05, "schedule": options}))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    torch_schedule = scheduler(optimizer)
    for epoch in range(60):
        # torch multiplies epoch by epoch; 60 roundings, and for the cosine also cancellation near its minimum
        # (relative to the range of the rate, hence abs).
        assert rate(epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-13, abs=1e-15), epoch
        optimizer.step()
        torch_schedule.step()


def test_a_rate_beyond_the_range_of_floats_is_infinite_and_no_crash():
    rate = schedule(OptimizerConfig.model_validate({"lr": 0.1, "schedule": {"kind": "exponential", "gamma": 10}}))
    assert rate(300) == pytest.approx(1e299)
    assert rate(400) == math.inf
