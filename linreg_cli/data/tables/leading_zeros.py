"""Numbers with leading zeros in a CSV: codes such as 02138, which pyarrow reads as numbers.

A column with such a cell is text. Blocks of bytes are searched, since searching each cell takes longer than reading it.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_ZERO, _POINT, _SIGNS = ord("0"), ord("."), np.frombuffer(b"+-", np.uint8)
#: Bytes that are searched at once: what is computed of them stays in the cache, and takes no memory beside a block.
_PIECE = 2**16


class LeadingZerosError(ValueError):
    """Columns that were read as numbers have cells with leading zeros.

    Attributes:
        columns: their names.
    """

    def __init__(self, columns: Collection[str]) -> None:
        super().__init__(f"leading zeros in {', '.join(columns)}")
        self.columns = set(columns)


def cells_with_leading_zeros(text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which cells of text have a leading zero: 02138, 007, -01 or 00.5, and not 0, 0.5 or -0.5.

    >>> cells_with_leading_zeros(pa.array(["02138", " 00", "-01", "0", "-0.5", None])).to_pylist()
    [True, True, True, False, False, None]
    """
    return pc.match_substring_regex(text, r"^\s*[-+]?0[0-9]")


def suspects(block: bytes, delimiter: str, columns: Sequence[str]) -> set[str]:
    r"""The columns that may have a cell with a leading zero: every one that has, and possibly others.

    Args:
        block: complete lines of a CSV.
        delimiter: between the cells.
        columns: all columns of the file, in order.

    >>> sorted(suspects(b"1,02138,0.5\n1e-05,1,-07\n", ",", ["a", "b", "c"]))
    ['b', 'c']
    """
    marks = np.frombuffer(block, np.uint8)
    found = _starts(marks, ord(delimiter))
    if not len(found):
        return set()
    ends = np.flatnonzero((marks == ord(delimiter)) | (marks == ord("\n")))
    n_lines, blank = block.count(b"\n"), b"\n\n" in block or b"\r\n\r\n" in block or block[:1] in (b"\n", b"\r")
    # Where a delimiter may be within quotes, or a line may be no row, counting delimiters does not give the column.
    if b'"' in block or blank or len(ends) - n_lines != (n_lines + (block[-1:] != b"\n")) * (len(columns) - 1):
        return set(columns)
    return {columns[position] for position in np.unique(np.searchsorted(ends, found) % len(columns))}


def _starts(marks: npt.NDArray[np.uint8], delimiter: int) -> npt.NDArray[np.intp]:
    """The positions of zeros that are before a digit and after a delimiter, a blank, a quote or a sign."""
    first = [0] if len(marks) > 1 and marks[0] == _ZERO and marks[1] >= _ZERO else []
    parts = [start + _zeros(marks[start : start + _PIECE + 2], delimiter) for start in range(0, len(marks), _PIECE)]
    found = np.concatenate([np.array(first, dtype=np.intp), *parts])
    signed = np.isin(marks[found - 1], _SIGNS) & (found > 1)
    if signed.any():  # the exponent of 1e-05 is no start
        earlier = marks[found - 2]
        found = found[~signed | (earlier < _POINT) | (earlier == delimiter)]
    return found


def _zeros(marks: npt.NDArray[np.uint8], delimiter: int) -> npt.NDArray[np.intp]:
    inside = marks[1:-1] == _ZERO
    inside &= marks[2:] >= _ZERO
    before = marks[:-2] < _POINT  # blanks, line breaks, quotes, signs, commas; no digits, points or letters
    if delimiter > _POINT:
        before |= marks[:-2] == delimiter
    inside &= before
    return np.flatnonzero(inside) + 1
