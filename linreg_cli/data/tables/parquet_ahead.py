"""Parquet files as the readers of a table open them; those in a store of objects are read in few requests.

A reader asks for each column of each row group by itself. On this machine that costs nothing, and a request to a store
takes tens of milliseconds. So of an object what lies together is asked for together, of as many row groups as may be
held. `iter_batches` is the same, and gives the same batches.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linreg_cli.data.tables.parquet_rows import of_rows
from linreg_cli.data.tables.table_file import TableFile


@contextlib.contextmanager
def opened_parquet(part: TableFile, n_columns: int, most: int) -> Iterator[Any]:
    """A Parquet file, open.

    Args:
        part: the file.
        n_columns: how many of its columns are read together.
        most: bytes that may be held of an object, beside the pages of its columns.
    """
    buffer = part.buffer_bytes(n_columns)
    with part.opened() as source:
        # otherwise a whole row group is read at once
        plain = {"pre_buffer": False, "buffer_size": buffer}
        with _FewRequests(source, most, **plain) if part.is_object else pq.ParquetFile(source, **plain) as file:
            yield file


class _FewRequests(pq.ParquetFile):  # type: ignore[misc]  # pyarrow has no types
    """A Parquet file whose row groups are fetched some at a time.

    Args:
        source: its bytes.
        most: bytes of them that are fetched together; a larger row group is read on as the others are used up.
        options: of `ParquetFile`.
    """

    def __init__(self, source: pa.NativeFile, most: int, **options: Any) -> None:
        super().__init__(source, **options)
        self._fetched, self._most = pq.ParquetFile(source, metadata=self.metadata, pre_buffer=True), most

    def iter_batches(
        self, batch_size: int, row_groups: Sequence[int], columns: Sequence[str], use_threads: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """As that of `ParquetFile`."""
        runs = list(self._runs(row_groups, frozenset(columns)))
        plain = super().iter_batches
        found = (
            (self._fetched.iter_batches if is_fetched else plain)(batch_size, run, columns, use_threads)
            for run, is_fetched in runs
        )
        batches: Iterable[pa.RecordBatch] = itertools.chain.from_iterable(found)
        if len(runs) < 2 or any(pa.types.is_dictionary(self.schema_arrow.field(name).type) for name in columns):
            return iter(batches)  # a column of dictionary type ends a batch with its row group anyway
        return of_rows(batches, batch_size)

    def _runs(self, groups: Sequence[int], columns: frozenset[str]) -> Iterator[tuple[list[int], bool]]:
        """Row groups that are read together, and whether they are fetched before."""
        leaves = [
            place for place in range(self.metadata.num_columns)
            if {(path := self.schema.column(place).path), path.partition(".")[0]} & columns
        ]  # fmt: skip
        run: list[int] = []
        held = 0
        for group in groups:
            about = self.metadata.row_group(group)
            size = sum(about.column(place).total_compressed_size for place in leaves)
            if run and held + size > self._most:
                yield run, held <= self._most
                run, held = [], 0
            run.append(group)
            held += size
        if run:
            yield run, held <= self._most
