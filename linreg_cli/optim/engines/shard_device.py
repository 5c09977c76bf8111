"""The sums of a shard's rows on a device, in plain torch: what compiled kernels add up on the CPU.

Suffixes are those of `shard_work`: k targets, d features, D and K rounded up to whole vectors.
"""

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.parameters import PackedParameters, rounded_up
from linreg_cli.optim.engines.parts import part_rows
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.rows import TrainRows

Array = np.ndarray[Any, np.dtype[Any]]


def parameters_on(packed: PackedParameters, d: int, k: int, onto: torch.device) -> tuple[Tensor, Tensor]:
    """Copies of the weights, shape (k, d), and of the bias, shape (k,), on a device; the bias is 0 without one."""
    w_kd = torch.from_numpy(packed.w.reshape(k, rounded_up(d))[:, :d].copy()).to(onto)
    return w_kd, torch.from_numpy(packed.b[:k].copy()).to(onto)


def sums_of(
    loss: Loss, rows: TrainRows, positions: Tensor | None, parameters: tuple[Tensor, Tensor], *, gradient: bool = True
) -> Array:
    """The loss of some rows, the sum of f x and that of f, float64, shape (1 + k D + K,); only the loss: (1,).

    f is the derivative of the loss of an error, that of a squared loss without its factor: the error itself. Errors are
    of the training dtype, sums float64, of `parts.part_rows` rows after the other.

    Args:
        loss: of an error.
        rows: some rows in the memory of the process, at least one.
        positions: of those that are added up, in their order; None: all.
        parameters: as `parameters_on`; their device is the one that adds up.
        gradient: whether the sums of f are wanted.
    """
    (w_kd, b_k), d, k = parameters, rows.n_features, rows.n_targets
    size, count = part_rows(d), rows.n_samples if positions is None else len(positions)
    total: Array | None = None
    for first, last in itertools.pairwise([*range(0, count, size), count]):
        chosen = rows.part(first, last) if positions is None else rows.chosen(positions[first:last])
        found = _of_part(loss, chosen.on(w_kd.device), w_kd, b_k, gradient=gradient)
        total = found if total is None else total + found
    assert total is not None
    if not gradient:
        return total
    out = np.zeros(1 + k * rounded_up(d) + rounded_up(k))
    out[0], out[1 : 1 + k * rounded_up(d)].reshape(k, -1)[:, :d] = total[0], total[1 : 1 + k * d].reshape(k, d)
    out[1 + k * rounded_up(d) :][:k] = total[1 + k * d :]
    return out


def _of_part(loss: Loss, rows: TrainRows, w_kd: Tensor, b_k: Tensor, *, gradient: bool) -> Array:
    """As `sums_of`, of all rows, which are on the device, and without the padding."""
    e_nk = torch.addmm(b_k, rows.X_nd, w_kd.T) - rows.y_nk
    each = loss.elements(e_nk)
    f_nk = _derivative(loss, e_nk) if gradient else None
    if rows.weight_n is not None:
        each = each * rows.weight_n[:, None]
        f_nk = None if f_nk is None else f_nk * rows.weight_n[:, None]
    found = [each.double().sum().reshape(1)]
    if f_nk is not None:
        f_nk = f_nk.double()
        found += [(f_nk.T @ rows.X_nd.double()).reshape(-1), f_nk.sum(0)]
    return torch.cat(found).cpu().numpy()


def _derivative(loss: Loss, e_nk: Tensor) -> Tensor:
    if loss.is_squared:
        return e_nk
    return torch.sign(e_nk) if loss.name == "mae" else e_nk.clamp(-loss.huber_delta, loss.huber_delta)
