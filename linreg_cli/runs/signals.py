"""Ctrl-C and SIGTERM: training finishes its segment first, everything else stops at once.

`linreg` enters one `StopRequests` around every command, so that also imports and reading end with the right code, and
`linreg train` enters another, which it gives to training. Nothing else sets handlers: where another program trains,
signals are its own.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from linreg_cli.errors import Interrupted

_NAMES = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "terminated (SIGTERM)"}


class StopRequests:
    """While it is entered, SIGINT and SIGTERM raise `Interrupted`; within `deferred` the first one only asks.

    One that is not entered, or not by the main thread, which is the only one that Python lets set handlers, changes
    nothing in the process and never asks to stop.

    Args:
        restore: whether the handlers from before come back at the end; a process that is about to leave wants no
            instant in which a late signal meets Python's own.
    """

    def __init__(self, *, restore: bool = True) -> None:
        self._deferring, self._restore = False, restore
        #: The signal that has come, or None. A library may swallow the exception, so `check` looks here.
        self.requested: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            for number in _NAMES:
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
        """Within this block the first signal is kept for `check`."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self.check()

    def check(self) -> None:
        """Stop here if a signal has come.

        Raises:
            Interrupted: with the exit code of the signal.
        """
        if self.requested is not None:
            raise _interrupted(self.requested)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        asked_before, self.requested = self.requested is not None, number
        if asked_before or not self._deferring:
            raise _interrupted(number)


def _interrupted(number: int) -> Interrupted:
    return Interrupted(_NAMES[signal.Signals(number)], exit_code=128 + number)
