"""The order of the rows in an epoch: a function of seed and epoch, computed when it is needed.

It does not depend on earlier epochs, so resuming needs only the current one. Equal `RowOrder` values give equal orders,
so an order can be cached under (value, epoch). Orders are drawn on the CPU, whatever the device of the rows.
"""

import functools
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linreg_cli.data.columns.kinds import Rows
from linreg_cli.seeds import counted_words, torch_stream

#: Bytes of a block of rows in the dtype of training, about, where `train.blocks` is null.
BLOCK_BYTES = 32 * 2**20

#: Rows that are numbered or counted at a time.
COUNTED_ROWS = 1 << 16

Positions = npt.NDArray[np.int64]


class RowOrder(Hashable, Protocol):
    """The interface of row orders; implementations are frozen dataclasses."""

    @property
    def is_random(self) -> bool:
        """Whether consecutive rows are not adjacent in memory, which makes reading them slower."""

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """The row order of an epoch.

        Args:
            epoch: from 0.
            dtype: an integer dtype that can represent the positions, which do not depend on it.

        Returns:
            Positions in the train split, each once, shape (n_samples,); None: the rows as given.
        """

    def pieces(self, epoch: int) -> Iterator[Positions] | None:
        """The order of an epoch in pieces that follow each other, each drawn when it is asked for; None: as given."""

    def arranged(self, rows: Rows) -> Rows:
        """The row numbers of the train split in the order in which the rows stand, in memory or on the disk.

        Args:
            rows: row numbers of the table, shape (n_samples,).
        """


@dataclass(frozen=True)
class Given:
    """The rows as given, in every epoch.

    >>> Given().of(3) is None
    True
    """

    is_random = False

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """None; as `RowOrder.of`."""
        return None

    def pieces(self, epoch: int) -> Iterator[Positions] | None:
        """None; as `RowOrder.pieces`."""
        return None

    def arranged(self, rows: Rows) -> Rows:
        """As they are; as `RowOrder.arranged`."""
        return rows


@dataclass(frozen=True)
class Full:
    """A random permutation of all rows, a new one in each epoch.

    Attributes:
        n_samples: rows of the train split.
        seed: of the permutations, which are drawn from the stream (seed, "order", epoch).

    >>> order = Full(n_samples=5, seed=0).of(7)
    >>> sorted(order.tolist())
    [0, 1, 2, 3, 4]
    >>> torch.equal(order, Full(n_samples=5, seed=0).of(7))
    True
    """

    n_samples: int
    seed: int

    is_random = True

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """The permutation of an epoch; as `RowOrder.of`."""
        return torch.randperm(self.n_samples, generator=torch_stream(self.seed, "order", epoch), dtype=dtype)

    def pieces(self, epoch: int) -> Iterator[Positions] | None:
        """All rows at once; as `RowOrder.pieces`."""
        order = self.of(epoch)
        assert order is not None
        return iter([order.numpy()])

    def arranged(self, rows: Rows) -> Rows:
        """As they are; as `RowOrder.arranged`."""
        return rows


def block_count(n_samples: int, n_columns: int, itemsize: int) -> int:
    """The number of blocks that take about 32 MiB each, from the size of the table alone.

    Args:
        n_samples: rows of the train split.
        n_columns: features and targets.
        itemsize: bytes of a number in the dtype of training.

    >>> block_count(1_000, 9, 4), block_count(5_000_000, 17, 4)
    (1, 11)
    """
    return max(1, math.ceil(n_samples * n_columns * itemsize / BLOCK_BYTES))


@dataclass(frozen=True)
class Blocks:
    """A random order that can be read from a disk: an epoch takes one block of rows after the other.

    Each row is in a block at random, by a function of (seed, row), the same in every epoch; `row` counts the rows of
    the train split in the order of the table. The split stands block by block, so that a block is a range of positions.
    An epoch has the blocks in an order from (seed, epoch), and the rows of a block in an order from (seed, epoch,
    block). All are functions of a counter (`seeds.counted_words`), so that any part of them is drawn alone, with the
    same bits on any device.

    Attributes:
        n_samples: rows of the train split.
        seed: of the run.
        n_blocks: K; blocks have n_samples / K rows on average.

    >>> rows = Blocks(n_samples=6, seed=0, n_blocks=2)
    >>> sorted(rows.of(7).tolist())
    [0, 1, 2, 3, 4, 5]
    >>> rows.of(7).tolist() == [int(row) for block in rows.blocks(7) for row in rows.rows(7, int(block))]
    True
    >>> rows.members(0), rows.members(1), rows.arranged(np.array([9, 5, 6, 7, 8, 4])).tolist()
    (range(0, 5), range(5, 6), [4, 5, 7, 8, 9, 6])
    """

    n_samples: int
    seed: int
    n_blocks: int

    is_random = True

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """The order of an epoch; as `RowOrder.of`."""
        out, start = torch.empty(self.n_samples, dtype=dtype), 0
        for block in self.blocks(epoch):
            rows = self.rows(epoch, int(block))
            out[start : start + len(rows)] = torch.from_numpy(rows)
            start += len(rows)
        return out

    def pieces(self, epoch: int) -> Iterator[Positions] | None:
        """Block by block; as `RowOrder.pieces`."""
        return (self.rows(epoch, int(block)) for block in self.blocks(epoch))

    def blocks(self, epoch: int) -> Positions:
        """The order of the blocks in an epoch, shape (n_blocks,)."""
        return _shuffled(self.n_blocks, self.seed, "order of blocks", epoch)

    def rows(self, epoch: int, block: int) -> Positions:
        """The positions of a block in their order in an epoch, shape (n_rows of the block,)."""
        members = self.members(block)
        out = _shuffled(len(members), self.seed, "order in a block", epoch, block)
        out += members.start
        return out

    def members(self, block: int) -> range:
        """The positions of a block in the train split."""
        ends = _ends(self)
        return range(int(ends[block]), int(ends[block + 1]))

    def arranged(self, rows: Rows) -> Rows:
        """Block by block, and within a block in the order of the table; as `RowOrder.arranged`."""
        return np.sort(rows)[np.argsort(self.block_of(0, self.n_samples), kind="stable")]

    def block_of(self, start: int, stop: int) -> npt.NDArray[np.uint16] | Positions:
        """The blocks of the rows `start` to `stop - 1`: floor(K u) of a random u in [0, 1) with 32 bits."""
        high = counted_words(self.seed, "block of a row", start=start, stop=stop) >> np.uint64(32)
        blocks = high * np.uint64(self.n_blocks) >> np.uint64(32)
        if self.n_blocks > 2**16:
            return blocks.astype(np.int64)
        return blocks.astype(np.uint16)  # which are sorted in a tenth of the time


@functools.lru_cache(maxsize=8)
def _ends(order: Blocks) -> Positions:
    """Where each block begins and the last ends, shape (n_blocks + 1,)."""
    ends = np.zeros(order.n_blocks + 1, dtype=np.int64)
    for start in range(0, order.n_samples, COUNTED_ROWS):
        block = order.block_of(start, min(start + COUNTED_ROWS, order.n_samples))
        ends[1:] += np.bincount(block, minlength=order.n_blocks)
    return np.cumsum(ends, out=ends)


def _shuffled(count: int, seed: int, purpose: str, *counter: int) -> Positions:
    """A random permutation: positions in the order of random words, whose last bits are the position itself."""
    bits = np.uint64(max(count - 1, 1).bit_length())
    words = counted_words(seed, purpose, *counter, stop=count)
    words >>= bits
    words <<= bits
    for start in range(0, count, COUNTED_ROWS):
        words[start : start + COUNTED_ROWS] |= np.arange(start, min(start + COUNTED_ROWS, count), dtype=np.uint64)
    words.sort()
    words &= (np.uint64(1) << bits) - np.uint64(1)
    return words.view(np.int64)
