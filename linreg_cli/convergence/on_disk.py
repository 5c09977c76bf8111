"""Whether the rows of a run stay on the disk, and their way there.

A streamed run has the bits of the run in memory of the config that it writes: `shuffle: blocks` in place of true, and a
split that is drawn row by row. So where the rows lie decides about memory and time alone.
"""

import os
from pathlib import Path

import numpy as np
import torch

from linreg_cli.addresses import is_address, is_object
from linreg_cli.config import Config
from linreg_cli.config.data import TableData
from linreg_cli.config.types import bytes_in
from linreg_cli.convergence.of_config import dtype_of, plan_of, problem_of
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.columns.rows import in_order
from linreg_cli.data.split import streamed_split
from linreg_cli.data.tables.parquet_columns import shape_of
from linreg_cli.decisions import Decision
from linreg_cli.optim.row_order import Blocks, RowOrder
from linreg_cli.optim.rows import StoredRows
from linreg_cli.optim.split_rows import check_zeros, no_values, scaled_blocks
from linreg_cli.wording import bytes_of

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


def decide(config: Config, dataset: Dataset, device: torch.device | None = None, *, resumed: bool = False) -> Decision:
    """Whether the rows of the train split stay on the disk.

    Args:
        config: of the run.
        dataset: its rows.
        device: that they are trained on; None: the CPU.
        resumed: whether the run was begun, so that the order of its rows stays what it is.
    """
    asked = wanted(config)
    if asked is not None:
        source = "data.stream" if isinstance(config.data, TableData) else f"source: {config.data.source}"
        return Decision(asked, f"named by {source}", auto=False)
    rows, limits = scaled_bytes(config, dataset), _limits(config, device)
    order = _order_bytes(config, sum(map(len, dataset.splits.values())))
    # The order of rows is drawn in the memory of the process.
    needed = [rows + order, *([rows] * (len(limits) - 1))]
    exceeded = [place for place, (limit, _) in enumerate(limits) if needed[place] > limit]
    first = (exceeded or [0])[0]
    limit, where = limits[first]
    taken = f"auto: the rows{' and their order' if needed[first] > rows else ''} take {bytes_of(needed[first])}"
    against = f"{taken}, and {where} is {bytes_of(limit)}"
    if not exceeded:
        # Without the free memory, which is another one in the next run.
        named = isinstance(config.data, TableData) and config.data.memory_limit is not None
        less = [place for _, place in limits[named:]]
        why = against if named else taken
        return Decision(False, f"{why}, less than {' and '.join(less)}" if less else why, auto=True)
    if resumed and streamed(config) != config:
        return Decision(False, "auto: the run was begun with an order of rows that is not streamed", auto=True)
    return Decision(True, against, auto=True)


def problem_within_limit(
    config: Config, dataset: Dataset, preprocessor: Preprocessor, *, resumed: bool = False
) -> Problem:
    """The problem of a config that is not trained here, with its rows where training would have them.

    Args:
        config: of the rows.
        dataset: the rows.
        preprocessor: fitted with the config.
        resumed: as for `decide`.

    Raises:
        DataError: as `problem_of` and `rows_on_disk`.
    """
    if not decide(config, dataset, resumed=resumed).value:
        return problem_of(config, dataset, preprocessor)
    rows = rows_on_disk(dataset, preprocessor, "train", dtype_of(config), plan_of(config, dataset).rows)
    return problem_of(config, dataset, preprocessor, (rows.X_nd, rows.y_nk), weights=rows.weight_n1)


def scaled_bytes(config: Config, dataset: Dataset) -> int:
    """Bytes of the scaled rows of all splits."""
    return sum(map(len, dataset.splits.values())) * n_columns_of(dataset) * dtype_of(config).itemsize


def _order_bytes(config: Config, n_rows: int) -> int:
    """Bytes of a random order of rows in memory, of an epoch and of the next one, which is drawn meanwhile."""
    is_random = config.train.shuffle is not False and config.train.batch_size != "full"
    return 2 * np.dtype(np.int32).itemsize * n_rows if is_random else 0


def expected_to_stream(config: Config, device: torch.device) -> bool:
    """Whether the rows of Parquet files will not fit, as far as shows before they are read; then they are read once.

    Where features, gaps or categories change the number of columns or rows, `decide` may say otherwise afterwards.
    """
    source = config.data
    if (
        not isinstance(source, TableData)
        or source.stream != "auto"
        or not source.is_kept
        or is_address(source.path)
        or is_object(source.path)
    ):
        return False
    shape = shape_of(source.path)
    if shape is None:
        return False
    n_columns = shape[1] if source.features is None else len(source.features) + len(source.targets)
    needed = shape[0] * n_columns * dtype_of(config).itemsize + _order_bytes(config, shape[0])
    return any(needed > limit for limit, _ in _limits(config, device))


def n_columns_of(dataset: Dataset) -> int:
    """The numbers of a row that is trained on: inputs, targets and a weight."""
    return len(dataset.features) + len(dataset.targets) + (dataset.weights is not None)


def limit_of(config: Config) -> tuple[int, str]:
    """The memory in bytes that rows may take, and what it is called."""
    source = config.data
    if isinstance(source, TableData) and source.memory_limit is not None:
        return bytes_in(source.memory_limit), "data.memory_limit"
    return int(SHARE * free_memory()), "half of the free memory"


def _limits(config: Config, device: torch.device | None) -> list[tuple[int, str]]:
    """The bytes that rows may take in the memory of the process, and in that of the device; what each is called.

    Shards stay in the memory of processes, which move a part of them at a time.
    """
    free = None if device is None or config.train.shards is not None else free_on(device)
    return [limit_of(config), *([] if free is None else [(int(SHARE * free), f"half of the free memory of {device}")])]


def free_on(device: torch.device) -> int | None:
    """Free memory of a device in bytes; None for the CPU, whose memory is that of the process."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None


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


def rows_on_disk(
    dataset: Dataset,
    preprocessor: Preprocessor,
    split: str,
    dtype: torch.dtype,
    order: RowOrder | None = None,
    device: torch.device | None = None,
) -> StoredRows:
    """The scaled rows of a split in a temporary file, written in one pass over the table.

    Args:
        dataset: the rows.
        preprocessor: its scaling.
        split: which rows.
        dtype: of the numbers.
        order: the order of training, as which the train split stands (`RowOrder.arranged`); None: as given.
        device: that the rows are moved to when they are read; None: the CPU, which reads them.

    Raises:
        DataError: if the disk has not enough space or cannot be written, and as `Scaling.tensor`.
    """
    n = len(dataset.splits[split])
    rows = in_order(dataset.splits[split]) if isinstance(order, Blocks) else dataset.splits[split]
    shape, weighted = (n, len(dataset.features), len(dataset.targets)), dataset.weights is not None
    out = StoredRows.empty(*shape, str(dtype).removeprefix("torch."), weighted=weighted)
    out.onto = None if device is None or device.type == "cpu" else device
    zeros = no_values(preprocessor)
    begins = [order.members(block).start for block in range(order.n_blocks)] if isinstance(order, Blocks) else []
    for start, found in scaled_blocks(dataset, preprocessor, rows, dtype, zeros):
        if not isinstance(order, Blocks):
            out.write(start, found)
            continue
        block, first = order.block_of(start, start + found.n_samples), 0
        ordered = found.chosen(torch.from_numpy(np.argsort(block, kind="stable")))
        for each, count in enumerate(np.bincount(block, minlength=order.n_blocks).tolist()):
            if count:
                out.write(begins[each], ordered.part(first, first + count))
                begins[each] += count
                first += count
    check_zeros(dataset, preprocessor, rows, dtype, zeros)
    release_unused()
    return out
