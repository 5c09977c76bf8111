"""The loss of a model on the rows of a split, added up part by part where `train.shards` is set."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.model import linear_layer
from linreg_cli.optim.engines.threads import one_thread
from linreg_cli.optim.losses import Loss, chunk_rows


def loss_of_parts(rows: DividedRows, loss: Loss, model: nn.Sequential) -> float:
    """The loss of a model on all rows, as `Loss.over`; its sums are those of the parts, in their order.

    Args:
        rows: in scaled units and the dtype of the model; other processes may have some.
        loss: of the run.
        model: of `model.build_model`.
    """
    layer = linear_layer(model)
    weight_kd, bias_k = (None if each is None else each.detach().cpu().numpy() for each in (layer.weight, layer.bias))
    found = rows.of_parts(_sums, loss, weight_kd, bias_k)
    total, weight = (float(in_order(each)) for each in zip(*found, strict=True))
    return loss.of_sum(total, weight * layer.out_features)


def _sums(part: Part, loss: Loss, weight_kd: Any, bias_k: Any) -> Sequence[float]:
    """The sums of the losses of the elements and of the weights of the rows; a pass."""
    total, weight = 0.0, 0.0
    weights = torch.from_numpy(weight_kd), None if bias_k is None else torch.from_numpy(bias_k)
    model = functools.partial(_predicted, weights)
    with one_thread():
        for at in part.blocks(chunk_rows(part.X_nd.shape[1])):
            X_nd, y_nk = (torch.from_numpy(np.asarray(values[at])) for values in (part.X_nd, part.y_nk))
            X_nd = X_nd.clone()  # aligned, as the blocks of `chunk_rows` of a whole split are
            weight_n = None if part.weight_n is None else torch.from_numpy(part.weight_n[at])
            total = loss.sum_over(model, X_nd, y_nk, total, weight_n=weight_n)
            weight += at.stop - at.start if weight_n is None else float(weight_n.sum())
    return total, weight


def _predicted(weights: tuple[torch.Tensor, torch.Tensor | None], X_nd: torch.Tensor) -> torch.Tensor:
    """The outputs of the model, as `nn.Linear` has them."""
    return torch.nn.functional.linear(X_nd, *weights)
