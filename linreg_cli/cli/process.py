"""Settings of the process, made before anything is imported that takes memory or threads."""

import contextlib
import ctypes
import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: Allocations between two garbage collections. Importing torch creates a million objects that stay; with Python's
#: default of 700, collecting them again and again takes a fifth of the import.
GARBAGE_THRESHOLD = 100_000

#: Blocks of at least so many bytes are returned to the system as soon as they are freed; columns are that large. The
#: readers' buffers of one mebibyte are below it: returning them each time makes reading a CSV take a fifth longer.
LARGE_BLOCK = 2**21
_M_MMAP_THRESHOLD = -3


def set_up() -> None:
    """Set garbage collection, the threads of BLAS and OpenMP, and malloc; variables that the user has set are kept."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    # For numpy's BLAS, before numpy is imported: on tall, thin blocks its threads wait for each other longer than they
    # compute, by a factor of 10 to 100 on a busy machine. torch has its own threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # For torch's threads, before torch is imported: by default they wait in a spin loop, which takes the core away from
    # the thread they wait for if there are fewer cores than threads. A run of 3,300 small steps on a busy machine or in
    # a container with half a core took 31 s instead of 4.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ and "mmap_threshold" not in os.environ.get("GLIBC_TUNABLES", ""):
        _give_memory_back()


def _give_memory_back() -> None:
    """Return the memory of freed columns to the system.

    glibc raises its threshold for mmap to the size of the largest freed block and keeps all smaller ones in its heaps,
    one per thread: 70 MB in a run on 1,000,000 x 8. Other C libraries do not have this call.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: on Windows, CDLL(None) is not allowed
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def show_unraisable(error: "UnraisableHookArgs", /) -> None:
    """A `sys.unraisablehook` that shows every error but one.

    For each row that does not match the header, pyarrow calls a handler that says whether to skip it. It cannot pass
    on a row that is not UTF-8, and reports that in this way. Reading then fails with the line of the row.
    """
    asked = getattr(error.object, "__module__", None) == "linreg_cli.data.tables.csv_table"
    if not (asked and issubclass(error.exc_type, UnicodeDecodeError)):
        sys.__unraisablehook__(error)


def leave_garbage() -> None:
    """Exclude all objects from the garbage collection at exit, which takes half a second with those of torch."""
    gc.freeze()
