"""Which rows `predictions.csv` holds where it is a sample: the extremes of each split, and others at random.

It is chosen in the pass that predicts the rows, in memory that does not grow with them, and depends on the seed, the
numbers of rows and the values alone: not on the blocks in which the rows come.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column
from linreg_cli.seeds import numpy_stream

#: Rows of all splits that a sample has.
MOST_ROWS = 10_000
#: So many of the lowest and of the highest of each measure are kept, fewer where there are many measures.
_EXTREMES = 10

Positions = npt.NDArray[np.int64]


class SplitSample:
    """The sample of one split.

    Args:
        drawn: positions in the split, distinct, in random order: those that are kept beside the extremes.
        extremes: how many of the lowest and of the highest of each measure are kept.
        measures: values of some rows, shape (n_rows, n_values) -> what has extremes, shape (n_rows, n_measures).
    """

    def __init__(self, drawn: Positions, extremes: int, measures: Callable[[Column], Column]) -> None:
        self._drawn, self._sorted = drawn, np.sort(drawn)
        self._extremes, self._measures = extremes, measures
        self._rows: tuple[list[Any], list[Any]] = [], []  # positions and values of those that were drawn
        self._outermost: tuple[Positions, Column] | None = None

    def add(self, first: int, values: Column) -> None:
        """See the rows of a block.

        Args:
            first: position of its first row in the split; blocks come in order.
            values: of its rows, shape (n_rows, n_values).
        """
        here = self._sorted[slice(*np.searchsorted(self._sorted, (first, first + len(values))))]
        self._rows[0].append(here)
        self._rows[1].append(values[here - first])
        self._see(np.arange(first, first + len(values), dtype=np.int64), values)

    def empty(self) -> "SplitSample":
        """The same without rows, for the rows of a part; see `merge`."""
        return SplitSample(self._drawn, self._extremes, self._measures)

    def merge(self, other: "SplitSample") -> None:
        """See the rows that another one has seen, which come after those of this one."""
        for own, others in zip(self._rows, other._rows, strict=True):
            own.extend(others)
        if other._outermost is not None:
            self._see(*other._outermost)

    def _see(self, positions: Positions, values: Column) -> None:
        """Keep the outermost of some rows and of those before."""
        if self._outermost is not None:
            before, kept = self._outermost
            positions, values = np.concatenate([before, positions]), np.concatenate([kept, values])
        at = outermost(self._measures(values), self._extremes)
        self._outermost = positions[at], values[at]

    def chosen(self) -> tuple[Positions, Column]:
        """The positions of the kept rows, ascending, as many as were drawn, and their values."""
        assert self._outermost is not None
        at, values = self._outermost
        others = self._drawn[~np.isin(self._drawn, at)][: len(self._drawn) - len(at)]
        positions, drawn = np.concatenate(self._rows[0]), np.concatenate(self._rows[1])
        among = np.isin(positions, others)
        positions, values = np.concatenate([at, positions[among]]), np.concatenate([values, drawn[among]])
        order = np.argsort(positions)
        return positions[order], values[order]


def split_samples(
    sizes: Mapping[str, int], n_measures: int, seed: int, measures: Callable[[Column], Column], most: int = MOST_ROWS
) -> dict[str, SplitSample]:
    """A sample for each split, of `most` rows in all; empty if there are no more rows than that.

    Splits have shares in proportion to their rows, and at least enough for their extremes.

    Args:
        sizes: split -> its rows; splits without rows are left out.
        n_measures: columns of what `measures` returns.
        seed: of the run.
        measures: as in `SplitSample`.
        most: rows of all samples.
    """
    sizes = {split: n for split, n in sizes.items() if n}
    if sum(sizes.values()) <= most:
        return {}
    extremes = min(_EXTREMES, most // 2 // (2 * n_measures * len(sizes)))
    least = {split: min(n, 2 * n_measures * extremes) for split, n in sizes.items()}
    rest, room = sum(sizes.values()) - sum(least.values()), most - sum(least.values())
    samples, seen, given = {}, 0, 0
    for number, (split, n) in enumerate(sizes.items()):
        seen += n - least[split]
        share = seen * room // rest - given
        given += share
        drawn = numpy_stream(seed, "predictions", number).choice(n, least[split] + share, replace=False)
        samples[split] = SplitSample(drawn.astype(np.int64), extremes, measures)
    return samples


def outermost(measures: Column, count: int) -> Positions:
    """The rows, ascending, among the `count` lowest or highest of a measure; of equal ones, the first rows.

    >>> outermost(np.array([[3.0], [1.0], [2.0], [1.0], [9.0]]), 1).tolist()
    [1, 4]
    """
    if len(measures) <= count or not count:
        return np.arange(len(measures) if count else 0)
    kept = np.zeros(len(measures), dtype=bool)
    for column in np.nan_to_num(measures).T:
        for values in (column, -column):
            limit = np.partition(values, count - 1)[count - 1]
            below = values < limit
            kept |= below
            kept[np.flatnonzero(values == limit)[: count - np.count_nonzero(below)]] = True
    return np.flatnonzero(kept)
