"""The folder of temporary files."""

import os
import tempfile

from linreg_cli.errors import TemporaryFileError


def folder() -> str:
    """The folder of temporary files: `TMPDIR`, else /var/tmp, since /tmp may be in memory, else the system's.

    A `TMPDIR` that cannot be used is refused. Python takes another folder then, and says nothing: one that may lie on
    the disk, or in the memory, that was to be spared.

    Raises:
        TemporaryFileError: for such a `TMPDIR`.
    """
    given = os.environ.get("TMPDIR")
    if given:
        if not os.path.isdir(given):
            why, remedy = "is no folder", "create it, or set TMPDIR to another one"
        elif not os.access(given, os.W_OK | os.X_OK):
            why, remedy = "cannot be written", "set TMPDIR to a folder that can"
        else:
            return os.path.abspath(given)
        raise TemporaryFileError(f"what TMPDIR names {why}; {remedy}", given)
    if os.access("/var/tmp", os.W_OK | os.X_OK):
        return "/var/tmp"
    return tempfile.gettempdir()
