"""Opening a table: the format is found from the path."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from linreg_cli.config.escapes import control_in_path
from linreg_cli.config.formats import COMPRESSIONS, CSV_SUFFIXES, OTHER_SUFFIXES, text_suffix
from linreg_cli.data.tables.arrow_table import ArrowTable
from linreg_cli.data.tables.csv_table import CsvTable
from linreg_cli.data.tables.normal_names import with_normal_names
from linreg_cli.data.tables.table import Table
from linreg_cli.data.tables.text_format import DEFAULT, TextFormat
from linreg_cli.errors import ConfigError, DataError, Fault
from linreg_cli.remedies import quoted

_SHEET = "save the sheet as CSV"
#: Suffix -> what to do with a file of a format that is not supported.
_REMEDIES = {
    ".xlsx": _SHEET, ".xls": _SHEET, ".ods": _SHEET, ".numbers": _SHEET,
    ".txt": "rename it to .csv, and set data.delimiter if its cells are not separated by commas",
    ".dat": "rename it to .csv, and set data.delimiter if its cells are not separated by commas",
    ".json": "write one object per line and rename it to .jsonl",
    ".zip": "unpack it", ".bz2": "unpack it", ".xz": "unpack it", ".tar": "unpack it",
}  # fmt: skip


def open_table(path: str, *, text: TextFormat = DEFAULT, missing_values: Sequence[str] = ("",)) -> Table:
    """Open a table and read its header or schema.

    Args:
        path: a file, or a folder of Parquet files.
        text: how a CSV is written; for other formats only the default is allowed.
        missing_values: cells that mean 'missing'; in columns of numbers, by value.

    Raises:
        ConfigError: for a delimiter that a CSV cannot have.
        DataError: for a file that does not exist, has an unsupported format, or is not what its suffix says.
    """
    return with_normal_names(_open(path, text, missing_values))


def _open(path: str, text: TextFormat, missing_values: Sequence[str]) -> Table:
    file = Path(path)
    try:
        os.stat(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL, which no path has
        where = "" if file.is_absolute() else f" (in {Path.cwd()})"
        raise DataError(f"there is no such file{where}{control_in_path(path)}", path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if os.path.isdir(file):
        _refuse_text_settings(text, path, "a folder of .parquet files")
        return ArrowTable(path, _parts(file), missing_values)
    if not os.path.isfile(file):  # opening a pipe would wait for whoever writes to it, and it can be read only once
        raise DataError("not a file but a pipe or a device; write the table to a file first", path)
    if text_suffix(file) is not None:
        delimiter = text.delimiter or CSV_SUFFIXES[str(text_suffix(file))]
        if not delimiter.isascii() or delimiter in '"\r\n\0':
            message = f"data.delimiter: {quoted(delimiter)} cannot be a delimiter; use one ASCII character other than"
            raise ConfigError(f"{message} a quote or a line break", path)
        if delimiter == text.decimal:
            raise ConfigError(f"data.decimal: {quoted(delimiter)} is also the delimiter of the cells", path)
        return CsvTable(path, replace(text, delimiter=delimiter), missing_values)
    suffix = file.suffix.lower()
    if suffix in OTHER_SUFFIXES:
        _refuse_text_settings(text, path, suffix)
        return ArrowTable(path, [file], missing_values)
    known = ", ".join((*CSV_SUFFIXES, *(f".csv{suffix}" for suffix in COMPRESSIONS), *OTHER_SUFFIXES))
    remedy = _REMEDIES.get(suffix, "rename the file if it is one of these")
    raise DataError(f"unsupported file format; linreg reads {known}, and folders of .parquet; {remedy}", path)


def _refuse_text_settings(text: TextFormat, path: str, what: str) -> None:
    """Refuse settings of text for a format whose cells have types."""
    faults = [
        Fault(f"data.{key} is for CSV files, and this is {what}; remove it", path)
        for key in ("delimiter", "decimal", "thousands", "encoding")
        if getattr(text, key) != getattr(DEFAULT, key)
    ]
    if faults:
        raise DataError(faults)


def _parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder, in the order of their names.

    Raises:
        DataError: if the folder cannot be listed, or parts of the table lie in folders of their own.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"the folder cannot be read: {error.strerror}", str(folder)) from None
    entries = [entry for entry in entries if not entry.name.startswith((".", "_"))]
    for entry in entries:
        if os.path.isdir(entry) and next(entry.rglob("*.parquet"), None) is not None:
            message = f"its folder {entry.name} has .parquet files too, and linreg reads the files of one folder"
            raise DataError(f"{message}; move them into one folder, or set data.path to that folder", str(folder))
    return [entry for entry in entries if entry.suffix == ".parquet"]
