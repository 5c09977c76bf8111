"""Columns of numbers that are written some rows at a time: a small table in memory, a larger one in a temporary file.

The columns of a table are read a few times a run (for the exact optimum, the metrics, the predictions), the tensor
thousands of times. So columns beyond a small buffer are kept on the disk and read back block by block. The file
is a sequence of groups of rows; in a group, each column is contiguous. The file has no name, so that nothing is left
of it however the process ends.
"""

import itertools
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from io import FileIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column, Rows, Values
from linreg_cli.data.columns.row_set import RowArray, RowSet
from linreg_cli.errors import TemporaryFileError
from linreg_cli.wording import bytes_of

#: A group has `GROUP_CELLS` numbers (4 MiB): the size of a table that stays in memory, and of one write. The group of
#: a wide table is larger, up to `LARGEST_GROUP` (64 MiB), so that each column has `GROUP_ROWS` numbers in one piece.
GROUP_CELLS, LARGEST_GROUP, GROUP_ROWS = 2**19, 2**23, 4_096

#: With more rows than this between two that are wanted, two reads are faster than one. More than `_MOST` rows of a
#: column are not read together, since few of them may be wanted.
_FAR, _MOST = 2_048, 2**18


def group_rows(n_columns: int) -> int:
    """The number of rows in a group.

    >>> group_rows(8), group_rows(500), group_rows(100_000)
    (65536, 4096, 83)
    """
    n_columns = max(1, n_columns)
    return max(1, GROUP_CELLS // n_columns, min(GROUP_ROWS, LARGEST_GROUP // n_columns))


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


class NumberSink:
    """Collects the rows of a table of numbers and returns its columns.

    If the disk cannot be written, the columns stay in memory.

    Args:
        names: names of the columns.
        memory_limit: bytes that they may take there; None: any number.
    """

    def __init__(self, names: Sequence[str], memory_limit: int | None = None) -> None:
        self._names, self._limit = tuple(names), memory_limit
        self._group = np.empty((len(names), group_rows(len(names))))  # pages that were never written take no memory
        self._filled, self._n_rows = 0, 0
        self._file: FileIO | None = None
        self._kept: list[Column] = []
        self._on_disk = True
        self._why: str | None = None

    def add(self, columns: Sequence[Column]) -> None:
        """Copy some rows.

        Args:
            columns: for each column, in order, an array of shape (n_rows,).

        Raises:
            TemporaryFileError: if the disk cannot be written, and the columns take more memory than the limit.
        """
        at, count = 0, len(columns[0]) if columns else 0
        while at < count:
            stop = min(count, at + self._group.shape[1] - self._filled)
            end = self._filled + stop - at
            for place, values in zip(self._group, columns, strict=True):
                place[self._filled : end] = values[at:stop]
            self._n_rows += stop - at
            self._filled, at = end, stop
            if self._filled == self._group.shape[1]:
                self._put_away()

    def columns(self) -> dict[str, Values]:
        """Name -> column. No rows can be added afterwards."""
        if not self._n_rows - self._filled:
            return {name: self._group[position, : self._filled] for position, name in enumerate(self._names)}
        if self._filled:
            self._put_away()
        if self._file is None:
            kept = self._kept
            return {name: np.concatenate([part[i] for part in kept]) for i, name in enumerate(self._names)}
        file = self._handed_over(self._file, self._n_rows)
        self._group = np.empty((0, 0))
        return {name: StoredColumn(file, position) for position, name in enumerate(self._names)}

    def _put_away(self) -> None:
        rows = self._group[:, : self._filled]
        self._filled = 0
        if self._on_disk:
            try:
                if self._file is None:
                    self._file = open_nameless()
                    self._unfinished = weakref.finalize(self, self._file.close)
                _write(self._file, rows)
                return
            except OSError as error:
                self._why = error.strerror
                refuse_beyond(self._limit, 8 * len(self._names) * self._n_rows, self._why)
                self._back_to_memory(self._n_rows - rows.shape[1])
        refuse_beyond(self._limit, 8 * len(self._names) * self._n_rows, self._why)
        self._kept.append(rows.copy())

    def _back_to_memory(self, n_rows: int) -> None:
        """Read the rows of the file back, and continue in memory."""
        self._on_disk = False
        if self._file is None:
            return
        file, self._file = self._handed_over(self._file, n_rows), None
        if n_rows:
            self._kept = [np.stack([file.read(column, 0, n_rows) for column in range(len(self._names))])]

    def _handed_over(self, file: FileIO, n_rows: int) -> NumberFile:
        """The file for reading; from now on it is closed with what reads from it."""
        self._unfinished.detach()
        dtypes = [self._group.dtype] * len(self._names)
        return NumberFile(file, dtypes, self._group.shape[1], n_rows, folder())


class NumberPlaces:
    """Columns of numbers that are put anywhere, where their number of rows is known; else as `NumberSink`.

    Args:
        names: names of the columns, at least one.
        n_rows: of each.
        memory_limit: as for `NumberSink`.
        dtypes: in which they are kept on the disk; None: float64.

    Raises:
        TemporaryFileError: as `NumberSink.add`.

    >>> places = NumberPlaces(["a", "b"], 3)
    >>> places.put(1, 0, np.array([1.0, 2.0])), places.put(1, 2, np.array([3.0]))
    (None, None)
    >>> places.columns()["b"].tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        names: Sequence[str],
        n_rows: int,
        memory_limit: int | None = None,
        dtypes: "Sequence[np.dtype[Any]] | None" = None,
    ) -> None:
        self._names, self._n_rows, self._group_rows = tuple(names), n_rows, group_rows(len(names))
        self._limit = memory_limit
        self._file: NumberFile | None = None
        self._kept: npt.NDArray[np.float64] | None = None
        if n_rows > self._group_rows:
            try:
                self._open([np.dtype(np.float64)] * len(names) if dtypes is None else dtypes)
                return
            except OSError as error:
                self._refuse_beyond_limit(error)
        self._kept = np.empty((len(names), n_rows))

    def put(self, column: int, first: int, values: npt.NDArray[Any]) -> None:
        """Copy some rows of a column.

        Args:
            column: its position.
            first: the first row.
            values: shape (n_rows,), float64, or of any type whose numbers that of the column has.

        Raises:
            TemporaryFileError: as `NumberSink.add`.
        """
        if self._file is not None:
            try:
                self._file.write(column, first, values)
                return
            except OSError as error:  # the disk is full: go on in memory
                self._refuse_beyond_limit(error)
                self._kept = np.stack([self._file.read(each, 0, self._n_rows) for each in range(len(self._names))])
                self._file = None
        assert self._kept is not None
        self._kept[column, first : first + len(values)] = values

    def columns(self) -> dict[str, Values]:
        """Name -> column. Nothing can be put afterwards."""
        if self._file is None:
            assert self._kept is not None
            return dict(zip(self._names, self._kept, strict=True))
        file = self._file
        return {name: StoredColumn(file, position) for position, name in enumerate(self._names)}

    def _refuse_beyond_limit(self, error: OSError) -> None:
        refuse_beyond(self._limit, 8 * len(self._names) * self._n_rows, error.strerror)

    def _open(self, dtypes: "Sequence[np.dtype[Any]]") -> None:
        handle = open_nameless()
        try:
            handle.truncate(sum(dtype.itemsize for dtype in dtypes) * self._n_rows)
        except OSError:
            handle.close()
            raise
        self._file = NumberFile(handle, dtypes, self._group_rows, self._n_rows, folder())


def open_nameless() -> FileIO:
    """An unbuffered temporary file without a name. The caller closes it."""
    return tempfile.TemporaryFile(prefix="linreg-", dir=folder(), buffering=0)


def refuse_beyond(memory_limit: int | None, needed: int, why: str | None) -> None:
    """Refuse to keep in memory what cannot be written to the disk, where it takes more than a limit.

    Args:
        memory_limit: in bytes; None: there is none.
        needed: bytes.
        why: the disk cannot be written.

    Raises:
        TemporaryFileError: with what helps.
    """
    if memory_limit is None or needed <= memory_limit:
        return
    message = f"a temporary file with columns cannot be written: {why}; in memory they would take more than "
    message += f"data.memory_limit ({bytes_of(memory_limit)}); set TMPDIR to a folder on another disk, or raise it"
    raise TemporaryFileError(message, folder())


def folder() -> str:
    """The folder of temporary files: `TMPDIR`, else /var/tmp, since /tmp may be in memory, else the system's."""
    if not os.environ.get("TMPDIR") and os.access("/var/tmp", os.W_OK | os.X_OK):
        return "/var/tmp"
    return tempfile.gettempdir()


def _write(file: FileIO, rows: Column) -> None:
    rest = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    while len(rest):
        rest = rest[file.write(rest) :]
