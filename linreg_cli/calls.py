"""What holds within a call of Python: arithmetic as numpy's defaults are, and messages that say what to pass."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from linreg_cli.readers import Python, written_for

P = ParamSpec("P")
R = TypeVar("R")


def own_arithmetic() -> np.errstate:
    """A block with numpy's own defaults: what the caller has set for an underflow is for the caller's arithmetic."""
    return np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


def in_python(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is called by a program of the user."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_arithmetic(), written_for(Python()):
            return function(*args, **kwargs)

    return called
