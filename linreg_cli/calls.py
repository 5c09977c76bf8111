"""What holds within a call of Python: arithmetic as that of a command, and messages that say what to pass."""

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from linreg_cli.blas import one_blas_thread
from linreg_cli.readers import Python, written_for
from linreg_cli.torch_modes import own_torch

P = ParamSpec("P")
R = TypeVar("R")


@contextlib.contextmanager
def own_arithmetic() -> Iterator[None]:
    """A context with numpy's and torch's own defaults, and one thread of BLAS unless the environment says how many.

    What the caller has set for an underflow, or for products in bfloat16, is for the caller's arithmetic. The last
    digits of a factor depend on the threads of BLAS, which on a busy machine wait for each other longer than they
    compute.
    """
    of_numpy = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
    with of_numpy, own_torch(), one_blas_thread(always=False):
        yield


def in_python(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is called by a program of the user."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_arithmetic(), written_for(Python()):
            return function(*args, **kwargs)

    return called
