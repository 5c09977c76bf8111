"""Columns of numbers of Parquet files, read a few at a time, so that memory does not grow with their number.

A reader holds a page and a dictionary of each column that it reads, two to four MiB. Parquet keeps columns apart, so
reading one after the other costs no more than reading all at once.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.on_disk import NumberPlaces
from linreg_cli.data.tables.blocks import float64_of
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError

#: Columns that are read together, so that two cores decode; more, where a column has fewer cells than `TOGETHER_CELLS`.
TOGETHER, TOGETHER_CELLS = 2, 2**18
#: Rows that are decoded at once.
BATCH_ROWS = 32_768


def read_numbers(
    parts: Sequence[TableFile],
    names: Sequence[str],
    marks: Sequence[float],
    guarded: Callable[[TableFile, Callable[[], None]], None],
) -> dict[str, Numbers]:
    """Columns of numbers of any type, float64; nan where a cell is missing or one of the marks.

    Args:
        parts: Parquet files, in order.
        names: of the columns, at least one.
        marks: numbers that mean 'missing'.
        guarded: calls a function that reads a part.
    """
    counts: list[int] = []
    for part in parts:
        guarded(part, functools.partial(_count, part, counts))
    places, first = NumberPlaces(names, sum(counts)), 0
    for part, count in zip(parts, counts, strict=True):
        guarded(part, functools.partial(_put, part, names, marks, places, first, count))
        first += count
    release_unused()
    return {name: Numbers(values) for name, values in places.columns().items()}


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


def _count(part: TableFile, counts: list[int]) -> None:
    import pyarrow.parquet as pq

    with part.opened() as bytes_:
        counts.append(int(pq.read_metadata(bytes_).num_rows))


def _put(
    part: TableFile, names: Sequence[str], marks: Sequence[float], places: NumberPlaces, first: int, count: int
) -> None:
    """Put the columns of a part from row `first` on.

    Raises:
        pa.ArrowException, OSError: if it cannot be read.
    """
    import pyarrow.parquet as pq

    groups = list(_groups(len(names), count))
    buffer = part.buffer_bytes(max(map(len, groups)))
    # `buffer_size`: otherwise a whole row group is read at once
    with part.opened() as bytes_, pq.ParquetFile(bytes_, pre_buffer=False, buffer_size=buffer) as file:
        for some in groups:
            at = first
            for batch in file.iter_batches(BATCH_ROWS, columns=[names[column] for column in some]):
                for column in some:
                    places.put(column, at, float64_of(batch.column(names[column]), marks))
                at += batch.num_rows
            if at != first + count:
                raise OSError(f"{at - first} rows were found, and {count} are noted")


def _groups(n_columns: int, n_rows: int) -> Iterator[range]:
    """The positions of columns that are read together."""
    together = max(TOGETHER, -(-TOGETHER_CELLS // max(1, n_rows)))
    for begin in range(0, n_columns, together):
        yield range(begin, min(begin + together, n_columns))
