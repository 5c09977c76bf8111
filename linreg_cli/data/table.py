"""Tables on disk, of every format, as numeric columns. CSV has a file of its own, `csv_table.py`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.dataset import Column
from linreg_cli.errors import ConfigError, DataError, Fault

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
        ConfigError: for a delimiter that no CSV can have.
        DataError: for a file that is not there, of an unknown kind, or not what its name says.
    """
    from linreg_cli.data.csv_table import CsvTable

    file = Path(path)
    try:
        exists = file.exists()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if not exists:
        raise DataError(
            f"there is no such file (in {Path.cwd()})" if not file.is_absolute() else "there is no such file",
            path,
        )
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if file.is_dir():
        return ArrowTable(path, sorted(part for part in file.glob("*.parquet") if not part.name.startswith((".", "_"))))
    base = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in COMPRESSIONS else (suffixes[-1] if suffixes else "")
    if base in CSV_SUFFIXES:
        if delimiter is not None and (not delimiter.isascii() or delimiter in '"\r\n'):
            message = f"data.delimiter: {delimiter!r} cannot part cells; it must be an ASCII character, no quote"
            raise ConfigError(f"{message} and no line break", path)
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
        names = [*columns, *text]
        for part in self._parts[1:]:
            lacking = [name for name in names if name not in self._schema(part).names]
            if lacking:
                raise DataError(f"lacks columns that {self._parts[0].name} has: {', '.join(lacking)}", str(part))
        tables = [self._guard(part, lambda part=part: _load(part, names)) for part in self._parts]
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
            fault = _bad_json(part) if part.suffix.lower() == ".jsonl" else None
            raise DataError([fault or Fault(f"cannot be read as {part.suffix}: {reason}", str(part))]) from None


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


def _bad_json(part: Path) -> Fault | None:
    """The first line that is not a JSON object; the reader counts lines from the beginning of a block."""
    try:
        with part.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    is_object = not line.strip() or isinstance(json.loads(line), dict)
                except ValueError:
                    is_object = False
                if not is_object:
                    return Fault(f"expected a JSON object, found {line.rstrip()[:60]!r}", f"{part}, line {number}")
    except (OSError, UnicodeDecodeError):
        return None
    return None


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
            if values.null_count == len(values):
                values = pa.chunked_array([pa.nulls(len(values), pa.float64())])
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
    if values.null_count == len(values):
        return None
    row = int(np.argmax(values.is_valid().to_numpy()))
    where = f"{name}, row {row + 1}, column {column!r}"
    remedy = f"leave it out with data.ignore: [{column}], or turn it into numbers"
    first = values[row].as_py()
    if _is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type)):
        return Fault(f"the column holds text, such as {first!r}; {remedy}", where)
    if pa.types.is_boolean(kind):
        return Fault(f"the column holds true and false; {remedy} (0 and 1)", where)
    if pa.types.is_temporal(kind):
        return Fault(f"the column holds dates or times, such as {first}; {remedy} (days since a date)", where)
    return Fault(f"the column holds values of type {kind}; {remedy}", where)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _bad_cell(array: Column, bad: np.ndarray, values: pa.ChunkedArray, column: str, name: str) -> Fault:
    row, count = int(np.argmax(bad)), int(bad.sum())
    where = f"{name}, row {row + 1}, column {column!r}"
    more = f" ({count:,} such cells in the column)" if count > 1 else ""
    if np.isnan(array[row]):
        n_missing = int(np.isnan(array).sum())
        others = "is 1 more cell" if n_missing == 2 else f"are {n_missing - 1:,} more cells"
        more = f" (so {others} of the column)" if n_missing > 1 else ""
        return Fault(
            f"the cell is missing{more}; fill it in, leave out its row, or leave the column out with data.ignore",
            where,
        )
    return Fault(f"the value is not finite: {array[row]:g}{more}; correct it or leave out its row", where)


def text_column(table: pa.Table, column: str, name: str) -> list[str | None]:
    """A column as text; None where it is missing.

    Raises:
        DataError: for values that are not text, such as lists.
    """
    values = table.column(column)
    try:
        texts: list[str | None] = pc.cast(values, pa.string()).to_pylist()
    except pa.ArrowNotImplementedError:
        raise DataError(f"column {column!r} holds values of type {values.type}, and should hold text", name) from None
    return texts
