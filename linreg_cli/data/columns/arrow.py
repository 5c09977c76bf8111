"""Conversion of numbers and texts between Python, numpy and pyarrow through their buffers.

pyarrow's own `to_numpy`, `pa.array`, `pa.scalar` and `Schema.empty_table`, and in pyarrow 17 `to_pandas_dtype`, import
pandas if it is installed, which takes 0.3 s and 40 MB.
"""

import contextlib
import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.columns.kinds import Codes, Column

#: The largest n for which float64 has 10^n.
_EXACT_POWER = 22


def is_text_type(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of text: string, large_string or string_view."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def to_numpy(values: pa.ChunkedArray) -> Column:
    """A float64 column as an array, shape (n_samples,); nan where a cell is missing. Read-only if it is a view.

    >>> to_numpy(pa.chunked_array([pa.array([1.5, None]), pa.array([2.5])])).tolist()
    [1.5, nan, 2.5]
    """
    assert pa.types.is_float64(values.type), values.type
    parts = [_chunk(chunk) for chunk in values.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])


def plain_numbers(values: pa.Array) -> npt.NDArray[Any]:
    """A column of numbers of any type as an array, shape (n_samples,): as they stand in the buffer, read-only; float64
    with nan where a cell is missing.

    Decimals are the nearest float64, as the same digits in a CSV are.

    >>> plain_numbers(pa.array([1, 2], pa.int32())).dtype.name
    'int32'
    >>> plain_numbers(pa.array([1, 2, None], pa.int32())).tolist()
    [1.0, 2.0, nan]
    """
    if pa.types.is_decimal(values.type):
        return _of_decimals(values)
    dtype = None if values.null_count else _plain_dtype(values.type)
    if dtype is None or not len(values):
        return _chunk(values if pa.types.is_float64(values.type) else values.cast(pa.float64(), safe=False))
    return np.frombuffer(values.buffers()[1], dtype, len(values), dtype.itemsize * values.offset)


def is_exact_in_float32(kind: pa.DataType) -> bool:
    """Whether every number of an Arrow type is one of float32.

    >>> [is_exact_in_float32(kind) for kind in (pa.float32(), pa.uint16(), pa.int32())]
    [True, True, False]
    """
    is_short = pa.types.is_integer(kind) and kind.bit_width <= 16
    return bool(is_short or pa.types.is_float16(kind) or pa.types.is_float32(kind))


def to_arrow(
    values: npt.NDArray[np.float64] | npt.NDArray[np.int64], known: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """An array of shape (n_samples,), float64 or int64, as a column; cells where `known` is False are missing.

    >>> to_arrow(np.array([1, 2])).to_pylist()
    [1, 2]
    >>> to_arrow(np.array([1.0, np.nan, 3.0]), np.array([True, False, True])).to_pylist()
    [1.0, None, 3.0]
    """
    kind = {"float64": pa.float64(), "int64": pa.int64()}[values.dtype.name]
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def release_unused() -> None:
    """Return unused memory of pyarrow's pool and of the C library to the system.

    glibc keeps the freed buffers of each thread that read: 20 MB after a CSV. Other C libraries do not have this call.
    """
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: on Windows, CDLL(None) is not allowed
        ctypes.CDLL(None).malloc_trim(0)


def no_rows(schema: pa.Schema) -> pa.Table:
    """A table without rows.

    >>> no_rows(pa.schema({"x": pa.float64()})).num_rows
    0
    """
    return pa.Table.from_batches([], schema)


def repeated(text: str, count: int) -> pa.Array:
    """A column with one text `count` times.

    >>> repeated("test", 2).to_pylist()
    ['test', 'test']
    """
    content = text.encode()
    ends = np.arange(count + 1, dtype=np.int64) * len(content)
    return pa.Array.from_buffers(pa.large_string(), count, [None, pa.py_buffer(ends), pa.py_buffer(content * count)])


def texts(values: Sequence[str]) -> pa.Array:
    """A column of texts.

    >>> texts(["a", "", "ä"]).to_pylist()
    ['a', '', 'ä']
    """
    contents = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, contents)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(values), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(contents))])


def null_text() -> pa.Scalar:
    """A null of type string."""
    ends = np.zeros(2, np.int32)
    return pa.Array.from_buffers(pa.string(), 1, [pa.py_buffer(b"\0"), pa.py_buffer(ends), pa.py_buffer(b"")])[0]


def unified(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary-encoded column whose chunks have one dictionary, in wider indices where it needs them.

    >>> parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()]
    >>> unified(pa.chunked_array(parts)).chunk(1).dictionary.to_pylist()
    ['a', 'b', 'c']
    """
    try:
        return values.unify_dictionaries()
    except pa.ArrowInvalid:  # the type of the chunks' indices is too narrow for all entries
        wide = [
            pa.DictionaryArray.from_arrays(each.indices.cast(pa.int32()), each.dictionary) for each in values.chunks
        ]
        return pa.chunked_array(wide).unify_dictionaries()


def indices(values: pa.ChunkedArray) -> Codes:
    """The codes of a dictionary-encoded column, shape (n_samples,), int32; -1 where a cell is missing.

    >>> indices(pa.chunked_array([pa.array(["a", None, "b", "a"]).dictionary_encode()])).tolist()
    [0, -1, 1, 0]
    """
    parts = [chunk.indices.cast(pa.int32()) for chunk in values.chunks]
    found = [np.where(_known(part), np.frombuffer(part.buffers()[1], np.int32, len(part), 4 * part.offset), -1)
             for part in parts if len(part)]  # fmt: skip
    return np.concatenate([np.zeros(0, np.int32), *found], dtype=np.int32)


@cache
def _plain_dtype(kind: pa.DataType) -> np.dtype[Any] | None:
    """The dtype of the values of an Arrow type of integers, float32 or float64, as in its buffer; None for others."""
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return np.dtype(f"f{kind.bit_width // 8}")
    if not pa.types.is_integer(kind):
        return None
    return np.dtype(f"{'i' if pa.types.is_signed_integer(kind) else 'u'}{kind.bit_width // 8}")


def _of_decimals(values: pa.Array) -> Column:
    """Decimals, each rounded once; Arrow's own cast multiplies by a power of ten that it has rounded before.

    >>> from decimal import Decimal
    >>> _of_decimals(pa.array([Decimal("270.11"), None], pa.decimal128(10, 2))).tolist()
    [270.11, nan]
    """
    kind = values.type
    if len(values) and pa.types.is_decimal128(kind) and 0 <= kind.scale <= _EXACT_POWER:
        low, high = np.frombuffer(values.buffers()[1], np.int64, 2 * len(values), 16 * values.offset).reshape(-1, 2).T
        if np.array_equal(low >> 63, high) and np.all((low >= -(2**53)) & (low <= 2**53)):
            out: Column = low / float(10**kind.scale)  # of two numbers that float64 has
            return np.where(_known(values), out, np.nan) if values.null_count else out
    return _chunk(values.cast(pa.string()).cast(pa.float64()))


def _chunk(chunk: pa.Array) -> Column:
    if not len(chunk):
        return np.zeros(0)
    out: Column = np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset)
    return np.where(_known(chunk), out, np.nan) if chunk.null_count else out


def _known(chunk: pa.Array) -> npt.NDArray[np.bool_]:
    """Which cells are not missing, shape (n_rows,)."""
    valid = chunk.buffers()[0]
    if valid is None or not chunk.null_count:
        return np.ones(len(chunk), dtype=bool)
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), count=chunk.offset + len(chunk), bitorder="little")
    return np.equal(bits[chunk.offset :], 1)
