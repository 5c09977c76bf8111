"""Codes of categories: where values stand among the known ones, in the smallest type that holds the positions."""

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


def positions_in(known: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Where values stand among known ones, which are ascending, shape (n,); those that are equal are looked up once.

    >>> positions_in(np.array([2, 5, 9]), np.array([9, 2, 9])).tolist()
    [2, 0, 2]
    """
    own, at = np.unique(values, return_inverse=True)  # in their order, which is faster than at random
    found: npt.NDArray[np.intp] = np.searchsorted(known, own)[at]
    return found
