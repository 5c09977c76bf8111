"""How many threads torch has while a step is taken, and afterwards."""

import pytest
import torch

from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.threads import SMALL
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState


@pytest.mark.parametrize(("n_features", "expected"), [(SMALL // 4, 1), (SMALL // 4 + 1, 2)])
def test_steps_of_small_batches_are_taken_on_one_thread(monkeypatch, n_features, expected):
    threads = [2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    model = torch.nn.Sequential(torch.nn.Linear(n_features, 1))
    seen = []
    model.register_forward_pre_hook(lambda *_: seen.append(threads[-1]))
    rows = TrainRows(torch.ones(8, n_features), torch.ones(8, 1))
    plan = StepPlan(8, 4, 1, False, 0, Loss("mse"), lambda epoch: 1e-6)
    ReferenceExecutor(rows).run(plan, TrainingState(model), 0, 2)
    assert (seen, threads[-1]) == ([expected] * 2, 2)
