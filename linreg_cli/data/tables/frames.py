"""Data frames of any library: to an Arrow table by the Arrow PyCapsule interface, and back to the kind that was given.

Neither pandas nor polars is imported here: a frame of theirs comes from a program that has imported them.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from linreg_cli.config.data import FRAME
from linreg_cli.data.columns.arrow import to_arrow, to_numpy
from linreg_cli.errors import DataError, Fault
from linreg_cli.wording import plural

_ALLOWED = "give a data frame (pandas, polars, Arrow), or a mapping of column to array"


def table_of(data: object) -> pa.Table:
    """The rows of a data frame as an Arrow table; without a copy where its library keeps Arrow's columns.

    Args:
        data: anything with the Arrow PyCapsule interface (`__arrow_c_stream__`), such as a frame of pandas or polars,
            or a mapping of column to array or list, each of shape (n_rows,).

    Raises:
        DataError: for anything else, and for a column that Arrow cannot hold.

    >>> table_of({"sqft": [850.0, 1200.0], "city": ["Oslo", None]}).column_names
    ['sqft', 'city']
    """
    if isinstance(data, Mapping):
        return _of_columns(data)
    if not hasattr(data, "__arrow_c_stream__"):
        hint = "; collect() gives its rows" if hasattr(data, "collect") else ""
        raise DataError(f"a {_kind(data)} is no data frame{hint}; {_ALLOWED}", FRAME)
    try:
        return _plain(pa.table(data))
    except (pa.ArrowException, TypeError, ValueError) as error:  # two of pyarrow's exceptions are Python's own, too
        raise DataError(f"Arrow cannot hold this data frame: {_first_line(error)}", FRAME) from None


def like(given: object, columns: Mapping[str, pa.ChunkedArray]) -> Any:
    """Columns of numbers, as many rows as a frame has, as a frame of its kind.

    Args:
        given: the frame. For one of pandas, the rows keep its index.
        columns: name -> float64, shape (n_rows,).

    Returns:
        A frame of pandas or polars; name -> array for a mapping, where a missing value is nan; else an Arrow table.
    """
    arrays = {name: to_numpy(column) for name, column in columns.items()}
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if isinstance(given, Mapping):
        return arrays
    if pandas is not None and isinstance(given, pandas.DataFrame):
        return pandas.DataFrame(arrays, index=given.index)
    if polars is not None and isinstance(given, polars.DataFrame):
        return polars.DataFrame(pa.table(dict(columns)))
    return pa.table(dict(columns))


def _of_columns(data: Mapping[Any, Any]) -> pa.Table:
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    faults = []
    for name, values in data.items():
        if not isinstance(name, str):
            faults.append(Fault(f"the name of a column is text, found {name!r}", FRAME))
            continue
        try:
            columns[name] = _column(values)
        except (pa.ArrowException, TypeError, ValueError, RuntimeError) as error:  # the last: a tensor with a gradient
            faults.append(Fault(f"Arrow cannot hold the column: {_first_line(error)}", f"{FRAME}, column {name!r}"))
    lengths = {name: len(column) for name, column in columns.items()}
    if len({*lengths.values()}) > 1:
        first, *others = lengths
        for other in others:
            if lengths[other] != lengths[first]:
                rows = f"{plural(lengths[other], 'row')}, and {first!r} has {lengths[first]:,}"
                faults.append(Fault(f"the columns must have equally many rows; {other!r} has {rows}", FRAME))
    if not data:
        faults.append(Fault(f"the mapping has no columns; {_ALLOWED}", FRAME))
    if faults:
        raise DataError(faults)
    return _plain(pa.table(columns))


def _column(values: Any) -> pa.Array | pa.ChunkedArray:
    """One column of a mapping.

    Raises:
        TypeError, ValueError, RuntimeError, pa.ArrowException: for what is no column.
    """
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if hasattr(values, "__arrow_c_array__"):
        return pa.array(values)
    if isinstance(values, str | bytes | Mapping) or not (
        hasattr(values, "__array__") or isinstance(values, Sequence | range)
    ):
        raise TypeError(f"a {_kind(values)} is no column; give an array or a list")
    if not hasattr(values, "__array__"):
        return pa.array(values)  # numpy would make text of numbers that stand beside text
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"an array of shape {array.shape}; a column has one dimension")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # files of other machines have other bytes first
    if array.dtype.name in ("float64", "int64") and masked is None:
        return to_arrow(array)
    return pa.array(array, mask=masked, from_pandas=array.dtype == object)  # among objects, nan is a missing cell


def _plain(table: pa.Table) -> pa.Table:
    """The table, with text in the layout that every function of Arrow takes: polars has views."""
    for position, field in enumerate(table.schema):
        kind = _without_views(field.type)
        if kind != field.type:
            table = table.set_column(position, field.with_type(kind), _without_view(table.column(position), kind))
    return table


def _without_view(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column as a kind of `_without_views`."""
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError:  # pyarrow 17 has views and casts none
        return pa.chunked_array([_copied(chunk, kind) for chunk in column.chunks], kind)


def _copied(chunk: pa.Array, kind: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return pa.array(chunk.to_pylist(), kind)
    levels = pa.array(chunk.dictionary.to_pylist(), kind.value_type)
    return pa.DictionaryArray.from_arrays(chunk.indices, levels, ordered=kind.ordered)


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type):
        return pa.dictionary(kind.index_type, pa.large_string(), kind.ordered)
    return kind


def _kind(value: object) -> str:
    return type(value).__name__


def _first_line(error: BaseException) -> str:
    """What an exception says; pandas has further arguments for the column."""
    said = ": ".join(str(each).strip().partition("\n")[0] for each in error.args)
    return said or type(error).__name__
