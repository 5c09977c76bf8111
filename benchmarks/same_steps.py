"""Table 1: the same steps by every engine, with the floors of the machine and the difference from float64 torch.

    python -m benchmarks.same_steps [--share 0.01] [--rounds 5] [--results benchmarks/results]

One epoch of plain SGD on the mean squared error unless said, in float32, on all cores. Engines that would take minutes
are timed on a part of the rows (of the epochs, for full batches) and scaled up, as the cost of a loop scales.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks import ours, peers
from benchmarks.c_loop import c_loop
from benchmarks.measure import Figure, interleaved, say
from benchmarks.problems import Array, Problem, problem
from benchmarks.section import Options, Section, run_section
from benchmarks.steps import Contender, Steps, difference

#: A loop of Python takes this many steps, and meets this many rows, before it is scaled up.
LOOP_STEPS, LOOP_ROWS = 2000, 100_000
NATIVE, STATISTICS, TEXTBOOK = "linreg native", "linreg statistics", "torch: textbook loop"
JAX, REGRESSOR = "JAX lax.scan", "scikit-learn SGDRegressor"

CONTENDERS = (
    Contender(NATIVE, ours.executor("native"), most_rows=2_000_000),
    Contender(STATISTICS, ours.executor("statistics"), batches="full"),
    Contender(TEXTBOOK, ours.textbook, batches="loader", most_steps=LOOP_STEPS, most_rows=LOOP_ROWS),
    Contender("torch: tensor slices", ours.slices, most_steps=LOOP_STEPS, most_rows=LOOP_ROWS),
    Contender("torch: gradient by hand", ours.by_hand, most_steps=LOOP_STEPS, most_rows=LOOP_ROWS),
    Contender("torch: prefix products", ours.prefix_products, batches="mini", most_rows=1_000_000),
    Contender("C loop, gcc -ffast-math", c_loop, package="gcc", most_rows=2_000_000),
    Contender(JAX, peers.jax_scan, package="jax"),
    Contender(REGRESSOR, peers.sgd_regressor, package="sklearn", batches="one"),
    Contender(
        "Vowpal Wabbit, from its cache", peers.vowpal_wabbit, package="vowpalwabbit", batches="one", shuffles=False
    ),
    Contender("Lightning", peers.lightning, package="lightning", most_steps=500, most_rows=LOOP_ROWS),
)
#: Widths above which d^3 work a step makes prefix products hopeless.
PREFIX_WIDTH = 8

#: (rows, columns, kind), then (batch, shuffled) of each cell, and epochs; cheap tables first.
TABLES: tuple[tuple[tuple[int, int, str], tuple[tuple[int | str, bool, int], ...]], ...] = (
    ((1_000, 4, "plain"), ((1, True, 1), (32, True, 1), ("full", False, 1))),
    ((100_000, 16, "plain"), ((1, True, 1), (32, True, 1), (256, True, 1), ("full", False, 1))),
    ((100_000, 16, "ill"), ((32, True, 1), ("full", False, 100))),
    ((100_000, 16, "offset"), ((32, True, 1), ("full", False, 100))),
    (
        (1_000_000, 8, "plain"),
        (
            (1, True, 1), (1, False, 1), (32, True, 1), (32, False, 1), (256, True, 1), (256, False, 1),
            ("full", False, 1), ("full", False, 1000),
        ),
    ),
    ((1_000_000, 32, "plain"), ((1, True, 1), (32, True, 1), (32, False, 1), (256, True, 1), ("full", False, 1))),
    ((200_000, 128, "plain"), ((1, True, 1), (32, True, 1), (32, False, 1), (256, True, 1))),
    ((100_000, 1_000, "plain"), ((32, True, 1), (32, False, 1), ("full", False, 1))),
)  # fmt: skip


def floors(table: Problem, rounds: int) -> dict[str, Figure]:
    """One read of X, its rows and those of y in random order, and the drawing of an order."""
    X, y = torch.from_numpy(table.X), torch.from_numpy(table.y).unsqueeze(1)
    order = torch.randperm(len(X))
    runs: dict[str, Callable[[], Any]] = {
        "read": X.sum,
        "gather": lambda: [values.index_select(0, order) for values in (X, y)],
        "randperm": lambda: torch.randperm(len(X)),
    }
    return interleaved(runs, max(rounds, 3 * rounds if table.X.size <= 32_000_000 else rounds))


def target(bounds: dict[str, Figure], shuffle: bool) -> float:
    """Milliseconds: 1.5 gathers (of rows in random order) and 3 reads of X."""
    return (1.5 * float(bounds["gather"]["ms"]) if shuffle else 0.0) + 3 * float(bounds["read"]["ms"])


def cell(steps: Steps, rounds: int) -> dict[str, Any]:
    """Every engine that can take the steps: its time, and its difference from float64 torch after a part of them."""
    runs: dict[str, Callable[[], Array]] = {}
    scale, engines = {}, dict[str, Any]()
    small = steps.part(2000, 16_384) if steps.batch < len(steps.table.X) else _small_full(steps)
    expected = ours.float64_torch(small)
    for contender in CONTENDERS:
        wide = contender.engine is ours.prefix_products and steps.table.X.shape[1] > PREFIX_WIDTH
        if wide or not contender.takes(steps):
            continue
        part = steps.part(contender.most_steps, contender.most_rows)
        if contender.name != STATISTICS:  # whose epochs after the first cost next to nothing, unlike the others'
            part = replace(part, epochs=min(part.epochs, 10))
        try:
            gap = difference(contender.engine(small)(), expected)
            runs[contender.name] = contender.engine(part)
        except ImportError:
            engines[contender.name] = {"skipped": f"{contender.package} is not installed"}
            continue
        scale[contender.name] = steps.work / part.work
        engines[contender.name] = {"difference": gap}
    for name, figure in interleaved(runs, rounds, scale).items():
        engines[name] |= figure
    return engines


def _small_full(steps: Steps) -> Steps:
    table = steps.table.head(4096)
    return Steps(table, len(table.X), steps.rate, min(steps.epochs, 100))


def measured(options: Options) -> Section:
    """The cells, one after the other."""
    for (rows, features, kind), cells in TABLES:
        table = problem(options.rows(rows), features, kind)
        bounds = floors(table, options.rounds)
        for batch, shuffle, epochs in cells:
            size = len(table.X) if batch == "full" else int(batch)
            steps = Steps(table, size, table.rate, epochs, shuffle)
            say(f"same steps: {table.name}, batch {batch}, {'shuffled' if shuffle else 'as given'}, {epochs} epochs")
            engines = cell(steps, options.rounds)
            yield {
                "table": table.name, "rows": len(table.X), "features": features, "kind": kind, "batch": batch,
                "shuffle": shuffle, "epochs": epochs, "floors": bounds,
                "target": None if batch == "full" else target(bounds, shuffle), "engines": engines,
            }  # fmt: skip


if __name__ == "__main__":
    run_section("same_steps", measured, __doc__)
