"""A table that several processes read, each its rows: numbers stay where they are read, other cells come to rank 0.

Each process opens the table by itself, and reads as one process does (`Table.read_rows`). Where one of them does not
see the same files, or meets what has to be seen as a whole or refused, rank 0 reads all rows alone, and says what is
wrong.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from linreg_cli.data.columns.fetched import FetchedValues
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.glance import digest_of
from linreg_cli.data.tables.leading_zeros import LeadingZerosError
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.errors import LinregError
from linreg_cli.ranks.shards import Shards

if TYPE_CHECKING:  # several processes are rare, and torch takes time
    from linreg_cli.ranks.group import Ranks

#: Opens the same table in any process; a partial function, since it is sent.
Opening = Callable[[], Table]


@dataclass(frozen=True)
class _Outcome:
    """What a process has read.

    Attributes:
        numbers: the columns that are numbers, which it holds; None: the rows cannot be read in parts.
        others: the other columns.
        worded: columns that have to be read as text.
    """

    numbers: tuple[str, ...] | None = None
    others: pa.Table | None = None
    worded: frozenset[str] = frozenset()


def read_divided(
    table: Table,
    opening: Opening,
    ranks: "Ranks",
    count: int,
    columns: Sequence[str],
    text: Sequence[str] = (),
    either: Sequence[str] = (),
) -> Cells | None:
    """As `Table.read`, each process its rows; None where one process has to read all.

    Args:
        table: that was opened.
        opening: what has opened it.
        ranks: the processes.
        count: the number of canonical parts, which the processes share.
        columns: as `Table.read`.
        text: as `Table.read`.
        either: as `Table.read`.
    """
    try:
        n_rows, known = table.n_rows(), _identity(table)
    except (NotInBlocksError, LinregError, OSError):
        return None
    number = ranks.next_number()
    if not n_rows or any(each != known for each in ranks.everywhere(_open, number, opening)):
        return None
    shards = Shards(n_rows, count)
    starts = [int(shards.bounds[held.start]) for held in shards.of_ranks(ranks.size)]
    bounds = (*starts, n_rows)
    names = [*dict.fromkeys((*columns, *either))]
    numbers, worded = {name: ranks.next_number() for name in names}, table.worded(columns, either)
    while True:
        found = ranks.everywhere(_read, number, bounds, numbers, text, sorted(worded))
        more = frozenset[str]().union(*(each.worded for each in found)) - worded
        if not more:
            break
        worded |= more
    ranks.everywhere(_close, number)
    if any(each.numbers is None or each.numbers != found[0].numbers for each in found):
        return None
    assert found[0].numbers is not None
    fetched = {
        name: Numbers(FetchedValues(ranks, numbers[name], bounds, len(found[0].numbers))) for name in found[0].numbers
    }
    others = [each.others for each in found if each.others is not None and each.others.num_columns]
    try:
        together = pa.concat_tables(others, promote_options="permissive") if others else pa.table({})
    except pa.ArrowException:  # as one process, which says so
        return None
    return table.completed(Cells(fetched, together), [name for name in either if name in worded])


def _identity(table: Table) -> tuple[list[str], str]:
    """What tells a table from another one of the same path on another machine."""
    return table.written_columns, digest_of(table.files())


def _open(ranks: "Ranks", number: int, opening: Opening) -> tuple[list[str], str] | None:
    """In each process, open the table; None if it cannot be."""
    try:
        table = opening()
        found = _identity(table)
    except (NotInBlocksError, LinregError, OSError):
        return None
    ranks.held[number] = table
    return found


def _close(ranks: "Ranks", number: int) -> None:
    """In each process, forget the table."""
    del ranks.held[number]


def _read(
    ranks: "Ranks",
    number: int,
    bounds: Sequence[int],
    numbers: dict[str, int],
    text: Sequence[str],
    worded: Collection[str],
) -> _Outcome:
    """In each process, read its rows, and hold the numbers.

    Args:
        ranks: the processes.
        number: of the table.
        bounds: the first row of each process, and the number of all rows.
        numbers: column that is read as a number -> its number among what is held.
        text: columns that are read as text.
        worded: columns of `numbers` that are.
    """
    rows = bounds[ranks.rank], bounds[ranks.rank + 1]
    try:
        cells = ranks.held[number].read_rows(rows, [*numbers], text, worded)
    except LeadingZerosError as error:
        return _Outcome(worded=frozenset(error.columns))
    except (NotInBlocksError, LinregError, OSError):
        return _Outcome()
    n_rows = rows[1] - rows[0]
    lengths = [len(each.values) for each in cells.numbers.values()]
    lengths += [cells.others.num_rows] if cells.others.num_columns else []
    if any(length != n_rows for length in lengths):
        return _Outcome()
    ranks.held |= {numbers[name]: each.values for name, each in cells.numbers.items()}
    return _Outcome(tuple(cells.numbers), cells.others if n_rows else None)
