"""Counting the cells of a column that are missing or infinite."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt


def missing_and_infinite(values: npt.NDArray[Any]) -> tuple[int, int]:
    """How many numbers of any type are missing, and how many infinite.

    >>> missing_and_infinite(np.array([1.0, np.nan, -np.inf, np.inf]))
    (1, 2)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # a sum is finite only if all of its terms are, and it needs no array
        if math.isfinite(values.sum()):
            return 0, 0
        return int(np.count_nonzero(np.isnan(values))), int(np.count_nonzero(np.isinf(values)))


def added(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The sums of pairs of counts.

    >>> added([(1, 2), (3, 4)])
    (4, 6)
    """
    first = second = 0
    for one, other in counts:
        first, second = first + one, second + other
    return first, second
