"""Writing machine code by LLVM, without numba, and loading it: by ourselves, or what we do not know by LLVM.

LLVM's binding is imported where it is needed, since it takes 47 MB.
"""

import itertools
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linreg_cli.optim.engines.kernels import elf

#: Level 3 unswitches loops: it copies a loop for each value of a setting that is constant in it. With explicit vectors
#: that doubles the code and the time of compilation, and is not faster.
OPTIMIZATION = 2

#: The name of the single function of an object.
SYMBOL = "linreg_kernel"

_numbers = itertools.count()
#: Trackers; LLVM unloads code when its tracker is deleted.
_loaded: list[Any] = []


def conditions() -> tuple[object, ...]:
    """Everything besides the module that the output of `emit` depends on: processor, level, version of LLVM."""
    return *_described(), OPTIMIZATION, version("llvmlite")


def emit(module: Any) -> bytes:
    """A relocatable object for the processor of this machine, from an LLVM module with a function SYMBOL."""
    return bytes(_target_machine().emit_object(module))


def load(code: bytes) -> int:
    """Load an object for the lifetime of the process; returns the address of its function.

    Raises:
        RuntimeError: if LLVM cannot read it, or a symbol that it needs is missing.
    """
    if (placed := elf.place(code, SYMBOL)) is not None:
        return placed
    import llvmlite.binding as llvm

    # Symbols of the process, for functions of the C library such as memset, which LLVM inserts for some loops.
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(SYMBOL)
    tracker = builder.link(_linker(), f"linreg-{next(_numbers)}")
    _loaded.append(tracker)
    return int(tracker[SYMBOL])


@cache
def _described() -> tuple[str, ...]:
    """The processor: as Linux describes it, with every feature that LLVM may use; elsewhere as LLVM does."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        try:
            lines = (
                Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].splitlines()
            )
        except OSError:
            lines = []
        known = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        names = "vendor_id", "cpu family", "model", "stepping", "flags"
        if all(known.get(name) for name in names):
            return "x86_64-linux", *(known[name] for name in names)
    return _processor()


@cache
def _processor() -> tuple[str, str, str]:
    """The target triple, the name of the processor, and its features."""
    import llvmlite.binding as llvm

    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _target_machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, name, features = _processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=name, features=features, opt=OPTIMIZATION, reloc="default", codemodel="jitdefault", jit=True
    )


@cache
def _linker() -> Any:
    import llvmlite.binding as llvm

    # Cached, because a tracker must not outlive it. Errors are suppressed on stderr, since they are raised.
    return llvm.create_lljit_compiler(_target_machine(), suppress_errors=True)
