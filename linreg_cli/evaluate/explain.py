"""Gradient steps as one would work them on paper, with the gradient found in three independent ways."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from linreg_cli.model import linear_layer
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.reference import ReferenceExecutor
from linreg_cli.optim.state import TrainingState

#: Two gradients agree if they differ by at most this share of the largest entry (or of 1, if that is larger).
#: Central differences lose about two thirds of float64's 16 digits, and the loss is summed over the batch.
AGREEMENT = 1e-6

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class ExplainedStep:
    """One step, in trained units and float64.

    Attributes:
        number: of the step, from 1.
        rows: of the train split that the batch holds, from 0.
        lr: learning rate.
        inputs: X of the batch, shape (batch, n_features).
        targets: y of the batch, shape (batch, n_targets).
        predictions: of the batch before the update, shape (batch, n_targets).
        terms: the loss of each residual before the update, shape (batch, n_targets).
        loss: of the batch before the update: the sum or the mean of the terms.
        before: `weight` (n_targets, n_features) and, with a bias, `bias` (n_targets,).
        gradients: `autograd`, `formula` and `finite_difference` -> gradient of the loss, as `before`.
        direction: what the rate multiplies: the gradient with weight decay and momentum applied.
        after: the parameters after the update.
        next_loss: of the same batch after the update.
    """

    number: int
    rows: list[int]
    lr: float
    inputs: Tensor
    targets: Tensor
    predictions: Tensor
    terms: Tensor
    loss: float
    before: Parameters
    gradients: dict[str, Parameters]
    direction: Parameters
    after: Parameters
    next_loss: float

    def disagreement(self) -> float:
        """The largest difference between two of the gradients, as a share of the largest entry (at least 1)."""
        flat = [torch.cat([part.flatten() for part in gradient.values()]) for gradient in self.gradients.values()]
        scale = max(1.0, *(float(values.abs().max()) for values in flat))
        return max(float((a - b).abs().max()) for a in flat for b in flat) / scale


def explain(plan: StepPlan, state: TrainingState, X_nd: Tensor, y_nk: Tensor, steps: int) -> Iterator[ExplainedStep]:
    """Take steps of a plan with the reference executor, and keep what each one did.

    Args:
        plan: the steps.
        state: changed in place; its model is float64 and on the CPU.
        X_nd: inputs of the train split, float64.
        y_nk: targets of the train split, float64.
        steps: how many, at most those of the plan.
    """
    executor = ReferenceExecutor(X_nd, y_nk)
    for step in range(state.step, min(state.step + steps, plan.total_steps)):
        epoch, batch = divmod(step, plan.steps_per_epoch)
        order, (first, last) = plan.row_order(epoch), plan.batch_bounds(batch)
        rows = torch.arange(first, last) if order is None else order[first:last]
        X_bd, y_bk = X_nd[rows], y_nk[rows]
        before = _parameters(state)
        gradients = {
            "autograd": _by_autograd(state, plan.loss, X_bd, y_bk),
            "formula": _by_formula(before, plan.loss, X_bd, y_bk),
            "finite_difference": _by_differences(before, plan.loss, X_bd, y_bk),
        }
        predictions = _predict(before, X_bd)
        executor.run(plan, state, step, step + 1)
        after, lr = _parameters(state), plan.learning_rate(epoch)
        yield ExplainedStep(
            number=step + 1,
            rows=rows.tolist(),
            lr=lr,
            inputs=X_bd,
            targets=y_bk,
            predictions=predictions,
            terms=plan.loss.elements(predictions - y_bk),
            loss=float(plan.loss(predictions, y_bk)),
            before=before,
            gradients=gradients,
            direction={name: (before[name] - after[name]) / lr for name in before},
            after=after,
            next_loss=float(plan.loss(_predict(after, X_bd), y_bk)),
        )


def _parameters(state: TrainingState) -> Parameters:
    layer = linear_layer(state.model)
    parameters = {"weight": layer.weight.detach().clone()}
    return parameters if layer.bias is None else {**parameters, "bias": layer.bias.detach().clone()}


def _predict(parameters: Parameters, X_bd: Tensor) -> Tensor:
    prediction = X_bd @ parameters["weight"].T
    return prediction + parameters["bias"] if "bias" in parameters else prediction


def _by_autograd(state: TrainingState, loss: Loss, X_bd: Tensor, y_bk: Tensor) -> Parameters:
    layer = linear_layer(state.model)
    state.model.zero_grad()
    loss(state.model(X_bd), y_bk).backward()  # type: ignore[no-untyped-call]
    gradients = {name: value.grad for name, value in layer.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    return {name: gradient.clone() for name, gradient in gradients.items() if gradient is not None}


def _by_formula(parameters: Parameters, loss: Loss, X_bd: Tensor, y_bk: Tensor) -> Parameters:
    """The chain rule by hand: dL/dw = g' X and dL/db = sum of g, with g = dL/de for each residual e."""
    residual = _predict(parameters, X_bd) - y_bk
    slopes = {
        "mse": 2 * residual,
        "sse": 2 * residual,
        "half_mse": residual,
        "mae": residual.sign(),
        "huber": residual.clamp(-loss.huber_delta, loss.huber_delta),
    }
    slope = slopes[loss.name] if loss.is_sum else slopes[loss.name] / residual.numel()
    gradient = {"weight": slope.T @ X_bd}
    return {**gradient, "bias": slope.sum(dim=0)} if "bias" in parameters else gradient


def _by_differences(parameters: Parameters, loss: Loss, X_bd: Tensor, y_bk: Tensor) -> Parameters:
    """(L(p + h) - L(p - h)) / 2h for each parameter p."""
    gradient = {name: torch.zeros_like(values) for name, values in parameters.items()}
    for name, values in parameters.items():
        for position in range(values.numel()):
            # The cube root of the rounding error balances rounding against the third derivative.
            h = torch.finfo(torch.float64).eps ** (1 / 3) * max(1.0, abs(float(values.flatten()[position])))
            sides = []
            for sign in (1, -1):
                moved = {**parameters, name: values.clone()}
                moved[name].view(-1)[position] += sign * h
                sides.append(float(loss(_predict(moved, X_bd), y_bk)))
            gradient[name].view(-1)[position] = (sides[0] - sides[1]) / (2 * h)
    return gradient
