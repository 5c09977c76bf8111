"""Executors on a CUDA device: microseconds a step, and how far the parameters are from the same steps in float64.

`python -m benchmarks.cuda` prints a table for docs/performance.md in less than eight minutes. With `--device cpu
--rows 20000` it shows on any machine that it runs; those times say nothing about a device.
"""

import argparse
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
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

FEATURES, BATCHES = (8, 32), (32, 1024, 0)  # 0: the full batch

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
        distance: largest difference of a parameter from the steps in float64, relative to the largest parameter.
    """

    microseconds: float
    steps: int
    distance: float


def table(rows: int, features: int, device: str) -> TrainRows:
    """Standard normal columns; y is their sum with noise of deviation 0.1; float32."""
    stream = torch.Generator(device).manual_seed(rows + features)
    X = torch.randn(rows, features, generator=stream, device=device)
    return TrainRows(X, X.sum(1, keepdim=True) + 0.1 * torch.randn(rows, 1, generator=stream, device=device))


def plan_of(rows: TrainRows, batch: int) -> StepPlan:
    """One epoch in blocks; of the full batch, 200 epochs."""
    n, rate = rows.n_samples, 0.1 / rows.n_features
    size, epochs = (n, 200) if batch == 0 else (min(batch, n), 1)
    return StepPlan(n, size, epochs, True, 0, Loss("mse"), lambda epoch: rate, n_blocks=8)


def taken(name: str, rows: TrainRows, plan: StepPlan, steps: int, dtype: torch.dtype) -> tuple[float, torch.Tensor]:
    """Seconds of some steps from zeros, and the parameters after them."""
    model = build_model(rows.n_features, 1, bias=True, dtype=dtype, device=rows.device)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    state = TrainingState(model)
    executor = EXECUTORS[name](TrainRows(rows.X_nd.to(dtype), rows.y_nk.to(dtype)))
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


def lines(device: str, n_rows: int) -> Iterator[str]:
    """The table, line by line."""
    begun = time.perf_counter()
    what = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or "CPU"
    yield f"{what}, torch {torch.__version__}, {n_rows:,} rows, float32, microseconds a step:"
    yield ""
    yield "| columns | batch | executor | us a step | steps | from float64 |"
    yield "|---|---|---|---|---|---|"
    for features in FEATURES:
        rows = table(n_rows, features, device)
        for batch in BATCHES:
            plan = plan_of(rows, batch)
            for name in EXECUTORS:
                if unable(name, plan, rows.device.type) is not None or (name == "affine" and plan.is_full_batch):
                    continue
                at = f"| {features} | {batch or 'full'} | {name} |"
                if time.perf_counter() - begun > BUDGET:
                    yield f"{at} not measured: the time was up | | |"
                    continue
                found = measured(name, rows, plan)
                yield f"{at} {found.microseconds:.3g} | {found.steps:,} | {found.distance:.1e} |"


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
