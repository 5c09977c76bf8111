"""A run is in use while a process holds its lock. The lock ends with the process and is not copied with the folder."""

import os
import sys
import time
from pathlib import Path

from linreg_cli.errors import StoreError

#: Looking whether a run is in use takes its lock for an instant, so one refusal proves nothing.
_ATTEMPTS, _PAUSE_SECONDS = 20, 0.01


def hold(folder: Path) -> int | None:
    """Take the lock of a run.

    Returns:
        A descriptor, which `os.close` or the end of the process lets go; None where there are no such locks.

    Raises:
        StoreError: if another process holds it.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _lock(folder, shared=False)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS if attempt < _ATTEMPTS - 1 else 0)
    raise StoreError("the run is in use by another process", str(folder))


def in_use(folder: Path) -> bool | None:
    """Whether some process holds the lock of a run; None where that cannot be told."""
    try:
        descriptor = _lock(folder, shared=True)
    except BlockingIOError:
        return True
    if descriptor is None:
        return None
    os.close(descriptor)
    return False


def _lock(folder: Path, *, shared: bool) -> int | None:
    if sys.platform == "win32":  # a folder cannot be locked there
        return None
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None  # a file system without locks
    return descriptor
