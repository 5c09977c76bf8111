"""Why the optimum of a table is not computed: its cost, and the size of its values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import Part
from linreg_cli.data.columns.rows import Matrix
from linreg_cli.least_squares.factor import BLOCK_ROWS, blocks
from linreg_cli.wording import number

#: The largest n p^2 for n rows and p parameters: the QR takes about twice as many operations, which is a few seconds.
MOST_WORK = 1e10
MOST_PARAMETERS = 2_000
#: Numbers that are looked at together.
_NUMBERS = 2**20
#: Squares of larger values overflow, and those of a column that has only smaller values underflow.
_LARGEST, _SMALLEST = 1e140, 1e-140


def too_costly(n_samples: int, n_parameters: int) -> str | None:
    """Why the optimum is not computed: more than 2,000 parameters, or n p^2 above 1e10; None if it is.

    Args:
        n_samples: n, rows of the train split.
        n_parameters: p, parameters of one target, with the bias.
    """
    if n_parameters > MOST_PARAMETERS:
        return f"the optimum is computed for up to {MOST_PARAMETERS:,} parameters, and there are {n_parameters:,}"
    if n_samples * n_parameters**2 > MOST_WORK:
        return (
            f"the optimum is computed if rows x parameters^2 is at most {number(MOST_WORK)}, and it is "
            f"{number(n_samples * n_parameters**2, 3)}"
        )
    return None


def out_of_range(*arrays: Matrix) -> str | None:
    """Why nothing can be computed from squares of the values; None if it can.

    Args:
        arrays: matrices, shape (n_rows, n_columns). A column of zeros is in range.

    >>> out_of_range(np.array([[0.0, 1e-30]])), out_of_range(np.array([[1.0, 1e-200]]))
    (None, 'the squares of the values are beyond the range of float64')
    """
    found = np.concatenate([_largest(values) for values in arrays], dtype=np.float64)
    if not np.all((found == 0) | ((found > _SMALLEST) & (found < _LARGEST))):
        return "the squares of the values are beyond the range of float64"
    return None


def largest(part: Part) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The largest absolute value of each column of X and of y; a pass."""
    rows = slice(part.first, part.last)
    return _largest(part.X_nd, rows), _largest(part.y_nk, rows)


def _largest(values: Matrix, of: slice | None = None) -> npt.NDArray[Any]:
    """The largest absolute value of each column, without a copy of the array, shape (n_columns,)."""
    largest: npt.NDArray[Any] = np.zeros(values.shape[1], dtype=values.dtype)
    first, last = (0, len(values)) if of is None else (of.start, of.stop)
    for rows in blocks(last - first, max(1, min(BLOCK_ROWS, _NUMBERS // max(1, values.shape[1])))):
        part = values[rows.start + first : rows.stop + first]
        largest = np.maximum(largest, np.maximum(part.max(axis=0, initial=0.0), -part.min(axis=0, initial=0.0)))
    return largest
