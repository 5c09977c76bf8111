"""Columns of a table that was read, as numbers and text."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.dataset import Column
from linreg_cli.errors import DataError, Fault


def numeric_columns(table: pa.Table, columns: Sequence[str], name: str) -> dict[str, Column]:
    """Columns of a table as float64, finite, without gaps.

    Args:
        table: holds the columns.
        columns: which ones.
        name: what messages call the table.

    Returns:
        name -> values, shape (n_samples,).

    Raises:
        DataError: for each column that is not numeric, or the first cell of each that is missing or not finite.
    """
    if table.num_rows == 0:
        raise DataError("the table has no rows", name)
    out: dict[str, Column] = {}
    faults: list[Fault] = []
    for column in columns:
        values = table.column(column)
        fault = _wrong_type(values, column, name)
        if fault is None:
            if values.null_count == len(values):
                values = pa.chunked_array([pa.nulls(len(values), pa.float64())])
            array = values.cast(pa.float64(), safe=False).to_numpy()
            bad = ~np.isfinite(array)
            if bad.any():
                fault = _bad_cell(array, bad, values, column, name)
            out[column] = array
        if fault is not None:
            faults.append(fault)
    if faults:
        raise DataError(faults)
    return out


def _wrong_type(values: pa.ChunkedArray, column: str, name: str) -> Fault | None:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return None
    if values.null_count == len(values):
        return None
    row = int(np.argmax(values.is_valid().to_numpy()))
    where = f"{name}, row {row + 1}, column {column!r}"
    remedy = f"leave it out with data.ignore: [{column}], or turn it into numbers"
    first = values[row].as_py()
    if _is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type)):
        return Fault(f"the column holds text, such as {first!r}; {remedy}", where)
    if pa.types.is_boolean(kind):
        return Fault(f"the column holds true and false; {remedy} (0 and 1)", where)
    if pa.types.is_temporal(kind):
        return Fault(f"the column holds dates or times, such as {first}; {remedy} (days since a date)", where)
    return Fault(f"the column holds values of type {kind}; {remedy}", where)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _bad_cell(array: Column, bad: np.ndarray, values: pa.ChunkedArray, column: str, name: str) -> Fault:
    row, count = int(np.argmax(bad)), int(bad.sum())
    where = f"{name}, row {row + 1}, column {column!r}"
    more = f" ({count:,} such cells in the column)" if count > 1 else ""
    if np.isnan(array[row]):
        n_missing = int(np.isnan(array).sum())
        others = "is 1 more cell" if n_missing == 2 else f"are {n_missing - 1:,} more cells"
        more = f" (so {others} of the column)" if n_missing > 1 else ""
        return Fault(
            f"the cell is missing{more}; fill it in, leave out its row, or leave the column out with data.ignore",
            where,
        )
    return Fault(f"the value is not finite: {array[row]:g}{more}; correct it or leave out its row", where)


def text_column(table: pa.Table, column: str, name: str) -> list[str | None]:
    """A column as text; None where it is missing.

    Raises:
        DataError: for values that are not text, such as lists.
    """
    values = table.column(column)
    try:
        texts: list[str | None] = pc.cast(values, pa.string()).to_pylist()
    except pa.ArrowNotImplementedError:
        raise DataError(f"column {column!r} holds values of type {values.type}, and should hold text", name) from None
    return texts
