"""What torch.optim.SGD itself does with a table, for the tests that foretell it."""

from collections.abc import Iterator

import numpy as np
import torch

from linreg_cli.optim.losses import Loss


def descend(
    X, y, *, lr, loss="mse", bias=True, weights=None, start_bias=0.0, momentum=0.0, dampening=0.0, nesterov=False,
    weight_decay=0.0, batches=None,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:  # fmt: skip
    """Weights (d, k) and bias (k,) before the first step, then after each; `batches` yields rows, or None for all."""
    X, y = torch.as_tensor(X, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
    model = torch.nn.Linear(X.shape[1], y.shape[1], bias=bias, dtype=torch.float64)
    with torch.no_grad():
        model.weight[:] = 0.0 if weights is None else torch.as_tensor(weights).T
        if bias:
            model.bias[:] = start_bias
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1.0, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay
    )
    measure, step = Loss(loss), 0
    while True:
        yield model.weight.detach().numpy().T.copy(), model.bias.detach().numpy().copy() if bias else None
        rows = slice(None) if batches is None else next(batches)
        optimizer.param_groups[0]["lr"] = lr(step) if callable(lr) else lr
        optimizer.zero_grad()
        measure(model(X[rows]), y[rows]).backward()
        optimizer.step()
        step += 1


def state_after(steps: int, X, y, **options):
    """Weights and bias after a number of steps."""
    for step, state in enumerate(descend(X, y, **options)):
        if step == steps:
            return state
    raise AssertionError
