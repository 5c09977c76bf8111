"""Settings of the process, made before anything is imported that takes memory or threads."""

import contextlib
import ctypes
import gc
import importlib.util
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: Allocations between two garbage collections. Importing torch creates a million objects that stay; with Python's
#: default of 700, collecting them again and again takes a fifth of the import.
GARBAGE_THRESHOLD = 100_000

#: Blocks of at least so many bytes are returned to the system as soon as they are freed; columns are that large. The
#: readers' buffers of one mebibyte and blocks of rows of two are below it. With the former returned each time, reading
#: a CSV takes a fifth longer, with the latter the pass of `linreg stats` over 33 columns a third.
LARGE_BLOCK = 3 * 2**20
#: So much of what is freed at the end of the heap is kept for the next blocks. By default it is 128 KiB: blocks of rows
#: then go back and forth, and a run on 1,000,000 x 8 spends a tenth of its processor time on fresh pages.
KEPT_FREE = 2 * LARGE_BLOCK
#: The most heaps, each of which keeps as much: by default there is one for each thread, up to eight for each core. With
#: two, training on 10,000,000 x 2 from the disk takes 30 MiB instead of 40 on two cores, and as long.
HEAPS = 2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


#: Variables for interactive use of libraries, which notebooks and debugging sessions leave in the environment: a back
#: end of matplotlib that is not installed here, numba without a compiler, torch's logs. They can only break a command.
_FOREIGN = ("MPLBACKEND", "MATPLOTLIBRC", "NUMBA_", "TORCH_LOGS", "TORCH_TRACE", "SOURCE_DATE_EPOCH")
#: Products of float32 on a GPU by 10 bits of each number: the promised digits would not be there.
_SHORTENED = "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
#: Numbers of threads. One that is no number gives a message of its library, or its error.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS")
_COUNT = re.compile(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*\Z")
#: A list of cores. With any other text the library of OpenMP never ends reading it, while torch is imported.
_AFFINITY, _CORES = "GOMP_CPU_AFFINITY", re.compile(r"[0-9]+(-[0-9]+(:[0-9]+)?)?([ ,]+[0-9]+(-[0-9]+(:[0-9]+)?)?)*\Z")


def set_up() -> None:
    """Set garbage collection, warnings, the threads of BLAS and OpenMP, and malloc.

    Variables of the environment that the user has set are kept, but for those that break a library or its results.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    for name in [*os.environ]:
        value = os.environ[name].strip()
        counts = name not in _THREADS or _COUNT.match(value)
        if name.startswith((*_FOREIGN, _SHORTENED)) or not counts or (name == _AFFINITY and not _CORES.match(value)):
            del os.environ[name]
    if any(option.startswith("error") for option in sys.warnoptions):
        _show_warnings_of_libraries()
    # What matplotlib says of the user's settings file and of its cache.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # For numpy's BLAS, before numpy is imported: on tall, thin blocks its threads wait for each other longer than they
    # compute, by a factor of 10 to 100 on a busy machine. torch has its own threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # For torch's threads, before torch is imported: by default they wait in a spin loop, which takes the core away from
    # the thread they wait for if there are fewer cores than threads. A run of 3,300 small steps on a busy machine or in
    # a container with half a core took 31 s instead of 4.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # For Arrow's memory, before pyarrow is imported. By default mimalloc holds on to three times what it uses: after 16
    # columns of Parquet, 28 MiB stay that nothing uses. With this setting, jemalloc returns freed pages 100 ms later,
    # and one thread uses again what another has freed; by default it keeps the pages of each thread, and for a while.
    # Where there is no jemalloc, mimalloc returns them after 1 ms.
    if _has_jemalloc():
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
        os.environ.setdefault("JE_ARROW_MALLOC_CONF", "narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0")
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1")
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ and "mmap_threshold" not in os.environ.get("GLIBC_TUNABLES", ""):
        _give_memory_back()


def _has_jemalloc() -> bool:
    """Whether pyarrow, which is not imported yet, was built with jemalloc; it warns of an allocator that it lacks."""
    try:
        found = importlib.util.find_spec("pyarrow")
        settings = Path(found.origin).parent / "include/arrow/util/config.h" if found and found.origin else None
        return settings is not None and "#define ARROW_JEMALLOC\n" in settings.read_text(encoding="utf-8")
    except (OSError, ValueError, ImportError):  # no headers, as in distributions
        return False


def _show_warnings_of_libraries() -> None:
    """As Python does by default, where PYTHONWARNINGS would make an error of each warning of a library."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


def _give_memory_back() -> None:
    """Return the memory of freed columns to the system.

    glibc raises its threshold for mmap to the size of the largest freed block and keeps all smaller ones in its heaps,
    one per thread: 70 MB in a run on 1,000,000 x 8. Other C libraries do not have this call.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: on Windows, CDLL(None) is not allowed
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, LARGE_BLOCK)
        set_option(_M_TRIM_THRESHOLD, KEPT_FREE)
        if "MALLOC_ARENA_MAX" not in os.environ:
            set_option(_M_ARENA_MAX, HEAPS)


def show_unraisable(error: "UnraisableHookArgs", /) -> None:
    """A `sys.unraisablehook` that shows every error but one.

    For each row that does not match the header, pyarrow calls a handler that says whether to skip it. It cannot pass
    on a row that is not UTF-8, and reports that in this way. Reading then fails with the line of the row.
    """
    asked = getattr(error.object, "__module__", None) == "linreg_cli.data.tables.csv_part"
    if not (asked and issubclass(error.exc_type, UnicodeDecodeError)):
        sys.__unraisablehook__(error)


def leave_garbage() -> None:
    """Exclude all objects from the garbage collection at exit, which takes half a second with those of torch."""
    gc.freeze()
