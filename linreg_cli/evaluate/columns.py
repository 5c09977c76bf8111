"""One column of numbers in a line: what kind it is, where it lies, how far it spreads."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.evaluate.factor import blocks


@dataclass(frozen=True)
class ColumnSummary:
    """What a column holds, in its own units.

    Attributes:
        name: of the column.
        kind: `constant`, `binary` (two values, 0 and 1), `integer` or `real`.
        minimum: smallest value.
        mean: mean value.
        maximum: largest value.
        std: standard deviation, n in the denominator.
        missing: cells without a value.
    """

    name: str
    kind: str
    minimum: float
    mean: float
    maximum: float
    std: float
    missing: int


def summarise(name: str, values: npt.NDArray[np.float64]) -> ColumnSummary:
    """Summary of a column.

    Args:
        name: of the column.
        values: shape (n_samples,), finite, at least one.

    >>> summary = summarise("rooms", np.array([1.0, 2.0, 3.0, 2.0]))
    >>> summary.kind, summary.mean
    ('integer', 2.0)
    """
    low, high = float(values.min()), float(values.max())
    if low == high:  # a mean has rounding, which would give a constant column a tiny spread
        return ColumnSummary(name, "constant", low, low, high, 0.0, 0)
    # In units of the largest value, so that neither sums nor squares overflow.
    unit = max(abs(low), abs(high))
    scaled = values / unit
    return ColumnSummary(name, _kind(values), low, float(scaled.mean()) * unit, high, float(scaled.std()) * unit, 0)


def _kind(values: npt.NDArray[np.float64]) -> str:
    binary = True
    for rows in blocks(len(values)):
        part = values[rows]
        if not np.array_equal(part, np.rint(part)):
            return "real"
        binary = binary and bool(np.all((part == 0) | (part == 1)))
    return "binary" if binary else "integer"
