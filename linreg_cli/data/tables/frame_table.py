"""The rows of a data frame as a table, with the interface of a table that stands in a file."""

from collections.abc import Callable, Collection, Iterator, Sequence

import pyarrow as pa

from linreg_cli.config.data import FRAME
from linreg_cli.data.tables.blocks import NotInBlocksError, cells_of
from linreg_cli.data.tables.normal_names import with_normal_names
from linreg_cli.data.tables.pandas_metadata import pandas_metadata
from linreg_cli.data.tables.table import Cells, Table, refuse_bad_names

_IN_MEMORY = "the frame is in memory"


def open_frame(frame: pa.Table, missing_values: Sequence[str] = ("",)) -> Table:
    """The table of a data frame.

    Args:
        frame: its rows, as `frames.table_of` gives them.
        missing_values: cells that mean 'missing'; in columns of numbers, by value.

    Raises:
        DataError: if two of its columns have one name.
    """
    return with_normal_names(FrameTable(frame, missing_values))


class FrameTable:
    """A data frame.

    Args:
        frame: its rows.
        missing_values: cells that mean 'missing'; those that are numbers, by value.

    Raises:
        DataError: if two of its columns have one name.
    """

    name = FRAME
    delimiter: str | None = None

    def __init__(self, frame: pa.Table, missing_values: Sequence[str]) -> None:
        self._frame, self._missing_values = frame, missing_values
        names: list[str] = frame.column_names
        refuse_bad_names(names, [name for name in names if names.count(name) > 1], FRAME)
        self.columns = names
        self.index = pandas_metadata(frame.schema).index

    @property
    def written_columns(self) -> list[str]:
        """See `Table.written_columns`."""
        return self.columns

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """See `Table.read`. Numeric columns are float64 unless named in `text`; others keep their types."""
        names = [*columns, *text, *either]
        return cells_of(self._frame.select(names), [*columns, *either], self._missing_values)

    def worded(self, columns: Sequence[str], either: Sequence[str]) -> set[str]:
        """See `Table.worded`. A frame has the types."""
        return set()

    def read_rows(
        self, rows: tuple[int, int] | None, columns: Sequence[str], text: Sequence[str], worded: Collection[str]
    ) -> Cells:
        """See `Table.read_rows`. A frame is in memory already."""
        raise NotInBlocksError(_IN_MEMORY)

    def completed(self, cells: Cells, either: Sequence[str]) -> Cells:
        """See `Table.completed`. A frame has the types."""
        return cells

    def files(self) -> list[str]:
        """See `Table.files`. A frame is in no file."""
        raise NotInBlocksError(_IN_MEMORY)

    def cell(self, column: str, row: int) -> object:
        """See `Table.cell`."""
        return self._frame.column(column)[row].as_py()

    def part_of(self, row: int) -> None:
        """See `Table.part_of`. A frame is in no file."""

    def read_all(self) -> pa.Table:
        """See `Table.read_all`."""
        return self._frame

    def row_blocks(self, largest: int | None = None, *, one_dictionary: bool = True) -> Iterator[pa.Table]:
        """See `Table.row_blocks`. A frame is in memory already."""
        raise NotInBlocksError(_IN_MEMORY)

    def n_rows(self) -> int:
        """See `Table.n_rows`."""
        return int(self._frame.num_rows)

    def cell_blocks(
        self,
        columns: Sequence[str],
        text: Sequence[str],
        rows: tuple[int, int] | None = None,
        largest: int | None = None,
    ) -> Iterator[Cells]:
        """See `Table.cell_blocks`. A frame is in memory already."""
        raise NotInBlocksError(_IN_MEMORY)

    def typing(self, numbers: Collection[str]) -> Callable[[pa.Table], pa.Table]:
        """See `Table.typing`. A frame has the types already."""
        return lambda table: table

    def numbers(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """See `Table.numbers`. A frame has the types."""
        return table

    def typed(self, table: pa.Table, numbers: Collection[str]) -> pa.Table:
        """See `Table.typed`. A frame has the types already."""
        return table

    def as_text(self) -> None:
        """See `Table.as_text`. A frame has the types already."""

    def hint(self) -> None:
        """See `Table.hint`. A frame leaves no doubt about the columns."""
