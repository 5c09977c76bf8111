"""The threads of numpy's and scipy's BLAS, whose sums may depend on their number."""

import contextlib
import ctypes
import importlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linreg_cli.process_wide import ProcessWide

_SETTERS = [f"{prefix}openblas_set_num_threads{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")]


@contextlib.contextmanager
def one_blas_thread(*, always: bool = True) -> Iterator[None]:
    """A context in which the BLAS of numpy and scipy computes on one thread, in the whole process.

    Args:
        always: whatever the environment says; False: where it says nothing, as is so in a program that calls linreg.
    """
    says = not always and os.environ.get("OPENBLAS_NUM_THREADS")
    with contextlib.nullcontext() if says else _ONE_THREAD.held():
        yield


def _one_thread() -> Callable[[], None]:
    """Have BLAS compute on one thread; returns what restores the threads that it had."""
    before = [get() for get, _ in _libraries()]
    _set([1] * len(before))
    return lambda: _set(before)


_ONE_THREAD = ProcessWide(_one_thread)


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
