"""X and y of the train split in the parts of the table: each process makes passes over its own rows, and none is sent.

Rows are put together from the columns when they are first read there, and then lie row by row: in memory up to 64 MiB,
else in a temporary file.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.row_file import row_major
from linreg_cli.data.columns.rows import StackedRows, between, count, in_order
from linreg_cli.data.dataset import Column, Dataset

if TYPE_CHECKING:  # several processes are rare
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.ranks.parts import PartsOfRanks

#: Names of columns, and for each what is applied to its values; None: nothing.
Stack = tuple[Sequence[str], Sequence[Callable[[Column], Column]] | None]


def train_rows(dataset: Dataset, of_X: Stack, of_y: Stack) -> DividedRows:
    """The train split in the order of the table, with its weights, in the parts by which sums are added up.

    Args:
        dataset: holds the rows, which other processes may have.
        of_X: the columns of X, with functions that can be sent to them.
        of_y: those of y.
    """
    rows, parts = in_order(dataset.splits["train"]), dataset.parts
    X, y = (StackedRows(dataset.columns, names, rows, functions) for names, functions in (of_X, of_y))
    weights = dataset.weights_of(rows)
    if parts is None:
        return DividedRows(X, y, weights)
    from linreg_cli.ranks.parts import PartsOfRanks

    ends = [count(between(rows, 0, bound), dataset.n_samples) for bound in parts.bounds]
    if isinstance(parts, PartsOfRanks):
        return _RowsOfRanks(X, y, weights, ends, held=(parts, dataset), stacks=(of_X, of_y))
    return DividedRows(X, y, weights, ends)


class _RowsOfRanks(DividedRows):
    """As rank 0, train rows of which every process has some.

    Args:
        X_nd: of all rows, as `DividedRows`.
        y_nk: likewise.
        weights: likewise.
        ends: the position of the first train row of each part, and the number of all of them.
        held: the parts of the dataset, and the dataset.
        stacks: the columns of X and of y.
    """

    def __init__(
        self,
        X_nd: StackedRows,
        y_nk: StackedRows,
        weights: Column | None,
        ends: Sequence[int],
        *,
        held: "tuple[PartsOfRanks, Dataset]",
        stacks: tuple[Stack, Stack],
    ) -> None:
        super().__init__(X_nd, y_nk, weights, ends)
        self._held, self._stacks, self._ends = held, stacks, ends

    @cached_property
    def _number(self) -> int:
        """The number by which every process holds its rows, from the first pass on."""
        parts, dataset = self._held
        number = parts.ranks.next_number()
        parts.ranks.everywhere(_hold, number, parts.number_of(dataset), self._stacks, self._ends)
        return number

    def of_parts(self, function: Callable[..., Any], *arguments: Any, keep: Callable[..., None] | None = None) -> Any:
        """As `DividedRows.of_parts`."""
        ranks, number = self._held[0].ranks, self._number
        ranks.ask(_make, number, function, arguments)
        own: DividedRows = ranks.held[number]
        found = own.of_parts(function, *arguments, **({} if keep is None else {"keep": keep}))
        for rank in range(1, ranks.size):
            kept, others = ranks.answer_of(rank)
            for columns in kept if keep is not None else ():
                assert keep is not None
                keep(*columns)
            found += others
        ranks.done()
        return found


def _hold(ranks: "Ranks", number: int, rows: int, stacks: tuple[Stack, Stack], ends: Sequence[int]) -> None:
    """In each process, hold its train rows, row by row.

    Raises:
        DataError: if there is no space for them.
    """
    from linreg_cli.ranks.shards import Shards

    dataset: Dataset = ranks.held[rows]
    own = Shards(ends[-1], len(ends) - 1).of_ranks(ranks.size)[ranks.rank]
    here, before = in_order(dataset.splits["train"]), ends[own.start]
    X, y = (row_major(StackedRows(dataset.columns, names, here, functions)) for names, functions in stacks)
    bounds = [end - before for end in ends[own.start : own.stop + 1]]
    ranks.held[number] = DividedRows(X, y, dataset.weights_of(here), bounds, before=before)


def _make(ranks: "Ranks", number: int, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """As another rank, make a pass over the rows of a number, and send rank 0 what it gives."""
    kept: list[tuple[Any, ...]] = []
    rows: DividedRows = ranks.held[number]
    found = rows.of_parts(function, *arguments, keep=lambda *columns: kept.append(columns))
    ranks.answer((kept, found))
