"""Tables to disk, chunk by chunk, in the format that the suffix names."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from linreg_cli.errors import UsageError

#: Suffix -> how it is written: delimiter for text, None for the others; and the compression.
_FORMATS: dict[str, tuple[str | None, str | None]] = {
    ".csv": (",", None),
    ".csv.gz": (",", "gzip"),
    ".csv.zst": (",", "zstd"),
    ".tsv": ("\t", None),
    ".parquet": (None, None),
    ".arrow": (None, None),
    ".feather": (None, None),
}


def table_suffix(path: str | Path) -> str:
    """The suffix that says the format, such as `.csv.gz`.

    Raises:
        UsageError: for one that is not written.
    """
    name = Path(path).name.lower()
    for suffix in sorted(_FORMATS, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    raise UsageError(f"cannot tell the format from the name; it must end in one of {', '.join(_FORMATS)}", str(path))


def write_table(target: Path | IO[bytes], suffix: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches of rows, one at a time; returns the number of rows.

    Args:
        target: a path, or an open binary file.
        suffix: from `table_suffix`; it need not be that of the path.
        batches: at least one, all of one schema.
    """
    iterator = iter(batches)
    first = next(iterator)
    n_rows = 0
    with _writer(target, suffix, first.schema) as writer:
        for batch in _chain(first, iterator):
            writer.write_batch(batch)
            n_rows += batch.num_rows
    return n_rows


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


@contextlib.contextmanager
def _writer(target: Path | IO[bytes], suffix: str, schema: pa.Schema) -> Iterator[Any]:
    delimiter, compression = _FORMATS[suffix]
    sink = str(target) if isinstance(target, Path) else target
    with contextlib.ExitStack() as stack:
        if delimiter is not None:
            import pyarrow.csv as pcsv

            if compression is not None:
                sink = stack.enter_context(pa.CompressedOutputStream(sink, compression))
            options = pcsv.WriteOptions(delimiter=delimiter, quoting_style="needed")
            yield stack.enter_context(pcsv.CSVWriter(sink, schema, write_options=options))
        elif suffix == ".parquet":
            import pyarrow.parquet as pq

            yield stack.enter_context(pq.ParquetWriter(sink, schema))
        else:
            yield stack.enter_context(pa.ipc.new_file(sink, schema))
