"""Whether the rows of the train split stay on the disk, what that changes in the config, and what needs all rows.

A streamed run has the bits of the run in memory of the config that it writes: `shuffle: blocks` in place of true, and a
split that is drawn row by row. So where the rows lie decides about memory and time alone.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import TableData
from linreg_cli.config.types import bytes_in
from linreg_cli.convergence.of_config import row_weights
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import in_order, part
from linreg_cli.data.split import streamed_split
from linreg_cli.decisions import Decision
from linreg_cli.errors import ConfigError, Fault
from linreg_cli.findings import Finding
from linreg_cli.optim.engines.windows import pieces_of
from linreg_cli.optim.losses import is_squared
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.remedies import setting
from linreg_cli.wording import bytes_of

#: Bytes in float64 of the rows that are scaled and written at a time.
CHUNK_BYTES = 4 * 2**20

#: What else takes memory while a table is read and trained on: blocks of columns, parts of a pass, compiled code.
OTHER_BYTES = 40 * 2**20

#: Bytes of a row whose weight stays in memory in float64: for forecasts, and its root for each of two exact fits.
WEIGHT_BYTES = 24

#: The part of the free memory that a run may take where the config has no limit.
SHARE = 0.5

IN_MEMORY = Decision(False, "trained in memory", auto=False)


def wanted(config: Config) -> bool | None:
    """Whether the config says that rows stay on the disk; None: where they would not fit."""
    source = config.data
    if not isinstance(source, TableData):
        return False
    return None if source.stream == "auto" else source.stream


def streamed(config: Config) -> Config:
    """The config whose order of rows and whose split can be streamed; it gives the same run in memory.

    A config that does not name `evaluate.predictions` keeps a sample: a file of all would be as long as the table.
    """
    source, train, evaluate = config.data, config.train, config.evaluate
    if "predictions" not in evaluate.model_fields_set:
        evaluate = evaluate.model_copy(update={"predictions": "sample"})
    if train.shuffle is True and train.batch_size != "full":
        train = train.model_copy(update={"shuffle": "blocks"})
    source = source.model_copy(update={"split": streamed_split(source.split)})
    return config.model_copy(update={"data": source, "train": train, "evaluate": evaluate})


def decide(config: Config, dataset: Dataset, *, resumed: bool = False) -> Decision:
    """Whether the rows of the train split stay on the disk.

    Args:
        config: of the run.
        dataset: its rows.
        resumed: whether the run was begun, so that the order of its rows stays what it is.
    """
    asked = wanted(config)
    if asked is not None:
        source = "data.stream" if isinstance(config.data, TableData) else f"source: {config.data.source}"
        return Decision(asked, f"named by {source}", auto=False)
    n_columns, itemsize = n_columns_of(dataset), 8 if config.train.dtype == "float64" else 4
    needed = sum(map(len, dataset.splits.values())) * n_columns * itemsize
    limit, where = limit_of(config)
    against = f"auto: the rows take {bytes_of(needed)}, and {where} is {bytes_of(limit)}"
    if needed <= limit:
        # Without the free memory, which is another one in the next run.
        named = isinstance(config.data, TableData) and config.data.memory_limit is not None
        why = against if named else f"auto: the rows take {bytes_of(needed)}, less than {where}"
        return Decision(False, why, auto=True)
    if resumed and streamed(config) != config:
        return Decision(False, "auto: the run was begun with an order of rows that is not streamed", auto=True)
    return Decision(True, against, auto=True)


def n_columns_of(dataset: Dataset) -> int:
    """The numbers of a row that is trained on: inputs, targets and a weight."""
    return len(dataset.features) + len(dataset.targets) + (dataset.weights is not None)


def limit_of(config: Config) -> tuple[int, str]:
    """The memory in bytes that rows may take, and what it is called."""
    source = config.data
    if isinstance(source, TableData) and source.memory_limit is not None:
        return bytes_in(source.memory_limit), "data.memory_limit"
    return int(SHARE * free_memory()), "half of the free memory"


def free_memory() -> int:
    """Memory that this process could take, in bytes: of the machine, or of a control group that has a limit."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    lines = _text("/proc/meminfo").splitlines()
    found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    most, taken = (_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if most.isdigit() and taken.isdigit():
        found.append(max(0, int(most) - int(taken)))
    return min(found)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def refuse_what_needs_all_rows(loaded: LoadedConfig, config: Config, device: torch.device) -> None:
    """Refuse settings that need the rows in memory.

    Raises:
        ConfigError: with every such setting.
    """
    faults: list[Fault] = []
    back = f"or set {setting('data.stream', False)}"
    if config.evaluate.cross_validation is not None:
        message = f"each fold is trained on rows in memory, and the rows stay on the disk; leave it out, {back}"
        faults += loaded.error("evaluate.cross_validation", message).faults
    if config.train.shards is not None:
        message = "rows that stay on the disk are not added up shard by shard, nor by several processes"
        message = f"{message}; leave it out, {back}"
        faults += loaded.error("train.shards", message).faults
    if device.type != "cpu":
        message = f"rows that stay on the disk are trained on by the CPU; set {setting('train.device', 'cpu')}, {back}"
        faults += loaded.error("train.device", message).faults
    if config.optimizer.lr == "auto" and config.train.shuffle is False and config.train.batch_size != "full":
        message = f"auto compares rates on the batches in their order, from rows in memory; set a number, {back}"
        faults += loaded.error("optimizer.lr", message).faults
    if not is_squared(config.loss):
        needs = f"the exact optimum of loss: {config.loss}, which is computed from rows in memory only"
        for key, value in (("lr", config.optimizer.lr), ("momentum", config.optimizer.momentum)):
            if value == "auto":
                faults += loaded.error(f"optimizer.{key}", f"auto needs {needs}; set a number, {back}").faults
        if config.train.stop_gap is not None:
            faults += loaded.error("train.stop_gap", f"it needs {needs}; leave it out, {back}").faults
    if faults:
        raise ConfigError(faults)


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


def reads_ahead(loaded: LoadedConfig, config: Config, plan: StepPlan, n_columns: int) -> bool:
    """Whether the limit holds two blocks of rows and their orders, so that one is read ahead.

    Raises:
        ConfigError: at `data.memory_limit` if it does not hold one, with a number of blocks or a limit that would do.
    """
    if plan.is_full_batch:
        return True
    (limit, where), dtype = limit_of(config), config.train.dtype
    weighted = isinstance(config.data, TableData) and config.data.weight is not None
    other = OTHER_BYTES + WEIGHT_BYTES * plan.n_samples * weighted
    if window_bytes(plan, n_columns, dtype) + other <= limit:
        return True
    needed = window_bytes(plan, n_columns, dtype, count=1) + other
    if needed <= limit:
        return False
    remedy, more = [setting("data.memory_limit", f"{-(-needed * 5 // 4 // 2**20)}MiB")], plan.n_blocks or 0
    while isinstance(plan.rows, Blocks) and 0 < more < plan.n_samples // 2:
        more *= 2
        if window_bytes(replace(plan, n_blocks=more), n_columns, dtype, count=1) + other <= limit:
            remedy.insert(0, setting("train.blocks", more))
            break
    raise loaded.error(
        "data.memory_limit" if where == "data.memory_limit" else "data.stream",
        f"a block of rows, its order and what is read with it take {bytes_of(needed)}, and {where} is "
        f"{bytes_of(limit)}; set {', or '.join(remedy)}",
    )


def window_bytes(plan: StepPlan, n_columns: int, dtype: str, count: int = 2) -> int:
    """Bytes of `count` windows of a plan (`engines.windows`), their orders, and an order that is drawn."""
    row = n_columns * (8 if dtype == "float64" else 4)
    rows = pieces_of(plan, row).capacity
    return count * rows * (row + 4) + (16 * rows if plan.rows.is_random else 0)


def rows_on_disk(dataset: Dataset, preprocessor: Preprocessor, plan: StepPlan, dtype: torch.dtype) -> StoredRows:
    """The scaled train split in a temporary file, in the order of the plan, written in one pass over the table.

    Raises:
        DataError: if the disk has not enough space or cannot be written, and as `Scaling.tensor`.
    """
    order, n = plan.rows, plan.n_samples
    rows = in_order(dataset.splits["train"]) if isinstance(order, Blocks) else dataset.splits["train"]
    shape, weighted = (n, len(dataset.features), len(dataset.targets)), dataset.weights is not None
    out = StoredRows.empty(*shape, str(dtype).removeprefix("torch."), weighted=weighted)
    size = max(1, CHUNK_BYTES // (8 * (out.n_features + out.n_targets)))
    begins = [order.members(block).start for block in range(order.n_blocks)] if isinstance(order, Blocks) else []
    for start in range(0, n, size):
        stop = min(start + size, n)
        some = part(rows, start, stop)
        X_nd, y_nk = (each.tensor(dataset, some, dtype) for each in (preprocessor.features, preprocessor.targets))
        found = TrainRows(X_nd, y_nk, row_weights(dataset, some, dtype))
        if not isinstance(order, Blocks):
            out.write(start, found)
            continue
        block, first = order.block_of(start, stop), 0
        found = found.chosen(torch.from_numpy(np.argsort(block, kind="stable")))
        for each, count in enumerate(np.bincount(block, minlength=order.n_blocks).tolist()):
            if count:
                out.write(begins[each], found.part(first, first + count))
                begins[each] += count
                first += count
    return out
