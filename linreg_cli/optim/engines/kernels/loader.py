"""Compiled kernels as functions of arrays, loaded from the disk or compiled and stored there.

numba is imported only to compile a kernel. Importing it and restoring a kernel from its own cache takes 0.6 s and
120 MB; loading the machine code by LLVM alone takes 0.03 s and 47 MB. LLVM's binding is imported when the first kernel
is needed, so that importing an executor is cheap.
"""

import ctypes
import os
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np

from linreg_cli.errors import EngineError, LinregError
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

_NUMBERS: dict[str | None, Any] = {INTEGER: ctypes.c_int64, FLOAT64: ctypes.c_double, None: ctypes.c_int64}

_begin, _address_of, _reference = (ctypes.c_char * 0).from_buffer, ctypes.addressof, ctypes.byref

_lock = Lock()
if hasattr(os, "register_at_fork"):  # another thread may hold the lock at the fork, and will never release the copy
    os.register_at_fork(after_in_child=lambda: _lock._at_fork_reinit())  # type: ignore[attr-defined]
_kernels: dict[tuple[str, str, str], "Kernel"] = {}


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
    key = name, dtype, rows
    found = _kernels.get(key)
    if found is None:
        with _lock:
            if key not in _kernels:
                dtypes = {TRAINED: dtype, ROWS: rows, FLOAT64S: "float64"}
                try:
                    _kernels[key] = Kernel(SIGNATURES[name], dtypes, _loaded(name, dtypes))
                except (LinregError, MemoryError):
                    raise
                except Exception as error:
                    reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
                    raise EngineError(f"compiled steps cannot start here ({reason})") from error
            found = _kernels[key]
    return found


def _loaded(name: str, dtypes: dict[str, str]) -> int:
    """The address of the machine code of a kernel, which is compiled if it is not on the disk."""
    from linreg_cli.optim.engines.kernels import machine_code

    # Taken before a kernel's module is read, and again after: if they differ, it is unknown which source was compiled.
    sources = disk.first_digest()
    # `signatures` was imported earlier, perhaps from other sources, so its content is part of the name.
    agreed = SIGNATURES[name], SIGNATURES[name].types, SIZES
    conditions = repr((dtypes[ROWS], agreed, version("numba"), machine_code.conditions()))
    place = name, dtypes[TRAINED], sources, conditions
    if disk.source_digest() == sources:
        code = disk.read(*place)
        if code is not None:
            try:
                return machine_code.load(code)
            except RuntimeError:  # intact, but LLVM rejects it: compiled again
                pass
    from linreg_cli.optim.engines.kernels.compiler import compiled

    code = compiled(name, dtypes)
    address = machine_code.load(code)
    if disk.source_digest() == sources:
        disk.write(*place, code)
    return address
