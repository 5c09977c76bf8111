"""An exported model beside the run's own predictions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linreg_cli.data.columns.kinds import Column
from linreg_cli.data.encoding.transform import steepness
from linreg_cli.errors import DataError, StoreError
from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.export.rows import CheckedRows, own_rows
from linreg_cli.least_squares.factor import EPS
from linreg_cli.model import LinearFormula
from linreg_cli.wording import number, plural

#: The most that predictions of a float64 model may differ, relative to them, beside the rounding of their terms.
TOLERANCE = 1e-12
#: The most that a feature may lose in float32 without a warning, as a share of the target's standard deviation.
MOST_LOST = 1e-5


@dataclass(frozen=True)
class Check:
    """What came of the comparison.

    Attributes:
        n_rows: how many rows were compared; 0 if there are none.
        difference: the largest, relative to the prediction or, where that is larger, to the deviation of all of them.
        reason: why no rows were compared; None if some were.
        lossy: feature -> the most that float32 moves its part of a prediction, as a share of the standard deviation of
            the target (of its transform); those above `MOST_LOST`, in a model in float32.
    """

    n_rows: int
    difference: float | None
    reason: str | None = None
    lossy: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        found: dict[str, Any] = {"rows": self.n_rows, "largest_relative_difference": self.difference}
        found |= {} if self.reason is None else {"reason": self.reason}
        return {**found, "float32_losses": dict(self.lossy)} if self.lossy else found

    def __str__(self) -> str:
        if self.difference is None:
            return f"not compared with the predictions of the run: {self.reason}"
        rows, found = plural(self.n_rows, "row"), number(self.difference, 2)
        return f"compared with the predictions of the run on {rows}: largest relative difference {found}"


def compared(saved: SavedModel, predict: Callable[[CheckedRows], Column], dtype: str = "float64") -> Check:
    """Compare with the predictions of the run on its own rows.

    Args:
        saved: the model.
        predict: what the exported model predicts for some rows, shape (n_rows, n_targets).
        dtype: `float64`; of `float32` the loss is measured.

    Raises:
        StoreError: if a difference in float64 is larger than `TOLERANCE` and `rounding` allow.
    """
    pairs: list[tuple[Column, Column]] = []
    beyond: list[tuple[Column, Column]] = []
    losses = Float32Losses(saved.formula)
    try:
        for rows in own_rows(saved):
            own, exported = rows.predictions, predict(rows)
            pairs.append((own, exported))
            beyond.append((own, own + np.maximum(np.abs(exported - own) - rounding(saved.formula, rows), 0.0)))
            if dtype == "float32":
                losses.add(rows)
    except DataError as error:
        return Check(0, None, str(error.faults[0]))
    found = difference(pairs)
    n_rows = sum(len(own) for own, _ in pairs)
    if found is None:
        return Check(0, None, "no row of the table has a prediction")
    further = difference(beyond)
    if dtype == "float64" and (further is None or not further <= TOLERANCE):
        message = f"the exported model differs from the predictions of the run by {number(found)}, relative to them"
        raise StoreError(f"{message}; nothing was written", saved.run.id)
    return Check(n_rows, found, lossy=losses.above(MOST_LOST))


def difference(pairs: Iterable[tuple[Column, Column]]) -> float | None:
    """The largest difference of (own, exported) predictions, as `Check` has it; None without rows.

    >>> difference([(np.array([[1.0], [4.0]]), np.array([[1.0], [5.0]]))])
    0.25
    """
    held = [pair for pair in pairs if len(pair[0])]
    if not held:
        return None
    own, exported = (np.vstack(each) for each in zip(*held, strict=True))
    scale = np.maximum(np.abs(own), own.std(axis=0))
    gaps = np.abs(exported - own)
    relative = np.divide(gaps, scale, out=np.where(gaps > 0, np.inf, 0.0), where=scale > 0)
    return float(np.max(np.where(np.isnan(relative), np.inf, relative)))


def rounding(formula: LinearFormula, rows: CheckedRows) -> Column:
    """What the rounding of the terms may change predictions by, shape (n_rows, n_targets).

    64 EPS times the sum of the absolute terms, times the derivative of the inverse transform. Terms that nearly cancel,
    as of a column far from zero, are much larger than what they add up to.

    Args:
        formula: in original units.
        rows: as the run predicts them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        terms = np.abs(rows.features) @ np.abs(formula.weights)
        terms = terms if formula.bias is None else terms + np.abs(formula.bias)
        found: Column = 64 * EPS * terms * np.abs(steepness(formula.transform, rows.predictions))
    return found


class Float32Losses:
    """What each feature loses in float32: the largest |w x - w' x'|, where w' and x' are rounded.

    Args:
        formula: in original units.
    """

    def __init__(self, formula: LinearFormula) -> None:
        self._formula = formula
        self._most: Column = np.zeros_like(formula.weights)
        self._targets: list[Column] = []

    def add(self, rows: CheckedRows) -> None:
        """Take some rows into account."""
        weights = self._formula.weights
        for position, values in enumerate(rows.features.T):
            rounded = values.astype(np.float32).astype(np.float64)[:, None]
            lost = values[:, None] * weights[position] - rounded * weights[position].astype(np.float32)
            self._most[position] = np.maximum(self._most[position], np.abs(lost).max(axis=0, initial=0.0))
        self._targets.append(rows.targets)

    def above(self, least: float) -> dict[str, float]:
        """Feature -> its loss as a share of the standard deviation of f(target), the largest over the targets."""
        if not self._targets:
            return {}
        deviation = np.nanstd(np.vstack(self._targets), axis=0)
        shares = np.divide(self._most, deviation, out=np.zeros_like(self._most), where=deviation > 0).max(axis=1)
        pairs = zip(self._formula.features, shares.tolist(), strict=True)
        return {feature: share for feature, share in pairs if share > least}
