"""What a table on disk offers, whatever its format; `open.py` finds out which format it has."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.errors import DataError, Fault


def is_number_type(kind: pa.DataType) -> bool:
    """Whether a type holds numbers, or nothing at all."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


@dataclass(frozen=True)
class Cells:
    """Columns of a table as they were read.

    Attributes:
        numbers: the columns of numbers, float64; a missing cell is nan.
        others: every other column, of the type that the file gives it.
    """

    numbers: dict[str, Numbers]
    others: pa.Table

    @property
    def num_rows(self) -> int:
        """Rows of each column."""
        for numbers in self.numbers.values():
            return len(numbers.values)
        return int(self.others.num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column in memory, whatever it holds."""
        if name in self.numbers:
            return pa.chunked_array([to_arrow(self.numbers[name].values[:])])
        return self.others.column(name)


class Table(Protocol):
    """A table that was opened and not read yet."""

    name: str
    columns: list[str]

    @property
    def delimiter(self) -> str | None:
        """Between the cells of a text file; None for other formats."""

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> Cells:
        """The named columns; a format without types gives `columns` as float64 and `text` as text.

        A column among `columns` with a cell that is not a number is text.

        Columns named in `either` are float64 if all of their cells are numbers, else text.
        """

    def read_all(self) -> pa.Table:
        """Every column, as it is: text files as text."""

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """What `read_all` gave, with the named columns as numbers, where all of their cells are."""

    def typed(self, table: pa.Table) -> pa.Table:
        """What `read_all` gave, with every column as numbers that holds nothing else."""

    def hint(self, remedy: str = ...) -> str:
        """Why a column may not be there, such as a wrong delimiter, and what to do; or nothing."""


def refuse_bad_names(columns: Sequence[str], used: Sequence[str], name: str) -> None:
    """Refuse columns that are used and cannot be told apart; others may be called anything.

    Args:
        columns: the header.
        used: names of columns that are used.
        name: what messages call the table.

    Raises:
        DataError: for names that are blank or stand twice.
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
            message += f" with data.ignore: [{json.dumps(column)}]"
            if position == 0:
                message += " if it only counts the rows (pandas: to_csv(..., index=False) does not write it)"
            faults.append(Fault(message, name))
        elif first[column] < position:
            faults.append(
                Fault(f"columns {first[column] + 1} and {position + 1} are both named {column!r}; rename one", name)
            )
    if faults:
        raise DataError(faults)
