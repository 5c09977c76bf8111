"""Counting how often values occur, of many rows: as `quantiles.Histogram`, at the cost of a few operations a value."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column
from linreg_cli.statistics.quantiles import MOST_BINS, Bins, Histogram, ordered

#: Values that are sorted together, where there are no pages; with pages, those without one that wait for more of them,
#: since new pages cost more than a second look.
_TOGETHER, _WITHOUT_PAGE = 16_384, 4_096
#: A page is 2^7 bins on end. There are no pages where those with a bin, or the numbers of pages between the first and
#: the last, are so many that most of their memory would be empty.
_PAGE_BITS = 7
_MOST_CELLS, _MOST_NUMBERS = 3 * MOST_BINS, 2**18
#: So many values are counted in 32 bits; more, in 64.
_MOST_SHORT = 2**32 - 1

Places = npt.NDArray[np.int32]


class ValueCounts:
    """Counts values that come in blocks; what is found depends on the values alone."""

    def __init__(self) -> None:
        self._known = Histogram.none()
        self._pages: _Pages | None = None  # where there are some, they have all, and nothing is in `_known`
        self._waiting: list[Bins] = []
        self._n_waiting = 0

    def add(self, values: Column) -> bool:
        """Count more values, shape (n_values,), none missing.

        Returns:
            Whether values were sorted, which takes a few MiB and frees them between others that stay.
        """
        found = ordered(values)
        if self._pages is not None:
            found = self._pages.count(found)
            if not len(found):
                return False
        self._waiting.append(found)
        self._n_waiting += len(found)
        is_full = self._n_waiting >= (_TOGETHER if self._pages is None else _WITHOUT_PAGE)
        if is_full:
            self._merge()
        return is_full

    def histogram(self) -> Histogram:
        """That of all values so far."""
        known = self._known if self._pages is None else self._pages.histogram()
        return known.with_ordered(np.concatenate(self._waiting)) if self._n_waiting else known

    def _merge(self) -> None:
        """Sort the values that wait into the histogram, and divide it into pages, where there are not too many."""
        self._known, self._pages = self.histogram(), None
        self._waiting, self._n_waiting = [], 0
        self._pages = _Pages.of(self._known)
        if self._pages is not None:
            self._known = Histogram.none()


@dataclass(eq=False)
class _Pages:
    """Bins of which most have neighbours: their counts, found by arithmetic instead of a search.

    Attributes:
        dropped: as that of the histogram.
        numbers: of the pages, ascending, shape (n_pages,): that of a page is that of its bins without their low bits.
        positions: shape (n_numbers,): the position of each page, from the number before the first page to the one after
            the last; n_pages for a number without a page.
        counts: shape (n_pages + 1, 2^7), with room for one more page, which is not used; uint32, or int64.
        n: values that were counted.
    """

    dropped: int
    numbers: Bins
    positions: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.uint32] | npt.NDArray[np.int64]
    n: int

    @classmethod
    def of(cls, known: Histogram) -> "_Pages | None":
        """The pages of a histogram with at least one bin; None where there would be too many."""
        numbers = known.bins >> np.uint64(_PAGE_BITS)
        numbers = numbers[np.append(True, numbers[1:] != numbers[:-1])]
        n_numbers = int(numbers[-1] - numbers[0]) + 3
        if n_numbers > _MOST_NUMBERS or len(numbers) << _PAGE_BITS > _MOST_CELLS:
            return None
        positions = np.full(n_numbers, len(numbers), np.uint16)
        positions[(numbers - numbers[0]).view(np.int64) + 1] = np.arange(len(numbers))
        n = int(known.counts.sum())
        counts = np.zeros((len(numbers) + 1, 1 << _PAGE_BITS), np.uint32 if n <= _MOST_SHORT else np.int64)
        pages = cls(known.dropped, numbers, positions, counts, n)
        counts.reshape(-1)[pages._cells(known.bins)] = known.counts
        return pages

    def _cells(self, bins: Bins) -> Places:
        """Where each bin is counted; in the last page for a bin without one."""
        # a number below the first one wraps around, and is below 0 as one with a sign
        place = ((bins >> np.uint64(_PAGE_BITS)) - self.numbers[0]).view(np.int64)
        place += 1
        cells: Places = self.positions.take(place, mode="clip").astype(np.int32)
        cells <<= _PAGE_BITS
        cells += (bins & np.uint64((1 << _PAGE_BITS) - 1)).astype(np.int32)
        return cells

    def count(self, values: Bins) -> Bins:
        """Count the values that are on a page, shape (n_values,), and return the others."""
        cells = self._cells(values >> np.uint64(self.dropped))
        self.n += len(values)
        if self.n > _MOST_SHORT:
            self.counts = self.counts.astype(np.int64, copy=False)
        np.add.at(self.counts.reshape(-1), cells, self.counts.dtype.type(1))
        if not self.counts[-1].any():
            return np.zeros(0, np.uint64)
        rest: Bins = values[cells >= self.counts.size - self.counts.shape[1]]
        self.counts[-1] = 0
        self.n -= len(rest)
        return rest

    def histogram(self) -> Histogram:
        """All that was counted."""
        page, low = np.nonzero(self.counts)
        bins = (self.numbers[page] << np.uint64(_PAGE_BITS)) | low.astype(np.uint64)
        return Histogram(self.dropped, bins, self.counts[page, low].astype(np.int64)).coarse_enough()
