"""The definition of training: a plain loop of autograd and torch's SGD. Other executors equal it within rounding error.

The update is `torch.optim.sgd.sgd`, the function that `torch.optim.SGD.step` calls, with the same arguments, so the
bits are the same. Creating the first `SGD` object of a process would make torch import its compiler.
"""

import math

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from linreg_cli.optim.engines.threads import threads_of_step
from linreg_cli.optim.engines.windows import Window, windows_of
from linreg_cli.optim.losses import Loss, chunk_rows
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, sum_of_weights
from linreg_cli.optim.state import TrainingState


class ReferenceExecutor:
    """Runs the steps of a plan one at a time, with autograd, on any device.

    Args:
        rows: the train split, of the dtype and on the device of the model.
    """

    name = "reference"

    def __init__(self, rows: AnyRows) -> None:
        self._rows, self._windows = rows, windows_of(rows, torch.int64)

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Whether all compiled code that a plan needs is on the disk; this executor needs none.

        Args:
            plan: the steps.
            n_features: columns of X.
            n_targets: columns of y.
            dtype: of the model, `float32` or `float64`.
            weighted: whether the rows have weights.
        """
        return True

    def load(self, plan: StepPlan) -> None:
        """Load or compile what a plan needs, so that `run` cannot fail for it; this executor needs nothing.

        Raises:
            EngineError: if the compiler or the linker fails.
        """

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`, updating the state in place.

        Args:
            plan: the steps.
            state: the state before the first step; `state.step` is `start`.
            start: number of the first step, from 0.
            stop: one past the last step.

        Returns:
            The loss of each batch before its update, float64, shape (steps taken,). A loss that is not finite is the
            last one, and its update is not made.
        """
        assert state.step == start, (state.step, start)
        with threads_of_step(plan.batch_size * self._rows.n_features * self._rows.n_targets):
            return self._run(plan, state, start, stop)

    def _run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        model = state.model
        names, parameters = map(list, zip(*model.named_parameters(), strict=True))
        buffers = [state.momentum.get(name) for name in names]
        losses = torch.empty(stop - start, dtype=torch.float64)
        window: Window | None = None
        lr = 0.0
        for step in range(start, stop):
            epoch, batch = plan.locate(step)
            if step == start or batch == 0:
                lr = plan.learning_rate(epoch)
            if plan.is_full_batch and plan.n_samples > chunk_rows(self._rows.n_features):
                value, gradients = self._of_all(plan, model, parameters)
            else:
                if window is None or step == window.stop:
                    window = self._windows.of(plan, step)
                first, last = plan.batch_bounds(window.batch(plan, step))
                rows = slice(first, last) if window.order is None else window.order[first:last]
                weights = None if window.rows.weight_n is None else window.rows.weight_n[rows]
                loss = plan.loss(model(window.rows.X_nd[rows]), window.rows.y_nk[rows], weights)
                value = loss.item()
                gradients = list(torch.autograd.grad(loss, parameters)) if math.isfinite(value) else []
            losses[step - start] = value
            if not math.isfinite(value):
                losses = losses[: step - start + 1]
                break
            with torch.no_grad():
                sgd(
                    parameters, gradients, buffers, weight_decay=plan.weight_decay, momentum=plan.momentum, lr=lr,
                    dampening=plan.dampening, nesterov=plan.nesterov, maximize=False,
                )  # fmt: skip
            state.step += 1
        state.momentum |= {name: buffer for name, buffer in zip(names, buffers, strict=True) if buffer is not None}
        if state.step == plan.total_steps:
            self._windows.forget()
        return losses

    def _of_all(self, plan: StepPlan, model: nn.Module, parameters: list[nn.Parameter]) -> tuple[float, list[Tensor]]:
        """The loss of a full batch of many rows and its gradients, `chunk_rows` at a time, added up in float64.

        So it is the same in memory and on the disk, and no more rows are in memory.
        """
        count = 1 if plan.loss.is_sum else plan.n_samples * self._rows.n_targets
        total = torch.zeros((), dtype=torch.float64, device=parameters[0].device)
        sums = [torch.zeros_like(each, dtype=torch.float64) for each in parameters]
        for part in self._rows.parts(chunk_rows(self._rows.n_features)):
            elements = plan.loss.elements(model(part.X_nd) - part.y_nk)
            loss = (elements if part.weight_n is None else elements * part.weight_n[:, None]).sum()
            total += loss.detach()
            for each, gradient in zip(sums, torch.autograd.grad(loss, parameters), strict=True):
                each += gradient
        return total.item() / count, [
            (each / count).to(like.dtype) for each, like in zip(sums, parameters, strict=True)
        ]

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the parameters of the state, accumulated in float64."""
        return loss_over(self._rows, plan.loss, state.model)


def loss_over(rows: AnyRows, loss: Loss, model: nn.Module) -> float:
    """The loss of a model over all rows, in memory or on the disk, accumulated in float64, as `Loss.over`."""
    total = 0.0
    for part in rows.parts(chunk_rows(rows.n_features)):
        total = loss.sum_over(model, part.X_nd, part.y_nk, total, weight_n=part.weight_n)
    return loss.of_sum(total, sum_of_weights(rows) * rows.n_targets)
