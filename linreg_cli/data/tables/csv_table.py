"""CSV and TSV files, plain or compressed, one or several, read by pyarrow, with errors that name the line."""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv as pcsv

from linreg_cli.config.formats import CSV_SUFFIXES
from linreg_cli.data.tables import header
from linreg_cli.data.tables.blocks import (
    UNEVEN,
    ColumnSink,
    NotInBlocksError,
    UnevenLinesError,
    cells_of,
    cells_of_block,
    whole_says_more,
)
from linreg_cli.data.tables.csv_faults import of_every_row, with_wide_marks
from linreg_cli.data.tables.csv_part import CsvPart, as_it_is
from linreg_cli.data.tables.exact_kinds import ExactKinds
from linreg_cli.data.tables.leading_zeros import LeadingZerosError
from linreg_cli.data.tables.location import Location
from linreg_cli.data.tables.table import Cells, refused
from linreg_cli.data.tables.text_format import AsText, TextFormat
from linreg_cli.data.tables.text_numbers import as_exact_numbers, as_numbers
from linreg_cli.errors import DataError, Fault


class CsvTable:
    """A CSV file, or several of them. The headers are read at once, the cells on `read`.

    The columns are those of the first file; the others have the same ones, in any order.

    Args:
        location: the files.
        text: how they are written, with a delimiter.
        missing_values: cells that mean 'missing'.
        in_blocks: whether a table that must be read as a whole is refused.
        memory_limit: as for `ColumnSink`.

    Raises:
        DataError: for a file that cannot be read, is another format, or has no valid header, and for headers that
            differ.
    """

    index = frozenset[str]()

    def __init__(
        self,
        location: Location,
        text: TextFormat,
        missing_values: Sequence[str],
        *,
        in_blocks: bool = False,
        memory_limit: int | None = None,
    ) -> None:
        assert text.delimiter is not None
        self._in_blocks_only, self._limit = in_blocks, memory_limit
        self.name, self.text = location.name, text
        self.delimiter = text.delimiter
        self._missing_values = list(missing_values)
        self._is_usual = CSV_SUFFIXES.get(str(location.suffix)) == text.delimiter == ","
        self._parts = [CsvPart(file, text, self._options) for file in location.files]
        self._file = self._parts[0].file
        self.columns: list[str] = self._parts[0].columns
        self._coded = set[str]().union(*(part.coded for part in self._parts))
        if self.delimiter == " " and self._is_aligned():
            raise DataError(self._aligned(), self._file.name)
        nameless = len(self.columns) > 1 and not self.columns[-1].strip()
        if nameless and (found := of_every_row(self._file, self.delimiter, self.columns)):
            raise DataError(found, self._file.name)
        if others := header.other_columns([(part.file.name, part.columns) for part in self._parts]):
            hint = self.hint()
            raise DataError(others if hint is None else [hint])

    @property
    def written_columns(self) -> list[str]:
        """See `Table.written_columns`."""
        return self.columns

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`.

        Raises:
            DataError: for a line that is not valid CSV.
        """
        worded = self.worded(columns, either)
        while True:
            options = self._typed([*columns, *either], text, worded)
            read: Cells | None = None
            whole: str | None = None
            try:
                read = self._read_in_blocks(options)
            except UnevenLinesError:
                if self._in_blocks_only:
                    raise DataError(refused(UNEVEN), self.name) from None
                read, whole = self._read_whole(options), UNEVEN
            except LeadingZerosError as error:
                worded |= error.columns
                continue
            except pa.ArrowInvalid:
                pass
            break
        if read is None:  # a cell in a column of numbers is not a number
            return self._cells(self._read_as_text(columns, text, either), [*columns, *either])
        found = self.completed(read, [column for column in either if column in worded])
        return replace(found, whole=whole)

    def worded(self, columns: Sequence[str], either: Sequence[str]) -> set[str]:
        """See `Table.worded`."""
        return {column for column in either if self._seems_text(column)} | (self._coded & {*columns, *either})

    def read_rows(
        self, rows: tuple[int, int] | None, columns: Sequence[str], text: Sequence[str], worded: Collection[str]
    ) -> Cells:
        """See `Table.read_rows`."""
        try:
            return self._read_in_blocks(self._typed(columns, text, worded), rows)
        except (UnevenLinesError, pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise NotInBlocksError(str(error)) from None

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """See `Table.completed`."""
        turned = self._cells(self.numbers(cells.others, either), either)
        return Cells({**cells.numbers, **turned.numbers}, turned.others, cells.whole)

    def files(self) -> list[str]:
        """See `Table.files`."""
        return [part.file.name for part in self._parts]

    def _typed(self, columns: Sequence[str], text: Sequence[str], worded: Collection[str]) -> pcsv.ConvertOptions:
        """How the cells of columns of numbers, and of others, are converted."""
        return self._options(dict.fromkeys(columns, pa.float64()) | dict.fromkeys((*text, *worded), pa.string()))

    def _cells(self, table: pa.Table, columns: Sequence[str]) -> Cells:
        return cells_of(table, columns, self._missing_values)

    def _read_whole(self, options: pcsv.ConvertOptions) -> Cells | None:
        """The cells of files that cannot be read in blocks; None if `_read_as_text` is needed."""
        if self.text.thousands is not None or self.text.units:
            return None
        try:
            if any(part.may_have_leading_zeros() for part in self._parts):
                return None
            return self._cells(self._read(options), options.include_columns)
        except pa.ArrowInvalid:
            return None

    def _read_in_blocks(self, options: pcsv.ConvertOptions, rows: tuple[int, int] | None = None) -> Cells:
        """The cells that `_read` returns, or those of some rows, with little memory beside the columns.

        Raises:
            UnevenLinesError: for a file that must be read as a whole.
            LeadingZerosError: for columns to be read as text.
            pa.ArrowInvalid: as `_read`.
        """
        sink = ColumnSink(self._numbers_of(options), self._missing_values, self._limit)
        for table in self._parsed(options, rows):
            sink.add(table)
        return sink.cells()

    @staticmethod
    def _numbers_of(options: pcsv.ConvertOptions) -> list[str]:
        """The columns that are read as float64."""
        kinds = options.column_types  # read once, since pyarrow builds the mapping on each access, in another order
        return [name for name in options.include_columns if pa.types.is_float64(kinds[name])]

    def _parsed(self, options: pcsv.ConvertOptions, rows: tuple[int, int] | None = None) -> Iterator[pa.Table]:
        """The rows in blocks, or those from one to another; raises as `_read_in_blocks`."""
        numbers = self._numbers_of(options)
        # what pyarrow does not read
        grouped = bool(numbers) and (
            self.text.thousands is not None or any(self.text.of(each).unit for each in numbers)
        )
        if grouped:
            options = self._options(dict.fromkeys(options.include_columns, pa.string()))
        for part, own in self._parts_of(rows):
            ordered = functools.partial(self._in_order, part)
            finish = (lambda table: self._all_numbers(table, numbers)) if grouped else ordered
            yield from part.blocks(options, numbers, finish, own)

    def _parts_of(self, rows: tuple[int, int] | None) -> Iterator[tuple[CsvPart, tuple[int, int] | None]]:
        """The files that some rows lie in, each with those in it; None: all."""
        if rows is None or len(self._parts) == 1:
            yield from ((part, rows) for part in self._parts)
            return
        at = 0
        for part in self._parts:
            first, last = max(rows[0] - at, 0), min(rows[1] - at, part.n_lines)
            at += part.n_lines
            if first < last:
                yield part, (first, last)
            if at >= rows[1]:
                return

    def _in_order(self, part: CsvPart, table: pa.Table) -> pa.Table:
        """Rows with the columns in the order of the first file; those that were named are in theirs already."""
        return table.select(self.columns) if table.column_names == part.columns != self.columns else table

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
        table = self._readable(self._options(dict.fromkeys(names, pa.string())))
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
        """Whether a column has text in the first block of a file. The rest is checked while reading."""
        kinds = (part.seen.field(column).type for part in self._parts)
        return any(
            not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)) for kind in kinds
        )

    def cell(self, column: str, row: int) -> str:
        """See `Table.cell`. The column is read as a whole."""
        kinds = {column: pa.string()}
        options = pcsv.ConvertOptions(column_types=kinds, include_columns=[column], strings_can_be_null=False)
        return str(self._read(options).column(0)[row].as_py())

    def part_of(self, row: int) -> tuple[str, int] | None:
        """See `Table.part_of`. The files are read up to the row."""
        for part in self._parts if len(self._parts) > 1 else ():
            n_rows = part.n_rows()
            if row < n_rows:
                return part.file.name, row
            row -= n_rows
        return None

    def read_all(self) -> pa.Table:
        """Every cell as text, so that it can be written unchanged."""
        return self._readable(as_it_is(self.columns))

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """See `Table.row_blocks`. Lines with an odd number of quotes, and a single column, are read as a whole."""
        return self._in_blocks(as_it_is(self.columns))

    def n_rows(self) -> int:
        """See `Table.n_rows`. Ends of lines are counted."""
        with whole_says_more():
            return sum(part.n_lines for part in self._parts)

    def cell_blocks(
        self,
        columns: Sequence[str],
        text: Sequence[str],
        rows: tuple[int, int] | None = None,
        largest: int | None = None,
    ) -> Iterator[Cells]:
        """See `Table.cell_blocks`."""
        types = dict.fromkeys(columns, pa.float64()) | dict.fromkeys((*text, *self._coded & {*columns}), pa.string())
        for block in self._in_blocks(self._options(types), rows):
            yield cells_of_block(block, columns, self._missing_values)

    def _in_blocks(self, options: pcsv.ConvertOptions, rows: tuple[int, int] | None = None) -> Iterator[pa.Table]:
        with whole_says_more():
            yield from self._parsed(options, rows)

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
            values = as_numbers(cells, self._missing_values, self.text.of(column)) if column in wanted else None
            found.append(cells if values is None else values)
        return pa.Table.from_arrays(found, names=table.column_names)

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`."""
        wanted, found = set(numbers), []
        for column, cells in zip(table.column_names, table.columns, strict=True):
            values = as_exact_numbers(cells, self._missing_values, whole=not self.text.is_plain)
            if values is None and column in wanted:
                values = as_numbers(cells, self._missing_values, self.text.of(column))
            found.append(cells if values is None or values.null_count == len(values) else values)
        return pa.Table.from_arrays(found, names=table.column_names)

    def _read(self, options: pcsv.ConvertOptions) -> pa.Table:
        """The rows of all files; raises as `CsvPart.read`."""
        tables = [self._in_order(part, part.read(options)) for part in self._parts]
        return tables[0] if len(tables) == 1 else pa.concat_tables(tables)

    def _readable(self, options: pcsv.ConvertOptions) -> pa.Table:
        """The rows of all files, each cell of a type that it has.

        Raises:
            DataError: for a line that is not valid CSV.
        """
        tables = []
        for part in self._parts:
            try:
                tables.append(self._in_order(part, part.read(options)))
            except pa.ArrowInvalid as error:
                raise part.malformed(error) from None
        return tables[0] if len(tables) == 1 else pa.concat_tables(tables)

    def as_text(self) -> AsText:
        """See `Table.as_text`."""
        return AsText(self.text, lambda names: self._read(self._options(dict.fromkeys(names, pa.string()))))

    def _is_aligned(self) -> bool:
        return header.is_aligned(self._file.first_lines())

    def _aligned(self) -> str:
        expression = r"s/^[[:blank:]]+//; s/[[:blank:]]+\r?$//; s/[[:blank:]]+/,/g"
        needed = {} if self._is_usual else {"data.delimiter": ","}
        remedy = self._file.rewritten("put one comma between them", expression, needed)
        return f"the columns are aligned with runs of blanks, and a run is no delimiter; {remedy}"

    def hint(self) -> Fault | None:
        """See `Table.hint`."""
        if len(self.columns) == 1 and self._is_aligned():
            return Fault(self._aligned(), self.name)
        if found := with_wide_marks(self._file, self.delimiter, self.columns):
            return Fault(found, self.name, settings={})
        return header.hint(self.columns, self.text, self.name, self._file.first_lines())
