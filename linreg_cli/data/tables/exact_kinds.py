"""The types that columns of text get in a format with types, found block by block: as `text_numbers.as_exact_numbers`.

A column becomes numbers only if each cell can be written again from its number, and different cells are different
numbers. Both are properties of the whole column, and are put together from those of its blocks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.data.tables.text_numbers import NUMBER, WHOLE, as_numbers, is_repr, without_gaps

#: Numbers that pyarrow and Python write in two ways, as pyarrow does: 2 is also 2.0, and 0.00001 is 1e-05.
_ARROW_ALONE = r"^-?(?:[0-9]+|0\.0000[0-9]*)$"


@dataclass
class _Seen:
    """What was seen of the cells of a column: whether all of them are, or some of them are."""

    any_cell: bool = False
    all_numbers: bool = True
    all_whole: bool = True
    all_int64: bool = True
    all_uint64: bool = True
    all_floats: bool = True
    any_as_arrow: bool = False
    any_as_python: bool = False
    any_number: bool = False
    all_parsed: bool = True


class ExactKinds:
    """Finds the types of the columns of a text file.

    Args:
        columns: all columns of the file.
        numbers: columns that are known to be numbers, however they are written.
        missing_values: cells that mean 'missing'.
        text: how numbers are written.

    Raises:
        NotInBlocksError: for a file with two columns of one name.
    """

    def __init__(
        self, columns: Sequence[str], numbers: Collection[str], missing_values: Collection[str], text: TextFormat
    ) -> None:
        self._seen = {column: _Seen() for column in columns}
        if len(self._seen) < len(columns):
            raise NotInBlocksError("two columns have one name")
        self._numbers, self._missing_values, self._text = set(numbers), missing_values, text

    def see(self, block: pa.Table) -> None:
        """Take some rows into account."""
        for column, seen in self._seen.items():
            values = block.column(column)
            if column in self._numbers:
                found = as_numbers(values, self._missing_values, self._text.of(column))
                seen.all_parsed &= found is not None
                seen.any_number |= found is not None and found.null_count < len(found)
            if seen.all_numbers and len(values):
                self._look(without_gaps(values, self._missing_values), seen)

    def _look(self, cells: pa.ChunkedArray, seen: _Seen) -> None:
        if cells.null_count == len(cells):
            return
        seen.any_cell = True
        seen.all_whole &= _all(cells, WHOLE)
        seen.all_numbers &= seen.all_whole if not self._text.is_plain else _all(cells, NUMBER)
        if not seen.all_numbers:
            return
        if seen.all_whole:
            seen.all_int64 &= _fits(cells, pa.int64())
            seen.all_uint64 &= _fits(cells, pa.uint64())
        if seen.all_floats and self._text.is_plain:
            numbers = pc.cast(cells, pa.float64())
            other = pc.filter(cells, pc.not_equal(pc.cast(numbers, pa.string()), cells))
            seen.all_floats &= all(is_repr(cell) for cell in pc.unique(other).to_pylist() if cell is not None)
            seen.any_as_python |= other.null_count < len(other)
            seen.any_as_arrow |= _any(cells, _ARROW_ALONE)

    def applied(self, block: pa.Table) -> pa.Table:
        """Some rows, with the types of the columns.

        Raises:
            NotInBlocksError: where the whole column must be seen.
        """
        found = []
        for column, values in zip(block.column_names, block.columns, strict=True):
            kind = self._kind(self._seen[column])
            if kind is not None:
                found.append(pc.cast(without_gaps(values, self._missing_values), kind))
            elif column in self._numbers and self._seen[column].any_number and self._seen[column].all_parsed:
                found.append(as_numbers(values, self._missing_values, self._text.of(column)))
            else:
                found.append(values)
        return pa.Table.from_arrays(found, names=block.column_names)

    @staticmethod
    def _kind(seen: _Seen) -> pa.DataType | None:
        """The type of a column whose cells can be written again from it; None if there is none."""
        if not (seen.any_cell and seen.all_numbers):
            return None
        if seen.all_whole:
            return pa.int64() if seen.all_int64 else pa.uint64() if seen.all_uint64 else None
        if not seen.all_floats:
            return None
        if seen.any_as_arrow and seen.any_as_python:
            raise NotInBlocksError("whether one number is written in two ways is seen in the whole column")
        return pa.float64()


def _all(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def _any(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _fits(cells: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return False
    return True
