"""Where compiled kernels lie on the disk. Imports no compiler, so that asking costs nothing.

A file holds one kernel for one signature and processor, after a SHA-256 of its name and of what follows. Its name says
which, and from which sources: all modules of this folder, since a kernel contains what it calls from other modules. So
a kernel of other sources is never found, and a damaged one is not used. What is read becomes code: a file that another
user could have written is not read. A folder that cannot be written is passed over, and without any the kernels are
compiled in every process; none of it can fail a run.
"""

import hashlib
import os
import stat
from functools import cache
from pathlib import Path

from linreg_cli.errors import StoreError
from linreg_cli.files import CACHE, cache_folder, write_bytes

_SOURCES = Path(__file__).parent
_SUFFIX = ".kernel"


def exists(kernel: str, dtype: str) -> bool:
    """Whether a kernel such as `batches.run_steps` lies compiled for models of a type such as `float32`."""
    pattern = f"{kernel}-{dtype}-{first_digest()}-*{_SUFFIX}"
    return any(any(folder.glob(pattern)) for folder in _folders())


def read(kernel: str, dtype: str, sources: str, key: str) -> bytes | None:
    """What was written under these names, if it is there, undamaged, and ours.

    Args:
        kernel: module and function.
        dtype: of the training.
        sources: from `first_digest`.
        key: whatever else the machine code depends on.
    """
    name = _name(kernel, dtype, sources, key)
    for folder in _folders():
        try:
            with open(folder / name, "rb") as file:
                if not _is_ours(os.fstat(file.fileno())):
                    continue
                content = file.read()
        except OSError:
            continue
        if _checksum(name, content[32:]) == content[:32]:
            return content[32:]
    return None


def write(kernel: str, dtype: str, sources: str, key: str, content: bytes) -> None:
    """Keep a kernel in the first folder that can be written; beside the sources, those of older ones are removed."""
    name = _name(kernel, dtype, sources, key)
    for folder in _folders():
        try:
            beside = folder.parent == _SOURCES
            folder.mkdir(mode=0o777 if beside else 0o700, parents=True, exist_ok=True)
            # An administrator may compile for all users.
            write_bytes(folder / name, _checksum(name, content) + content, mode=0o644, durable=False)
            for old in folder.glob(f"{kernel}-{dtype}-*{_SUFFIX}") if beside else ():
                if sources not in old.name:
                    old.unlink(missing_ok=True)
        except (OSError, StoreError):
            continue
        return


def source_digest() -> str:
    """Of every module of this folder, as it is on the disk now."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def first_digest() -> str:
    """`source_digest()` when this process first asked: where it is another now, the sources have changed since."""
    return source_digest()


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user, the owner of the sources and root can have written a file."""
    if not hasattr(os, "geteuid"):
        return True
    trusted = {os.geteuid(), 0, _SOURCES.stat().st_uid}
    return status.st_uid in trusted and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _folders() -> list[Path]:
    """Beside the sources, where Python keeps what it compiles too, else the cache folder; only there if it is named."""
    cached, beside = cache_folder(), _SOURCES / "__pycache__"
    folders = [] if os.environ.get(CACHE) else [beside]
    return folders if cached is None else [*folders, cached]


def _name(kernel: str, dtype: str, sources: str, key: str) -> str:
    return f"{kernel}-{dtype}-{sources}-{hashlib.sha256(key.encode()).hexdigest()[:16]}{_SUFFIX}"


def _checksum(name: str, content: bytes) -> bytes:
    # Of the name too: whoever may write the folder could give one kernel the name of another.
    return hashlib.sha256(name.encode() + b"\0" + content).digest()
