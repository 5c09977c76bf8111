"""Writing tables, batch by batch, in the format that the suffix names."""

import contextlib
import csv
import functools
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.errors import UsageError
from linreg_cli.paths import is_written_through

#: Suffix -> (delimiter of a text format or None, compression or None).
_FORMATS: dict[str, tuple[str | None, str | None]] = {
    ".csv": (",", None),
    ".csv.gz": (",", "gzip"),
    ".csv.zst": (",", "zstd"),
    ".tsv": ("\t", None),
    ".parquet": (None, None),
    ".arrow": (None, None),
    ".feather": (None, None),
    ".jsonl": (None, None),
}

#: Bytes of a row group of a Parquet file that is written: at least these, and of a wide table more, so that a column of
#: a group has more than its description, but no more than the last.
GROUP_BYTES, COLUMN_BYTES, LARGEST_GROUP = 2 * 2**20, 8 * 2**10, 64 * 2**20
#: Of a long file also more: the square root of the bytes so far times these for each column. Descriptions of all groups
#: and the rows of one then grow with the square root of the file.
_DESCRIPTION = 512


def table_suffix(path: str | Path) -> str:
    """The suffix of a path that names the format, in lower case; `.csv` for a pipe or a device without one.

    >>> table_suffix("a/Houses.CSV.gz")
    '.csv.gz'

    Raises:
        UsageError: for a format that linreg does not write.
    """
    name = Path(path).name.lower()
    for suffix in sorted(_FORMATS, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    if is_written_through(Path(path)):
        return ".csv"
    raise UsageError(f"unknown file format; the name must end in one of {', '.join(_FORMATS)}", str(path))


def truth_path(table: Path) -> Path:
    """The path of the true parameters of a generated table, beside it.

    >>> truth_path(Path("a/houses.csv.gz")).as_posix()
    'a/houses.truth.json'

    Raises:
        UsageError: as `table_suffix`.
    """
    return table.with_name(table.name[: -len(table_suffix(table))] + ".truth.json")


def is_text_suffix(suffix: str) -> bool:
    """Whether a format is text, whose columns have no types.

    >>> is_text_suffix(".csv.gz"), is_text_suffix(".parquet")
    (True, False)
    """
    return _FORMATS[suffix][0] is not None


def write_table(
    target: Path | IO[bytes], suffix: str, rows: pa.Table | Iterable[pa.RecordBatch], delimiter: str | None = None
) -> int:
    """Write a table, or batches of rows as they come; returns the number of rows.

    Args:
        target: a path, or an open binary file.
        suffix: the format, from `table_suffix`; it need not be the suffix of the path.
        rows: a table, or at least one batch, all of one schema.
        delimiter: of a .csv; None: a comma.

    Raises:
        OSError: if the file cannot be written.
        pa.ArrowException: if the format does not support the type of a column.
    """
    usual, compression = _FORMATS[suffix]
    delimiter = delimiter if delimiter is not None and usual == "," else usual
    if isinstance(rows, pa.Table):
        rows = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
    iterator = iter(rows)
    first = next(iterator)
    n_rows = 0
    with _writer(target, suffix, first.schema, delimiter, compression) as writer:
        for batch in itertools.chain([first], iterator):
            writer.write_batch(batch)
            n_rows += batch.num_rows
    return n_rows


def _has_marks(column: pa.Array, delimiter: str) -> bool:
    """Whether a cell of the column needs quotes in a CSV."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return not (pa.types.is_primitive(column.type) or pa.types.is_null(column.type))
    return bool(pc.any(pc.match_substring_regex(column, f'[,\\t"\\r\\n{re.escape(delimiter)}]')).as_py())


class _CsvWriter:
    """Writes a CSV with quotes only where a cell needs them; pyarrow quotes every cell of text, or none.

    Args:
        sink: an open binary file.
        plain: opens pyarrow's writer to the same file, without quotes, which is faster and does not know every type.
        delimiter: between the cells.
    """

    def __init__(self, sink: Any, plain: Callable[[], Any], delimiter: str) -> None:
        self._sink, self._open, self._delimiter = sink, plain, delimiter
        self._plain: Any = None

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        if not any(_has_marks(column, self._delimiter) for column in batch.columns):
            self._plain = self._plain or self._open()
            self._plain.write_batch(batch)
            return
        text = io.StringIO()
        columns = (pc.fill_null(pc.cast(column, pa.string()), "").to_pylist() for column in batch.columns)
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n").writerows(zip(*columns, strict=True))
        self._sink.write(text.getvalue().encode())


class _GroupWriter:
    """Writes a Parquet file in row groups of some mebibytes, whatever the size of the batches.

    The description of every column of every row group, 2 kB, stays in memory until the file ends: of 2,600,000 rows of
    17 columns in groups of 8,000 rows 10 MiB. Groups of 4 MiB take as much for their pages.

    Args:
        writer: pyarrow's, which writes what it is given as a group of its own.
        n_columns: of the table.
    """

    def __init__(self, writer: Any, n_columns: int) -> None:
        self._writer, self._held, self._bytes = writer, list[pa.RecordBatch](), 0
        self._least = max(GROUP_BYTES, min(COLUMN_BYTES * n_columns, LARGEST_GROUP))
        self._description, self._written = _DESCRIPTION * n_columns, 0

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write some rows, or keep them for the next group."""
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= max(self._least, math.isqrt(self._description * self._written)):
            self.write_held()

    def write_held(self) -> None:
        """Write the rows that are kept as a group."""
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held, self._bytes, self._written = [], 0, self._written + self._bytes


class _JsonWriter:
    """Writes JSON Lines; what JSON has no form for, such as a date, is text, and a number that is not finite is null.

    Args:
        sink: an open binary file.
    """

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        columns, names = [_jsonable(column) for column in batch.columns], batch.schema.names
        rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
        self._sink.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())


def _jsonable(column: pa.Array) -> list[Any]:
    if pa.types.is_floating(column.type):
        return [value if value is not None and math.isfinite(value) else None for value in column.to_pylist()]
    plain = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type)
    return list((column if plain else pc.cast(column, pa.string())).to_pylist())


@contextlib.contextmanager
def _writer(
    target: Path | IO[bytes],
    suffix: str,
    schema: pa.Schema,
    delimiter: str | None,
    compression: str | None,
) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(open(target, "wb")) if isinstance(target, Path) else target
        if delimiter is not None:
            import pyarrow.csv as pcsv

            if compression is not None:
                sink = stack.enter_context(pa.CompressedOutputStream(sink, compression))
            # pyarrow quotes every name in a header; this quotes only those that need it.
            header = io.StringIO()
            csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(schema.names)
            sink.write(header.getvalue().encode())
            options = pcsv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
            opened = functools.partial(pcsv.CSVWriter, sink, schema, write_options=options)
            yield _CsvWriter(sink, lambda: stack.enter_context(opened()), delimiter)
        elif suffix == ".jsonl":
            yield _JsonWriter(sink)
        elif suffix == ".parquet":
            import pyarrow.parquet as pq

            held = _GroupWriter(stack.enter_context(pq.ParquetWriter(sink, schema)), len(schema))
            yield held
            held.write_held()
        else:
            yield stack.enter_context(pa.ipc.new_file(sink, schema))
