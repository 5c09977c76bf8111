"""The same steps, run by whatever a user might pick, with the floors of this machine beside them.

    python -m benchmarks.steps [--quick] [-o benchmarks/results/steps.json]

Every contender takes the same steps on the same rows: one epoch of plain SGD on the mean squared error.
Each figure is the median of at least five runs, after one that is not counted; the spread is that of the middle half.
Loops of Python are timed on fewer rows and scaled up, as a loop's cost does. What is not installed is skipped by name.
The native executor finds its row order drawn: it draws one while it runs the epoch before; `randperm` says the cost.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.select import EXECUTORS
from linreg_cli.optim.state import TrainingState

SHAPES = ((1_000_000, 8), (1_000_000, 32), (200_000, 128))
BATCHES = (1, 32, 256)
RATE = 1e-3
KINDS = ("ms", "best")
#: Rows of a loop of Python, and of the comparison with float64 torch.
SLOW_ROWS = 4096


def timed(run: Callable[[], Any], runs: int = 7, scale: float = 1.0) -> dict[str, float]:
    """Median, quartiles and minimum in milliseconds; the minimum is what a busy machine disturbs least."""
    run()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        run()
        seconds.append((time.perf_counter() - begun) * 1e3 * scale)
    low, median, high = statistics.quantiles(seconds, n=4)
    return {"ms": median, "best": min(seconds), "low": low, "high": high, "runs": runs, "scaled": scale}


def table(rows: int, features: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    X = torch.randn(rows, features, generator=stream)
    y = X @ torch.ones(features, 1) + 0.1 * torch.randn(rows, 1, generator=stream)
    return X.to(dtype), y.to(dtype)


def fresh(features: int, dtype: torch.dtype = torch.float32) -> TrainingState:
    model = build_model(features, 1, bias=True, dtype=dtype)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return TrainingState(model)


def plan(rows: int, batch: int, shuffle: bool, epochs: int = 1) -> StepPlan:
    return StepPlan(rows, batch, epochs, shuffle, 0, Loss("mse"), lambda epoch: RATE)


def floors(X: Tensor, y: Tensor) -> dict[str, dict[str, float]]:
    order = torch.randperm(len(X))
    return {
        "one read of X (X.sum())": timed(X.sum, 40),
        "gather (index_select of X and y)": timed(lambda: [z.index_select(0, order) for z in (X, y)], 15),
        "randperm": timed(lambda: torch.randperm(len(X))),
    }


def textbook(X: Tensor, y: Tensor, batch: int, shuffle: bool) -> Callable[[], None]:
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=batch, shuffle=shuffle)

    def run() -> None:
        model = fresh(X.shape[1]).model
        optimizer, loss = torch.optim.SGD(model.parameters(), lr=RATE), nn.MSELoss()
        for inputs, target in loader:
            optimizer.zero_grad()
            loss(model(inputs), target).backward()
            optimizer.step()

    return run


def sliced(X: Tensor, y: Tensor, batch: int, shuffle: bool) -> Callable[[], None]:
    def run() -> None:
        model = fresh(X.shape[1]).model
        optimizer, loss = torch.optim.SGD(model.parameters(), lr=RATE), nn.MSELoss()
        order = torch.randperm(len(X)) if shuffle else torch.arange(len(X))
        for rows in order.split(batch):
            optimizer.zero_grad()
            loss(model(X[rows]), y[rows]).backward()
            optimizer.step()

    return run


def by_hand(X: Tensor, y: Tensor, batch: int, shuffle: bool) -> Callable[[], None]:
    def run() -> None:
        w, b = torch.zeros(X.shape[1], 1), torch.zeros(1)
        order = torch.randperm(len(X)) if shuffle else torch.arange(len(X))
        for rows in order.split(batch):
            x = X[rows]
            e = torch.addmm(b, x, w) - y[rows]
            w.addmm_(x.T, e, alpha=-2 * RATE / len(rows))
            b -= 2 * RATE * e.mean()

    return run


def prefix_products(X: Tensor, y: Tensor, batch: int) -> Callable[[], Tensor]:
    """A step of a squared loss is affine in (w, b, 1): multiply the matrices pairwise, all batches at once."""
    n, d = X.shape
    rows = torch.cat([X, torch.ones(n, 1), -y], 1)

    def run() -> Tensor:
        z = rows[: n // batch * batch].view(-1, batch, d + 2)
        step = torch.eye(d + 2) - 2 * RATE / batch * torch.bmm(z.transpose(1, 2), z)
        step[:, -1] = torch.eye(d + 2)[-1]
        while len(step) > 1:
            last = step[len(step) // 2 * 2 :]
            step = torch.cat([torch.bmm(step[1::2], step[: len(step) // 2 * 2 : 2]), last])
        return step[0, :, -1]

    return run


def sgd_regressor(X: Tensor, y: Tensor) -> Callable[[], Any] | None:
    try:
        from sklearn.linear_model import SGDRegressor
    except ImportError:
        return None
    inputs, target = X.numpy(), y.numpy().ravel()
    # scikit-learn's gradient is e x where that of the mean squared error is 2 e x.
    options = {
        "alpha": 0.0,
        "learning_rate": "constant",
        "eta0": 2 * RATE,
        "tol": None,
        "max_iter": 1,
        "shuffle": False,
    }
    return lambda: SGDRegressor(**options).fit(inputs, target)


def executor(name: str, X: Tensor, y: Tensor, steps: StepPlan) -> Callable[[], Tensor]:
    made = EXECUTORS[name](X, y)
    return lambda: made.run(steps, fresh(X.shape[1], X.dtype), 0, steps.total_steps)


def parameter_gap(name: str, features: int, batch: int, shuffle: bool) -> float:
    """Largest difference of a parameter from torch.optim.SGD in float64, after an epoch of a few rows."""
    ends = []
    for engine, dtype in ((name, torch.float32), ("reference", torch.float64)):
        X, y = table(SLOW_ROWS, features, dtype)
        state, steps = fresh(features, dtype), plan(SLOW_ROWS, min(batch, SLOW_ROWS), shuffle)
        EXECUTORS[engine](X, y).run(steps, state, 0, steps.total_steps)
        ends.append(torch.cat([value.detach().double().ravel() for value in state.model.parameters()]))
    return float((ends[0] - ends[1]).abs().max())


def epochs_in_batches(shapes: tuple[tuple[int, int], ...]) -> Iterator[dict[str, Any]]:
    for rows, features in shapes:
        X, y = table(rows, features)
        bounds = floors(X, y)
        yield {"rows": rows, "features": features, "floors": bounds}
        read, gather = bounds["one read of X (X.sum())"], bounds["gather (index_select of X and y)"]
        few = min(rows, SLOW_ROWS)
        small = X[:few], y[:few]
        for batch in BATCHES:
            for shuffle in (True, False):
                cell = {
                    "rows": rows, "features": features, "batch": batch, "shuffle": shuffle,
                    "target": {kind: (1.5 * gather[kind] if shuffle else 0) + 3 * read[kind] for kind in KINDS},
                    "gap": parameter_gap("native", features, batch, shuffle),
                    "native": timed(executor("native", X, y, plan(rows, batch, shuffle))),
                }  # fmt: skip
                if features == 8 and shuffle:
                    scale = rows / few
                    cell["textbook loop"] = timed(textbook(*small, batch, True), 5, scale)
                    cell["tensor slices"] = timed(sliced(*small, batch, True), 5, scale)
                    cell["by hand"] = timed(by_hand(*small, batch, True), 5, scale)
                    cell["reference"] = timed(executor("reference", *small, plan(few, batch, True)), 5, scale)
                if features == 8 and not shuffle:
                    peer = sgd_regressor(X, y) if batch == 1 else None
                    if peer:
                        cell["SGDRegressor"] = timed(peer, 5)
                    if batch > 1:
                        cell["prefix products"] = timed(prefix_products(X, y, batch), 5)
                yield cell


def full_batches(rows: int, features: int) -> dict[str, Any]:
    """One epoch and 1,000, from nothing: the statistics are measured anew in each run."""
    X, y = table(rows, features)

    def statistics_of(epochs: int) -> Callable[[], None]:
        return lambda: executor("statistics", X, y, plan(rows, rows, False, epochs))()

    return {
        "rows": rows,
        "features": features,
        "statistics, 1 epoch": timed(statistics_of(1)),
        "statistics, 1000 epochs": timed(statistics_of(1000)),
        "native, 1 epoch": timed(executor("native", X, y, plan(rows, rows, False))),
        "reference, 1 epoch": timed(executor("reference", X, y, plan(rows, rows, False)), 5),
        "gap": parameter_gap("statistics", features, SLOW_ROWS, False),
    }


def machine() -> dict[str, Any]:
    import numba

    return {
        "cores": os.cpu_count(), "threads": torch.get_num_threads(), "cpu": platform.machine(),
        "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
        "numba": numba.__version__,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 x 8 only")
    parser.add_argument("-o", default="benchmarks/results/steps.json")
    options = parser.parse_args()
    shapes = ((100_000, 8),) if options.quick else SHAPES
    cells = []
    for cell in epochs_in_batches(shapes):
        cells.append(cell)
        print(json.dumps(cell), flush=True)
    full = full_batches(*shapes[0])
    print(json.dumps(full))
    Path(options.o).write_text(json.dumps({"machine": machine(), "epochs": cells, "full": full}, indent=1) + "\n")


if __name__ == "__main__":
    main()
