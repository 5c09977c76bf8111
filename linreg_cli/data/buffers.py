"""Numbers between numpy and pyarrow, straight through their buffers.

pyarrow's own `to_numpy` and `pa.array` look for pandas, and where it is installed they import it: 0.3 s, for nothing.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.columns import Column


def to_numpy(values: pa.ChunkedArray) -> Column:
    """float64 cells as an array, nan where one is missing; a view of the table, not to be written to, where it can be.

    >>> to_numpy(pa.chunked_array([pa.array([1.5, None]), pa.array([2.5])])).tolist()
    [1.5, nan, 2.5]
    """
    assert pa.types.is_float64(values.type), values.type
    parts = [_chunk(chunk) for chunk in values.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])


def to_arrow(
    values: npt.NDArray[np.float64] | npt.NDArray[np.int64], known: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """An array of float64 or int64 as a column, shape (n_samples,); cells where `known` is False are missing.

    >>> to_arrow(np.array([1, 2])).to_pylist()
    [1, 2]
    >>> to_arrow(np.array([1.0, np.nan, 3.0]), np.array([True, False, True])).to_pylist()
    [1.0, None, 3.0]
    """
    kind = {"float64": pa.float64(), "int64": pa.int64()}[values.dtype.name]
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def repeated(text: str, count: int) -> pa.Array:
    """A column that holds one text `count` times.

    >>> repeated("test", 2).to_pylist()
    ['test', 'test']
    """
    content = text.encode()
    ends = np.arange(count + 1, dtype=np.int64) * len(content)
    return pa.Array.from_buffers(pa.large_string(), count, [None, pa.py_buffer(ends), pa.py_buffer(content * count)])


def _chunk(chunk: pa.Array) -> Column:
    if not len(chunk):
        return np.zeros(0)
    valid, content = chunk.buffers()
    out: Column = np.frombuffer(content, np.float64, len(chunk), 8 * chunk.offset)
    if not chunk.null_count:
        return out
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), count=chunk.offset + len(chunk), bitorder="little")
    return np.where(bits[chunk.offset :] == 1, out, np.nan)
