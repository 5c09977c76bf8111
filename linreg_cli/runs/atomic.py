"""Files that are either the old ones or the new ones, never half of each."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from linreg_cli.errors import StoreError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the place of `path` when the block ends without an error.

    The content is on the disk before the name changes, and the folder after it.

    Raises:
        StoreError: if the file cannot be written; `path` is then as it was.
    """
    sibling = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield sibling
        with open(sibling, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(sibling, path)
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or error
        if not path.parent.is_dir():
            reason = f"there is no folder {path.parent}; make it first"
        elif path.is_dir():
            reason = "it is a folder; choose the name of a file"
        raise StoreError(f"cannot write: {reason}", str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            sibling.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file.

    Raises:
        StoreError: if it cannot be written; `path` is then as it was.
    """
    with replacing(path) as sibling:
        sibling.write_bytes(content)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename is ordered after the content
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
