"""Tables on disk, of every format, as numeric columns. CSV has a file of its own, `csv_table.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.dataset import Column
from linreg_cli.errors import DataError, Fault

CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}
COMPRESSIONS = (".gz", ".zst")
OTHER_SUFFIXES = (".parquet", ".arrow", ".feather", ".jsonl")


class Table(Protocol):
    """A table that was opened and not read yet."""

    name: str
    columns: list[str]

    def read(self, columns: Sequence[str], text: Sequence[str] = ()) -> pa.Table:
        """The named columns, `columns` as float64 where the format has no types, and `text` as text."""

    def read_all(self) -> pa.Table:
        """Every column, as it is: text files as text."""

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """What `read_all` gave, with the named columns as numbers."""


def open_table(path: str, *, delimiter: str | None = None, missing_values: Sequence[str] = ("",)) -> Table:
    """Find out what a file is, and its columns.

    Args:
        path: a file, or a folder of Parquet parts.
        delimiter: between the cells of a CSV; None: by suffix.
        missing_values: cells of a text file that mean 'missing'.

    Raises:
        DataError: for a file that is not there, of an unknown kind, or not what its name says.
    """
    from linreg_cli.data.csv_table import CsvTable

    file = Path(path)
    if not file.exists():
        raise DataError(
            f"there is no such file (in {Path.cwd()})" if not file.is_absolute() else "there is no such file",
            path,
        )
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if file.is_dir():
        return ArrowTable(path, sorted(part for part in file.glob("*.parquet") if not part.name.startswith((".", "_"))))
    base = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in COMPRESSIONS else (suffixes[-1] if suffixes else "")
    if base in CSV_SUFFIXES:
        return CsvTable(path, delimiter or CSV_SUFFIXES[base], missing_values)
    if suffixes and suffixes[-1] in OTHER_SUFFIXES:
        if delimiter is not None:
            raise DataError(f"data.delimiter is for CSV files, and this is {suffixes[-1]}", path)
        return ArrowTable(path, [file])
    known = ", ".join((*CSV_SUFFIXES, *(f".csv{suffix}" for suffix in COMPRESSIONS), *OTHER_SUFFIXES))
    raise DataError(f"unknown kind of file; linreg reads {known}, and folders of .parquet", path)


class ArrowTable:
    """Parquet, Arrow (Feather) and JSON lines: formats that carry types."""

    def __init__(self, path: str, parts: list[Path]) -> None:
        if not parts:
            raise DataError("the folder holds no .parquet file", path)
        self.name = path
        self._parts = parts
        self.columns: list[str] = self._schema(parts[0]).names
        refuse_bad_names(self.columns, path)

    def read(self, columns: Sequence[str], text: Sequence[str] = ()) -> pa.Table:
        """See `Table.read`; types are those of the file."""
        tables = [self._guard(part, lambda part=part: _load(part, [*columns, *text])) for part in self._parts]
        try:
            return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
        except pa.ArrowException as error:
            raise DataError(f"the parts do not fit together: {error}", self.name) from None

    def read_all(self) -> pa.Table:
        """See `Table.read_all`."""
        return self.read(self.columns)

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """See `Table.numbers`; the types are there already."""
        return table

    def _schema(self, part: Path) -> pa.Schema:
        return self._guard(part, lambda: _schema(part))

    def _guard(self, part: Path, action: Any) -> Any:
        try:
            return action()
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"cannot be read as {part.suffix}: {reason}", str(part)) from None


def _schema(part: Path) -> pa.Schema:
    if part.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_schema(part)
    return _load(part, None).schema


def _load(part: Path, columns: list[str] | None) -> pa.Table:
    suffix = part.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.ParquetFile(part).read(columns=columns)
    if suffix == ".jsonl":
        import pyarrow.json as pj

        table = pj.read_json(str(part))
        return table.select(columns) if columns is not None else table
    import pyarrow.feather as feather

    return feather.read_table(str(part), columns=columns)


def refuse_bad_names(columns: Sequence[str], name: str) -> None:
    """Refuse a header in which columns cannot be told apart.

    Raises:
        DataError: for names that are blank or stand twice.
    """
    faults = []
    for position, column in enumerate(columns):
        if not column.strip():
            faults.append(
                Fault(f"column {position + 1} of {len(columns)} has no name; give it one in the header", name)
            )
        elif column in columns[:position]:
            first = list(columns).index(column) + 1
            faults.append(Fault(f"columns {first} and {position + 1} are both named {column!r}; rename one", name))
    if faults:
        raise DataError(faults)


def numeric_columns(table: pa.Table, columns: Sequence[str], name: str) -> dict[str, Column]:
    """Columns of a table as float64, finite, without gaps.

    Args:
        table: holds the columns.
        columns: which ones.
        name: what messages call the table.

    Returns:
        name -> values, shape (n_samples,).

    Raises:
        DataError: for each column that is not numeric, or the first cell of each that is missing or not finite.
    """
    if table.num_rows == 0:
        raise DataError("the table has no rows", name)
    out: dict[str, Column] = {}
    faults: list[Fault] = []
    for column in columns:
        values = table.column(column)
        fault = _wrong_type(values, column, name)
        if fault is None:
            array = values.cast(pa.float64(), safe=False).to_numpy()
            bad = ~np.isfinite(array)
            if bad.any():
                fault = _bad_cell(array, bad, values, column, name)
            out[column] = array
        if fault is not None:
            faults.append(fault)
    if faults:
        raise DataError(faults)
    return out


def _wrong_type(values: pa.ChunkedArray, column: str, name: str) -> Fault | None:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return None
    where = f"{name}, row 1, column {column!r}"
    remedy = f"leave it out with data.ignore: [{column}], or turn it into numbers"
    first = values[0].as_py()
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Fault(f"the column holds text, such as {first!r}; {remedy}", where)
    if pa.types.is_boolean(kind):
        return Fault(f"the column holds true and false; {remedy} (0 and 1)", where)
    if pa.types.is_temporal(kind):
        return Fault(f"the column holds dates or times, such as {first}; {remedy} (days since a date)", where)
    return Fault(f"the column holds values of type {kind}; {remedy}", where)


def _bad_cell(array: Column, bad: np.ndarray, values: pa.ChunkedArray, column: str, name: str) -> Fault:
    row, count = int(np.argmax(bad)), int(bad.sum())
    where = f"{name}, row {row + 1}, column {column!r}"
    more = f" ({count:,} such cells in the column)" if count > 1 else ""
    if np.isnan(array[row]):
        n_missing = int(np.isnan(array).sum())
        more = f" (so are {n_missing - 1:,} more cells of the column)" if n_missing > 1 else ""
        return Fault(
            f"the cell is missing{more}; fill it in, leave out its row, or leave the column out with data.ignore",
            where,
        )
    return Fault(f"the value is not finite: {array[row]:g}{more}; correct it or leave out its row", where)


def text_column(table: pa.Table, column: str) -> list[str | None]:
    """A column as text; None where it is missing."""
    values: list[str | None] = pc.cast(table.column(column), pa.string()).to_pylist()
    return values
