"""The cache of compiled kernels on the disk. It imports no compiler, so that looking for a kernel is cheap.

A file holds one kernel for one signature and processor, after a SHA-256 of its name and content. The name includes a
digest of all modules of this folder, since a kernel contains inlined functions of other modules. So a kernel from other
sources is never found, and a damaged one is not used. The content is executed, so a file that another user could have
written is not read, nor any in a folder of another user, nor what is no file: a link, or a pipe, which would be waited
for. A folder that cannot be written is skipped; without any, kernels are compiled in every process. No error of the
cache can fail a run.
"""

import contextlib
import hashlib
import os
import stat
from functools import cache
from pathlib import Path

from linreg_cli.cache import CACHE, cache_folder
from linreg_cli.errors import StoreError
from linreg_cli.files import write_bytes

_SOURCES = Path(__file__).parent
_SUFFIX = ".kernel"
#: Not a link, and without waiting for the writer of a pipe.
_ONLY_A_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def exists(kernel: str, dtype: str) -> bool:
    """Whether a compiled kernel is on the disk.

    Args:
        kernel: module and function, such as `batches.run_steps`.
        dtype: of the training, `float32` or `float64`.
    """
    pattern = f"{kernel}-{dtype}-{first_digest()}-*{_SUFFIX}"
    with contextlib.suppress(OSError):
        return any(_is_ours(path.lstat()) for folder in _folders() for path in folder.glob(pattern))
    return False


def read(kernel: str, dtype: str, sources: str, key: str) -> bytes | None:
    """The machine code of a kernel; None if there is no intact file that only trusted users can have written.

    Args:
        kernel: module and function.
        dtype: of the training.
        sources: from `first_digest`.
        key: everything else that the machine code depends on.
    """
    name = _name(kernel, dtype, sources, key)
    for folder in _folders():
        try:
            with open(os.open(folder / name, _ONLY_A_FILE), "rb") as file:
                if not _is_ours(os.fstat(file.fileno())):
                    continue
                content = file.read()
        except OSError:
            continue
        if _checksum(name, content[32:]) == content[:32]:
            return content[32:]
    return None


def write(kernel: str, dtype: str, sources: str, key: str, content: bytes) -> None:
    """Store a kernel in the first folder that can be written; arguments as in `read`.

    Beside the sources, kernels of older sources are removed.
    """
    name = _name(kernel, dtype, sources, key)
    for folder in _folders():
        try:
            beside = folder.parent == _SOURCES
            folder.mkdir(mode=0o777 if beside else 0o700, parents=True, exist_ok=True)
            if not _is_ours_or_nothing(folder / name) or not _is_trusted(folder):
                continue
            # mode: an administrator may compile for all users.
            write_bytes(folder / name, _checksum(name, content) + content, mode=0o644, durable=False)
            for old in folder.glob(f"{kernel}-{dtype}-*{_SUFFIX}") if beside else ():
                if sources not in old.name:
                    old.unlink(missing_ok=True)
        except (OSError, StoreError):
            continue
        return


def source_digest() -> str:
    """The digest of all modules of this folder, as they are on the disk now."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def first_digest() -> str:
    """`source_digest()` at the first call in this process; if they differ, the sources have changed since."""
    return source_digest()


def _is_ours(status: os.stat_result) -> bool:
    """Whether this is a file that only this user, the owner of the sources, or root can have written."""
    others = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISREG(status.st_mode) and _is_owned(status) and not (hasattr(os, "geteuid") and status.st_mode & others)
    )


def _is_owned(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid in {os.geteuid(), 0, _SOURCES.stat().st_uid}


def _is_ours_or_nothing(path: Path) -> bool:
    try:
        return _is_ours(path.lstat())
    except FileNotFoundError:
        return True


def _is_trusted(folder: Path) -> bool:
    """Whether nobody else can put files into a folder that exists; files of others in it are not read either.

    Members of its group may: with a umask of 002 every folder is so, and the group is that of the user alone.
    """
    status = folder.stat()
    return _is_owned(status) and not (hasattr(os, "geteuid") and status.st_mode & stat.S_IWOTH)


def _folders() -> list[Path]:
    """`__pycache__` beside the sources, then the cache folder; only the latter if LINREG_CACHE is set.

    Without those that another user may write to.
    """
    cached, beside = cache_folder(), _SOURCES / "__pycache__"
    folders = [] if os.environ.get(CACHE) else [beside]
    folders = folders if cached is None else [*folders, cached]
    return [folder for folder in folders if _is_missing(folder) or _is_trusted(folder)]


def _is_missing(folder: Path) -> bool:
    try:
        folder.stat()
    except OSError:
        return True
    return False


def _name(kernel: str, dtype: str, sources: str, key: str) -> str:
    return f"{kernel}-{dtype}-{sources}-{hashlib.sha256(key.encode()).hexdigest()[:16]}{_SUFFIX}"


def _checksum(name: str, content: bytes) -> bytes:
    # With the name, so that a kernel renamed to that of another is not used.
    return hashlib.sha256(name.encode() + b"\0" + content).digest()
