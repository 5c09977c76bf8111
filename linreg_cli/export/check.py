"""An exported model beside the run's own predictions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.data.columns.kinds import Column
from linreg_cli.errors import DataError, StoreError
from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.export.rows import CheckedRows, own_rows
from linreg_cli.wording import number, plural

#: The most that predictions of a float64 model may differ, relative to them.
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Check:
    """What came of the comparison.

    Attributes:
        n_rows: how many rows were compared; 0 if there are none.
        difference: the largest, relative to the prediction or, where that is larger, to the deviation of all of them.
        reason: why no rows were compared; None if some were.
    """

    n_rows: int
    difference: float | None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        found: dict[str, Any] = {"rows": self.n_rows, "largest_relative_difference": self.difference}
        return found if self.reason is None else {**found, "reason": self.reason}

    def __str__(self) -> str:
        if self.difference is None:
            return f"not compared with the predictions of the run: {self.reason}"
        rows, found = plural(self.n_rows, "row"), number(self.difference, 2)
        return f"compared with the predictions of the run on {rows}: largest relative difference {found}"


def compared(saved: SavedModel, predict: Callable[[CheckedRows], Column], tolerance: float | None = TOLERANCE) -> Check:
    """Compare with the predictions of the run on its own rows.

    Args:
        saved: the model.
        predict: what the exported model predicts for some rows, shape (n_rows, n_targets).
        tolerance: the largest difference that is allowed; None: any.

    Raises:
        StoreError: if a difference is larger.
    """
    try:
        pairs = [(rows.predictions, predict(rows)) for rows in own_rows(saved)]
    except DataError as error:
        return Check(0, None, str(error.faults[0]))
    found = difference(pairs)
    n_rows = sum(len(own) for own, _ in pairs)
    if found is None:
        return Check(0, None, "no row of the table has a prediction")
    if tolerance is not None and not found <= tolerance:
        message = f"the exported model differs from the predictions of the run by {number(found)}, relative to them"
        raise StoreError(f"{message}; nothing was written", saved.run.id)
    return Check(n_rows, found)


def difference(pairs: Iterable[tuple[Column, Column]]) -> float | None:
    """The largest difference of (own, exported) predictions, as `Check` has it; None without rows.

    >>> difference([(np.array([[1.0], [3.0]]), np.array([[1.0], [3.3]]))])
    0.1
    """
    held = [pair for pair in pairs if len(pair[0])]
    if not held:
        return None
    own, exported = (np.vstack(each) for each in zip(*held, strict=True))
    scale = np.maximum(np.abs(own), own.std(axis=0))
    gaps = np.abs(exported - own)
    relative = np.divide(gaps, scale, out=np.where(gaps > 0, np.inf, 0.0), where=scale > 0)
    return float(np.max(np.where(np.isnan(relative), np.inf, relative)))
