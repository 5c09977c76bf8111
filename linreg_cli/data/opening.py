"""The table of a config: how it is opened, and how its columns are read, by this process or by several."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from linreg_cli.addresses import is_address
from linreg_cli.config.data import STDIN, FrameData, OfTable, TableData
from linreg_cli.config.schema import Config
from linreg_cli.config.types import bytes_in
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError
from linreg_cli.readers import either

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks

#: (columns of numbers, columns of text, columns that are numbers or else text) -> their cells, as `Table.read`.
Read = Callable[[Sequence[str], Sequence[str], Sequence[str]], Cells]


def _no_frame() -> str:
    found = "the rows are those of a data frame, which stands in no file"
    given = "give it: data=frame to train, rows=frame to what a run does"
    elsewhere = "; for the command line, write it to a file, and name that in data.path, with data.source: table"
    return f"{found}; {either(f'in Python, {given}{elsewhere}', given)}"


def opened_table(
    source: OfTable,
    marks: Sequence[str],
    progress: Callable[[str], None],
    frame: "pa.Table | None",
    *,
    in_blocks: bool = False,
) -> Table:
    """The table of a source.

    Args:
        source: where the rows are, and how they are written.
        marks: cells that mean 'missing'.
        progress: is given what is being done, in words.
        frame: the rows of a data frame; None without one.
        in_blocks: as for `open_table`.

    Raises:
        DataError: if it cannot be read, or has another digest, and for a data frame that is not given.
    """
    from linreg_cli.data.tables.download import fetch
    from linreg_cli.data.tables.frame_table import open_frame
    from linreg_cli.data.tables.open import open_table
    from linreg_cli.data.tables.text_format import TextFormat

    if isinstance(source, FrameData):
        if frame is None:
            raise DataError(_no_frame(), "data.source: frame")
        return open_frame(frame, marks)
    path = source.path
    if source.sha256 is not None and is_address(source.path):
        path = str(fetch(source.path, source.sha256, progress))
    elif source.sha256 is not None:
        _verify_digest(source.path, source.sha256)
    text = TextFormat(source.delimiter, source.decimal, source.thousands, source.encoding, units=source.units)
    return open_table(
        path, text=text, missing_values=marks, format_=source.format, in_blocks=in_blocks, memory_limit=limit_in(source)
    )


def limit_in(source: object) -> int | None:
    """`data.memory_limit` in bytes; None where a source has none."""
    named = source.memory_limit if isinstance(source, TableData) else None
    return None if named is None else bytes_in(named)


def reader(table: Table, config: Config, ranks: "Ranks | None", *, in_blocks: bool) -> Read:
    """How the columns of a table are read: by several processes, each its rows, where they can and there are shards.

    Args:
        table: that was opened.
        config: of the rows.
        ranks: the processes; None: this one is alone.
        in_blocks: as the table was opened.
    """
    source, count = config.data, config.train.shards
    if ranks is None or ranks.size == 1 or count is None:
        return table.read
    if not isinstance(source, TableData) or source.path == STDIN or is_address(source.path):
        return table.read
    from linreg_cli.data.tables.divided_reading import read_divided

    marks = config.preprocess.missing_values
    opening = functools.partial(opened_table, source, marks, _silent, None, in_blocks=in_blocks)
    divided = functools.partial(read_divided, table, opening, ranks, count)

    def read(columns: Sequence[str], text: Sequence[str], either: Sequence[str]) -> Cells:
        found = divided(columns, text, either)
        return table.read(columns, text, either) if found is None else found

    return read


def _silent(_: str) -> None:
    """What another process would say of a download."""


def _verify_digest(path: str, expected: str) -> None:
    what = locate(path).what
    if what != "file":
        raise DataError(f"data.sha256 is the digest of one file, and this is a {what}; remove it", path)
    try:
        with TableFile(path).opened() as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if found != expected.lower():
        raise DataError(
            f"the file is not the expected one: its SHA-256 digest is {found}, and data.sha256 is {expected.lower()}",
            path,
        )
