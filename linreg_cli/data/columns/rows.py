"""Columns read as rows, without a second copy of the table."""

import bisect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import (
    BLOCK_ROWS,
    Column,
    DividedValues,
    EncodedColumns,
    Filled,
    Gaps,
    Mask,
    Rows,
    Values,
    pieces,
    take,
)
from linreg_cli.data.columns.row_set import RowArray, RowSet


def as_slice(rows: Rows | slice) -> Rows | slice:
    """Consecutive rows as a slice, which is read without a copy; other rows unchanged.

    >>> as_slice(np.array([2, 3, 4])), as_slice(np.array([2, 4])).tolist()
    (slice(2, 5, None), [2, 4])
    """
    if isinstance(rows, RowSet):
        return rows.as_slice or rows
    if isinstance(rows, slice) or not len(rows) or rows[-1] - rows[0] != len(rows) - 1:
        return rows
    for start in range(0, len(rows), BLOCK_ROWS):
        if (np.diff(rows[start : start + BLOCK_ROWS + 1]) != 1).any():
            return rows
    return slice(int(rows[0]), int(rows[-1]) + 1)


def in_order(rows: Rows) -> Rows | slice:
    """The same rows, each once, in ascending order, so that a table on the disk is read once, from start to end."""
    chosen = as_slice(rows)
    return as_slice(RowSet.of([chosen], int(chosen.max(initial=-1)) + 1)) if isinstance(chosen, np.ndarray) else chosen


def in_blocks(rows: Rows | slice) -> Rows | slice:
    """The same rows in an order in which blocks of them are read fast: as they are if they are one block."""
    return as_slice(rows) if isinstance(rows, slice) or len(rows) <= BLOCK_ROWS else in_order(rows)


def between(rows: Rows | slice, first: int, last: int) -> Rows | slice:
    """Those of some ascending rows that are from `first` to `last - 1`.

    >>> between(slice(10, 20), 15, 40), between(np.array([1, 4, 9]), 2, 9).tolist()
    (slice(15, 20, None), [4])
    """
    if isinstance(rows, slice):
        return slice(max(rows.start, first), max(min(rows.stop, last), rows.start, first))
    start, stop = (bisect.bisect_left(rows, end) for end in (first, last))
    if (start, stop) == (0, len(rows)):
        return rows
    return rows.between(start, stop) if isinstance(rows, RowSet) else rows[start:stop]


def count(rows: Rows | slice, n_samples: int) -> int:
    """The number of rows.

    Args:
        rows: row numbers or a slice.
        n_samples: rows of the table.
    """
    return len(range(n_samples)[rows]) if isinstance(rows, slice) else len(rows)


def part(rows: Rows | slice, start: int, stop: int) -> RowArray | slice:
    """The row numbers at positions `start` to `stop - 1`, read-only: a file remembers what it reads together of them.

    >>> part(slice(10, 20), 2, 4), part(np.array([7, 5, 9]), 1, 3).tolist()
    (slice(12, 14, None), [5, 9])
    """
    if isinstance(rows, slice):
        first = rows.start or 0
        return slice(first + start, first + stop)
    found = rows[start:stop]
    found.flags.writeable = False
    return found


def pick(rows: Rows | slice, positions: npt.NDArray[np.integer[Any]]) -> RowArray:
    """The row numbers at some positions.

    >>> pick(slice(10, 20), np.array([0, 3])).tolist(), pick(np.array([7, 5, 9]), np.array([2])).tolist()
    ([10, 13], [9])
    """
    chosen: RowArray = positions + (rows.start or 0) if isinstance(rows, slice) else rows[positions]
    chosen.flags.writeable = False
    return chosen


def row_blocks(rows: Rows | slice, n_samples: int, size: int = BLOCK_ROWS) -> Iterator[tuple[int, RowArray | slice]]:
    """(position of the first, some rows) for `size` rows at a time, in their order.

    Args:
        rows: row numbers or a slice.
        n_samples: rows of the table.
        size: rows of a block; the last one may have fewer.

    >>> [(start, block.tolist()) for start, block in row_blocks(np.array([7, 5, 9]), 10, size=2)]
    [(0, [7, 5]), (2, [9])]
    """
    n_rows = count(rows, n_samples)
    for start in range(0, n_rows, size):
        yield start, part(rows, start, min(start + size, n_rows))


def first_row(rows: Rows | slice, n_samples: int, where: Callable[[RowArray | slice], Mask]) -> tuple[int, int]:
    """The lowest row for which something holds, or `n_samples`, and for how many rows it does.

    Args:
        rows: row numbers or a slice.
        n_samples: rows of the table.
        where: some of the rows -> for which of them it holds, shape (n_rows,).

    >>> first_row(slice(0, 3), 3, lambda block: np.array([5, 7, 7])[block] == 7)
    (1, 2)
    """
    lowest, found = n_samples, 0
    for _, block in row_blocks(in_blocks(rows), n_samples):
        at = np.flatnonzero(where(block))
        if len(at):
            found += len(at)
            lowest = min(lowest, block.start + int(at[0]) if isinstance(block, slice) else int(block[at].min()))
    return lowest, found


class RowsOnAccess(ABC):
    """A matrix whose rows are read or computed on access: `values[start:stop]`, or by an array of positions.

    Args:
        shape: (n_rows, n_columns).
        dtype: of the numbers.

    Attributes:
        fits: whether all rows may become one array in memory; see `in_memory`.
    """

    ndim = 2
    fits = False

    def __init__(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        self.shape, self.dtype, self.size = shape, np.dtype(dtype), shape[0] * shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Some rows, shape (n_chosen, n_columns)."""

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[0 : len(self)], dtype=dtype)


#: Rows in memory, or read or computed on access.
Matrix = npt.NDArray[Any] | RowsOnAccess


def in_memory(*matrices: Matrix) -> bool:
    """Whether matrices are arrays, or may become ones (`np.asarray`), as what needs all rows at once asks for."""
    return all(not isinstance(values, RowsOnAccess) or values.fits for values in matrices)


def matrix(values: npt.ArrayLike | RowsOnAccess) -> Any:
    """`values` as an array; `RowsOnAccess`, whose blocks are built or read on access, unchanged."""
    return values if isinstance(values, RowsOnAccess) else np.asarray(values)


class _RoundedRows(RowsOnAccess):
    """Another matrix in another dtype."""

    def __init__(self, values: RowsOnAccess, dtype: npt.DTypeLike) -> None:
        super().__init__(values.shape, dtype)
        self._values = values

    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        return self._values[chosen].astype(self.dtype)


class ChosenRows(RowsOnAccess):
    """Rows of another matrix at some positions, shape (n_positions, n_columns), which are read on access.

    >>> ChosenRows(np.array([[1.0], [2.0], [3.0]]), np.array([2, 0]))[0:1].tolist()
    [[3.0]]
    """

    def __init__(self, values: Matrix, positions: npt.NDArray[np.integer[Any]]) -> None:
        super().__init__((len(positions), values.shape[1]), values.dtype)
        self._values, self._positions = values, positions

    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        return self._values[self._positions[chosen]]


def rounded_to(values: Matrix, dtype: npt.DTypeLike) -> Matrix:
    """A matrix in another dtype; where its rows are read on access, they are rounded then."""
    return _RoundedRows(values, dtype) if isinstance(values, RowsOnAccess) else values.astype(dtype)


class StackedRows(RowsOnAccess):
    """A matrix of shape (n_rows, n_columns), float64, whose rows are computed on access.

    Args:
        columns: name -> column.
        names: names of the columns of the matrix, in order.
        rows: rows of the table: row numbers, or a slice with both ends. Ascending rows are read faster.
        functions: for each column what is applied to its values, such as the transform of a target; None: nothing.

    >>> X = StackedRows({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}, ["a", "b"], np.array([1, 0]))
    >>> X.shape, X[0:1].tolist(), np.asarray(X).tolist()
    ((2, 2), [[2.0, 4.0]], [[2.0, 4.0], [1.0, 3.0]])
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        names: Sequence[str],
        rows: Rows | slice,
        functions: Sequence[Callable[[Column], Column]] | None = None,
    ) -> None:
        self._columns, self._names, self._rows, self._functions = columns, names, as_slice(rows), functions
        super().__init__((rows.stop - rows.start if isinstance(rows, slice) else len(rows), len(names)), np.float64)

    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> Column:
        if isinstance(chosen, slice):
            start, stop, step = chosen.indices(len(self))
            assert step == 1, chosen
            rows = part(self._rows, start, stop)
            n_rows = max(stop - start, 0)
        else:
            rows, n_rows = pick(self._rows, chosen), len(chosen)
        out = np.empty((n_rows, len(self._names)))
        for position, name in enumerate(self._names):
            values = take(self._columns, name, rows)
            out[:, position] = values if self._functions is None else self._functions[position](values)
        return out


def in_turn(columns: Mapping[str, Column], name: str) -> Iterator[Column]:
    """All values of a column, some rows after the other, read-only; to be read to the end before anything else is.

    >>> [each.tolist() for each in in_turn({"x": np.array([1.0, 2.0])}, "x")]
    [[1.0, 2.0]]
    """
    source = columns.numbers.get(name) if isinstance(columns, EncodedColumns) else columns[name]
    if source is not None:
        return values_in_turn(source)
    n_rows = columns.n_samples if isinstance(columns, EncodedColumns) else 0
    return (take(columns, name, slice(start, start + BLOCK_ROWS)) for start in range(0, n_rows, BLOCK_ROWS))


def values_in_turn(values: Values) -> Iterator[Column]:
    """As `in_turn`, of the values of a column."""
    if isinstance(values, DividedValues):
        return values.in_turn()
    if isinstance(values, Filled | Gaps) and isinstance(values.values, DividedValues):
        return (replace(values, values=each)[:] for each in values.values.in_turn())
    return pieces(values)
