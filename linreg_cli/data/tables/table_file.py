"""The bytes of one file of a table, wherever it is: a file of this machine, or an object that is read by ranges."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from linreg_cli.addresses import is_object, object_name
from linreg_cli.data.tables.object_stores import ObjectError, ObjectStore
from linreg_cli.errors import DataError, OutOfMemoryError

#: Bytes of the first range of an object that is read from its start, and of the longest; each is twice the one before.
_FIRST_RANGE, _LONGEST_RANGE = 1 << 16, 1 << 23
#: Bytes of which an object is no more than looked at: whether it has changed shows at the next opening.
_HEAD = 1 << 21
#: Bytes that are read ahead of a column of a Parquet file: of a file, of an object, and of all columns of an object.
_BUFFER, _OBJECT_BUFFER, ALL_BUFFERS = 1 << 18, 1 << 23, 1 << 26
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


class TableFile:
    """A file of a table.

    An object that is another one than at its first opening is refused, at the next opening and after it was read.

    Args:
        name: the path of a file, or the address of an object; messages call it so.

    Attributes:
        base_name, suffix: the end of the name, such as `a.csv.gz` and `.gz`.

    Raises:
        DataError: for an address that is none, and a store that cannot be connected to.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.base_name = Path(object_name(name)).name
        self.suffix = Path(self.base_name).suffix.lower()
        self._store = ObjectStore(name) if is_object(name) else None
        self._first: object = None

    @property
    def is_object(self) -> bool:
        """Whether it is in a store of objects, where a request takes a while."""
        return self._store is not None

    @contextlib.contextmanager
    def opened(self) -> Iterator[pa.NativeFile]:
        """The bytes, at any position.

        Raises:
            OSError: for a file of this machine that cannot be read.
            DataError: for an object that cannot be read, or has changed.
        """
        if self._store is None:
            with pa.OSFile(self.name) as file:
                yield file
            return
        with self._same_object() as file:
            yield file
        self._refuse_change()

    @contextlib.contextmanager
    def stream(self) -> Iterator[Any]:
        """The content from its start, decompressed.

        Raises:
            DataError: if it cannot be read, or is an object that has changed.
        """
        if self._store is None:
            with _local_stream(self.name) as stream:
                yield stream
            return
        with self._same_object() as file:
            ahead = _Ahead(file)
            with pa.input_stream(ahead, compression=_COMPRESSIONS.get(self.suffix)) as stream:
                yield stream
        if ahead.n_read >= min(ahead.size, _HEAD):
            self._refuse_change()

    def size(self) -> int:
        """Bytes of the file, as they are stored.

        Raises:
            OSError, DataError: as `opened`.
        """
        with self.opened() as file:
            return int(file.size())

    def buffer_bytes(self, n_columns: int) -> int:
        """The bytes that are read ahead of each column of a Parquet file; a request to a store costs a while."""
        if self._store is None:
            return _BUFFER
        return max(_BUFFER, min(_OBJECT_BUFFER, ALL_BUFFERS // max(1, n_columns)))

    @contextlib.contextmanager
    def reading(self, kind: str) -> Iterator[None]:
        """A context in which errors of Arrow and of the system are those of a user.

        Args:
            kind: the format that is read, as its suffix.

        Raises:
            DataError: if the file cannot be read.
        """
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            if OutOfMemoryError.is_meant_by(error):  # by Arrow, whose error of it is one of Arrow's, too
                raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"cannot be read as {kind}: {reason}", self.name) from None

    @contextlib.contextmanager
    def _same_object(self) -> Iterator[pa.NativeFile]:
        assert self._store is not None
        with self._store.opened() as (file, mark):
            self._first = self._first or mark
            if mark != self._first:
                raise ObjectError("the object has changed since it was first read; start again", self.name)
            try:
                yield file
            except (pa.ArrowException, OSError):
                self._refuse_change()
                raise

    def _refuse_change(self) -> None:
        """Refuse an object that is no longer the one that was read."""
        assert self._store is not None
        with self._store.opened() as (_, mark):
            if mark != self._first:
                raise ObjectError("the object has changed while it was read; start again", self.name)


@contextlib.contextmanager
def _local_stream(path: str) -> Iterator[Any]:
    try:
        stream = pa.input_stream(path, compression="detect")
    except OSError as error:  # pyarrow replaces strerror by its own message
        reason = os.strerror(error.errno) if error.errno else error
        raise DataError(f"cannot be read: {reason}", path) from None
    try:
        with stream:
            yield stream
    except OSError as error:
        raise DataError(f"cannot be read: {error}", path) from None


class _Ahead(io.RawIOBase):
    """A file that is read on from some position, in ranges that grow: few bytes for a header, few requests for a file.

    Args:
        file: open.

    Attributes:
        size: of the file, bytes.
        n_read: bytes that were asked for.
    """

    def __init__(self, file: pa.NativeFile) -> None:
        self._file, self.size, self.n_read = file, file.size(), 0
        self._range, self._rest, self._at = _FIRST_RANGE, b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at - len(self._rest)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on from another position; what was read ahead of it is dropped."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.size}[whence]
        if start + offset != self.tell():
            self._at, self._rest = max(0, start + offset), b""
        return self.tell()

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, fewer than `size` only at the end; all that are left for none or -1."""
        wanted = self.size if size is None or size < 0 else size
        while len(self._rest) < wanted and self._at < self.size:
            more = self._file.read_at(min(self._range, self.size - self._at), self._at)
            if not more:
                raise OSError("the object is shorter than the store says")
            self._at += len(more)
            self.n_read += len(more)
            self._range = min(2 * self._range, _LONGEST_RANGE)
            self._rest = self._rest + more if self._rest else more
        found, self._rest = self._rest[:wanted], self._rest[wanted:]
        return found
