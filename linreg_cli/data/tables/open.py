"""Opening a table: the format is found from the path."""

from collections.abc import Sequence
from pathlib import Path

from linreg_cli.config.escapes import control_in_path
from linreg_cli.data.tables.arrow_table import ArrowTable
from linreg_cli.data.tables.csv_table import CsvTable
from linreg_cli.data.tables.normal_names import with_normal_names
from linreg_cli.data.tables.table import Table
from linreg_cli.errors import ConfigError, DataError

CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}
COMPRESSIONS = (".gz", ".zst")
OTHER_SUFFIXES = (".parquet", ".arrow", ".feather", ".jsonl")
_SHEET = "save the sheet as CSV"
#: Suffix -> what to do with a file of a format that is not supported.
_REMEDIES = {
    ".xlsx": _SHEET, ".xls": _SHEET, ".ods": _SHEET, ".numbers": _SHEET,
    ".txt": "rename it to .csv, and set data.delimiter if its cells are not separated by commas",
    ".dat": "rename it to .csv, and set data.delimiter if its cells are not separated by commas",
    ".json": "write one object per line and rename it to .jsonl",
    ".zip": "unpack it", ".bz2": "unpack it", ".xz": "unpack it", ".tar": "unpack it",
}  # fmt: skip


def text_suffix(path: str | Path) -> str | None:
    """`.csv` or `.tsv` for such a file, compressed or not; None for another format.

    >>> text_suffix("a.csv.gz"), text_suffix("a.csv.parquet")
    ('.csv', None)
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in CSV_SUFFIXES else None


def open_table(path: str, *, delimiter: str | None = None, missing_values: Sequence[str] = ("",)) -> Table:
    """Open a table and read its header or schema.

    Args:
        path: a file, or a folder of Parquet files.
        delimiter: between the cells of a CSV; None: by suffix.
        missing_values: cells that mean 'missing'; in columns of numbers, by value.

    Raises:
        ConfigError: for a delimiter that a CSV cannot have.
        DataError: for a file that does not exist, has an unsupported format, or is not what its suffix says.
    """
    return with_normal_names(_open(path, delimiter, missing_values))


def _open(path: str, delimiter: str | None, missing_values: Sequence[str]) -> Table:
    file = Path(path)
    try:
        exists = file.exists()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if not exists:
        where = "" if file.is_absolute() else f" (in {Path.cwd()})"
        raise DataError(f"there is no such file{where}{control_in_path(path)}", path)
    if file.is_dir():
        return ArrowTable(path, _parts(file), missing_values)
    if not file.is_file():  # opening a pipe would wait for whoever writes to it, and it can be read only once
        raise DataError("not a file but a pipe or a device; write the table to a file first", path)
    if text_suffix(file) is not None:
        if delimiter is not None and (not delimiter.isascii() or delimiter in '"\r\n'):
            message = f"data.delimiter: {delimiter!r} cannot be a delimiter; use one ASCII character other than"
            raise ConfigError(f"{message} a quote or a line break", path)
        return CsvTable(path, delimiter or CSV_SUFFIXES[str(text_suffix(file))], missing_values)
    suffix = file.suffix.lower()
    if suffix in OTHER_SUFFIXES:
        if delimiter is not None:
            raise DataError(f"data.delimiter is for CSV files, and this is {suffix}", path)
        return ArrowTable(path, [file], missing_values)
    known = ", ".join((*CSV_SUFFIXES, *(f".csv{suffix}" for suffix in COMPRESSIONS), *OTHER_SUFFIXES))
    remedy = _REMEDIES.get(suffix, "rename the file if it is one of these")
    raise DataError(f"unsupported file format; linreg reads {known}, and folders of .parquet; {remedy}", path)


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
        if entry.is_dir() and next(entry.rglob("*.parquet"), None) is not None:
            message = f"its folder {entry.name} has .parquet files too, and linreg reads the files of one folder"
            raise DataError(f"{message}; move them into one folder, or set data.path to that folder", str(folder))
    return [entry for entry in entries if entry.suffix == ".parquet"]
