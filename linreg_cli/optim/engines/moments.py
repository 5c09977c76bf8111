"""Second moments of the train rows, part by part, and merged; about the means, or of the residuals of a fit.

z are the columns [x | y] of a row, features and then targets.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.kernels.loader import kernel
from linreg_cli.optim.engines.kernels.signatures import BLOCK_ROWS, LANES, TILE
from linreg_cli.optim.engines.parameters import rounded_up
from linreg_cli.optim.rows import AnyRows, TrainRows

Array = np.ndarray[Any, np.dtype[Any]]

#: From so many features and targets on, torch's matrix product is used. It is slower at 257 and faster at 1,001; values
#: between were not tried.
WIDE = 400

#: Rows of the sample whose means are subtracted from a part; a power of two, for the mean of equal numbers.
SAMPLE_ROWS = 64

#: Number of rows (the sum of their weights), means (z,) and centred second moments (z, z), float64.
Moments = tuple[float, Array, Array]


def is_wide(n_features: int, n_targets: int) -> bool:
    """Whether torch's matrix product computes the moments, and no compiled kernel."""
    return n_features + n_targets >= WIDE


def of_part(rows: AnyRows, first: int, last: int, onto: torch.device | None = None) -> Moments:
    """Number of rows, means and centred second moments of [x | y] of the rows `first` to `last - 1`, at least one.

    Args:
        rows: the train split.
        first: the first row.
        last: one past the last row.
        onto: the device that computes them; None: the one where the rows are.
    """
    part = rows.part(first, last) if onto is None else rows.part(first, last).on(onto)
    compiled = part.device.type == "cpu" and not is_wide(rows.n_features, rows.n_targets) and part.weight_n is None
    return _by_kernel(part) if compiled else _by_product(part)


def merged(parts: Sequence[Moments]) -> Moments:
    """The moments of several parts together, about their common mean; parts without rows are skipped.

    >>> ones = np.ones((1, 1))
    >>> n, mean, M = merged([(2, np.array([1.0]), 2 * ones), (1, np.array([4.0]), 0 * ones)])  # 0, 2 and 4
    >>> n, mean.tolist(), M.tolist()
    (3, [2.0], [[8.0]])
    """
    rows, mean_z, M_zz = parts[0]
    for more, mean, M in parts[1:]:
        if not more:
            continue
        # Chan, Golub and LeVeque (1983): moments about the mean of both parts together.
        shift = mean - mean_z
        M_zz = M_zz + M + np.outer(shift, shift) * (rows * more / (rows + more))
        mean_z = mean_z + shift * (more / (rows + more))
        rows += more
    return rows, mean_z, M_zz


def of_residuals(
    rows: AnyRows, first: int, last: int, fit_kd: Array, mean_z: Array, onto: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Sums of r x and of r^2, float64, (k, d) and (k,), of the residuals of a fit to centred rows of a part.

    Args:
        rows: the train split.
        first: the first row.
        last: one past the last row.
        fit_kd: its weights.
        mean_z: the means of [x | y] that are subtracted.
        onto: as in `of_part`.
    """
    part, d = rows.part(first, last) if onto is None else rows.part(first, last).on(onto), rows.n_features
    fit_dk, mean = (torch.from_numpy(values).to(part.device) for values in (fit_kd.T.copy(), mean_z))
    x = part.X_nd.double() - mean[:d]
    r = part.y_nk.double() - mean[d:] - x @ fit_dk
    if part.weight_n is None:
        return (r.T @ x).cpu(), r.square().sum(0).cpu()
    weighted = r * part.weight_n[:, None].double()
    return (weighted.T @ x).cpu(), (weighted * r).sum(0).cpu()


def _by_kernel(rows: TrainRows) -> Moments:
    """As `of_part`, in one pass where possible."""
    count, d, k = rows.n_samples, rows.n_features, rows.n_targets
    X, y = rows.X_nd.numpy(), rows.y_nk.numpy()
    part_moments = kernel("moments.part_moments", rows.dtype)
    centre_z, Z = _sample(rows), rounded_up(d + k, TILE)
    for _ in range(2):
        sums_Z, M_ZZ = np.empty(Z), np.empty((Z, Z))
        room = np.zeros(Z * BLOCK_ROWS), np.zeros(Z * LANES), np.zeros(Z * Z * LANES)
        part_moments(X, y, 0, count, d, k, centre_z, *room, sums_Z, M_ZZ)
        shift_z = sums_Z[: len(centre_z)] / count
        about_centre_zz = M_ZZ[: len(centre_z), : len(centre_z)]
        about_centre_zz = np.triu(about_centre_zz) + np.triu(about_centre_zz, 1).T
        M_zz = about_centre_zz - count * np.outer(shift_z, shift_z)
        centre_z = centre_z + shift_z
        # Otherwise the mean of the sample was far from that of the part, and the subtraction lost digits.
        if (np.diag(M_zz) >= 0.1 * np.diag(about_centre_zz)).all():
            break
    return count, centre_z, M_zz


def _sample(rows: TrainRows) -> Array:
    """Means of [x | y] over at most SAMPLE_ROWS evenly spaced rows of a part, to estimate those of all its rows."""
    every = slice(0, None, max(1, rows.n_samples // SAMPLE_ROWS))
    z = torch.cat([rows.X_nd[every], rows.y_nk[every]], dim=1)[:SAMPLE_ROWS]
    return z.double().mean(0).numpy()


def _by_product(rows: TrainRows) -> Moments:
    """As `of_part`, by a matrix product of torch, on the device of the rows."""
    z = torch.cat([rows.X_nd.double(), rows.y_nk.double()], dim=1)
    if rows.weight_n is None:
        mean = z.mean(0)
        z -= mean
        return rows.n_samples, mean.cpu().numpy(), (z.T @ z).cpu().numpy()
    weights = rows.weight_n.double()
    total = float(weights.sum())
    mean = weights @ z / total
    z -= mean
    # Once more, for columns with a large mean.
    correction = weights @ z / total
    mean, z = mean + correction, z - correction
    return total, mean.cpu().numpy(), ((z * weights[:, None]).T @ z).cpu().numpy()
