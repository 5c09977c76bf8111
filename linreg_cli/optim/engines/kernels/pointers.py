"""Loads, stores and prefetches of single numbers by pointer, for numba kernels.

Kernels use pointers instead of arrays. Arrays need numba's runtime, which counts references to them; where numba cannot
remove the counting, it costs a call and an atomic instruction every few rows (batches of 32 rows with 8 features: 2.3
ms per epoch instead of 1.7). Code without the runtime can also be loaded without numba. Indexing an array also checks
whether the index is negative.

All functions are numba intrinsics, which can be called in compiled code only. `a` is a pointer to contiguous numbers,
`i` a non-negative position among them, an integer of the size of a pointer.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

CACHE_LINE = 64
#: The distance of `prefetch_far`; the fastest of 2, 4, 8, 16 and 32 KiB.
BYTES_AHEAD = 8192


@intrinsic
def nowhere(_: Any) -> Any:
    """A null pointer to int64, for an argument that is not read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant_null(signature.return_type)

    return types.CPointer(types.int64)(), generate


@intrinsic
def item(_: Any, a: Any, i: Any) -> Any:
    """Load `a[i]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.gep(arguments[0], [arguments[1]]))

    return a.dtype(a, types.intp), generate


@intrinsic
def put(_: Any, a: Any, i: Any, x: Any) -> Any:
    """Store `a[i] = x`, where x has the type of the numbers of a."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.none(a, types.intp, a.dtype), generate


@intrinsic
def number(_: Any, a: Any, x: Any) -> Any:
    """The float64 x, rounded to the type of the numbers of a."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], types.float64, a.dtype)

    return a.dtype(a, types.float64), generate


@intrinsic
def per_line(_: Any, a: Any) -> Any:
    """How many numbers of a fit into a cache line; a constant, where `a.itemsize` would be read from memory."""
    count = CACHE_LINE // (a.dtype.bitwidth // 8)
    return types.intp(a), lambda context, builder, signature, arguments: context.get_constant(types.intp, count)


def _ask(builder: Any, pointer: Any) -> None:
    byte, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer]), "llvm.prefetch.p0"
    )
    options = [ir.Constant(integer, value) for value in (0, 3, 1)]  # to read, to keep, data
    builder.call(function, [pointer, *options])


@intrinsic
def prefetch(_: Any, a: Any, i: Any) -> Any:
    """Prefetch the cache line of `a[i]`; an address out of bounds is harmless."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        _ask(builder, builder.bitcast(address, ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.none(a, types.intp), generate


@intrinsic
def prefetch_far(_: Any, a: Any, i: Any) -> Any:
    """Prefetch the cache lines of 64 numbers, BYTES_AHEAD bytes after `a[i]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        pointer = builder.bitcast(address, ir.IntType(8).as_pointer())
        for byte in range(0, 64 * a.dtype.bitwidth // 8, CACHE_LINE):
            _ask(builder, builder.gep(pointer, [ir.Constant(ir.IntType(64), BYTES_AHEAD + byte)]))
        return context.get_dummy_value()

    return types.none(a, types.intp), generate
