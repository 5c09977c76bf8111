"""matplotlib as this package uses it: without the user's settings, and with errors of its own kind."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from types import TracebackType

from linreg_cli.errors import LinregError, PlotError

_SETTINGS = "matplotlibrc"
#: What draws a figure and what writes its pixels; of PNG files matplotlib does not call Pillow, but this package.
_LIBRARIES = ("matplotlib", "PIL")
#: What matplotlib and the libraries below it (FreeType, Agg, Pillow) raise for settings, fonts and numbers that they
#: cannot use; it has no class of its own for that. Numpy's and the codecs' errors are ValueErrors.
FAILURES = (
    ArithmeticError, AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError
)  # fmt: skip


def load() -> None:
    """Import matplotlib, whatever the user's settings for it hold.

    It reads them when it is imported, and fails for a back end that is not installed or a file that is not text. They
    are tried first, since the caller's own code may use matplotlib too; pictures are drawn without them.

    Raises:
        PlotError: if it cannot be imported.
    """
    with drawing():
        try:
            import matplotlib
        except FAILURES:
            for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
                del sys.modules[name]  # parts of what failed are not parts of what is imported now
            with _no_settings():
                import matplotlib  # noqa: F401


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """A context in which an error of matplotlib or Pillow is one about drawing, not about the data of a run.

    Raises:
        PlotError: in place of such an exception.
    """
    try:
        yield
    except LinregError:
        raise
    except FAILURES as error:
        if isinstance(error, ImportError) or _within(error.__traceback__, _LIBRARIES):
            found = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
            by_pillow = _within(error.__traceback__, ("PIL",)) or getattr(error, "name", None) == "PIL"
            what = "Pillow cannot write a picture here" if by_pillow else "matplotlib cannot draw here"
            raise PlotError(f"{what} ({found})") from error
        raise


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A context without matplotlib's notes about the fonts that it finds, which the caller cannot act on."""
    logger, errors_only = logging.getLogger("matplotlib.font_manager"), _ErrorsOnly()
    logger.addFilter(errors_only)
    try:
        yield
    finally:
        logger.removeFilter(errors_only)


class _ErrorsOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR


@contextlib.contextmanager
def _no_settings() -> Iterator[None]:
    """A context without the variables and files that hold the user's settings of matplotlib."""
    kept = {name: os.environ.pop(name) for name in ("MPLBACKEND", "MATPLOTLIBRC") if name in os.environ}
    exists = os.path.exists

    def without_settings(path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | int) -> bool:
        hidden = isinstance(path, str) and os.path.basename(path) == _SETTINGS and "mpl-data" not in path
        return not hidden and exists(path)

    os.path.exists = without_settings
    try:
        yield
    finally:
        os.path.exists = exists
        os.environ.update(kept)


def _within(trace: TracebackType | None, packages: tuple[str, ...]) -> bool:
    """Whether an exception passed through one of these packages."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in packages:
            return True
        trace = trace.tb_next
    return False
