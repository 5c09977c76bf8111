"""Random tables of awkward kinds, and SGD on them written out in numpy, which shares nothing with the package."""

import numpy as np

KINDS = ("normal", "correlated", "heavy-tailed", "sorted", "duplicated", "rare indicators")
LOSSES = ("mse", "sse", "half_mse")
RULES = (
    {},
    {"momentum": 0.5},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.8, "dampening": 0.4},
    {"weight_decay": 0.1},
    {"momentum": 0.7, "weight_decay": 0.05},
)


def design(rng, kind, n, d):
    """Features (n, d), centred and of standard deviation 1 where they vary, and a target (n, 1)."""
    X = rng.normal(size=(n, d))
    if kind == "correlated":
        X = X @ (0.15 * np.eye(d) + rng.normal(size=(d, 1)) @ rng.normal(size=(1, d)))
    if kind == "heavy-tailed":
        X = rng.standard_t(2, size=(n, d))
        X[rng.integers(n)] *= 10
    if kind == "sorted":
        X = X[np.argsort(X[:, 0])]
    if kind == "duplicated":
        X = X[np.sort(rng.integers(0, max(2, n // 4), n))]
    if kind == "rare indicators":
        X[:, 0] = np.arange(n) == rng.integers(n)
    spread = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return X, X @ rng.normal(size=(d, 1)) + 1.0 + 0.5 * rng.normal(size=(n, 1))


def gap(X, y, theta, loss="mse", penalty=0.0):
    """(objective - minimum) / minimum at theta, shape (d + 1, 1), by numpy's least squares; theta may be a stack."""
    A, n = np.column_stack([X, np.ones(len(X))]), len(X)
    c = {"mse": 1 / n, "half_mse": 0.5 / n, "sse": 1.0}[loss]
    rows = np.vstack([np.sqrt(c) * A, np.sqrt(penalty / 2) * np.eye(A.shape[1])])
    right = np.vstack([np.sqrt(c) * y, np.zeros((A.shape[1], 1))])
    best = np.linalg.lstsq(rows, right, rcond=None)[0]
    least = float(np.sum((rows @ best - right) ** 2))
    return np.sum((rows @ (theta - best)) ** 2, axis=(-2, -1)) / least


def walk(
    X, y, orders, *, size, lr, theta, loss="mse", momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0,
    noise=True,
):  # fmt: skip
    """The parameters (runs, d + 1, 1) after each epoch of several runs at once, beginning with the initial ones.

    `orders` yields for each epoch the rows of every run, shape (runs, n). `lr` is a rate or a function of the epoch,
    `theta` the initial parameters, shape (d + 1, 1). Without `noise` the residuals at the optimum are subtracted, so
    that only the products of the steps are left.
    """
    A = np.column_stack([X, np.ones(len(X))])
    if not noise:
        y = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    buffer = None
    for epoch, order in enumerate(orders):
        if not epoch:
            theta = np.broadcast_to(theta, (len(order), *theta.shape))
        yield theta
        for at in range(0, len(X), size):
            rows = order[:, at : at + size]
            a, b = A[rows], rows.shape[1]
            scale = {"mse": 2 / b, "half_mse": 1 / b, "sse": 2.0}[loss]
            gradient = scale * a.swapaxes(1, 2) @ (a @ theta - y[rows]) + weight_decay * theta
            step = gradient
            if momentum:
                buffer = gradient if buffer is None else momentum * buffer + (1 - dampening) * gradient
                step = gradient + momentum * buffer if nesterov else buffer
            theta = theta - (lr(epoch) if callable(lr) else lr) * step


def given(n, epochs):
    """The rows as given, for one run."""
    return (np.arange(n)[None] for _ in range(epochs + 1))


def shuffled(n, epochs, runs, seed=0):
    """A new permutation for every run and epoch."""
    rng = np.random.default_rng(seed)
    return (rng.permuted(np.tile(np.arange(n), (runs, 1)), axis=1) for _ in range(epochs + 1))
