"""Canonical shards of the train rows: sums over rows are those of the shards, added up in the order of the shards.

Where rows and sums lie is then a function of the config alone, and any number of processes gives the same bits.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.wording import plural

Positions = npt.NDArray[np.int64]

#: The number of shards where several processes train and the config does not say.
DEFAULT_SHARDS = 8


@dataclass(frozen=True)
class Shards:
    """Shard s has the rows at positions floor(s n / S) to floor((s + 1) n / S) - 1 of the train split.

    Attributes:
        n_samples: n, rows of the train split.
        count: S; a shard is empty where there are fewer rows.

    >>> Shards(n_samples=13, count=5).bounds.tolist()
    [0, 2, 5, 7, 10, 13]
    >>> Shards(13, 5).of_ranks(3)
    [range(0, 1), range(1, 3), range(3, 5)]
    """

    n_samples: int
    count: int

    @property
    def bounds(self) -> Positions:
        """The first row of each shard, and one past the last row of the last, shape (count + 1,)."""
        return np.array([shard * self.n_samples // self.count for shard in range(self.count + 1)], dtype=np.int64)

    def of_ranks(self, size: int) -> list[range]:
        """The shards of each of `size` processes: contiguous, in their order."""
        ends = [rank * self.count // size for rank in range(size + 1)]
        return [range(first, last) for first, last in itertools.pairwise(ends)]


def too_few(count: int, size: int) -> str | None:
    """Why so many shards cannot be divided among so many processes; None if they can.

    >>> too_few(8, 9)
    '8 shards cannot be divided among 9 processes; start at most 8, or set train.shards to 9 or more'
    >>> too_few(8, 8) is None
    True
    """
    if size <= count:
        return None
    advice = f"start at most {count}, or set train.shards to {size} or more"
    return f"{plural(count, 'shard')} cannot be divided among {size} processes; {advice}"
