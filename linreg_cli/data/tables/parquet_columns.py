"""Columns of numbers of Parquet files, read a few at a time, so that memory does not grow with their number.

A reader holds a page and a dictionary of each column that it reads, two to four MiB. Parquet keeps columns apart, so
reading one after the other costs no more than reading all at once.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import is_exact_in_float32, release_unused
from linreg_cli.data.columns.cell_counts import added, missing_and_infinite
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.on_disk import NumberPlaces
from linreg_cli.data.tables.blocks import plain_of
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.parquet_rows import COLUMN_BYTES, reader_bytes
from linreg_cli.data.tables.table_file import ALL_BUFFERS, TableFile
from linreg_cli.errors import DataError

#: Columns that are read together, so that two cores decode; more, where a column has fewer cells than `TOGETHER_CELLS`.
TOGETHER, TOGETHER_CELLS = 2, 2**18
#: Rows that are decoded at once.
BATCH_ROWS = 32_768


def read_numbers(
    parts: Sequence[TableFile],
    names: Sequence[str],
    marks: Sequence[float],
    rows: tuple[int, int] | None = None,
    memory_limit: int | None = None,
) -> dict[str, Numbers]:
    """Columns of numbers of any type, float64; nan where a cell is missing or one of the marks.

    Args:
        parts: Parquet files, in order.
        names: of the columns, at least one.
        marks: numbers that mean 'missing'.
        rows: the first row of all parts, from 0, and one past the last; None: all.
        memory_limit: as for `NumberPlaces`, which raises.

    Raises:
        DataError: for a part that cannot be read.
    """
    about, most = list(map(_noted, parts)), reader_bytes(memory_limit)
    begin, end = (0, sum(count for count, _ in about)) if rows is None else rows
    dtypes = []
    for name in names:
        is_short = all(is_exact_in_float32(schema.field(name).type) for _, schema in about)
        dtypes.append(np.dtype(np.float32 if is_short else np.float64))
    places, at, counts = NumberPlaces(names, end - begin, memory_limit, dtypes), 0, [(0, 0)] * len(names)
    for part, (count, _) in zip(parts, about, strict=True):
        own = max(begin - at, 0), min(end - at, count)
        if own[0] < own[1]:
            with part.reading(".parquet"):
                _put(part, names, marks, places, counts, at + own[0] - begin, own, most)
        at += count
    release_unused()
    columns = places.columns().items()
    return {name: Numbers(values, counts=found) for (name, values), found in zip(columns, counts, strict=True)}


def shape_of(path: str) -> tuple[int, int] | None:
    """Rows and columns of Parquet files of this machine, from their ends; None for others, and if they cannot be read.

    Args:
        path: as `location.locate`.
    """
    import pyarrow.parquet as pq

    try:
        found = locate(path)
        if found.suffix != ".parquet":
            return None
        ends = [pq.read_metadata(file) for file in found.files]
    except (DataError, pa.ArrowException, OSError):  # reading them says what is wrong
        return None
    return sum(int(each.num_rows) for each in ends), int(ends[0].num_columns)


def _noted(part: TableFile) -> tuple[int, pa.Schema]:
    """The number of rows of a part, and its schema; all of its metadata are as large as a block of rows."""
    import pyarrow.parquet as pq

    with part.reading(".parquet"), part.opened() as bytes_:
        found = pq.read_metadata(bytes_)
        return int(found.num_rows), found.schema.to_arrow_schema()


def row_groups(metadata: Any, rows: tuple[int, int] | None) -> tuple[list[int], int]:
    """The row groups that some rows lie in, and the number of the first row in these; others are not read."""
    ends = list(itertools.accumulate(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)))
    if rows is None:
        return list(range(len(ends))), 0
    starts = [0, *ends]
    found = [group for group, end in enumerate(ends) if starts[group] < rows[1] and end > rows[0]]
    return found, starts[found[0]] if found else 0


def between(batches: Iterable[pa.RecordBatch], at: int, rows: tuple[int, int] | None) -> Iterator[pa.RecordBatch]:
    """The rows from one to another, of batches that begin at row `at`."""
    for batch in batches:
        if rows is None:
            yield batch
            continue
        start, at = at, at + batch.num_rows
        first, last = max(rows[0], start), min(rows[1], at)
        if first < last:
            yield batch.slice(first - start, last - first)
        if at >= rows[1]:
            return


def _put(
    part: TableFile,
    names: Sequence[str],
    marks: Sequence[float],
    places: NumberPlaces,
    counts: list[tuple[int, int]],
    first: int,
    rows: tuple[int, int],
    most: int,
) -> None:
    """Put some rows of the columns of a part from row `first` on, and add to the counts of `Numbers`.

    Raises:
        pa.ArrowException, OSError: if it cannot be read.
    """
    from linreg_cli.data.tables.parquet_ahead import opened_parquet

    count = rows[1] - rows[0]
    groups = list(_groups(len(names), count, most // 2 if part.is_object else 0))
    with opened_parquet(part, max(map(len, groups)), min(ALL_BUFFERS, most // 2)) as file:
        for some in groups:
            at = first
            own, begin = row_groups(file.metadata, rows)
            batches = file.iter_batches(BATCH_ROWS, own, columns=[names[column] for column in some])
            for batch in between(batches, begin, rows):
                for column in some:
                    values = plain_of(batch.column(names[column]), marks)
                    places.put(column, at, values)
                    counts[column] = added([counts[column], missing_and_infinite(values)])
                at += batch.num_rows
            if at != first + count:
                raise OSError(f"{at - first} rows were found, and {count} are noted")


def _groups(n_columns: int, n_rows: int, most: int) -> Iterator[range]:
    """The positions of columns that are read together: more, where their pages may take `most` bytes."""
    together = max(TOGETHER, -(-TOGETHER_CELLS // max(1, n_rows)), most // COLUMN_BYTES)
    for begin in range(0, n_columns, together):
        yield range(begin, min(begin + together, n_columns))
