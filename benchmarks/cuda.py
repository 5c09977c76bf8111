"""Executors on a CUDA device: microseconds a step, and how far the parameters are from the same steps in float64.

Rows lie on the device, or are moved to it from a temporary file window by window (`from the disk`), and then the
parameters must be the same bits.

`python -m benchmarks.cuda` prints a table for docs/performance.md in less than eight minutes. With `--device cpu
--rows 20000` it shows on any machine that it runs; those times say nothing about a device.
"""

import argparse
import functools
import itertools
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from linreg_cli.model import build_model
from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, StoredRows, TrainRows
from linreg_cli.optim.state import TrainingState

FEATURES, BATCHES = (8, 32), (32, 1024, 0)  # 0: the full batch

#: Rows of a block of those that are moved: 32 MiB of 33 columns.
BLOCK_ROWS = 250_000

#: Seconds for all; what has not begun by then is left out, by name.
BUDGET = 420.0

#: A step of the reference costs launches, whatever its size: so many are timed and the rest is not.
REFERENCE_STEPS = 500


@dataclass(frozen=True)
class Timed:
    """Steps of one executor.

    Attributes:
        microseconds: a step, median of three, with the first pass over the rows where there is one.
        steps: that were timed.
        distance: largest difference of a parameter from the steps in float64, relative to the largest parameter; from
            the disk, from the same steps of rows that lie on the device.
    """

    microseconds: float
    steps: int
    distance: float

    def __str__(self) -> str:
        return f"{self.microseconds:.3g} | {self.steps:,} | {self.distance:.1e} |"


def table(rows: int, features: int, device: str) -> TrainRows:
    """Standard normal columns; y is their sum with noise of deviation 0.1; float32."""
    stream = torch.Generator(device).manual_seed(rows + features)
    X = torch.randn(rows, features, generator=stream, device=device)
    return TrainRows(X, X.sum(1, keepdim=True) + 0.1 * torch.randn(rows, 1, generator=stream, device=device))


def plan_of(rows: TrainRows, batch: int) -> StepPlan:
    """One epoch in blocks; of the full batch, 200 epochs."""
    n, rate = rows.n_samples, 0.1 / rows.n_features
    size, epochs = (n, 200) if batch == 0 else (min(batch, n), 1)
    return StepPlan(n, size, epochs, True, 0, Loss("mse"), lambda epoch: rate, n_blocks=max(8, n // BLOCK_ROWS))


def on_disk(rows: TrainRows) -> StoredRows:
    """The same rows in a temporary file, from which they are moved to the device where they lie now."""
    stored = StoredRows.empty(rows.n_samples, rows.n_features, 1, rows.dtype)
    for first in range(0, rows.n_samples, BLOCK_ROWS):
        stored.write(first, rows.part(first, min(first + BLOCK_ROWS, rows.n_samples)).on(torch.device("cpu")))
    stored.onto = rows.device
    return stored


def taken(name: str, rows: AnyRows, plan: StepPlan, steps: int, dtype: torch.dtype) -> tuple[float, torch.Tensor]:
    """Seconds of some steps from zeros, and the parameters after them; rows on the disk have the dtype already."""
    model = build_model(rows.n_features, 1, bias=True, dtype=dtype, device=rows.device)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    state = TrainingState(model)
    given = TrainRows(rows.X_nd.to(dtype), rows.y_nk.to(dtype)) if isinstance(rows, TrainRows) else rows
    executor = EXECUTORS[name](given)
    plan.row_order(0)
    _wait(rows.device)
    begun = time.perf_counter()
    executor.run(plan, state, 0, steps)
    _wait(rows.device)
    seconds = time.perf_counter() - begun
    return seconds, torch.cat([value.detach().double().ravel() for value in model.parameters()]).cpu()


def measured(name: str, rows: TrainRows, plan: StepPlan) -> Timed:
    """An executor on a plan, against `affine` in float64; `affine` itself against the reference."""
    compared = min(plan.total_steps, REFERENCE_STEPS)
    steps = compared if name == "reference" else plan.total_steps
    _, exact = taken("reference" if name == "affine" else "affine", rows, plan, compared, torch.float64)
    _, found = taken(name, rows, plan, compared, torch.float32)
    seconds = statistics.median(taken(name, rows, plan, steps, torch.float32)[0] for _ in range(3))
    return Timed(seconds / steps * 1e6, steps, float((found - exact).abs().max() / exact.abs().max()))


def moved(name: str, rows: TrainRows, stored: StoredRows, plan: StepPlan) -> Timed:
    """An executor on rows that are moved to the device, against the same on rows that lie there; one time, no more."""
    steps = min(plan.total_steps, 10 * REFERENCE_STEPS) if name == "reference" else plan.total_steps
    _, expected = taken(name, rows, plan, steps, torch.float32)
    seconds, found = taken(name, stored, plan, steps, torch.float32)
    return Timed(seconds / steps * 1e6, steps, float((found - expected).abs().max() / expected.abs().max()))


def lines(device: str, n_rows: int) -> Iterator[str]:
    """The table, line by line."""
    begun = time.perf_counter()
    what = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or "CPU"
    yield f"{what}, torch {torch.__version__}, {n_rows:,} rows, float32, microseconds a step:"
    yield ""
    yield "| columns | batch | executor | rows | us a step | steps | distance |"
    yield "|---|---|---|---|---|---|---|"
    for features in FEATURES:
        rows = table(n_rows, features, device)
        stored = on_disk(rows)
        for batch, name in itertools.product(BATCHES, EXECUTORS):
            plan, at = plan_of(rows, batch), f"| {features} | {batch or 'full'} | {name} |"
            if unable(name, plan, rows.device.type) is not None or (name == "affine" and plan.is_full_batch):
                continue
            ways = {"on the device": functools.partial(measured, name, rows, plan)}
            if unable(name, plan, rows.device.type, stored=True) is None:
                ways["from the disk"] = functools.partial(moved, name, rows, stored, plan)
            for where, way in ways.items():
                late = time.perf_counter() - begun > BUDGET
                yield f"{at} {where} | {'not measured: the time was up | | |' if late else way()}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=10_000_000)
    chosen = parser.parse_args()
    for line in lines(chosen.device, chosen.rows):
        print(line, flush=True)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
