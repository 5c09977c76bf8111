"""Weights of rows that are not all in memory: read from the disk, and their roots taken, some rows at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import BLOCK_ROWS

Array = npt.NDArray[np.float64]
#: Some rows: consecutive ones, or positions.
At = slice | npt.NDArray[np.integer[Any]]


class WeightsOnAccess:
    """Numbers of rows, shape (n_rows,), float64, that are read when they are asked for.

    Args:
        n_rows: all of them.
        read: some rows -> their numbers, float64.

    >>> weights = WeightsOnAccess(3, lambda at: np.array([1.0, 4.0, 9.0])[at])
    >>> len(weights), weights[1:3].tolist(), roots(weights)[0:2].tolist(), sum_of(weights)
    (3, [4.0, 9.0], [1.0, 2.0], 14.0)
    """

    def __init__(self, n_rows: int, read: Callable[[At], Array]) -> None:
        self._n_rows, self._read = n_rows, read

    def __len__(self) -> int:
        return self._n_rows

    def __getitem__(self, at: At) -> Array:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._n_rows)
            assert step == 1, at
            return self._read(slice(start, max(start, stop)))
        return self._read(at)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self[0 : self._n_rows], dtype=dtype)


#: Weights in memory, or read on access.
Weights = Array | WeightsOnAccess


def as_weights(values: "npt.ArrayLike | WeightsOnAccess") -> Weights:
    """Weights as float64; those that are read on access are unchanged."""
    return values if isinstance(values, WeightsOnAccess) else np.asarray(values, dtype=np.float64)


def roots(weights: Weights) -> Weights:
    """The square roots, which are computed when they are read where the weights are."""
    if isinstance(weights, WeightsOnAccess):
        return WeightsOnAccess(len(weights), lambda at: np.sqrt(weights[at]))
    found: Array = np.sqrt(weights)
    return found


def sum_of(values: Weights, function: Callable[[Array], Array] | None = None) -> float:
    """The sum, with the same bits whether they are in memory or are read.

    It is that of the sums of halves, and of theirs, down to `BLOCK_ROWS` numbers. From version 2.4 on, if not before,
    numpy's sum of all is the same, since it goes on so; the first elements of halves are at multiples of 8.

    Args:
        values: of the rows.
        function: what is applied to each; None: nothing.
    """

    def of(first: int, last: int) -> float:
        count = last - first
        if count > BLOCK_ROWS:
            half = count // 2
            half -= half % 8
            return of(first, first + half) + of(first + half, last)
        some = values[first:last]
        return float(np.sum(some if function is None else function(some)))

    return of(0, len(values))
