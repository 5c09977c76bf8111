"""The end of short mini-batch runs at several rates, by taking their steps in advance, all rates at once.

A forecast of random batches is an expectation, and single runs scatter around it. The order of the rows is a function
of seed and epoch, so what a short run will do can be computed.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.data.columns.rows import in_memory
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.row_order import Blocks
from linreg_cli.optim.schedules import Schedule

#: Longer runs are not rehearsed: this many steps, and products of cells, take less than a second.
MOST_STEPS, MOST_PRODUCTS = 20_000, 5e8


def is_short(problem: Problem, n_rates: int) -> bool:
    """Whether the runs of a number of rates take less than a second."""
    plan, p = problem.plan, len(problem.features) + problem.bias
    if isinstance(plan.rows, Blocks) or not in_memory(problem.X_nd):
        return False  # what is chosen for blocks has to be the same where their rows are on the disk
    products = plan.n_samples * plan.epochs * p * problem.y_nk.shape[1] * n_rates
    return plan.total_steps <= MOST_STEPS and products <= MOST_PRODUCTS


def rehearse(problem: Problem, rule: SgdRule, schedules: Sequence[Schedule], momenta: Sequence[float]) -> Array:
    """The objective at the end of the run of each of C schedules, with the rows and the start of the run, in float64.

    Args:
        problem: the plan and the train split; the rate and the momentum of the plan are not used.
        rule: dampening, Nesterov and weight decay; its momentum is not used.
        schedules: epoch (from 0) -> learning rate, for each candidate.
        momenta: for each candidate.

    Returns:
        The `objective` of each, shape (C,); infinite where the run diverges.
    """
    plan, (weights, bias), n_rates = problem.plan, problem.start, len(schedules)
    A, y = _design(problem), np.asarray(problem.y_nk, dtype=np.float64)
    first = np.asarray(weights if bias is None else np.vstack([weights, bias]), dtype=np.float64)
    theta = np.repeat(first[:, None, :], n_rates, axis=1)
    b = np.asarray(momenta, dtype=np.float64)[None, :, None]
    gain, buffer = np.where(b > 0, 1 - rule.dampening, 1.0), np.zeros_like(theta)
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(plan.epochs):
            lr = np.array([rate(epoch) for rate in schedules])[None, :, None]
            order = plan.row_order(epoch)
            rows, targets = (A, y) if order is None else (A[order.numpy()], y[order.numpy()])
            weight_n = problem.weight_n
            if weight_n is not None and order is not None:
                weight_n = weight_n[order.numpy()]
            for batch in range(plan.steps_per_epoch):
                part = slice(*plan.batch_bounds(batch))
                of_part = None if weight_n is None else weight_n[part]
                gradient = _gradient(problem, rows[part], targets[part], theta, of_part) + rule.weight_decay * theta
                # The first buffer is the gradient itself; without momentum every buffer is.
                buffer = b * buffer + gain * gradient if epoch or batch else gradient
                theta = theta - lr * (gradient + b * buffer if rule.nesterov else buffer)
    p = problem.X_nd.shape[1]
    return np.array([objective(problem, end[:p], end[p] if problem.bias else None) for end in theta.transpose(1, 0, 2)])


def objective(problem: Problem, weights: Array, bias: Array | None) -> float:
    """The objective of a squared loss above its minimum, in the units of a step; of another loss, the objective itself.

    It includes the penalty of the weight decay. See `Problem.relative_to` for the units.

    Args:
        problem: the plan and the train split.
        weights: shape (n_features, n_targets).
        bias: shape (n_targets,); None without an intercept.

    Returns:
        Infinite if the parameters are not finite.
    """
    theta = np.asarray(weights if bias is None else np.vstack([weights, bias]), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        if problem.optimum is not None:
            found = problem.optimum.excess(weights, bias) * problem.batch_share
        else:
            e = torch.from_numpy(_design(problem) @ theta - np.asarray(problem.y_nk, dtype=np.float64))
            elements = problem.plan.loss.elements(e)
            if problem.weight_n is not None:
                elements = elements * torch.from_numpy(problem.weight_n)[:, None]
            found = float(elements.mean())
            found += problem.plan.weight_decay / 2 * float(np.sum(theta**2))
    return found if math.isfinite(found) else math.inf


def _design(problem: Problem) -> Array:
    """[X 1] in float64, shape (n_samples, n_parameters)."""
    A = np.asarray(problem.X_nd, dtype=np.float64)
    return np.column_stack([A, np.ones(len(A))]) if problem.bias else A


def _gradient(problem: Problem, A: Array, y: Array, theta: Array, weights: Array | None) -> npt.NDArray[Any]:
    """The gradient of the loss of a batch, of the shape of `theta`: (n_parameters, C, n_targets)."""
    p, n_rates, k = theta.shape
    e = (A @ theta.reshape(p, -1)).reshape(len(A), n_rates, k) - y[:, None, :]
    loss = problem.plan.loss
    if loss.is_squared:
        e *= 2 * loss_scale(loss.name, len(A), k)
    elif loss.name == "mae":
        e = np.sign(e) / (len(A) * k)
    else:
        e = np.clip(e, -loss.huber_delta, loss.huber_delta) / (len(A) * k)
    if weights is not None:
        e *= weights[:, None, None]
    gradient: npt.NDArray[Any] = (A.T @ e.reshape(len(A), -1)).reshape(p, n_rates, k)
    return gradient
