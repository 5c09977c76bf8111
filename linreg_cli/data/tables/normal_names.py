"""Names of columns in Unicode's normal form C, in which they are compared with those of a config and of a model."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from linreg_cli.data.tables.leading_zeros import LeadingZerosError
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.data.tables.text_format import AsText
from linreg_cli.errors import Fault
from linreg_cli.lookalike import normal


def with_normal_names(table: Table) -> Table:
    """The table, with names in the normal form."""
    names = table.columns
    return table if all(name == normal(name) for name in names) else _NormalTable(table)


class _NormalTable:
    """A table some of whose names are written with other code points.

    Args:
        table: as it is in the file.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self.name = table.name
        self.columns = [normal(name) for name in table.columns]
        self.written_columns = table.columns
        self.index = frozenset(map(normal, table.index))
        self.delimiter = table.delimiter
        self._written = dict(zip(reversed(self.columns), reversed(table.columns), strict=True))  # the first of several

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`."""
        cells = self._table.read(*([self._written[name] for name in names] for names in (columns, text, either)))
        return _cells_named(cells)

    def worded(self, columns: Sequence[str], either: Sequence[str]) -> set[str]:
        """See `Table.worded`."""
        found = self._table.worded(*([self._written[name] for name in names] for names in (columns, either)))
        return set(map(normal, found))

    def read_rows(
        self, rows: tuple[int, int] | None, columns: Sequence[str], text: Sequence[str], worded: Collection[str]
    ) -> Cells:
        """See `Table.read_rows`."""
        written = ([self._written[name] for name in names] for names in (columns, text, worded))
        try:
            return _cells_named(self._table.read_rows(rows, *written))
        except LeadingZerosError as error:
            raise LeadingZerosError({normal(name) for name in error.columns}) from None

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """See `Table.completed`."""
        numbers = {self._written[name]: each for name, each in cells.numbers.items()}
        written = Cells(numbers, self._as_written(cells.others), cells.whole)
        return _cells_named(self._table.completed(written, [self._written[name] for name in either]))

    def files(self) -> list[str]:
        """See `Table.files`."""
        return self._table.files()

    def cell(self, column: str, row: int) -> object:
        """See `Table.cell`."""
        return self._table.cell(self._written[column], row)

    def part_of(self, row: int) -> tuple[str, int] | None:
        """See `Table.part_of`."""
        return self._table.part_of(row)

    def read_all(self) -> pa.Table:
        """See `Table.read_all`."""
        return _named(self._table.read_all())

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """See `Table.row_blocks`."""
        return map(_named, self._table.row_blocks(largest, one_dictionary=one_dictionary))

    def n_rows(self) -> int:
        """See `Table.n_rows`."""
        return self._table.n_rows()

    def cell_blocks(
        self,
        columns: Sequence[str],
        text: Sequence[str],
        rows: tuple[int, int] | None = None,
        largest: int | None = None,
    ) -> Iterator[Cells]:
        """See `Table.cell_blocks`."""
        written, as_text = ([self._written[name] for name in names] for names in (columns, text))
        return map(_cells_named, self._table.cell_blocks(written, as_text, rows, largest))

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """See `Table.typing`."""
        typed = self._table.typing([self._written[name] for name in numbers])
        return lambda block: _named(typed(self._as_written(block)))

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`."""
        return _named(self._table.numbers(self._as_written(table), [self._written[name] for name in columns]))

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`."""
        return _named(self._table.typed(self._as_written(table), [self._written[name] for name in numbers]))

    def as_text(self) -> AsText | None:
        """See `Table.as_text`."""
        found = self._table.as_text()
        if found is None:
            return None
        return replace(found, read=lambda names: _named(found.read([self._written[name] for name in names])))

    def hint(self) -> Fault | None:
        """See `Table.hint`."""
        return self._table.hint()

    def _as_written(self, table: pa.Table) -> pa.Table:
        whole = len(table.column_names) == len(self.columns)
        return table.rename_columns(
            self.written_columns if whole else [self._written[name] for name in table.column_names]
        )


def _cells_named(cells: Cells) -> Cells:
    return Cells({normal(name): numbers for name, numbers in cells.numbers.items()}, _named(cells.others), cells.whole)


def _named(table: pa.Table) -> pa.Table:
    return table.rename_columns([normal(name) for name in table.column_names])
