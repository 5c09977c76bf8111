"""What `run.json` says besides the result: when, with what, on what."""

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
    """The time in UTC, ISO 8601 with microseconds, so that text order is time order."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def environment() -> dict[str, Any]:
    """Versions of what takes part in the numbers, and the machine."""
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
    """The commit of the current folder's repository; None where there is none, or no git."""
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


class RunRecord:
    """`run.json`, kept up to date while the run goes on.

    Args:
        run: the folder.
        values: what it says besides the result; for a run that goes on, all that it said before.
        lock: of the run, where this process holds it already.
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
    def auto_keys(self) -> tuple[str, ...]:
        """Of `lr` and `momentum` those that were `auto` in the config that the run began with."""
        return tuple(key for key in ("lr", "momentum") if self._values[key].get("auto"))

    def finish(self, status: str, **values: Any) -> None:
        """Write the last version: how the run ended."""
        assert status in STATUSES, status
        self._values |= {"status": status, "finished": now(), **values}
        try:
            self._run.write_json("run.json", self._values)
        finally:
            self._lock.release()
