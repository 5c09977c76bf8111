"""CSV and TSV files, plain or compressed, read by pyarrow, with errors that name the line."""

import csv
import io
import os
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from linreg_cli.data.tables import header
from linreg_cli.data.tables.blocks import (
    BLOCK_BYTES,
    ColumnSink,
    UnevenLinesError,
    block_bytes,
    cells_of,
    in_parallel,
    line_blocks,
)
from linreg_cli.data.tables.leading_zeros import LeadingZerosError, cells_with_leading_zeros, suspects
from linreg_cli.data.tables.table import Cells
from linreg_cli.data.tables.text_numbers import as_exact_numbers, as_numbers
from linreg_cli.errors import DataError, Fault

#: First bytes of files that are often misnamed .csv.
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; save the sheet as CSV",
    b"\x1f\x8b": "gzip; rename it to .csv.gz",
    b"\x28\xb5\x2f\xfd": "zstd; rename it to .csv.zst",
    b"PAR1": "Parquet; rename it to .parquet",
    b"ARROW1": "Arrow; rename it to .arrow",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}

#: Bytes from which the types of the columns are inferred.
_HEAD_BYTES = 2**20


class CsvTable:
    """A CSV file. The header is read at once, the cells on `read`.

    Args:
        path: the file.
        delimiter: between the cells.
        missing_values: cells that mean 'missing'.

    Raises:
        DataError: for a file that cannot be read, is another format, or has no valid header.
    """

    index = frozenset[str]()

    def __init__(self, path: str, delimiter: str, missing_values: Sequence[str]) -> None:
        self.name = path
        self.delimiter = delimiter
        self._missing_values = list(missing_values)
        self._refuse_other_kinds()
        self._seen = self._header()
        self.columns: list[str] = self._seen.names

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`.

        Raises:
            DataError: for a line that is not valid CSV.
        """
        worded = {column for column in either if self._seems_text(column)} | (self._coded & {*columns, *either})
        while True:
            types = dict.fromkeys((*columns, *either), pa.float64()) | dict.fromkeys((*text, *worded), pa.string())
            options = pcsv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=self._missing_values,
                strings_can_be_null=True,
            )
            read: Cells | None = None
            try:
                read = self._read_in_blocks(options)
            except UnevenLinesError:
                read = self._read_whole(options)
            except LeadingZerosError as error:
                worded |= error.columns
                continue
            except pa.ArrowInvalid:
                pass
            break
        if read is None:  # a cell in a column of numbers is not a number
            return self._cells(self._read_as_text(columns, text, either), [*columns, *either])
        ambiguous = [column for column in either if column in worded]
        turned = self._cells(self.numbers(read.others, ambiguous), ambiguous)
        return Cells({**read.numbers, **turned.numbers}, turned.others)

    def _cells(self, table: pa.Table, columns: Sequence[str]) -> Cells:
        return cells_of(table, columns, self._missing_values)

    def _read_whole(self, options: pcsv.ConvertOptions) -> Cells | None:
        """The cells of a file that cannot be read in blocks; None if `_read_as_text` is needed."""
        try:
            with self._stream() as stream:
                rest = b""
                while block := stream.read(BLOCK_BYTES):
                    if suspects(rest + block, self.delimiter, self.columns):
                        return None
                    rest = block[-3:]
            return self._cells(self._read(options), options.include_columns)
        except pa.ArrowInvalid:
            return None

    def _read_in_blocks(self, options: pcsv.ConvertOptions) -> Cells:
        """The cells that `_read` returns, with little memory beside the columns.

        Raises:
            UnevenLinesError: for a file that must be read as a whole.
            LeadingZerosError: for columns to be read as text.
            pa.ArrowInvalid: as `_read`.
        """
        if len(self.columns) == 1:
            raise UnevenLinesError  # a blank line is a missing cell
        parsing = pcsv.ParseOptions(delimiter=self.delimiter)

        # Read once, since pyarrow builds the mapping on each access; its order is not that of the file.
        kinds = options.column_types
        numbers = [name for name in options.include_columns if pa.types.is_float64(kinds[name])]

        def parse(number: int, block: bytes) -> pa.Table:
            if b"\0" in block:
                raise self._holds_nul()
            names = self.columns if number else None
            reading = pcsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names)
            coded = suspects(block, self.delimiter, self.columns).intersection(numbers)
            if coded and (coded := self._with_leading_zeros(block, reading, parsing, coded)):
                raise LeadingZerosError(coded)
            return pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)

        try:
            with self._stream() as stream:
                sink = ColumnSink(numbers, self._missing_values)
                for table in in_parallel(parse, line_blocks(stream, block_bytes(len(self.columns)))):
                    sink.add(table)
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None
        return sink.cells()

    def _with_leading_zeros(
        self, block: bytes, reading: pcsv.ReadOptions, parsing: pcsv.ParseOptions, columns: Collection[str]
    ) -> set[str]:
        """Which of the columns have a cell with a leading zero that does not mean 'missing'."""
        options = pcsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            null_values=self._missing_values,
            strings_can_be_null=True,
        )
        table = pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)
        return {column for column in columns if pc.any(cells_with_leading_zeros(table.column(column))).as_py()}

    def _read_as_text(self, columns: Sequence[str], text: Sequence[str], either: Sequence[str]) -> pa.Table:
        """Read every cell as text, then convert columns whose cells are all numbers (or `NA`, blanks around it)."""
        names = [*columns, *text, *either]
        options = pcsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=names,
            null_values=self._missing_values,
            strings_can_be_null=True,
        )
        try:
            table = self._read(options)
        except pa.ArrowInvalid as error:
            raise DataError([self._malformed(error)]) from None
        return self.numbers(table, [*columns, *either])

    def _seems_text(self, column: str) -> bool:
        """Whether a column has text in the first block of the file. The rest is checked while reading."""
        kind = self._seen.field(column).type
        return not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))

    def cell(self, column: str, row: int) -> str:
        """See `Table.cell`. The column is read as a whole."""
        kinds = {column: pa.string()}
        options = pcsv.ConvertOptions(column_types=kinds, include_columns=[column], strings_can_be_null=False)
        return str(self._read(options).column(0)[row].as_py())

    def read_all(self) -> pa.Table:
        """Every cell as text, so that it can be written unchanged."""
        options = pcsv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False)
        try:
            return self._read(options)
        except pa.ArrowInvalid as error:
            raise DataError([self._malformed(error)]) from None

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`."""
        wanted, found = set(columns), []
        for column, cells in zip(table.column_names, table.columns, strict=True):
            values = as_numbers(cells, self._missing_values) if column in wanted else None
            found.append(cells if values is None else values)
        return pa.Table.from_arrays(found, names=table.column_names)

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`."""
        wanted, found = set(numbers), []
        for column, cells in zip(table.column_names, table.columns, strict=True):
            values = as_exact_numbers(cells, self._missing_values)
            if values is None and column in wanted:
                values = as_numbers(cells, self._missing_values)
            found.append(cells if values is None or values.null_count == len(values) else values)
        return pa.Table.from_arrays(found, names=table.column_names)

    def _read(self, options: pcsv.ConvertOptions) -> pa.Table:
        # Without newlines_in_values, a quoted line break at the end of a block silently splits its row.
        parsing = pcsv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=self._has_quotes,
            ignore_empty_lines=len(self.columns) > 1,  # a blank line in a table of one column is a missing cell
        )
        try:
            with self._stream() as stream:
                if len(self.columns) == 1:
                    stream = pa.BufferReader(stream.read().strip(b"\r\n") + b"\n")
                return pcsv.read_csv(stream, parse_options=parsing, convert_options=options)
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None

    def _stream(self) -> Any:
        try:
            return pa.input_stream(self.name, compression="detect")
        except OSError as error:  # pyarrow replaces strerror by its own message
            reason = os.strerror(error.errno) if error.errno else error
            raise DataError(f"cannot be read: {reason}", self.name) from None

    @cached_property
    def _has_quotes(self) -> bool:
        try:
            found = False
            with self._stream() as stream:
                while block := stream.read(1 << 20):
                    if b"\0" in block:
                        raise self._holds_nul()
                    found = found or b'"' in block
            return found
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None

    def _refuse_other_kinds(self) -> None:
        try:
            with self._stream() as stream:
                head = stream.read(4096)
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None
        if not head.strip():
            raise DataError("the file is empty", self.name)
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                raise DataError(f"not a CSV: the file is {kind}", self.name)
        if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DataError("not a CSV: the file is a web page (HTML or XML); download the table itself", self.name)
        if head.removeprefix(b"\xef\xbb\xbf").lower().startswith(b"sep=") and b"," not in head.split(b"\n", 1)[0][5:]:
            mark = head.lower().split(b"sep=", 1)[1][:1].decode("ascii", "replace")
            message = f'a "sep=" line of Excel, and no header; delete the line and set data.delimiter: "{mark}"'
            raise DataError(message, f"{self.name}, line 1")
        if b"\0" in head:
            raise self._holds_nul()

    def _holds_nul(self) -> DataError:
        line = 1
        with self._stream() as stream:
            while (block := stream.read(1 << 20)) and b"\0" not in block:
                line += block.count(b"\n")
        line += block.partition(b"\0")[0].count(b"\n")
        return DataError("not a CSV: the file has a NUL byte; save it as UTF-8 text", f"{self.name}, line {line}")

    def _header(self) -> pa.Schema:
        # Names, and types inferred from the first block; only the header can fail. The block is read as a whole: a
        # streaming reader that is not exhausted leaves a thread that can abort the process at exit.
        options = pcsv.ReadOptions(use_threads=False)
        types = pcsv.ConvertOptions(null_values=self._missing_values, strings_can_be_null=True)
        parsing = pcsv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=lambda _: "skip")
        try:
            with self._stream() as stream:
                head = stream.read(_HEAD_BYTES)
            if len(head) == _HEAD_BYTES and b"\n" in head:
                head = head[: head.rindex(b"\n") + 1]
            seen = pcsv.read_csv(pa.BufferReader(head), options, parsing, types)
            schema = seen.schema
            names = schema.names  # raises if the header is not UTF-8
            coded = {name for name in suspects(head, self.delimiter, names) if names.count(name) == 1}
            self._coded = self._with_leading_zeros(head, options, parsing, coded) if coded else set()
            return schema
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise DataError("the table has no rows", self.name) from None
            raise DataError([self._malformed(error)]) from None
        except UnicodeDecodeError:
            raise DataError("the header is not UTF-8; save the file as UTF-8", f"{self.name}, line 1") from None

    def _malformed(self, error: Exception) -> Fault:
        """The first line with another number of cells than the header, or pyarrow's message."""
        not_utf8 = "UTF8" in str(error)
        width, line = 0, 1
        with self._stream() as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
            records = csv.reader(lines, delimiter=self.delimiter)
            try:
                for cells in records:
                    width = width or len(cells)
                    text = self.delimiter.join(cells)
                    if cells and len(cells) != width:
                        return self._ragged(len(cells), width, text, line)
                    if not_utf8 and any("\udc80" <= mark <= "\udcff" for mark in text):
                        message = "the line is not UTF-8 text; save the file as UTF-8"
                        return Fault(message, f"{self.name}, line {line}")
                    line = records.line_num + 1
            except csv.Error as reason:
                return Fault(f"not a CSV: {reason}; check for an unclosed quote", f"{self.name}, line {line}")
        return Fault(f"not a CSV: {str(error).splitlines()[0]}", self.name)

    def _ragged(self, count: int, width: int, text: str, line: int) -> Fault:
        shown = text[:60].encode(errors="replace").decode()
        cells = "1 cell" if count == 1 else f"{count} cells"
        message = f"{cells}, and the header has {width}: {shown!r}; check for a stray delimiter or an unclosed quote"
        return Fault(message, f"{self.name}, line {line}")

    def hint(self, remedy: str = 'set data.delimiter: "{}"') -> str:
        """See `Table.hint`."""
        return header.hint(self.columns, self.delimiter, self.name, remedy)
