"""Codes of categories: where values stand among the known ones, in the smallest type that holds the positions."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Codes


def narrow(codes: Codes, n_levels: int) -> Codes:
    """Codes in the smallest type that holds them.

    >>> narrow(np.array([0, -1, 4]), 5).dtype.name, narrow(np.array([0, -1, 4]), 1_000).dtype.name
    ('int8', 'int16')
    """
    kind = np.int8 if n_levels <= 2**7 else np.int16 if n_levels <= 2**15 else np.int32
    out: Codes = codes.astype(kind, copy=False)
    return out


def distinct(blocks: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The values that occur, ascending. Those of blocks are sorted into the others once they are as many.

    >>> distinct([np.array([3, 1, 3]), np.array([2, 1])]).tolist()
    [1, 2, 3]
    """
    known, further = np.zeros(0, np.int8), list[npt.NDArray[Any]]()
    for block in blocks:
        further.append(np.unique(block))
        if sum(map(len, further)) >= len(known):
            known, further = np.unique(np.concatenate([known, *further])), []
    return np.unique(np.concatenate([known, *further])) if further else known


def positions_in(known: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Where values stand among known ones, which are ascending, shape (n,); those that are equal are looked up once.

    >>> positions_in(np.array([2, 5, 9]), np.array([9, 2, 9])).tolist()
    [2, 0, 2]
    """
    own, at = np.unique(values, return_inverse=True)  # in their order, which is faster than at random
    found: npt.NDArray[np.intp] = np.searchsorted(known, own)[at]
    return found
