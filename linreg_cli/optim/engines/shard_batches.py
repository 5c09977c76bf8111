"""Which rows each batch has of each shard: of those held here, or of all, when other processes have given theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.native import flat
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks
from linreg_cli.optim.rows import TrainRows

Array = np.ndarray[Any, np.dtype[Any]]

#: Bytes, at most, for each row held while the random order of an epoch is drawn and grouped, and for each batch and
#: shard.
ORDER_BYTES, GROUP_BYTES = 40, 32


@dataclass(frozen=True, eq=False)
class Batches:
    """Rows in memory, batch by batch and shard by shard.

    Attributes:
        rows: in memory.
        order: positions of the rows; empty where they stand in their order.
        ends: where each batch and shard begins and the last ends, as the kernel `shards.run_steps` has it.
        shards: the numbers of the shards.
        first: number of the first batch within its epoch.
    """

    rows: TrainRows
    order: Array
    ends: Array
    shards: range
    first: int = 0

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The rows and their order, as kernels take them, and whether there is one."""
        return *flat(self.rows), self.order, len(self.order) > 0

    def of_shard(self, batch: int, shard: int) -> tuple[TrainRows, Tensor | None] | None:
        """The rows of a batch that are a shard's, as rows and positions among them (None: all); None: it has none."""
        at = batch * len(self.shards) + shard - self.shards.start
        begin, end = int(self.ends[at]), int(self.ends[at + 1])
        if begin == end:
            return None
        if not len(self.order):
            return self.rows.part(begin, end), None
        return self.rows, torch.from_numpy(self.order[begin:end])

    @property
    def counts(self) -> Array:
        """How many rows each shard has of each batch, shape (n_shards, n_batches), in the smallest type."""
        found = np.diff(self.ends).reshape(-1, len(self.shards)).T
        return found.astype(np.min_scalar_type(int(found.max(initial=0))))

    def some(self, first: int, count: int) -> TrainRows:
        """The rows of some batches, batch by batch and shard by shard."""
        begin, end = (int(self.ends[at * len(self.shards)]) for at in (first, first + count))
        if len(self.order):
            return self.rows.chosen(torch.from_numpy(self.order[begin:end]))
        return self.rows.part(begin, end)


def of_epoch(plan: StepPlan, rows: TrainRows, held: range, epoch: int, dtype: str) -> Batches:
    """The batches of an epoch, of the rows of the shards that are held.

    Args:
        plan: the steps.
        rows: those of the shards held.
        held: the numbers of these shards.
        epoch: from 0.
        dtype: of positions.
    """
    assert plan.shards is not None
    bounds, size = plan.shards.bounds[held.start : held.stop + 1], plan.batch_size
    if not plan.rows.is_random:
        starts = np.minimum(np.arange(plan.steps_per_epoch + 1) * size, plan.n_samples)
        # The boundaries within a batch: those of the shards, moved into it.
        inside = np.clip(bounds[None, :-1], starts[:-1, None], starts[1:, None])
        ends = np.append(inside.reshape(-1), starts[-1]) - bounds[0]
        return Batches(rows, np.empty(0, dtype), np.clip(ends, 0, bounds[-1] - bounds[0]).astype(dtype), held)
    here, position = _found(plan, epoch, int(bounds[0]), int(bounds[-1]), dtype)
    group = here // size
    del here
    group *= len(held)
    group += np.searchsorted(bounds[1:] - bounds[0], position, side="right")
    ends = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=plan.steps_per_epoch * len(held)))])
    return Batches(rows, position[np.argsort(group, kind="stable")], ends.astype(dtype), held)


def _found(plan: StepPlan, epoch: int, begin: int, end: int, dtype: str) -> tuple[Array, Array]:
    """Where in the order of an epoch the rows `begin` to `end - 1` are found, and their positions from `begin` on."""
    order = plan.rows
    if not isinstance(order, Blocks):
        drawn = order.of(epoch)
        assert drawn is not None
        rows = drawn.numpy()
        here = np.flatnonzero((rows >= begin) & (rows < end))
        return here, (rows[here] - begin).astype(dtype)
    found, at = [(np.empty(0, np.int64), np.empty(0, dtype))], 0
    for block in map(int, order.blocks(epoch)):  # a block at a time, of those that have rows held here
        members = order.members(block)
        if max(members.start, begin) < min(members.stop, end):
            rows = order.rows(epoch, block)
            inside = np.flatnonzero((rows >= begin) & (rows < end))
            found.append((at + inside, (rows[inside] - begin).astype(dtype)))
        at += len(members)
    places, positions = zip(*found, strict=True)
    return np.concatenate(places), np.concatenate(positions)


def of_all_shards(rows: TrainRows, n_SC: Array, held: Sequence[range], own: Batches, first: int) -> Batches:
    """Some batches with the rows of all shards.

    Args:
        rows: process by process, those of each batch by batch and shard by shard.
        n_SC: how many of them each shard has of each batch, shape (n_shards, n_batches).
        held: the shards of each process.
        own: the batches of one of them.
        first: number of the first batch.
    """
    begins, start = [], 0
    for shards in held:
        n_Ch = n_SC[shards.start : shards.stop].T.astype(np.int64)
        begins.append((start + np.cumsum(n_Ch) - n_Ch.reshape(-1)).reshape(n_Ch.shape))
        start += int(n_Ch.sum())
    begin, n = np.concatenate(begins, axis=1).reshape(-1), n_SC.T.reshape(-1).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(n)])
    order = np.repeat(begin - ends[:-1], n) + np.arange(start)  # batch by batch all shards
    if not len(own.order):  # as where all shards are held, rows come as they stand
        rows, order = rows.chosen(torch.from_numpy(order)), order[:0]
    dtype = own.ends.dtype
    return Batches(rows, order.astype(dtype), ends.astype(dtype), range(len(n_SC)), first)
