"""Where the rows of a table are: a file or an object, the parts in a folder, or those that a pattern matches."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linreg_cli.addresses import is_object, without_secrets
from linreg_cli.config.data import STDIN, STDIN_NAME
from linreg_cli.config.escapes import control_in_path
from linreg_cli.config.formats import disagreement, format_of, is_text_by_name
from linreg_cli.data.tables.object_parts import stored_files
from linreg_cli.data.tables.standard_input import file_of
from linreg_cli.errors import DataError, MissingFileError
from linreg_cli.paths import nearest

#: An address of which a `pathlib.Path` was made.
_HALVED = re.compile(r"(s3|gs|gcs|memory|https?):/(?!/)")
#: Files that a message names; the others are counted.
_NAMED = 4


@dataclass(frozen=True)
class Location:
    """The files of a table, in the order of its rows.

    Attributes:
        name: the path as the user gave it, without the secrets of an address.
        files: at least one, each a file or the whole address of an object.
        what: what the path is: `file`, `folder` or `pattern`.
        suffix: the format of all of them, such as `.csv` or `.parquet`, with any compression; None if it is not known.
    """

    name: str
    files: tuple[str, ...]
    what: str
    suffix: str | None


def locate(path: str, format_: str | None = None) -> Location:
    """The files of a table.

    Parts are sorted by their names, character by character, as `sorted(glob.glob(path))` and pyarrow's datasets are.
    Names that begin with a dot or an underscore, such as `_SUCCESS`, are no parts.

    Args:
        path: a file; a folder of files of one format; or a pattern with `*`, `?`, `[...]`, and `**` for any folders.
            What is really called so comes first, for each folder of the path too. `-` is standard input. An address
            of objects in a store, as `stored_files`.
        format_: the format of standard input and of a file whose name does not say it, such as `csv`.

    Raises:
        DataError: if there is nothing at the path, it is no file, or its parts have several formats.
    """
    if path == STDIN:
        copy = file_of(format_)
        return Location(STDIN_NAME, (copy,), "file", format_of(copy))
    if format_ is not None and (other := disagreement(path, format_)):
        raise DataError(f"data.format: {other}; leave it out", path)
    if is_object(path):
        return _stored(path, format_)
    file = Path(path)
    try:
        os.stat(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL, which no path has
        if "://" in path or _HALVED.match(path):
            message = "linreg reads addresses that begin with s3://, gs://, memory://, http:// or https://"
            hint = "; a Path keeps one of the two slashes, so give an address as text" if "://" not in path else ""
            raise DataError(f"{message}{hint}", path) from None
        if glob.has_magic(path) and "\0" not in path:
            return _matched(path)
        where = "" if file.is_absolute() else f" (in {Path.cwd()})"
        raise MissingFileError(f"there is no such file{where}{control_in_path(path)}{nearest(path)}", path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if os.path.isdir(file):
        found = _parts(file, path)
        if format_ is not None and found.suffix != f".{format_}":
            message = f"{format_} is not the format of the files in the folder, which are {found.suffix}"
            raise DataError(f"data.format: {message}; leave it out", path)
        return found
    if not os.path.isfile(file):  # opening a pipe would wait for whoever writes to it, and it can be read only once
        message = "not a file but a pipe or a device; write the table to a file first"
        raise DataError(f"{message}, or pipe it into the command, whose name for it is -", path)
    return Location(path, (path,), "file", _format_of_file(path, format_))


def _format_of_file(path: str, format_: str | None) -> str | None:
    """The format of one file: by its name, else the one that is named; text is a CSV."""
    return format_of(path) or (f".{format_}" if format_ else ".csv" if is_text_by_name(path) else None)


def _stored(path: str, format_: str | None) -> Location:
    """The objects of a table in a store."""
    (what, files), name = stored_files(path), without_secrets(path)
    if what != "file":
        return Location(name, files, what, _one_format(files, path))
    return Location(name, files, what, _format_of_file(path, format_))


def _parts(folder: Path, path: str) -> Location:
    """The parts in a folder; files of formats that linreg does not read are none.

    Raises:
        DataError: if the folder cannot be listed, or has no parts, or parts of it lie in folders of their own.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"the folder cannot be read: {error.strerror}", path) from None
    entries = [entry for entry in entries if not entry.name.startswith((".", "_"))]
    files = [str(entry) for entry in entries if format_of(entry.name) and not os.path.isdir(entry)]
    own = {format_of(file) for file in files}
    for entry in entries:
        if os.path.isdir(entry) and not _holds_runs(entry) and (inner := _first_part(entry, own)) is not None:
            message = f"its folder {entry.name} has {format_of(inner)} files too, and linreg reads the files of one"
            pattern = os.path.join(path, "**", f"*{Path(inner).suffix}")
            raise DataError(f"{message} folder; name all of them with the pattern {pattern}", path)
    if not files:
        raise DataError("the folder has no .csv, .tsv, .parquet, .arrow, .feather or .jsonl files", path)
    return Location(path, tuple(files), "folder", _one_format(files, path))


def _holds_runs(folder: Path) -> bool:
    """Whether a folder is that of runs, which are no parts of a table."""
    return next(folder.glob("*/run.json"), None) is not None


def _first_part(folder: Path, formats: set[str | None]) -> str | None:
    """A file below a folder that has one of the formats, or, where there are none, any that is read."""
    for each in folder.rglob("*"):
        found = format_of(each.name)
        if found and (not formats or found in formats) and each.is_file():
            return each.name
    return None


def _matched(path: str) -> Location:
    """The files that a pattern matches.

    Raises:
        DataError: if there are none, or one is no file, or of a format that linreg does not read.
    """
    literal, pattern = _split(path)
    last = os.path.basename(pattern)
    found = sorted(glob.glob(os.path.join(glob.escape(literal), pattern), recursive=True))
    files = [each for each in found if last.startswith("_") or not os.path.basename(each).startswith("_")]
    files = [each for each in files if not (os.path.isdir(each) and last == "**")]
    if not files:
        folder = os.path.abspath(literal)
        none = "" if os.path.isdir(folder) else ", and there is no such folder"
        raise DataError(f"no file matches the pattern {pattern} in {folder}{none}{control_in_path(path)}", path)
    for each in files:
        if not os.path.isfile(each):
            kind = "a folder" if os.path.isdir(each) else "a pipe or a device"
            hint = f", or take its files with {os.path.join(path, '*')}" if kind == "a folder" else ""
            raise DataError(f"the pattern matches {each}, which is {kind}; name the files more closely{hint}", path)
    if others := [each for each in files if format_of(each) is None]:
        message = f"the pattern matches {_listed(others)}, which linreg does not read as a table"
        raise DataError(f"{message}; name the files more closely, such as *.csv", path)
    return Location(path, tuple(files), "pattern", _one_format(files, path))


def _split(path: str) -> tuple[str, str]:
    """The folders of a path that are really there, and the pattern that follows."""
    literal, rest = ("/", path.lstrip("/")) if path.startswith("/") else ("", path)
    while "/" in rest:
        folder, _, after = rest.partition("/")
        if glob.has_magic(folder) and not os.path.isdir(os.path.join(literal, folder)):
            break
        literal, rest = os.path.join(literal, folder), after.lstrip("/")
    return literal, rest


def _one_format(files: Sequence[str], path: str) -> str:
    """The format of all files.

    Raises:
        DataError: with a file of each, if there are several.
    """
    first: dict[str, str] = {}
    for file in files:
        first.setdefault(str(format_of(file)), os.path.relpath(file, path) if os.path.isdir(path) else file)
    if len(first) > 1:
        message = f"the parts of a table have one format, and here are {_listed([*first.values()])}"
        raise DataError(f"{message}; choose those of one with a pattern, such as *{next(iter(first))}", path)
    return next(iter(first))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
