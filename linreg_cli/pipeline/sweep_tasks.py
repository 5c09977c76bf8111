"""What a sweep asks of one of its processes, and what that does when the sweep is gone; imports nothing heavy."""

import json
import os
import queue
import signal
import threading
from collections.abc import Iterable
from typing import Any

from linreg_cli.runs.signals import StopRequests

#: Seconds that a run has to end once the sweep is gone; it notices that after its current step.
_GRACE = 20.0


class Tasks:
    """The lines that a sweep sends, read in a thread of their own from the start of the process.

    So a request to stop comes in between, and a process whose sweep is gone ends while it still imports its libraries
    or reads a table. A run that has begun ends after its step, so that it can be resumed.

    Args:
        lines: of JSON, until the sweep has ended, by whatever means.

    Attributes:
        stops: what the current run looks at.
        run_has_begun: whether there is a run to end.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.stops, self.run_has_begun = StopRequests(), False
        self._waiting = queue.SimpleQueue[dict[str, Any] | None]()
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        """The next thing to do; None: nothing more."""
        task = self._waiting.get()
        return None if self.stops.requested is not None else task

    def _listen(self, lines: Iterable[str]) -> None:
        for line in lines:
            task = json.loads(line)
            if "stop" in task:
                self.stops.requested = task["stop"]
                task = None
            self._waiting.put(task)
        self.stops.requested = self.stops.requested or signal.SIGTERM
        self._waiting.put(None)
        end = threading.Timer(_GRACE if self.run_has_begun else 0.0, os._exit, (128 + signal.SIGTERM,))
        end.daemon = True
        end.start()
