"""Which file of several a row stands in, for messages: rows are numbered through the whole table."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace

from linreg_cli.data.tables.table import Table
from linreg_cli.errors import DataError, Fault


@contextlib.contextmanager
def naming_parts(table: Table) -> Iterator[None]:
    """A block in which an error about a row of a table names the file that the row stands in.

    `parts, row 7` becomes `parts, row 7 (row 2 of parts/b.csv)`. A table in one file stays as it is.

    Raises:
        DataError: that of the block.
    """
    try:
        yield
    except DataError as error:
        found = [_placed(fault, table) for fault in error.faults]
        if found == list(error.faults):
            raise
        raise DataError(found) from None


def _placed(fault: Fault, table: Table) -> Fault:
    row = re.match(rf"{re.escape(table.name)}, row (\d+)(?! \()", fault.where or "")
    part = table.part_of(int(row[1]) - 1) if row is not None else None
    if row is None or part is None:
        return fault
    file, number = part
    return replace(fault, where=f"{row[0]} (row {number + 1} of {file}){str(fault.where)[row.end() :]}")
