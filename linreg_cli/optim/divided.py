"""Passes over rows that several processes share: rank 0 asks, every process makes them over the shards that it holds.

Rank 0 has all rows, and sends the others theirs when a pass is first made over them. Results come back to it, in the
order of the shards.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.columns.divided import Divide, DividedRows
from linreg_cli.data.columns.row_file import LARGEST_ARRAY, StoredMatrix, stored
from linreg_cli.data.columns.rows import Matrix
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


def shared(shards: Shards, ranks: "Ranks", X_nd: Matrix, y_nk: Matrix, weights: Any) -> "SharedRows":
    """As rank 0 of several, rows as `division` divides them."""
    return _Division(shards, ranks)(X_nd, y_nk, weights)


class _Division:
    """As rank 0, how rows are divided among processes, which are sent the same ones once."""

    def __init__(self, shards: Shards, ranks: "Ranks") -> None:
        self._shards, self._ranks = shards, ranks

    def __call__(self, X_nd: Matrix, y_nk: Matrix, weights: Any) -> "SharedRows":
        known: list[SharedRows] = self._ranks.sent
        for each in known:
            if each.is_of(X_nd, y_nk, self._shards):
                return each
        known.append(SharedRows(X_nd, y_nk, weights, shards=self._shards, ranks=self._ranks))
        return known[-1]


class SharedRows(DividedRows):
    """As rank 0, rows whose shards are divided among processes; arguments are those of `DividedRows` and `division`."""

    def __init__(self, X_nd: Matrix, y_nk: Matrix, weights: Any, *, shards: Shards, ranks: "Ranks") -> None:
        self._shards, self._ranks, self._held = shards, ranks, shards.of_ranks(ranks.size)
        super().__init__(X_nd, y_nk, weights, shards.bounds[: self._held[0].stop + 1].tolist())

    def is_of(self, X_nd: Matrix, y_nk: Matrix, shards: Shards) -> bool:
        """Whether these are the same rows, in the same shards; weights belong to rows."""
        return shards == self._shards and _is_same(X_nd, self.X_nd) and _is_same(y_nk, self.y_nk)

    @functools.cached_property
    def number(self) -> int:
        """The number by which the other processes know the rows, which they are sent when it is first asked for."""
        number, bounds = self._ranks.next_number(), self._shards.bounds
        given = [self.X_nd, self.y_nk, *([] if self.weight_n is None else [self.weight_n[:, None]])]
        shapes = [(each.shape[1], str(each.dtype), _is_read_fast(each)) for each in given]
        # read before the others wait for them, since rows that are put together may come from the others
        columns = [_read_once(each, len(each)) for each in given]
        self._read = columns[0], columns[1]
        self._ranks.ask(_hold, number, self._shards, shapes)
        for rank in range(1, self._ranks.size):
            first, last = (int(bounds[at]) for at in (self._held[rank].start, self._held[rank].stop))
            for values in columns:
                for at in _pieces(first, last, values):
                    self._ranks.send(torch.from_numpy(np.ascontiguousarray(values[at])), rank)
        self._ranks.done()
        return number

    def of_parts(self, function: Callable[..., Any], *arguments: Any, keep: Callable[..., None] | None = None) -> Any:
        """As `DividedRows.of_parts`."""
        self._ranks.ask(_make, self.number, function, arguments)
        wanted = {} if keep is None else {"keep": keep}
        found = super().of_parts(function, *arguments, **wanted)
        for rank in range(1, self._ranks.size):
            kept, others = self._ranks.answer_of(rank)
            for columns in kept if keep is not None else ():
                assert keep is not None
                keep(*columns)
            found += others
        self._ranks.done()
        return found


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


def _make(ranks: "Ranks", number: int, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """As another rank, make a pass over the rows of a number, and send rank 0 what it gives."""
    kept: list[tuple[Any, ...]] = []
    rows: DividedRows = ranks.held[number]
    found = rows.of_parts(function, *arguments, keep=lambda *columns: kept.append(columns))
    ranks.answer((kept, found))


def _read_once(values: Matrix, count: int) -> Matrix:
    """The first rows of a matrix, for some passes over them: a copy where they are put together on access."""
    if _is_read_fast(values):
        return values
    return _filled(count, values.shape[1], str(values.dtype), lambda at: values[at])


def _is_read_fast(values: Matrix) -> bool:
    """Whether rows lie row by row, as those do that are trained on, which other processes need in memory."""
    return isinstance(values, np.ndarray | StoredMatrix)


def _is_same(one: Matrix, other: Matrix) -> bool:
    """Whether two matrices are the same numbers in the same place; arrays and tensors may share them."""
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return one is other
    return (one.ctypes.data, one.shape, one.strides, one.dtype) == (
        other.ctypes.data, other.shape, other.strides, other.dtype
    )  # fmt: skip


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
