"""New folders of runs and sweeps: each appears with its first files, or not at all.

The files are written into a hidden folder, `.linreg-<16 hex digits>.run`, which is then renamed to the id. So what is
called NAME-0001 has its `run.json`, whenever a process is killed, and an id is given only once: a folder that has files
cannot be replaced by a rename. The lock is taken before the rename and held after it, since it is that of the folder,
not of its name. Hidden folders are no runs; one that a killed process has left is removed by a later run.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from linreg_cli.errors import StoreError
from linreg_cli.files import sync_folder
from linreg_cli.runs.lock import RunLock, hold, remove_abandoned
from linreg_cli.runs.store import RunFolder, next_id, unusable

#: The first files of a folder: name -> the text, and the mode or None for the usual one.
Files = Mapping[str, tuple[str, int | None]]

_HIDDEN = re.compile(r"\.linreg-[0-9a-f]{16}\.run")
_ATTEMPTS = 10_000


def create_run(outputs: Path, name: str, files: Callable[[str], Files]) -> tuple[RunFolder, RunLock]:
    """Create the next run folder, NAME-0001, NAME-0002, ...; two processes never get the same one.

    Args:
        outputs: the folder of the run folders, which is created where it is missing.
        name: of the run.
        files: gives the first files of the run for its id. Called again where another process has taken the id.

    Returns:
        The folder and its lock, which this process holds.

    Raises:
        StoreError: if `outputs` cannot be written; nothing is left there.
    """
    hidden, lock = hidden_folder(outputs), None
    written: dict[str, tuple[str, int | None]] = {}
    try:
        _make(outputs, hidden)
        lock = hold(hidden)
        remove_abandoned(_HIDDEN, hidden)
        for _ in range(_ATTEMPTS):
            path = outputs / next_id(outputs, name)
            _write(hidden, path, files(path.name), written)
            if _renamed(hidden, path):
                lock.follow(path)
                return RunFolder(path), lock
        raise StoreError(f"no free run id after {_ATTEMPTS} attempts", str(outputs))
    except BaseException:  # Ctrl-C may come at any line
        if lock is not None:
            lock.release()
        _remove(hidden, written)
        raise


def _remove(hidden: Path, written: Mapping[str, object]) -> None:
    """Remove a hidden folder, also where a folder can be written and its content not be listed."""
    for file in (hidden / name for name in written):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        hidden.rmdir()
    shutil.rmtree(hidden, ignore_errors=True)


def _make(outputs: Path, hidden: Path) -> None:
    """Create a hidden folder, and `outputs` where it is missing."""
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        hidden.mkdir()
    except OSError as error:
        raise unusable(outputs, "create a run folder", error) from None


def hidden_folder(outputs: Path) -> Path:
    """A path for a folder that is no run yet, or none any more."""
    return outputs / f".linreg-{os.urandom(8).hex()}.run"


def _write(hidden: Path, path: Path, files: Files, written: dict[str, tuple[str, int | None]]) -> None:
    """Write the first files of `path` into its hidden folder, but for those that are there."""
    for name, (text, mode) in files.items():
        if written.get(name) == (text, mode):
            continue
        written[name] = text, mode  # before it is: a file whose folder cannot be synchronised is there
        try:
            RunFolder(hidden).write(name, text, mode=mode)
        except StoreError as error:
            raise StoreError(error.faults[0].message, str(path / name)) from None


def _renamed(hidden: Path, path: Path) -> bool:
    """Rename a hidden folder; False if there is something of the new name."""
    try:
        os.rename(hidden, path)
    except OSError as error:
        if os.path.lexists(path):
            return False
        raise unusable(path.parent, "create a run folder", error) from None
    with contextlib.suppress(OSError):  # the run is there, on the disk or still in memory
        sync_folder(path.parent)
    return True
