"""The order of the rows in an epoch: a function of seed and epoch, computed when it is needed.

It does not depend on earlier epochs, so resuming needs only the current one. Equal `RowOrder` values give equal orders,
so an order can be cached under (value, epoch).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from linreg_cli.seeds import torch_stream


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
