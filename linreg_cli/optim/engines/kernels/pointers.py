"""Single numbers behind pointers, and prefetching, for numba kernels.

Kernels know pointers and no arrays. Arrays would need numba's runtime, which counts references to them (where pruning
those fails, that is a call and an atomic instruction for every few rows: batch 32 at 8 features 2.3 ms an epoch, and
1.7), and code that needs no runtime can be loaded without numba. Indexing an array also asks whether the index is
negative.

All functions are numba intrinsics: they can be called in compiled code only. `a` is a pointer to
numbers that lie side by side, `i` a position among them, which is not negative.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

CACHE_LINE = 64
#: How far ahead `prefetch_far` asks; the best of 2, 4, 8, 16 and 32 KiB.
BYTES_AHEAD = 8192


@intrinsic
def nowhere(_: Any) -> Any:
    """A pointer to integers that is never followed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant_null(signature.return_type)

    return types.CPointer(types.int64)(), generate


@intrinsic
def item(_: Any, a: Any, i: Any) -> Any:
    """`a[i]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.gep(arguments[0], [arguments[1]]))

    return a.dtype(a, types.intp), generate


@intrinsic
def put(_: Any, a: Any, i: Any, x: Any) -> Any:
    """`a[i] = x`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.none(a, types.intp, a.dtype), generate


@intrinsic
def number(_: Any, a: Any, x: Any) -> Any:
    """The float64 x in the type of the numbers of a."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], types.float64, a.dtype)

    return a.dtype(a, types.float64), generate


@intrinsic
def per_line(_: Any, a: Any) -> Any:
    """Numbers of a cache line, as a constant (`a.itemsize` is read from memory)."""
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
    """Ask for the cache line that holds `a[i]`; an address out of bounds does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        _ask(builder, builder.bitcast(address, ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.none(a, types.intp), generate


@intrinsic
def prefetch_far(_: Any, a: Any, i: Any) -> Any:
    """Ask for the cache lines of 64 numbers that lie BYTES_AHEAD after `a[i]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        pointer = builder.bitcast(address, ir.IntType(8).as_pointer())
        for byte in range(0, 64 * a.dtype.bitwidth // 8, CACHE_LINE):
            _ask(builder, builder.gep(pointer, [ir.Constant(ir.IntType(64), BYTES_AHEAD + byte)]))
        return context.get_dummy_value()

    return types.none(a, types.intp), generate
