"""Table 2: time until the loss is within a relative 1e-3 and 1e-6 of the lowest, every tool tuned, and exact solvers.

    python -m benchmarks.time_to_gap [--share 0.01] [--rounds 5] [--results benchmarks/results]

The gap is (loss - optimum) / optimum over all rows, in float64. Rows come as given: they are random already. Tools that
take the same steps share one search, over batches, rates and momentum, made beforehand with linreg; each gets
the setting that is fastest for it, from its own cost of a step. SGDRegressor and Vowpal Wabbit are searched over their
own schedules. Searching, compiling and loading are not in the times. Where the table has a large offset, whatever
descends trains on standardised columns, and the time of standardising them is in each time.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks import exact_solvers, ours, peers, searched
from benchmarks.measure import interleaved, say, summary, timed
from benchmarks.problems import Array, Problem, problem
from benchmarks.section import Options, Section, run_section
from benchmarks.steps import Engine, Steps
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.solve import least_squares
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState

GAPS = ("1e-3", "1e-6")
TABLES = (
    (100_000, 16, "plain"), (100_000, 16, "ill"), (100_000, 16, "offset"), (1_000_000, 8, "plain"),
    (20_000, 500, "plain"),
)  # fmt: skip
#: Rows of a step that the search tries besides all of them.
BATCHES = (32, 256, 4096)
#: The search asks for a smaller gap, as engines differ from each other by rounding.
SURELY = 0.7
#: Milliseconds above which a descent is not run whole: its steps times the cost of one.
MOST_MS = 3000.0
MOST_EPOCHS, MOST_FULL_EPOCHS = 10, 20_000

#: name -> (engine, package, the batches that it may choose from).
DESCENTS: dict[str, tuple[Engine, str, str]] = {
    "linreg native": (ours.executor("native"), "", "any"),
    "linreg statistics": (ours.executor("statistics"), "", "full"),
    "torch: tensor slices": (ours.slices, "", "any"),
    "torch: textbook loop": (ours.textbook, "", "mini"),
    "JAX lax.scan": (peers.jax_scan, "jax", "any"),
    "Lightning": (peers.lightning, "lightning", "any"),
}


@dataclass(frozen=True)
class Tuned:
    """A setting that reaches a gap."""

    batch: int
    rate: float
    momentum: float
    epochs: int
    full: bool

    def __str__(self) -> str:
        momentum = f", momentum {self.momentum:.3g}" if self.momentum else ""
        batch = "full batch" if self.full else f"batch {self.batch}"
        return f"{batch}, lr {self.rate:.3g}{momentum}, {self.epochs:,} epoch{'s' if self.epochs > 1 else ''}"


def settings(table: Problem) -> Iterator[tuple[int, float, float]]:
    """(batch, rate, momentum) to try: for full batches the optimal ones, for others shares of what is stable."""
    h = table.curvatures
    high, low, trace = h[-1], h[h > 1e-10 * h[-1]][0], h.sum()
    yield len(table.X), 2 / (high + low), 0.0
    root_high, root_low = math.sqrt(high), math.sqrt(low)
    yield len(table.X), (2 / (root_high + root_low)) ** 2, ((root_high - root_low) / (root_high + root_low)) ** 2
    for batch in BATCHES:
        if batch < len(table.X) / 2:
            for share in (1.0, 0.5, 0.2, 0.1, 0.03, 0.01):
                yield batch, share / (high + trace / batch), 0.0


def search(table: Problem, optimum: Optimum) -> dict[str, list[Tuned]]:
    """For each gap the settings that reach it, and after how many epochs."""
    reached: dict[str, list[Tuned]] = {gap: [] for gap in GAPS}
    X, y = ours.tensors(Steps(table, 1, 0.0))
    for batch, rate, momentum in settings(table):
        full = batch == len(table.X)
        steps = Steps(table, batch, rate, MOST_FULL_EPOCHS if full else MOST_EPOCHS, momentum=momentum)
        plan, state = steps.plan, TrainingState(ours.zeros(X.shape[1]))
        made, wanted = EXECUTORS["statistics" if full else "native"](TrainRows(X, y)), list(GAPS)
        for epoch in range(1, steps.epochs + 1):
            if wanted and (not full or epoch < 50 or epoch % 10 == 0):
                made.run(plan, state, state.step, epoch * plan.steps_per_epoch)
                gap = gap_of(ours.parameters(state.model), optimum)
                if not math.isfinite(gap):
                    break
                for name in [name for name in wanted if gap < SURELY * float(name)]:
                    reached[name].append(Tuned(batch, rate, momentum, epoch, full))
                    wanted.remove(name)
    return reached


def gap_of(parameters: Array, optimum: Optimum) -> float:
    """(loss - optimum) / optimum of weights and then a bias; infinite where they are not finite."""
    if not np.isfinite(parameters).all():
        return math.inf
    return optimum.excess(parameters[:-1, None], parameters[-1:]) / optimum.objective


def step_costs(table: Problem, engine: Engine, batches: set[int]) -> dict[int, float]:
    """Milliseconds of a step of each batch: a run of 50 steps less one of 10, or three epochs less one."""
    costs = {}
    for batch in batches:
        if 50 * batch >= len(table.X):
            few, many = (Steps(table, batch, table.rate, epochs) for epochs in (1, 3))
        else:
            few, many = (Steps(table.head(count * batch), batch, table.rate) for count in (10, 50))
        runs = engine(few), engine(many)
        for run in runs:
            run()
        least = [min(timed(run) for _ in range(3)) for run in runs]
        taken = many.plan.total_steps - few.plan.total_steps
        costs[batch] = max(least[1] - least[0], 1e-3) / taken
    return costs


def fastest(table: Problem, engine: Engine, batches: str, reached: list[Tuned]) -> tuple[Tuned, float] | None:
    """Of the settings that an engine can use the one that should take it least time, and how many milliseconds."""
    able = [s for s in reached if batches == "any" or (batches == "full") == s.full]
    if not able:
        return None
    if batches == "full":
        return min(able, key=lambda s: s.epochs), 0.0
    costs = step_costs(table, engine, {s.batch for s in able})
    estimates = [costs[s.batch] * math.ceil(len(table.X) / s.batch) * s.epochs for s in able]
    best = min(range(len(able)), key=estimates.__getitem__)
    return able[best], estimates[best]


def descents(table: Problem, optimum: Optimum) -> Iterator[tuple[str, str, str, Callable[[], Array] | float | None]]:
    """(tool, gap, setting or why there is none, the call, or the milliseconds that it would take)."""
    reached = search(table, optimum)
    for name, (engine, package, batches) in DESCENTS.items():
        for gap in GAPS:
            try:
                found = fastest(table, engine, batches, reached[gap])
                if found is None:
                    yield name, gap, "not reached", None
                elif found[1] > MOST_MS:
                    yield name, gap, str(found[0]), found[1]
                else:
                    best = found[0]
                    steps = Steps(table, best.batch, best.rate, best.epochs, momentum=best.momentum)
                    yield name, gap, str(best), engine(steps)
            except ImportError:
                yield name, gap, f"skipped: {package} is not installed", None
    for name, (find, package) in searched.TOOLS.items():
        for gap in GAPS:
            try:
                setting, run = find(table, float(gap), functools.partial(gap_of, optimum=optimum))
                yield name, gap, setting, run
            except ImportError:
                yield name, gap, f"skipped: {package} is not installed", None


def cell(table: Problem, rounds: int) -> dict[str, Any]:
    """Every tool's time to each gap."""
    given, before = table, 0.0
    if table.kind == "offset":
        before = summary([timed(table.standardized) for _ in range(rounds)], 0.0)["ms"]
        given = table.standardized()
    optimum = _optimum(given)
    tools: dict[str, dict[str, Any]] = {}
    runs: dict[str, Callable[[], Array]] = {}
    for name, gap, setting, run in descents(given, optimum):
        tools.setdefault(name, {})[gap] = {"setting": setting}
        if isinstance(run, float):
            tools[name][gap] |= summary([run + before], run) | {"scale": "estimated"}
        elif run is not None:
            runs[f"{name} {gap}"] = run
    for name, gap, figure in _timed(runs, rounds, before):
        reached = gap_of(runs[f"{name} {gap}"](), optimum)
        tools[name][gap] |= figure | {"gap": reached}
        if reached > float(gap):
            tools[name][gap]["setting"] += f"; its gap was {reached:.1e}"
    return tools | _exact(table, optimum if given is table else _optimum(table), rounds)


def _timed(
    runs: dict[str, Callable[[], Array]], rounds: int, before: float
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for key, figure in interleaved(runs, rounds).items():
        name, _, gap = key.rpartition(" ")
        for kind in ("ms", "low", "high", "best"):
            figure[kind] += before
        yield name, gap, figure


def _exact(table: Problem, optimum: Optimum, rounds: int) -> dict[str, dict[str, Any]]:
    tools: dict[str, dict[str, Any]] = {}
    runs: dict[str, Callable[[], Array]] = {}
    for name, (prepare, package) in exact_solvers.TOOLS.items():
        try:
            runs[name] = prepare(table)
            tools[name] = {gap: {"setting": "exact"} for gap in GAPS}
        except ImportError:
            tools[name] = {gap: {"setting": f"skipped: {package} is not installed"} for gap in GAPS}
    for name, figure in interleaved(runs, rounds).items():
        excess = gap_of(runs[name](), optimum)
        for gap in GAPS:
            met = excess < float(gap)
            tools[name][gap] |= figure | {"gap": excess} if met else {"setting": f"exact, but its gap is {excess:.0e}"}
    return tools


def _optimum(table: Problem) -> Optimum:
    return least_squares(table.X, table.y[:, None], bias=True)


def measured(options: Options) -> Section:
    """A cell for each table."""
    for rows, features, kind in TABLES:
        table = problem(options.rows(rows), features, kind)
        say(f"time to gap: {table.name}")
        tools = cell(table, options.rounds)
        condition = float(table.curvatures[-1] / table.curvatures[0]) if kind != "offset" else None
        yield {"table": table.name, "condition": condition, "tools": tools}


if __name__ == "__main__":
    torch.manual_seed(0)
    run_section("time_to_gap", measured, __doc__)
