"""The lowest loss of a constant prediction, of targets that are not in memory."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.columns.row_weights import Weights, sum_of
from linreg_cli.data.columns.rows import RowsOnAccess
from linreg_cli.optim.losses import CHUNK_ROWS, Loss

Column = npt.NDArray[np.float64]

_SIGN = np.int64(-(2**63))


def best_constant_loss(loss: Loss, y_nk: RowsOnAccess, weight_n: Weights | None = None) -> float:
    """As `Loss.of_best_constant`, in passes over blocks of rows; equal within rounding error.

    The median is exact: the bits of a float64 are searched from the highest to the lowest, one pass each.

    Args:
        loss: of the run.
        y_nk: targets, shape (n_samples, n_targets), finite.
        weight_n: of the rows, with mean 1, float64, shape (n_samples,); None: all are 1.
    """
    targets = _Weighted(y_nk, weight_n)
    if loss.is_squared:
        constant: Column = sum(((part * weights).sum(axis=0) for part, weights in targets), np.zeros(y_nk.shape[1]))
        constant = constant / targets.weight
    else:
        constant = _median(targets) if loss.name == "mae" else _huber(loss, targets)
    total = sum(
        float((loss.elements(torch.from_numpy(constant - part)) * torch.from_numpy(weights)).sum())
        for part, weights in targets
    )
    return loss.of_sum(total, y_nk.size)


class _Weighted:
    """The parts of targets with the weights of their rows, shapes (n_rows, n_targets) and (n_rows, 1)."""

    def __init__(self, y_nk: RowsOnAccess, weight_n: Weights | None) -> None:
        self._y_nk, self._weight_n, self.n_targets = y_nk, weight_n, y_nk.shape[1]
        self.weight = float(len(y_nk) if weight_n is None else sum_of(weight_n))

    def __iter__(self) -> Iterator[tuple[Column, Column]]:
        for start in range(0, len(self._y_nk), CHUNK_ROWS):
            part = np.asarray(self._y_nk[start : start + CHUNK_ROWS], dtype=np.float64)
            weights = np.ones(len(part)) if self._weight_n is None else self._weight_n[start : start + CHUNK_ROWS]
            yield part, weights[:, None]


def _ordered(values: Column) -> npt.NDArray[np.uint64]:
    """Integers in the order of the numbers: of IEEE 754, with all bits turned below zero and the sign above."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return np.where(bits < 0, ~bits, bits ^ _SIGN).view(np.uint64)


def _median(targets: _Weighted) -> Column:
    """The lower median of each column, as `torch.median` has it: less than half of the weights are below it."""
    found = np.zeros(targets.n_targets, dtype=np.uint64)
    for bit in range(63, -1, -1):
        trial = found | np.uint64(1 << bit)
        below = sum(
            ((weights * (_ordered(part) < trial)).sum(axis=0) for part, weights in targets), np.zeros(len(found))
        )
        found = np.where(below < targets.weight / 2, trial, found)
    bits = found.view(np.int64)
    return np.where(bits < 0, bits ^ _SIGN, ~bits).view(np.float64)


def _huber(loss: Loss, targets: _Weighted) -> Column:
    """The root of the mean of clip(c - y, -delta, delta), which increases with c, by bisection for each target."""
    low = np.min([part.min(axis=0) for part, _ in targets], axis=0)
    high = np.max([part.max(axis=0) for part, _ in targets], axis=0)
    delta = loss.huber_delta
    for _ in range(64):
        middle = (low + high) / 2
        slopes = ((np.clip(middle - part, -delta, delta) * weights).sum(axis=0) for part, weights in targets)
        rising = sum(slopes, np.zeros(len(middle))) < 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.asarray((low + high) / 2)
