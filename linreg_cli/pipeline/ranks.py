"""A run on several processes: its shards, what is said of it, and how a launch finds the run that it has begun."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.data.columns.rows import in_memory
from linreg_cli.errors import StoreError
from linreg_cli.findings import Finding
from linreg_cli.launched import local_size
from linreg_cli.optim.engines.costs import around_the_steps, estimate, steps_at_once
from linreg_cli.optim.plan import StepPlan, not_from_moments
from linreg_cli.optim.rows import AnyRows, SharedTrainRows, row_bytes
from linreg_cli.ranks.shards import DEFAULT_SHARDS, too_few
from linreg_cli.runs.store import RunFolder, run_folders
from linreg_cli.wording import number

if TYPE_CHECKING:
    from linreg_cli.ranks.group import Ranks


def divided(loaded: LoadedConfig, config: Config, ranks: "Ranks | None") -> Config:
    """The config with the shards that processes need, where it has none.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.
        ranks: the processes; None: there is one, and no launcher has started it.

    Raises:
        ConfigError: for more processes than shards.
    """
    if ranks is None:
        return config
    shards = config.train.shards or DEFAULT_SHARDS
    if why := too_few(shards, ranks.size):
        raise loaded.error("train.shards", why)
    return config.model_copy(update={"train": config.train.model_copy(update={"shards": shards})})


def resumed_by(ranks: "Ranks | None", config: Config, run: str) -> "Ranks | None":
    """The processes that a run goes on with: none where its sums have no order that they could share.

    Raises:
        StoreError: for such a run on several processes.
    """
    if ranks is None or config.train.shards is not None:
        return ranks
    if ranks.size > 1:
        message = "the run has no train.shards, so several processes cannot go on with its sums in their order; resume "
        raise StoreError(f"{message}it without --nproc and without torchrun", run)
    return None


def findings(plan: StepPlan, rows: AnyRows) -> list[Finding]:
    """A warning where one process would be faster than several."""
    if not isinstance(rows, SharedTrainRows):
        return []
    size, here = rows.divided.ranks.size, local_size(os.environ)
    moments, stored = not_from_moments(plan) is None, not in_memory(rows.X_nd)

    def seconds(name: str, processes: int, threads: int) -> tuple[float, float]:
        shape = plan, rows.n_features, rows.n_targets
        found = estimate(name, *shape, compiled=True, processes=processes, stored=stored, threads=threads)
        return found.total, found.total + around_the_steps(plan, rows.n_features + rows.n_targets, processes)

    threads = torch.get_num_threads()  # of each; one process alone would have those of all on this machine
    steps_of_one, one = seconds("statistics" if moments else "native", 1, threads * here)
    steps, several = seconds("statistics" if moments else "sharded", size, threads)
    if several < one:
        return []
    took = f"estimated {number(one, 2)} s on one, {number(several, 2)} s on {size}"
    why = "every step waits for all processes"
    if moments or steps < steps_of_one:
        why = "starting processes takes longer than they save"
    elif plan.is_full_batch and here == size:
        why = "it adds up on all cores of this machine"
    elif not plan.is_full_batch and steps_at_once(plan, row_bytes(rows)):
        why = "the first process takes every step of such small batches"
    return [Finding("ranks", f"one process would be faster, since {why} ({took}); train without --nproc and torchrun")]


def launch_of(ranks: "Ranks | None") -> dict[str, Any]:
    """What `run.json` says of the launch: its id, by which a restart finds the run, and the number of processes."""
    return {} if ranks is None else {"launch": {"id": ranks.launch, "processes": ranks.size}}


def begun_by(launch: str, since: float, outputs: Path) -> RunFolder | None:
    """The latest run that a launch has begun; None where there is none.

    Args:
        launch: its id.
        since: when it began, seconds since 1970; ids may have been used before.
        outputs: the folder of the runs.
    """
    found = []
    for run in run_folders(outputs):
        try:
            if (run.path / "run.json").stat().st_mtime < since:
                continue
            record = run.record()
        except (OSError, StoreError):
            continue
        if _id(record) == launch:
            found.append((str(record.get("created")), run))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _id(record: Mapping[str, Any]) -> object:
    launch = record.get("launch")
    return launch.get("id") if isinstance(launch, dict) else None
