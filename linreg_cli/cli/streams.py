"""The standard streams of the process: closed ones become the null device, and messages that cannot be shown are lost.

A service or a job of cron may start a command without some of stdin, stdout and stderr (`>&-`). Python then has None in
their place, and the next file that is opened gets their number, so that output would land in it.
"""

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from typing import IO, Any, cast

from linreg_cli.errors import StoreError

_closed: set[int] = set()


def set_up() -> None:
    """Open the null device in place of closed streams, and let no failing write to stderr end the command."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - likewise
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - likewise
    elif isinstance(sys.stderr, io.TextIOWrapper):
        raw = _Messages(sys.stderr.fileno(), "wb", closefd=False)
        encoding = sys.stderr.encoding
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot encode must not fail


def require_stdout() -> None:
    """Refuse a command whose result goes to a stdout that is closed.

    Raises:
        StoreError: if stdout was closed when the process began.
    """
    if 1 in _closed:
        raise StoreError("cannot write the output: standard output is closed; name a file with -o")


#: Bytes of a result that wait in memory before they go to stdout; of a larger one, on the disk.
_IN_MEMORY = 2**23


@contextlib.contextmanager
def spool() -> Iterator[IO[bytes]]:
    """A file for a result that goes to stdout once it is whole; in memory where it is small.

    Raises:
        StoreError: if it cannot be written.
        TemporaryFileError: as `folder`.
    """
    from tempfile import SpooledTemporaryFile

    from linreg_cli.temporary import folder

    with SpooledTemporaryFile(_IN_MEMORY, dir=folder()) as file:
        yield cast("IO[bytes]", file)


def emptied(file: IO[bytes]) -> IO[bytes]:
    """The file, without what was written before."""
    file.seek(0)
    file.truncate()
    return file


def copy_to_stdout(file: IO[bytes]) -> None:
    """Write the content of a file to stdout."""
    file.seek(0)
    shutil.copyfileobj(file, sys.stdout.buffer)


def abandon_stdout() -> None:
    """Redirect stdout to the null device, so that flushing at exit cannot fail again."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)


class _Messages(io.FileIO):
    """stderr, which loses what it cannot write: a full disk or a terminal that is gone is no reason to end a run."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
