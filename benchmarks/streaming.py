"""What a run from the disk costs beside reading its table alone.

`python -m benchmarks.streaming` writes a Parquet table, prepares a run of each loss whose rows stay on the disk, and
prints medians of CPU seconds, in turn with `ParquetFile.iter_batches`: the columns that are read and written to the
disk, the external shuffle of their scaled rows into another file, and an epoch with its train loss.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# before numpy and torch: as the command line has them
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from linreg_cli.config import load_config
from linreg_cli.convergence.on_disk import rows_on_disk
from linreg_cli.data.load import load_dataset
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.pipeline.prepared import Prepared
from linreg_cli.pipeline.silent import Silent

_BLOCK = 250_000
LOSSES = ("mse", "huber", "mae")


def write(path: Path, n_rows: int, n_features: int) -> None:
    """A table of standard normal numbers, float32, block by block."""
    rng = np.random.default_rng(0)
    names = [*(f"x{place}" for place in range(n_features)), "y"]
    with pq.ParquetWriter(path, pa.schema([(name, pa.float32()) for name in names])) as writer:
        for start in range(0, n_rows, _BLOCK):
            X = rng.standard_normal((min(_BLOCK, n_rows - start), n_features)).astype(np.float32)
            y = X.sum(axis=1) + rng.standard_normal(len(X)).astype(np.float32)
            writer.write_table(pa.table([*X.T.copy(), y], names=names))


def cpu(action: Callable[[], object]) -> float:
    """CPU seconds of this process, in all threads."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


def read_alone(path: Path) -> None:
    """Read the table, and use nothing of it."""
    for _ in pq.ParquetFile(path).iter_batches():
        pass


def epoch(run: Prepared) -> None:
    """The steps of an epoch, and the loss of the train split after it."""
    begun = run.state.step
    run.choice.executor.run(run.plan, run.state, begun, begun + run.plan.steps_per_epoch)
    run.loss("train")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 5_000_000), ("features", 16), ("batch", 32), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    print(f"{given.rows:,} x {given.features + 1}, batches of {given.batch}, medians of {given.rounds} rounds, CPU s\n")
    print("| loss | `iter_batches` alone | the columns / it | the shuffled rows / it | an epoch with its loss / it |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="linreg-streaming-", dir="/var/tmp") as folder:
        table, file = Path(folder) / "t.parquet", Path(folder) / "c.yaml"
        write(table, given.rows, given.features)
        file.write_text(
            f"data: {{path: {table}, target: y, stream: true}}\noptimizer: {{lr: 0.001}}\n"
            f"train: {{epochs: {1 + given.rounds}, batch_size: {given.batch}}}\n",
            encoding="utf-8",
        )
        for loss in LOSSES:
            run = prepare(load_config([str(file)], [f"loss={loss}"]), Silent())
            shuffle = partial(rows_on_disk, run.dataset, run.preprocessor, "train", torch.float32, run.plan.rows)
            load = partial(load_dataset, run.config)
            actions = partial(read_alone, table), load, shuffle, partial(epoch, run)
            rounds = [[cpu(action) for action in actions] for _ in range(1 + given.rounds)][1:]
            ratios = [statistics.median(each[i] / each[0] for each in rounds) for i in (1, 2, 3)]
            alone = statistics.median(each[0] for each in rounds)
            print(f"| {loss} | {alone:.2f} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)


if __name__ == "__main__":
    main()
