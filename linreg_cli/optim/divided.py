"""Passes over rows that several processes share: rank 0 asks, every process makes them over the shards that it holds.

Rank 0 sends the others the rows that it has, when a pass is first made over them; those of a divided table are there
already (`routing`). Results come back to it, in the order of the shards.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.columns.divided import Divide, DividedRows, RowsOfRanks
from linreg_cli.data.columns.row_file import LARGEST_ARRAY, StoredMatrix, stored
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess
from linreg_cli.ranks.shards import Shards

if TYPE_CHECKING:  # several processes are rare, and its imports take time
    from linreg_cli.ranks.group import Ranks

#: Bytes of rows that are sent at once.
PIECE = 2**22


def division(shards: Shards | None, ranks: "Ranks | None" = None) -> Divide:
    """How the rows of a train split are divided: (X, y, weights) -> rows in parts.

    Args:
        shards: by which sums are added up; None: all rows are one part.
        ranks: the processes that share them; None: this one is alone.

    >>> rows = division(Shards(n_samples=5, count=2))(np.ones((5, 2)), np.ones((5, 1)), None)
    >>> rows.of_parts(lambda part: part.last - part.first)
    [2, 3]
    """
    if shards is None:
        return DividedRows
    if ranks is None or ranks.size == 1:
        return functools.partial(DividedRows, bounds=shards.bounds.tolist())
    return _Division(shards, ranks)


def shared(shards: Shards, ranks: "Ranks", X_nd: Matrix, y_nk: Matrix, weights: Any) -> "RowsOfRanks":
    """As rank 0 of several, rows as `division` divides them."""
    return _Division(shards, ranks)(X_nd, y_nk, weights)


class _Division:
    """As rank 0, how rows are divided among processes, which are sent the same ones once."""

    def __init__(self, shards: Shards, ranks: "Ranks") -> None:
        self._shards, self._ranks = shards, ranks

    def __call__(self, X_nd: Matrix, y_nk: Matrix, weights: Any) -> "RowsOfRanks":
        known: list[RowsOfRanks] = self._ranks.sent
        for each in known:
            if each.is_of(X_nd, y_nk, self._shards):
                return each
        known.append(SharedRows(X_nd, y_nk, weights, shards=self._shards, ranks=self._ranks))
        return known[-1]


class SharedRows(RowsOfRanks):
    """As rank 0, rows whose shards it gives to processes; arguments are those of `DividedRows` and `division`."""

    def __init__(self, X_nd: Matrix, y_nk: Matrix, weights: Any, *, shards: Shards, ranks: "Ranks") -> None:
        self._shards = shards
        super().__init__(X_nd, y_nk, weights, ranks)

    def is_of(self, X_nd: Matrix, y_nk: Matrix, shards: Shards) -> bool:
        """As `RowsOfRanks.is_of`."""
        return shards == self._shards and super().is_of(X_nd, y_nk, shards)

    @property
    def number(self) -> int:
        """The number by which the processes hold the rows, which they are sent when it is first asked for."""
        if self._number is not None:
            return self._number
        ranks, bounds, held = self._ranks, self._shards.bounds, self._shards.of_ranks(self._ranks.size)
        self._number = number = ranks.next_number()
        own = bounds[: held[0].stop + 1].tolist()
        given = [self.X_nd, self.y_nk, *([] if self.weight_n is None else [self.weight_n[:, None]])]
        shapes = [(each.shape[1], str(each.dtype), _is_read_fast(each)) for each in given]
        # read before the others wait for them, since rows that are put together may come from the others
        columns = [_read_once(each, len(each)) for each in given]
        ranks.held[number] = DividedRows(columns[0], columns[1], self.weight_n, own)
        ranks.ask(_hold, number, self._shards, shapes)
        for rank in range(1, ranks.size):
            first, last = (int(bounds[at]) for at in (held[rank].start, held[rank].stop))
            for values in columns:
                for at in _pieces(first, last, values):
                    ranks.send(torch.from_numpy(np.ascontiguousarray(values[at])), rank)
        ranks.done()
        return number


class HeldMatrix(RowsOnAccess):
    """As rank 0, a matrix whose rows are in the memory of several processes, and are fetched on access.

    Args:
        ranks: the processes.
        number: by which each holds its rows, as `DividedRows`.
        column: of these: 0 for X, 1 for y, 2 for the weights.
        shape: (n_rows, n_columns).
        dtype: of the numbers.
        bounds: the first row of each process, and the number of all rows.
        fits: as `RowsOnAccess.fits`.
    """

    def __init__(
        self, ranks: "Ranks", number: int, column: int, shape: tuple[int, int], dtype: npt.DTypeLike,
        bounds: Sequence[int], *, fits: bool,
    ) -> None:  # fmt: skip
        super().__init__(shape, dtype)
        self._ranks, self._number, self._column, self._bounds = ranks, number, column, [*map(int, bounds)]
        self.fits = fits
        self._all: npt.NDArray[Any] | None = None

    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        if self._all is not None:
            return self._all[chosen]
        ranks, bounds = self._ranks, self._bounds
        if isinstance(chosen, slice):
            start, stop, step = chosen.indices(len(self))
            assert step == 1, chosen
            chosen, own = slice(start, max(start, stop)), stop <= bounds[1]
            places: list[Any] = [
                slice(max(start, first) - start, max(min(stop, last), first, start) - start)
                for first, last in itertools.pairwise(bounds)
            ]
            out = np.empty((max(0, stop - start), self.shape[1]), self.dtype)
        else:
            chosen = np.asarray(chosen)
            holder = np.searchsorted(bounds[1:], chosen, side="right")
            places, own = [np.flatnonzero(holder == rank) for rank in range(ranks.size)], not holder.any()
            out = np.empty((len(chosen), self.shape[1]), self.dtype)
        if not own:
            ranks.ask(_give, self._number, self._column, chosen, bounds)
        out[places[0]] = _own(ranks, self._number, self._column, chosen, bounds)
        for rank in range(1, ranks.size) if not own else ():
            shape = out[places[rank]].shape
            if shape[0]:
                out[places[rank]] = ranks.receive(shape, str(self.dtype), rank).numpy()
        ranks.done()
        return out

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        assert self.fits or self.size * self.dtype.itemsize <= LARGEST_ARRAY, self.shape
        if self._all is None:
            self._all = self[0 : len(self)]  # kept: what needs all rows in one array needs them more than once
        return np.asarray(self._all, dtype=dtype)


def _own(ranks: "Ranks", number: int, column: int, chosen: Any, bounds: Sequence[int]) -> npt.NDArray[Any]:
    """Those of some rows that this process holds."""
    rows: DividedRows = ranks.held[number]
    first, last = bounds[ranks.rank], bounds[ranks.rank + 1]
    if isinstance(chosen, slice):
        start = min(max(chosen.start, first), last)
        chosen = slice(start - first, max(start, min(chosen.stop, last)) - first)
    else:
        chosen = chosen[(chosen >= first) & (chosen < last)] - first
    if column < 2:
        return np.asarray((rows.X_nd, rows.y_nk)[column][chosen])
    assert rows.weight_n is not None
    return np.asarray(rows.weight_n[chosen][:, None])


def _give(ranks: "Ranks", number: int, column: int, chosen: Any, bounds: Sequence[int]) -> None:
    """As another rank, send rank 0 those of some rows that it holds."""
    values = np.ascontiguousarray(_own(ranks, number, column, chosen, bounds))
    if len(values):
        ranks.send(torch.from_numpy(values), 0)


def _hold(ranks: "Ranks", number: int, shards: Shards, columns: Sequence[tuple[int, str, bool]]) -> None:
    """As another rank, receive the rows of the shards that it holds.

    Args:
        ranks: the processes.
        number: by which rank 0 asks for passes over the rows.
        shards: of all rows.
        columns: width and dtype of X, y and perhaps the weights, and whether they are held in memory.

    Raises:
        DataError: if there is no space for them.
    """
    held = shards.of_ranks(ranks.size)[ranks.rank]
    bounds = shards.bounds[held.start : held.stop + 1]
    count, before = int(bounds[-1] - bounds[0]), int(bounds[0])

    def received(width: int, dtype: str, resident: bool) -> Matrix:
        def rows(at: slice) -> npt.NDArray[Any]:
            return ranks.receive((at.stop - at.start, width), dtype).numpy()

        return _filled(count, width, dtype, rows, resident=resident)

    X_nd, y_nk, *more = (received(*each) for each in columns)
    weights = more[0][0:count][:, 0] if more else None
    ranks.held[number] = DividedRows(X_nd, y_nk, weights, (bounds - before).tolist(), before=before)


def _read_once(values: Matrix, count: int) -> Matrix:
    """The first rows of a matrix, for some passes over them: a copy where they are put together on access."""
    if _is_read_fast(values):
        return values
    return _filled(count, values.shape[1], str(values.dtype), lambda at: values[at])


def _is_read_fast(values: Matrix) -> bool:
    """Whether rows lie row by row, as those do that are trained on, which other processes need in memory."""
    return isinstance(values, np.ndarray | StoredMatrix)


def _filled(
    count: int, width: int, dtype: str, rows: Callable[[slice], npt.NDArray[Any]], *, resident: bool = False
) -> Matrix:
    """A matrix of rows that come in pieces: in memory if it is small or must be, else in a temporary file.

    Raises:
        DataError: if there is no space for them.
    """
    if resident or count * width * np.dtype(dtype).itemsize <= LARGEST_ARRAY:
        small = np.empty((count, width), dtype)
        for at in _pieces(0, count, small):
            small[at] = rows(at)
        return small
    (large,) = stored(count, [width], dtype)
    for at in _pieces(0, count, large):
        large.write(rows(at), at.start)
    return large


def _pieces(first: int, last: int, values: Matrix) -> list[slice]:
    """The rows `first` to `last - 1` of a matrix in slices of at most `PIECE` bytes, or of one row."""
    size = max(1, PIECE // max(1, values.shape[1] * values.dtype.itemsize))
    return [slice(at, min(at + size, last)) for at in range(first, last, size)]
