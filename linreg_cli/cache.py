"""The cache folder: where downloads and compiled kernels are kept."""

import contextlib
import os
import sys
from pathlib import Path

from linreg_cli import paths
from linreg_cli.errors import UsageError

#: The environment variable that names the cache folder.
CACHE = "LINREG_CACHE"


def cache_folder() -> Path | None:
    """The cache folder, which can be deleted at any time.

    `LINREG_CACHE`; else `linreg` in `XDG_CACHE_HOME`; else the folder that is usual on the system: `~/.cache/linreg`,
    `~/Library/Caches/linreg` on macOS, `linreg\\linreg\\Cache` in the local application data on Windows. This is
    `pooch.os_cache("linreg")`, without importing pooch.

    Returns:
        The folder, which need not exist; None where the user has no home folder.
    """
    chosen, shared = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME", "").strip()
    with contextlib.suppress(UsageError):
        if chosen:
            return Path(paths.expanded(chosen))
        if shared:
            return Path(paths.expanded(shared)) / "linreg"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) / "linreg" / "linreg" / "Cache" if local else None
    home = paths.home()
    return (
        None if home is None else Path(home) / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "linreg"
    )
