"""Files that are either the old ones or the new ones, never half of each; and the folder for what can be made again.

Every file that linreg writes is written here: to a draft beside it, which takes its name at the end (`os.replace`).
So a reader finds the old content or the new one, whole, also when the process is killed or the disk is full. Nothing
but the draft, `.<name>.<8 hex digits>.tmp`, is ever left behind. What callers may ask for beyond that:

- files of a run, reports, pictures, predictions: *durable*. The content is on the disk before its name is (fsync of the
  file, then of the folder), and an attempt that fails is repeated (`RETRY_SECONDS`).
- checkpoints: also `keep`, a second name for the old content, so that one of both is whole at every instant.
- tables that are written as they are computed: `replacing`, a block instead of a function, which is not repeated.
- compiled kernels: `durable=False`, no fsync and one attempt, since they can be compiled again, and `mode=0o644`, so
  that one user may compile for all.

A link is followed, and the file that it leads to is replaced. A file that is replaced keeps its mode. What is no
regular file, such as a pipe or a device, cannot be replaced: the whole content is made first, then copied into it.
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

#: A durable write that failed is tried again after these pauses: a full disk or a share that was away may be back.
RETRY_SECONDS = (0.05, 0.2)

#: The variable that names the folder for what can be made again.
CACHE = "LINREG_CACHE"

#: Nothing that waiting would mend.
_LASTING = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL,
    errno.ELOOP,
}  # fmt: skip


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write to, which takes the place of `path` when the block ends without an error; durable.

    Raises:
        StoreError: if the file cannot be written; `path` is then as it was.
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
    """Write a whole file.

    Args:
        path: the file.
        write: writes the content to the path it is given; it is called again for each attempt, because what a failed
            fsync leaves of a file is not known.
        keep: where the old content of `path` stays, or None.
        mode: the permissions of the file; None: those of the file that it replaces, or the usual ones of a new file.
        durable: whether it is synchronised with the disk, and tried again where that fails.

    Raises:
        StoreError: if it cannot be written; `path` is then as it was.
    """
    for pause in (*(RETRY_SECONDS if durable else ()), None):
        try:
            with _draft(path, keep, mode, durable) as draft:
                write(draft)
            return
        except OSError as error:
            if pause is None or error.errno in _LASTING:
                raise _explained(error, path) from None
            time.sleep(pause)


def write_bytes(
    path: Path, content: bytes, *, keep: Path | None = None, mode: int | None = None, durable: bool = True
) -> None:
    """Write a whole file, as `write_file` does.

    Raises:
        StoreError: if it cannot be written; `path` is then as it was.
    """
    write_file(path, lambda draft: draft.write_bytes(content), keep=keep, mode=mode, durable=durable)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder: {error.strerror}", str(folder)) from None


def remove_drafts(folder: Path) -> None:
    """Remove what processes that were killed while writing have left in a folder that nobody else writes to."""
    with contextlib.suppress(OSError):
        for stale in folder.glob(".*.tmp"):
            stale.unlink()


def cache_folder() -> Path | None:
    """The folder for what can be made again: downloads and compiled kernels.

    `LINREG_CACHE`; else `linreg` in `XDG_CACHE_HOME`; else where the system keeps such things: `~/.cache/linreg`,
    `~/Library/Caches/linreg` on macOS, `linreg\\linreg\\Cache` in the local application data on Windows. That is
    `pooch.os_cache("linreg")`, without its import.

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
    if not os.path.isabs(home):  # neither HOME nor an entry in the list of users: "~" is no folder to make
        return None
    return Path(home) / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "linreg"


@contextlib.contextmanager
def _draft(path: Path, keep: Path | None = None, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """As `write_file`, but for its attempts and its errors."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    old = _mode_of(target)
    if old is not None and not (stat.S_ISREG(old) or stat.S_ISDIR(old)):
        with _copied_into(target) as draft:
            yield draft
        return
    if mode is None and old is not None:
        mode = stat.S_IMODE(old)
    draft = _draft_name(target)
    try:
        if mode is not None:  # what others may not read they may not read while it is written either
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
    """A draft elsewhere, whose content is copied into what cannot be replaced."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        draft = Path(folder) / "draft"
        yield draft
        with open(draft, "rb") as content, open(device, "wb") as sink:
            shutil.copyfileobj(content, sink)


def _mode_of(path: Path) -> int | None:
    """Kind and permissions of a file; None where there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _draft_name(path: Path) -> Path:
    """A name that no other thread, process or machine uses for its draft of the same file."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")


def _keep(path: Path, keep: Path) -> None:
    """Give the content of `path` a second name, in place of what had it: one of both is always whole."""
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
