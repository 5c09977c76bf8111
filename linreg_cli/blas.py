"""The threads of numpy's and scipy's BLAS, whose sums may depend on their number."""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_SETTERS = [f"{prefix}openblas_set_num_threads{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")]

_lock, _waiting, _before = threading.Lock(), 0, list[int]()
if hasattr(os, "register_at_fork"):  # another thread may hold the lock at the fork, and will never release the copy
    os.register_at_fork(after_in_child=lambda: _lock._at_fork_reinit())  # type: ignore[attr-defined]


@contextlib.contextmanager
def one_blas_thread(*, always: bool = True) -> Iterator[None]:
    """A context in which the BLAS of numpy and scipy computes on one thread.

    It is that of the whole process, so the last of several contexts at once restores what was there before the first.

    Args:
        always: whatever the environment says; False: where it says nothing, as is so in a program that calls linreg.
    """
    global _waiting
    if not always and os.environ.get("OPENBLAS_NUM_THREADS"):
        yield
        return
    with _lock:
        if not _waiting:
            _before[:] = [get() for get, _ in _libraries()]
            _set([1] * len(_before))
        _waiting += 1
    try:
        yield
    finally:
        with _lock:
            _waiting -= 1
            if not _waiting:
                _set(_before)


def _set(threads: list[int]) -> None:
    for (_, change), number in zip(_libraries(), threads, strict=True):
        change(number)


@cache
def _libraries() -> list[tuple[Callable[[], int], Callable[[int], Any]]]:
    """(the number of threads, how to change it) of each OpenBLAS that numpy's and scipy's packages bring along."""
    import scipy  # for the runs that need this only

    found = []
    for package in (np, scipy):
        root = Path(str(package.__file__)).parent
        for folder in (root.parent / f"{package.__name__}.libs", root / ".dylibs"):
            for path in sorted(folder.glob("*openblas*")):
                library = ctypes.CDLL(str(path))
                name = next((each for each in _SETTERS if hasattr(library, each)), None)
                if name is not None:
                    found.append((getattr(library, name.replace("_set_", "_get_")), getattr(library, name)))
    return found
