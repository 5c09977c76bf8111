"""Temporary folders of a command; those that killed processes have left are removed by a later one."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from linreg_cli.errors import TemporaryFileError
from linreg_cli.runs.lock import hold, remove_abandoned
from linreg_cli.temporary import folder

_NAME = re.compile(r"\.linreg-[0-9a-f]{16}\.temporary")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder for this user alone, removed at the end.

    Raises:
        TemporaryFileError: if it cannot be made.
    """
    parent = folder()
    path = Path(parent) / f".linreg-{os.urandom(8).hex()}.temporary"
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        message = f"no temporary folder can be made: {error.strerror}; set TMPDIR to a folder that can be written"
        raise TemporaryFileError(message, parent) from None
    try:
        lock = hold(path)
        remove_abandoned(_NAME, path)
        try:
            yield path
        finally:
            lock.release()
    finally:
        shutil.rmtree(path, ignore_errors=True)
