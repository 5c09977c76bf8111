"""Several processes on one machine against one, with one thread each: passes over the rows, and mini-batches.

`python -m benchmarks.ranks` starts groups of one and of two processes in turn, and prints a table. On a busy machine
wall time says little: the ratio of processor time is that of one process over the first of two, which has the most to
do, with what each exchange takes.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.model import build_model
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.optim.engines.shard_work import ShardWork
from linreg_cli.optim.engines.shared import serve
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, SharedTrainRows, TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.ranks.group import Ranks
from linreg_cli.ranks.shards import Shards

#: name -> executor, loss, rows of a batch (0: all), epochs. What is timed is `ShardWork.run` or `ShardWork.moments`.
TASKS = {
    "full batches, huber": ("sharded", "huber", 0, 20),
    "moments": ("statistics", "mse", 0, 1),
    "an epoch, batch 32": ("sharded", "mse", 32, 1),
    "an epoch, batch 65,536": ("sharded", "mse", 65_536, 5),
}


def timed(method: Callable[..., Any], found: list[tuple[float, float]]) -> Callable[..., Any]:
    """The method, which notes its wall and processor time, in seconds."""

    def call(*arguments: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = method(*arguments)
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
        return result

    return call


def work(rows: int, features: int) -> None:
    """As one of the processes: do every task, and print its times."""
    torch.set_num_threads(1)
    ranks, found = Ranks.join(None) if "WORLD_SIZE" in os.environ else None, list[tuple[float, float]]()
    for name in ("run", "moments"):
        setattr(ShardWork, name, timed(getattr(ShardWork, name), found))
    stream, shards = torch.Generator().manual_seed(0), Shards(rows, 8)
    X = torch.randn(rows, features, generator=stream)
    y = X.sum(1, keepdim=True) + torch.randn(rows, 1, generator=stream)
    data: AnyRows = TrainRows(X, y)
    if ranks is not None:  # each holds the rows of its shards
        held = shards.of_ranks(ranks.size)[ranks.rank]
        first, last = (int(shards.bounds[at]) for at in (held.start, held.stop))
        bounds = (shards.bounds[held.start : held.stop + 1] - first).tolist()
        number = ranks.next_number()
        ranks.held[number] = DividedRows(X[first:last].numpy(), y[first:last].numpy(), None, bounds, before=first)
        data = SharedTrainRows(RowsOfRanks(X.numpy(), y.numpy(), None, ranks, number))
    if ranks is not None and ranks.rank:
        serve(ranks)
    else:
        for name, loss, batch, epochs in TASKS.values():
            plan = StepPlan(
                rows, batch or rows, epochs, True, 0, Loss(loss), lambda epoch: 0.01 / features, n_blocks=8,
                shards=shards,
            )  # fmt: skip
            executor, model = EXECUTORS[name](data), build_model(features, 1, bias=True, dtype=torch.float32)
            for parameter in model.parameters():
                torch.nn.init.zeros_(parameter)
            executor.load(plan)
            executor.run(plan, TrainingState(model), 0, plan.total_steps)
        if ranks is not None:
            ranks.end(0)
    print(json.dumps(found))


def group(size: int, rows: int, features: int) -> list[list[tuple[float, float]]]:
    """The times of each process of a group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(size)}
    words = [sys.executable, "-m", "benchmarks.ranks", "--worker", "--rows", str(rows), "--features", str(features)]
    processes = []
    for rank in range(size):
        variables = {**place, "RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo"} if size > 1 else {}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        processes.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True))
    return [json.loads(process.communicate()[0]) for process in processes]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 4_000_000), ("features", 32), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.rows, given.features)
        return
    rounds = [[group(size, given.rows, given.features) for size in (1, 2)] for _ in range(given.rounds)]
    print(f"{given.rows:,} x {given.features}, float32, 8 shards, medians of {given.rounds} rounds of one and two\n")
    print("| | one process, wall and CPU ms | two, wall and CPU ms of the first | one / two, wall | CPU |")
    print("|---|---|---|---|---|")
    for at, task in enumerate(TASKS):
        one, two = ([[both[k][0][at][i] for i in (0, 1)] for both in rounds] for k in (0, 1))
        ratio = [statistics.median(a[i] / b[i] for a, b in zip(one, two, strict=True)) for i in (0, 1)]
        times = [f"{statistics.median(each[i] for each in of) * 1e3:.0f}" for of in (one, two) for i in (0, 1)]
        print(f"| {task} | {times[0]}, {times[1]} | {times[2]}, {times[3]} | {ratio[0]:.2f} | {ratio[1]:.2f} |")


if __name__ == "__main__":
    main()
