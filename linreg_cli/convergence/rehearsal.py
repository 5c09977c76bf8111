"""The end of short mini-batch runs at several rates, by taking their steps in advance, all rates at once.

A forecast of random batches is an expectation, and single runs scatter around it. The order of the rows is a function
of seed and epoch, so what a short run will do can be computed.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.data.columns.rows import in_memory
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.row_order import Blocks
from linreg_cli.optim.schedules import Schedule

#: Longer runs are not rehearsed: this many steps, and products of cells, take less than a second.
MOST_STEPS, MOST_PRODUCTS = 20_000, 5e8
#: Numbers of rows that are in memory at once: their inputs, and their errors at all rates.
CELLS = 2**20


def is_short(problem: Problem, n_rates: int) -> bool:
    """Whether the runs of a number of rates take less than a second."""
    plan, p = problem.plan, len(problem.features) + problem.bias
    if isinstance(plan.rows, Blocks) or (plan.rows.is_random and not in_memory(problem.X_nd)):
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
        The `objectives`, shape (C,); infinite where the run diverges.
    """
    plan, (weights, bias), n_rates = problem.plan, problem.start, len(schedules)
    first = np.asarray(weights if bias is None else np.vstack([weights, bias]), dtype=np.float64)
    theta = np.repeat(first[:, None, :], n_rates, axis=1)
    b = np.asarray(momenta, dtype=np.float64)[None, :, None]
    gain, buffer = np.where(b > 0, 1 - rule.dampening, 1.0), np.zeros_like(theta)
    rows = _Rows(problem, n_rates)
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(plan.epochs):
            lr = np.array([rate(epoch) for rate in schedules])[None, :, None]
            order = plan.row_order(epoch)
            for batch in range(plan.steps_per_epoch):
                gradient = _gradient(problem, rows, order, plan.batch_bounds(batch), theta) + rule.weight_decay * theta
                # The first buffer is the gradient itself; without momentum every buffer is.
                buffer = b * buffer + gain * gradient if epoch or batch else gradient
                theta = theta - lr * (gradient + b * buffer if rule.nesterov else buffer)
    return objectives(problem, theta)


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
    return float(objectives(problem, theta[:, None, :])[0])


def objectives(problem: Problem, theta_pck: Array) -> Array:
    """The `objective` of each of C parameters, weights above the bias, shape (C,), in one pass over the rows."""
    n_features = problem.X_nd.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        if problem.optimum is not None:
            ends = theta_pck.transpose(1, 0, 2)
            excess = (problem.optimum.excess(end[:n_features], end[-1] if problem.bias else None) for end in ends)
            found = np.array([each * problem.batch_share for each in excess])
        else:
            n, k = problem.y_nk.shape
            found = np.zeros(theta_pck.shape[1])
            for A, y, weights in _Rows(problem, theta_pck.shape[1]).pieces(None, 0, n):
                elements = problem.plan.loss.elements(torch.from_numpy(_errors(A, y, theta_pck))).numpy()
                found += (elements if weights is None else elements * weights[:, None, None]).sum(axis=(0, 2))
            found = found / (n * k) + problem.plan.weight_decay / 2 * np.sum(theta_pck**2, axis=(0, 2))
    return np.where(np.isfinite(found), found, math.inf)


class _Rows:
    """[X 1], y and the weights in float64, as many rows at a time as `CELLS` allows: in memory or on the disk.

    Args:
        problem: the plan and the train split.
        n_rates: the number of rates whose errors are computed at once.
    """

    def __init__(self, problem: Problem, n_rates: int) -> None:
        self._problem, (n, k) = problem, problem.y_nk.shape
        self._most = min(n, max(1, CELLS // (problem.X_nd.shape[1] + problem.bias + n_rates * k)))
        self._order: Tensor | None = None
        self._first, self._held = 0, self._read(None, 0, 0)

    def pieces(self, order: Tensor | None, first: int, last: int) -> Iterator[tuple[Array, Array, Array | None]]:
        """The rows at the positions `first` to `last - 1` of an order, in their order; None: as they stand."""
        for start in range(first, last, self._most):
            stop = min(start + self._most, last)
            if order is not self._order or start < self._first or stop > self._first + len(self._held[0]):
                self._order, self._first = order, start
                self._held = self._read(order, start, min(start + self._most, len(self._problem.X_nd)))
            A, y, weights = self._held
            at = slice(start - self._first, stop - self._first)
            yield A[at], y[at], None if weights is None else weights[at]

    def _read(self, order: Tensor | None, first: int, last: int) -> tuple[Array, Array, Array | None]:
        problem, weights = self._problem, self._problem.weight_n
        rows = slice(first, last) if order is None else order[first:last].numpy()
        X, y = (np.asarray(values[rows], dtype=np.float64) for values in (problem.X_nd, problem.y_nk))
        A = np.column_stack([X, np.ones(len(X))]) if problem.bias else np.ascontiguousarray(X)
        return A, y, None if weights is None else weights[rows]


def _errors(A: Array, y: Array, theta: Array) -> Array:
    """Prediction - target of some rows at C parameters, shape (n_rows, C, n_targets)."""
    p, n_rates, k = theta.shape
    e: Array = (A @ theta.reshape(p, -1)).reshape(len(A), n_rates, k) - y[:, None, :]
    return e


def _gradient(
    problem: Problem, rows: _Rows, order: Tensor | None, bounds: tuple[int, int], theta: Array
) -> npt.NDArray[Any]:
    """The gradient of the loss of a batch, of the shape of `theta`: (n_parameters, C, n_targets)."""
    loss, size, k = problem.plan.loss, bounds[1] - bounds[0], theta.shape[2]
    found: npt.NDArray[Any] | None = None
    for A, y, weights in rows.pieces(order, *bounds):
        e = _errors(A, y, theta)
        if loss.is_squared:
            e *= 2 * loss_scale(loss.name, size, k)
        elif loss.name == "mae":
            e = np.sign(e) / (size * k)
        else:
            e = np.clip(e, -loss.huber_delta, loss.huber_delta) / (size * k)
        if weights is not None:
            e *= weights[:, None, None]
        part = (A.T @ e.reshape(len(A), -1)).reshape(theta.shape)
        found = part if found is None else found + part
    assert found is not None
    return found
