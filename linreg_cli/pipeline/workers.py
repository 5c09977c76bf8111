"""The processes of a sweep: each does one thing at a time, and one that is killed takes only that with it.

They are started anew and share nothing: a fork of a process in which torch has threads is not safe. They end with the
sweep, whatever ends it, because the pipe that they read from then has an end.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from linreg_cli.runs.signals import StopRequests
from linreg_cli.temporary import folder

#: Seconds between two looks for a signal, and for processes to end by themselves after one.
_LOOK, _GRACE = 0.2, 15.0
#: Variables that say how many threads torch and the libraries below it use.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """A process, and what it does.

    Attributes:
        task: what it was asked for; None while it waits.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], events: "Events") -> None:
        self.task: dict[str, Any] | None = None
        self._errors = tempfile.TemporaryFile(dir=folder())  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
        )
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()

    def _listen(self, events: "Events") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                events.put((self, json.loads(line)))
        self._process.wait()
        events.put((self, None))

    def ask(self, task: dict[str, Any]) -> None:
        """Give it something to do. One that has ended does nothing, and says so as an event."""
        self.task = task
        self._send(task)

    def stop(self, number: int) -> None:
        """Let it end what it does after the current step, as at a signal of this number."""
        self._send({"stop": number})

    def _send(self, task: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(task).encode() + b"\n")
            self._process.stdin.flush()

    def leave(self) -> None:
        """Let it end, once it has done what it does."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def end(self, deadline: float) -> None:
        """Wait for its end until a time of `time.monotonic`, and then end it."""
        self.leave()
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def why_ended(self) -> str:
        """How the process ended, with the last line that it wrote."""
        code = self._process.wait()
        self._errors.seek(0)
        written = self._errors.read().decode(errors="replace").strip().splitlines()
        if code >= 0:
            return f"its process ended with exit code {code}{f': {written[-1]}' if written else ''}"
        name = signal.Signals(-code).name
        return f"its process was killed ({name}){', perhaps for lack of memory' if name == 'SIGKILL' else ''}"


Events = queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]]


class Workers:
    """Up to so many processes, started when they are needed.

    Args:
        command: starts one.
        most: processes at a time.
        environment: variables of each.
    """

    def __init__(self, command: Sequence[str], most: int, environment: Mapping[str, str]) -> None:
        self._command, self._most, self._events = command, most, Events()
        self._all: list[Worker] = []
        self._environment = {**os.environ, **environment}

    def idle(self) -> Worker | None:
        """A process that waits, or a new one; None if all are busy."""
        waiting = [each for each in self._all if each.task is None]
        if not waiting and len(self._all) < self._most:
            waiting = [Worker(self._command, self._environment, self._events)]
            self._all += waiting
        return waiting[0] if waiting else None

    @property
    def are_busy(self) -> bool:
        """Whether one does something."""
        return any(each.task is not None for each in self._all)

    def answers(self, stops: StopRequests) -> Iterator[tuple[Worker, dict[str, Any] | None]]:
        """What they answer, as it comes, while one is busy; None where a process has ended.

        The end of all answers is also that of a sweep that was asked to stop: then each ends its run first.

        Args:
            stops: looked at five times a second.
        """
        deadline = None
        while self.are_busy and (deadline is None or time.monotonic() < deadline):
            if stops.requested is not None and deadline is None:
                deadline = time.monotonic() + _GRACE
                for each in self._all:
                    each.stop(stops.requested)
            with contextlib.suppress(queue.Empty):
                worker, answer = self._events.get(timeout=_LOOK)
                if answer is None:
                    self._all.remove(worker)
                yield worker, answer
                if answer is None:
                    worker.end(0.0)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._all:
            each.leave()
        deadline = time.monotonic() + _GRACE
        for each in self._all:
            each.end(deadline)


def threads_of_each(jobs: int) -> dict[str, str]:
    """The variables that divide the threads of one run among several processes; empty for one process."""
    if jobs == 1:
        return {}
    given = os.environ.get(_THREADS[0], "").partition(",")[0].strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total = int(given) if given.isdecimal() else cores
    return dict.fromkeys(_THREADS, str(max(1, total // jobs)))
