"""Compilation of kernels by numba: a `kernel` can be called from Python, an `inlined` function is part of kernels.

The result is a relocatable object that calls neither Python nor numba's runtime, only functions that LLVM inserts, such
as memset. So it can run in a process that has not imported numba.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from linreg_cli.optim.engines.kernels import machine_code
from linreg_cli.optim.engines.kernels.signatures import FLOAT64, INTEGER, SIGNATURES

#: No arrays, no exceptions (a division by zero gives an infinity), and no wrappers for calls from Python or C.
_PLAIN = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

Function = Callable[..., Any]


def kernel(**options: Any) -> Callable[[Function], Function]:
    """A decorator for a function that `signatures.SIGNATURES` lists; the options are those of `numba.njit`."""

    def decorate(function: Function) -> Function:
        function.__dict__["options"] = options
        return function

    return decorate


def inlined(**options: Any) -> Callable[[Function], Function]:
    """A decorator for a function that is inlined into kernels; the options are those of `numba.njit`."""
    decorate: Callable[[Function], Function] = numba.njit(forceinline=True, **_PLAIN, **options)
    return decorate


def compiled(name: str, dtypes: dict[str, str]) -> bytes:
    """The object code of a kernel for this machine.

    Args:
        name: module and function, such as `batches.update`.
        dtypes: pointer type -> dtype of the numbers that it points to.

    Raises:
        RuntimeError: for a kernel that could raise an exception, or that needs symbols outside its object.
    """
    module, _, function = name.partition(".")
    source = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    signature = SIGNATURES[name]
    return object_code(source, signature.names, [_numba_type(kind, dtypes) for kind in signature.types])


def object_code(function: Function, names: tuple[str, ...], parameters: list[Any]) -> bytes:
    """The object code of one function.

    Args:
        function: decorated by `kernel`.
        names: of its parameters.
        parameters: their numba types.

    Raises:
        RuntimeError: as `compiled`.
    """
    types_ = tuple(parameters)
    with _optimization(machine_code.OPTIMIZATION):
        dispatcher = numba.njit(types_, **_PLAIN, **function.__dict__["options"])(function)
        module = llvm.parse_assembly(dispatcher.inspect_llvm(types_))
    _checked(module, names).name = machine_code.SYMBOL
    return machine_code.emit(module)


@contextlib.contextmanager
def _optimization(level: int) -> Iterator[None]:
    """A context in which numba optimises at a given level; other threads that compile wait until it ends.

    numba has one level per process, and reads it when it optimises a function. Its code generator keeps the level at
    which it was created, so it is created before the level is changed.
    """
    _ = cpu_target.target_context
    with global_compiler_lock:
        numba.config.reload_config()  # else numba would do it within the block, if the environment has changed
        before = numba.config.OPT
        numba.config.OPT = type(before)(level)
        try:
            yield
        finally:
            numba.config.OPT = before


def _checked(module: Any, names: tuple[str, ...]) -> Any:
    """The single function of a module, after checks: its parameters, no exceptions, no external symbols."""
    defined = [each for each in module.functions if not each.is_declaration]
    if len(defined) != 1:
        raise RuntimeError(f"a kernel is one function, and these are {[each.name for each in defined]}")
    (code,) = defined
    found = [argument.name for argument in code.arguments]
    if found != ["retptr", "excinfo", *(f"arg.{name}" for name in names)]:
        raise RuntimeError(f"{code.name} takes {found}, and the signature says {names}")
    lines = [line for block in code.blocks for line in block.instructions]
    statuses = {str(value) for line in lines if line.opcode == "ret" for value in line.operands}
    if statuses != {"i32 0"}:
        raise RuntimeError(f"{code.name} can raise an exception: it returns {statuses}")
    needed = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
    needed = [name for name in needed if not name.startswith("llvm.")]
    if needed:
        raise RuntimeError(f"{code.name} needs {needed}")
    return code


def _numba_type(kind: str, dtypes: dict[str, str]) -> Any:
    if kind in (INTEGER, FLOAT64):
        return getattr(types, kind)
    return types.CPointer(getattr(types, dtypes[kind]))
