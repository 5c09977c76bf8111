"""Ctrl-C, SIGTERM and SIGHUP: training finishes its segment first, everything else stops at once.

`linreg` enters one `StopRequests` around every command, so that imports and reading also end with the right exit code.
`linreg train` enters another and passes it to training. Nothing else sets handlers, so a program that calls linreg as
a library keeps its own.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from linreg_cli.errors import Interrupted

#: The signals that ask a command to stop -> what is said of it. The system sends SIGHUP when a terminal is closed;
#: Windows does not have it.
SIGNALS = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "terminated (SIGTERM)"}
if sys.platform != "win32":
    SIGNALS[signal.SIGHUP] = "the terminal was closed (SIGHUP)"


class StopRequests:
    """A context in which SIGINT, SIGTERM and SIGHUP raise `Interrupted`; within `deferred` the first one is kept.

    Without being entered it changes nothing in the process and never asks to stop. The same holds if it is entered
    outside the main thread, the only one in which Python allows setting handlers.

    Args:
        restore: whether the earlier handlers are set again at the end. False for a process that is about to exit, so
            that a late signal never meets Python's default handler.

    Attributes:
        requested: the number of the signal received, or None.
    """

    def __init__(self, *, restore: bool = True) -> None:
        self._deferring, self._restore = False, restore
        # A library may swallow the exception, so `check` reads this.
        self.requested: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if not _is_ignored(number):
                    self._previous[number] = signal.signal(number, self._handle)
        for handler in self._previous.values():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, StopRequests):
                outer.check()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items() if self._restore else ():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A context in which the first signal only sets `requested`; the exception is raised at its end."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self.check()

    def check(self) -> None:
        """Stop here if a signal was received.

        Raises:
            Interrupted: with the exit code of the signal, 128 + its number.
        """
        if self.requested is not None:
            raise _interrupted(self.requested)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        asked_before = self.requested is not None
        if asked_before and signal.Signals(number).name == "SIGHUP":
            return  # a terminal that is closed sends it, and so does its shell: the second is no order to hurry
        self.requested = number
        if asked_before or not self._deferring:
            raise _interrupted(number)


def _is_ignored(number: int) -> bool:
    """Whether the process was started so that it outlives its terminal, as `nohup` does."""
    return signal.Signals(number).name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN


def _interrupted(number: int) -> Interrupted:
    return Interrupted(SIGNALS[signal.Signals(number)], exit_code=128 + number)
