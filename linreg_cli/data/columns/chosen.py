"""Sums and the median of some rows of a column, with the bits that one process finds, wherever the rows are.

Numbers are added up in blocks of rows. A block whose rows are in one process is added up there; the few others are
fetched.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, DividedValues, Rows, Values, of_processes
from linreg_cli.data.columns.moments import total
from linreg_cli.data.columns.ranked import median
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.columns.rows import count, part, row_blocks

#: The means of blocks of equal cells differ by less than this, relative to the mean.
_ALIKE = 1e-12


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some rows of a column, of which missing cells are left out.

    Attributes:
        values: the column.
        rows: their numbers, as `in_blocks` gives them.
        gaps: whether a cell of the column may be missing.
    """

    values: Values
    rows: Rows | slice
    gaps: bool = True

    def __len__(self) -> int:
        return count(self.rows, len(self.values))

    def median(self) -> float:
        """The median; NaN without a value.

        >>> ChosenRows(np.array([3.0, 1.0, np.nan, 8.0]), slice(1, 4)).median()
        4.5
        """
        everywhere = self._everywhere if self._is_divided else None
        return median(lambda: _present(self.values, self.rows, gaps=self.gaps), everywhere)

    def total(self) -> float:
        """The sum, as numpy's `sum` of all at once; no cell is missing."""
        if not self._is_divided:
            return float(total(lambda start, stop: self.values[part(self.rows, start, stop)], 0, len(self)))
        blocks: list[tuple[int, int]] = []

        def noted(start: int, stop: int) -> Column:
            blocks.append((start, stop))
            return np.zeros(1)

        total(noted, 0, len(self))
        sums = {block: each for block, (each, _) in zip(blocks, self._sums(blocks), strict=True)}
        return float(total(lambda start, stop: np.array([sums[start, stop]]), 0, len(self)))

    def mean(self) -> float:
        """The mean; that of equal cells is their value, without the rounding error of a sum; NaN without a value.

        >>> ChosenRows(np.array([0.1, np.nan, 0.1, 0.1]), slice(0, 4)).mean(), 0.1 + 0.1 + 0.1 == 0.3
        (0.1, False)
        """
        sums = self.sums_of_blocks()
        if not (count := sum(n for _, n in sums)):
            return math.nan
        mean = math.fsum(each for each, _ in sums) / count
        if all(abs(each / n - mean) <= _ALIKE * abs(mean) for each, n in sums if n):
            low, high = self.ends()
            return low + 0.0 if low == high else mean  # -0.0 + 0.0 is 0.0: which zero was found depends on the blocks
        return mean

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value, infinity and -infinity without one; a pass over the rows."""
        here = functools.partial(_present, self.values, self.rows, gaps=self.gaps)
        lows, highs = zip(*(self._everywhere(_ends) if self._is_divided else [_ends(here)]), strict=True)
        return min(lows), max(highs)

    def sums_of_blocks(self) -> list[tuple[float, int]]:
        """The sum of each block of `BLOCK_ROWS` rows, and how many numbers it has."""
        n_rows = len(self)
        return self._sums([(start, min(start + BLOCK_ROWS, n_rows)) for start in range(0, n_rows, BLOCK_ROWS)])

    @property
    def _is_divided(self) -> bool:
        """Whether the rows, in ascending order, are in several processes."""
        return isinstance(self.values, DividedValues) and isinstance(self.rows, slice | RowSet)

    def _sums(self, blocks: Sequence[tuple[int, int]]) -> list[tuple[float, int]]:
        found: list[tuple[float, int] | None] = [None] * len(blocks)
        if self._is_divided:
            for own in of_processes(self.values, _sums_within, self.rows, blocks):
                found = [one if other is None else other for one, other in zip(found, own, strict=True)]
        return [
            _sum(self.values[part(self.rows, *block)]) if each is None else each
            for block, each in zip(blocks, found, strict=True)
        ]

    def _everywhere(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        return of_processes(self.values, _of_present, self.rows, self.gaps, function, arguments)


def _present(values: Values, rows: Rows | slice, *, gaps: bool) -> Iterator[Column]:
    for _, block in row_blocks(rows, len(values)):
        found = values[block]
        yield found[~np.isnan(found)] if gaps else found


def _ends(present: Callable[[], Iterator[Column]]) -> tuple[float, float]:
    ends = [(float(values.min()), float(values.max())) for values in present() if len(values)]
    return min((low for low, _ in ends), default=math.inf), max((high for _, high in ends), default=-math.inf)


def _sum(values: Column) -> tuple[float, int]:
    present = values[~np.isnan(values)]
    return float(np.sum(present)), len(present)


def _sums_within(
    values: Values, first: int, rows: RowSet | slice, blocks: Sequence[tuple[int, int]]
) -> list[tuple[float, int] | None]:
    """In a process, the sums of those blocks of rows that it has as a whole; None for others."""

    def found(block: tuple[int, int]) -> tuple[float, int] | None:
        start = rows.start or 0 if isinstance(rows, slice) else 0
        ends = [start + at if isinstance(rows, slice) else rows[at] for at in (block[0], block[1] - 1)]
        if ends[0] < first or ends[1] >= first + len(values):
            return None
        chosen = part(rows, *block)
        if isinstance(chosen, slice):
            return _sum(values[chosen.start - first : chosen.stop - first])
        return _sum(values[chosen - first])

    return [found(block) for block in blocks]


def _of_present(
    values: Values, first: int, rows: RowSet | slice, gaps: bool, function: Callable[..., Any], arguments: Sequence[Any]
) -> Any:
    """In a process, what a function of a pass gives for its rows."""
    own = own_rows(rows, first, first + len(values))
    return function(lambda: _present(values, own, gaps=gaps), *arguments)


def own_rows(rows: RowSet | slice, first: int, last: int) -> RowSet | slice:
    """Those of some rows of a table that a process has, counted from its first one.

    Args:
        rows: of the table.
        first: the first one of the process.
        last: one past its last one.

    >>> own_rows(slice(2, 9), 4, 6), own_rows(RowSet.where(np.array([True, False, True])), 1, 3).tolist()
    (slice(0, 2, None), [1])
    """
    if isinstance(rows, slice):
        start, stop = rows.start or 0, last if rows.stop is None else rows.stop
        return slice(min(max(start, first), last) - first, max(min(stop, last), first) - first)
    return RowSet.where(rows.mask(first, min(last, rows.n_rows)))
