"""A matrix whose rows are in the memory of several processes: rank 0 fetches those that it looks at."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.row_file import LARGEST_ARRAY
from linreg_cli.data.columns.rows import RowsOnAccess

if TYPE_CHECKING:  # several processes are rare, and its imports take time
    from linreg_cli.ranks.group import Ranks


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
