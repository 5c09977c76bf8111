"""Machine code as LLVM writes and loads it, without the compiler in front: of llvmlite only the binding is imported."""

import itertools
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

#: Level 3 makes a copy of every loop for each value of a setting that does not change in it. With vectors written out
#: that is twice the code and the seconds of compilation, and not faster.
OPTIMIZATION = 2

#: The name of the one function of an object.
SYMBOL = "linreg_kernel"

_numbers = itertools.count()
#: LLVM takes code away again when its tracker is gone.
_loaded: list[Any] = []


def conditions() -> tuple[object, ...]:
    """What the code that `emit` writes depends on besides its module."""
    return *_processor(), OPTIMIZATION, llvmlite.__version__


def emit(module: Any) -> bytes:
    """A relocatable object for this machine's processor, from an LLVM module with a function SYMBOL."""
    return bytes(_target_machine().emit_object(module))


def load(code: bytes) -> int:
    """The address of the function in an object, which stays loaded until the process ends.

    Raises:
        RuntimeError: where LLVM cannot read it, or it calls what is not there.
    """
    # The process, for memset and the like of the C library, which LLVM writes for a loop that fills memory.
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(SYMBOL)
    tracker = builder.link(_linker(), f"linreg-{next(_numbers)}")
    _loaded.append(tracker)
    return int(tracker[SYMBOL])


@cache
def _processor() -> tuple[str, str, str]:
    """Operating system and kind of processor, its name, and the features that it has and has not."""
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _target_machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, name, features = _processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=name, features=features, opt=OPTIMIZATION, reloc="default", codemodel="jitdefault", jit=True
    )


@cache
def _linker() -> Any:
    # A tracker must not outlive it; silent, since what goes wrong is raised.
    return llvm.create_lljit_compiler(_target_machine(), suppress_errors=True)
