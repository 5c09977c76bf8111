"""A temporary file with columns of numbers, of which rows are read on access.

The file is a sequence of groups of rows; in a group, each column is contiguous.
"""

import itertools
import threading
import weakref
from collections.abc import Iterator, Sequence
from io import FileIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column, Rows
from linreg_cli.data.columns.row_set import RowArray, RowSet
from linreg_cli.errors import TemporaryFileError

#: With more rows than this between two that are wanted, two reads are faster than one. More than `_MOST` rows of a
#: column are not read together, since few of them may be wanted.
_FAR, _MOST = 2_048, 2**18


class NumberFile:
    """Groups of rows of numbers in an open file, which is closed with the last column that reads from it.

    Args:
        handle: the file, unbuffered.
        dtypes: of the columns in the file, from which float64 gives every number again.
        group_rows: rows of each group; the last one may have fewer.
        n_rows: rows of all groups.
        where: the file, for messages.
    """

    def __init__(
        self, handle: FileIO, dtypes: "Sequence[np.dtype[Any]]", group_rows: int, n_rows: int, where: str
    ) -> None:
        self._handle, self._lock, self._where = handle, threading.Lock(), where
        self._dtypes, self._group_rows, self.n_rows = tuple(dtypes), group_rows, n_rows
        #: Bytes of a row before each column, and of a whole row.
        self._before = [0, *itertools.accumulate(dtype.itemsize for dtype in self._dtypes)]
        self._last: tuple[Rows, list[_Piece]] | None = None
        weakref.finalize(self, handle.close)

    def read(self, column: int, first: int, last: int) -> Column:
        """The rows `first` to `last - 1` of a column, shape (last - first,), float64.

        Raises:
            TemporaryFileError: if the file cannot be read back.
        """
        out = np.empty(last - first, self._dtypes[column])
        for start, stop, position in self._pieces(column, first, last):
            self._fill(out[start - first : stop - first], position)
        return out.astype(np.float64, copy=False)

    def pieces(self, rows: Rows) -> "list[_Piece]":
        """What is read together of some rows. The same rows are usually wanted of one column after the other."""
        last = self._last
        if last is not None and last[0] is rows:
            return last[1]
        found = list(_read_together(np.asarray(rows)))
        # Others may change an array that can be written, and then ask for it again.
        self._last = (rows, found) if isinstance(rows, RowSet) or not rows.flags.writeable else None
        return found

    def write(self, column: int, first: int, values: npt.NDArray[Any]) -> None:
        """Write rows of a column from row `first` on; of any type whose numbers that of the column has.

        Raises:
            OSError: if the disk is full, or cannot be written.
        """
        last, dtype = first + len(values), self._dtypes[column]
        for start, stop, position in self._pieces(column, first, last):
            rest = np.ascontiguousarray(values[start - first : stop - first], dtype).view(np.uint8).data
            with self._lock:
                self._handle.seek(position)
                while len(rest):
                    rest = rest[self._handle.write(rest) :]

    def _pieces(self, column: int, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """The rows of a column that lie together: their first, one past their last, and the byte where they begin."""
        start, before, itemsize = first, self._before[column], self._dtypes[column].itemsize
        while start < last:
            begin = start // self._group_rows * self._group_rows
            size = min(self._group_rows, self.n_rows - begin)
            stop = min(last, begin + size)
            yield start, stop, begin * self._before[-1] + before * size + (start - begin) * itemsize
            start = stop

    def _fill(self, out: npt.NDArray[Any], position: int) -> None:
        rest = out.view(np.uint8).data
        try:
            with self._lock:
                self._handle.seek(position)
                while len(rest):
                    count = self._handle.readinto(rest)
                    if not count:
                        raise OSError(0, "the file is truncated")
                    rest = rest[count:]
        except OSError as error:
            raise TemporaryFileError(
                f"a temporary file with columns cannot be read back: {error.strerror}", self._where
            ) from None


class _Piece(NamedTuple):
    """Rows that are read together.

    Attributes:
        at: where they begin among those that are wanted.
        end: one past the last of them there.
        first: the first row that is read.
        last: one past the last one.
        positions: of those that are wanted among those that are read; None: all, in their order.
    """

    at: int
    end: int
    first: int
    last: int
    positions: npt.NDArray[np.intp] | None


def _read_together(rows: RowArray) -> Iterator[_Piece]:
    """Ascending rows that are close are read together; of others, the whole range is read."""
    if not len(rows):
        return
    steps = np.diff(rows)
    far = steps > _FAR
    if rows[-1] - rows[0] > _MOST:
        far |= rows[1:] // _MOST != rows[:-1] // _MOST
    ascending = bool((steps >= 0).all())
    at = 0
    for end in [*(np.flatnonzero(far) + 1), len(rows)] if ascending else [len(rows)]:
        near = rows[at:end]
        first, last = (near[0], near[-1]) if ascending else (near.min(), near.max())
        # Positions of this type are looked up three times as fast as int32.
        positions = np.subtract(near, first, dtype=np.intp)
        is_all = last - first == len(near) - 1 and bool((steps[at : end - 1] == 1).all())
        yield _Piece(at, int(end), int(first), int(last) + 1, None if is_all else positions)
        at = end


class StoredColumn:
    """A column of a `NumberFile`, shape (n_samples,), float64 when it is read. Rows are read on access."""

    def __init__(self, file: NumberFile, column: int) -> None:
        self._file, self._column = file, column

    def __len__(self) -> int:
        return self._file.n_rows

    def __getitem__(self, rows: Rows | slice) -> Column:
        """Some rows. Ascending rows that are close are read together; for others, the whole range is read."""
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            assert step == 1, rows
            return self._file.read(self._column, first, max(first, last))
        out = np.empty(len(rows))
        for piece in self._file.pieces(rows):
            values = self._file.read(self._column, piece.first, piece.last)
            out[piece.at : piece.end] = values if piece.positions is None else values[piece.positions]
        return out
