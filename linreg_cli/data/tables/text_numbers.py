"""Columns of text as numbers: as a model reads them, or only where nothing is lost."""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.columns.arrow import null_text, texts, unified
from linreg_cli.data.columns.kinds import as_number
from linreg_cli.data.tables.leading_zeros import cells_with_leading_zeros
from linreg_cli.data.tables.text_format import DEFAULT, TextFormat

#: Whole numbers and numbers as they are written again.
WHOLE = r"^(?:0|-?[1-9][0-9]*)$"
NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[-+][0-9]{2,3})?$"


def as_numbers(
    values: pa.ChunkedArray, missing_values: Collection[str], written: TextFormat = DEFAULT
) -> pa.ChunkedArray | None:
    """Text, or text in dictionary encoding, as float64; None if a cell is not a number, or has a leading zero.

    Args:
        values: the cells.
        missing_values: cells that mean 'missing'.
        written: how the numbers of the column are written.

    >>> as_numbers(pa.chunked_array([["1.50", " +2", "NA"]]), ["NA"]).to_pylist()
    [1.5, 2.0, None]
    """
    if pa.types.is_dictionary(values.type):
        encoded = unified(values)
        words = _parsed(encoded.chunk(0).dictionary, missing_values, written) if encoded.num_chunks else None
        return None if words is None else pa.chunked_array([words.take(part.indices) for part in encoded.chunks])
    return _parsed(values, missing_values, written)


def _parsed(values: pa.Array | pa.ChunkedArray, missing_values: Collection[str], written: TextFormat) -> Any:
    trimmed = pc.utf8_trim_whitespace(values)
    missing = {*missing_values, *(mark.strip() for mark in missing_values)}
    gaps = pc.is_in(trimmed, texts(sorted(missing)))
    text = pc.if_else(gaps, null_text(), trimmed)
    numbers = written.float64(text)
    if numbers is None:
        return None
    return None if pc.any(cells_with_leading_zeros(written.without_unit(text))).as_py() else numbers


def as_exact_numbers(
    text: pa.ChunkedArray, missing_values: Collection[str], *, whole: bool = False
) -> pa.ChunkedArray | None:
    """A column as int64, uint64 or float64; None if a cell could not be written again from its number.

    Blanks around a cell do not count. A missing cell is null, unless it is a number such as -999.

    Args:
        text: the cells.
        missing_values: cells that mean 'missing'.
        whole: whether only integers count, since points do not mean decimals.

    >>> as_exact_numbers(pa.chunked_array([["12345678901234567", " 5", "NA"]]), ["NA"]).to_pylist()
    [12345678901234567, 5, None]
    >>> as_exact_numbers(pa.chunked_array([["0.5", "1", "1e-05"]]), []).to_pylist()
    [0.5, 1.0, 1e-05]
    >>> [as_exact_numbers(pa.chunked_array([[cell, "1"]]), []) for cell in ("1.10", "+1", "007", "1E5", "1.0")]
    [None, None, None, None, None]
    """
    cells = without_gaps(text, missing_values)
    if cells.null_count == len(cells) or not _all(pc.match_substring_regex(cells, WHOLE if whole else NUMBER)):
        return None
    if _all(pc.match_substring_regex(cells, WHOLE)):
        for kind in (pa.int64(), pa.uint64()):
            try:
                return pc.cast(cells, kind)
            except pa.ArrowInvalid:
                continue
        return None
    numbers = pc.cast(cells, pa.float64())
    # pyarrow writes most numbers as Python does. Those that it does not are few, or whole.
    other = pc.filter(cells, pc.not_equal(pc.cast(numbers, pa.string()), cells))
    if not all(is_repr(cell) for cell in pc.unique(other).to_pylist() if cell is not None):
        return None
    return numbers if pc.count_distinct(cells).as_py() == pc.count_distinct(numbers).as_py() else None


def without_gaps(text: pa.ChunkedArray, missing_values: Collection[str]) -> pa.ChunkedArray:
    """The cells without blanks around them; null where one is missing, unless it is a number such as -999."""
    trimmed = pc.utf8_trim_whitespace(text)
    marks = {mark.strip() for mark in missing_values if as_number(mark) is None}
    return pc.if_else(pc.is_in(trimmed, texts(sorted({"", *marks}))), null_text(), trimmed)


def is_repr(cell: str) -> bool:
    """Whether a number is written as Python writes it."""
    return cell == repr(float(cell))


def _all(found: pa.ChunkedArray) -> bool:
    return bool(pc.all(found).as_py())
