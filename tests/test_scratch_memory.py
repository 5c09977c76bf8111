"""Arrays that kernels make for themselves live as long as their pointers are used."""

import os
import subprocess
import sys

import pytest

# With this, glibc gives freed memory of this size back to the system at once, so that using it ends the process.
HARSH = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TOP_PAD_": "0"}

PATTERN = """
import numba, numpy as np
from linreg_cli.optim.executors.addresses import keep, pointer, put

@numba.njit
def ones_beside_sevens(n):
    sevens = np.zeros(n)
    p = pointer(sevens)
    ones = np.ones(n)  # takes the place of an array that was freed
    for i in range(n):
        put(p, i, 7.0)
    total = ones.sum()
    keep(sevens)
    return total

for n in (8, 1000, 100_000):
    assert ones_beside_sevens(n) == n, n
"""

KERNELS = """
import numpy as np, torch
from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.select import EXECUTORS
from linreg_cli.optim.state import TrainingState

def trained(name, batch, d):
    X, y = torch.from_numpy(rng.normal(size=(60, d))), torch.from_numpy(rng.normal(size=(60, 1)))
    plan = StepPlan(60, batch, 2, False, 0, Loss("mse"), lambda epoch: 1e-6)
    for each in (name, "reference"):
        model = build_model(d, 1, bias=True, dtype=torch.float64)
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
        state = TrainingState(model)
        EXECUTORS[each](X, y).run(plan, state, 0, plan.total_steps)
        yield model[0].weight.detach().numpy()

rng = np.random.default_rng(0)
for case in (("native", 20, 50_000), ("native", 60, 50_000), ("statistics", 60, 200)):
    ours, theirs = trained(*case)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15, err_msg=str(case))
"""


@pytest.mark.parametrize("program", [PATTERN, KERNELS], ids=["pattern", "kernels"])
def test_memory_is_not_used_after_it_was_freed(program):
    command = [sys.executable, "-c", program]
    for _ in range(2):  # the compiler leaves so much free memory behind that only kernels from the disk are tested
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | HARSH)
        assert result.returncode == 0, result.stderr[-2000:]
