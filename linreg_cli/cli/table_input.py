"""The table of `--data`: a file, or standard input or a pipe, which is written to a temporary file first."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from linreg_cli import paths
from linreg_cli.errors import DataError, Fault, LinregError, UsageError, did_you_mean

FORMATS = ("csv", "tsv", "jsonl")
_STDIN = "standard input"


@contextlib.contextmanager
def readable(data: str, format_: str | None) -> Iterator[str]:
    """The path of a file with the table; in messages of errors it has the name that the user gave.

    Args:
        data: the value of `--data`; `-` is standard input.
        format_: the value of `--format`, for a table whose name has no suffix.

    Raises:
        UsageError: for an unknown format, or one for a file, which has a suffix.
        DataError: if standard input or the pipe cannot be read.
    """
    if format_ is not None and format_ not in FORMATS:
        raise UsageError(f"unknown value {format_!r}{did_you_mean(format_, FORMATS)}", "--format")
    if data != "-" and not paths.is_written_through(Path(data)):
        if format_ is not None:
            raise UsageError("it is for '--data -' and for pipes; a file has the format of its suffix", "--format")
        yield data
        return
    from tempfile import TemporaryDirectory

    name = _STDIN if data == "-" or paths.descriptor_of(Path(data)) == 0 else data
    with TemporaryDirectory(prefix="linreg-") as folder:
        copy = Path(folder) / f"{_STDIN}{_suffix(data) if format_ is None else f'.{format_}'}"
        try:
            with open(copy, "wb") as file, _opened(data, name) as stream:
                shutil.copyfileobj(stream, file)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", name) from None
        try:
            yield str(copy)
        except LinregError as error:
            error.faults = tuple(_renamed(fault, copy, name) for fault in error.faults)
            raise


def _suffix(data: str) -> str:
    """The suffix of a pipe that has the name of a table, such as `rows.tsv.gz`; `.csv` for any other."""
    from linreg_cli.config.formats import table_format

    return table_format(data) or ".csv"


def _opened(data: str, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    return contextlib.nullcontext(sys.stdin.buffer) if name == _STDIN else open(data, "rb")


def _renamed(fault: Fault, copy: Path, name: str) -> Fault:
    """A fault in which the temporary file is called as the user called the table."""
    texts = [
        None if text is None else text.replace(str(copy), name).replace(copy.name, name)
        for text in (fault.message, fault.where)
    ]
    return replace(fault, message=texts[0] or "", where=texts[1])
