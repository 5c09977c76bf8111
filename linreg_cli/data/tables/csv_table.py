"""CSV and TSV files, plain or compressed, read by pyarrow, with errors that name the line."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from linreg_cli.config.formats import CSV_SUFFIXES, text_suffix
from linreg_cli.data.columns.arrow import null_text, texts
from linreg_cli.data.tables import header
from linreg_cli.data.tables.blocks import ColumnSink, UnevenLinesError, cells_of, in_parallel, line_blocks
from linreg_cli.data.tables.csv_faults import malformed
from linreg_cli.data.tables.csv_file import CsvFile
from linreg_cli.data.tables.table import Cells
from linreg_cli.data.tables.text_format import AsText, TextFormat
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import setting

#: Bytes from which the types of the columns are inferred.
_HEAD_BYTES = 2**20


class CsvTable:
    """A CSV file. The header is read at once, the cells on `read`.

    Args:
        path: the file.
        text: how it is written, with a delimiter.
        missing_values: cells that mean 'missing'.

    Raises:
        DataError: for a file that cannot be read, is another format, or has no valid header.
    """

    def __init__(self, path: str, text: TextFormat, missing_values: Sequence[str]) -> None:
        assert text.delimiter is not None
        self.name, self.text = path, text
        self.delimiter = text.delimiter
        self._missing_values = list(missing_values)
        self._is_usual = CSV_SUFFIXES.get(str(text_suffix(path))) == text.delimiter == ","
        self._file = CsvFile(path, text)
        self._seen = self._header()
        self.columns: list[str] = self._seen.names
        if self.delimiter == " " and self._is_aligned():
            raise DataError(self._aligned(), path)

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`.

        Raises:
            DataError: for a line that is not valid CSV.
        """
        worded = [column for column in either if self._seems_text(column)]
        types = dict.fromkeys((*columns, *either), pa.float64()) | dict.fromkeys((*text, *worded), pa.string())
        options = self._options(types)
        read: Cells | None = None
        try:
            read = self._read_in_blocks(options)
        except UnevenLinesError:
            read = self._read_whole(options)
        except pa.ArrowInvalid:
            pass
        if read is None:  # a cell in a column of numbers is not a number
            return self._cells(self._read_as_text(columns, text, either), [*columns, *either])
        turned = self._cells(self.numbers(read.others, worded), worded)
        return Cells({**read.numbers, **turned.numbers}, turned.others)

    def _cells(self, table: pa.Table, columns: Sequence[str]) -> Cells:
        return cells_of(table, columns, self._missing_values)

    def _read_whole(self, options: pcsv.ConvertOptions) -> Cells | None:
        """The cells of a file that cannot be read in blocks; None if `_read_as_text` is needed."""
        if self.text.thousands is not None:
            return None
        try:
            return self._cells(self._read(options), options.include_columns)
        except pa.ArrowInvalid:
            return None

    def _read_in_blocks(self, options: pcsv.ConvertOptions) -> Cells:
        """The cells that `_read` returns, with little memory beside the columns.

        Raises:
            UnevenLinesError: for a file that must be read as a whole.
            pa.ArrowInvalid: as `_read`.
        """
        if len(self.columns) == 1:
            raise UnevenLinesError  # a blank line is a missing cell
        parsing = pcsv.ParseOptions(delimiter=self.delimiter)
        # read once, since pyarrow builds the mapping on each access; its order is not that of the file
        kinds = options.column_types
        numbers = [name for name in options.include_columns if pa.types.is_float64(kinds[name])]
        grouped = self.text.thousands is not None  # which pyarrow does not read
        if grouped:
            options = self._options(dict.fromkeys(options.include_columns, pa.string()))

        def parse(number: int, block: bytes) -> pa.Table:
            if b"\0" in block:
                raise self._file.holds_nul()
            names = self.columns if number else None
            reading = pcsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names)
            table = pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)
            return self._all_numbers(table, numbers) if grouped else table

        with self._file.open() as stream:
            sink = ColumnSink(numbers, self._missing_values)
            for table in in_parallel(parse, line_blocks(stream)):
                sink.add(table)
        return sink.cells()

    def _all_numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """The table with columns of text as float64.

        Raises:
            pa.ArrowInvalid: if a cell is not a number, as pyarrow does.
        """
        table = self.numbers(table, columns)
        if not all(pa.types.is_float64(table.schema.field(column).type) for column in columns):
            raise pa.ArrowInvalid("a cell is not a number")
        return table

    def _read_as_text(self, columns: Sequence[str], text: Sequence[str], either: Sequence[str]) -> pa.Table:
        """Read every cell as text, then convert columns whose cells are all numbers (or `NA`, blanks around it)."""
        names = [*columns, *text, *either]
        try:
            table = self._read(self._options(dict.fromkeys(names, pa.string())))
        except pa.ArrowInvalid as error:
            raise DataError([malformed(self._file, self.delimiter, str(error))]) from None
        return self.numbers(table, [*columns, *either])

    def _options(self, types: Mapping[str, pa.DataType] | None = None) -> pcsv.ConvertOptions:
        """How cells are converted: to the types of the columns that are read; None: to those that are seen in them."""
        return pcsv.ConvertOptions(
            column_types=types,
            include_columns=None if types is None else list(types),
            null_values=self._missing_values,
            strings_can_be_null=True,
            decimal_point=self.text.decimal,
        )

    def _seems_text(self, column: str) -> bool:
        """Whether a column has text in the first block of the file. The rest is checked while reading."""
        kind = self._seen.field(column).type
        return not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))

    def read_all(self) -> pa.Table:
        """Every cell as text, so that it can be written unchanged."""
        options = pcsv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False)
        try:
            return self._read(options)
        except pa.ArrowInvalid as error:
            raise DataError([malformed(self._file, self.delimiter, str(error))]) from None

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """See `Table.numbers`."""
        for column in columns:
            position = table.column_names.index(column)
            values = self._parse(table.column(position))
            if values is not None:
                table = table.set_column(position, column, values)
        return table

    def typed(self, table: pa.Table) -> pa.Table:
        """See `Table.typed`. A column with a code such as 007 stays text."""
        for position, column in enumerate(table.column_names):
            values = self._parse(table.column(position))
            coded = pc.any(pc.match_substring_regex(table.column(position), r"^\s*[-+]?0\d")).as_py()
            if values is not None and not coded and values.null_count < len(values):
                whole = pc.all(pc.match_substring_regex(table.column(position), r"^\s*([-+]?\d{1,15}\s*)?$")).as_py()
                table = table.set_column(position, column, values.cast(pa.int64()) if whole else values)
        return table

    def _read(self, options: pcsv.ConvertOptions) -> pa.Table:
        # Without newlines_in_values, a quoted line break at the end of a block silently splits its row.
        parsing = pcsv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=self._file.has_quotes,
            ignore_empty_lines=len(self.columns) > 1,  # a blank line in a table of one column is a missing cell
        )
        with self._file.open() as stream:
            if len(self.columns) == 1:
                stream = pa.BufferReader(stream.read().strip(b"\r\n") + b"\n")
            return pcsv.read_csv(stream, parse_options=parsing, convert_options=options)

    def _header(self) -> pa.Schema:
        # Names, and types inferred from the first block; only the header can fail. The block is read as a whole: a
        # streaming reader that is not exhausted leaves a thread that can abort the process at exit.
        options = pcsv.ReadOptions(use_threads=False)
        parsing = pcsv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=lambda _: "skip")
        try:
            with self._file.open() as stream:
                head = stream.read(_HEAD_BYTES)
                if len(head) == _HEAD_BYTES and b"\n" in head:
                    head = head[: head.rindex(b"\n") + 1]
                schema = pcsv.read_csv(pa.BufferReader(head), options, parsing, self._options()).schema
                _ = schema.names  # raises if the header is not UTF-8
                return schema
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise DataError("the table has no rows", self.name) from None
            raise DataError([malformed(self._file, self.delimiter, str(error))]) from None
        except UnicodeDecodeError:
            raise DataError([self._file.undecodable() or Fault("the header is not UTF-8", self.name)]) from None

    def _parse(self, values: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """Text as float64; None where a cell is not a number."""
        if pa.types.is_dictionary(values.type):
            encoded = values.unify_dictionaries()
            words = self._parse_each(encoded.chunk(0).dictionary) if encoded.num_chunks else None
            return None if words is None else pa.chunked_array([words.take(part.indices) for part in encoded.chunks])
        return self._parse_each(values)

    def _parse_each(self, values: pa.Array | pa.ChunkedArray) -> Any:
        trimmed = pc.utf8_trim_whitespace(values)
        missing = {*self._missing_values, *(mark.strip() for mark in self._missing_values)}
        gaps = pc.is_in(trimmed, texts(sorted(missing)))
        return self.text.float64(pc.if_else(gaps, null_text(), trimmed))

    def as_text(self) -> AsText:
        """See `Table.as_text`."""
        return AsText(self.text, lambda names: self._read(self._options(dict.fromkeys(names, pa.string()))))

    def _is_aligned(self) -> bool:
        return header.is_aligned(self._file.first_lines())

    def _aligned(self) -> str:
        expression = r"s/^[[:blank:]]+//; s/[[:blank:]]+\r?$//; s/[[:blank:]]+/,/g"
        settings = [] if self._is_usual else [setting("data.delimiter", ",")]
        remedy = self._file.rewritten("put one comma between them", expression, *settings)
        return f"the columns are aligned with runs of blanks, and a run is no delimiter; {remedy}"

    def hint(self) -> str:
        """See `Table.hint`."""
        if len(self.columns) == 1 and self._is_aligned():
            return self._aligned()
        return header.hint(self.columns, self.text, self.name)
