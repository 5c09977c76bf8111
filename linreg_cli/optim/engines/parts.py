"""A pass over all rows, shared out to the cores that torch may use."""

from collections.abc import Callable
from typing import TypeVar

import torch

from linreg_cli.optim.engines.threads import pool

#: Elements of X in a part. Parts do not depend on the number of threads and their results come back in order,
#: so the numbers depend neither on that nor on which thread was faster.
PART_ELEMENTS = 1 << 19

Result = TypeVar("Result")


def over_parts(function: Callable[[int, int], Result], n_samples: int, n_features: int) -> list[Result]:
    """`function(first row, one past the last row)` of each part, in order; the function should release the GIL."""
    rows = part_rows(n_features)
    bounds = [(first, min(first + rows, n_samples)) for first in range(0, n_samples, rows)]
    threads = torch.get_num_threads()
    if len(bounds) == 1 or threads == 1:
        return [function(*bound) for bound in bounds]
    return list(pool("linreg-rows", threads).map(lambda bound: function(*bound), bounds))


def part_rows(n_features: int) -> int:
    """Rows of a part."""
    return max(1, PART_ELEMENTS // n_features)
