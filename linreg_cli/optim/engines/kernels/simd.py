"""SIMD vectors of eight lanes for numba kernels: the LLVM types `<8 x float>` and `<8 x double>`.

LLVM maps them to the vector registers of the machine. Explicit vectors keep a gradient in a register for a whole batch,
which loops over arrays of unknown length do not.

All functions are numba intrinsics, which can be called in compiled code only. Conventions: `v`, `u`, `t` are vectors
of one dtype, float32 or float64, and so is the result unless stated; `x` is a scalar; `a` is a pointer to contiguous
numbers, and `i` a position among them. Operations act on each lane with IEEE 754 rounding to nearest. No function
assumes that numbers are finite: NaN and infinities propagate, so that divergence is detected.

Source: LLVM Language Reference, https://llvm.org/docs/LangRef.html (vector operations, `llvm.fmuladd`,
`llvm.masked.load`, `llvm.fabs`).
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from linreg_cli.optim.engines.kernels.signatures import LANES


class Vector(types.Type):
    """The numba type of a vector.

    Attributes:
        scalar: the numba type of each lane, float32 or float64.
    """

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar
        super().__init__(name=f"Vector8({scalar})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        scalar = manager.lookup(vector.scalar).get_value_type()
        super().__init__(manager, vector, ir.VectorType(scalar, LANES))


def _llvm(context: Any, vector: Vector) -> Any:
    return context.get_value_type(vector)


def _splat(builder: Any, value: Any) -> Any:
    one = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    lane = builder.insert_element(one, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(lane, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _suffix(vector: Any) -> str:
    return "v8f32" if isinstance(vector.element, ir.FloatType) else "v8f64"


@intrinsic
def load(_: Any, a: Any, i: Any) -> Any:
    """Load `a[i : i + 8]`, which need not be aligned to vectors."""
    vector = Vector(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        pointer = builder.bitcast(address, _llvm(context, vector).as_pointer())
        return builder.load(pointer, align=a.dtype.bitwidth // 8)

    return vector(a, types.intp), generate


@intrinsic
def load_first(_: Any, a: Any, i: Any, n: Any) -> Any:
    """Load `a[i : i + n]` for n < 8 into the first lanes; the others are zero, and nothing beyond is read."""
    vector = Vector(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type_ = _llvm(context, vector)
        address = builder.gep(arguments[0], [arguments[1]])
        pointer = builder.bitcast(address, type_.as_pointer())
        lanes = ir.Constant(ir.VectorType(ir.IntType(64), LANES), list(range(LANES)))
        mask = builder.icmp_signed("<", lanes, _splat(builder, arguments[2]))
        integer = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(type_, [pointer.type, integer, mask.type, type_]),
            f"llvm.masked.load.{_suffix(type_)}.p0",
        )
        align = ir.Constant(integer, a.dtype.bitwidth // 8)
        return builder.call(function, [pointer, align, mask, ir.Constant(type_, None)])

    return vector(a, types.intp, types.intp), generate


@intrinsic
def store(_: Any, a: Any, i: Any, v: Any) -> Any:
    """Store `a[i : i + 8] = v`; a has the dtype of v and need not be aligned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        pointer = builder.bitcast(address, arguments[2].type.as_pointer())
        builder.store(arguments[2], pointer, align=a.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(a, types.intp, v), generate


@intrinsic
def splat(_: Any, x: Any) -> Any:
    """The vector with x in every lane, of the dtype of x."""
    return Vector(x)(x), lambda context, builder, signature, arguments: _splat(builder, arguments[0])


@intrinsic
def add(_: Any, v: Any, u: Any) -> Any:
    """The lanewise sum v + u (`fadd`)."""
    return v(v, u), lambda context, builder, signature, arguments: builder.fadd(*arguments)


@intrinsic
def sub(_: Any, v: Any, u: Any) -> Any:
    """The lanewise difference v - u (`fsub`)."""
    return v(v, u), lambda context, builder, signature, arguments: builder.fsub(*arguments)


@intrinsic
def mul(_: Any, v: Any, u: Any) -> Any:
    """The lanewise product v * u (`fmul`)."""
    return v(v, u), lambda context, builder, signature, arguments: builder.fmul(*arguments)


@intrinsic
def mul_add(_: Any, v: Any, u: Any, t: Any) -> Any:
    """The lanewise v * u + t (`llvm.fmuladd`), rounded once if the machine has a fused multiply-add, else twice."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type_ = arguments[0].type
        name = f"llvm.fmuladd.{_suffix(type_)}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(type_, [type_] * 3), name)
        return builder.call(function, arguments)

    return v(v, u, t), generate


@intrinsic
def total(_: Any, v: Any) -> Any:
    """The sum of the lanes, a scalar (`llvm.vector.reduce.fadd`), in the order that is fastest on the machine."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type_ = arguments[0].type
        name = f"llvm.vector.reduce.fadd.{_suffix(type_)}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(type_.element, [type_.element, type_]), name
        )
        return builder.call(function, [ir.Constant(type_.element, -0.0), arguments[0]], fastmath=("reassoc",))

    return v.scalar(v), generate


@intrinsic
def totals(_: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """The vector whose lane j is the sum of the lanes of the j-th vector; 7 additions and shuffles."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def halve(vectors: list[Any], low: list[int], high: list[int]) -> list[Any]:
            kind = ir.VectorType(ir.IntType(32), LANES)
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            return [
                builder.fadd(
                    builder.shuffle_vector(one, two, ir.Constant(kind, low)),
                    builder.shuffle_vector(one, two, ir.Constant(kind, high)),
                )
                for one, two in pairs
            ]

        vectors = halve(list(arguments), [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15])
        vectors = halve(vectors, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])
        return halve(vectors, [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])[0]

    return a(a, a, a, a, a, a, a, a), generate


@intrinsic
def columns(_: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """The transpose of eight vectors: a tuple of eight, of which the j-th has lane j of each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def interleaved(vectors: list[Any], apart: int, low: list[int], high: list[int]) -> list[Any]:
            kind = ir.VectorType(ir.IntType(32), LANES)
            masks = ir.Constant(kind, low), ir.Constant(kind, high)
            firsts = [i for i in range(LANES) if not i & apart]
            return [builder.shuffle_vector(vectors[i], vectors[i + apart], mask) for i in firsts for mask in masks]

        # First within each half of a vector, where shuffles are cheap, then across the halves.
        vectors = interleaved(list(arguments), 1, [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])
        vectors = interleaved(vectors, 2, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])
        vectors = interleaved(vectors, 4, [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])
        return context.make_tuple(builder, signature.return_type, vectors[::2] + vectors[1::2])

    return types.UniTuple(a, LANES)(a, a, a, a, a, a, a, a), generate


@intrinsic
def lane(_: Any, v: Any, i: Any) -> Any:
    """The vector with lane i of v in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, builder.extract_element(*arguments))

    return v(v, types.intp), generate


@intrinsic
def gather(_: Any, a: Any, i0: Any, i1: Any, i2: Any, i3: Any, i4: Any, i5: Any, i6: Any, i7: Any) -> Any:
    """Load `a[i0], ..., a[i7]` into the lanes 0 to 7."""
    vector = Vector(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = ir.Constant(_llvm(context, vector), ir.Undefined)
        for position, index in enumerate(arguments[1:]):
            value = builder.load(builder.gep(arguments[0], [index]))
            result = builder.insert_element(result, value, ir.Constant(ir.IntType(32), position))
        return result

    return vector(a, *[types.intp] * LANES), generate


def _sign(builder: Any, value: Any) -> Any:
    zero = ir.Constant(value.type, None)
    one, minus = (ir.Constant(value.type, [x] * LANES) for x in (1.0, -1.0))
    below = builder.select(builder.fcmp_ordered("<", value, zero), minus, zero)
    return builder.select(builder.fcmp_ordered(">", value, zero), one, below)


@intrinsic
def sign(_: Any, v: Any) -> Any:
    """The sign of each lane: 1, -1 or 0; 0 for NaN."""
    return v(v), lambda context, builder, signature, arguments: _sign(builder, arguments[0])


@intrinsic
def absolute(_: Any, v: Any) -> Any:
    """The lanewise |v| (`llvm.fabs`); NaN stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type_ = arguments[0].type
        name = f"llvm.fabs.{_suffix(type_)}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(type_, [type_]), name)
        return builder.call(function, arguments)

    return v(v), generate


@intrinsic
def smaller(_: Any, v: Any, u: Any) -> Any:
    """The lanewise minimum of v and u; u where either is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *arguments), *arguments)

    return v(v, u), generate


@intrinsic
def widen(_: Any, v: Any) -> Any:
    """The vector v as float64, which is exact."""
    wide = Vector(types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[0] if v.scalar == types.float64 else builder.fpext(arguments[0], _llvm(context, wide))

    return wide(v), generate


@intrinsic
def narrow(_: Any, v: Any, a: Any) -> Any:
    """The float64 vector v, rounded to the dtype of the numbers of a."""
    vector = Vector(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[0] if a.dtype == types.float64 else builder.fptrunc(arguments[0], _llvm(context, vector))

    return vector(v, a), generate
