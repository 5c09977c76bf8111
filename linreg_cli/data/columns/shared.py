"""Columns of which every process has some rows: rank 0 sends them once, and each is known by a number.

Consecutive rows are those of one process. What a process was sent stays with it as a table's columns do: codes and
bits in memory, numbers in memory or in a temporary file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column, Rows, Values
from linreg_cli.data.columns.on_disk import NumberPlaces
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.ranks.messages import Shared

if TYPE_CHECKING:  # several processes are rare, and torch takes time
    from linreg_cli.ranks.group import Ranks

Array = npt.NDArray[Any]

#: Bytes of a column that are sent at once.
PIECE = 2**22
#: What is sent of row numbers, in place of the dtype of a column: whether each row is among them.
_ROWS = "rows"


@dataclass(frozen=True, eq=False)
class FirstRows:
    """The first rows of a column, read on access, shape (count,), float64.

    Attributes:
        values: the column.
        count: how many.

    >>> FirstRows(np.array([1.0, 2.0, 3.0]), 2)[:].tolist()
    [1.0, 2.0]
    """

    values: Values
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Rows | slice) -> Column:
        return self.values[slice(*rows.indices(self.count)) if isinstance(rows, slice) else rows]


class SharedColumns:
    """As rank 0, the columns of a table of which each process has its rows.

    Args:
        ranks: the processes.
        bounds: the first row of each process, and the number of all rows.
    """

    def __init__(self, ranks: "Ranks", bounds: Sequence[int]) -> None:
        self.ranks, self.bounds = ranks, tuple(bounds)
        self._known: dict[int, tuple[int, object]] = {}  # with the column, so that no other one gets its id

    def number(self, column: object) -> int | None:
        """The number of a column; None for anything else."""
        if isinstance(column, Shared):
            return column.number
        found = self._known.get(id(column))
        return None if found is None else found[0]

    def send(self, columns: Sequence[Any], splits: Sequence[Rows] = ()) -> None:
        """Send each process its rows of those columns that it does not have.

        Args:
            columns: float64 values or codes of categories of all rows.
            splits: row numbers; each process gets those of its rows, ascending and counted from its first row.

        Raises:
            RankError: if a process has no space for them.
        """
        kinds = {id(each): (each, str(getattr(each, "dtype", "float64"))) for each in columns}
        kinds |= {id(each): (each, _ROWS) for each in splits}
        new = [(self.ranks.next_number(), *kinds[key]) for key in kinds if self.number(kinds[key][0]) is None]
        if not new:
            return
        self._known |= {id(each): (number, each) for number, each, _ in new}
        self.ranks.ask(_receive, self.bounds, [(number, kind) for number, _, kind in new])
        sent = [(number, self._as_set(each) if kind == _ROWS else each) for number, each, kind in new]
        for rank in range(1, self.ranks.size):
            for _, each in sent:
                for part in _pieces(each, self.bounds[rank], self.bounds[rank + 1]):
                    self.ranks.send(_tensor(part), rank)
        self.ranks.done()
        self.ranks.held |= {int(number): _first(each, self.bounds[1]) for number, each in sent}

    def forget(self, splits: Iterable[Rows]) -> None:
        """Let the processes forget row numbers that were sent, once no dataset of theirs has them."""
        for rows in splits:
            self._known.pop(id(rows), None)

    def _as_set(self, rows: Rows) -> RowSet:
        return rows if isinstance(rows, RowSet) else RowSet.of([rows], self.bounds[-1])


def _first(column: Any, count: int) -> Any:
    """The first rows of a column, or those among the first."""
    if isinstance(column, RowSet):
        return RowSet.where(column.mask(0, count))
    return column[:count] if isinstance(column, np.ndarray) else FirstRows(column, count)


def _ends(first: int, last: int, itemsize: int) -> Iterator[tuple[int, int]]:
    """The rows from one to another, in pieces of at most `PIECE` bytes."""
    size = PIECE // itemsize
    return ((at, min(at + size, last)) for at in range(first, last, size))


def _itemsize(kind: str) -> int:
    return 1 if kind == _ROWS else np.dtype(kind).itemsize


def _pieces(column: Any, first: int, last: int) -> Iterator[Array]:
    """Some rows of a column, in pieces as `_receive` expects them."""
    if isinstance(column, RowSet):
        for start, stop in _ends(first, last, 1):
            yield np.packbits(column.mask(start, stop))
        return
    for start, stop in _ends(first, last, getattr(column, "dtype", np.dtype(np.float64)).itemsize):
        yield column[start:stop]


def _tensor(values: Array) -> Any:
    import torch

    plain = np.ascontiguousarray(values)
    return torch.from_numpy(plain if plain.flags.writeable else plain.copy())


def _receive(ranks: "Ranks", bounds: Sequence[int], columns: Sequence[tuple[int, str]]) -> None:
    """As another rank, receive its rows of columns.

    Args:
        ranks: the processes.
        bounds: as `SharedColumns` has them.
        columns: the number and the kind of each: a dtype, or row numbers.

    Raises:
        DataError: if there is no space for them.
    """
    count = bounds[ranks.rank + 1] - bounds[ranks.rank]
    numbers = [number for number, kind in columns if kind == "float64"]
    places = NumberPlaces(list(map(str, numbers)), count) if numbers else None
    for number, kind in columns:
        ends = _ends(0, count, _itemsize(kind))
        if kind == "float64":
            assert places is not None
            for start, stop in ends:
                places.put(numbers.index(number), start, ranks.receive([stop - start], kind).numpy())
        elif kind == _ROWS:
            bits = (ranks.receive([(stop - start + 7) // 8], "uint8").numpy() for start, stop in ends)
            ranks.held[number] = RowSet(np.concatenate([np.zeros(0, np.uint8), *bits]), count)
        else:
            codes = np.empty(count, kind)
            for start, stop in ends:
                codes[start:stop] = ranks.receive([stop - start], kind).numpy()
            ranks.held[number] = codes
    if places is not None:
        ranks.held |= {int(name): values for name, values in places.columns().items()}
