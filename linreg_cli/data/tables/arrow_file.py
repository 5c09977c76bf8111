"""The rows of an Arrow file in batches, in memory that need not grow with the batches that it was written in.

A record batch is read as a whole, and some programs write a table as one. The columns of a large one are read some at a
time into a temporary file without a name, as those of a row group of Parquet are where they are many.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.tables.parquet_rows import from_disk

#: The first bytes of an IPC file, whose batches can be read in any order.
_IPC_FILE = b"ARROW1"


def as_written(stream: pa.NativeFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and record batches of an Arrow file: IPC file, IPC stream, or Feather version 1.

    Args:
        stream: the file, at its start.

    Raises:
        pa.ArrowException, OSError: if the file cannot be read.
    """
    mark = stream.read(6)
    stream.seek(0)
    if mark[:4] == b"FEA1":
        import pyarrow.feather as feather

        table = feather.read_table(stream)
        return table.schema, iter(table.to_batches())
    if mark == _IPC_FILE:
        reader = pa.ipc.open_file(stream)
        return reader.schema, map(reader.get_batch, range(reader.num_record_batches))
    reader = pa.ipc.open_stream(stream)
    return reader.schema, iter(reader)


def arrow_batches(stream: pa.NativeFile, columns: Sequence[str], n_rows: int, most: int) -> Iterator[pa.RecordBatch]:
    """Some columns in batches as they were written, or of `n_rows` rows where those of an IPC file are large.

    Args:
        stream: the file, at its start.
        columns: their names.
        n_rows: of a batch of a large one, at most.
        most: bytes that a reader may hold; see `parquet_rows.reader_bytes`.

    Raises:
        pa.ArrowException, OSError: as `as_written`.
        TemporaryFileError: if a temporary file is needed and cannot be made or written.
    """
    large = _large(stream, most)
    if large is None:
        _, batches = as_written(stream)
        yield from (batch.select(columns) for batch in batches)
        return
    schema, count, written = large
    file = _SomeColumns(stream, schema)
    names = list(columns) or [min(schema, key=_width).name]  # rows are those of some column
    together = max(1, len(schema) * (most // 8) // written)
    sets = [names[start : start + together] for start in range(0, len(names), together)]
    own = pa.schema([schema.field(name) for name in names], schema.metadata)
    for number in range(count):
        if len(sets) > 1:
            batches = from_disk(file, number, sets, n_rows, own)
        else:
            batches = file.iter_batches(n_rows, [number], names)
        yield from (batch.select(columns) for batch in batches)


def _large(stream: pa.NativeFile, most: int) -> tuple[pa.Schema, int, int] | None:
    """Schema, number and bytes of record batches that take more than half of `most`; None: they are no larger."""
    mark = stream.read(len(_IPC_FILE))
    stream.seek(0)
    if mark != _IPC_FILE:
        return None
    reader = pa.ipc.open_file(stream)
    written = stream.size() // max(1, reader.num_record_batches)
    stream.seek(0)
    return (reader.schema, reader.num_record_batches, written) if written > most // 2 else None


class _SomeColumns:
    """An Arrow file whose record batches are read as row groups of a `ParquetFile` are.

    Args:
        stream: its bytes.
        schema: of the file.
    """

    def __init__(self, stream: pa.NativeFile, schema: pa.Schema) -> None:
        self._stream, self._schema = stream, schema

    def iter_batches(
        self, batch_size: int, row_groups: Sequence[int], columns: Sequence[str], use_threads: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """As that of `ParquetFile`."""
        places = [self._schema.get_field_index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=use_threads)
        reader = pa.ipc.open_file(self._stream, options=options)
        for number in row_groups:
            batch = reader.get_batch(number).select(columns)
            for start in range(0, batch.num_rows, batch_size):
                yield batch.slice(start, batch_size)
            del batch
            release_unused()  # before another one is read


def _width(field: Any) -> int:
    """Bits of a cell of a column; those of texts and lists count as long."""
    try:
        return int(field.type.bit_width)
    except ValueError:
        return 2**16
