"""One file of a CSV table: its header, and its rows with the types that the table asks for."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from linreg_cli.data.tables.blocks import BLOCK_BYTES, UnevenLinesError, block_bytes, in_parallel, line_blocks
from linreg_cli.data.tables.csv_faults import malformed
from linreg_cli.data.tables.csv_file import CsvFile
from linreg_cli.data.tables.leading_zeros import LeadingZerosError, cells_with_leading_zeros, suspects
from linreg_cli.data.tables.line_rows import SCAN_BYTES, Lines, lines_between, lines_of
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import DataError, Fault

#: Bytes from which the types of the columns are inferred.
_HEAD_BYTES = 2**20

#: The types of the columns that are read -> how pyarrow converts their cells; None: to the types that are seen.
Converting = Callable[[Mapping[str, pa.DataType] | None], pcsv.ConvertOptions]


class CsvPart:
    """A CSV file. The header is read at once, the cells on demand.

    Args:
        path: the file.
        text: how it is written, with a delimiter.
        converting: how the table converts cells.

    Attributes:
        file: its bytes.
        seen: its columns, with the types that their first cells have.
        coded: columns with a leading zero among those cells.

    Raises:
        DataError: for a file that cannot be read, is another format, or has no valid header.
    """

    def __init__(self, path: str, text: TextFormat, converting: Converting) -> None:
        self.file = CsvFile(path, text)
        self._delimiter, self._converting = str(text.delimiter), converting
        self.seen, self.coded = self._header()
        self.columns: list[str] = self.seen.names

    def read(self, options: pcsv.ConvertOptions) -> pa.Table:
        """The rows.

        Raises:
            pa.ArrowInvalid: for a line that is not valid CSV, and a cell that cannot be converted.
        """
        # Without newlines_in_values, a quoted line break at the end of a block silently splits its row.
        parsing = pcsv.ParseOptions(
            delimiter=self._delimiter,
            newlines_in_values=self.file.has_quotes,
            ignore_empty_lines=len(self.columns) > 1,  # a blank line in a table of one column is a missing cell
        )
        with self.file.open() as stream:
            if len(self.columns) == 1:
                stream = pa.BufferReader(stream.read().strip(b"\r\n") + b"\n")
            return pcsv.read_csv(stream, parse_options=parsing, convert_options=options)

    def blocks(
        self, options: pcsv.ConvertOptions, numbers: Collection[str], finish: Callable[[pa.Table], pa.Table],
        rows: tuple[int, int] | None = None,
    ) -> Iterator[pa.Table]:  # fmt: skip
        """The rows in blocks.

        Args:
            options: how cells are converted.
            numbers: columns whose cells are to be numbers.
            finish: applied to each block, in parallel.
            rows: the first row, from 0, and one past the last, which alone are parsed; None: all.

        Raises:
            UnevenLinesError: for a file that must be read as a whole.
            LeadingZerosError: for columns to be read as text.
            pa.ArrowInvalid: as `read`.
        """
        if len(self.columns) == 1:
            raise UnevenLinesError  # a blank line is a missing cell
        parsing = pcsv.ParseOptions(delimiter=self._delimiter)

        def parse(number: int, block: bytes) -> pa.Table:
            if b"\0" in block:
                raise self.file.holds_nul()
            names = self.columns if number or rows is not None else None
            reading = pcsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names)
            coded = suspects(block, self._delimiter, self.columns).intersection(numbers)
            if coded and (coded := self._with_leading_zeros(block, reading, parsing, coded)):
                raise LeadingZerosError(coded)
            return finish(pcsv.read_csv(pa.BufferReader(block), reading, parsing, options))

        with self.file.open() as stream:
            yield from in_parallel(parse, self._line_blocks(stream, rows))

    def _line_blocks(self, stream: Any, rows: tuple[int, int] | None) -> Iterator[bytes]:
        """The bytes of the file in blocks of complete lines, or those of some rows."""
        size = block_bytes(len(self.columns))
        if rows is None:
            yield from line_blocks(stream, size)
            return
        first, last, at = rows[0] + 1, rows[1] + 1, 0  # the header is the first line
        if stream.seekable():
            byte, at = self._lines.at(first)
            stream.seek(byte)
        yield from lines_between(line_blocks(stream, size, checked=False), first, last, at)

    @property
    def n_lines(self) -> int:
        """How many lines with a character there are below the header; nothing is parsed.

        Raises:
            UnevenLinesError: for a line that is too long, and quotes that do not end in the header.
        """
        return self._lines.count - 1

    @cached_property
    def _lines(self) -> Lines:
        size = max(SCAN_BYTES, 16 * len(self.columns))
        with self.file.open() as stream:
            return lines_of(line_blocks(stream, size, checked=False))

    def may_have_leading_zeros(self) -> bool:
        """Whether a cell of the file may have a leading zero."""
        with self.file.open() as stream:
            rest = b""
            while block := stream.read(BLOCK_BYTES):
                if suspects(rest + block, self._delimiter, self.columns):
                    return True
                rest = block[-3:]
        return False

    def n_rows(self) -> int:
        """How many rows the file has; every column is read."""
        return int(self.read(as_it_is(self.columns)).num_rows)

    def malformed(self, error: pa.ArrowInvalid) -> DataError:
        """The error for lines that are not valid CSV."""
        return DataError([malformed(self.file, self._delimiter, str(error))])

    def _with_leading_zeros(
        self, block: bytes, reading: pcsv.ReadOptions, parsing: pcsv.ParseOptions, columns: Collection[str]
    ) -> set[str]:
        """Which of the columns have a cell with a leading zero that does not mean 'missing'."""
        options = self._converting(dict.fromkeys(columns, pa.string()))
        table = pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)
        return {column for column in columns if pc.any(cells_with_leading_zeros(table.column(column))).as_py()}

    def _header(self) -> tuple[pa.Schema, set[str]]:
        # Names, and types inferred from the first block; only the header can fail. The block is read as a whole: a
        # streaming reader that is not exhausted leaves a thread that can abort the process at exit.
        options = pcsv.ReadOptions(use_threads=False)
        parsing = pcsv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=lambda _: "skip")
        try:
            with self.file.open() as stream:
                head = stream.read(_HEAD_BYTES)
            if len(head) == _HEAD_BYTES and b"\n" in head:
                head = head[: head.rindex(b"\n") + 1]
            if self._delimiter.encode() not in head.split(b"\n", 1)[0]:
                head.decode("utf-8")  # pyarrow's handler of invalid rows could not be told of a line that is not
            seen = pcsv.read_csv(pa.BufferReader(head), options, parsing, self._converting(None))
            schema = seen.schema
            names = schema.names  # raises if the header is not UTF-8
            coded = {name for name in suspects(head, self._delimiter, names) if names.count(name) == 1}
            return schema, self._with_leading_zeros(head, options, parsing, coded) if coded else set()
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise DataError("the table has no rows", self.file.name) from None
            raise self.malformed(error) from None
        except UnicodeDecodeError:
            raise DataError([self.file.undecodable() or Fault("the header is not UTF-8", self.file.name)]) from None


def as_it_is(columns: Collection[str]) -> pcsv.ConvertOptions:
    """Every cell of every column as text."""
    return pcsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False)
