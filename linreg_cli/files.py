"""Atomic writes: a file has its whole old content or its whole new content.

Every file that linreg writes is written here: to a temporary file beside it, the draft, which is then renamed
(`os.replace`). So a reader finds the old or the new content, even when the process is killed or the disk is full. Only
a draft, `.linreg-<16 hex digits>.tmp`, can be left behind. A process holds a lock on its drafts, so the next one that
writes into the folder knows those that a killed process has left, and removes them. Callers can ask for more:

- files of a run, reports, pictures, predictions: *durable*. The content is synchronised with the disk before the name
  is (fsync of the file, then of the folder), and a failed attempt is repeated (`RETRY_SECONDS`).
- checkpoints: also `keep`, a second name for the old content, so that one of the two is intact at every instant.
- tables that are written as they are computed: `replacing`, a context manager, which cannot be repeated.
- compiled kernels: `durable=False`, no fsync and one attempt, since they can be compiled again, and `mode=0o644`, so
  that one user can compile for all.

A symbolic link is followed, and its target is replaced. A file that is replaced keeps its mode, and its owner, group
and access list where the user may set them. A pipe, a device or an open file (`/dev/stdout`, `/dev/fd/3`) is not
replaced: the content is written to a draft in a temporary folder and then copied into it.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from linreg_cli import paths
from linreg_cli.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows: drafts are not locked there, and none is swept
    fcntl = None  # type: ignore[assignment]

#: Pauses before a failed durable write is repeated: a full disk may have space again, a network drive may be back.
RETRY_SECONDS = (0.05, 0.2)

#: Errors that do not go away by waiting.
_PERMANENT = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL,
    errno.ELOOP,
}  # fmt: skip


_DRAFT = re.compile(r"\.linreg-[0-9a-f]{16}\.tmp")

#: Folders without drafts of killed processes, as far as this process knows.
_swept: set[Path] = set()


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
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _explained(error, path) from None


def write_file(
    path: Path,
    write: Callable[[Path], object],
    *,
    keep: Path | None = None,
    mode: int | None = None,
    durable: bool = True,
    own: bool = False,
) -> None:
    """Write a file atomically, from a function that writes its content.

    Args:
        path: the file.
        write: writes the content to the path that it is given. It is called again for each attempt, because the
            content of a file after a failed fsync is not known.
        keep: the path under which the old content stays, or None.
        mode: the permissions of the file; None: those of the file that it replaces, or the default of a new file.
        durable: whether the file is synchronised with the disk, and a failed attempt repeated.
        own: whether only linreg reads the file, so that a pipe or a device in its place is an error. Writing to a pipe
            that nobody reads would wait for ever.

    Raises:
        StoreError: if it cannot be written; `path` is then unchanged.
        BrokenPipeError: if it is a pipe that its reader has closed.
    """
    for pause in (*(RETRY_SECONDS if durable else ()), None):
        try:
            if own:
                _refuse_pipe(path)
            with _draft(path, keep, mode, durable) as draft:
                write(draft)
            return
        except BrokenPipeError:
            raise
        except OSError as error:
            # What has gone into a pipe or a device cannot be taken back.
            if pause is None or error.errno in _PERMANENT or paths.is_written_through(path):
                raise _explained(error, path) from None
            time.sleep(pause)


def write_bytes(
    path: Path,
    content: bytes,
    *,
    keep: Path | None = None,
    mode: int | None = None,
    durable: bool = True,
    own: bool = False,
) -> None:
    """Write bytes atomically; arguments as in `write_file`.

    Raises:
        StoreError: if the file cannot be written; `path` is then unchanged.
    """
    write_file(path, lambda draft: draft.write_bytes(content), keep=keep, mode=mode, durable=durable, own=own)


def read_own(path: Path) -> bytes:
    """The content of a file that linreg has written. A pipe or a device in its place is not opened.

    Raises:
        OSError: if it cannot be read, or is not a regular file.
    """
    return own_file(path).read_bytes()


def own_file(path: Path) -> Path:
    """A file that linreg has written, to be read block by block.

    Raises:
        OSError: if there is a pipe or a device in its place.
    """
    _refuse_pipe(path)
    return path


def _refuse_pipe(path: Path) -> None:
    found = paths.kind(path)
    if found is not None:
        raise OSError(errno.EINVAL, f"it is {found} and not a file", str(path))


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
        for stale in (*folder.glob(".*.tmp"), *folder.glob(".linreg-*.link")):
            stale.unlink()


@contextlib.contextmanager
def _draft(path: Path, keep: Path | None = None, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """One attempt of `write_file`; raises OSError."""
    if paths.is_written_through(path):
        with _copied_into(path) as draft:
            yield draft
        return
    old = _status(path)
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    _sweep(target.parent)
    draft, descriptor = _new_draft(target.parent, private=mode is not None or old is not None)
    try:
        yield draft
        if mode is not None:
            draft.chmod(mode)
        elif old is not None:
            _give_rights(draft, target, old)
        if durable:
            os.fsync(descriptor)
        if keep is not None:
            _keep(target, keep)
        os.replace(draft, target)
        if durable:
            sync_folder(target.parent)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _status(path: Path) -> os.stat_result | None:
    """The status of a file, which links may lead to; None if it does not exist."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _new_draft(folder: Path, *, private: bool) -> tuple[Path, int]:
    """An empty file with a name that no other thread, process or machine uses, and its descriptor, which is locked.

    Args:
        folder: where it is.
        private: whether nobody else may read it, who perhaps may not read the file that it replaces.
    """
    while True:
        draft = folder / f".linreg-{os.urandom(8).hex()}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(draft, flags, 0o600 if private else 0o666)
        if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return draft, descriptor
        os.close(descriptor)  # another process has swept it, between its creation and its lock


def _give_rights(draft: Path, target: Path, old: os.stat_result) -> None:
    """Give a draft the owner, the group, the attributes (with the access list) and the mode of a file, if allowed."""
    if hasattr(os, "chown"):
        for owner, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with contextlib.suppress(OSError):
                os.chown(draft, owner, group)
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                with contextlib.suppress(OSError):
                    os.setxattr(draft, name, os.getxattr(target, name))
    draft.chmod(stat.S_IMODE(old.st_mode))


def _sweep(folder: Path) -> None:
    """Remove the drafts of killed processes: those of this user that nobody holds a lock on."""
    folder = folder.absolute()
    if fcntl is None or folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _DRAFT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor):
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file; whether nobody else holds the lock, or None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):
        return None
    return True


@contextlib.contextmanager
def _copied_into(path: Path) -> Iterator[Path]:
    """A draft in a temporary folder, whose content is then copied into a pipe, a device or an open file."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="linreg-") as folder:
        draft = Path(folder) / "draft"
        yield draft
        descriptor = paths.descriptor_of(path)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # what was printed before comes first
        place = path if descriptor is None else descriptor
        with open(draft, "rb") as content, open(place, "wb", closefd=descriptor is None) as sink:
            shutil.copyfileobj(content, sink)


def _keep(path: Path, keep: Path) -> None:
    """Make `keep` a second name of the content of `path`; at every instant one of the two names is intact."""
    link = keep.with_name(f".linreg-{os.urandom(8).hex()}.link")  # no draft: it is not locked, and must not be swept
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
    if not os.path.isdir(path.parent):
        reason = f"there is no folder {path.parent}; create it first"
    elif os.path.isdir(path):
        reason = "it is a folder; give the name of a file"
    return StoreError(f"cannot write: {reason}", str(path))


def sync_folder(folder: Path) -> None:
    """Synchronise the names in a folder with the disk; raises OSError."""
    if os.name == "nt":  # a folder cannot be opened there, and a rename is ordered after the content
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
