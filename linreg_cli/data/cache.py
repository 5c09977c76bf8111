"""What was read from a table, kept as a file that later runs take their columns from (`data.cache`).

The columns of numbers lie in it as a `NumberFile` has them, then the other columns as an Arrow file, then where they
are, a checksum of all this, and the key of the table.
"""

import contextlib
import glob
import hashlib
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from linreg_cli import __version__
from linreg_cli.data.columns import Numbers
from linreg_cli.data.download import CACHE, sweep
from linreg_cli.data.scratch import NumberFile, StoredColumn, group_rows
from linreg_cli.data.table import Cells
from linreg_cli.errors import DataError

FORMAT = 2
_MAGIC = b"LINREG\0\2"
#: Length of what says where the columns are, mark, checksum, key.
_TRAILER = struct.Struct("<I8sI32s")
_PIECE_BYTES = 2**20
#: So much of both ends of a file is part of what it is known by.
_END_BYTES = 2**16
_PART = ".part-"


def cached(path: str, options: dict[str, Any], read: Callable[[], Cells]) -> Cells:
    """What `read` gives, from the cache if the same was read from the same file before.

    A file is known by its path, size, times of change (of its content and of anything about it) and its first and last
    64 KiB. A cache that is damaged, torn or of another file is written anew. Other options have a cache of their own.

    Args:
        path: the file, or a folder of parts.
        options: everything else that what is read depends on, as JSON values.
        read: reads the table.

    Raises:
        DataError: if the cache can be written nowhere.
    """
    key = _key(path, options)
    places = _places(Path(path), options)
    for place in places:
        found = _kept(place, key)
        if found is not None:
            return found
    cells = read()
    if _key(path, options) != key:  # the file changed while it was read
        return cells
    for place in places:
        try:
            _write(place, key, cells)
            return cells
        except OSError as error:
            reason = error.strerror
    remedy = "make room there, name another folder by LINREG_CACHE, or set data.cache: false"
    raise DataError(
        f"data.cache: nothing can be kept, neither beside the table nor in {place.parent}: {reason}; {remedy}", path
    )


def _places(path: Path, options: dict[str, Any]) -> list[Path]:
    """Beside the table, then a folder for a table whose own cannot be written; one file for each set of options."""
    name = f".{path.name}.{_digest(options).hex()[:8]}.linreg-cache"
    folder = Path(os.environ.get(CACHE) or os.path.expanduser("~/.cache/linreg"))
    digest = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    return [path.absolute().parent / name, folder / "tables" / f"{digest}{name}"]


def _key(path: str, options: dict[str, Any]) -> bytes:
    file = Path(path)
    parts = sorted(file.glob("*.parquet")) if file.is_dir() else [file]
    known = [_identity(part) for part in parts]
    versions = {"format": FORMAT, "linreg": __version__, "pyarrow": pa.__version__}
    return _digest({**versions, "path": str(file.absolute()), "options": options, "parts": known})


def _digest(values: dict[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()


def _identity(part: Path) -> list[str | int]:
    with part.open("rb") as file:
        status = os.fstat(file.fileno())
        ends = file.read(_END_BYTES)
        file.seek(max(status.st_size - _END_BYTES, 0))
        ends += file.read(_END_BYTES)
    return [part.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, hashlib.sha256(ends).hexdigest()]


def _kept(place: Path, key: bytes) -> Cells | None:
    """The columns in a cache file, or None if it is not whole or not what is wanted."""
    try:
        handle = place.open("rb", buffering=0)
    except OSError:
        return None
    try:
        cells = _read(handle, key, place)
    except (OSError, ValueError, pa.ArrowException):
        cells = None
    if cells is None or not cells.numbers:
        handle.close()
    return cells


def _read(handle: FileIO, key: bytes, place: Path) -> Cells | None:
    status = os.fstat(handle.fileno())
    if hasattr(os, "getuid") and status.st_uid != os.getuid():  # which Windows has not
        return None
    end = status.st_size - _TRAILER.size
    if end < 0:
        return None
    handle.seek(end)
    length, magic, checksum, found = _TRAILER.unpack(handle.read(_TRAILER.size))
    if (magic, found) != (_MAGIC, key) or checksum != _checksum(handle, end):
        return None
    handle.seek(end - length)
    contents = json.loads(handle.read(length))
    names, n_rows = contents["numbers"], contents["rows"]
    file = NumberFile(handle, len(names), contents["group_rows"], n_rows, str(place))
    start = 8 * len(names) * n_rows
    handle.seek(start)
    others = pa.ipc.open_file(pa.py_buffer(b"".join(_pieces(handle, end - length - start)))).read_all()
    return Cells({name: Numbers(StoredColumn(file, at)) for at, name in enumerate(names)}, others)


def _checksum(handle: FileIO, end: int) -> int:
    """Of the first `end` bytes."""
    handle.seek(0)
    checksum = 0
    for piece in _pieces(handle, end):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _pieces(handle: FileIO, length: int) -> Iterator[bytes]:
    """The next bytes of a file, so many at a time that the system gives them at once."""
    while length:
        piece = handle.read(min(length, _PIECE_BYTES))
        if not piece:
            raise OSError("the file is shorter than it was")
        length -= len(piece)
        yield piece


def _write(place: Path, key: bytes, cells: Cells) -> None:
    """A whole file takes the place of the old one, which runs that read from it keep."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(place.parent, f"{glob.escape(place.name)}{_PART}*")
    handle, name = tempfile.mkstemp(prefix=f"{place.name}{_PART}", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            sink = _Summed(file)
            names, n_rows = list(cells.numbers), cells.num_rows
            size = group_rows(len(names))
            for start in range(0, n_rows, size) if names else ():
                for numbers in cells.numbers.values():
                    sink.write(np.ascontiguousarray(numbers.values[start : start + size]).data)
            with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), cells.others.schema) as writer:
                writer.write_table(cells.others.unify_dictionaries())
            contents = json.dumps({"numbers": names, "rows": n_rows, "group_rows": size}).encode()
            sink.write(contents)
            file.write(_TRAILER.pack(len(contents), _MAGIC, sink.checksum, key))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


class _Summed:
    """A file that keeps a checksum of what is written to it."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file, self.checksum = file, 0

    def write(self, data: Any) -> int:
        """Write some bytes."""
        self.checksum = zlib.crc32(data, self.checksum)
        return int(self._file.write(data))

    def tell(self) -> int:
        """Bytes written."""
        return int(self._file.tell())

    def flush(self) -> None:
        """Leave it to the file."""

    def close(self) -> None:
        """Leave it to the file."""
