"""In which order the rows are seen: a function of the epoch, computed when it is needed.

An order depends on nothing that came before, so that a resume begins with the epoch that it is in. Two that are equal
as values give the same orders, so that they can be kept under the value and an epoch.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from linreg_cli.seeds import torch_stream


class RowOrder(Hashable, Protocol):
    """What a plan asks for the order of its rows; frozen dataclasses are such."""

    @property
    def is_random(self) -> bool:
        """Whether rows that lie side by side are seen far apart, which costs more to read."""

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """The rows in the order in which an epoch sees them.

        Args:
            epoch: of the steps, from 0.
            dtype: of the integers, which are the same in any that holds them.

        Returns:
            Positions in the train split, each once, shape (n_samples,); None: as given.
        """


@dataclass(frozen=True)
class Given:
    """The rows as they are given, in every epoch.

    >>> Given().of(3) is None
    True
    """

    is_random = False

    def of(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """None; as `RowOrder.of`."""
        return None


@dataclass(frozen=True)
class Full:
    """A random permutation of all rows, a new one in each epoch.

    Attributes:
        n_samples: rows of the train split.
        seed: of the permutations; the stream is that of (seed, "order", epoch).

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
        """A permutation that (seed, epoch) determines; as `RowOrder.of`."""
        return torch.randperm(self.n_samples, generator=torch_stream(self.seed, "order", epoch), dtype=dtype)
