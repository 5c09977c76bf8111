"""Files that are either the old ones or the new ones, never half of each."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from linreg_cli.errors import StoreError

#: A write that failed is tried again after these pauses: a disk that was full or a share that was away may be back.
RETRY_SECONDS = (0.05, 0.2)

#: Nothing that waiting would mend.
_LASTING = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL,
}  # fmt: skip


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the place of `path` when the block ends without an error.

    The content is on the disk before the name changes, and the folder after it.

    Raises:
        StoreError: if the file cannot be written; `path` is then as it was.
    """
    try:
        with _sibling(path, None) as sibling:
            yield sibling
    except OSError as error:
        raise _explained(error, path) from None


def write_file(path: Path, write: Callable[[Path], object], *, keep: Path | None = None) -> None:
    """Write a whole file, trying again a few times if that fails.

    Args:
        path: the file.
        write: writes the content to the path it is given; it is called again for each attempt, because what a failed
            fsync leaves of a file is not known.
        keep: where the old content of `path` stays, or None.

    Raises:
        StoreError: if it cannot be written; `path` is then as it was.
    """
    for pause in (*RETRY_SECONDS, None):
        try:
            with _sibling(path, keep) as sibling:
                write(sibling)
            return
        except OSError as error:
            if pause is None or error.errno in _LASTING:
                raise _explained(error, path) from None
            time.sleep(pause)


def write_bytes(path: Path, content: bytes, *, keep: Path | None = None) -> None:
    """Write a whole file, as `write_file` does.

    Raises:
        StoreError: if it cannot be written; `path` is then as it was.
    """
    write_file(path, lambda sibling: sibling.write_bytes(content), keep=keep)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder: {error.strerror}", str(folder)) from None


def remove_siblings(folder: Path) -> None:
    """Remove what processes that were killed while writing have left in a folder that nobody else writes to."""
    with contextlib.suppress(OSError):
        for stale in folder.glob(".*.tmp"):
            stale.unlink()


@contextlib.contextmanager
def _sibling(path: Path, keep: Path | None) -> Iterator[Path]:
    sibling = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield sibling
        with open(sibling, "rb+") as file:
            os.fsync(file.fileno())
        if keep is not None:
            _keep(path, keep)
        os.replace(sibling, path)
        _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            sibling.unlink(missing_ok=True)


def _keep(path: Path, keep: Path) -> None:
    """Give the content of `path` a second name, in place of what had it: one of both is always whole."""
    link = keep.with_name(f".{keep.name}.{os.getpid()}.tmp")
    try:
        link.unlink(missing_ok=True)
        try:
            os.link(path, link)
        except FileNotFoundError:
            return
        except OSError:  # a file system without hard links
            shutil.copyfile(path, link)
        os.replace(link, keep)
    finally:
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)


def _explained(error: OSError, path: Path) -> StoreError:
    reason = error.strerror or str(error)
    if not path.parent.is_dir():
        reason = f"there is no folder {path.parent}; make it first"
    elif path.is_dir():
        reason = "it is a folder; choose the name of a file"
    return StoreError(f"cannot write: {reason}", str(path))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename is ordered after the content
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
