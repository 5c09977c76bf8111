"""Settings of the whole process that contexts hold, several of them at once, in any threads."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from linreg_cli.forks import free_in_child, in_child


class _OfThread(threading.local):
    contexts = 0


class ProcessWide:
    """A setting of the process: the first of several contexts at once changes it, and the last one restores it.

    Args:
        change: changes it, and returns what restores it as it was.

    >>> numbers = [2]
    >>> def one():
    ...     before, numbers[0] = numbers[0], 1
    ...     return lambda: numbers.__setitem__(0, before)
    >>> setting = ProcessWide(one)
    >>> with setting.held(), setting.held():
    ...     numbers
    [1]
    >>> numbers
    [2]
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._change, self._restore = change, contextlib.ExitStack()
        self._lock = free_in_child(threading.Lock())
        self._contexts, self._own = 0, _OfThread()
        in_child(self._keep_own_contexts)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A context in which the setting is changed."""
        with self._lock:
            if not self._contexts:
                self._restore.callback(self._change())
            self._contexts += 1
            self._own.contexts += 1
        try:
            yield
        finally:
            with self._lock:
                self._contexts -= 1
                self._own.contexts -= 1
                if not self._contexts:
                    self._restore.close()

    def _keep_own_contexts(self) -> None:
        """Leave the contexts of other threads, which a forked child does not have."""
        self._contexts = self._own.contexts
        if not self._contexts:
            self._restore.close()
