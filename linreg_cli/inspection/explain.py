"""Gradient steps shown by hand, with the gradient by autograd, by formula and by finite differences."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from linreg_cli.errors import DivergedError
from linreg_cli.model import linear_layer
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.losses import Loss, chunk_rows
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.wording import number

#: Autograd and the formula sum the same terms in another order. They agree if their difference is at most this times
#: the sum of the absolute terms, to which rounding error is relative if the terms cancel.
AGREEMENT = 1e-10

#: The step of a central difference, relative to the parameter: the cube root of the machine epsilon balances rounding
#: error and truncation error.
H = torch.finfo(torch.float64).eps ** (1 / 3)

WAYS = ("autograd", "formula", "finite_difference")

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class ExplainedStep:
    """One step of SGD: parameter = parameter - lr * direction, in scaled units and float64.

    Attributes:
        number: of the step, from 1.
        rows: the indices (from 0) of the rows of the batch in the train split.
        lr: the learning rate.
        inputs: X of the batch, shape (batch_size, n_features).
        targets: y of the batch, shape (batch_size, n_targets).
        predictions: before the update, shape (batch_size, n_targets).
        weights: of the rows of the batch, shape (batch_size,); None: all are 1.
        terms: the loss of each residual before the update, times the weight of its row, shape (batch_size, n_targets).
        loss: of the batch before the update: the sum or the mean of `terms`, without the penalty.
        before: the parameters: `weight` (n_targets, n_features) and, with an intercept, `bias` (n_targets,).
        gradients: `autograd`, `formula` and `finite_difference` -> gradient of the loss, of the shapes of `before`.
        term_sizes: the sums over rows of the absolute terms of the gradient, of the shapes of `before`.
        difference_errors: bounds on the error of the central differences, of the shapes of `before`.
        direction: the gradient with weight decay and momentum applied, of the shapes of `before`.
        after: the parameters after the update.
        next_loss: the loss of the same batch after the update.
        train_loss: the loss over the train split before the update.
        next_train_loss: that after the update.
    """

    number: int
    rows: list[int]
    lr: float
    inputs: Tensor
    targets: Tensor
    predictions: Tensor
    weights: Tensor | None
    terms: Tensor
    loss: float
    before: Parameters
    gradients: dict[str, Parameters]
    term_sizes: Parameters
    difference_errors: Parameters
    direction: Parameters
    after: Parameters
    next_loss: float
    train_loss: float
    next_train_loss: float

    def disagreement(self) -> str | None:
        """How the three gradients differ, in words; None if they agree.

        Autograd and the formula must agree within rounding error, central differences within their own error.
        """
        autograd, formula, difference = (_flat(self.gradients[name]) for name in WAYS)
        rounding = AGREEMENT * _flat(self.term_sizes)
        for name, other, error in (
            ("the formula", formula, rounding),
            ("the central difference", difference, rounding + _flat(self.difference_errors)),
        ):
            apart = (autograd - other).abs()
            if not bool((apart <= error).all()):
                return f"autograd and {name} differ by {number(float(apart.max()), 3)}"
        return None


def explain(plan: StepPlan, state: TrainingState, rows: TrainRows | StoredRows, steps: int) -> Iterator[ExplainedStep]:
    """Take steps of a plan with the reference executor, and yield each one with its gradients.

    Args:
        plan: the steps.
        state: the parameters and momentum buffers, changed in place; the model is float64 and on the CPU.
        rows: the train split, float64, in memory or on the disk.
        steps: the number of steps; fewer if the plan ends before.

    Yields:
        The steps, in order.

    Raises:
        DivergedError: at a step whose loss is not finite, after the previous ones were yielded.
    """
    executor, train_loss = ReferenceExecutor(rows), _loss_of_all(plan.loss, _parameters(state), rows)
    first, last = state.step, min(state.step + steps, plan.total_steps)
    for step, batch in zip(range(first, last), plan.batches(first, last), strict=True):
        epoch, batch_rows = step // plan.steps_per_epoch, torch.from_numpy(batch)
        chosen = rows.chosen(batch_rows)
        X_bd, y_bk, w_b = chosen.X_nd, chosen.y_nk, chosen.weight_n
        before = _parameters(state)
        predictions, lr = _predict(before, X_bd), plan.learning_rate(epoch)
        loss = float(plan.loss(predictions, y_bk, w_b))
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss of step {step + 1} is {loss} at learning rate {number(lr)}; lower optimizer.lr"
            )
        differences, errors = _by_differences(before, plan.loss, X_bd, y_bk, w_b)
        gradients = {
            "autograd": _by_autograd(state, plan.loss, X_bd, y_bk, w_b),
            "formula": _by_formula(before, plan.loss, X_bd, y_bk, w_b),
            "finite_difference": differences,
        }
        direction = _direction(plan, state, before, gradients["autograd"])
        executor.run(plan, state, step, step + 1)
        after = _parameters(state)
        loss_before, train_loss = train_loss, _loss_of_all(plan.loss, after, rows)
        terms = plan.loss.elements(predictions - y_bk)
        yield ExplainedStep(
            number=step + 1,
            rows=batch_rows.tolist(),
            lr=lr,
            inputs=X_bd,
            targets=y_bk,
            predictions=predictions,
            weights=w_b,
            terms=terms if w_b is None else terms * w_b[:, None],
            loss=loss,
            before=before,
            gradients=gradients,
            term_sizes=_sum_of_slopes(_slopes(plan.loss, predictions - y_bk, w_b).abs(), X_bd.abs(), before),
            difference_errors=errors,
            direction=direction,
            after=after,
            next_loss=float(plan.loss(_predict(after, X_bd), y_bk, w_b)),
            train_loss=loss_before,
            next_train_loss=train_loss,
        )


def _parameters(state: TrainingState) -> Parameters:
    layer = linear_layer(state.model)
    parameters = {"weight": layer.weight.detach().clone()}
    return parameters if layer.bias is None else {**parameters, "bias": layer.bias.detach().clone()}


def _loss_of_all(loss: Loss, parameters: Parameters, rows: TrainRows | StoredRows) -> float:
    """The loss over the train split, `chunk_rows` at a time."""
    most = chunk_rows(rows.n_features)
    parts = (
        float(loss(_predict(parameters, part.X_nd), part.y_nk, part.weight_n))
        * (1 if loss.is_sum or rows.n_samples <= most else part.n_samples / rows.n_samples)
        for part in rows.parts(most)
    )
    return sum(parts)


def _predict(parameters: Parameters, X_bd: Tensor) -> Tensor:
    # The arithmetic of nn.Linear, bit for bit: at a kink of the loss, a difference of one bit changes the slope.
    return torch.nn.functional.linear(X_bd, parameters["weight"], parameters.get("bias"))


def _by_autograd(state: TrainingState, loss: Loss, X_bd: Tensor, y_bk: Tensor, w_b: Tensor | None) -> Parameters:
    parameters = dict(linear_layer(state.model).named_parameters())
    gradients = torch.autograd.grad(loss(state.model(X_bd), y_bk, w_b), list(parameters.values()))
    return dict(zip(parameters, gradients, strict=True))


def _by_formula(parameters: Parameters, loss: Loss, X_bd: Tensor, y_bk: Tensor, w_b: Tensor | None) -> Parameters:
    """The chain rule by hand: dL/dw = g' X and dL/db = sum of g, with g = dL/de for each residual e."""
    return _sum_of_slopes(_slopes(loss, _predict(parameters, X_bd) - y_bk, w_b), X_bd, parameters)


def _slopes(loss: Loss, residual: Tensor, w_b: Tensor | None) -> Tensor:
    slopes = {
        "mse": 2 * residual,
        "sse": 2 * residual,
        "half_mse": residual,
        "mae": residual.sign(),
        "huber": residual.clamp(-loss.huber_delta, loss.huber_delta),
    }
    found = slopes[loss.name] if w_b is None else slopes[loss.name] * w_b[:, None]
    return found if loss.is_sum else found / residual.numel()


def _sum_of_slopes(slopes_bk: Tensor, X_bd: Tensor, like: Parameters) -> Parameters:
    gradient = {"weight": slopes_bk.T @ X_bd}
    return {**gradient, "bias": slopes_bk.sum(dim=0)} if "bias" in like else gradient


def _by_differences(
    parameters: Parameters, loss: Loss, X_bd: Tensor, y_bk: Tensor, w_b: Tensor | None
) -> tuple[Parameters, Parameters]:
    """(L(p + h) - L(p - h)) / (2 h) for each parameter p, and a bound on the error of each.

    Within h of a kink of mae or huber, the difference mixes two slopes; its error is at most half the change of the
    slope there. Elsewhere the losses are quadratic or linear, and the error is rounding error only.
    """
    gradient = {name: torch.zeros_like(values) for name, values in parameters.items()}
    errors = {name: torch.zeros_like(values) for name, values in parameters.items()}
    for name, values in parameters.items():
        for position in range(values.numel()):
            h = H * max(1.0, abs(float(values.flatten()[position])))
            sides, slopes = [], []
            for sign in (1, -1):
                moved = {**parameters, name: values.clone()}
                moved[name].view(-1)[position] += sign * h
                sides.append(float(loss(_predict(moved, X_bd), y_bk, w_b)))
                slopes.append(float(_by_formula(moved, loss, X_bd, y_bk, w_b)[name].view(-1)[position]))
            gradient[name].view(-1)[position] = (sides[0] - sides[1]) / (2 * h)
            rounding = 100 * torch.finfo(torch.float64).eps * max(map(abs, sides)) / h
            errors[name].view(-1)[position] = rounding + (abs(slopes[0] - slopes[1]) if _has_kinks(loss) else 0.0)
    return gradient, errors


def _has_kinks(loss: Loss) -> bool:
    return loss.name in ("mae", "huber")


def _direction(plan: StepPlan, state: TrainingState, parameters: Parameters, gradient: Parameters) -> Parameters:
    """The update direction of torch.optim.SGD: the gradient with weight decay and momentum applied."""
    direction = {}
    for name, values in gradient.items():
        decayed = values + plan.weight_decay * parameters[name]
        buffer = state.momentum.get(f"0.{name}")
        if plan.momentum:
            kept = decayed if buffer is None else plan.momentum * buffer + (1 - plan.dampening) * decayed
            decayed = decayed + plan.momentum * kept if plan.nesterov else kept
        direction[name] = decayed
    return direction


def _flat(parameters: Parameters) -> Tensor:
    return torch.cat([values.flatten() for values in parameters.values()])
