"""Rows of numbers in a temporary file without a name: written once at any place, read in ranges by any thread.

The scaled rows of a split that is not held in memory are kept like this. The file holds one matrix after the
other, each row-major. It has no name, so that nothing is left of it however the process ends.
"""

import itertools
import os
import shutil
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import BLOCK_ROWS
from linreg_cli.data.columns.on_disk import open_nameless
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess
from linreg_cli.errors import TemporaryFileError
from linreg_cli.temporary import folder
from linreg_cli.wording import bytes_of

Array = npt.NDArray[Any]

#: A matrix of more bytes than this does not become one array: what would do so must take it in blocks.
LARGEST_ARRAY = 64 * 2**20


class StoredMatrix(RowsOnAccess):
    """A matrix of shape (n_rows, n_columns) in a file; rows are read on access.

    Args:
        file: the open file, which is closed with the last matrix that reads from it.
        begin: the byte at which the matrix begins.
        shape: (n_rows, n_columns).
        dtype: of the numbers.
    """

    def __init__(self, file: "_File", begin: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        super().__init__(shape, dtype)
        self._file, self._begin = file, begin

    def _row(self, first: int) -> int:
        """The byte at which a row begins."""
        return self._begin + first * self.shape[1] * self.dtype.itemsize

    def read_into(self, out: Array, first: int) -> None:
        """Fill an array of shape (count, n_columns), contiguous, with the rows from `first` on.

        Raises:
            TemporaryFileError: if the file cannot be read back.
        """
        assert out.dtype == self.dtype, (out.dtype, self.dtype)
        self._file.read(out.reshape(-1).view(np.uint8).data, self._row(first))

    def write(self, rows: Array, first: int) -> None:
        """Write rows, shape (count, n_columns), from row `first` on.

        Raises:
            TemporaryFileError: if the disk is full, or cannot be written.
        """
        assert rows.dtype == self.dtype, (rows.dtype, self.dtype)
        self._file.write(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data, self._row(first))

    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> Array:
        if isinstance(chosen, slice):
            start, stop, step = chosen.indices(len(self))
            assert step == 1, chosen
            out = np.empty((max(stop - start, 0), self.shape[1]), self.dtype)
            self.read_into(out, start)
            return out
        out = np.empty((len(chosen), self.shape[1]), self.dtype)
        begins = [0, *(np.flatnonzero(np.diff(chosen) != 1) + 1).tolist(), len(chosen)]
        for start, stop in itertools.pairwise(begins) if len(chosen) else ():  # of rows that follow each other
            self.read_into(out[start:stop], int(chosen[start]))
        return out

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        size = self.size * self.dtype.itemsize
        assert size <= LARGEST_ARRAY, f"{size} bytes on the disk are wanted as one array"
        return np.asarray(self[0 : len(self)], dtype=dtype)


class _File:
    """An open file, read and written at any place; closed with the last reference to it."""

    def __init__(self) -> None:
        self._where = folder()
        handle = open_nameless()
        self._descriptor = handle.fileno()
        weakref.finalize(self, handle.close)

    def read(self, rest: memoryview, at: int) -> None:
        while len(rest):
            try:
                count = os.preadv(self._descriptor, [rest], at)
            except OSError as error:
                raise self._error("cannot be read back", error) from None
            if not count:
                raise self._error("cannot be read back", OSError(0, "the file is truncated"))
            rest, at = rest[count:], at + count

    def write(self, rest: memoryview, at: int) -> None:
        while len(rest):
            try:
                count = os.pwrite(self._descriptor, rest, at)
            except OSError as error:
                raise self._error("cannot be written", error) from None
            rest, at = rest[count:], at + count

    def _error(self, what: str, error: OSError) -> TemporaryFileError:
        return TemporaryFileError(
            f"a temporary file with scaled rows {what}: {error.strerror}; set TMPDIR to a folder on another disk",
            self._where,
        )


def stored(n_rows: int, widths: Sequence[int], dtype: npt.DTypeLike) -> list[StoredMatrix]:
    """Matrices in one temporary file, to be written.

    Args:
        n_rows: of each.
        widths: the columns of each.
        dtype: of the numbers.

    Raises:
        TemporaryFileError: if there is not enough space, or no file can be made.

    >>> (X, y) = stored(5, [2, 1], "float32")
    >>> X.write(np.ones((2, 2), "float32"), 3)
    >>> X.shape, X[2:5].tolist()
    ((5, 2), [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    """
    itemsize, where = np.dtype(dtype).itemsize, folder()
    needed, free = n_rows * sum(widths) * itemsize, shutil.disk_usage(where).free
    if needed > free:
        raise TemporaryFileError(
            f"the scaled rows of a split need {bytes_of(needed)} in a temporary file, and {bytes_of(free)} are free; "
            "set TMPDIR to a folder on another disk",
            where,
        )
    try:
        file = _File()
        os.ftruncate(file._descriptor, needed)
    except OSError as error:
        raise TemporaryFileError(
            f"no temporary file can be made for scaled rows: {error.strerror}; set TMPDIR to a folder on another disk",
            where,
        ) from None
    begins = np.concatenate([[0], np.cumsum(np.multiply(widths, n_rows * itemsize))])
    return [StoredMatrix(file, int(at), (n_rows, width), dtype) for at, width in zip(begins, widths, strict=False)]


def row_major(values: RowsOnAccess) -> Matrix:
    """A copy of a matrix for several passes over its rows: in memory if it is small, else in a temporary file.

    Args:
        values: whose rows are computed on access.

    Raises:
        TemporaryFileError: as `stored`.
    """
    if values.size * values.dtype.itemsize <= LARGEST_ARRAY:
        return np.asarray(values)
    (large,) = stored(len(values), [values.shape[1]], values.dtype)
    for first in range(0, len(values), BLOCK_ROWS):
        large.write(values[first : first + BLOCK_ROWS], first)
    return large
