"""The distinct values of a column and how often each occurs, from which a median is read; coarser where there are many.

A float64 becomes a whole number whose order is that of the values. Where a column has more than `MOST_BINS` distinct
values, the low bits are dropped, as few as possible. What remains depends on the values alone, not on the parts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column

#: The most values, or ranges of values, that are counted.
MOST_BINS = 65_536

Bins = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values occur.

    Attributes:
        dropped: low bits of the values that are not distinguished; 0: the values are exact.
        bins: ascending, shape (n_bins,): the ordered values without their low bits.
        counts: shape (n_bins,).
    """

    dropped: int
    bins: Bins
    counts: Counts

    @classmethod
    def none(cls) -> "Histogram":
        """That of no values."""
        return cls(0, np.zeros(0, np.uint64), np.zeros(0, np.int64))

    def with_values(self, values: Column) -> "Histogram":
        """The histogram of these values too, shape (n_values,), none missing.

        >>> Histogram.none().with_values(np.array([3.0, -1.0, 10.0])).median()
        (3.0, 0.0)
        """
        return self.with_ordered(ordered(values))

    def with_ordered(self, values: Bins) -> "Histogram":
        """As `with_values`, of `ordered` values."""
        bins, counts = np.unique(values >> np.uint64(self.dropped), return_counts=True)
        return self.joined(Histogram(self.dropped, bins, counts.astype(np.int64)))

    def joined(self, other: "Histogram") -> "Histogram":
        """The histogram of the values of both."""
        dropped = max(self.dropped, other.dropped)
        bins = np.concatenate([each.bins >> np.uint64(dropped - each.dropped) for each in (self, other)])
        order = np.argsort(bins, kind="stable")  # which merges two ascending runs
        return Histogram(
            dropped, *_summed(bins[order], np.concatenate([self.counts, other.counts])[order])
        ).coarse_enough()

    def coarse_enough(self) -> "Histogram":
        """The histogram with at most `MOST_BINS` bins, of as few low bits dropped as possible."""
        n_bins = len(self.bins)
        if n_bins <= MOST_BINS:
            return self
        # two neighbours stay apart as long as their highest different bit is not dropped
        different = self.bins[1:] ^ self.bins[:-1]
        more = int(np.partition(different, n_bins - 1 - MOST_BINS)[n_bins - 1 - MOST_BINS]).bit_length()
        return Histogram(self.dropped + more, *_summed(self.bins >> np.uint64(more), self.counts))

    def median(self) -> tuple[float, float]:
        """The median, and how far from it that of the values may be; 0 where the values are exact.

        Of an even number, it is the mean of the two in the middle, as numpy has it.
        """
        n = int(self.counts.sum())
        if not n:
            return float("nan"), 0.0
        ends = np.cumsum(self.counts)
        low, high = (int(np.searchsorted(ends, rank, side="right")) for rank in ((n - 1) // 2, n // 2))
        first, last = self._range(low), self._range(high)
        middle = (first[0] / 2 + first[1] / 2) / 2 + (last[0] / 2 + last[1] / 2) / 2
        if not self.dropped:
            return first[0] if low == high else first[0] / 2 + last[0] / 2, 0.0
        return middle, max(middle - first[0], last[1] - middle)

    def _range(self, position: int) -> tuple[float, float]:
        """The lowest and the highest value of a bin."""
        low = self.bins[position] << np.uint64(self.dropped)
        high = low | np.uint64((1 << self.dropped) - 1)
        return float(_value(low)), float(_value(high))


def ordered(values: Column) -> Bins:
    """Whole numbers in the order of some values, shape (n_values,); -0.0 is 0.0."""
    bits = np.ascontiguousarray(values + 0.0, dtype=np.float64).view(np.int64)
    # all bits of a negative number change, and the sign of the others
    flipped = (bits >> np.int64(63)) | np.int64(-(2**63))
    return (bits ^ flipped).view(np.uint64)


def _summed(bins: Bins, counts: Counts) -> tuple[Bins, Counts]:
    """Each of ascending bins once, with the sum of its counts."""
    if not len(bins):
        return bins, counts
    starts = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    return bins[starts], np.add.reduceat(counts, starts)


def _value(ordered: np.uint64) -> np.float64:
    """The value of a whole number of `ordered`."""
    bits = ordered ^ _SIGN if ordered & _SIGN else ~ordered
    return np.float64(np.asarray([bits], dtype=np.uint64).view(np.float64)[0])
