"""A pass over all rows in parts, distributed over the threads that torch may use."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from linreg_cli.optim.engines.threads import pool

#: Elements of X in a part. Neither the parts nor the order of their results depends on the number of threads, so the
#: results are the same bits with any number.
PART_ELEMENTS = 1 << 19

Result = TypeVar("Result")
Argument = TypeVar("Argument")


#: The most threads that read parts from the disk: each holds one, which is memory that a limit is to cover.
READERS = 4


def over_parts(
    function: Callable[[int, int], Result], n_samples: int, n_features: int, *, most: int | None = None
) -> list[Result]:
    """Call a function for each part of the rows, on several threads.

    Args:
        function: (first row, one past the last row) -> result; it should release the GIL.
        n_samples: rows.
        n_features: columns of X.
        most: the most threads; None: as many as torch may use.

    Returns:
        The results, in the order of the rows.
    """
    rows = part_rows(n_features)
    bounds = [(first, min(first + rows, n_samples)) for first in range(0, n_samples, rows)]
    return in_threads(lambda bound: function(*bound), bounds, most=most)


def in_threads(
    function: Callable[[Argument], Result], arguments: Sequence[Argument], *, most: int | None = None
) -> list[Result]:
    """Call a function for each argument, on `most` threads, or as many as torch may use; results are in their order."""
    threads = min(torch.get_num_threads(), most or torch.get_num_threads())
    if len(arguments) <= 1 or threads == 1:
        return [function(argument) for argument in arguments]
    return list(pool("linreg-rows", threads).map(function, arguments))


def part_rows(n_features: int) -> int:
    """The number of rows of a part.

    >>> part_rows(8)
    65536
    """
    return max(1, PART_ELEMENTS // n_features)
