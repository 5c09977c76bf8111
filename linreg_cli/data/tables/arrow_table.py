"""Tables in formats with column types: Parquet, Arrow (Feather) and JSON Lines, one file or several."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa

from linreg_cli.data.columns.arrow import no_rows
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.on_disk import group_rows
from linreg_cli.data.tables.arrow_part import LARGEST_BATCH, ArrowPart
from linreg_cli.data.tables.blocks import (
    ColumnSink,
    NotInBlocksError,
    cells_of,
    cells_of_block,
    numeric_marks,
    whole_says_more,
)
from linreg_cli.data.tables.json_lines import JSON_WHOLE
from linreg_cli.data.tables.pandas_metadata import pandas_metadata
from linreg_cli.data.tables.parquet_columns import read_numbers
from linreg_cli.data.tables.parquet_rows import reader_bytes
from linreg_cli.data.tables.table import Cells, is_number_type, refuse_bad_names
from linreg_cli.data.tables.text_numbers import as_numbers
from linreg_cli.errors import DataError, OutOfMemoryError

#: Blocks in a group of rows: of rows that are written again, and of cells that are summed up at the cost of calls.
_PER_GROUP, _SUMMED_PER_GROUP = 4, 2


class ArrowTable:
    """A table with column types: Parquet, Arrow (Feather), JSON Lines, or several files of one of these.

    Args:
        path: the file, folder or pattern, for messages.
        parts: its files, in order, at least one.
        missing_values: cells that mean 'missing'; those that are numbers, by value.
        memory_limit: bytes that the command may take; None: not known.

    Raises:
        DataError: if a part cannot be read, or has two columns of one name.
    """

    delimiter: str | None = None

    def __init__(
        self, path: str, parts: Sequence[str], missing_values: Sequence[str], memory_limit: int | None = None
    ) -> None:
        self.name, self._limit, self._missing_values = path, memory_limit, missing_values
        self._parts = [ArrowPart(part, reader_bytes(memory_limit)) for part in parts]
        for part in self._parts:
            found = part.schema.names
            duplicates = [name for name, count in Counter(found).items() if count > 1]  # which Arrow cannot select
            refuse_bad_names(found, duplicates, path if len(parts) == 1 else part.file.name)
        notes = [pandas_metadata(part.schema) for part in self._parts]
        self.index = frozenset[str]().union(*(note.index for note in notes))
        self._categorical = frozenset[str]().union(*(note.categorical for note in notes))
        self._is_json = any(part.is_json for part in self._parts)
        self.columns: list[str] = list(dict.fromkeys(name for part in self._parts for name in part.schema.names))

    @property
    def written_columns(self) -> list[str]:
        """See `Table.written_columns`."""
        return self.columns

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`. Numeric columns are float64 unless named in `text`; others keep the type of the file."""
        names = [*columns, *text, *either]
        for part in self._parts:
            if absent := part.absent(names):
                other = next(each.file.base_name for each in self._parts if absent[0] in each.schema.names)
                raise DataError(f"columns of {other} are missing here: {', '.join(absent)}", part.file.name)
        if self._is_json:
            whole = self.numbers(self.read_all().select(names), [*columns, *either])
            cells = cells_of(whole, [*columns, *either], self._missing_values)
            return Cells(cells.numbers, cells.others, JSON_WHOLE)
        return self.completed(self.read_rows(None, [*columns, *either], text, ()), ())

    def worded(self, columns: Sequence[str], either: Sequence[str]) -> set[str]:
        """See `Table.worded`. The file has the types."""
        return set()

    def read_rows(
        self, rows: tuple[int, int] | None, columns: Sequence[str], text: Sequence[str], worded: Collection[str]
    ) -> Cells:
        """See `Table.read_rows`."""
        self._refuse_json()
        names = [*columns, *text]
        if any(part.absent(names) for part in self._parts):
            raise NotInBlocksError("a file lacks a column")
        schemas = [part.schema for part in self._parts]
        numbers = [
            name
            for name in columns
            if name not in self._categorical and all(is_number_type(each.field(name).type) for each in schemas)
        ]
        found: dict[str, Numbers] = {}
        if numbers and all(part.is_parquet for part in self._parts):
            files, marks = [part.file for part in self._parts], numeric_marks(self._missing_values)
            found = read_numbers(files, numbers, marks, rows, self._limit)
            names, numbers = [name for name in names if name not in found], []
        sink = ColumnSink(numbers, self._missing_values, self._limit)
        for part, own in self._parts_of(rows) if names or not found else ():
            part.pour(names, sink, own)
        cells = self._fitting(sink.cells)
        return Cells({**found, **cells.numbers}, cells.others)

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """See `Table.completed`."""
        return Cells(cells.numbers, self._with_categories(cells.others), cells.whole)

    def files(self) -> list[str]:
        """See `Table.files`."""
        return [part.file.name for part in self._parts]

    def _with_categories(self, table: pa.Table) -> pa.Table:
        """The columns, those of dictionary type that were pandas categoricals; Parquet keeps this of text only."""
        for position, column in enumerate(table.column_names):
            if column in self._categorical and not pa.types.is_dictionary(table.column(position).type):
                table = table.set_column(position, column, table.column(position).dictionary_encode())
        return table

    def cell(self, column: str, row: int) -> object:
        """See `Table.cell`."""
        for part in self._parts:
            for batch in part.batches([column]):
                if row < batch.num_rows:
                    return batch.column(column)[row].as_py()
                row -= batch.num_rows
        return None

    def part_of(self, row: int) -> tuple[str, int] | None:
        """See `Table.part_of`."""
        for part in self._parts if len(self._parts) > 1 else ():
            n_rows = part.n_rows()
            if row < n_rows:
                return part.file.name, row
            row -= n_rows
        return None

    def read_all(self) -> pa.Table:
        """See `Table.read_all`. The cells of a column that a part does not have are missing."""
        loaded = [part.read() for part in self._parts]
        return self._fitting(lambda: pa.concat_tables(loaded, promote_options="permissive").select(self.columns))

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """See `Table.row_blocks`. JSON Lines are read as a whole."""
        n_rows = _block_rows(len(self.columns), _PER_GROUP, largest)
        return self._blocks(self.columns, None, n_rows, largest, one_dictionary=one_dictionary)

    def _blocks(
        self,
        columns: list[str],
        rows: tuple[int, int] | None,
        n_rows: int,
        largest: int | None,
        *,
        one_dictionary: bool,
    ) -> Iterator[pa.Table]:
        """Some columns of all rows, or of those from one to another, in blocks of at most `n_rows` and `largest` bytes.

        Raises:
            NotInBlocksError: where a column has a dictionary, and it must be one for all blocks.
        """
        self._refuse_json()
        schemas = [part.schema for part in self._parts]
        with whole_says_more():
            whole = pa.unify_schemas(schemas, promote_options="permissive")
            empty = no_rows(pa.schema([whole.field(name) for name in columns], schemas[0].metadata))
            if one_dictionary and any(pa.types.is_dictionary(field.type) for field in empty.schema):
                raise NotInBlocksError("each block may have another dictionary")
            for part, own in self._parts_of(rows):
                absent = frozenset(part.absent(columns))
                names = [name for name in columns if name not in absent]
                for batch in part.batches(names, n_rows, own, largest or LARGEST_BATCH):
                    block = pa.Table.from_batches([batch])
                    if block.schema != empty.schema:
                        block = pa.concat_tables([empty, block], promote_options="permissive").select(columns)
                    yield block

    def _refuse_json(self) -> None:
        if self._is_json:
            raise NotInBlocksError("the types of JSON Lines are seen in the whole file")

    def _parts_of(self, rows: tuple[int, int] | None) -> Iterator[tuple[ArrowPart, tuple[int, int] | None]]:
        """The files that some rows lie in, each with those in it; None: all."""
        at = 0
        for part in self._parts:
            if rows is None:
                yield part, None
                continue
            first, last = max(rows[0] - at, 0), rows[1] - at
            if len(self._parts) > 1:
                n_rows = part.n_rows()
                at, last = at + n_rows, min(last, n_rows)
            if first < last:
                yield part, (first, last)

    def n_rows(self) -> int:
        """See `Table.n_rows`. The file says it."""
        self._refuse_json()
        with whole_says_more():
            return sum(part.n_rows() for part in self._parts)

    def cell_blocks(
        self,
        columns: Sequence[str],
        text: Sequence[str],
        rows: tuple[int, int] | None = None,
        largest: int | None = None,
    ) -> Iterator[Cells]:
        """See `Table.cell_blocks`. Each block of a column with a dictionary has one of its own."""
        names = [*dict.fromkeys((*columns, *text))]
        n_rows = _block_rows(len(names), _SUMMED_PER_GROUP, largest)
        for block in self._blocks(names, rows, n_rows, largest, one_dictionary=False):
            yield cells_of_block(self._with_categories(block), columns, self._missing_values)

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """See `Table.typing`. The file has the types already."""
        return lambda block: block

    def _fitting(self, together: Callable[[], Any]) -> Any:
        try:
            return together()
        except pa.ArrowException as error:
            if OutOfMemoryError.is_meant_by(error):
                raise
            raise DataError(f"the schemas of the parts differ: {error}", self.name) from None

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`. The file has the types, but for columns of JSON Lines with numbers and text."""
        mixed = frozenset[str]().union(*(part.mixed for part in self._parts))
        for column in mixed.intersection(columns):
            values = as_numbers(table.column(column), self._missing_values)
            if values is not None:
                table = table.set_column(table.column_names.index(column), column, values)
        return table

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`. The file has the types already."""
        return self.numbers(table, numbers)

    def as_text(self) -> None:
        """See `Table.as_text`. The file has the types already."""

    def hint(self) -> None:
        """See `Table.hint`. The format leaves no doubt about the columns."""


def _block_rows(n_columns: int, per_group: int, largest: int | None) -> int:
    """Rows of a block: what is made of cells takes several times their memory, and a Parquet reader as much."""
    usual = -(-group_rows(n_columns) // per_group)
    return usual if largest is None else max(1, min(usual, largest // (8 * max(1, n_columns))))
