"""Rows in scaled units on their way between processes: a feature of two values, such as an indicator, takes one bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import EncodedColumns
from linreg_cli.data.scaling import Scaling

Array = npt.NDArray[Any]

#: Fewer features of two values travel as they are: the bits of a row would save little.
FEWEST = 4


@dataclass(frozen=True, eq=False)
class Packing:
    """Which features have two values.

    Attributes:
        two: positions of those that do, among all features; empty: rows travel as they are.
        others: positions of those that do not.
        low: of each of the first ones the scaled value of 0, in the dtype of training.
        high: that of 1.
    """

    two: Any
    others: Any
    low: Array
    high: Array

    @classmethod
    def none(cls) -> "Packing":
        """That of rows that travel as they are."""
        return cls(slice(0, 0), slice(None), np.zeros(0), np.zeros(0))

    @classmethod
    def of(cls, dataset: Dataset, scaling: Scaling, dtype: str) -> "Packing":
        """That of the features of a dataset.

        Args:
            dataset: with rows whose cells are not missing.
            scaling: of the features.
            dtype: of training, `float32` or `float64`.
        """
        columns = dataset.columns
        if not isinstance(columns, EncodedColumns):
            return cls.none()
        is_two = np.array([columns.is_indicator(name) for name in dataset.features])
        if np.count_nonzero(is_two) < FEWEST:
            return cls.none()
        at = np.flatnonzero(is_two)
        values = np.array([scaling.scaled(position, np.array([0.0, 1.0])) for position in at.tolist()]).astype(dtype)
        return cls(_places(at), _places(np.flatnonzero(~is_two)), values[:, 0].copy(), values[:, 1].copy())

    def packed(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """What travels of rows, on the CPU, given as inputs, targets and perhaps weights: the inputs in two parts."""
        if not len(self.low):
            return [*rows]
        X_nd = rows[0].numpy()
        bits = np.packbits((X_nd[:, self.two] == self.high).reshape(-1))
        return [torch.from_numpy(np.ascontiguousarray(X_nd[:, self.others])), torch.from_numpy(bits), *rows[1:]]

    def room(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Memory for what travels of as many rows; of what travels as it is, that of the rows."""
        m, (n, d) = len(self.low), rows[0].shape
        if not m:
            return [*rows]
        numbers = torch.empty(n, d - m, dtype=rows[0].dtype)
        return [numbers, torch.empty((n * m + 7) // 8, dtype=torch.uint8), *rows[1:]]

    def unpack(self, travelled: Sequence[Tensor], rows: Sequence[Tensor]) -> None:
        """Fill in the rows whose `room` has what has travelled."""
        m, X_nd = len(self.low), rows[0].numpy()
        if not m:
            return
        bits = np.unpackbits(travelled[1].numpy(), count=len(X_nd) * m).view(np.bool_)
        X_nd[:, self.others] = travelled[0].numpy()
        X_nd[:, self.two] = np.where(bits.reshape(-1, m), self.high, self.low)


def _places(at: Array) -> Any:
    """Ascending positions as a slice where they are consecutive, which takes a third of the time."""
    if len(at) and at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at
