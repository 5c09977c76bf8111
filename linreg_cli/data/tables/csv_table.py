"""CSV and TSV files, plain or compressed, read by pyarrow, with errors that name the line."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from linreg_cli.config.formats import CSV_SUFFIXES, text_suffix
from linreg_cli.data.tables import header
from linreg_cli.data.tables.blocks import (
    BLOCK_BYTES,
    ColumnSink,
    NotInBlocksError,
    UnevenLinesError,
    block_bytes,
    cells_of,
    cells_of_block,
    in_parallel,
    line_blocks,
)
from linreg_cli.data.tables.csv_faults import malformed, of_every_row, with_wide_marks
from linreg_cli.data.tables.csv_file import CsvFile
from linreg_cli.data.tables.exact_kinds import ExactKinds
from linreg_cli.data.tables.leading_zeros import LeadingZerosError, cells_with_leading_zeros, suspects
from linreg_cli.data.tables.table import Cells
from linreg_cli.data.tables.text_format import AsText, TextFormat
from linreg_cli.data.tables.text_numbers import as_exact_numbers, as_numbers
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

    index = frozenset[str]()

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
        nameless = len(self.columns) > 1 and not self.columns[-1].strip()
        if nameless and (found := of_every_row(self._file, self.delimiter, self.columns)):
            raise DataError(found, path)

    @property
    def written_columns(self) -> list[str]:
        """See `Table.written_columns`."""
        return self.columns

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`.

        Raises:
            DataError: for a line that is not valid CSV.
        """
        worded = {column for column in either if self._seems_text(column)} | (self._coded & {*columns, *either})
        while True:
            types = dict.fromkeys((*columns, *either), pa.float64()) | dict.fromkeys((*text, *worded), pa.string())
            options = self._options(types)
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
        if self.text.thousands is not None:
            return None
        try:
            with self._file.open() as stream:
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
        sink = ColumnSink(self._numbers_of(options), self._missing_values)
        for table in self._parsed(options):
            sink.add(table)
        return sink.cells()

    @staticmethod
    def _numbers_of(options: pcsv.ConvertOptions) -> list[str]:
        """The columns that are read as float64."""
        kinds = options.column_types  # read once, since pyarrow builds the mapping on each access, in another order
        return [name for name in options.include_columns if pa.types.is_float64(kinds[name])]

    def _parsed(self, options: pcsv.ConvertOptions) -> Iterator[pa.Table]:
        """The rows in blocks; raises as `_read_in_blocks`."""
        if len(self.columns) == 1:
            raise UnevenLinesError  # a blank line is a missing cell
        parsing = pcsv.ParseOptions(delimiter=self.delimiter)
        numbers = self._numbers_of(options)
        grouped = bool(numbers) and self.text.thousands is not None  # which pyarrow does not read
        if grouped:
            options = self._options(dict.fromkeys(options.include_columns, pa.string()))

        def parse(number: int, block: bytes) -> pa.Table:
            if b"\0" in block:
                raise self._file.holds_nul()
            names = self.columns if number else None
            reading = pcsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names)
            coded = suspects(block, self.delimiter, self.columns).intersection(numbers)
            if coded and (coded := self._with_leading_zeros(block, reading, parsing, coded)):
                raise LeadingZerosError(coded)
            table = pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)
            return self._all_numbers(table, numbers) if grouped else table

        with self._file.open() as stream:
            yield from in_parallel(parse, line_blocks(stream, block_bytes(len(self.columns))))

    def _all_numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """The table with columns of text as float64.

        Raises:
            pa.ArrowInvalid: if a cell is not a number, as pyarrow does.
        """
        table = self.numbers(table, columns)
        if not all(pa.types.is_float64(table.schema.field(column).type) for column in columns):
            raise pa.ArrowInvalid("a cell is not a number")
        return table

    def _with_leading_zeros(
        self, block: bytes, reading: pcsv.ReadOptions, parsing: pcsv.ParseOptions, columns: Collection[str]
    ) -> set[str]:
        """Which of the columns have a cell with a leading zero that does not mean 'missing'."""
        options = self._options(dict.fromkeys(columns, pa.string()))
        table = pcsv.read_csv(pa.BufferReader(block), reading, parsing, options)
        return {column for column in columns if pc.any(cells_with_leading_zeros(table.column(column))).as_py()}

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

    def _as_it_is(self) -> pcsv.ConvertOptions:
        """Every cell of every column as text."""
        return pcsv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False)

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
        try:
            return self._read(self._as_it_is())
        except pa.ArrowInvalid as error:
            raise DataError([malformed(self._file, self.delimiter, str(error))]) from None

    def row_blocks(self) -> Iterator[pa.Table]:
        """See `Table.row_blocks`. Lines with an odd number of quotes, and a single column, are read as a whole."""
        return self._in_blocks(self._as_it_is())

    def cell_blocks(self, columns: Sequence[str], text: Sequence[str]) -> Iterator[Cells]:
        """See `Table.cell_blocks`."""
        types = dict.fromkeys(columns, pa.float64()) | dict.fromkeys((*text, *self._coded & {*columns}), pa.string())
        for block in self._in_blocks(self._options(types)):
            yield cells_of_block(block, columns, self._missing_values)

    def _in_blocks(self, options: pcsv.ConvertOptions) -> Iterator[pa.Table]:
        try:
            yield from self._parsed(options)
        except (UnevenLinesError, LeadingZerosError, pa.ArrowInvalid, UnicodeDecodeError, DataError) as error:
            raise NotInBlocksError(str(error)) from None

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """See `Table.typing`."""
        kinds = ExactKinds(self.columns, numbers, self._missing_values, self.text)
        for block in self.row_blocks():
            kinds.see(block)
        return kinds.applied

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`."""
        wanted, found = set(columns), []
        for column, cells in zip(table.column_names, table.columns, strict=True):
            values = as_numbers(cells, self._missing_values, self.text) if column in wanted else None
            found.append(cells if values is None else values)
        return pa.Table.from_arrays(found, names=table.column_names)

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`."""
        wanted, found = set(numbers), []
        for column, cells in zip(table.column_names, table.columns, strict=True):
            values = as_exact_numbers(cells, self._missing_values, whole=not self.text.is_plain)
            if values is None and column in wanted:
                values = as_numbers(cells, self._missing_values, self.text)
            found.append(cells if values is None or values.null_count == len(values) else values)
        return pa.Table.from_arrays(found, names=table.column_names)

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
            if self.delimiter.encode() not in head.split(b"\n", 1)[0]:
                head.decode("utf-8")  # pyarrow's handler of invalid rows could not be told of a line that is not
            seen = pcsv.read_csv(pa.BufferReader(head), options, parsing, self._options())
            schema = seen.schema
            names = schema.names  # raises if the header is not UTF-8
            coded = {name for name in suspects(head, self.delimiter, names) if names.count(name) == 1}
            self._coded = self._with_leading_zeros(head, options, parsing, coded) if coded else set()
            return schema
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise DataError("the table has no rows", self.name) from None
            raise DataError([malformed(self._file, self.delimiter, str(error))]) from None
        except UnicodeDecodeError:
            raise DataError([self._file.undecodable() or Fault("the header is not UTF-8", self.name)]) from None

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

    def hint(self) -> Fault | None:
        """See `Table.hint`."""
        if len(self.columns) == 1 and self._is_aligned():
            return Fault(self._aligned(), self.name)
        if found := with_wide_marks(self._file, self.delimiter, self.columns):
            return Fault(found, self.name, settings={})
        return header.hint(self.columns, self.text, self.name, self._file.first_lines())
