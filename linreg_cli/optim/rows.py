"""TrainRows: the rows of the train split, as every executor is given them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # several processes are rare, and its imports take time
    from linreg_cli.optim.ranks import Ranks


@dataclass(frozen=True, eq=False)
class TrainRows:
    """The train split in scaled units and the dtype of training, in memory, on the device of the model.

    Attributes:
        X_nd: inputs, shape (n_samples, n_features), float32 or float64.
        y_nk: targets, shape (n_samples, n_targets), of the same dtype and on the same device.
        weight_n: weights of the rows, with mean 1, shape (n_samples,), of the same dtype; None: all are 1.
        ranks: the processes that share the work on the rows, of which this one is rank 0; None: it is alone.

    >>> rows = TrainRows(torch.zeros(5, 3), torch.zeros(5, 1))
    >>> rows.n_samples, rows.n_features, rows.n_targets, rows.dtype, len(rows.part(1, 3).X_nd)
    (5, 3, 1, 'float32', 2)
    """

    X_nd: Tensor
    y_nk: Tensor
    weight_n: Tensor | None = None
    ranks: "Ranks | None" = None

    @property
    def n_samples(self) -> int:
        """Rows."""
        return len(self.X_nd)

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.X_nd.shape[1]

    @property
    def n_targets(self) -> int:
        """Columns of y."""
        return self.y_nk.shape[1]

    @property
    def dtype(self) -> str:
        """`float32` or `float64`."""
        return str(self.X_nd.dtype).removeprefix("torch.")

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.X_nd.device

    def part(self, first: int, last: int) -> "TrainRows":
        """The rows `first` to `last - 1`."""
        weights = None if self.weight_n is None else self.weight_n[first:last]
        return TrainRows(self.X_nd[first:last], self.y_nk[first:last], weights)

    def parts(self, size: int) -> Iterator["TrainRows"]:
        """All rows in order, `size` at a time."""
        for first in range(0, self.n_samples, size):
            yield self.part(first, min(first + size, self.n_samples))
