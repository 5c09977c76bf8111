"""The interface of a table, whatever its format; `open.py` finds the format."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.tables.text_format import AsText
from linreg_cli.errors import DataError, Fault
from linreg_cli.lookalike import difference
from linreg_cli.remedies import leave_out, setting


def is_number_type(kind: pa.DataType) -> bool:
    """Whether an Arrow type is numeric (integer, floating, decimal) or null."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


@dataclass(frozen=True)
class Cells:
    """Columns of a table as they were read.

    Attributes:
        numbers: name -> column of numbers, float64; a missing cell is nan.
        others: the other columns, with the types of the file.
        whole: why the table was read as a whole, into memory; None if it was read in blocks.
    """

    numbers: dict[str, Numbers]
    others: pa.Table
    whole: str | None = None

    @property
    def num_rows(self) -> int:
        """Rows of each column."""
        for numbers in self.numbers.values():
            return len(numbers.values)
        return int(self.others.num_rows)

    def text_bytes(self) -> dict[str, int]:
        """The bytes of the texts of each column of text; one that occurs several times is stored once a block."""
        return {
            name: sum(chunk.dictionary.nbytes for chunk in column.chunks)
            for name, column in zip(self.others.column_names, self.others.columns, strict=True)
            if pa.types.is_dictionary(column.type)
        }

    def column(self, name: str) -> pa.ChunkedArray:
        """A column in memory, of any kind."""
        if name in self.numbers:
            return pa.chunked_array([to_arrow(self.numbers[name].values[:])])
        return self.others.column(name)


def refused(why: str) -> str:
    """The message about a table that is to stay on the disk and can only be read as a whole."""
    return (
        f"{why}, and the rows are to stay on the disk (data.stream: true); write the table as Parquet, or set "
        f"{setting('data.stream', False)}"
    )


class Table(Protocol):
    """A table that was opened: its columns are known, its cells are not read yet."""

    name: str
    columns: list[str]

    @property
    def written_columns(self) -> list[str]:
        """The names as they stand in the file; `columns` are in Unicode's normal form C."""

    @property
    def index(self) -> frozenset[str]:
        """The columns that hold the index of a pandas frame, which is no feature unless it is named."""

    @property
    def delimiter(self) -> str | None:
        """The delimiter of a CSV or TSV; None for other formats."""

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """Read the named columns.

        Args:
            columns: columns of numbers, read as float64. One with a cell that is not a number is read as text.
            text: columns that are read as text; a format with types keeps theirs.
            either: columns that are read as float64 if all of their cells are numbers, else as text.

        Raises:
            DataError: for a file that cannot be read.
        """

    def worded(self, columns: Sequence[str], either: Sequence[str]) -> set[str]:
        """Those of `read`'s columns and `either` whose first cells are text, and which `read_rows` is to read so."""

    def read_rows(
        self, rows: tuple[int, int] | None, columns: Sequence[str], text: Sequence[str], worded: Collection[str]
    ) -> Cells:
        """The cells of some rows, whose types are those of all rows; `completed` makes of all what `read` returns.

        Args:
            rows: the first row, from 0, and one past the last, as `n_rows` counts them; None: all.
            columns: columns that are read as float64, but for those of `worded`.
            text: columns that are read as text; a format with types keeps theirs.
            worded: of `columns`, those that are read as text.

        Raises:
            LeadingZerosError: for columns that are to be in `worded`, too.
            NotInBlocksError: as `row_blocks`, and for a cell that is not a number.
            DataError: for a file that cannot be read.
        """

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """The cells of all rows, with those columns as numbers that were read as text and are.

        Args:
            cells: of `read_rows`.
            either: names of columns.
        """

    def files(self) -> list[str]:
        """The names of its files, in the order of its rows.

        Raises:
            NotInBlocksError: where there are no files.
        """

    def cell(self, column: str, row: int) -> object:
        """A cell as it stands in the file, for a message; the row from 0. That of a text file is text."""

    def part_of(self, row: int) -> tuple[str, int] | None:
        """The file that a row stands in and its row in it, both rows from 0; None for a table in one file."""

    def read_all(self) -> pa.Table:
        """Every column, unchanged: that of a text file as text."""

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """The rows of `read_all`, a block at a time, all of one schema; at least one row in all.

        Args:
            largest: bytes of a block in float64, at most, for formats whose blocks are larger; None: of the usual size.
            one_dictionary: whether a column of dictionary type must have the same dictionary in all blocks.

        Raises:
            NotInBlocksError: for a table that must be read as a whole, at any block; what is wrong with it, `read_all`
                or whoever uses its cells will say.
        """

    def n_rows(self) -> int:
        """How many rows `cell_blocks` gives, without decoding a cell where the format allows it.

        Raises:
            NotInBlocksError: as `row_blocks`.
        """

    def cell_blocks(
        self,
        columns: Sequence[str],
        text: Sequence[str],
        rows: tuple[int, int] | None = None,
        largest: int | None = None,
    ) -> Iterator[Cells]:
        """The cells of `read`, a block of rows at a time; raises as `row_blocks`.

        Args:
            columns: as in `read`.
            text: as in `read`.
            rows: the first row, from 0, and one past the last; what lies before is not parsed. None: all rows.
            largest: as for `row_blocks`.
        """

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """What `typed` does to the whole table, for a block of its rows; a text file is read for it.

        Raises:
            NotInBlocksError: as `row_blocks`.
        """

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """The table of `read_all`, with those of the named columns as float64 whose cells are all numbers."""

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """The table of `read_all` for a format with types: columns whose cells are exactly numbers become numbers.

        Args:
            table: of `read_all`.
            numbers: columns that are known to be numbers, however they are written.
        """

    def as_text(self) -> AsText | None:
        """The cells of a text file as text; None for a format with types."""

    def hint(self) -> Fault | None:
        """Why a column may be missing, such as a wrong delimiter, and what to do; None without a reason."""


def refuse_bad_names(
    columns: Sequence[str], used: Sequence[str], name: str, written: Sequence[str] | None = None
) -> None:
    """Refuse blank and duplicate names of columns that are used.

    Args:
        columns: the header, in Unicode's normal form C.
        used: names of the columns that are used.
        name: the table, for messages.
        written: the header as it stands in the file; None: as `columns`.

    Raises:
        DataError: for each name that is blank or a duplicate.
    """
    faults = []
    first: dict[str, int] = {}
    wanted = set(used)
    for position, column in enumerate(columns):
        first.setdefault(column, position)
        if column not in wanted:
            continue
        if not column.strip():
            message = f"column {position + 1} of {len(columns)} has no name; give it one in the header, or leave it out"
            message += f" with {leave_out(column)}"
            if position == 0:
                message += " if it is a row index (pandas does not write it with to_csv(..., index=False))"
            faults.append(Fault(message, name))
        elif first[column] < position:
            message = f"duplicate column name: columns {first[column] + 1} and {position + 1} are {column!r}"
            one, other = (written or columns)[first[column]], (written or columns)[position]
            if one != other:
                message += f", written with different code points: {difference(one, other)}"
            faults.append(Fault(f"{message}; rename one", name))
    if faults:
        raise DataError(faults)
