"""The rows of a Parquet file in batches, in memory that need not grow with the number of its columns.

A reader holds a page and a dictionary of each column that it reads. Where all columns would take too much, the columns
of a row group are read some at a time into a temporary file without a name, and its batches are read back from there,
all columns at once.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from typing import Any

import pyarrow as pa

from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.columns.on_disk import open_nameless
from linreg_cli.errors import TemporaryFileError
from linreg_cli.temporary import folder

#: Bytes that a reader holds of a column, at most: a page and a dictionary of the usual size as they are written, and
#: the dictionary as numbers; and besides, however small these are (48 to 70 kB were measured).
_PAGES, _DICTIONARY, _BESIDES = 2 * 2**20, 2**20, 2**16
COLUMN_BYTES = _PAGES + _DICTIONARY
#: Of the memory that a command may take, what a reader may; where no limit is known, bytes.
_SHARE, _USUAL = 3 / 8, 2**30
#: Rows whose cells are looked at for how long they are.
_SAMPLE = 1_024


def reader_bytes(memory_limit: int | None) -> int:
    """The bytes that a reader may hold of all columns.

    Args:
        memory_limit: what the command may take, in bytes; None: not known.

    >>> reader_bytes(64 * 2**20) // 2**20, reader_bytes(None) // 2**20
    (24, 1024)
    """
    return _USUAL if memory_limit is None else int(_SHARE * memory_limit)


def row_batches(
    file: Any, groups: Sequence[int], columns: Sequence[str], n_rows: int, *, buffer: int, most: int
) -> Iterator[pa.RecordBatch]:
    """Some columns of some row groups in batches of `n_rows` rows, the last one of the rest.

    Args:
        file: a `ParquetFile`, open.
        groups: the row groups, in order.
        columns: their names.
        n_rows: of a batch; a column of dictionary type may have fewer.
        buffer: bytes that the file reads ahead of each column.
        most: bytes that a reader may hold; see `reader_bytes`.

    Raises:
        pa.ArrowException: if the file cannot be read.
        OSError: likewise.
        TemporaryFileError: if a temporary file is needed and cannot be made or written.
    """
    sets = list(_sets(file, groups, columns, buffer, most))
    if len(sets) < 2:
        # A second thread would keep a heap of its own, 20 MiB for 16 columns.
        yield from file.iter_batches(n_rows, groups, columns, use_threads=False)
        return
    schema = pa.schema([file.schema_arrow.field(name) for name in columns], file.schema_arrow.metadata)
    batches = (batch for group in groups for batch in from_disk(file, group, sets, n_rows, schema))
    yield from of_rows(batches, n_rows)


def rows_within(file: Any, groups: Sequence[int], columns: Sequence[str], most: int, *, sampled: bool) -> int | None:
    """How many rows take `most` bytes in memory, where cells may be longer than numbers; None: where none is.

    Args:
        file: as for `row_batches`.
        groups: the row groups; the largest one counts.
        columns: their names.
        most: bytes.
        sampled: whether rows may be read: what the file says of a column of repeated texts is shorter than these.

    Raises:
        pa.ArrowException, OSError: if the file cannot be read.
    """
    long = [name for name in columns if not _is_short(file.schema_arrow.field(name).type)]
    if not long or not groups:
        return None
    group = max(groups, key=lambda each: file.metadata.row_group(each).total_byte_size)
    about, named = file.metadata.row_group(group), frozenset(long)
    leaves = (about.column(place) for place in range(about.num_columns))
    stored = sum(each.total_uncompressed_size for each in leaves if _column_of(each, named) in named)
    widths = [stored / max(1, about.num_rows)]
    batches = file.iter_batches(_SAMPLE, [group], long, use_threads=False) if sampled else ()
    widths += [batch.nbytes / max(1, batch.num_rows) for batch in itertools.islice(batches, 1)]
    return max(1, int(most // (max(widths) + 8 * (len(columns) - len(long)))))


def _is_short(kind: pa.DataType) -> bool:
    """Whether a cell takes no more than a number; of dictionary type, without the dictionary."""
    types = pa.types
    return bool(types.is_primitive(kind) or types.is_decimal(kind) or types.is_dictionary(kind) or types.is_null(kind))


def _column_of(leaf: Any, columns: frozenset[str]) -> str:
    """The column that a stored column is, or belongs to, as the parts of one of lists or structs do."""
    path: str = leaf.path_in_schema
    return path if path in columns else path.partition(".")[0]


def of_rows(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `n_rows`, the last one of the rest.

    >>> some = [pa.record_batch({"x": pa.array([1, 2])}), pa.record_batch({"x": pa.array([3, 4, 5])})]
    >>> [batch.column("x").to_pylist() for batch in of_rows(some, 3)]
    [[1, 2, 3], [4, 5]]
    """
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        while (count := sum(each.num_rows for each in held)) >= n_rows:
            rows = pa.Table.from_batches(held)
            yield from rows.slice(0, n_rows).combine_chunks().to_batches()
            held = rows.slice(n_rows).to_batches() if count > n_rows else []
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def _sets(file: Any, groups: Sequence[int], columns: Sequence[str], buffer: int, most: int) -> Iterator[list[str]]:
    """The columns that are read together: all of them, or some at a time that a reader holds a quarter of `most` of."""
    arrow, named = file.schema_arrow, frozenset(columns)
    is_narrow = len(named) * (COLUMN_BYTES + buffer) <= most or not groups
    taken = {} if is_narrow else _bytes_of(file.metadata, groups, named, buffer)
    if sum(taken.values()) <= most or any(pa.types.is_dictionary(arrow.field(name).type) for name in named):
        yield list(columns)
        return
    some: list[str] = []
    held = 0
    for name in columns:
        if some and held + taken[name] > most // 4:
            yield some
            some, held = [], 0
        some.append(name)
        held += taken[name]
    yield some


def _bytes_of(metadata: Any, groups: Sequence[int], columns: frozenset[str], buffer: int) -> dict[str, int]:
    """Column -> the bytes that a reader holds of it, by the largest row group; one of lists or structs is several."""
    about, found = (
        max(map(metadata.row_group, groups), key=lambda each: each.total_byte_size),
        dict.fromkeys(columns, 0),
    )
    for each in map(about.column, range(about.num_columns)):
        if (name := _column_of(each, columns)) in columns:
            found[name] += min(each.total_uncompressed_size, _PAGES) + _BESIDES
            found[name] += min(each.total_compressed_size, buffer)
            if any("DICTIONARY" in encoding for encoding in each.encodings):
                found[name] += min(each.total_uncompressed_size, _DICTIONARY)
    return found


def from_disk(
    file: Any, group: int, sets: Sequence[Sequence[str]], n_rows: int, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The batches of a row group, all columns at once.

    Args:
        file: a `ParquetFile`, or what has its `iter_batches`.
        group: the row group.
        sets: the columns that are read together.
        n_rows: of a batch.
        schema: of all columns, in order.

    Raises:
        pa.ArrowException, OSError, TemporaryFileError: as `row_batches`.
    """
    with _on_disk():
        scratch = open_nameless()
    with scratch:
        places = [list(_written(scratch, file.iter_batches(n_rows, [group], some, use_threads=False))) for some in sets]
        for pieces in zip(*places, strict=True):
            columns = itertools.chain.from_iterable(_read(scratch, *place).columns for place in pieces)
            yield pa.RecordBatch.from_arrays([*columns], schema=schema)


def _written(scratch: FileIO, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, int]]:
    """Where each of some batches stands in a file that they are appended to: its first byte, and their number."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        rest = memoryview(sink.getvalue())
        place = scratch.tell(), len(rest)
        with _on_disk():
            while len(rest):
                rest = rest[scratch.write(rest) :]
        yield place
    release_unused()  # before other columns are read


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    """A context that says of a disk that is full that it is not the table that cannot be read."""
    try:
        yield
    except OSError as error:
        message = f"a temporary file with some of the columns cannot be written: {error.strerror}; set TMPDIR to a "
        raise TemporaryFileError(f"{message}folder on another disk, or raise data.memory_limit", folder()) from None


def _read(scratch: FileIO, first: int, count: int) -> pa.RecordBatch:
    scratch.seek(first)
    content = bytearray()
    while len(content) < count:
        more = scratch.read(count - len(content))
        if not more:
            raise OSError("a temporary file with columns is truncated")
        content += more
    with pa.ipc.open_stream(pa.py_buffer(content)) as stream:
        return stream.read_next_batch()
