"""What is wrong with a block of rows, with the numbers of its rows in the table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from linreg_cli.data.encoding.cells import category_column, kind_of
from linreg_cli.data.encoding.notation import number_test
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import Fault
from linreg_cli.remedies import for_columns, leave_out, quoted
from linreg_cli.wording import number

#: The squares of larger values overflow float64, or their sum over 1e8 rows does.
_LARGEST = 1e150


def late_text_fault(
    values: pa.ChunkedArray, column: str, marks: Sequence[str], name: str, written: TextFormat
) -> Fault | None:
    """The fault of text in a column that may be a category, and that is of numbers in the first rows of the table."""
    found, is_number = category_column(values, marks, kind_of(values.type)), number_test(written)
    bad = np.array([not is_number(level) for level in found.levels], dtype=bool)
    if not bad.any():
        return None
    row = int(np.argmax((found.codes >= 0) & bad[found.codes]))
    cell, keep = quoted(found.levels[found.codes[row]]), for_columns([column], "categorical", "one_hot")
    message = f"{cell} is not a number, and those of the first rows of the table are; correct the cell, or set {keep}"
    ways = f"{message} to use the column as text, or leave it out with {leave_out(column)}"
    return Fault(ways, f"{name}, row {row + 1}, column {column!r}", columns=(column,))


def size_faults(ends: Mapping[str, tuple[float, float]], name: str) -> list[Fault]:
    """The faults of columns of numbers whose values are so large that sums of their squares overflow float64.

    Args:
        ends: column -> its lowest and its highest value.
        name: the table.
    """
    return [
        Fault(
            f"values from {number(low)} to {number(high)} cannot be squared and added up in float64; use another unit",
            f"{name}, column {column!r}",
            columns=(column,),
        )
        for column, (low, high) in ends.items()
        if low <= high and max(-low, high) > _LARGEST
    ]


def in_row(fault: Fault, first: int) -> Fault:
    """A fault of a block, with the number of its row in the table."""
    if fault.where is None or ", row " not in fault.where:
        return fault
    head, _, rest = fault.where.rpartition(", row ")
    row, comma, more = rest.partition(",")
    return replace(fault, where=f"{head}, row {int(row) + first}{comma}{more}", block=None)
