"""Columns that arrive block by block, kept once: numbers as one float64 array each, text as Arrow chunks."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.buffers import to_arrow, to_numpy

#: Bytes of text that are parsed at once: many rows, and little beside the columns that they become.
BLOCK_BYTES = 2**20
#: A line longer than this is no line of a table.
_LONGEST_LINE = 32 * 2**20


class UnevenLinesError(ValueError):
    """A line holds one end of a quoted line break, or is too long to be one: its file must be read whole."""


class ColumnSink:
    """Takes tables of a few thousand rows and gives one table, with each number copied once.

    Arrays are allocated for the rows expected; pages that nothing was written to take no memory.

    Args:
        numbers: columns that become float64; a missing cell is nan.
        expected_rows: how many rows will come, roughly.
    """

    def __init__(self, numbers: Sequence[str], expected_rows: int) -> None:
        self._n_rows = 0
        self._arrays = {name: np.empty(max(expected_rows, 1)) for name in numbers}
        self._others: list[pa.Table] = []
        self._names: list[str] = []

    def add(self, block: pa.Table | pa.RecordBatch) -> None:
        """Copy the cells of some rows."""
        self._names = block.schema.names
        start, stop = self._n_rows, self._n_rows + block.num_rows
        for name, array in self._arrays.items():
            if stop > len(array):
                array.resize(max(stop, len(array) * 5 // 4), refcheck=False)
            at = start
            column = block.column(name)
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                array[at : at + len(chunk)] = _float64(chunk)
                at += len(chunk)
        others = [name for name in self._names if name not in self._arrays]
        if others:
            self._others.append(pa.table({name: block.column(name) for name in others}))
        self._n_rows = stop

    def table(self) -> pa.Table:
        """What was added, in the order of its columns; the numbers are not copied again.

        Raises:
            pa.ArrowException: if a column changed its type on the way to something else.
        """
        columns: dict[str, Any] = dict.fromkeys(self._names)
        if self._others:
            others = pa.concat_tables(self._others, promote_options="permissive")
            columns |= dict(zip(others.column_names, others.columns, strict=True))
        columns |= {name: to_arrow(array[: self._n_rows]) for name, array in self._arrays.items()}
        pa.default_memory_pool().release_unused()
        return pa.table(columns)


def _float64(chunk: pa.Array) -> npt.NDArray[np.float64]:
    values = chunk if pa.types.is_float64(chunk.type) else chunk.cast(pa.float64(), safe=False)
    return to_numpy(pa.chunked_array([values]))


def line_blocks(stream: Any, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes of a text file in blocks of whole lines.

    Raises:
        UnevenLinesError: where a line has an odd number of quote marks, so that its end may not be the end of a row.
    """
    rest = b""
    while chunk := stream.read(size):
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            if len(rest) > _LONGEST_LINE:
                raise UnevenLinesError
            continue
        block = rest + chunk[:cut]
        _refuse_uneven(block)
        rest = chunk[cut:]
        yield block
    if rest.strip(b"\r\n"):
        _refuse_uneven(rest + b"\n")
        yield rest


def _refuse_uneven(block: bytes) -> None:
    if b'"' not in block:
        return
    marks = np.frombuffer(block, np.uint8)
    quotes, ends = np.flatnonzero(marks == ord('"')), np.flatnonzero(marks == ord("\n"))
    if (np.searchsorted(quotes, ends) % 2).any():
        raise UnevenLinesError


def in_parallel(work: Callable[[int, bytes], pa.Table], blocks: Iterable[bytes]) -> Iterator[pa.Table]:
    """`work` on each block (its number, its bytes), in order, a few at a time: pyarrow parses without Python's lock."""
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
