"""Mean and standard deviation of a column that is read block by block, with the bits that numpy has for the whole.

numpy adds up pairwise: the sum of n numbers is the sum of two halves, the first one a multiple of 8 long. The halves
may as well be read when they are needed. Of rows in several parts, the sums are those of the parts, in their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.data.columns.divided import in_order
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column

#: (first row, one past the last) -> the values, float64.
Read = Callable[[int, int], Column]


@dataclass(frozen=True)
class Moments:
    """What is known of a column.

    Attributes:
        mean: as numpy's `mean`.
        deviation: as numpy's `std`.
        low: the lowest value.
        high: the highest.
        first: the first value.
    """

    mean: float
    deviation: float
    low: float
    high: float
    first: float

    def with_ddof(self, n_rows: int, ddof: int) -> "Moments":
        """The same moments with n_rows - ddof in the denominator of the deviation, in place of n_rows."""
        return replace(self, deviation=self.deviation * (n_rows / (n_rows - ddof)) ** 0.5)


@dataclass(frozen=True)
class Look:
    """What a first pass over rows finds of a column.

    Attributes:
        total: the sum of its values, times the weights of their rows.
        weight: the sum of these; the number of rows where all are 1.
        low: the lowest value.
        high: the highest.
        first: the first value.
    """

    total: np.float64
    weight: np.float64
    low: float
    high: float
    first: float

    @classmethod
    def of(cls, read: Read, n_rows: int, weights: Read | None = None) -> "Look":
        """Look at `n_rows` rows, at least one; arguments as those of `moments`."""
        ends = [np.inf, -np.inf, np.nan]

        def seen(start: int, stop: int) -> Column:
            values = read(start, stop)
            ends[:2] = min(ends[0], values.min()), max(ends[1], values.max())
            ends[2] = ends[2] if start else values[0]
            return values if weights is None else values * weights(start, stop)

        with np.errstate(over="ignore", invalid="ignore"):
            weight = np.float64(n_rows) if weights is None else total(weights, 0, n_rows)
            return cls(total(seen, 0, n_rows), weight, *map(float, ends))

    @classmethod
    def merged(cls, looks: Sequence["Look"]) -> "Look":
        """That of the rows of several, in their order; at least one."""
        with np.errstate(over="ignore", invalid="ignore"):
            totals, weights = in_order([each.total for each in looks]), in_order([each.weight for each in looks])
        low, high = min(each.low for each in looks), max(each.high for each in looks)
        return cls(totals, weights, low, high, looks[0].first)

    def mean(self, n_rows: int) -> np.float64:
        """The mean over all `n_rows` rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.float64(self.total / (n_rows * (self.weight / n_rows)))

    def moments(self, squares: np.float64, n_rows: int, ddof: int) -> Moments:
        """The moments of all rows, with the sum of their `squares_about` the mean; other arguments as `moments`."""
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = np.sqrt(squares / ((n_rows - ddof) * (self.weight / n_rows)))
        return Moments(float(self.mean(n_rows)), float(deviation), self.low, self.high, self.first)


def squares_about(mean: np.float64, read: Read, n_rows: int, weights: Read | None = None) -> np.float64:
    """The sum of (value - mean)^2, times the weights of the rows; arguments as those of `moments`."""

    def squares(start: int, stop: int) -> Column:
        away: Column = read(start, stop) - mean
        away *= away
        if weights is not None:
            away *= weights(start, stop)
        return away

    with np.errstate(over="ignore", invalid="ignore"):
        return total(squares, 0, n_rows)


def moments(read: Read, n_rows: int, ddof: int = 0, weights: Read | None = None) -> Moments:
    """The moments of a column, in two passes.

    Args:
        read: reads rows of it.
        n_rows: at least one, and more than `ddof`.
        ddof: the variance divides by n_rows - ddof.
        weights: reads the weights of the rows, by which mean and variance are weighted; None: all are 1.

    >>> values = np.array([1.0, 2.0, 4.0])
    >>> bool(moments(lambda start, stop: values[start:stop], 3).deviation == values.std())
    True
    """
    look = Look.of(read, n_rows, weights)
    return look.moments(squares_about(look.mean(n_rows), read, n_rows, weights), n_rows, ddof)


def total(read: Read, start: int, stop: int) -> np.float64:
    """The sum of some rows, as numpy's `sum` of them at once; they are read in order.

    Args:
        read: reads rows.
        start: the first row.
        stop: one past the last.
    """
    count = stop - start
    if count <= BLOCK_ROWS:
        return np.float64(np.add.reduce(read(start, stop)))
    middle = start + count // 2 - count // 2 % 8
    first = total(read, start, middle)
    return np.float64(first + total(read, middle, stop))
