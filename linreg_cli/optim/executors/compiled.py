"""How kernels are compiled by numba and kept: `kernel` is called from Python, `inlined` is part of a kernel."""

import pickle
import sys
from collections.abc import Callable
from typing import Any

import llvmlite
import numba
from numba.core import compiler, serialize

from linreg_cli.optim.executors import kernel_files

# Level 3 makes a copy of every loop for each value of a setting that does not change in it. With vectors written out
# that is twice the code and the seconds of compilation, and not faster.
numba.config.OPT = type(numba.config.OPT)(min(numba.config.OPT, 2))


#: Taken before any kernel's module is read, and again after each: where they differ, nobody knows what a module was.
_SOURCES = kernel_files.source_digest()


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator as `numba.njit(nogil=True, **options)`, with the code kept on the disk by `kernel_files`."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, **options)(function)
        dispatcher._cache = _Cache(function)
        return dispatcher

    return decorate


def inlined(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator for a function that other compiled functions take in."""
    decorate: Callable[[Callable[..., Any]], Any] = numba.njit(forceinline=True, **options)
    return decorate


class _Cache:
    """What a numba dispatcher asks of its cache, except that nothing here fails.

    numba's own takes a kernel for new as long as the file of its function is unchanged, whatever the modules that it
    calls are; raises where no folder can be written or a file is damaged.
    """

    cache_path = None

    def __init__(self, function: Callable[..., Any]) -> None:
        self._kernel = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self._is_known = kernel_files.source_digest() == _SOURCES

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled function for a signature, or None."""
        content = None
        if self._is_known:
            content = kernel_files.read(self._kernel, *_names(signature, target.codegen()))
        if content is None:
            return None
        target.refresh()  # numba's tables of what compiled code may call, which compiling would have filled
        return compiler.CompileResult._rebuild(target, *pickle.loads(content))

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compiled function."""
        if self._is_known:
            content = serialize.dumps(result._reduce())
            kernel_files.write(self._kernel, *_names(signature, result.library.codegen), content)

    def flush(self) -> None:
        """Forget what an older source has left; there is nothing, since the source is part of the name."""


def _names(signature: Any, codegen: Any) -> tuple[str, str, str]:
    """The training dtype, the sources, and all else that machine code depends on."""
    versions = sys.version_info[:3], numba.__version__, llvmlite.__version__, int(numba.config.OPT)
    dtype = "float32" if "float32" in str(signature) else "float64"
    return dtype, _SOURCES, repr((str(signature), codegen.magic_tuple(), versions))
