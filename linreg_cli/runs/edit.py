"""Changes to existing runs: labels, later warnings, removal. Nothing here asks first; the command line does."""

import os
import shutil
from collections.abc import Sequence

from linreg_cli.errors import StoreError, UsageError
from linreg_cli.findings import Finding
from linreg_cli.runs.begin import hidden_folder
from linreg_cli.runs.lock import hold, in_use
from linreg_cli.runs.store import RunFolder, is_run_id

#: Characters of a label.
MAX_LABEL = 200


def set_label(run: RunFolder, text: str) -> None:
    """Write a label into `run.json`; an empty text removes it.

    Raises:
        UsageError: for a label with line breaks or control characters, or longer than `MAX_LABEL`.
        StoreError: if the run is in use or damaged.
    """
    if len(text) > MAX_LABEL or not text.isprintable():
        raise UsageError(f"a label is one line of at most {MAX_LABEL} printable characters", "TEXT")
    run.record()
    lock = hold(run.path)
    try:
        run.write_json("run.json", {**run.read_json("run.json"), "label": text or None})
    finally:
        lock.release()


def add_warnings(run: RunFolder, found: Sequence[Finding]) -> None:
    """Add warnings about a run that has ended to its `run.json`.

    Raises:
        StoreError: if the run is in use or damaged, or cannot be written.
    """
    lock = hold(run.path)
    try:
        values = run.read_json("run.json")
        warnings = [*(values.get("warnings") or []), *(each.as_json() for each in found)]
        run.write_json("run.json", {**values, "warnings": warnings})
    finally:
        lock.release()


def check_removable(run: RunFolder) -> None:
    """Check that a folder is a run that nobody uses.

    Raises:
        StoreError: with the reason, if it may not be removed.
    """
    if os.path.islink(run.path):
        raise StoreError("it is a symbolic link; remove the folder that it points to", str(run.path))
    if not is_run_id(run.id) and not os.path.isfile(run.path / "config.yaml"):
        raise StoreError("it has neither the name nor the config of a run; remove it yourself", str(run.path))
    if in_use(run.path):
        hold(run.path).release()  # raises, with the PID of the process


def remove(run: RunFolder) -> None:
    """Remove a run folder. It is hidden first, so that a partly removed run is never found.

    Its lock is held meanwhile: a run that begins removes hidden folders that nobody holds.

    Raises:
        StoreError: if it cannot be removed, or is in use.
    """
    check_removable(run)
    gone, lock = hidden_folder(run.path.parent), hold(run.path)
    try:
        run.path.rename(gone)
        lock.follow(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise StoreError(f"cannot remove the run: {error.strerror or error}", str(run.path)) from None
    finally:
        lock.release()
