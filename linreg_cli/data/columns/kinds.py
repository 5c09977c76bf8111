"""Kinds of columns: numbers with missing cells, categories, and encoded columns that are computed on access."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.cell_counts import added, missing_and_infinite
from linreg_cli.data.columns.row_set import Mask as Mask
from linreg_cli.data.columns.row_set import RowArray, RowSet
from linreg_cli.data.columns.row_set import row_numbers as row_numbers
from linreg_cli.ranks.messages import Shared

Column = npt.NDArray[np.float64]
#: Row numbers, from 0: an array in any order, or a set of bits in ascending order.
Rows = RowArray | RowSet
#: Positions in levels: int8, int16 or int32.
Codes = npt.NDArray[np.signedinteger[Any]]

#: Codes of cells without a level.
MISSING, UNKNOWN = -1, -2

#: Rows of a column that are read together.
BLOCK_ROWS = 65_536


def rows_where(mask: Mask) -> RowArray:
    """The row numbers where `mask` is True: int32, or int64 for more than 2^31 rows.

    >>> rows_where(np.array([True, False, True])).tolist()
    [0, 2]
    """
    return np.flatnonzero(mask).astype(np.int32 if len(mask) <= 2**31 else np.int64)


def blocks_of_codes(codes: Codes) -> Iterator[tuple[int, Codes]]:
    """(first row, codes) of `BLOCK_ROWS` rows at a time."""
    for start in range(0, len(codes), BLOCK_ROWS):
        yield start, codes[start : start + BLOCK_ROWS]


class CodesOnAccess(Protocol):
    """Codes of categories, shape (n_samples,), read by row numbers or slices."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows | slice, /) -> Codes: ...


@dataclass(frozen=True, eq=False)
class Recoded:
    """Codes of other levels, looked up when they are read, int32.

    Attributes:
        codes: shape (n_samples,).
        lookup: the new code of each code, and last that of `MISSING`.
        is_unknown: some rows -> which of them are `UNKNOWN` all the same, shape (n_rows,); None: none.
    """

    codes: Codes
    lookup: npt.NDArray[np.int32]
    is_unknown: Callable[[Rows | slice], Mask] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Rows | slice) -> Codes:
        found: Codes = self.lookup[self.codes[rows]]
        return found if self.is_unknown is None else np.where(self.is_unknown(rows), np.int32(UNKNOWN), found)

    def without_gaps(self) -> "Recoded":
        """The same with missing cells as `UNKNOWN`."""
        return replace(self, lookup=np.where(self.lookup == MISSING, np.int32(UNKNOWN), self.lookup))


class Values(Protocol):
    """A float64 column, shape (n_samples,), read by row numbers or slices: an array, or a column on the disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows | slice, /) -> Column: ...


class DividedValues(Shared, ABC):
    """A float64 column, shape (n_samples,), of which each process has consecutive rows; this is rank 0."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, rows: Rows | slice, /) -> Column: ...

    @abstractmethod
    def missing(self, rows: Rows | slice) -> Mask:
        """Which cells of some rows are missing, shape (n_rows,)."""

    @abstractmethod
    def of_processes(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What a function gives in each process, in the order of the rows.

        Args:
            function: (values of its rows, number of its first row, *arguments) -> anything; at the top of a module.
            arguments: few numbers.
        """

    @abstractmethod
    def in_turn(self) -> Iterator[Column]:
        """All values, some rows after the other; the processes are asked for nothing else meanwhile."""


def of_processes(values: Values, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """As `DividedValues.of_processes`; of a column that is here as a whole, what the function gives for it."""
    if isinstance(values, DividedValues):
        return values.of_processes(function, *arguments)
    return [function(values, 0, *arguments)]


def pieces(values: Values) -> Iterator[Column]:
    """The values of a column, `BLOCK_ROWS` at a time."""
    for start in range(0, len(values), BLOCK_ROWS):
        yield values[start : start + BLOCK_ROWS]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: shape (n_samples,); nan where a cell is missing.
        cell: row, from 0 -> the cell as it stands in the table, for messages; None without a table.
        counts: how many cells are missing, and how many infinite; None: they are counted when they are asked for.
    """

    values: Values
    cell: Callable[[int], object] | None = field(default=None, compare=False, repr=False)
    counts: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    @property
    def n_missing(self) -> int:
        """How many cells are missing."""
        return self._counts[0]

    @property
    def n_infinite(self) -> int:
        """How many cells are infinite."""
        return self._counts[1]

    def missing(self, rows: Rows | slice = slice(None)) -> Mask:
        """Which cells of some rows are missing, shape (n_rows,)."""
        values = self.values
        return values.missing(rows) if isinstance(values, DividedValues) else np.isnan(values[rows])

    def first_infinite(self) -> int:
        """The row, from 0, of the first infinite cell; there must be one."""
        rows: list[int] = [row for row in of_processes(self.values, _first_infinite) if row is not None]
        return rows[0]

    @cached_property
    def _counts(self) -> tuple[int, int]:
        return added(of_processes(self.values, _missing_and_infinite)) if self.counts is None else self.counts


def _first_infinite(values: Values, first: int) -> int | None:
    """The number of the first infinite cell, of a column whose first cell has a number; None without one."""
    found = (np.flatnonzero(np.isinf(part)) for part in pieces(values))
    return next((first + place * BLOCK_ROWS + int(rows[0]) for place, rows in enumerate(found) if len(rows)), None)


def _missing_and_infinite(values: Values, first: int) -> tuple[int, int]:
    """How many cells are missing, and how many infinite."""
    return added(map(missing_and_infinite, pieces(values)))


@dataclass(frozen=True)
class Filled:
    """A column of numbers whose missing cells are filled in.

    Attributes:
        values: shape (n_samples,); nan where a cell is missing.
        fill: the value of the missing cells.
    """

    values: Values
    fill: float

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Rows | slice) -> Column:
        values = self.values[rows]
        return np.where(np.isnan(values), self.fill, values)


@dataclass(frozen=True)
class Gaps:
    """The indicator of the missing cells of a column of numbers.

    Attributes:
        values: shape (n_samples,); nan where a cell is missing.
    """

    values: Values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Rows | slice) -> Column:
        return np.isnan(self.values[rows]).astype(np.float64)


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Attributes:
        kind: `text`, `boolean` or `number`: what the cells are typed as, and so when two levels are the same.
        codes: shape (n_samples,), as `narrow` has them: position in `levels`; `MISSING` where a cell is missing.
        levels: every level of the table, in order.
        cell: row, from 0 -> the cell as it stands in the table, for messages; None without a table.
    """

    kind: str
    codes: Codes
    levels: tuple[str, ...]
    cell: Callable[[int], object] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def n_missing(self) -> int:
        """How many cells are missing."""
        return int(np.count_nonzero(self.codes == MISSING))

    def missing(self, rows: Rows | slice = slice(None)) -> Mask:
        """Which cells of some rows are missing, shape (n_rows,)."""
        return np.equal(self.codes[rows], MISSING)


RawColumn = Numbers | Categories


def n_cells(raw: RawColumn) -> int:
    """Rows of a column."""
    return len(raw.values if isinstance(raw, Numbers) else raw.codes)


def as_number(cell: str) -> float | None:
    """A cell as a number; None if it is not a finite one.

    >>> as_number("-999"), as_number("nan"), as_number("?")
    (-999.0, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


class EncodedColumns(Mapping[str, Column]):
    """Name -> column, shape (n_samples,), float64; each is computed on access and not kept.

    An indicator is computed from the codes of its category: stored, a million rows of a hundred levels would take
    800 MB.

    Args:
        numbers: name -> column of numbers.
        indicators: name -> codes of the category, and the level that is 1.
    """

    def __init__(self, numbers: Mapping[str, Values], indicators: dict[str, tuple[CodesOnAccess, int]]) -> None:
        self._numbers = dict(numbers)
        self._indicators = indicators

    @property
    def numbers(self) -> Mapping[str, Values]:
        """Name -> column of numbers."""
        return self._numbers

    def with_numbers(self, numbers: Mapping[str, Values]) -> "EncodedColumns":
        """These columns and further ones."""
        return EncodedColumns({**self._numbers, **numbers}, self._indicators)

    def is_indicator(self, name: str) -> bool:
        """Whether a column has only 0 and 1 where no cell is missing."""
        return name in self._indicators or isinstance(self._numbers.get(name), Gaps)

    @property
    def n_samples(self) -> int:
        """Rows of each column."""
        for values in self._numbers.values():
            return len(values)
        return len(next(iter(self._indicators.values()))[0])

    def __getitem__(self, name: str) -> Column:
        return self.take(name, slice(None))

    def take(self, name: str, rows: Rows | slice) -> Column:
        """Some rows of a column, without computing the others. Read-only."""
        if name in self._numbers:
            return self._numbers[name][rows]
        recoded, level = self._indicators[name]
        codes = recoded[rows]
        out: Column = (codes == level).astype(np.float64)
        out[codes == MISSING] = np.nan
        return out

    def __iter__(self) -> Iterator[str]:
        return iter((*self._numbers, *self._indicators))

    def __len__(self) -> int:
        return len(self._numbers) + len(self._indicators)


def take(columns: Mapping[str, Column], name: str, rows: Rows | slice) -> Column:
    """Some rows of a column, shape (n_rows,), float64. Read-only."""
    return columns.take(name, rows) if isinstance(columns, EncodedColumns) else columns[name][rows]
