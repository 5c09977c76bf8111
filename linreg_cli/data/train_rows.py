"""X and y of the train split in the parts of the table: each process makes passes over its own rows, and none is sent.

Rows are put together from the columns when they are first read there, and then lie row by row: in memory up to 64 MiB,
else in a temporary file.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.data.columns.row_file import row_major
from linreg_cli.data.columns.row_weights import Weights
from linreg_cli.data.columns.rows import StackedRows, between, count, in_order
from linreg_cli.data.dataset import Column, Dataset

if TYPE_CHECKING:  # several processes are rare
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.ranks.parts import Held

#: Names of columns, and for each what is applied to its values; None: nothing.
Stack = tuple[Sequence[str], Sequence[Callable[[Column], Column]] | None]


def train_rows(dataset: Dataset, of_X: Stack, of_y: Stack) -> DividedRows:
    """The train split in the order of the table, with its weights, in the parts by which sums are added up.

    Args:
        dataset: holds the rows, which other processes may have.
        of_X: the columns of X, with functions that can be sent to them.
        of_y: those of y.
    """
    rows, parts, held = in_order(dataset.splits["train"]), dataset.parts, dataset.held()
    X, y = (StackedRows(dataset.columns, names, rows, functions) for names, functions in (of_X, of_y))
    weights = None if dataset.weights is None else dataset.weights.of_rows(rows)
    if parts is None:
        return DividedRows(X, y, weights)
    ends = [count(between(rows, 0, bound), dataset.n_samples) for bound in parts.bounds]
    if held is not None:
        return _RowsOfRanks(X, y, weights, held, (of_X, of_y, ends))
    return DividedRows(X, y, weights, ends)


class _RowsOfRanks(RowsOfRanks):
    """As rank 0, train rows of a dataset that every process has some of; they hold them from the first pass on.

    Args:
        X_nd: of all rows, as `RowsOfRanks`.
        y_nk: likewise.
        weights: likewise.
        held: the dataset.
        made_by: the columns of X and of y, and the position of the first train row of each part with, at last, the
            number of all of them.
    """

    def __init__(
        self,
        X_nd: StackedRows,
        y_nk: StackedRows,
        weights: Weights | None,
        held: "Held",
        made_by: tuple[Stack, Stack, Sequence[int]],
    ) -> None:
        super().__init__(X_nd, y_nk, weights, held.ranks)
        self._dataset, self._made_by = held, made_by

    @property
    def number(self) -> int:
        """The number by which the processes hold the rows, which they put together when it is first asked for."""
        if self._number is None:
            number = self.ranks.next_number()
            self._dataset.everywhere(_hold, number, *self._made_by)
            self._number = number
        return self._number


def _hold(ranks: "Ranks", rows: int, number: int, of_X: Stack, of_y: Stack, ends: Sequence[int]) -> None:
    """In each process, hold its train rows, row by row.

    Raises:
        DataError: if there is no space for them.
    """
    from linreg_cli.ranks.shards import Shards

    dataset: Dataset = ranks.held[rows]
    own = Shards(ends[-1], len(ends) - 1).of_ranks(ranks.size)[ranks.rank]
    here, before = in_order(dataset.splits["train"]), ends[own.start]
    X, y = (row_major(StackedRows(dataset.columns, names, here, functions)) for names, functions in (of_X, of_y))
    bounds = [end - before for end in ends[own.start : own.stop + 1]]
    ranks.held[number] = DividedRows(X, y, dataset.weights_of(here), bounds, before=before)
