"""Compiled kernels as functions of arrays: found on the disk, or compiled and kept there.

numba is imported to compile a kernel, never to run one that lies on the disk: importing it and giving it back what it
knew about a kernel takes 0.6 s and 120 MB, and loading the machine code by LLVM alone 0.03 s and 47 MB. LLVM's binding
is imported when the first kernel is asked for, so that importing an executor costs nothing.
"""

import ctypes
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np

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
_kernels: dict[tuple[str, str, str], "Kernel"] = {}


class Kernel:
    """A compiled kernel.

    Args:
        signature: of the kernel.
        dtypes: pointer type -> the dtype of the numbers behind it.
        address: of its machine code.
    """

    def __init__(self, signature: Signature, dtypes: dict[str, str], address: int) -> None:
        self._arrays = [(i, np.dtype(dtypes[kind])) for i, kind in enumerate(signature.types) if kind in dtypes]
        self._result = _NUMBERS[signature.returns]
        parameters = [_NUMBERS.get(kind, ctypes.c_void_p) for kind in signature.types]
        # numba's convention: the place of the result and that of an exception come first. No kernel raises one.
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *parameters)(address)

    def __call__(self, *arguments: Any) -> Any:
        """Run it without the GIL; arrays are C-contiguous and of the dtype that the signature says."""
        result, values = self._result(), list(arguments)
        for i, dtype in self._arrays:
            array = values[i]
            assert array.dtype == dtype, (i, array.dtype, dtype)
            # A third of the time that `array.ctypes.data` takes, and an error for what does not lie side by side.
            values[i] = _address_of(_begin(array))
        self._function(_reference(result), None, *values)
        return result.value


def kernel(name: str, dtype: str, rows: str = "int32") -> Kernel:
    """A kernel, from the disk where it lies there.

    Args:
        name: module and function, as in `SIGNATURES`.
        dtype: of the training, float32 or float64.
        rows: dtype of row orders, int32 or int64.
    """
    key = name, dtype, rows
    found = _kernels.get(key)
    if found is None:
        with _lock:
            if key not in _kernels:
                dtypes = {TRAINED: dtype, ROWS: rows, FLOAT64S: "float64"}
                _kernels[key] = Kernel(SIGNATURES[name], dtypes, _loaded(name, dtypes))
            found = _kernels[key]
    return found


def _loaded(name: str, dtypes: dict[str, str]) -> int:
    """The address of a kernel's machine code; compiled first, unless it lies on the disk."""
    from linreg_cli.optim.engines.kernels import machine_code

    # Before any kernel's module is read, and again after: where they differ, nobody knows what a module was.
    sources = disk.first_digest()
    # What callers agree on with kernels was imported earlier, so it is not known to be of these sources.
    agreed = SIGNATURES[name], SIGNATURES[name].types, SIZES
    conditions = repr((dtypes[ROWS], agreed, version("numba"), machine_code.conditions()))
    place = name, dtypes[TRAINED], sources, conditions
    if disk.source_digest() == sources:
        code = disk.read(*place)
        if code is not None:
            try:
                return machine_code.load(code)
            except RuntimeError:  # whole, and still nothing that LLVM takes: compiled again
                pass
    from linreg_cli.optim.engines.kernels.compiler import compiled

    code = compiled(name, dtypes)
    address = machine_code.load(code)
    if disk.source_digest() == sources:
        disk.write(*place, code)
    return address
