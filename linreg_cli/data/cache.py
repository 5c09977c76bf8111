"""What was read from a table, kept as an Arrow file that is mapped and not read again (`data.cache`)."""

import contextlib
import glob
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from linreg_cli import __version__
from linreg_cli.data.download import CACHE
from linreg_cli.errors import DataError

FORMAT = 1
_MAGIC = b"LINREG\0\1"
_TRAILER = len(_MAGIC) + 4 + 32
#: So much of both ends of a file is part of what it is known by.
_END_BYTES = 2**16
_PART = ".part-"
#: Nobody writes to a file any more that was not written to for so long.
_ABANDONED_SECONDS = 3600.0


def cached(path: str, options: dict[str, Any], read: Callable[[], pa.Table]) -> pa.Table:
    """What `read` gives, mapped from the cache if the same was read from the same file before.

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
        found = _mapped(place, key)
        if found is not None:
            return found
    table = read()
    if _key(path, options) != key:  # the file changed while it was read
        return table
    for place in places:
        try:
            _write(place, key, table.unify_dictionaries())
            return table
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


def _mapped(place: Path, key: bytes) -> pa.Table | None:
    """The table in a cache file, or None: the file ends with a mark, a checksum of the rest, and the key."""
    try:
        if hasattr(os, "getuid") and place.stat().st_uid != os.getuid():  # which Windows has not
            return None
        with pa.memory_map(str(place)) as source:
            whole = source.read_buffer()
        body, trailer = whole.slice(0, max(whole.size - _TRAILER, 0)), whole[-_TRAILER:].to_pybytes()
        checksum = zlib.crc32(memoryview(body)).to_bytes(4, "little")
        if trailer != _MAGIC + checksum + key:
            return None
        return pa.ipc.open_file(body).read_all()
    except (OSError, pa.ArrowException):
        return None


def _write(place: Path, key: bytes, table: pa.Table) -> None:
    """A whole file takes the place of the old one, which runs that have it mapped keep."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(place)
    handle, name = tempfile.mkstemp(prefix=f"{place.name}{_PART}", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            sink = _Summed(file)
            with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), table.schema) as writer:
                writer.write_table(table)
            file.write(_MAGIC + sink.checksum.to_bytes(4, "little") + key)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _sweep(place: Path) -> None:
    """Remove what runs left that were killed while they wrote."""
    for part in place.parent.glob(f"{glob.escape(place.name)}{_PART}*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


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
