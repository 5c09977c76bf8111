"""One file of a table in a format with column types: Parquet, Arrow (Feather) or JSON Lines."""

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from linreg_cli.data.columns.arrow import no_rows
from linreg_cli.data.tables.arrow_file import arrow_batches, as_written
from linreg_cli.data.tables.blocks import ColumnSink
from linreg_cli.data.tables.json_lines import read_json_lines
from linreg_cli.data.tables.parquet_columns import BATCH_ROWS, between, row_groups
from linreg_cli.data.tables.parquet_rows import row_batches, rows_within
from linreg_cli.data.tables.table_file import ALL_BUFFERS, TableFile

#: Bytes of a batch of rows where no limit is known.
LARGEST_BATCH = 64 * 2**20


class ArrowPart:
    """A file with column types. The schema is read at once, the cells on demand.

    Args:
        path: the file, whose name says which format it is.
        most: bytes that a reader of Parquet may hold; see `parquet_rows.reader_bytes`.

    Attributes:
        file: its bytes.
        schema: its columns; those of JSON Lines are seen in the whole file.
        mixed: columns of JSON Lines with both text and other values.

    Raises:
        DataError: if it cannot be read, as every method.
    """

    def __init__(self, path: str, most: int) -> None:
        self.file, self._most = TableFile(path), most
        self.mixed = frozenset[str]()
        self.schema = self.read().schema if self.is_json else self._schema()

    @property
    def is_json(self) -> bool:
        """Whether its types are seen in the whole file only."""
        # Of these formats only JSON Lines can be named by `data.format`, for a file whose name says nothing.
        return self.file.suffix not in (".parquet", ".arrow", ".feather")

    @property
    def is_parquet(self) -> bool:
        """Whether its columns are stored apart."""
        return self.file.suffix == ".parquet"

    def absent(self, names: Sequence[str]) -> list[str]:
        """The names that are none of its columns."""
        there = frozenset(self.schema.names)
        return [name for name in names if name not in there]

    def n_rows(self) -> int:
        """How many rows the file has."""
        if self.is_parquet:
            import pyarrow.parquet as pq

            with self._reading(), self.file.opened() as file:
                return int(pq.read_metadata(file).num_rows)
        return self.read().num_rows if self.is_json else sum(batch.num_rows for batch in self.batches([]))

    def read(self) -> pa.Table:
        """All rows and columns."""
        with self._reading():
            if self.is_json:
                table, self.mixed = read_json_lines(self.file)
                return table
            if self.is_parquet:
                import pyarrow.parquet as pq

                with self.file.opened() as file:
                    return pq.ParquetFile(file).read()
            with self.file.opened() as file:
                schema, batches = as_written(file)
                return pa.Table.from_batches(batches, schema)

    def batches(
        self,
        columns: Sequence[str],
        n_rows: int = BATCH_ROWS,
        rows: tuple[int, int] | None = None,
        largest: int = LARGEST_BATCH,
    ) -> Iterator[pa.RecordBatch]:
        """Some columns in batches.

        Args:
            columns: their names.
            n_rows: of a batch of a Parquet file, and of one that has large ones, at most; others are as written.
            rows: the first row, from 0, and one past the last; None: all.
            largest: bytes of a batch of a Parquet file, about, at most.
        """
        with self._reading():
            if self.is_json:
                yield from between(self.read().select(columns).to_batches(), 0, rows)
            elif self.is_parquet:
                yield from self._parquet_batches(columns, min(n_rows, BATCH_ROWS), rows, largest)
            else:
                with self.file.opened() as file:
                    yield from between(arrow_batches(file, columns, min(n_rows, BATCH_ROWS), self._most), 0, rows)

    def pour(self, columns: Sequence[str], sink: ColumnSink, rows: tuple[int, int] | None) -> None:
        """Add columns to what collects them: all rows, or those from one to another."""
        with self._reading():
            empty = True
            for batch in self.batches(columns, rows=rows):
                sink.add(batch)
                empty = False
            if empty:
                sink.add(no_rows(self.schema).select(columns))

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        return self.file.reading(".jsonl" if self.is_json else self.file.suffix)

    def _schema(self) -> pa.Schema:
        with self._reading():
            if self.is_parquet:
                import pyarrow.parquet as pq

                with self.file.opened() as file:
                    return pq.read_schema(file)
            with self.file.opened() as file:
                return as_written(file)[0]

    def _parquet_batches(
        self, columns: Sequence[str], n_rows: int, rows: tuple[int, int] | None, largest: int
    ) -> Iterator[pa.RecordBatch]:
        from linreg_cli.data.tables.parquet_ahead import opened_parquet

        buffer = self.file.buffer_bytes(len(columns))
        with opened_parquet(self.file, len(columns), min(ALL_BUFFERS, self._most // 2)) as file:
            groups, at = row_groups(file.metadata, rows)
            fitting = rows_within(file, groups, columns, largest, sampled=not self.file.is_object)
            n_rows = n_rows if fitting is None else min(n_rows, fitting)
            yield from between(row_batches(file, groups, columns, n_rows, buffer=buffer, most=self._most), at, rows)
