"""What a forked process does first: it has a copy of the memory, and of the threads only the one that forked."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

L = TypeVar("L")


def in_child(action: Callable[[], object]) -> None:
    """Have each forked child call a function before it goes on. On Windows, which has no fork, nothing is called."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=action)


def free_in_child(lock: L) -> L:
    """The same lock of `threading`, free in a forked child.

    Another thread may hold it at the fork, and would never release the copy of the child.

    >>> import threading
    >>> with free_in_child(threading.Lock()) as held:
    ...     held
    True
    """
    renewed: Any = lock
    in_child(lambda: renewed._at_fork_reinit())
    return lock
