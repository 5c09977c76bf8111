"""THE definition of training: a plain torch.optim.SGD loop with autograd. Faster executors equal it, step by step."""

import math

import torch
from torch import Tensor

from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState


class ReferenceExecutor:
    """Runs the steps of a plan, one at a time.

    Args:
        X_nd: inputs of the train split, shape (n_samples, n_features), on the model's device, of its dtype.
        y_nk: targets, shape (n_samples, n_targets).
    """

    name = "reference"

    def __init__(self, X_nd: Tensor, y_nk: Tensor) -> None:
        self._X_nd, self._y_nk = X_nd, y_nk

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`, changing the state in place.

        Args:
            plan: what the steps are.
            state: where they begin; `state.step` is `start`.
            start: number of the first step.
            stop: one past the last step.

        Returns:
            The loss of each batch before its update, float64, shape (steps taken,). If one is not finite it is
            the last, and its update was not made.
        """
        assert state.step == start, (state.step, start)
        model, optimizer = state.model, _optimizer(plan, state)
        losses = torch.empty(stop - start, dtype=torch.float64)
        epoch, order = -1, None
        for step in range(start, stop):
            if step // plan.steps_per_epoch != epoch:
                epoch = step // plan.steps_per_epoch
                order = plan.row_order(epoch)
                order = None if order is None else order.to(self._X_nd.device)
                optimizer.param_groups[0]["lr"] = plan.learning_rate(epoch)
            first, last = plan.batch_bounds(step % plan.steps_per_epoch)
            rows = slice(first, last) if order is None else order[first:last]
            optimizer.zero_grad()
            loss = plan.loss(model(self._X_nd[rows]), self._y_nk[rows])
            losses[step - start] = value = loss.item()
            if not math.isfinite(value):
                losses = losses[: step - start + 1]
                break
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            state.step += 1
        for name, parameter in model.named_parameters():
            buffer = optimizer.state[parameter].get("momentum_buffer")
            if buffer is not None:
                state.momentum[name] = buffer
        return losses

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the state's parameters, summed up in float64."""
        return plan.loss.over(state.model, self._X_nd, self._y_nk)


def _optimizer(plan: StepPlan, state: TrainingState) -> torch.optim.SGD:
    optimizer = torch.optim.SGD(
        state.model.parameters(),
        lr=plan.learning_rate(0),
        momentum=plan.momentum,
        dampening=plan.dampening,
        weight_decay=plan.weight_decay,
        nesterov=plan.nesterov,
    )
    for name, parameter in state.model.named_parameters():
        if name in state.momentum:
            optimizer.state[parameter]["momentum_buffer"] = state.momentum[name]
    return optimizer
