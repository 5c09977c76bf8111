"""What rows that stay on the disk change in a run, what needs all of them, and whether the limit holds a block."""

import os
from dataclasses import replace

import torch

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import TableData
from linreg_cli.config.schema import MAX_SHARDS
from linreg_cli.convergence.on_disk import free_on, limit_of, scaled_bytes
from linreg_cli.data import Dataset
from linreg_cli.decisions import Decision
from linreg_cli.findings import Finding
from linreg_cli.launched import local_size
from linreg_cli.optim.engines.shard_batches import GROUP_BYTES, ORDER_BYTES
from linreg_cli.optim.engines.windows import pieces_of
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks
from linreg_cli.ranks.shards import Shards
from linreg_cli.remedies import setting, settings
from linreg_cli.wording import bytes_of

#: What else takes memory while a table is read and trained on: blocks of columns, parts of a pass, libraries. Measured
#: on 2,600,000 x 16 in training: 13 to 24 MiB beside the windows, and in no other stage more than a window and this.
OTHER_BYTES = 20 * 2**20
#: And what it is between processes: rows and lines that travel, and the exchange. Measured on 2,600,000 x 16: 45 MiB in
#: the first of two.
BETWEEN_BYTES = 48 * 2**20


def refuse_what_needs_all_rows(loaded: LoadedConfig, config: Config) -> None:
    """Refuse settings that need the rows in the memory of one process.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.

    Raises:
        ConfigError: at such a setting.
    """
    if config.evaluate.cross_validation is not None:
        why = "each fold is trained on rows in memory, and the rows stay on the disk"
        raise loaded.error("evaluate.cross_validation", f"{why}; leave it out, or set {setting('data.stream', False)}")


def placed(
    loaded: LoadedConfig, config: Config, device: torch.device, dataset: Dataset, stream: Decision
) -> tuple[torch.device, Decision]:
    """The device that takes the steps: the CPU, where `train.device: auto` has found one that cannot.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.
        device: that the config names or has found.
        dataset: the rows.
        stream: whether they stay on the disk.

    Returns:
        The device, and the decision with the reason why it is not the one that was found.

    Raises:
        ConfigError: if the config names a device that cannot hold the rows.
    """
    why, remedy = _unable(config, device, dataset, stream)
    if not why:
        return device, stream
    if config.train.device == "auto":
        return torch.device("cpu"), replace(stream, why=f"{stream.why}; trained on the CPU, since {why}")
    raise loaded.error("train.device", f"{why}; set {', or '.join([setting('train.device', 'cpu'), *remedy])}")


def _unable(config: Config, device: torch.device, dataset: Dataset, stream: Decision) -> tuple[str, list[str]]:
    """Why a device cannot train on the rows, and what helps besides the CPU; no reason: it can."""
    free = free_on(device)
    if free is None or config.train.shards is not None or stream.value:
        return "", []
    needed, on_disk = scaled_bytes(config, dataset), setting("data.stream", True)
    why = f"the rows take {bytes_of(needed)}, and {bytes_of(free)} of {device} are free"
    return (why if needed > free else ""), [on_disk] * isinstance(config.data, TableData)


def finding(given: Config, used: Config, decision: Decision) -> Finding | None:
    """The warning that streaming has changed the order of rows or the split; None if it has not."""
    changed = []
    if given.train.shuffle != used.train.shuffle:
        changed.append(setting("train.shuffle", used.train.shuffle))
    if given.data.split != used.data.split:
        changed.append(setting("data.split.by", used.data.split.by))
    if not changed:
        return None
    message = f"the rows stay on the disk ({decision.why}), so the run has {' and '.join(changed)}, as config.yaml says"
    return Finding("stream", message)


def reads_ahead(loaded: LoadedConfig, config: Config, plan: StepPlan, n_columns: int, device: torch.device) -> bool:
    """Whether the limit holds two blocks of rows and their orders, so that one is read ahead.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.
        plan: the steps.
        n_columns: numbers of a row: inputs, targets and a weight.
        device: that the rows are moved to.

    Raises:
        ConfigError: at `data.memory_limit` if it does not hold one, with a number of blocks or a limit that would do.
    """
    if plan.is_full_batch:
        return True
    (limit, where), dtype, other = limit_of(config), config.train.dtype, OTHER_BYTES
    rounded = 2 if device.type == "cuda" else 1  # torch gives pinned memory in powers of two
    if window_bytes(plan, n_columns, dtype, count=2 * rounded) + other <= limit:
        return True
    needed = window_bytes(plan, n_columns, dtype, count=rounded) + other
    if needed <= limit:
        return False
    remedy, more = [setting("data.memory_limit", f"{-(-needed * 5 // 4 // 2**20)}MiB")], plan.n_blocks or 0
    while isinstance(plan.rows, Blocks) and 0 < more < plan.n_samples // 2:
        more *= 2
        if window_bytes(replace(plan, n_blocks=more), n_columns, dtype, count=rounded) + other <= limit:
            order = {} if loaded.config.train.shuffle == "blocks" else {"train.shuffle": "blocks"}
            remedy.insert(0, settings({**order, "train.blocks": more}))
            break
    raise loaded.error(
        "data.memory_limit" if where == "data.memory_limit" else "data.stream",
        f"a block of rows, its order and what is read with it take {bytes_of(needed)}, and {where} is "
        f"{bytes_of(limit)}; set {', or '.join(remedy)}",
    )


def check_shares(loaded: LoadedConfig, config: Config, plan: StepPlan, n_columns: int, processes: int) -> None:
    """Check that the limit holds the rows of the shards of each process.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.
        plan: the steps, with shards.
        n_columns: numbers of a row: inputs, targets and a weight.
        processes: that share the rows.

    Raises:
        ConfigError: if it does not, with a number of processes or a limit that would do.
    """
    limit, where = limit_of(config)
    if where != "data.memory_limit":
        limit //= local_size(os.environ)
    needed = share_bytes(plan, n_columns, config.train.dtype, processes)
    if needed <= limit:
        return
    remedy, more = [f"set {setting('data.memory_limit', f'{-(-needed * 5 // 4 // 2**20)}MiB')}"], processes
    while more < MAX_SHARDS:
        more = min(2 * more, MAX_SHARDS)
        shards = Shards(plan.n_samples, max(plan.shards.count if plan.shards else 1, more))
        if share_bytes(replace(plan, shards=shards), n_columns, config.train.dtype, more) <= limit:
            set_too = plan.shards is None or shards.count > plan.shards.count
            also = f" and set {setting('train.shards', shards.count)}" if set_too else ""
            remedy.insert(0, f"start {more} processes{also}")
            break
    each = "" if where == "data.memory_limit" else " and process"
    whose = "the rows" if processes == 1 else f"the rows of one of {processes} processes"
    raise loaded.error(
        "data.memory_limit" if where == "data.memory_limit" else "data.stream",
        f"{whose}, their order and what is read with them take {bytes_of(needed)}, "
        f"and {where}{each} is {bytes_of(limit)}; {', or '.join(remedy)}",
    )


def share_bytes(plan: StepPlan, n_columns: int, dtype: str, processes: int) -> int:
    """Bytes that a process needs for the rows of its shards, at most, and what is kept beside them."""
    assert plan.shards is not None
    bounds = plan.shards.bounds
    held = max(plan.shards.of_ranks(processes), key=lambda shards: bounds[shards.stop] - bounds[shards.start])
    rows, row = int(bounds[held.stop] - bounds[held.start]), n_columns * (8 if dtype == "float64" else 4)
    order = rows * ORDER_BYTES if plan.rows.is_random else 0
    groups = 0 if plan.is_full_batch else GROUP_BYTES * plan.steps_per_epoch * len(held)
    return rows * row + order + groups + OTHER_BYTES + (BETWEEN_BYTES if processes > 1 else 0)


def window_bytes(plan: StepPlan, n_columns: int, dtype: str, *, count: int) -> int:
    """Bytes of `count` windows of a plan (`engines.windows`), their orders, and an order that is drawn."""
    row = n_columns * (8 if dtype == "float64" else 4)
    rows = pieces_of(plan, row).capacity
    return count * rows * (row + 4) + (8 * rows if plan.rows.is_random else 0)
