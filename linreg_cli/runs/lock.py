"""The lock of a run (`flock`): held while a process uses it, released when the process ends, not copied with it."""

import contextlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

from linreg_cli.errors import StoreError
from linreg_cli.files import read_own, write_bytes

#: The file with the PID of the lock's owner, for messages only. It does not say whether the lock is held.
OWNER_FILE = ".owner"

#: `in_use` takes the lock for an instant, so `hold` tries again before it reports that a run is in use.
_ATTEMPTS, _PAUSE_SECONDS = 20, 0.01
#: Age of a temporary folder that is removed, in seconds: a lock is taken an instant after the folder is made.
_ABANDONED_SECONDS = 60


class RunLock:
    """The lock of a run, held until `release` or the end of the process."""

    def __init__(self, folder: Path, descriptor: int | None) -> None:
        self._folder, self._descriptor, self._released = folder, descriptor, False
        with contextlib.suppress(OSError, StoreError):
            write_bytes(folder / OWNER_FILE, f"{os.getpid()}\n".encode(), durable=False, own=True)

    def follow(self, folder: Path) -> None:
        """Go on with a folder that was renamed: the lock is that of the folder, not of its name."""
        self._folder = folder

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._released:
            return
        self._released = True
        with contextlib.suppress(OSError):
            (self._folder / OWNER_FILE).unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)


def hold(folder: Path) -> RunLock:
    """Take the lock of a run. Where the system cannot lock a folder, the run counts as free.

    Raises:
        StoreError: if another process holds it.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return RunLock(folder, _lock(folder, shared=False))
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS if attempt < _ATTEMPTS - 1 else 0)
    raise StoreError(f"the run is in use by {_owner(folder)}; wait for it, or stop it", str(folder))


def _owner(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f"PID {int(read_own(folder / OWNER_FILE))}"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return f"PID {int(json.loads(read_own(folder / 'run.json'))['pid'])}"
    return "another process"


def in_use(folder: Path) -> bool | None:
    """Whether a process holds the lock of a run; None where the system cannot lock a folder."""
    try:
        descriptor = _lock(folder, shared=True)
    except BlockingIOError:
        return True
    if descriptor is None:
        return None
    os.close(descriptor)
    return False


def remove_abandoned(name: re.Pattern[str], new: Path) -> None:
    """Remove the folders of killed processes beside a new one. Age is by the disk's clock, at which `new` was made now.

    Where the system cannot lock a folder, none is removed: a command that has one may take longer than any age.

    Args:
        name: of such folders.
        new: one of this process.
    """
    with contextlib.suppress(OSError):
        now = new.stat().st_mtime
        for each in os.listdir(new.parent):
            path = new.parent / each
            if name.fullmatch(each) and now - path.lstat().st_mtime > _ABANDONED_SECONDS and in_use(path) is False:
                shutil.rmtree(path, ignore_errors=True)


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
