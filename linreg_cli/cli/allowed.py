"""Errors that an option of `train` allows: only the command line says so, as an option."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from linreg_cli.errors import DivergedError, Fault


@contextlib.contextmanager
def naming_options() -> Iterator[None]:
    """A context in which an error that an option allows names it.

    Raises:
        DivergedError: in place of one with such faults.
    """
    try:
        yield
    except DivergedError as error:
        if all(fault.allowed_by is None for fault in error.faults):
            raise
        raise DivergedError([_with_option(fault) for fault in error.faults], details=error.details) from error


def _with_option(fault: Fault) -> Fault:
    if fault.allowed_by is None:
        return fault
    return replace(fault, message=f"{fault.message}; --{fault.allowed_by} trains anyway", allowed_by=None)
