"""Counting how often values occur, of many rows: as `quantiles.Histogram`, at the cost of a few operations a value."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column
from linreg_cli.statistics.quantiles import MOST_BINS, Bins, Counts, Histogram, ordered

#: Values that are counted together.
_TOGETHER = 16_384
#: A page is 2^7 bins on end. There are no pages where those with a bin, or the numbers of pages between the first and
#: the last, are so many that most of their memory would be empty.
_PAGE_BITS = 7
_MOST_CELLS, _MOST_NUMBERS = 3 * MOST_BINS, 2**18

Places = npt.NDArray[np.int32]


class ValueCounts:
    """Counts values that come in blocks; what is found depends on the values alone."""

    def __init__(self) -> None:
        self._known = Histogram.none()
        self._pages: _Pages | None = None  # where there are some, they have all, and nothing is in `_known`
        self._waiting: list[Bins] = []
        self._n_waiting = 0

    def add(self, values: Column) -> None:
        """Count more values, shape (n_values,), none missing."""
        self._waiting.append(ordered(values))
        self._n_waiting += len(values)
        if self._n_waiting >= _TOGETHER:
            self._count()

    def histogram(self) -> Histogram:
        """That of all values so far."""
        known = self._known if self._pages is None else self._pages.histogram()
        return known.with_ordered(np.concatenate(self._waiting)) if self._n_waiting else known

    def _count(self) -> None:
        values = np.concatenate(self._waiting)
        if self._pages is not None:
            values = self._pages.count(values)
            if len(values) < _TOGETHER // 4:  # they wait for more, since new pages cost more than a second look
                self._waiting, self._n_waiting = [values], len(values)
                return
            self._known = self._pages.histogram()
        self._waiting, self._n_waiting = [], 0
        self._known = self._known.with_ordered(values)
        self._pages = _Pages.of(self._known)
        if self._pages is not None:
            self._known = Histogram.none()


@dataclass(frozen=True, eq=False)
class _Pages:
    """Bins of which most have neighbours: their counts, found by arithmetic instead of a search.

    Attributes:
        dropped: as that of the histogram.
        numbers: of the pages, ascending, shape (n_pages,): that of a page is that of its bins without their low bits.
        cells: shape (n_numbers,): where the counts of each page begin, from the number before the first page to the one
            after the last; for a number without a page, where those of one more page would.
        counts: shape (n_pages, 2^7).
    """

    dropped: int
    numbers: Bins
    cells: Places
    counts: Counts

    @classmethod
    def of(cls, known: Histogram) -> "_Pages | None":
        """The pages of a histogram with at least one bin; None where there would be too many."""
        numbers = known.bins >> np.uint64(_PAGE_BITS)
        numbers = numbers[np.append(True, numbers[1:] != numbers[:-1])]
        n_numbers = int(numbers[-1] - numbers[0]) + 3
        if n_numbers > _MOST_NUMBERS or len(numbers) << _PAGE_BITS > _MOST_CELLS:
            return None
        cells = np.full(n_numbers, len(numbers) << _PAGE_BITS, np.int32)
        cells[(numbers - numbers[0]).view(np.int64) + 1] = np.arange(len(numbers)) << _PAGE_BITS
        pages = cls(known.dropped, numbers, cells, np.zeros((len(numbers), 1 << _PAGE_BITS), np.int64))
        pages.counts.reshape(-1)[pages._cells(known.bins)] = known.counts
        return pages

    def _cells(self, bins: Bins) -> Places:
        """Where each bin is counted; from the number of counts on for a bin without a page."""
        # a number below the first one wraps around, and is below 0 as one with a sign
        place = ((bins >> np.uint64(_PAGE_BITS)) - self.numbers[0]).view(np.int64)
        place += 1
        cells: Places = self.cells.take(place, mode="clip")
        cells += (bins & np.uint64((1 << _PAGE_BITS) - 1)).astype(np.int32)
        return cells

    def count(self, values: Bins) -> Bins:
        """Count values that are on a page, shape (n_values,); the others are returned."""
        cells = self._cells(values >> np.uint64(self.dropped))
        self.counts.reshape(-1)[:] += np.bincount(cells, minlength=self.counts.size)[: self.counts.size]
        return values[cells >= self.counts.size]

    def histogram(self) -> Histogram:
        """All that was counted."""
        page, low = np.nonzero(self.counts)
        bins = (self.numbers[page] << np.uint64(_PAGE_BITS)) | low.astype(np.uint64)
        return Histogram(self.dropped, bins, self.counts[page, low]).coarse_enough()
