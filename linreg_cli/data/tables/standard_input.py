"""Standard input as a table. It can be read once and a table is read several times, so a copy of it is read instead."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from linreg_cli.config.data import STDIN_NAME
from linreg_cli.errors import DataError
from linreg_cli.readers import either

#: Gives the copy, for the format that the config names; None: standard input is not read.
_copy: Callable[[str | None], Path] | None = None


def _not_kept() -> str:
    typed = (
        "name it: linreg evaluate RUN --data TABLE; to train again, with the same result for the same table: "
        "linreg train -c RUN/config.yaml < TABLE"
    )
    called = "give it: data=TABLE to evaluate; to train, name a file in data.path, or give data=frame"
    found = "the rows came from standard input, which is kept in no file; for metrics of a table"
    return f"{found}, {either(typed, called)}"


@contextlib.contextmanager
def given_by(copy: Callable[[str | None], Path] | None) -> Iterator[None]:
    """A block in which the path `-` is standard input.

    Commands that read a run do not enter it: they would take what the next command of a script is to read.

    Args:
        copy: called when a table is opened, with the value of `data.format`; gives a file. None: there is none.
    """
    global _copy
    before, _copy = _copy, copy
    try:
        yield
    finally:
        _copy = before


def file_of(format_: str | None) -> str:
    """The file that standard input was copied to.

    Raises:
        DataError: if it is not to be read here, or cannot be.
    """
    if _copy is None:
        raise DataError(_not_kept(), STDIN_NAME)
    return str(_copy(format_))


def is_copy(path: str) -> bool:
    """Whether a file is such a copy, which no message names.

    >>> is_copy("/tmp/linreg-x/standard input.csv"), is_copy("-")
    (True, False)
    """
    return Path(path).name.startswith(f"{STDIN_NAME}.")
