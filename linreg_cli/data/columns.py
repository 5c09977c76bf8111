"""Columns as they were read, numbers with gaps or categories, and columns that are made when they are asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

#: Codes that are no level.
MISSING, UNKNOWN = -1, -2


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: shape (n_samples,); nan where a cell is missing.
    """

    values: Column

    @cached_property
    def n_missing(self) -> int:
        """How many cells are missing."""
        # The sum of a column is nan if one of its cells is, and costs no array of the column's size.
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.sum(self.values)
        return int(np.count_nonzero(np.isnan(self.values))) if np.isnan(total) else 0

    def missing(self) -> Mask:
        """Which cells are missing, shape (n_samples,)."""
        return np.isnan(self.values)


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Attributes:
        kind: `text`, `boolean` or `number`: what the levels are, and so how they are written and ordered.
        codes: position in `levels` of each cell, shape (n_samples,); `MISSING` where there is none.
        levels: every level of the table, in order.
    """

    kind: str
    codes: Codes
    levels: tuple[str, ...]

    @cached_property
    def n_missing(self) -> int:
        """How many cells are missing."""
        return int(np.count_nonzero(self.codes == MISSING))

    def missing(self) -> Mask:
        """Which cells are missing, shape (n_samples,)."""
        return np.equal(self.codes, MISSING)


RawColumn = Numbers | Categories


def canonical(cell: str, kind: str) -> str:
    """A level as every format writes it.

    >>> canonical(" usa ", "text"), canonical("True", "boolean"), canonical("98178.0", "number")
    ('usa', 'true', '98178')
    """
    text = cell.strip()
    if kind == "boolean":
        return text.lower()
    if kind == "number":
        try:
            value = float(text)
        except ValueError:
            return text
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return text


def ordered(levels: Mapping[str, object] | set[str], kind: str) -> tuple[str, ...]:
    """Levels in the order that does not depend on the rows: of numbers, else of the text.

    >>> ordered({"10", "9", "-1"}, "number"), ordered({"usa", "asia"}, "text")
    (('-1', '9', '10'), ('asia', 'usa'))
    """
    if kind == "number":
        return tuple(sorted(levels, key=float))
    return tuple(sorted(levels))


class EncodedColumns(Mapping[str, Column]):
    """Columns by name; an indicator of a level is made from the codes each time, and not kept.

    A table of a million rows and a hundred levels would otherwise take 800 MB of zeros and ones.
    """

    def __init__(self, arrays: dict[str, Column], indicators: dict[str, tuple[Codes, int]]) -> None:
        self._arrays = arrays
        self._indicators = indicators

    def with_arrays(self, arrays: dict[str, Column]) -> "EncodedColumns":
        """The same, with further columns."""
        return EncodedColumns({**self._arrays, **arrays}, self._indicators)

    def __getitem__(self, name: str) -> Column:
        if name in self._arrays:
            return self._arrays[name]
        codes, level = self._indicators[name]
        out: Column = (codes == level).astype(np.float64)
        out[codes == MISSING] = np.nan
        return out

    def take(self, name: str, rows: Rows | slice) -> Column:
        """Some rows of a column, without making the others."""
        if name in self._arrays:
            return self._arrays[name][rows]
        codes, level = self._indicators[name]
        return EncodedColumns({}, {name: (codes[rows], level)})[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._arrays, *self._indicators))

    def __len__(self) -> int:
        return len(self._arrays) + len(self._indicators)


def take(columns: Mapping[str, Column], name: str, rows: Rows | slice) -> Column:
    """Some rows of a column."""
    return columns.take(name, rows) if isinstance(columns, EncodedColumns) else columns[name][rows]
