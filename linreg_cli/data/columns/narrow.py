"""Numbers in fewer bytes, for the way between processes: those of a table are often small integers or float32."""

from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column

Array = npt.NDArray[Any]

#: Types that are tried, in this order; the last one has every number.
KINDS = np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.float32), np.dtype(np.float64)
#: So many of the first numbers are tried before all of them.
_FIRST = 256


def narrowed(values: Column) -> Array:
    """Numbers in the first type of `KINDS` from which `astype(np.float64)` gives every bit of them again.

    Args:
        values: float64, contiguous.

    >>> [narrowed(np.array(each)).dtype.name for each in ([1.0, -2.0], [300.0], [0.5, -0.0, np.nan], [0.1])]
    ['int8', 'int16', 'float32', 'float64']
    """
    for kind in KINDS[:-1]:
        if _is_exact(values[:_FIRST], kind) and _is_exact(values, kind):
            return values.astype(kind)
    return values


def _is_exact(values: Column, kind: np.dtype[Any]) -> bool:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        there = values.astype(kind).astype(np.float64)
    return np.array_equal(there.view(np.uint64), values.view(np.uint64))
