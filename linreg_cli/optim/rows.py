"""TrainRows: the rows of the train split, as every executor is given them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Second moments of the columns x and y of the train split, in scaled units, float64.

    Attributes:
        n: rows.
        mean_z: the means of [x | y], shape (d + k,).
        S_dd: the sum of (x - mean)(x - mean)' over the rows.
        fit_kd: weights of a fit to the targets, close to the best one.
        q_kd: the sum of r (x - mean)' for its residuals r.
        rr_k: the sum of r^2.
    """

    n: int
    mean_z: Array
    S_dd: Array
    fit_kd: Array
    q_kd: Array
    rr_k: Array


@dataclass(frozen=True, eq=False)
class TrainRows:
    """The train split in scaled units and the dtype of training, in memory, on the device of the model.

    Attributes:
        X_nd: inputs, shape (n_samples, n_features), float32 or float64.
        y_nk: targets, shape (n_samples, n_targets), of the same dtype and on the same device.
        weight_n: weights of the rows, with mean 1, shape (n_samples,), of the same dtype; None: all are 1.
        measured: their second moments, where the rows were not read; then X and y are on torch's device `meta`, which
            has shapes and no numbers.

    >>> rows = TrainRows(torch.zeros(5, 3), torch.zeros(5, 1))
    >>> rows.n_samples, rows.n_features, rows.n_targets, rows.dtype, len(rows.part(1, 3).X_nd)
    (5, 3, 1, 'float32', 2)
    """

    X_nd: Tensor
    y_nk: Tensor
    weight_n: Tensor | None = None
    measured: SecondMoments | None = None

    @classmethod
    def of_moments(cls, measured: SecondMoments, dtype: torch.dtype) -> "TrainRows":
        """Rows of which only the moments are known, to be trained on in a dtype."""
        d, k = len(measured.fit_kd.T), len(measured.fit_kd)
        X, y = (torch.empty(measured.n, width, dtype=dtype, device="meta") for width in (d, k))
        return cls(X, y, measured=measured)

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
        return self.X_nd.device if self.measured is None else torch.device("cpu")

    def part(self, first: int, last: int) -> "TrainRows":
        """The rows `first` to `last - 1`."""
        weights = None if self.weight_n is None else self.weight_n[first:last]
        return TrainRows(self.X_nd[first:last], self.y_nk[first:last], weights)

    def parts(self, size: int) -> Iterator["TrainRows"]:
        """All rows in order, `size` at a time."""
        for first in range(0, self.n_samples, size):
            yield self.part(first, min(first + size, self.n_samples))
