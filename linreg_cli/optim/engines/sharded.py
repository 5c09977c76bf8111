"""The sharded executor: compiled steps whose sums over rows are those of `train.shards`, on one process or several."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.native import pass_kernel
from linreg_cli.optim.engines.parameters import PackedParameters
from linreg_cli.optim.engines.shard_work import STEPS
from linreg_cli.optim.engines.shared import SharedWork
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[Any]]


def kernels(*, weighted: bool) -> tuple[str, str]:
    """The names of the kernels for rows without or with weights."""
    return STEPS[weighted], pass_kernel(weighted=weighted)


class ShardedExecutor:
    """Runs the steps of a plan with shards; results are those of the reference within rounding error.

    They do not depend on the number of threads, nor on the number of processes that share the rows. Products and sums
    over up to eight rows of a shard are of the training dtype, longer sums float64.

    Args:
        rows: the train split, on the CPU, with the ranks that share it.
        summing: the device on which each process adds up its shards, a part of their rows at a time; None: the CPU.

    Raises:
        ValueError: for rows that are not on the CPU.
    """

    name = "sharded"

    def __init__(self, rows: TrainRows, summing: torch.device | None = None) -> None:
        if rows.device.type != "cpu":
            raise ValueError(f"sharded runs on the CPU and the data is on {rows.device}; use device: cpu")
        self._shared, self._kernels = SharedWork(rows), kernels(weighted=rows.is_weighted)
        self._summing = None if summing is None else str(summing)
        self._n_targets, self._weight = rows.n_targets, None if rows.is_weighted else float(rows.n_samples)

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Whether the compiled kernels are on the disk; as `ReferenceExecutor.is_compiled`."""
        return all(disk.exists(name, dtype) for name in kernels(weighted=weighted))

    def load(self, plan: StepPlan) -> None:
        """Load or compile the kernels, and give other ranks their rows; as `ReferenceExecutor.load`."""
        self._shared.of(plan, *self._kernels)

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; as `ReferenceExecutor.run`."""
        assert state.step == start, (state.step, start)
        if stop == start:
            return torch.empty(0, dtype=torch.float64)
        packed = PackedParameters(state)
        (first, _), (last, _) = plan.locate(start), plan.locate(stop - 1)
        rates = np.array([plan.learning_rate(epoch) for epoch in range(first, last + 1)], dtype=np.float64)
        losses = self._shared.of(plan, *self._kernels).run(packed, start, rates, stop - start, self._summing)
        updates = len(losses) if np.isfinite(losses[-1]) else len(losses) - 1
        packed.write_back(state, plan, updates)
        state.step += updates
        return torch.from_numpy(losses)

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the parameters of the state, accumulated in float64."""
        shared = self._shared.of(plan, *self._kernels)
        if self._weight is None:
            self._weight = float(shared.together("weight_sum"))
        return plan.loss.of_sum(
            float(shared.together("loss_sum", PackedParameters(state), self._summing)), self._weight * self._n_targets
        )
