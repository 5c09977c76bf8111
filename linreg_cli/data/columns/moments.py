"""Mean and standard deviation of a column that is read block by block, with the bits that numpy has for the whole.

numpy adds up pairwise: the sum of n numbers is the sum of two halves, the first one a multiple of 8 long. The halves
may as well be read when they are needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

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
    ends = [np.inf, -np.inf, np.nan]

    def seen(start: int, stop: int) -> Column:
        values = read(start, stop)
        ends[:2] = min(ends[0], values.min()), max(ends[1], values.max())
        ends[2] = ends[2] if start else values[0]
        return values if weights is None else values * weights(start, stop)

    def squares(start: int, stop: int) -> Column:
        away: Column = read(start, stop) - mean
        away *= away
        if weights is not None:
            away *= weights(start, stop)
        return away

    with np.errstate(over="ignore", invalid="ignore"):
        share = 1.0 if weights is None else total(weights, 0, n_rows) / n_rows
        mean = total(seen, 0, n_rows) / (n_rows * share)
        deviation = np.sqrt(total(squares, 0, n_rows) / ((n_rows - ddof) * share))
    return Moments(float(mean), float(deviation), float(ends[0]), float(ends[1]), float(ends[2]))


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
