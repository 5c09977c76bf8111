"""`run.json`: when a run was trained, with which versions and on which machine, and how it ended."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from linreg_cli import __version__
from linreg_cli.runs.lock import RunLock, hold
from linreg_cli.runs.store import FORMAT, STATUSES, RunFolder


def now() -> str:
    """The time in UTC as ISO 8601 with microseconds, so that sorting the text sorts by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def environment() -> dict[str, Any]:
    """Versions of the libraries that the results depend on, the platform, threads and git commit, for `run.json`."""
    versions = {"linreg": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "pyarrow"):
        module = sys.modules.get(name)
        if module is not None:
            versions[name] = module.__version__
    import torch

    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """The commit of the repository of the current folder; None outside a repository or without git."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


def auto_keys(record: dict[str, Any]) -> tuple[str, ...]:
    """Those of `lr` and `momentum` that were `auto` in the config that a run was started with.

    Args:
        record: the content of `run.json`.
    """
    decisions = {key: record[key] for key in ("lr", "momentum") if key in record}  # the first format has none
    # A record of an older version has the sentence alone.
    return tuple(key for key, made in decisions.items() if made.get("auto", made["why"].startswith("auto")))


class RunRecord:
    """`run.json` of a run in progress, which holds the lock of the run.

    Args:
        run: the folder.
        values: everything but the result; for a run that is resumed, the earlier content.
        lock: of the run, where this process holds it already.

    Raises:
        StoreError: if another process holds the lock, or the file cannot be written.
    """

    def __init__(self, run: RunFolder, values: dict[str, Any], lock: RunLock | None = None) -> None:
        """Take the lock of the run and write the first version: status `running`."""
        self._run = run
        self._lock = lock or hold(run.path)
        self._values = {
            "format": FORMAT,
            "run": run.id,
            "label": None,
            "created": now(),
            **values,
            "status": "running",
            "finished": None,
            "pid": os.getpid(),
        }
        try:
            run.write_json("run.json", self._values)
        except BaseException:
            self._lock.release()
            raise

    @property
    def values(self) -> dict[str, Any]:
        """The content of the file."""
        return self._values

    def finish(self, status: str, **values: Any) -> None:
        """Write how the run ended, and release the lock.

        Args:
            status: one of `STATUSES`.
            values: the result.
        """
        assert status in STATUSES, status
        self._values |= {"status": status, "finished": now(), **values}
        try:
            self._run.write_json("run.json", self._values)
        finally:
            self._lock.release()
