"""What to do where the table of a run is not where it was."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from linreg_cli.errors import MissingFileError


@contextlib.contextmanager
def saying_how_to_name_it(option: str) -> Iterator[None]:
    """A context in which the error about a missing table ends with the option of the command that names another.

    Args:
        option: with its value.
    """
    try:
        yield
    except MissingFileError as error:
        remedy = f"if the table has moved, name it with {option}"
        raise MissingFileError([replace(each, message=f"{each.message}; {remedy}") for each in error.faults]) from None
