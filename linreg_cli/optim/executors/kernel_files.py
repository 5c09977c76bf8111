"""Where compiled kernels lie on the disk. Imports no compiler, so that asking costs nothing.

A file holds one kernel for one signature and processor, after the SHA-256 of what follows. Its name says which, and
from which sources: all modules of this folder, since a kernel contains what it calls from other modules. So a kernel
of other sources is never found, and a damaged one is not used. A folder that cannot be written is passed over, and
without any the kernels are compiled in every process; none of it can fail a run.
"""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

_SOURCES = Path(__file__).parent
_SUFFIX = ".kernel"


def exists(kernel: str, dtype: str) -> bool:
    """Whether a kernel such as `native_kernels.run_steps` lies compiled for models of a type such as `float32`."""
    pattern = f"{kernel}-{dtype}-{source_digest()}-*{_SUFFIX}"
    return any(any(folder.glob(pattern)) for folder in _folders())


def read(kernel: str, dtype: str, key: str) -> bytes | None:
    """What was written under this key, if it is there and undamaged."""
    for folder in _folders():
        try:
            content = (folder / _name(kernel, dtype, key)).read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    return None


def write(kernel: str, dtype: str, key: str, content: bytes) -> None:
    """Keep a kernel in the first folder that can be written; those of older sources there are removed."""
    name = _name(kernel, dtype, key)
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, suffix=_SUFFIX + ".part", delete=False) as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.chmod(file.name, 0o644)  # an administrator may compile for all users
            os.replace(file.name, folder / name)  # whole or not at all, also when two processes compile at a time
            for old in folder.glob(f"{kernel}-{dtype}-*{_SUFFIX}"):
                if source_digest() not in old.name:
                    old.unlink(missing_ok=True)
        except OSError:
            continue
        return


@cache
def source_digest() -> str:
    """Of every module of this folder."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _folders() -> list[Path]:
    """Beside the sources, where Python keeps what it compiles too, else with the user's other caches."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return [Path(chosen)]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [_SOURCES / "__pycache__", Path(home) / "linreg"]


def _name(kernel: str, dtype: str, key: str) -> str:
    return f"{kernel}-{dtype}-{source_digest()}-{hashlib.sha256(key.encode()).hexdigest()[:16]}{_SUFFIX}"
