"""Atomic writes: a file has its whole old content or its whole new content. Also the place of the cache folder.

Every file that linreg writes is written here: to a temporary file beside it, the draft, which is then renamed
(`os.replace`). So a reader finds the old or the new content, even when the process is killed or the disk is full. Only
a draft, `.<name>.<8 hex digits>.tmp`, can be left behind. Callers can ask for more:

- files of a run, reports, pictures, predictions: *durable*. The content is synchronised with the disk before the name
  is (fsync of the file, then of the folder), and a failed attempt is repeated (`RETRY_SECONDS`).
- checkpoints: also `keep`, a second name for the old content, so that one of the two is intact at every instant.
- tables that are written as they are computed: `replacing`, a context manager, which cannot be repeated.
- compiled kernels: `durable=False`, no fsync and one attempt, since they can be compiled again, and `mode=0o644`, so
  that one user can compile for all.

A symbolic link is followed, and its target is replaced. A file that is replaced keeps its mode. A pipe or a device
cannot be replaced: the content is written to a draft in a temporary folder and then copied into it.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from linreg_cli.errors import StoreError

#: Pauses before a failed durable write is repeated: a full disk may have space again, a network drive may be back.
RETRY_SECONDS = (0.05, 0.2)

#: The environment variable that names the cache folder.
CACHE = "LINREG_CACHE"

#: Errors that do not go away by waiting.
_PERMANENT = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL,
    errno.ELOOP,
}  # fmt: skip


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A context with a temporary file to write to, which replaces `path` if the block ends without an error; durable.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.txt"
    ...     with replacing(path) as draft:
    ...         _ = draft.write_text("new")
    ...     path.read_text()
    'new'

    Raises:
        StoreError: if the file cannot be written; `path` is then unchanged.
    """
    try:
        with _draft(path) as draft:
            yield draft
    except OSError as error:
        raise _explained(error, path) from None


def write_file(
    path: Path,
    write: Callable[[Path], object],
    *,
    keep: Path | None = None,
    mode: int | None = None,
    durable: bool = True,
) -> None:
    """Write a file atomically, from a function that writes its content.

    Args:
        path: the file.
        write: writes the content to the path that it is given. It is called again for each attempt, because the
            content of a file after a failed fsync is not known.
        keep: the path under which the old content stays, or None.
        mode: the permissions of the file; None: those of the file that it replaces, or the default of a new file.
        durable: whether the file is synchronised with the disk, and a failed attempt repeated.

    Raises:
        StoreError: if it cannot be written; `path` is then unchanged.
    """
    for pause in (*(RETRY_SECONDS if durable else ()), None):
        try:
            with _draft(path, keep, mode, durable) as draft:
                write(draft)
            return
        except OSError as error:
            # What has gone into a pipe or a device cannot be taken back.
            if pause is None or error.errno in _PERMANENT or not _is_replaced(path):
                raise _explained(error, path) from None
            time.sleep(pause)


def write_bytes(
    path: Path, content: bytes, *, keep: Path | None = None, mode: int | None = None, durable: bool = True
) -> None:
    """Write bytes atomically; arguments as in `write_file`.

    Raises:
        StoreError: if the file cannot be written; `path` is then unchanged.
    """
    write_file(path, lambda draft: draft.write_bytes(content), keep=keep, mode=mode, durable=durable)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, where they are missing.

    Raises:
        StoreError: if it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot create the folder: {error.strerror}", str(folder)) from None


def remove_drafts(folder: Path) -> None:
    """Remove the temporary files of killed processes from a folder that no other process writes to."""
    with contextlib.suppress(OSError):
        for stale in folder.glob(".*.tmp"):
            stale.unlink()


def cache_folder() -> Path | None:
    """The cache folder, for downloads and compiled kernels, which can be deleted at any time.

    `LINREG_CACHE`; else `linreg` in `XDG_CACHE_HOME`; else the folder that is usual on the system: `~/.cache/linreg`,
    `~/Library/Caches/linreg` on macOS, `linreg\\linreg\\Cache` in the local application data on Windows. This is
    `pooch.os_cache("linreg")`, without importing pooch.

    Returns:
        The folder, which need not exist; None where the user has no home folder.
    """
    chosen, shared = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME", "").strip()
    if chosen:
        return Path(chosen)
    if shared:
        return Path(shared) / "linreg"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) / "linreg" / "linreg" / "Cache" if local else None
    home = os.path.expanduser("~")
    if not os.path.isabs(home):  # neither HOME nor an entry in the user database, so "~" is not expanded
        return None
    return Path(home) / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "linreg"


@contextlib.contextmanager
def _draft(path: Path, keep: Path | None = None, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """One attempt of `write_file`; raises OSError."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    old = _mode_of(target)
    if not _is_replaced(target):
        with _copied_into(target) as draft:
            yield draft
        return
    if mode is None and old is not None:
        mode = stat.S_IMODE(old)
    draft = _draft_name(target)
    try:
        if mode is not None:  # so that nobody can read the draft who may not read the file
            open(draft, "xb").close()
            draft.chmod(0o600)
        yield draft
        with open(draft, "rb+") as file:
            if mode is not None:
                draft.chmod(mode)
            if durable:
                os.fsync(file.fileno())
        if keep is not None:
            _keep(target, keep)
        os.replace(draft, target)
        if durable:
            _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _copied_into(device: Path) -> Iterator[Path]:
    """A draft in a temporary folder, whose content is then copied into a pipe or a device."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        draft = Path(folder) / "draft"
        yield draft
        with open(draft, "rb") as content, open(device, "wb") as sink:
            shutil.copyfileobj(content, sink)


def _is_replaced(path: Path) -> bool:
    """Whether writing replaces a file, or creates one; pipes and devices are written into."""
    mode = _mode_of(path)
    return mode is None or stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _mode_of(path: Path) -> int | None:
    """Type and permissions of a file (`st_mode`); None if it does not exist."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _draft_name(path: Path) -> Path:
    """A name that no other thread, process or machine uses for its draft of the same file."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")


def _keep(path: Path, keep: Path) -> None:
    """Make `keep` a second name of the content of `path`; at every instant one of the two names is intact."""
    link = _draft_name(keep)
    try:
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
        reason = f"there is no folder {path.parent}; create it first"
    elif path.is_dir():
        reason = "it is a folder; give the name of a file"
    return StoreError(f"cannot write: {reason}", str(path))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename is ordered after the content
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
