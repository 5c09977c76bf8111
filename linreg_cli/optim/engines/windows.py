"""Windows: rows in memory from which the next steps of a plan are taken, whether all rows are there or on the disk.

Rows on the disk are read piece by piece: a piece is a block of `row_order.Blocks`, or some consecutive rows where they
come as given. A window has the rows that the batches of the last piece left over, and the rows of the next piece. While
steps are taken from it, a thread reads the next one, and moves it to the device that takes the steps. What a window has
is a function of the plan and the step alone, so the results are the same bits wherever a call begins or ends, and those
of rows that are all in memory.
"""

import functools
import os
from collections.abc import Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linreg_cli.optim.engines.threads import pool
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks, RowOrder
from linreg_cli.optim.rows import AnyRows, StoredRows, TrainRows, row_bytes

#: From so many rows on, the next row order is drawn while an epoch runs. For fewer, a thread costs more than it saves.
DRAW_AHEAD_ROWS = 20_000

#: Bytes of a piece where rows come as given, about.
PIECE_BYTES = 4 * 2**20

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """Rows in memory, and the steps that can be taken from them.

    Attributes:
        rows: in memory.
        order: positions in `rows`, those of one batch after the other, shape (n_rows,); None: as they stand.
        first: the step whose batch is the first of `order`.
        stop: one past the last step whose rows are here.
        read: the same window in memory of the process, where `rows` are on a device that they were moved to.
    """

    rows: TrainRows
    order: Tensor | None
    first: int
    stop: int
    read: "Window | None" = None

    def batch(self, plan: StepPlan, step: int) -> int:
        """Which batch of `order` that of a step is, from 0."""
        return (step - self.first) % plan.steps_per_epoch


class ResidentWindows:
    """The windows of rows that are all in memory: an epoch, or all epochs where rows come as given.

    The next order is drawn by a thread while an epoch runs.

    Args:
        rows: the train split.
        dtype: of the orders, an integer.
    """

    def __init__(self, rows: TrainRows, dtype: torch.dtype) -> None:
        self._rows, self._dtype = rows, dtype
        self._now: tuple[Hashable, Tensor | None] | None = None
        self._next: tuple[Hashable, Future[Tensor | None]] | None = None

    def of(self, plan: StepPlan, step: int) -> Window:
        """The window that a step is taken from."""
        if not plan.rows.is_random:
            return Window(self._rows, None, 0, plan.total_steps)
        epoch, _ = plan.locate(step)
        order = self._order(plan, epoch)
        return Window(self._rows, order, epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)

    def forget(self) -> None:
        """Free what is kept for the next steps, after the last one."""
        self._now = self._next = None

    def _order(self, plan: StepPlan, epoch: int) -> Tensor | None:
        key = _key(plan.rows, epoch)
        if self._now is None or self._now[0] != key:
            ahead = self._next[1].result() if self._next is not None and self._next[0] == key else None
            order = plan.rows.of(epoch, self._dtype) if ahead is None else ahead
            self._now, self._next = (key, None if order is None else order.to(self._rows.device)), None
            if plan.n_samples >= DRAW_AHEAD_ROWS and epoch + 1 < plan.epochs:
                drawing = pool("linreg-order", 1).submit(plan.rows.of, epoch + 1, self._dtype)
                self._next = _key(plan.rows, epoch + 1), drawing
        return self._now[1]


@dataclass(frozen=True)
class Pieces:
    """The pieces in which rows are read from the disk, and the windows that have the batches of an epoch.

    Window j of an epoch ends with the last batch whose rows are all in pieces 0 to j; the last one has what is left.

    Attributes:
        rows: the row order.
        n_samples: rows of the train split.
        batch_size: rows of a batch.
        size: rows of a piece where rows come as given.

    >>> from linreg_cli.optim.row_order import Given
    >>> pieces = Pieces(Given(), n_samples=10, batch_size=4, size=3)
    >>> pieces.ends(0).tolist(), pieces.stops(0).tolist(), pieces.capacity
    ([0, 3, 6, 9, 10], [0, 1, 2, 3], 6)
    """

    rows: RowOrder
    n_samples: int
    batch_size: int
    size: int

    @property
    def capacity(self) -> int:
        """The most rows of a window: those of less than a batch that were left over, and a piece."""
        largest = self.size
        if isinstance(self.rows, Blocks):
            largest = max(len(self.rows.members(block)) for block in range(self.rows.n_blocks))
        return min(self.n_samples, self.batch_size - 1 + largest)

    def ends(self, epoch: int) -> Positions:
        """Where each piece of an epoch begins in its order and the last ends, shape (n_pieces + 1,)."""
        return _ends(self, epoch if self.rows.is_random else 0)

    def stops(self, epoch: int) -> Positions:
        """One past the last batch of each window, shape (n_pieces,)."""
        stops = self.ends(epoch)[1:] // self.batch_size
        stops[-1] = -(-self.n_samples // self.batch_size)
        return stops

    def piece(self, epoch: int, index: int) -> tuple[int, Positions | None]:
        """The position in the train split at which a piece begins, and the order of its rows; None: as they stand."""
        if not isinstance(self.rows, Blocks):
            return index * self.size, None
        block = int(self.rows.blocks(epoch)[index])
        begin, order = self.rows.members(block).start, self.rows.rows(epoch, block)
        order -= begin
        return begin, order


@functools.lru_cache(maxsize=4)
def _ends(pieces: Pieces, epoch: int) -> Positions:
    if not isinstance(pieces.rows, Blocks):
        return np.append(np.arange(0, pieces.n_samples, pieces.size), pieces.n_samples)
    counts = [len(pieces.rows.members(int(block))) for block in pieces.rows.blocks(epoch)]
    return np.concatenate([[0], np.cumsum(counts)])


class StoredWindows:
    """The windows of rows on the disk, in two buffers: one that steps are taken from, and one that is read into.

    Where memory is short (`StoredRows.ahead`) there is one buffer, which is read into when its steps are taken.

    Args:
        rows: the train split, which stands as the row order of the plan has it (`RowOrder.arranged`).
        dtype: of the orders, an integer.
    """

    def __init__(self, rows: StoredRows, dtype: torch.dtype) -> None:
        self._rows, self._dtype = rows, dtype
        self._buffers: list[tuple[TrainRows, TrainRows]] = []  # in memory, and where steps are taken from them
        self._now: tuple[Hashable, Window] | None = None
        self._next: tuple[Hashable, Future[Window]] | None = None

    def of(self, plan: StepPlan, step: int) -> Window:
        """The window that a step is taken from; valid until the next call.

        Raises:
            DataError: if the rows cannot be read back.
        """
        key, pieces = _key(plan.rows, plan.batch_size), pieces_of(plan, row_bytes(self._rows))
        if self._now is not None and self._now[0] == key and self._now[1].first <= step < self._now[1].stop:
            return self._now[1]
        before = self._now[1] if self._now is not None and self._now[0] == key and self._now[1].stop == step else None
        following, self._next = self._next, None
        window = None if following is None or following[0] != key else following[1].result()
        if window is None or not window.first <= step < window.stop:
            if following is not None:
                wait([following[1]])  # it may still be reading into a buffer
            self._now = None
            window = self._read(plan, pieces, step, before)
        self._now = key, window
        if self._rows.ahead and window.stop < plan.total_steps:
            self._next = key, pool("linreg-windows", 1).submit(self._read, plan, pieces, window.stop, window)
        return window

    def forget(self) -> None:
        """Free what is kept for the next steps, after the last one."""
        self._now, self._next, self._buffers = None, None, []

    def _read(self, plan: StepPlan, pieces: Pieces, step: int, last: Window | None) -> Window:
        """The window of a step, in the buffer that `last`, which ends with that step, is not in."""
        room, there = self._buffer(pieces, last)
        window = self._filled(room, plan, pieces, step, None if last is None else last.read or last)
        if self._rows.onto is None:
            return window
        rows = self._rows.moved(window.rows, there.part(0, window.rows.n_samples))
        order = None if window.order is None else window.order.to(self._rows.onto)
        return replace(window, rows=rows, order=order, read=window)

    def _filled(self, room: TrainRows, plan: StepPlan, pieces: Pieces, step: int, before: Window | None) -> Window:
        """The window of a step in memory; `before` is the one that ends with that step."""
        epoch, batch = plan.locate(step)
        ends, stops, begun = pieces.ends(epoch), pieces.stops(epoch), epoch * plan.steps_per_epoch
        last = int(np.searchsorted(stops, batch, side="right"))
        first_batch = int(stops[last - 1]) if last else 0
        at, begin, end = 0, first_batch * plan.batch_size, int(ends[last + 1])
        left = _left_over(before, plan.batch_size) if before is not None else None  # a copy: `out` may be its buffer
        out = room.part(0, end - begin)
        order_n = torch.empty(end - begin, dtype=self._dtype) if plan.rows.is_random else None
        if before is not None and left is not None and before.stop == begun + first_batch:
            at = _put(left, torch.arange(left.n_samples), out, 0, order_n)
        index = int(np.searchsorted(ends, begin + at, side="right")) - 1
        while begin + at < end:
            start, order = pieces.piece(epoch, index)
            count, skipped = int(ends[index + 1] - ends[index]), begin + at - int(ends[index])
            if skipped:  # a run begins within an epoch: of this piece it needs the rest alone
                at += self._read_rest(start, count, order, skipped, out.part(at, at + count - skipped))
                if order_n is not None:
                    torch.arange(at - count + skipped, at, out=order_n[at - count + skipped : at])
            else:
                self._rows.read_into(out.part(at, at + count), start)
                if order_n is not None and order is not None:
                    order_n[at : at + count] = torch.from_numpy(order)
                    order_n[at : at + count] += at
                at += count
            index += 1
        return Window(out, order_n, begun + first_batch, begun + int(stops[last]))

    def _read_rest(self, start: int, count: int, order: Positions | None, skipped: int, out: TrainRows) -> int:
        """Read a piece but for the first `skipped` rows of its order, in that order; some rows in memory at a time."""
        place = torch.arange(count)
        if order is not None:
            place[torch.from_numpy(order)] = torch.arange(count)
        size = max(1, PIECE_BYTES // row_bytes(self._rows))
        for first in range(0, count, size):
            part = self._rows.read(start + first, start + min(first + size, count))
            to = place[first : first + size] - skipped
            kept = to >= 0
            out.X_nd[to[kept]], out.y_nk[to[kept]] = part.X_nd[kept], part.y_nk[kept]
            if out.weight_n is not None and part.weight_n is not None:
                out.weight_n[to[kept]] = part.weight_n[kept]
        return count - skipped

    def _buffer(self, pieces: Pieces, last: Window | None) -> tuple[TrainRows, TrainRows]:
        capacity, onto = pieces.capacity, self._rows.onto
        if not self._buffers or self._buffers[0][0].n_samples < capacity:
            rooms = [self._rows.room(capacity) for _ in range(1 + self._rows.ahead)]
            self._buffers = [(room, room if onto is None else room.like(onto)) for room in rooms]
        if not self._rows.ahead:
            return self._buffers[0]
        taken = last is not None and (last.read or last).rows.X_nd.data_ptr() == self._buffers[0][0].X_nd.data_ptr()
        return self._buffers[int(taken)]


Windows = ResidentWindows | StoredWindows


def windows_of(rows: AnyRows, dtype: torch.dtype) -> Windows:
    """The windows of the train rows; `dtype` is that of the orders."""
    # `select` gives others to the executors of statistics and of shards alone.
    assert isinstance(rows, TrainRows | StoredRows), rows
    return StoredWindows(rows, dtype) if isinstance(rows, StoredRows) else ResidentWindows(rows, dtype)


def pieces_of(plan: StepPlan, bytes_of_row: int) -> Pieces:
    """The pieces in which the rows of a plan are read from the disk."""
    return Pieces(plan.rows, plan.n_samples, plan.batch_size, min(plan.n_samples, max(1, PIECE_BYTES // bytes_of_row)))


def _left_over(window: Window, batch_size: int) -> TrainRows:
    """A copy of the rows of a window that its batches have not taken, in their order."""
    rows, n_samples, position = window.rows, window.rows.n_samples, (window.stop - window.first) * batch_size
    order = window.order
    chosen = torch.arange(min(position, n_samples), n_samples) if order is None else order[position:].long()
    return rows.chosen(chosen)


def _put(rows: TrainRows, chosen: Tensor, out: TrainRows, at: int, order_n: Tensor | None) -> int:
    """Copy some rows, in this order, to position `at` on, where they are taken as they stand; returns their number."""
    end = at + len(chosen)
    torch.index_select(rows.X_nd, 0, chosen, out=out.X_nd[at:end])
    torch.index_select(rows.y_nk, 0, chosen, out=out.y_nk[at:end])
    if rows.weight_n is not None and out.weight_n is not None:
        torch.index_select(rows.weight_n, 0, chosen, out=out.weight_n[at:end])
    if order_n is not None:
        torch.arange(at, end, out=order_n[at:end])
    return len(chosen)


def _key(*values: Hashable) -> Hashable:
    # With the process id: after a fork, the thread of the parent that would draw or read what is next does not exist.
    return (*values, os.getpid())
