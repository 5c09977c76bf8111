"""Columns of numbers whose rows are in several processes: rank 0 fetches those that it reads.

What can be computed where the rows are is asked for instead (`of_processes`): it takes a few numbers or bits.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.data.columns.kinds import Column, DividedValues, Mask, Rows, Values, pieces
from linreg_cli.data.columns.narrow import KINDS, narrowed
from linreg_cli.data.columns.on_disk import group_rows
from linreg_cli.data.columns.row_set import RowArray

if TYPE_CHECKING:  # several processes are rare, and torch takes time
    from linreg_cli.ranks.group import Ranks

#: Rows in ascending order of which at least one in so many is wanted are fetched with those between them.
_DENSE = 4
#: Rows of which is fetched at once which cells are missing.
_GAPS_AHEAD = 2**20
#: Bytes of the rows that are at hand; of more columns, the others are fetched when they are read.
_AT_HAND = 2**24
#: Rows that are sent at once where all of a column are.
_IN_TURN = 2**18


class FetchedValues(DividedValues):
    """As rank 0, a float64 column of which each process has consecutive rows, shape (n_samples,).

    Args:
        ranks: the processes.
        number: by which each holds its rows.
        bounds: the first row of each process, and the number of all rows.
        n_columns: of the table, of whose columns rows are held that were fetched ahead.
    """

    def __init__(self, ranks: "Ranks", number: int, bounds: Sequence[int], n_columns: int) -> None:
        self._ranks, self.number, self._bounds = ranks, number, tuple(bounds)
        self._ahead = group_rows(n_columns)
        self._held: tuple[int, Column] = 0, np.empty(0)
        self._gaps: tuple[int, Mask] = 0, np.zeros(0, dtype=bool)
        self.at_hand: tuple[RowArray, Column] | None = None

    def __len__(self) -> int:
        return self._bounds[-1]

    def __getitem__(self, rows: Rows | slice) -> Column:
        """Some rows. Few consecutive ones are fetched with those that follow."""
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            assert step == 1, rows
            return self._between(first, max(first, last))
        wanted = np.asarray(rows)
        if not len(wanted):
            return np.empty(0)
        if self.at_hand is not None:
            known, values = self.at_hand
            at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            if np.array_equal(known[at], wanted):
                return np.asarray(values[at])
        low, high = int(wanted.min()), int(wanted.max()) + 1
        if high - low <= max(_DENSE * len(wanted), self._ahead):
            found: Column = self._between(low, high)[wanted - low]
            return found
        return self._at(wanted)

    def missing(self, rows: Rows | slice) -> Mask:
        """Which of some rows are missing, shape (n_rows,); bits are fetched, with those of the rows that follow."""
        if isinstance(rows, slice):
            first, last, _ = rows.indices(len(self))
            return self._missing_between(first, max(first, last))
        wanted = np.asarray(rows)
        if not len(wanted):
            return np.zeros(0, dtype=bool)
        low, high = int(wanted.min()), int(wanted.max()) + 1
        if high - low > _GAPS_AHEAD:  # rows in any order
            return np.isnan(self[wanted])
        found: Mask = self._missing_between(low, high)[wanted - low]
        return found

    def _missing_between(self, first: int, last: int) -> Mask:
        start, held = self._gaps
        if not (start <= first and last <= start + len(held)):
            start, stop = first, max(last, min(first + _GAPS_AHEAD, len(self)))
            bits = self._ranks.everywhere(_missing_bits, self, self._bounds, start, stop)
            counts = [max(0, min(stop, end) - max(start, begin)) for begin, end in itertools.pairwise(self._bounds)]
            masks = [np.unpackbits(each, count=n).view(np.bool_) for each, n in zip(bits, counts, strict=True)]
            held = np.concatenate(masks)
            if stop - start > _GAPS_AHEAD:
                return held
            self._gaps = start, held
        return held[first - start : last - start]

    def of_processes(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """As `DividedValues.of_processes`."""
        return self._ranks.everywhere(_of_part, self, self._bounds, function, arguments)

    def in_turn(self) -> Iterator[Column]:
        """As `DividedValues.in_turn`: the others read their rows, and send them piece by piece, when asked once."""
        self._ranks.ask(_send_in_turn, self)
        yield from pieces(self._ranks.held[self.number])
        for rank, (first, last) in enumerate(itertools.pairwise(self._bounds)):
            for start in range(first, last, _IN_TURN) if rank else ():
                kind = KINDS[int(self._ranks.receive([1], "uint8", rank))]
                found = self._ranks.receive([min(_IN_TURN, last - start)], kind.name, rank).numpy()
                yield found.astype(np.float64, copy=False)
        self._ranks.done()

    def _between(self, first: int, last: int) -> Column:
        start, held = self._held
        if start <= first and last <= start + len(held):
            return held[first - start : last - start]
        if last - first >= self._ahead:
            return self._fetched(first, last)
        ahead = self._fetched(first, min(first + self._ahead, len(self)))
        self._held = first, ahead
        return ahead[: last - first]

    def _fetched(self, first: int, last: int) -> Column:
        out = np.empty(last - first)
        wanted = [(max(first, start), min(last, stop)) for start, stop in itertools.pairwise(self._bounds)]
        own = [None if a >= b else (a - start, b - start) for (a, b), start in zip(wanted, self._bounds, strict=False)]
        self._fill([out[a - first : b - first] for a, b in wanted], own)
        return out

    def _at(self, rows: RowArray) -> Column:
        """Rows in any order."""
        whose = np.searchsorted(self._bounds, rows, side="right") - 1
        places = [np.flatnonzero(whose == rank) for rank in range(self._ranks.size)]
        parts = [np.empty(len(each)) for each in places]
        self._fill(parts, [rows[at] - self._bounds[rank] if len(at) else None for rank, at in enumerate(places)])
        out = np.empty(len(rows))
        for at, values in zip(places, parts, strict=True):
            out[at] = values
        return out

    def _fill(self, parts: Sequence[Column], wanted: Sequence[Any]) -> None:
        """Fill arrays with what each process has of its wanted rows, counted from its first one; None: nothing."""
        if wanted[0] is not None:
            parts[0][:] = _chosen(self._ranks.held[self.number], wanted[0])
        others = [None, *wanted[1:]]
        if not any(each is not None for each in others):
            return
        import torch

        self._ranks.ask(_send, self, others)
        for rank, each in enumerate(others):
            if each is not None:
                self._ranks.receive_into(torch.from_numpy(parts[rank]), rank)
        self._ranks.done()


@contextlib.contextmanager
def at_hand(columns: Iterable[object], rows: RowArray) -> Iterator[None]:
    """A context in which some rows of the columns that are fetched are at hand, as far as `_AT_HAND` allows.

    Args:
        columns: of one table, of any kind.
        rows: their numbers, ascending; they are fetched together.
    """
    fetched = {id(each): each for each in columns if isinstance(each, FetchedValues)}
    wanted = [*fetched.values()][: _AT_HAND // (8 * len(rows))] if len(rows) else []
    if wanted:
        parts = wanted[0].of_processes(_rows_of, wanted, np.asarray(rows))
        for each, *values in zip(wanted, *parts, strict=True):
            each.at_hand = np.asarray(rows), np.concatenate(values)
    try:
        yield
    finally:
        for each in wanted:
            each.at_hand = None


def _rows_of(values: Values, first: int, columns: Sequence[Values], rows: RowArray) -> list[Column]:
    """In a process, those of some rows that it has, of each column."""
    own = rows[slice(*np.searchsorted(rows, [first, first + len(values)]))] - first
    return [np.ascontiguousarray(each[own]) for each in columns]


def _chosen(values: Values, wanted: Any) -> Column:
    return values[slice(*wanted) if isinstance(wanted, tuple) else wanted]


def _send(ranks: "Ranks", values: Values, wanted: Sequence[Any]) -> None:
    """As another rank, send the rows of a column that are wanted."""
    import torch

    own = wanted[ranks.rank]
    if own is not None:
        ranks.send(torch.from_numpy(np.ascontiguousarray(_chosen(values, own))), 0)


def _send_in_turn(ranks: "Ranks", values: Values) -> None:
    """As another rank, send all of its rows of a column, each piece with its type before it."""
    import torch

    for start in range(0, len(values), _IN_TURN):
        piece = narrowed(np.ascontiguousarray(values[start : start + _IN_TURN]))
        ranks.send(torch.tensor([KINDS.index(piece.dtype)], dtype=torch.uint8), 0)
        ranks.send(torch.from_numpy(piece), 0)


def _of_part(
    ranks: "Ranks", values: Values, bounds: Sequence[int], function: Callable[..., Any], arguments: Sequence[Any]
) -> Any:
    return function(values, bounds[ranks.rank], *arguments)


def _missing_bits(ranks: "Ranks", values: Values, bounds: Sequence[int], first: int, last: int) -> Any:
    start = bounds[ranks.rank]
    own = slice(max(0, first - start), max(0, last - start))
    return np.packbits(np.isnan(values[own]))
