"""The lowest loss of a constant prediction, of targets that are not in memory."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.columns.rows import RowsOnAccess
from linreg_cli.optim.losses import CHUNK_ROWS, Loss

Column = npt.NDArray[np.float64]

_SIGN = np.int64(-(2**63))


def best_constant_loss(loss: Loss, y_nk: RowsOnAccess) -> float:
    """As `Loss.of_best_constant`, in passes over blocks of rows; equal within rounding error.

    The median is exact: the bits of a float64 are searched from the highest to the lowest, one pass each.

    Args:
        loss: of the run.
        y_nk: targets, shape (n_samples, n_targets), finite.
    """
    n = len(y_nk)
    if loss.is_squared:
        constant: Column = sum((part.sum(axis=0) for part in _parts(y_nk)), np.zeros(y_nk.shape[1])) / n
    else:
        constant = _median(y_nk) if loss.name == "mae" else _huber(loss, y_nk)
    total = sum(float(loss.elements(torch.from_numpy(constant - part)).sum()) for part in _parts(y_nk))
    return loss.of_sum(total, y_nk.size)


def _parts(y_nk: RowsOnAccess) -> Iterator[Column]:
    for start in range(0, len(y_nk), CHUNK_ROWS):
        yield np.asarray(y_nk[start : start + CHUNK_ROWS], dtype=np.float64)


def _ordered(values: Column) -> npt.NDArray[np.uint64]:
    """Integers in the order of the numbers: of IEEE 754, with all bits turned below zero and the sign above."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return np.where(bits < 0, ~bits, bits ^ _SIGN).view(np.uint64)


def _median(y_nk: RowsOnAccess) -> Column:
    """The lower median of each column, as `torch.median` has it."""
    wanted, found = (len(y_nk) + 1) // 2, np.zeros(y_nk.shape[1], dtype=np.uint64)
    for bit in range(63, -1, -1):
        trial = found | np.uint64(1 << bit)
        below = sum(((_ordered(part) < trial).sum(axis=0) for part in _parts(y_nk)), np.zeros(len(found), dtype=int))
        found = np.where(below < wanted, trial, found)
    bits = found.view(np.int64)
    return np.where(bits < 0, bits ^ _SIGN, ~bits).view(np.float64)


def _huber(loss: Loss, y_nk: RowsOnAccess) -> Column:
    """The root of the mean of clip(c - y, -delta, delta), which increases with c, by bisection for each target."""
    low = np.min([part.min(axis=0) for part in _parts(y_nk)], axis=0)
    high = np.max([part.max(axis=0) for part in _parts(y_nk)], axis=0)
    for _ in range(64):
        middle = (low + high) / 2
        slopes = (np.clip(middle - part, -loss.huber_delta, loss.huber_delta).sum(axis=0) for part in _parts(y_nk))
        rising = sum(slopes, np.zeros(len(middle))) < 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.asarray((low + high) / 2)
