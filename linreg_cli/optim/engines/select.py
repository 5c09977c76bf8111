"""Selection of the device and of the executor, with the reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from linreg_cli.decisions import Decision
from linreg_cli.errors import EngineError
from linreg_cli.optim.engines.affine import AffineExecutor
from linreg_cli.optim.engines.costs import MIN_SAVING, UNMEASURED, Cost, estimate, estimate_on_device
from linreg_cli.optim.engines.native import NativeExecutor
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.sharded import ShardedExecutor
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.plan import StepPlan, not_from_moments, not_quadratic
from linreg_cli.optim.rows import AnyRows, MeasuredRows, StoredRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.readers import without_statistics
from linreg_cli.remedies import setting
from linreg_cli.wording import plural


class Executor(Protocol):
    """The interface of executors, which run the steps of a plan; `ReferenceExecutor` defines the results.

    Attributes:
        name: the value of `train.engine` that selects it.

    Args:
        rows: the train split.
    """

    name: str

    def __init__(self, rows: AnyRows) -> None: ...

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Whether all compiled code that a plan needs is on the disk; as `ReferenceExecutor.is_compiled`."""

    def load(self, plan: StepPlan) -> None:
        """Load or compile what a plan needs, so that `run` cannot fail for it; as `ReferenceExecutor.load`."""

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; returns the loss of each batch; as `ReferenceExecutor.run`."""

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split."""


#: name -> its class, which is made from the train rows. The names are the values of `train.engine` besides `auto`.
EXECUTORS: dict[str, type[Executor]] = {
    each.name: each for each in (ReferenceExecutor, NativeExecutor, StatisticsExecutor, AffineExecutor, ShardedExecutor)
}

#: Those that add up shard by shard, each process on the device that they are given, or on the CPU.
BY_SHARDS: dict[str, Callable[[Any, torch.device | None], Executor]] = {
    StatisticsExecutor.name: StatisticsExecutor,
    ShardedExecutor.name: ShardedExecutor,
}

#: Those that `auto` chooses between on a CPU, where `affine` is slower than compiled steps, and on a device, where
#: compiled steps do not run.
FOR_AUTO = (ReferenceExecutor.name, NativeExecutor.name, StatisticsExecutor.name)
ON_DEVICE = (ReferenceExecutor.name, AffineExecutor.name, StatisticsExecutor.name)


@dataclass(frozen=True)
class Choice:
    """The executor chosen for a run.

    Attributes:
        executor: ready to run.
        decision: its name, the reason, and whether `auto` chose it.
    """

    executor: Executor
    decision: Decision

    def started(self, plan: StepPlan, rows: AnyRows) -> "tuple[Choice, str]":
        """Load the executor's compiled code; where `auto` chose one that cannot start, the reference takes its place.

        Args:
            plan: the steps.
            rows: the train split.

        Returns:
            What runs, and the reason why it is not what was chosen; empty if it is.

        Raises:
            EngineError: if the config names an executor that cannot start, or sets `train.shards`.
        """
        try:
            self.executor.load(plan)
            return self, ""
        except EngineError as error:
            if not self.decision.auto or unable("reference", plan, "cpu", stored=isinstance(rows, StoredRows)):
                raise
            why = f"{self.executor.name}: {error}"
            return _choice("reference", rows, f"auto: {why}", auto=True), why

    def as_json(self) -> dict[str, Any]:
        """`engine` of `run.json`: the decision, with its value also as `name`, as older versions have it."""
        return {"name": self.executor.name, **self.decision.as_json()}


def choose(engine: str, plan: StepPlan, rows: AnyRows, summing: torch.device | None = None) -> Choice:
    """The executor that the config names; for `auto`, the one with the lowest estimated cost.

    Args:
        engine: the value of `train.engine`.
        plan: the steps.
        rows: the train split.
        summing: the device on which processes add up their shards; None: where the rows are.

    Raises:
        ValueError: if the named executor cannot run the plan; the message has the reason and what to do.
    """
    device, stored, weighted = (summing or rows.device).type, isinstance(rows, StoredRows), rows.is_weighted
    if engine != "auto":
        reason = unable(engine, plan, device, stored=stored) or _without_rows(engine, rows)
        if reason and isinstance(rows, MeasuredRows):
            raise ValueError(f"{engine} cannot run this plan: {reason}")
        if reason:
            others = "" if unable("reference", plan, device, stored=stored) else " or reference"
            raise ValueError(f"{engine} cannot run this plan: {reason}; set {setting('train.engine', 'auto')}{others}")
        return _choice(engine, rows, "named by train.engine", auto=False, summing=summing)
    if plan.shards is not None:
        best = "sharded" if unable("statistics", plan, device) else "statistics"
        where = "" if summing is None else f", of each process on its {device} device"
        shards = plural(plan.shards.count, "shard")
        return _choice(
            best, rows, f"auto: sums are those of {shards}, in their order{where}", auto=True, summing=summing
        )
    if isinstance(rows, MeasuredRows):
        if (reason := unable("statistics", plan, device)) is not None:
            raise ValueError(f"statistics cannot run this plan: {reason}")
        return _choice("statistics", rows, "auto: the rows were not read, their statistics were", auto=True)
    if device != "cpu":
        return _on_device(plan, rows)
    able = [name for name in FOR_AUTO if unable(name, plan, device, stored=stored) is None]
    if able == ["reference"]:
        why = unable("native", plan, device, stored=stored)
        return _choice("reference", rows, f"auto: {why}", auto=True)
    shape = rows.n_features, rows.n_targets
    compiled = {name: EXECUTORS[name].is_compiled(plan, *shape, rows.dtype, weighted=weighted) for name in able}
    costs = {name: estimate(name, plan, *shape, compiled=compiled[name]) for name in able}
    best = min(costs, key=lambda name: costs[name].total + (0 if name == "reference" else MIN_SAVING))
    text = ", ".join(f"{name} {cost}" for name, cost in costs.items())
    return _choice(best, rows, f"auto: estimated {text}", auto=True)


def _on_device(plan: StepPlan, rows: AnyRows) -> Choice:
    """The executor with the lowest estimated cost on a device; as `choose`."""
    device, stored, shape = rows.device.type, isinstance(rows, StoredRows), (rows.n_features, rows.n_targets)
    able = [name for name in ON_DEVICE if unable(name, plan, device, stored=stored) is None]
    if able == ["reference"]:
        return _choice("reference", rows, f"auto: {unable('native', plan, device)}", auto=True)
    costs = {}
    for name in able:
        compiled = EXECUTORS[name].is_compiled(plan, *shape, rows.dtype, weighted=rows.is_weighted)
        costs[name] = estimate_on_device(name, plan, *shape, compiled=compiled, stored=stored)
    best = min(costs, key=lambda name: _with_margin(name, costs[name]))
    text = ", ".join(f"{name} {cost}" for name, cost in costs.items())
    return _choice(best, rows, f"auto: estimated {text}, from figures that were not measured on {device}", auto=True)


def _with_margin(name: str, cost: Cost) -> float:
    """Seconds by which executors on a device are compared."""
    return cost.total if name == "reference" else cost.total * UNMEASURED + MIN_SAVING


def _choice(name: str, rows: AnyRows, why: str, *, auto: bool, summing: torch.device | None = None) -> Choice:
    executor = BY_SHARDS[name](rows, summing) if name in BY_SHARDS else EXECUTORS[name](rows)
    return Choice(executor, Decision(name, why, auto))


def _without_rows(engine: str, rows: AnyRows) -> str | None:
    """Why an executor cannot run on second moments in place of rows; None if it can, or if there are rows."""
    needs = engine != "statistics" and isinstance(rows, MeasuredRows)
    return f"it needs the rows, and statistics hold none; use auto, or {without_statistics()}" if needs else None


def unable(engine: str, plan: StepPlan, device: str, *, stored: bool = False) -> str | None:
    """Why an executor cannot run a plan on a type of device (`cpu`, `cuda`); None if it can.

    Args:
        engine: its name.
        plan: the steps.
        device: where the rows are.
        stored: whether they stay on the disk.
    """
    if plan.shards is not None and engine not in BY_SHARDS:
        return "it does not add up shard by shard, as several processes and train.shards do"
    if engine == "sharded" and plan.shards is None:
        return "train.shards is not set"
    if device != "cpu" and engine == "native":
        return f"compiled steps run on the CPU and the data is on {device}"
    if engine == "statistics":
        return not_from_moments(plan)
    if engine == "affine" and (reason := not_quadratic(plan)):
        return reason
    if engine == "affine" and stored and plan.is_full_batch:
        return "it takes a batch from memory, and a full batch stays on the disk"
    return None


def resolve_device(name: str, *, shards: bool = False) -> torch.device:
    """The torch device for `train.device`; `auto` is CUDA if available, else the CPU.

    Args:
        name: the value of the setting.
        shards: whether sums are added up by shards, which `auto` does on the CPU.

    >>> resolve_device("cpu")
    device(type='cpu')

    Raises:
        ValueError: for a CUDA device that this machine or this build of torch does not have.
    """
    if name == "cpu" or (shards and name == "auto"):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        if name == "auto":
            return torch.device("cpu")
        built = "this build of torch has no CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise ValueError(f"{name} is not available: {built}; use cpu, or auto to take CUDA only where there is one")
    count = torch.cuda.device_count()
    _, _, index = name.partition(":")
    if index and int(index) >= count:  # torch keeps an index in eight bits, so it must not see a larger one
        raise ValueError(f"{name} is not available: there are {count} CUDA devices, cuda:0 to cuda:{count - 1}")
    return torch.device("cuda" if name == "auto" else name)
