"""Reading tables block by block: numbers are stored once, as float64; other columns as Arrow chunks."""

import contextlib
import contextvars
import itertools
import math
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.columns.arrow import is_text_type, plain_numbers, release_unused
from linreg_cli.data.columns.cell_counts import added, missing_and_infinite
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, Numbers, as_number
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.tables.leading_zeros import LeadingZerosError
from linreg_cli.data.tables.table import Cells, is_number_type
from linreg_cli.errors import DataError, OutOfMemoryError

Item = TypeVar("Item")

#: Bytes of text that are parsed at once: many rows, and few bytes beside the columns that they become.
BLOCK_BYTES = 2**20
#: Bytes of the longest line that is read in blocks.
_LONGEST_LINE = 32 * 2**20


#: Why a CSV is read as a whole.
UNEVEN = "a CSV with line breaks in quotes, or lines of more than 32 MiB, is read as a whole"


class UnevenLinesError(ValueError):
    """A line has an odd number of quotes (a quoted line break) or is too long; the file must be read as a whole."""


class NotInBlocksError(ValueError):
    """A table that must be read as a whole: its lines do not show where its rows end, or something is wrong in it."""


@contextlib.contextmanager
def whole_says_more() -> Iterator[None]:
    """A context in which what is wrong with a table says that it must be read as a whole, which finds all of it.

    Other errors are left as they are: reading an object that is gone again, or without the temporary file for which
    there is no space, would not be what was asked for.

    Raises:
        NotInBlocksError: for what is wrong in the table, and rows that do not end with their lines.

    >>> with whole_says_more():
    ...     raise DataError("'?' is not a number", "t.csv, row 2")
    Traceback (most recent call last):
    linreg_cli.data.tables.blocks.NotInBlocksError: t.csv, row 2: '?' is not a number
    """
    try:
        yield
    except (DataError, UnevenLinesError, LeadingZerosError, pa.ArrowException, UnicodeDecodeError) as error:
        if OutOfMemoryError.is_meant_by(error) or (isinstance(error, DataError) and not error.about_content):
            raise
        # Arrow counts the rows of the block
        raise NotInBlocksError(re.sub(r"\bRow #\d+: ", "", str(error))) from None


class ColumnSink:
    """Collects blocks of rows and returns their cells. Each number is copied once.

    Args:
        numbers: names of the columns that become float64; a missing cell is nan.
        missing_values: cells that mean 'missing'; only those that are numbers are used.
        memory_limit: bytes that numbers may take in memory where the disk cannot be written; None: any number.
    """

    def __init__(
        self, numbers: Sequence[str], missing_values: Collection[str], memory_limit: int | None = None
    ) -> None:
        self._names = list(numbers)
        self._known = frozenset(numbers)
        self._marks = numeric_marks(missing_values)
        self._numbers, self._counts = NumberSink(self._names, memory_limit), dict.fromkeys(self._names, (0, 0))
        self._others: list[pa.Table] = []

    def add(self, block: pa.Table | pa.RecordBatch) -> None:
        """Copy the cells of some rows; raises as `NumberSink.add`."""
        columns = [float64_of(block.column(name), self._marks) for name in self._names]
        self._numbers.add(columns)
        for name, column in zip(self._names, columns, strict=True):
            self._counts[name] = added([self._counts[name], missing_and_infinite(column)])
        others = [name for name in block.schema.names if name not in self._known]
        if others or not self._names:
            self._others.append(pa.table({name: _compact(block.column(name)) for name in others}))

    def cells(self) -> Cells:
        """The cells of all blocks.

        Raises:
            pa.ArrowException: if the types of a column in two blocks cannot be combined.
        """
        others = pa.concat_tables(self._others, promote_options="permissive") if self._others else pa.table({})
        release_unused()
        columns = self._numbers.columns()
        return Cells({name: Numbers(values, counts=self._counts[name]) for name, values in columns.items()}, others)


def numeric_marks(missing_values: Collection[str]) -> list[float]:
    """The cells that mean 'missing' and are numbers, such as -999."""
    return [mark for mark in map(as_number, missing_values) if mark is not None]


def float64_of(column: pa.Array | pa.ChunkedArray, marks: Sequence[float]) -> Column:
    """A column of numbers of any type, shape (n_rows,), float64; nan where a cell is missing or one of the marks."""
    return plain_of(column, marks).astype(np.float64, copy=False)


def plain_of(column: pa.Array | pa.ChunkedArray, marks: Sequence[float]) -> npt.NDArray[Any]:
    """As `float64_of`, in a type from which float64 gives the same numbers; a view of the column where it can be."""
    parts = [plain_numbers(part) for part in _chunks(column)]
    found = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])
    if marks and (gaps := np.isin(found, marks)).any():
        return np.where(gaps, np.nan, found)
    return found


def _put_float64(column: pa.Array | pa.ChunkedArray, marks: Sequence[float], out: Column) -> None:
    """As `float64_of`, into an array."""
    at = 0
    for part in _chunks(column):
        out[at : at + len(part)] = plain_of(part, marks)
        at += len(part)


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _compact(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Text in dictionary encoding, which stores each text once and takes one byte a cell for up to 128 of them."""
    if not is_text_type(column.type):
        return column
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        return pa.chunked_array([_narrow(chunk) for chunk in encoded.chunks]) if encoded.num_chunks else encoded
    return _narrow(encoded)


def _narrow(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    n_levels = len(encoded.dictionary)
    kind = pa.int8() if n_levels <= 2**7 else pa.int16() if n_levels <= 2**15 else pa.int32()
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind), encoded.dictionary)


def cells_of(table: pa.Table, columns: Sequence[str], missing_values: Collection[str]) -> Cells:
    """The cells of a table that was read as a whole.

    Args:
        table: columns of any types.
        columns: names of the columns that become float64 if their type is numeric.
        missing_values: cells that mean 'missing'.
    """
    numbers = [name for name in columns if is_number_type(table.schema.field(name).type)]
    sink = ColumnSink(numbers, missing_values)
    for batch in table.to_batches(BLOCK_ROWS) or [table]:
        sink.add(batch)
    return sink.cells()


def cells_of_block(block: pa.Table, columns: Sequence[str], missing_values: Collection[str]) -> Cells:
    """As `cells_of`, of a few rows, which stay in memory."""
    numbers = [name for name in columns if is_number_type(block.schema.field(name).type)]
    marks = numeric_marks(missing_values)
    values = np.empty((len(numbers), block.num_rows))
    for name, out in zip(numbers, values, strict=True):
        _put_float64(block.column(name), marks, out)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = values.sum(axis=1).tolist()  # of all columns at once: that of cells of which one is not finite is not
    found = {
        name: Numbers(out, counts=(0, 0) if math.isfinite(total) else None)
        for name, out, total in zip(numbers, values, sums, strict=True)
    }
    return Cells(found, block.select([name for name in block.column_names if name not in found]))


def block_bytes(n_columns: int) -> int:
    """The size of a block: about 64 rows of a wide table, since each column of a block costs as much as many cells.

    >>> block_bytes(10), block_bytes(10_000), block_bytes(1_000_000)
    (1048576, 5120000, 33554432)
    """
    return max(BLOCK_BYTES, min(_LONGEST_LINE, 512 * n_columns))


def line_blocks(stream: Any, size: int = BLOCK_BYTES, *, checked: bool = True) -> Iterator[bytes]:
    """The bytes of a text file in blocks of complete lines.

    Args:
        stream: an open binary file.
        size: bytes of a block, about.
        checked: whether quotes are looked at.

    Raises:
        UnevenLinesError: for a line that is too long, and one with an odd number of quotes, whose end may not be the
            end of a row.
    """
    rest = b""
    while chunk := stream.read(size):
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            if len(rest) > _LONGEST_LINE:
                raise UnevenLinesError
            continue
        block = b"".join((rest, memoryview(chunk)[:cut]))
        if checked:
            refuse_uneven(block)
        rest = chunk[cut:]
        yield block
    if rest.strip(b"\r\n"):
        if checked:
            refuse_uneven(rest + b"\n")
        yield rest


def refuse_uneven(block: bytes) -> None:
    """Refuse lines with an odd number of quotes, whose ends may not be ends of rows.

    Raises:
        UnevenLinesError: if a line has one.
    """
    if b'"' not in block:
        return
    marks = np.frombuffer(block, np.uint8)
    quotes, ends = np.flatnonzero(marks == ord('"')), np.flatnonzero(marks == ord("\n"))
    if (np.searchsorted(quotes, ends) % 2).any():
        raise UnevenLinesError


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items of an iterator, each made by a thread while the one before it is used.

    >>> list(one_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    context = contextvars.copy_context()

    def made() -> list[Item]:
        return context.run(lambda: list(itertools.islice(items, 1)))

    with ThreadPoolExecutor(1, "linreg-ahead") as pool:
        following = pool.submit(made)
        while found := following.result():
            following = pool.submit(made)
            yield found.pop()  # the caller alone holds it


def in_parallel(work: Callable[[int, bytes], pa.Table], blocks: Iterable[bytes]) -> Iterator[pa.Table]:
    """Apply a function to blocks in parallel threads (pyarrow releases the GIL), with the results in order.

    Args:
        work: (position of the block, its bytes) -> table.
        blocks: bytes.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(4, available)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[pa.Table]] = deque()
        try:
            for number, block in enumerate(blocks):
                pending.append(pool.submit(work, number, block))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for each in pending:
                each.cancel()
