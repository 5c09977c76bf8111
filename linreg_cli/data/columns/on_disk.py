"""Columns of numbers that are written some rows at a time: a small table in memory, a larger one in a temporary file.

The columns of a table are read a few times a run (for the exact optimum, the metrics, the predictions), the tensor
thousands of times. So columns beyond a small buffer are kept on the disk and read back block by block. The file has no
name, so that nothing is left of it however the process ends.
"""

import tempfile
import weakref
from collections.abc import Sequence
from io import FileIO
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column, Values
from linreg_cli.data.columns.number_file import NumberFile, StoredColumn
from linreg_cli.errors import TemporaryFileError
from linreg_cli.temporary import folder
from linreg_cli.wording import bytes_of

#: A group has `GROUP_CELLS` numbers (4 MiB): the size of a table that stays in memory, and of one write. The group of
#: a wide table is larger, up to `LARGEST_GROUP` (64 MiB), so that each column has `GROUP_ROWS` numbers in one piece.
GROUP_CELLS, LARGEST_GROUP, GROUP_ROWS = 2**19, 2**23, 4_096


def group_rows(n_columns: int) -> int:
    """The number of rows in a group.

    >>> group_rows(8), group_rows(500), group_rows(100_000)
    (65536, 4096, 83)
    """
    n_columns = max(1, n_columns)
    return max(1, GROUP_CELLS // n_columns, min(GROUP_ROWS, LARGEST_GROUP // n_columns))


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
    """An unbuffered temporary file without a name. The caller closes it.

    Raises:
        OSError: if it cannot be made.
        TemporaryFileError: as `folder`.
    """
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


def _write(file: FileIO, rows: Column) -> None:
    rest = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    while len(rest):
        rest = rest[file.write(rest) :]
