"""Compiled kernels as functions of arrays, loaded from the disk or compiled and stored there.

numba is imported only to compile a kernel. Importing it and restoring a kernel from its own cache takes 0.6 s and
120 MB; loading the machine code by LLVM alone takes 0.03 s and 47 MB, placing it ourselves (`elf`) nothing to speak of.
Rows that stay on the disk are there because memory is short: for them a process of its own compiles (`elsewhere`).
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np

from linreg_cli.errors import EngineError, LinregError
from linreg_cli.forks import free_in_child
from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.kernels.signatures import (
    FLOAT64,
    FLOAT64S,
    INTEGER,
    ROWS,
    SIGNATURES,
    SIZES,
    TRAINED,
    Signature,
)

#: What numba, LLVM and the loading of machine code raise for a compiler, a system or a file that does not work.
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, BufferError, ctypes.ArgumentError, ImportError, LookupError,
    OSError, ReferenceError, RuntimeError, SyntaxError, SystemError, TypeError, ValueError, Warning,
)  # fmt: skip

_NUMBERS: dict[str | None, Any] = {INTEGER: ctypes.c_int64, FLOAT64: ctypes.c_double, None: ctypes.c_int64}

_begin, _address_of, _reference = (ctypes.c_char * 0).from_buffer, ctypes.addressof, ctypes.byref

_lock = free_in_child(Lock())
#: What `kernel` takes: module and function, dtype of the training, dtype of row orders.
Key = tuple[str, str, str]
_kernels: dict[Key, "Kernel"] = {}


class Kernel:
    """A compiled kernel, which can be called with numbers and numpy arrays.

    Args:
        signature: of the kernel.
        dtypes: pointer type -> dtype of the numbers that it points to.
        address: of its machine code in memory.
    """

    def __init__(self, signature: Signature, dtypes: dict[str, str], address: int) -> None:
        self._arrays = [(i, np.dtype(dtypes[kind])) for i, kind in enumerate(signature.types) if kind in dtypes]
        self._result = _NUMBERS[signature.returns]
        parameters = [_NUMBERS.get(kind, ctypes.c_void_p) for kind in signature.types]
        # numba's calling convention: pointers to the result and to an exception come first. No kernel raises one.
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *parameters)(address)

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel without the GIL. Arrays must be C-contiguous and of the dtypes of the signature.

        Returns:
            The result; None or a number, as the signature says.

        Raises:
            TypeError: for an array that is read-only or not contiguous.
        """
        result, values = self._result(), list(arguments)
        for i, dtype in self._arrays:
            array = values[i]
            assert array.dtype == dtype, (i, array.dtype, dtype)
            # Takes a third of the time of `array.ctypes.data`, and raises for an array that is not contiguous.
            values[i] = _address_of(_begin(array))
        self._function(_reference(result), None, *values)
        return result.value


def kernel(name: str, dtype: str, rows: str = "int32") -> Kernel:
    """A kernel, from the disk if it is there, else compiled.

    Args:
        name: module and function, as in `SIGNATURES`.
        dtype: of the training, `float32` or `float64`.
        rows: dtype of row orders, `int32` or `int64`.

    Raises:
        EngineError: if the compiler or the linker fails, for whatever reason: a library is missing or of another
            version, the system gives no executable memory, it cannot compile for this processor.
    """
    return _kernel((name, dtype, rows), None)


def load(wanted: Sequence[Key], *, elsewhere: bool) -> None:
    """Load kernels that will be asked for.

    Args:
        wanted: of each what `kernel` takes.
        elsewhere: whether a process of its own compiles those that are not on the disk, which takes a second more.

    Raises:
        EngineError: as `kernel`.
    """
    code: dict[Key, bytes] = {}
    if elsewhere:
        with _engine_errors():
            missing = [key for key in wanted if key not in _kernels and _stored(_place(key)) is None]
            if missing:
                from linreg_cli.optim.engines.kernels.elsewhere import compiled_elsewhere

                code = dict(zip(missing, compiled_elsewhere([(key[0], _dtypes(key)) for key in missing]), strict=False))
    for key in wanted:
        _kernel(key, code.get(key))


def _kernel(key: Key, code: bytes | None) -> Kernel:
    """As `kernel`; `code` is what was compiled elsewhere."""
    found = _kernels.get(key)
    if found is None:
        with _lock:
            if key not in _kernels:
                with _engine_errors():
                    _kernels[key] = Kernel(SIGNATURES[key[0]], _dtypes(key), _loaded(key, code))
            found = _kernels[key]
    return found


def _failures() -> tuple[type[Exception], ...]:
    """What may be raised, with numba's own classes if it was imported."""
    errors = sys.modules.get("numba.core.errors")
    found = getattr(errors, "NumbaError", None), getattr(errors, "NumbaWarning", None)
    return (*_FAILURES, *(each for each in found if isinstance(each, type)))


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    """A context in which whatever goes wrong is an `EngineError`."""
    try:
        yield
    except (LinregError, MemoryError):
        raise
    except _failures() as error:
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
        raise EngineError(f"compiled steps cannot start here ({reason})") from error


def _dtypes(key: Key) -> dict[str, str]:
    """Pointer type -> dtype of the numbers that it points to."""
    return {TRAINED: key[1], ROWS: key[2], FLOAT64S: "float64"}


def _place(key: Key) -> tuple[str, str, str, str]:
    """Where a kernel is kept: what `disk.read` takes."""
    from linreg_cli.optim.engines.kernels import machine_code

    name, dtype, rows = key
    # Taken before a kernel's module is read, and again after: if they differ, it is unknown which source was compiled.
    sources = disk.first_digest()
    # `signatures` was imported earlier, perhaps from other sources, so its content is part of the name.
    agreed = SIGNATURES[name], SIGNATURES[name].types, SIZES
    return name, dtype, sources, repr((rows, agreed, version("numba"), machine_code.conditions()))


def _stored(place: tuple[str, str, str, str]) -> bytes | None:
    """The machine code that is kept there, of the sources as they are; None if there is none."""
    return disk.read(*place) if disk.source_digest() == place[2] else None


def _loaded(key: Key, code: bytes | None) -> int:
    """The address of the machine code of a kernel: as given, from the disk, or else compiled."""
    from linreg_cli.optim.engines.kernels import machine_code

    place = _place(key)
    if code is None and (kept := _stored(place)) is not None:
        try:
            return machine_code.load(kept)
        except RuntimeError:  # intact, but LLVM rejects it: compiled again
            pass
    if code is None:
        from linreg_cli.optim.engines.kernels.compiler import compiled

        code = compiled(key[0], _dtypes(key))
    address = machine_code.load(code)
    if disk.source_digest() == place[2]:
        disk.write(*place, code)
    return address
