"""The standard streams of the process: closed ones become the null device, and messages that cannot be shown are lost.

A service or a job of cron may start a command without some of stdin, stdout and stderr (`>&-`). Python then has None in
their place, and the next file that is opened gets their number, so that output would land in it.
"""

import io
import os
import sys

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
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
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


def abandon_stdout() -> None:
    """Redirect stdout to the null device, so that flushing at exit cannot fail again."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)


class _Messages(io.FileIO):
    """stderr, which loses what it cannot write: a full disk or a terminal that is gone is no reason to end a run."""

    def write(self, data: "io.ReadableBuffer", /) -> int:  # type: ignore[name-defined]
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
