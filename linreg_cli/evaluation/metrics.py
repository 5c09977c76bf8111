"""Metrics of predictions in original units, in float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linreg_cli.data.dataset import Column
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.points import Point, encode_points
from linreg_cli.model import LinearFormula

Metrics = dict[str, Any]

#: What every block of metrics of predictions says of itself: R2 is relative to the mean of its rows.
IN_ORIGINAL_UNITS: Metrics = {"units": "original", "r2_definition": "centred"}

OVERFLOW = "overflow in float64"


class ErrorSums:
    """Sums of errors from which metrics are computed; rows are added block by block, and sums part by part.

    With e = actual - predicted, over all samples and targets: mse = mean of e^2, rmse = sqrt(mse), mae = mean of |e|.
    r2 = 1 - (sum of e^2) / (sum of (actual - mean of actual)^2) for each target, averaged over targets, also for models
    without an intercept, as scikit-learn's `r2_score` has it. With weights of the rows all means and sums are
    weighted, as with scikit-learn's `sample_weight`; n is the number of rows in any case.

    >>> sums = ErrorSums().add(np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]]))
    >>> metrics = sums.add(np.array([[3.0]]), np.array([[3.0]])).metrics()
    >>> metrics["mae"], metrics["r2"]
    (0.3333333333333333, 0.5)
    """

    def __init__(self) -> None:
        self._n, self._total = 0, 0.0
        self._absolute = self._squares = self._low = self._high = self._mean = self._spread = np.zeros(0)

    @property
    def n(self) -> int:
        """How many rows were added."""
        return self._n

    def add(self, actual: Column, predicted: Column, weights: Column | None = None) -> "ErrorSums":
        """Add a block of rows.

        Args:
            actual: targets in original units, shape (n_rows, n_targets), at least one row, float64.
            predicted: predictions, the same shape, dtype and units.
            weights: of the rows, shape (n_rows,), in any unit that all blocks have; None: all are 1.

        Returns:
            The object itself.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self.add_errors(actual, actual - predicted, weights)

    def add_errors(self, actual: Column, error: Column, weights: Column | None = None) -> "ErrorSums":
        """As `add`, of errors: actual - predicted."""
        assert actual.shape == error.shape, (actual.shape, error.shape)
        total = float(len(actual)) if weights is None else float(weights.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            block = ErrorSums()
            block._low, block._high = actual.min(axis=0), actual.max(axis=0)
            if weights is None:
                block._absolute, block._squares = np.abs(error).sum(axis=0), np.sum(error**2, axis=0)
                block._mean = actual.mean(axis=0)
                block._spread = np.sum((actual - block._mean) ** 2, axis=0)
            else:
                block._absolute, block._squares = weights @ np.abs(error), weights @ error**2
                block._mean = weights @ actual / total
                block._spread = weights @ (actual - block._mean) ** 2
        block._n, block._total = len(actual), total
        return self.merge(block)

    def merge(self, other: "ErrorSums") -> "ErrorSums":
        """Add the rows of other sums, which come after those of this one; returns the object itself."""
        if not self._n or not other._n:
            self.__dict__.update(other.__dict__ if other._n else {})
            return self
        with np.errstate(over="ignore", invalid="ignore"):
            self._absolute, self._squares = self._absolute + other._absolute, self._squares + other._squares
            self._low, self._high = np.minimum(self._low, other._low), np.maximum(self._high, other._high)
            # Chan, Golub and LeVeque (1983): squared deviations from the mean of both together.
            shift, share = other._mean - self._mean, other._total / (self._total + other._total)
            self._spread = self._spread + other._spread + shift**2 * (self._total * share)
            self._mean = self._mean + shift * share
        self._n += other._n
        self._total += other._total
        return self

    def metrics(self, targets: slice = slice(None)) -> Metrics:
        """`mse`, `rmse`, `mae`, `r2` and `n`, the number of rows.

        A metric that is undefined or overflows float64 is None, and `<metric>_reason` says why.

        Args:
            targets: the positions of the targets; default: all.
        """
        squares, constant = self._squares[targets], (self._low == self._high)[targets]
        count = self._total * len(squares)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            mse = float(squares.sum() / count)
            mae = float(self._absolute[targets].sum() / count)
            r2 = None if constant.any() else float(np.mean(1 - squares / self._spread[targets]))
        metrics: Metrics = {"mse": mse, "rmse": float(np.sqrt(mse)), "mae": mae}
        reasons = {}
        for name, value in metrics.items():
            if not np.isfinite(value):
                metrics[name], reasons[f"{name}_reason"] = None, OVERFLOW
        if r2 is None:
            reasons["r2_reason"] = (
                "a single row has no variance" if self._n == 1 else "the target is constant in this split"
            )
        elif not np.isfinite(r2):
            r2, reasons["r2_reason"] = None, OVERFLOW
        return {**metrics, "r2": r2, "n": self._n, **reasons}


def split_metrics(targets: tuple[str, ...], errors: ErrorSums, loss: float) -> Metrics:
    """Metrics of one split: its loss in scaled units, then those of `ErrorSums` in original units.

    `units` are those of all but the loss. R2 is centred, relative to the mean of the split, for every model. With
    several targets, `by_target` has the metrics of each.

    Args:
        targets: names of the targets.
        errors: of the predictions for the rows of the split, in original units.
        loss: of the split, in scaled units.
    """
    metrics: Metrics = {**IN_ORIGINAL_UNITS, "loss": loss, **errors.metrics()}
    if not np.isfinite(loss):
        metrics["loss"], metrics["loss_reason"] = None, OVERFLOW
    if len(targets) > 1:
        metrics["by_target"] = {target: errors.metrics(slice(k, k + 1)) for k, target in enumerate(targets)}
    return metrics


def parameters(formula: LinearFormula) -> Metrics:
    """`weights` and `bias`, by name; nested by target if there are several.

    `units` is `original`, or `transformed` if the formula predicts a transformed target.
    """
    units = units_of(formula.transform)
    weights = {
        target: {feature: float(formula.weights[j, k]) + 0.0 for j, feature in enumerate(formula.features)}
        for k, target in enumerate(formula.targets)
    }
    bias = {
        target: None if formula.bias is None else float(formula.bias[k]) for k, target in enumerate(formula.targets)
    }
    if len(formula.targets) > 1:
        return {"units": units, "weights": weights, "bias": bias}
    return {"units": units, "weights": weights[formula.targets[0]], "bias": bias[formula.targets[0]]}


def units_of(transform: str) -> str:
    """The units of figures of the transformed target: `original` if there is no transform.

    >>> units_of("none"), units_of("log1p")
    ('original', 'transformed')
    """
    return "original" if transform == "none" else "transformed"


def probe(formula: LinearFormula, points: Sequence[Point], encoder: Encoder | None = None) -> list[list[float | None]]:
    """Predictions for a few points in original units: one list of targets per point; None where not finite.

    Args:
        formula: the model.
        points: one value per feature column.
        encoder: how columns become inputs; None: all are numbers.

    >>> probe(LinearFormula(("x",), ("y",), np.array([[2.0]]), np.array([1.0])), [(3.0,)])
    [[7.0]]
    """
    if not points:
        return []
    predictions = formula.predict(encode_points(encoder or Encoder.of_numbers(formula.features), points))
    return [[float(value) if np.isfinite(value) else None for value in row] for row in predictions]
