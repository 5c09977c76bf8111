"""Standard input and pipes as tables: they are copied to a temporary file, which can be read more than once."""

import contextlib
import errno
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from linreg_cli import paths
from linreg_cli.addresses import is_object
from linreg_cli.cli import output
from linreg_cli.errors import DataError, Fault, LinregError, TemporaryFileError, UsageError, did_you_mean

FORMATS = ("csv", "tsv", "jsonl")
_STDIN = "standard input"
#: First bytes of a table that is no text -> what it is, and its suffix; that of a compression goes behind a text's.
_MARKS = {
    b"\x1f\x8b": ("gzip", ".gz"),
    b"\x28\xb5\x2f\xfd": ("zstd", ".zst"),
    b"PAR1": ("Parquet", ".parquet"),
    b"ARROW1": ("Arrow", ".arrow"),
}


@contextlib.contextmanager
def standard_input(*, read: bool = True) -> Iterator[None]:
    """A block in which `data.path: "-"` is standard input, copied when it is first opened.

    Args:
        read: False for what must not read it, such as a run that is resumed.

    Raises:
        LinregError: that of the block, in whose messages the copy is called standard input.
    """
    from linreg_cli.data.tables.standard_input import given_by

    found: list[Path] = []

    def copy(format_: str | None) -> Path:
        if not found:
            found.append(_copied("-", _STDIN, format_, stack))
        return found[0]

    with contextlib.ExitStack() as stack, given_by(copy if read else None):
        try:
            yield
        except LinregError as error:
            for path in found:
                error.faults = tuple(_renamed(fault, path, _STDIN) for fault in error.faults)
            raise


@contextlib.contextmanager
def readable(data: str, format_: str | None) -> Iterator[str]:
    """The path of a file with the table; in messages of errors it has the name that the user gave.

    Args:
        data: the value of `--data`; `-` is standard input.
        format_: the value of `--format`, for a table whose name has no suffix.

    Raises:
        UsageError: for an unknown format, or one that is not that of the file.
        DataError: if standard input or the pipe cannot be read.
    """
    check_format(format_)
    stdin = is_stdin(data)
    if not stdin and not paths.is_written_through(Path(data)) and not _needs(data, format_):
        yield data
        return
    name = name_of(data)
    with contextlib.ExitStack() as stack:
        copy = _copied("-" if stdin else data, name, format_, stack)
        try:
            yield str(copy)
        except LinregError as error:
            error.faults = tuple(_renamed(fault, copy, name) for fault in error.faults)
            raise


def name_of(data: str) -> str:
    """What messages call the table of `--data`.

    >>> name_of("-"), name_of("t.csv")
    ('standard input', 't.csv')
    """
    return _STDIN if is_stdin(data) else data


def is_stdin(path: str) -> bool:
    """Whether a path is standard input, by whatever name.

    >>> is_stdin("-"), is_stdin("/dev/stdin"), is_stdin("./-")
    (True, True, False)
    """
    return path == "-" or ("\0" not in path and paths.descriptor_of(Path(path)) == 0)


def check_format(format_: str | None) -> None:
    """Refuse an unknown value of `--format`.

    Raises:
        UsageError: for one.
    """
    if format_ is not None and format_ not in FORMATS:
        raise UsageError(f"unknown value {format_!r}{did_you_mean(format_, FORMATS)}", "--format")


def _needs(data: str, format_: str | None) -> bool:
    """Whether a file has a format by `--format` alone.

    Raises:
        UsageError: if it has another one by its name.
    """
    from linreg_cli.config.formats import disagreement, table_format

    if format_ is None:
        return False
    if other := disagreement(data, format_):
        raise UsageError(f"{other}; leave --format out", "--format")
    return table_format(data) is None and (is_object(data) or Path(data).is_file())


def _copied(data: str, name: str, format_: str | None, stack: contextlib.ExitStack) -> Path:
    """A file with what a stream gives, of a suffix that names its format.

    Raises:
        DataError: if it cannot be read, is empty, or is not of the format.
        TemporaryFileError: if no copy can be made.
    """
    from linreg_cli.cli.temporary import temporary_folder

    into = stack.enter_context(temporary_folder())
    if data == "-" and sys.stdin.isatty():
        output.prompt("standard input is a terminal; type or paste the table, and end it with Ctrl-D")
    try:
        with _opened(data) as stream:
            head = stream.read(4096)
            copy = into / f"{_STDIN}{_suffix(data, name, format_, head)}"
            with open(copy, "wb") as file:
                file.write(head)
                shutil.copyfileobj(stream, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"no space is left for a copy of {name}; set TMPDIR to a folder on another disk"
            raise TemporaryFileError(message, str(into.parent)) from None
        raise DataError(f"cannot be read: {error.strerror or error}", name) from None
    return copy


def _suffix(data: str, name: str, format_: str | None, head: bytes) -> str:
    """The suffix of the format: what the first bytes say, else the one that is named, by the stream too; else `.csv`.

    Raises:
        DataError: if there are no bytes, or they say another format.
    """
    from linreg_cli.config.formats import COMPRESSIONS, table_format

    if not head:
        hint = "; pipe a table into the command, such as with < TABLE" if data == "-" else ""
        raise DataError(f"there is nothing to read{hint}", name)
    named = f".{format_}" if format_ else table_format(data) or ".csv"
    kind, suffix = next((found for mark, found in _MARKS.items() if head.startswith(mark)), ("", ""))
    if suffix in COMPRESSIONS:
        if named == ".jsonl":
            raise DataError(f"JSON Lines are not read from {kind}; decompress them first", name)
        return named if named.endswith(suffix) else f"{named}{suffix}"
    if suffix and format_ is not None:
        raise DataError(f"the first bytes are those of {kind}, and the format is {format_}; leave it out", name)
    return suffix or named


def _opened(data: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if is_object(data):
        from linreg_cli.data.tables.table_file import TableFile

        return TableFile(data).stream()
    return contextlib.nullcontext(sys.stdin.buffer) if data == "-" else open(data, "rb")


def _renamed(fault: Fault, copy: Path, name: str) -> Fault:
    """A fault in which the temporary file is called as the user called the table."""
    texts = [
        None if text is None else text.replace(str(copy), name).replace(copy.name, name)
        for text in (fault.message, fault.where)
    ]
    return replace(fault, message=texts[0] or "", where=texts[1])
