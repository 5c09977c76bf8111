"""`run.json`: when a run was trained, with which versions and on which machine, and how it ended."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linreg_cli import __version__
from linreg_cli.runs.begin import Files, create_run
from linreg_cli.runs.lock import RunLock
from linreg_cli.runs.store import FORMAT, STATUSES, RunFolder, json_file


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

    Attributes:
        run: the folder.
    """

    def __init__(self, run: RunFolder, values: dict[str, Any], lock: RunLock) -> None:
        self.run = run
        self._lock = lock
        self._values = values

    @classmethod
    def begin(cls, outputs: Path, name: str, values: Mapping[str, Any], files: Files | None = None) -> "RunRecord":
        """A new run; its folder appears with `run.json` and the other first files.

        Args:
            outputs: the folder of the run folders.
            name: of the run.
            values: everything but the result.
            files: the other first files.

        Raises:
            StoreError: if the folder cannot be created; nothing is left of it.
        """
        values = {"label": None, "created": now(), **values}

        def first_files(run_id: str) -> Files:
            return {**(files or {}), "run.json": (json_file(_running(run_id, values)), None)}

        run, lock = create_run(outputs, name, first_files)
        return cls(run, _running(run.id, values), lock)

    @classmethod
    def resume(cls, run: RunFolder, values: Mapping[str, Any], lock: RunLock) -> "RunRecord":
        """A run that goes on.

        Args:
            run: the folder.
            values: the earlier content of `run.json`, without the result.
            lock: of the run, which this process holds.

        Raises:
            StoreError: if the file cannot be written.
        """
        record = cls(run, _running(run.id, values), lock)
        run.write_json("run.json", record.values)
        return record

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
            self.run.write_json("run.json", self._values)
        finally:
            self._lock.release()


def _running(run_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `run.json` while a process of this id trains."""
    return {
        "format": FORMAT,
        "run": run_id,
        **values,
        "status": "running",
        "finished": None,
        "pid": os.getpid(),
    }
