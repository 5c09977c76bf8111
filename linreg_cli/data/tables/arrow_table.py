"""Parquet, Arrow (Feather) and JSON Lines files, alone or as parts of one table: formats with column types."""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa

from linreg_cli.data.columns.arrow import no_rows
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.on_disk import group_rows
from linreg_cli.data.tables.blocks import ColumnSink, NotInBlocksError, cells_of, cells_of_block, numeric_marks
from linreg_cli.data.tables.json_lines import JSON_WHOLE, read_json_lines
from linreg_cli.data.tables.pandas_metadata import pandas_metadata
from linreg_cli.data.tables.parquet_columns import BATCH_ROWS, between, read_numbers, row_groups
from linreg_cli.data.tables.parquet_rows import reader_bytes, row_batches
from linreg_cli.data.tables.table import Cells, is_number_type, refuse_bad_names
from linreg_cli.data.tables.table_file import ALL_BUFFERS, TableFile
from linreg_cli.data.tables.text_numbers import as_numbers
from linreg_cli.errors import DataError

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
        self.name, self._limit, self._most = path, memory_limit, reader_bytes(memory_limit)
        self._missing_values = missing_values
        self._parts = list(map(TableFile, parts))
        self._mixed: frozenset[str] = frozenset()
        self._schemas = [self._schema(part) for part in self._parts]
        for schema, part in zip(self._schemas, self._parts, strict=True):
            found = schema.names
            duplicates = [name for name, count in Counter(found).items() if count > 1]  # which Arrow cannot select
            refuse_bad_names(found, duplicates, path if len(parts) == 1 else part.name)
        notes = [pandas_metadata(schema) for schema in self._schemas]
        self.index = frozenset[str]().union(*(note.index for note in notes))
        self._categorical = frozenset[str]().union(*(note.categorical for note in notes))
        self.columns: list[str] = list(dict.fromkeys(name for schema in self._schemas for name in schema.names))

    @property
    def written_columns(self) -> list[str]:
        """See `Table.written_columns`."""
        return self.columns

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`. Numeric columns are float64 unless named in `text`; others keep the type of the file."""
        names = [*columns, *text, *either]
        for part, schema in zip(self._parts, self._schemas, strict=True):
            if absent := _absent(names, schema):
                pairs = zip(self._parts, self._schemas, strict=True)
                other = next(each.base_name for each, schema in pairs if absent[0] in schema.names)
                raise DataError(f"columns of {other} are missing here: {', '.join(absent)}", part.name)
        if _is_json(self._parts[0]):
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
        if any(map(_is_json, self._parts)):
            raise NotInBlocksError("the types of JSON Lines are seen in the whole file")
        names = [*columns, *text]
        if any(_absent(names, schema) for schema in self._schemas):
            raise NotInBlocksError("a file lacks a column")
        numbers = [
            name
            for name in columns
            if name not in self._categorical and all(is_number_type(each.field(name).type) for each in self._schemas)
        ]
        found: dict[str, Numbers] = {}
        if numbers and all(part.suffix == ".parquet" for part in self._parts):
            marks = numeric_marks(self._missing_values)
            found = read_numbers(self._parts, numbers, marks, self._guard, rows, self._limit)
            names, numbers = [name for name in names if name not in found], []
        sink = ColumnSink(numbers, self._missing_values, self._limit)
        for place, own in self._parts_of(rows) if names or not found else ():
            part = self._parts[place]
            self._guard(part, lambda part=part, own=own: _pour(part, names, sink, self._most, own))
        cells = self._fitting(sink.cells)
        return Cells({**found, **cells.numbers}, cells.others)

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """See `Table.completed`."""
        return Cells(cells.numbers, self._with_categories(cells.others), cells.whole)

    def files(self) -> list[str]:
        """See `Table.files`."""
        return [part.name for part in self._parts]

    def _with_categories(self, table: pa.Table) -> pa.Table:
        """The columns, those of dictionary type that were pandas categoricals; Parquet keeps this of text only."""
        for position, column in enumerate(table.column_names):
            if column in self._categorical and not pa.types.is_dictionary(table.column(position).type):
                table = table.set_column(position, column, table.column(position).dictionary_encode())
        return table

    def cell(self, column: str, row: int) -> object:
        """See `Table.cell`."""
        for part in self._parts:
            for batch in self._load(part).to_batches() if _is_json(part) else _batches(part, [column], self._most):
                if row < batch.num_rows:
                    return batch.column(column)[row].as_py()
                row -= batch.num_rows
        return None

    def part_of(self, row: int) -> tuple[str, int] | None:
        """See `Table.part_of`."""
        for part in self._parts if len(self._parts) > 1 else ():
            n_rows = self._guard(part, lambda part=part: self._n_rows(part))
            if row < n_rows:
                return part.name, row
            row -= n_rows
        return None

    def _n_rows(self, part: TableFile) -> int:
        if part.suffix == ".parquet":
            import pyarrow.parquet as pq

            with part.opened() as file:
                return int(pq.read_metadata(file).num_rows)
        return (
            self._load(part).num_rows
            if _is_json(part)
            else sum(batch.num_rows for batch in _batches(part, [], self._most))
        )

    def read_all(self) -> pa.Table:
        """See `Table.read_all`. The cells of a column that a part does not have are missing."""
        loaded = [self._guard(part, lambda part=part: self._load(part)) for part in self._parts]
        return self._fitting(lambda: pa.concat_tables(loaded, promote_options="permissive").select(self.columns))

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """See `Table.row_blocks`. JSON Lines are read as a whole."""
        n_rows = _block_rows(len(self.columns), _PER_GROUP, largest)
        return self._blocks(self.columns, None, n_rows, one_dictionary=one_dictionary)

    def _blocks(
        self, columns: list[str], rows: tuple[int, int] | None, n_rows: int, *, one_dictionary: bool
    ) -> Iterator[pa.Table]:
        """Some columns of all rows, or of those from one to another, in blocks of at most `n_rows`.

        Raises:
            NotInBlocksError: where a column has a dictionary, and it must be one for all blocks.
        """
        if any(map(_is_json, self._parts)):
            raise NotInBlocksError("the types of JSON Lines are seen in the whole file")
        try:
            whole = pa.unify_schemas(self._schemas, promote_options="permissive")
            empty = no_rows(pa.schema([whole.field(name) for name in columns], self._schemas[0].metadata))
            if one_dictionary and any(pa.types.is_dictionary(field.type) for field in empty.schema):
                raise NotInBlocksError("each block may have another dictionary")
            for place, own in self._parts_of(rows):
                absent = frozenset(_absent(columns, self._schemas[place]))
                names = [name for name in columns if name not in absent]
                for batch in _batches(self._parts[place], names, self._most, n_rows, own):
                    block = pa.Table.from_batches([batch])
                    if block.schema != empty.schema:
                        block = pa.concat_tables([empty, block], promote_options="permissive").select(columns)
                    yield block
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            raise NotInBlocksError(str(error)) from None

    def _parts_of(self, rows: tuple[int, int] | None) -> Iterator[tuple[int, tuple[int, int] | None]]:
        """The positions of the files that some rows lie in, each with those in it; None: all."""
        at = 0
        for place, part in enumerate(self._parts):
            if rows is None:
                yield place, None
                continue
            first, last = max(rows[0] - at, 0), rows[1] - at
            if len(self._parts) > 1:
                n_rows = self._n_rows(part)
                at, last = at + n_rows, min(last, n_rows)
            if first < last:
                yield place, (first, last)

    def n_rows(self) -> int:
        """See `Table.n_rows`. The file says it."""
        if any(map(_is_json, self._parts)):
            raise NotInBlocksError("the types of JSON Lines are seen in the whole file")
        try:
            return sum(map(self._n_rows, self._parts))
        except (pa.ArrowException, OSError) as error:
            raise NotInBlocksError(str(error)) from None

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
        for block in self._blocks(names, rows, n_rows, one_dictionary=False):
            yield cells_of_block(self._with_categories(block), columns, self._missing_values)

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """See `Table.typing`. The file has the types already."""
        return lambda block: block

    def _fitting(self, together: Callable[[], Any]) -> Any:
        try:
            return together()
        except pa.ArrowException as error:
            raise DataError(f"the schemas of the parts differ: {error}", self.name) from None

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`. The file has the types, but for columns of JSON Lines with numbers and text."""
        for column in self._mixed.intersection(columns):
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

    def _schema(self, part: TableFile) -> pa.Schema:
        return self._guard(part, lambda: self._load(part).schema if _is_json(part) else _schema(part))

    def _guard(self, part: TableFile, action: Any) -> Any:
        try:
            return action()
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(
                f"cannot be read as {'.jsonl' if _is_json(part) else part.suffix}: {reason}", part.name
            ) from None

    def _load(self, part: TableFile) -> pa.Table:
        if _is_json(part):
            table, mixed = read_json_lines(part)
            self._mixed |= mixed
            return table
        return _load(part)


def _block_rows(n_columns: int, per_group: int, largest: int | None) -> int:
    """Rows of a block: what is made of cells takes several times their memory, and a Parquet reader as much."""
    usual = -(-group_rows(n_columns) // per_group)
    return usual if largest is None else max(1, min(usual, largest // (8 * max(1, n_columns))))


def _absent(names: Sequence[str], schema: pa.Schema) -> list[str]:
    """The names that a schema does not have."""
    there = frozenset(schema.names)
    return [name for name in names if name not in there]


def _is_json(part: TableFile) -> bool:
    # Of these formats only JSON Lines can be named by `data.format`, for a file whose name says nothing.
    return part.suffix not in (".parquet", ".arrow", ".feather")


def _schema(part: TableFile) -> pa.Schema:
    if part.suffix == ".parquet":
        import pyarrow.parquet as pq

        with part.opened() as file:
            return pq.read_schema(file)
    with _arrow(part) as (schema, _):
        return schema


def _pour(part: TableFile, columns: list[str], sink: ColumnSink, most: int, rows: tuple[int, int] | None) -> None:
    empty = True
    for batch in _batches(part, columns, most, rows=rows):
        sink.add(batch)
        empty = False
    if empty:
        sink.add(no_rows(_schema(part)).select(columns))


def _batches(
    part: TableFile, columns: list[str], most: int, n_rows: int = BATCH_ROWS, rows: tuple[int, int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a file in batches, or those from one to another, from 0; `most` as for `row_batches`."""
    if part.suffix == ".parquet":
        from linreg_cli.data.tables.parquet_ahead import opened_parquet

        buffer = part.buffer_bytes(len(columns))
        with opened_parquet(part, len(columns), min(ALL_BUFFERS, most // 2)) as file:
            groups, at = row_groups(file.metadata, rows)
            batches = row_batches(file, groups, columns, min(n_rows, BATCH_ROWS), buffer=buffer, most=most)
            yield from between(batches, at, rows)
        return
    with _arrow(part) as (_, batches):
        for batch in between(batches, 0, rows):
            yield batch.select(columns)


@contextlib.contextmanager
def _arrow(part: TableFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Schema and record batches of an Arrow file: IPC file, IPC stream, or Feather version 1."""
    with part.opened() as stream:
        mark = stream.read(6)
        stream.seek(0)
        if mark[:4] == b"FEA1":
            import pyarrow.feather as feather

            table = feather.read_table(stream)
            yield table.schema, iter(table.to_batches())
        elif mark == b"ARROW1":
            file = pa.ipc.open_file(stream)
            yield file.schema, map(file.get_batch, range(file.num_record_batches))
        else:
            reader = pa.ipc.open_stream(stream)
            yield reader.schema, iter(reader)


def _load(part: TableFile) -> pa.Table:
    suffix = part.suffix
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with part.opened() as file:
            return pq.ParquetFile(file).read()
    with _arrow(part) as (schema, batches):
        return pa.Table.from_batches(batches, schema)
