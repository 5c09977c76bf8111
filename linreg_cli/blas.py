"""The threads of numpy's and scipy's BLAS, whose sums may depend on their number."""

import contextlib
import ctypes
import importlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linreg_cli.forks import free_in_child, in_child

_SETTERS = [f"{prefix}openblas_set_num_threads{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")]

_lock = free_in_child(threading.Lock())
#: How many contexts there are, in all threads and in each, and the threads of BLAS before the first; without any, none.
_contexts, _before = 0, list[int]()


class _OfThread(threading.local):
    contexts = 0


_own = _OfThread()


@contextlib.contextmanager
def one_blas_thread(*, always: bool = True) -> Iterator[None]:
    """A context in which the BLAS of numpy and scipy computes on one thread.

    It is that of the whole process, so the last of several contexts at once restores what was there before the first.

    Args:
        always: whatever the environment says; False: where it says nothing, as is so in a program that calls linreg.
    """
    global _contexts
    if not always and os.environ.get("OPENBLAS_NUM_THREADS"):
        yield
        return
    with _lock:
        if not _contexts:
            _before[:] = [get() for get, _ in _libraries()]
            _set([1] * len(_before))
        _contexts += 1
        _own.contexts += 1
    try:
        yield
    finally:
        with _lock:
            _contexts -= 1
            _own.contexts -= 1
            if not _contexts:
                _restore()


def _restore() -> None:
    if _before:
        _set(_before)
        _before.clear()


def _keep_own_contexts() -> None:
    """Leave the contexts of other threads, which a forked child does not have."""
    global _contexts
    _contexts = _own.contexts
    if not _contexts:
        _restore()


in_child(_keep_own_contexts)


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
                library = _loaded(path)
                name = next((each for each in _SETTERS if hasattr(library, each)), None)
                if name is not None:
                    found.append((getattr(library, name.replace("_set_", "_get_")), getattr(library, name)))
    return found


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # that of scipy 1.13 does not find its own libraries, which are there once a module has loaded them
        importlib.import_module("scipy.linalg")
        return ctypes.CDLL(str(path))
