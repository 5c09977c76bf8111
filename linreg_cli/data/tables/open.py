"""Opening a table: the format is found from the path."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from linreg_cli.addresses import object_name
from linreg_cli.config.formats import COMPRESSIONS, CSV_SUFFIXES, OTHER_SUFFIXES, TEXT_SUFFIXES
from linreg_cli.data.tables.arrow_table import ArrowTable
from linreg_cli.data.tables.csv_table import CsvTable
from linreg_cli.data.tables.json_lines import JSON_WHOLE
from linreg_cli.data.tables.location import Location, locate
from linreg_cli.data.tables.normal_names import with_normal_names
from linreg_cli.data.tables.table import Table, refused
from linreg_cli.data.tables.text_format import DEFAULT, TextFormat
from linreg_cli.errors import ConfigError, DataError, Fault, did_you_mean
from linreg_cli.lookalike import normal
from linreg_cli.readers import either
from linreg_cli.remedies import command, quoted, setting

_SHEET = "save the sheet as CSV"
#: Suffix -> what to do with a file of a format that is not supported.
_REMEDIES = {
    ".xlsx": _SHEET, ".xls": _SHEET, ".ods": _SHEET, ".numbers": _SHEET,
    ".pq": "rename it to .parquet", ".parq": "rename it to .parquet",
}  # fmt: skip
#: Suffix -> the command that unpacks a file or writes it anew.
_COMMANDS = {".zip": "unzip", ".bz2": "bunzip2 -k", ".xz": "unxz -k", ".tar": "tar -xf", ".7z": "7z x"}


def open_table(
    path: str,
    *,
    text: TextFormat = DEFAULT,
    missing_values: Sequence[str] = ("",),
    format_: str | None = None,
    in_blocks: bool = False,
    memory_limit: int | None = None,
) -> Table:
    """Open a table and read its header or schema.

    Args:
        path: a file, a folder, or a pattern; see `locate`.
        text: how a CSV is written; for other formats only the default is allowed.
        missing_values: cells that mean 'missing'; in columns of numbers, by value.
        format_: as `locate`.
        in_blocks: whether a table that must be read as a whole is refused, by its format now, else when it is read.
        memory_limit: bytes that the command may take; None: not known.

    Raises:
        ConfigError: for a delimiter that a CSV cannot have.
        DataError: for a file that does not exist, has an unsupported format, or is not what its suffix says, and for
            parts whose columns differ.
    """
    found = locate(path, format_)
    return with_normal_names(_open(found, text, missing_values, in_blocks=in_blocks, memory_limit=memory_limit))


def _open(
    found: Location, text: TextFormat, missing_values: Sequence[str], *, in_blocks: bool, memory_limit: int | None
) -> Table:
    path, suffix = found.name, found.suffix
    if suffix in CSV_SUFFIXES:
        delimiter = text.delimiter or CSV_SUFFIXES[suffix]
        if not delimiter.isascii() or delimiter in '"\r\n\0':
            message = f"data.delimiter: {quoted(delimiter)} cannot be a delimiter; use one ASCII character other than"
            raise ConfigError(f"{message} a quote or a line break", path)
        if delimiter == text.decimal:
            raise ConfigError(f"data.decimal: {quoted(delimiter)} is also the delimiter of the cells", path)
        table = CsvTable(
            found, replace(text, delimiter=delimiter), missing_values, in_blocks=in_blocks, memory_limit=memory_limit
        )
        _refuse_units_of_none(text, table.columns, path)
        return table
    if suffix is not None:
        _refuse_text_settings(text, path, suffix if found.what == "file" else f"a {found.what} of {suffix} files")
        if in_blocks and suffix == ".jsonl":
            raise DataError(refused(JSON_WHOLE), path)
        return ArrowTable(path, found.files, missing_values, memory_limit)
    known = ", ".join((*CSV_SUFFIXES, *(f".csv{suffix}" for suffix in COMPRESSIONS), *TEXT_SUFFIXES, *OTHER_SUFFIXES))
    remedy = _remedy(path)
    raise DataError(f"unsupported file format; linreg reads {known}, and folders of one of them; {remedy}", path)


def _remedy(path: str) -> str:
    """What to do with a file whose format is not known."""
    file = Path(object_name(path))
    suffix = file.suffix.lower()
    if suffix == ".json":
        lines = f"jq -c '.[]' {command(path)} > {command(str(Path(path).with_suffix('.jsonl')))}"
        return f"write an object in each line, of a list of objects with: {lines}"
    if suffix in _COMMANDS:
        return f"unpack it: {_COMMANDS[suffix]} {command(path)}"
    if suffix == ".ndjson":
        return f"rename it to .jsonl, or {_format_named('jsonl')}"
    return _REMEDIES.get(suffix, f"if it is text with a row in each line, {_format_named('csv')}")


def _format_named(format_: str) -> str:
    option = either(f" (--format {format_} for a file of the command line)", "")
    return f"set {setting('data.format', format_)}{option}"


def _refuse_units_of_none(text: TextFormat, columns: Sequence[str], path: str) -> None:
    """Refuse units of columns that a table lacks; one that a run is applied to may lack some."""
    known = [normal(column) for column in columns]
    lacking = [column for column in text.units if column not in known and not text.of_run]
    if lacking and len(known) > 1:  # else its delimiter is another one, which is said
        message = "data.units: there is no column {}{}"
        raise DataError([Fault(message.format(repr(each), did_you_mean(each, known)), path) for each in lacking])


def _refuse_text_settings(text: TextFormat, path: str, what: str) -> None:
    """Refuse settings of text for a format whose cells have types."""
    faults = [
        Fault(f"data.{key} is for CSV files, and this is {what}; remove it", path)
        for key in ("delimiter", "decimal", "thousands", "units", "encoding")
        if getattr(text, key) != getattr(DEFAULT, key)
    ]
    if faults:
        raise DataError(faults)
