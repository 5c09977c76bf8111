"""What the process is set to before anything is imported that takes memory or threads."""

import contextlib
import ctypes
import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: Objects between two looks for garbage. Importing torch makes a million that stay, and at Python's default of 700 to
#: look at them again and again takes a fifth of the import.
GARBAGE_THRESHOLD = 100_000

#: Bytes from which on a block of memory goes back to the system as soon as it is freed: columns do. What a reader asks
#: for again and again, a mebibyte at a time, had better stay, or reading a CSV takes a fifth longer.
LARGE_BLOCK = 2**21
_M_MMAP_THRESHOLD = -3


def set_up() -> None:
    """Set garbage collection, the threads of BLAS and the C library's memory; what the user has set stays."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    # For numpy's BLAS, before numpy is imported: on tall, thin blocks its threads wait for each other for longer than
    # they work, by a factor of 10 to 100 where other processes want the cores too. torch has its own threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # For torch's threads, before torch is imported: by default they wait for each other in a loop that takes the core
    # from the one they wait for, where there are fewer cores than threads: a run of 3,300 small steps on a busy machine
    # or in a container with half a core took 31 s instead of 4.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ and "mmap_threshold" not in os.environ.get("GLIBC_TUNABLES", ""):
        _give_memory_back()


def _give_memory_back() -> None:
    """Have freed columns leave the process.

    glibc takes the size of the largest array that was freed for its threshold, and keeps all smaller ones in heaps, one
    for each thread: 70 MB of a run on 1,000,000 x 8. Other C libraries have no such call.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: Windows has no library of None
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def show_unraisable(error: "UnraisableHookArgs", /) -> None:
    """A `sys.unraisablehook` that shows every error but one.

    pyarrow asks for rows that are not like the header whether to skip them. Where such a row is not UTF-8 it cannot
    ask, and says so in this way; the row is then reported as an error with its line, so nothing is lost.
    """
    asked = getattr(error.object, "__module__", None) == "linreg_cli.data.tables.csv_table"
    if not (asked and issubclass(error.exc_type, UnicodeDecodeError)):
        sys.__unraisablehook__(error)


def leave_garbage() -> None:
    """At the end: or Python looks through the million objects of torch for garbage once more, for half a second."""
    gc.freeze()
