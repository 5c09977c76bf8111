"""Engines: linreg's executors, and the loops that a user of torch writes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.problems import Array
from benchmarks.steps import Steps
from linreg_cli.model import build_model
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState


def tensors(steps: Steps, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """X (n_samples, n_features) and y (n_samples, 1)."""
    return torch.from_numpy(steps.table.X).to(dtype), torch.from_numpy(steps.table.y).to(dtype).unsqueeze(1)


def zeros(features: int, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """The model with every parameter 0."""
    model = build_model(features, 1, bias=True, dtype=dtype)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def parameters(model: nn.Module) -> Array:
    """Weights and then the bias, float64."""
    return torch.cat([value.detach().double().ravel() for value in model.parameters()]).numpy()


def executor(name: str) -> Callable[[Steps], Callable[[], Array]]:
    """linreg's executor of a name."""

    def engine(steps: Steps) -> Callable[[], Array]:
        X, y = tensors(steps)
        made, plan = EXECUTORS[name](TrainRows(X, y)), steps.plan

        def run() -> Array:
            # Moments are measured anew in each run: they are part of what a user waits for.
            runner = EXECUTORS[name](TrainRows(X, y)) if name == "statistics" else made
            state = TrainingState(zeros(X.shape[1]))
            runner.run(plan, state, 0, plan.total_steps)
            return parameters(state.model)

        return run

    return engine


def textbook(steps: Steps) -> Callable[[], Array]:
    """DataLoader, autograd, `SGD.step()`."""
    X, y = tensors(steps)
    orders = [None if order is None else order.tolist() for order in steps.orders()]
    dataset = torch.utils.data.TensorDataset(X, y)

    def run() -> Array:
        model, loss = zeros(X.shape[1]), nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=steps.rate, momentum=steps.momentum)
        for order in orders:
            for inputs, target in torch.utils.data.DataLoader(dataset, batch_size=steps.batch, sampler=order):
                optimizer.zero_grad()
                loss(model(inputs), target).backward()
                optimizer.step()
        return parameters(model)

    return run


def slices(steps: Steps, dtype: torch.dtype = torch.float32) -> Callable[[], Array]:
    """Slices of the tensors, autograd, `SGD.step()`; in float64 it is what all others are compared with."""
    X, y = tensors(steps, dtype)
    n, orders = len(X), [None if order is None else torch.from_numpy(order) for order in steps.orders()]

    def run() -> Array:
        model, loss = zeros(X.shape[1], dtype), nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=steps.rate, momentum=steps.momentum)
        for order in orders:
            for first in range(0, n, steps.batch):
                rows = slice(first, first + steps.batch) if order is None else order[first : first + steps.batch]
                optimizer.zero_grad()
                loss(model(X[rows]), y[rows]).backward()
                optimizer.step()
        return parameters(model)

    return run


def by_hand(steps: Steps) -> Callable[[], Array]:
    """The gradient written out in torch operations; plain SGD."""
    X, y = tensors(steps)
    n, orders = len(X), [None if order is None else torch.from_numpy(order) for order in steps.orders()]

    def run() -> Array:
        w, b = torch.zeros(X.shape[1], 1), torch.zeros(1)
        for order in orders:
            for first in range(0, n, steps.batch):
                rows = slice(first, first + steps.batch) if order is None else order[first : first + steps.batch]
                x = X[rows]
                e = torch.addmm(b, x, w) - y[rows]
                w.addmm_(x.T, e, alpha=-2 * steps.rate / len(x))
                b -= 2 * steps.rate * e.mean()
        return torch.cat([w.ravel(), b]).double().numpy()

    return run


def prefix_products(steps: Steps) -> Callable[[], Array]:
    """A step of a squared loss is affine in (w, b, 1): multiply the matrices of an epoch pairwise, all at once."""
    X, y = tensors(steps)
    (n, d), batch = X.shape, steps.batch
    rows = torch.cat([X, torch.ones(n, 1), -y], 1)
    (order,) = steps.orders()

    def stepped(z: Tensor) -> Tensor:
        step = torch.eye(d + 2) - 2 * steps.rate / z.shape[1] * torch.bmm(z.transpose(1, 2), z)
        step[:, -1] = torch.eye(d + 2)[-1]
        return step

    def run() -> Array:
        given = rows if order is None else rows[torch.from_numpy(order)]
        whole = n // batch * batch
        step = stepped(given[:whole].view(-1, batch, d + 2))
        if whole < n:
            step = torch.cat([step, stepped(given[None, whole:])])
        while len(step) > 1:
            last = step[len(step) // 2 * 2 :]
            step = torch.cat([torch.bmm(step[1::2], step[: len(step) // 2 * 2 : 2]), last])
        return step[0, : d + 1, -1].double().numpy()

    return run


def float64_torch(steps: Steps) -> Array:
    """The parameters after the steps in float64: what every engine should return."""
    return np.asarray(slices(steps, torch.float64)())
